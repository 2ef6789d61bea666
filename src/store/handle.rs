//! The store's handle: commits go to the committer, reads go straight to sled.

use std::fmt;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use tokio::sync::oneshot;

use super::chain::{FIRST_SEQUENCE, GENESIS, Link, Link32};
use super::committer::{self, Running, Writer};
use super::engine::{Engine, SyncStep};
use super::group::{self, Change, Prior as _};
use super::payload::{Payloads, Pin};
use super::queue::Pending;
use super::reading::{self, Reader};
use super::shared::Shared;
use super::{Batch, Error, Keyspace, Record, key, metrics};

/// How the store is opened.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Bytes that sled may keep in memory.
    pub cache_bytes: u64,
}

/// The place of a commit in the order of all commits; counters are read as of a position. Commits of one group have one position;
/// positions rise, also from one start to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

/// Which way a range is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Smallest key first.
    Ascending,
    /// Largest key first.
    Descending,
}

/// Whether the store takes writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Well,
    /// Not since a write, flush or sync failed; reads go on.
    Unwell {
        /// What failed. Inward: it may name files.
        reason: Arc<str>,
    },
}

/// A cheap handle to the one store of the process.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "store, {:?}", self.health())
    }
}

impl Store {
    /// Opens or creates the store of a data directory, in `store/` and `payloads/` below it. Blocks. Nothing is committed until a
    /// committer runs: [`child_spec`](super::child_spec) or [`Store::run_committer`].
    ///
    /// # Errors
    /// Another process has it open, it is not a store of ours, a newer version wrote it, or the disk fails.
    pub fn open(data_dir: &Path, options: Options) -> Result<Self, Error> {
        let engine = Engine::open(data_dir, options)?;
        let sync = engine.sync_step()?;
        Self::assemble(data_dir, engine, sync)
    }

