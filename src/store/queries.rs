//! What is read through the store's handle, straight from sled and past the committer.

use std::num::NonZeroU32;
use std::ops::Bound;

use super::chain::{FIRST_SEQUENCE, GENESIS, Link, Link32};
use super::group::{self, Prior as _};
use super::keyring::NoKey;
use super::reading::{self, Reader};
use super::shared::Shared;
use super::{Direction, Error, Keyspace, Position, Record, Store, envelope, key};

/// What of a keyspace is left of owners whose keys were destroyed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Erased {
    /// The keys.
    pub keys: Vec<Vec<u8>>,
    /// The last key that was looked at; none at the end.
    pub next: Option<Vec<u8>>,
}

impl Store {
    /// Reads one record. May block on the disk for a moment, and may be ahead of what is durable by the group that is being
    /// written; through [`Store::read`] it is not.
    ///
    /// # Errors
    /// The disk failed, the record is damaged, or it was erased.
    pub fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Record>, Error> {
        let found = self.shared().reading(|reader| reader.get(&key::full(keyspace, key)))?;
        Ok(found.map(|(record, _link)| record))
    }

    /// As [`Store::get`]; an erased record is none.
    ///
    /// # Errors
    /// The disk failed or the record is damaged.
    pub fn find(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Record>, Error> {
        match self.get(keyspace, key) {
            Err(Error::Erased { .. }) => Ok(None),
            found => found,
        }
    }

    /// Whether there is a record under a key, damaged or not. As [`Store::get`], without reading the record.
    ///
    /// # Errors
    /// The disk failed.
    pub fn contains(&self, keyspace: Keyspace, key: &[u8]) -> Result<bool, Error> {
        self.shared().reading(|reader| reader.engine.contains(&key::full(keyspace, key)))
    }

    /// Reads up to `limit` records whose keys begin with `prefix`, beyond `after` (a whole key, which need not exist) in the
    /// direction of reading. Erased ones are passed over. Blocks. Ahead of what is durable as [`Store::get`] is.
    ///
    /// # Errors
    /// The disk failed or a record is damaged.
    pub fn range(
        &self,
        keyspace: Keyspace,
        prefix: &[u8],
        after: Option<&[u8]>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Record)>, Error> {
        let found = self.survey(keyspace, prefix, after, direction, limit)?;
        found.into_iter().map(|(key, record)| Ok((key, record?))).collect()
    }

    /// As [`Store::range`], but a damaged record does not hide the others: each comes with its key.
    ///
    /// # Errors
    /// The disk failed.
    #[expect(clippy::type_complexity, reason = "a key, and its record or its damage")]
    pub fn survey(
        &self,
        keyspace: Keyspace,
        prefix: &[u8],
        after: Option<&[u8]>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Result<Record, Error>)>, Error> {
        self.shared().reading(|reader| {
            let entries = reader.engine.entries(bounds(keyspace, prefix, after, direction));
            let entries: Box<dyn Iterator<Item = _>> = match direction {
                Direction::Ascending => Box::new(entries),
                Direction::Descending => Box::new(entries.rev()),
            };
            let mut found = Vec::new();
            for entry in entries {
                if found.len() >= limit {
                    break;
                }
                let (key, value) = entry.map_err(|fault| Error::Read(fault.to_string()))?;
                let record = match reader.assemble(&key, value) {
                    Ok(Some((record, _link))) => Ok(record),
                    Ok(None) | Err(Error::Erased { .. }) => continue,
                    Err(fault) => Err(fault),
                };
                found.push((key.get(1..).unwrap_or_default().to_vec(), record));
            }
            Ok(found)
        })
    }

    /// As [`Store::range`], the keys alone: no record is read, damaged or not. Blocks.
    ///
    /// # Errors
    /// The disk failed.
    pub fn keys(
        &self,
        keyspace: Keyspace,
        prefix: &[u8],
        after: Option<&[u8]>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, Error> {
        self.shared().reading(|reader| {
            let keys = reader.engine.entries(bounds(keyspace, prefix, after, direction)).keys();
            let keys: Box<dyn Iterator<Item = _>> = match direction {
                Direction::Ascending => Box::new(keys),
                Direction::Descending => Box::new(keys.rev()),
            };
            let bare = |key: sled::Result<sled::IVec>| match key {
                Ok(key) => Ok(key.get(1..).unwrap_or_default().to_vec()),
                Err(fault) => Err(Error::Read(fault.to_string())),
            };
            keys.take(limit).map(bare).collect()
        })
    }

    /// Looks at so many keys beyond `after`, and tells which hold what no key opens any more because its owner's was destroyed.
    /// Blocks.
    ///
    /// # Errors
    /// The disk failed.
    pub fn erased(&self, keyspace: Keyspace, after: Option<&[u8]>, look_at: usize) -> Result<Erased, Error> {
        self.shared().reading(|reader| {
            let Some(ring) = reader.keys else { return Ok(Erased::default()) };
            let (mut erased, mut looked_at) = (Erased::default(), 0_usize);
            for entry in reader.engine.entries(bounds(keyspace, &[], after, Direction::Ascending)).take(look_at) {
                let (key, value) = entry.map_err(|fault| Error::Read(fault.to_string()))?;
                let bare = key.get(1..).unwrap_or_default().to_vec();
                looked_at = looked_at.saturating_add(1);
                let under = envelope::key_id(&value).map(NonZeroU32::get);
                if under.is_some_and(|id| matches!(ring.opening(id), Err(NoKey::Erased))) {
                    erased.keys.push(bare.clone());
                }
                erased.next = Some(bare);
            }
            if looked_at < look_at {
                erased.next = None;
            }
            Ok(erased)
        })
    }

    /// All counters whose keys begin with `prefix`, as of the returned position, which is durable. A counter that is zero may be
    /// absent. Commits wait meanwhile: it is for starting up and for a few counters.
    ///
    /// # Errors
    /// The disk failed or a counter is damaged.
    pub async fn counters(&self, prefix: &[u8]) -> Result<(Position, Vec<(Vec<u8>, i64)>), Error> {
        let prefix = prefix.to_vec();
        self.read(move |store| store.shared().reading(|reader| sums(store.shared(), reader, &prefix))).await
    }

    /// The next sequence number of a chain and the link that its next record follows. Ahead of what is durable as
    /// [`Store::get`] is.
    ///
    /// # Errors
    /// The disk failed or the chain's last record is damaged.
    pub fn chain_head(&self, keyspace: Keyspace) -> Result<(u64, Link32), Error> {
        self.shared().reading(|reader| match reader.engine.last(keyspace)? {
            None => Ok((FIRST_SEQUENCE, GENESIS)),
            Some((key, value)) => group::chain_end(reader.keys, &key, &value)
                .ok_or_else(|| reading::damaged(&key, "it is not the end of a chain")),
        })
    }

    /// Up to `limit` records of a chain from sequence number `from` on, with their links. Blocks. What it returns is for
    /// [`chain::verify`](super::chain::verify): this only reads.
    ///
    /// # Errors
    /// The disk failed or a record is damaged.
    pub fn chain_range(&self, keyspace: Keyspace, from: u64, limit: usize) -> Result<Vec<Link>, Error> {
        self.shared().reading(|reader| {
            let from = Bound::Included(key::full(keyspace, &from.to_be_bytes()));
            let to = key::successor(&[keyspace as u8]).map_or(Bound::Unbounded, Bound::Excluded);
            let mut links = Vec::new();
            for entry in reader.engine.entries((from, to)).take(limit) {
                let (key, value) = entry.map_err(|fault| Error::Read(fault.to_string()))?;
                links.extend(reader.link(keyspace, &key, value)?);
            }
            Ok(links)
        })
    }

    /// Runs a blocking read on a thread that may block, and returns what it read once that is durable.
    ///
    /// # Errors
    /// What `read` returns, or a cancelled thread.
    pub async fn read<T, F>(&self, read: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> Result<T, Error> + Send + 'static,
    {
        let store = self.clone();
        let outcome = tokio::task::spawn_blocking(move || read(&store)).await;
        let outcome = outcome.map_err(|fault| Error::Read(fault.to_string()))??;
        // INVARIANT 4: the read may have seen a group that is not yet durable, but none that has not begun.
        self.shared().durable(self.shared().begun()).await;
        Ok(outcome)
    }
}

/// Counters by key, as of a position.
type Sums = (Position, Vec<(Vec<u8>, i64)>);

fn sums(shared: &Shared, reader: Reader<'_>, prefix: &[u8]) -> Result<Sums, Error> {
    let applying = shared.applying();
    let mut sums = Vec::new();
    for entry in reader.engine.entries(bounds(Keyspace::Counter, prefix, None, Direction::Ascending)) {
        let (key, value) = entry.map_err(|fault| Error::Read(fault.to_string()))?;
        let sum = group::number(&key, &value).ok_or_else(|| reading::damaged(&key, "it is no counter"))?;
        sums.push((key.get(1..).unwrap_or_default().to_vec(), sum));
    }
    Ok((applying.position, sums))
}

type Bounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// The full keys of a keyspace that begin with `prefix` and lie beyond `after`.
fn bounds(keyspace: Keyspace, prefix: &[u8], after: Option<&[u8]>, direction: Direction) -> Bounds {
    let first = key::full(keyspace, prefix);
    let end = key::successor(&first);
    let after = after.map(|after| key::full(keyspace, after));
    match direction {
        Direction::Ascending => {
            let from = match after {
                Some(after) if after >= first => Bound::Excluded(after),
                Some(_) | None => Bound::Included(first),
            };
            (from, end.map_or(Bound::Unbounded, Bound::Excluded))
        }
        Direction::Descending => {
            let to = match (after, end) {
                (Some(after), Some(end)) => Bound::Excluded(after.min(end)),
                (Some(only), None) | (None, Some(only)) => Bound::Excluded(only),
                (None, None) => Bound::Unbounded,
            };
            (Bound::Included(first), to)
        }
    }
}