    /// A store on an open engine, with the step that makes its groups durable.
    pub(super) fn assemble(data_dir: &Path, engine: Engine, sync: SyncStep) -> Result<Self, Error> {
        metrics::describe();
        let position = committer::last_position(&engine)?;
        let payloads =
            Payloads::open(data_dir.join("payloads")).map_err(|fault| Error::Open(format!("payloads: {fault}")))?;
        let shared = Shared::new(engine, payloads, Writer::new(position, sync), position);
        let store = Self { shared: Arc::new(shared) };
        store.sweep_payloads()?;
        Ok(store)
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Runs a committer without the tree, for as long as what is returned is held.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn run_committer(&self) -> Result<Running, Error> {
        let on_end = |ended: std::thread::Result<_>| {
            if ended.is_err() {
                tracing::error!("the committer panicked; nothing restarts it");
            }
        };
        committer::start(&self.shared, on_end).map_err(|fault| Error::Open(format!("start the committer: {fault}")))
    }

    /// Makes a batch durable; returns once it is. Waits while the queue is full, or while no committer runs. A caller that stops
    /// waiting does not take the batch back.
    ///
    /// # Errors
    /// The batch is beyond a limit, or the disk failed: nothing of the batch may be acknowledged.
    pub async fn commit(&self, batch: Batch) -> Result<Position, Error> {
        if let Some(reason) = self.shared.unwell() {
            return Err(Error::Unwell(reason.to_owned()));
        }
        let bytes = batch.measure()?;
        let closed = |_| Error::Unwell("the store is closed".to_owned());
        let place = self.shared.queue.place(bytes).await.map_err(closed)?;
        let (changes, pins) = self.prepare(batch).await?;
        let (answer, answered) = oneshot::channel();
        self.shared.queue.push(Pending { changes, bytes, pins, answer, place }).map_err(closed)?;
        answered.await.map_err(|_| Error::Commit("the committer ended while it wrote".to_owned()))?
    }

    /// Writes large bodies to their files.
    async fn prepare(&self, batch: Batch) -> Result<(Vec<Change>, Vec<Pin>), Error> {
        let changes = batch.changes;
        if changes.iter().all(|change| change.as_payload().is_none()) {
            return Ok((changes, Vec::new()));
        }
        let shared = self.shared.clone();
        let write = move || {
            let mut pins = Vec::new();
            let mut ready = Vec::with_capacity(changes.len());
            for change in changes {
                let Some((keyspace, key, record)) = change.as_payload() else {
                    ready.push(change);
                    continue;
                };
                let (digest, pin) = shared.payloads.write(&record.body)?;
                pins.push(pin);
                let bytes = u64::try_from(record.body.len()).unwrap_or(u64::MAX);
                let (kind, version, key) = (record.kind, record.version, key.to_vec());
                ready.push(Change::PutFile { keyspace, key, kind, version, digest, bytes });
            }
            Ok((ready, pins))
        };
        let failed = |fault: std::io::Error| Error::Commit(format!("write a payload file: {fault}"));
        tokio::task::spawn_blocking(write).await.map_err(|fault| Error::Commit(fault.to_string()))?.map_err(failed)
    }

    /// Reads one record. May block on the disk for a moment, and may be ahead of what is durable by the group that is being
    /// written; through [`Store::read`] it is not.
    ///
    /// # Errors
    /// The disk failed or the record is damaged.
    pub fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Record>, Error> {
        let found = self.shared.reading(|reader| reader.get(&key::full(keyspace, key)))?;
        Ok(found.map(|(record, _link)| record))
    }

    /// Whether there is a record under a key, damaged or not. As [`Store::get`], without reading the record.
    ///
    /// # Errors
    /// The disk failed.
    pub fn contains(&self, keyspace: Keyspace, key: &[u8]) -> Result<bool, Error> {
        self.shared.reading(|reader| reader.engine.contains(&key::full(keyspace, key)))
    }

    /// Reads up to `limit` records whose keys begin with `prefix`, beyond `after` (a whole key, which need not exist) in the
    /// direction of reading. Blocks. Ahead of what is durable as [`Store::get`] is.
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
        self.shared.reading(|reader| {
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
                    Ok(None) => continue,
                    Err(fault) => Err(fault),
                };
                found.push((key.get(1..).unwrap_or_default().to_vec(), record));
            }
            Ok(found)
        })
    }

    /// All counters whose keys begin with `prefix`, as of the returned position, which is durable. A counter that is zero may be
    /// absent. Commits wait meanwhile: it is for starting up and for a few counters.
    ///
    /// # Errors
    /// The disk failed or a counter is damaged.
    pub async fn counters(&self, prefix: &[u8]) -> Result<(Position, Vec<(Vec<u8>, i64)>), Error> {
        let prefix = prefix.to_vec();
        self.read(move |store| store.shared.reading(|reader| sums(&store.shared, reader, &prefix))).await
    }

    /// The next sequence number of a chain and the link that its next record follows. Ahead of what is durable as
    /// [`Store::get`] is.
    ///
    /// # Errors
    /// The disk failed or the chain's last record is damaged.
    pub fn chain_head(&self, keyspace: Keyspace) -> Result<(u64, Link32), Error> {
        self.shared.reading(|reader| match reader.engine.last(keyspace)? {
            None => Ok((FIRST_SEQUENCE, GENESIS)),
            Some((key, value)) => {
                group::chain_end(&key, &value).ok_or_else(|| reading::damaged(&key, "it is not the end of a chain"))
            }
        })
    }

    /// Up to `limit` records of a chain from sequence number `from` on, with their links. Blocks. What it returns is for
    /// [`chain::verify`](super::chain::verify): this only reads.
    ///
    /// # Errors
    /// The disk failed or a record is damaged.
    pub fn chain_range(&self, keyspace: Keyspace, from: u64, limit: usize) -> Result<Vec<Link>, Error> {
        self.shared.reading(|reader| {
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
        self.shared.durable(self.shared.begun()).await;
        Ok(outcome)
    }

    /// Whether the store takes writes. Cheap.
    #[must_use]
    pub fn health(&self) -> Health {
        self.shared.health()
    }

    /// Takes no more commits, writes those that wait, and gives the directory back, so that it can be opened again. Reads fail from
    /// then on. Closing twice is the same as once.
    ///
    /// # Errors
    /// The disk failed; the directory is given back all the same.
    pub async fn close(&self) -> Result<(), Error> {
        let shared = self.shared.clone();
        let close = move || {
            shared.queue.close();
            committer::finish(&shared);
            drop(shared.engine.write().unwrap_or_else(PoisonError::into_inner).take());
            match shared.unwell() {
                None => Ok(()),
                Some(reason) => Err(Error::Unwell(reason.to_owned())),
            }
        };
        tokio::task::spawn_blocking(close).await.map_err(|fault| Error::Commit(fault.to_string()))?
    }

    /// Removes payload files that a crash left without a record, without being waited for.
    fn sweep_payloads(&self) -> Result<(), Error> {
        if !self.shared.payloads.any() {
            return Ok(());
        }
        let shared = Arc::downgrade(&self.shared);
        let sweep = move || {
            let is_open = || shared.upgrade().is_some_and(|shared| shared.engine().is_some());
            let named = |digest: &_| {
                let Some(shared) = shared.upgrade() else { return true };
                shared.engine().as_ref().is_none_or(|engine| committer::named(engine, digest))
            };
            let Some(payloads) = shared.upgrade().map(|shared| shared.payloads.clone()) else { return };
            if let Err(fault) = payloads.sweep(named, is_open) {
                tracing::warn!(%fault, "payload files that no record names could not be swept");
            }
        };
        let thread = std::thread::Builder::new().name("store-sweep".to_owned()).spawn(sweep);
        thread.map(drop).map_err(|fault| Error::Open(format!("start the sweep of payloads: {fault}")))
    }
}

/// Counters by key, as of a position.
type Sums = (Position, Vec<(Vec<u8>, i64)>);

fn sums(shared: &Shared, reader: Reader<'_>, prefix: &[u8]) -> Result<Sums, Error> {
    let applying = shared.applying.lock().unwrap_or_else(PoisonError::into_inner);
    let mut sums = Vec::new();
    for entry in reader.engine.entries(bounds(Keyspace::Counter, prefix, None, Direction::Ascending)) {
        let (key, value) = entry.map_err(|fault| Error::Read(fault.to_string()))?;
        let sum = group::number(&key, &value).ok_or_else(|| reading::damaged(&key, "it is no counter"))?;
        sums.push((key.get(1..).unwrap_or_default().to_vec(), sum));
    }
    Ok((*applying, sums))
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
