//! Keys exchanged while the store is in use: every owner gets a new one, what is stored is sealed anew in the background, then the
//! old keys are destroyed. What was written before there was a master key is sealed in the same way.
//!
//! ```text
//! rotate_keys ─► a new key for each owner, durable ─(no commit under way)─► in force
//!                      reencrypt, round by round: values under old keys, or in clear ─► Replace, unless written over since
//!                      the end of the database ─► finish: nothing is under the old keys ─► they are overwritten
//! ```
//! A restart loses nothing of it: that there are old keys says that it is not done, and what was sealed anew is passed over.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;
use tokio::task::spawn_blocking;

use super::chain::Link32;
use super::engine::Engine;
use super::envelope::{self, Content};
use super::group::{Body, Change, Replacement};
use super::keyring::{self, Count, Keyring, Masters, NoKey};
use super::reading::Reader;
use super::{Error, Keyspace, MasterKey, Record, Store, key, sealing};
use crate::domain::owner::{Owner, Selector};

/// Values that one round looks at.
const LOOKED_AT_MAX: u64 = 4_096;
/// Bytes of bodies that one round seals anew, except that one body is always taken.
const ROUND_BYTES_MAX: usize = 1_024 * 1_024;

/// Keys that were destroyed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Destroyed {
    /// Their ids, ascending. None where nothing is encrypted, or the owners had no keys.
    pub key_ids: Vec<u32>,
}

/// How encryption is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// The keys.
    pub keys: Count,
    /// Whether there are records that are to be sealed anew.
    pub is_pending: bool,
    /// Values that were looked at since the daemon started or keys were last exchanged.
    pub looked_at: u64,
    /// Records that were sealed anew in that time.
    pub resealed: u64,
    /// Records that the last pass could not read: they stay as they are, and so do the keys that they are under; and those that
    /// damage hides the owner of, which are sealed as the host's.
    pub unreadable: u64,
}

/// How far sealing anew is, and who is told that there is something to do.
#[derive(Debug, Default)]
pub(super) struct Progress {
    looked_at: AtomicU64,
    resealed: AtomicU64,
    unreadable: AtomicU64,
    wanted: Notify,
}

/// Tells whose a record is that is not sealed: by its keyspace and key, and the record. [`Error::Damaged`] where damage hides it, any
/// other error where it could not be looked up.
pub type OwnerOf = Arc<dyn Fn(&Store, Keyspace, &[u8], &Record) -> Result<Owner, Error> + Send + Sync>;

/// Opens or makes the keyring, and compares it with what the records need.
pub(super) fn open_keyring(engine: &Engine, data_dir: &Path, masters: &Masters) -> Result<Option<Keyring>, Error> {
    let missing =
        |why: &str| keyring::Error::RingMissing { keyring: data_dir.join(keyring::FILE_NAME), why: why.to_owned() };
    let Some((ring, last)) = needed(engine)? else { return Ok(Keyring::open(data_dir, masters)?) };
    if !data_dir.join(keyring::FILE_NAME).exists() {
        return Err(missing("is not there").into());
    }
    match Keyring::open(data_dir, masters)? {
        Some(keys) if *keys.ring() != ring => Err(missing("is another store's").into()),
        Some(keys) if keys.last_key() < last => Err(missing("is older than they are").into()),
        keys => Ok(keys),
    }
}

/// The keyring that the records need, and the last of its keys that they do.
pub(super) fn needed(engine: &Engine) -> Result<Option<([u8; 16], u32)>, Error> {
    let key = key::full(Keyspace::Meta, key::KEYRING);
    let Some(value) = engine.get(&key)? else { return Ok(None) };
    let damaged = || super::reading::damaged(&key, "it names no keyring");
    let Ok((_, Content::Inline(body))) = envelope::open(&key, &value) else { return Err(damaged()) };
    let (ring, last) = body.split_first_chunk().ok_or_else(damaged)?;
    Ok(Some((*ring, u32::from_be_bytes(last.try_into().map_err(|_| damaged())?))))
}

/// The last key that the records need, counted from 1; 0 where they need none.
pub(super) fn last_needed(engine: &Engine) -> Result<u32, Error> {
    Ok(needed(engine)?.map_or(0, |(_, last)| last))
}

/// How far a pass over all records is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The full key behind which it goes on.
    after: Vec<u8>,
    /// The keys' generation when the pass began: where keys were exchanged since, it says nothing about them.
    generation: u32,
    /// Keys that records are under which it could not read.
    kept: BTreeSet<u32>,
}

/// A record that is to be sealed anew.
struct Stale {
    key: Vec<u8>,
    value: Vec<u8>,
    record: Record,
    link: Option<Link32>,
    /// The key that it is to be sealed with; none where it is in clear, and somebody has to tell whose it is.
    under: Option<u32>,
}

/// What one round found.
#[derive(Default)]
struct Round {
    stale: Vec<Stale>,
    bytes: usize,
    looked_at: u64,
    unreadable: u64,
    /// The keys that unreadable records are under.
    kept: BTreeSet<u32>,
    last: Option<Vec<u8>>,
}

impl Store {
    fn keyring(&self) -> Result<&Arc<Keyring>, keyring::Error> {
        self.shared().keys.as_ref().ok_or(keyring::Error::Off)
    }

    /// How encryption is; none where nothing is encrypted.
    ///
    /// # Errors
    /// The disk failed.
    pub fn encryption(&self) -> Result<Option<Status>, Error> {
        let Some(keys) = &self.shared().keys else { return Ok(None) };
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Progress { looked_at, resealed, unreadable, .. } = &self.shared().reencryption;
        Ok(Some(Status {
            keys: keys.count(),
            is_pending: self.needs_reencryption()?,
            looked_at: of(looked_at),
            resealed: of(resealed),
            unreadable: of(unreadable),
        }))
    }

    /// Whether what is stored is encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.shared().keys.is_some()
    }

    /// The ids of the keys of some owners, ascending. None where nothing is encrypted.
    #[must_use]
    pub fn key_ids_of(&self, whose: &Selector) -> Vec<u32> {
        self.shared().keys.as_ref().map(|keys| keys.of(whose)).unwrap_or_default()
    }

    /// Destroys the keys of some owners. When it returns, that is durable: what was stored of them reads as [`Error::Erased`], and
    /// lists pass it over. What is stored of them later is sealed with new keys.
    ///
    /// # Errors
    /// The disk failed: some may be destroyed, and it must be asked for again.
    pub async fn destroy_keys(&self, whose: &Selector) -> Result<Destroyed, Error> {
        let Some(keys) = &self.shared().keys else { return Ok(Destroyed::default()) };
        let key_ids = keys.erase(whose).await?;
        tracing::info!(keys = key_ids.len(), "keys were destroyed: what they had sealed is erased");
        Ok(Destroyed { key_ids })
    }

    /// Gives every owner a new key and has all records sealed with it, in the background; returns how many keys there are. Commits
    /// wait for as long as those that are under way take.
    ///
    /// # Errors
    /// Nothing is encrypted, the keys are being exchanged already, or the disk failed.
    pub async fn rotate_keys(&self) -> Result<usize, Error> {
        let (store, keys) = (self.clone(), Arc::clone(self.keyring()?));
        // Detached, so that a caller who is cut off leaves no new keys that are not in force.
        let exchanged = tokio::spawn(async move {
            let _order = keys.order.lock().await;
            let prepared = {
                let keys = Arc::clone(&keys);
                spawn_blocking(move || keys.prepare_exchange()).await.map_err(|fault| failed(&fault))??
            };
            let count = prepared.len();
            keys.exchange(prepared).await;
            let Progress { looked_at, resealed, unreadable, wanted } = &store.shared().reencryption;
            [looked_at, resealed, unreadable].into_iter().for_each(|count| count.store(0, Ordering::Relaxed));
            wanted.notify_one();
            tracing::info!(
                keys = count,
                "the keys were exchanged; records are sealed with the new ones in the background"
            );
            Ok(count)
        });
        exchanged.await.map_err(|fault| failed(&fault))?
    }

    /// Wraps the keys under another master key; says whether it was another one.
    ///
    /// # Errors
    /// Nothing is encrypted, or the disk failed: the keys are under the old one then.
    pub async fn change_master_key(&self, master: MasterKey) -> Result<bool, Error> {
        let keys = Arc::clone(self.keyring()?);
        let _order = keys.order.lock().await;
        let wrapping = Arc::clone(&keys);
        let changed = spawn_blocking(move || wrapping.wrap_under(&master)).await.map_err(|fault| failed(&fault))??;
        if changed {
            tracing::info!("the keys are wrapped under the new master key");
        }
        Ok(changed)
    }

    /// Whether there are records that are to be sealed anew.
    ///
    /// # Errors
    /// The disk failed.
    pub fn needs_reencryption(&self) -> Result<bool, Error> {
        let Some(keys) = &self.shared().keys else { return Ok(false) };
        if keys.is_exchanging() {
            return Ok(true);
        }
        let marked = self.shared().reading(|reader| reader.engine.contains(&key::full(Keyspace::Meta, key::SEALED)))?;
        Ok(!marked)
    }

    /// Whether what there is to seal anew is only what the last pass could not read: another one soon would find the same.
    #[must_use]
    pub fn keeps_old_keys(&self) -> bool {
        self.shared().keys.as_ref().is_some_and(|keys| keys.keeps_only())
    }

    /// Waits until keys are exchanged.
    pub async fn reencryption_wanted(&self) {
        self.shared().reencryption.wanted.notified().await;
    }

    /// Seals a bounded number of records anew, beyond `after`; returns where to go on, or none when all are done and the old keys are
    /// destroyed.
    ///
    /// # Errors
    /// The disk failed; what was sealed anew stays so.
    pub async fn reencrypt(&self, after: Option<Cursor>, owner_of: &OwnerOf) -> Result<Option<Cursor>, Error> {
        let keys = Arc::clone(self.keyring()?);
        // INVARIANT: from before a record is read until it is written under another key, no key is exchanged or destroyed.
        let gate = keys.gate().await;
        let generation = keys.generation();
        let after = after.filter(|after| after.generation == generation && !after.after.is_empty());
        if after.is_none() {
            self.shared().reencryption.unreadable.store(0, Ordering::Relaxed);
        }
        let (after, mut kept) = after.map_or((None, BTreeSet::new()), |after| (Some(after.after), after.kept));
        let (store, owner_of) = (self.clone(), Arc::clone(owner_of));
        let work = move || {
            let mut round = store.shared().reading(|reader| look_beyond(reader, &keys, after))?;
            let stale = std::mem::take(&mut round.stale);
            let changes: Result<Vec<Change>, Error> =
                stale.into_iter().map(|stale| store.resealed(&keys, stale, &owner_of)).collect();
            Ok::<_, Error>((changes?, round))
        };
        let (changes, mut round) = spawn_blocking(work).await.map_err(|fault| failed(&fault))??;
        let progress = &self.shared().reencryption;
        let resealed = u64::try_from(changes.len()).unwrap_or(u64::MAX);
        if changes.is_empty() {
            drop(gate);
        } else {
            self.commit_behind(changes, round.bytes, Some(gate)).await?;
        }
        progress.resealed.fetch_add(resealed, Ordering::Relaxed);
        progress.looked_at.fetch_add(round.looked_at, Ordering::Relaxed);
        progress.unreadable.fetch_add(round.unreadable, Ordering::Relaxed);
        kept.append(&mut round.kept);
        match round.last {
            Some(after) => Ok(Some(Cursor { after, generation, kept })),
            None => self.finish_reencryption(generation, kept).await,
        }
    }

    /// Destroys the old keys behind a whole pass, unless keys were exchanged meanwhile: then another pass is needed. What could not
    /// be read may be another time: keys that such records are under stay, and with them that it is not done.
    async fn finish_reencryption(&self, generation: u32, kept: BTreeSet<u32>) -> Result<Option<Cursor>, Error> {
        let keys = Arc::clone(self.keyring()?);
        let _order = keys.order.lock().await;
        if keys.generation() != generation {
            return Ok(Some(Cursor { after: Vec::new(), generation: keys.generation(), kept: BTreeSet::new() }));
        }
        let marked = self.shared().reading(|reader| reader.engine.contains(&key::full(Keyspace::Meta, key::SEALED)))?;
        if !marked {
            let record = Record { kind: 1, version: 1, body: Vec::new() };
            let (keyspace, key) = (Keyspace::Meta, key::SEALED.to_vec());
            let mark = Change::Put { keyspace, key, record, owner: Owner::Host, seal: None };
            self.commit_behind(vec![mark], key::SEALED.len(), None).await?;
        }
        let retiring = Arc::clone(&keys);
        let gone = spawn_blocking(move || retiring.retire(&kept)).await.map_err(|fault| failed(&fault))??;
        let unreadable = self.shared().reencryption.unreadable.load(Ordering::Relaxed);
        if keys.keeps_only() {
            let advice = "restore what is missing, or a backup";
            tracing::error!(
                destroyed = gone,
                unreadable,
                advice,
                "keys of before stay for records that cannot be read"
            );
        } else {
            tracing::info!(destroyed = gone, unreadable, "every record is sealed with the keys in force");
        }
        Ok(None)
    }

    /// Of what damage hides the owner of, the host: it is sealed all the same, so that it does not stay in clear, and counted.
    fn owner_or_host(&self, owner: Result<Owner, Error>) -> Result<Owner, Error> {
        match owner {
            Err(error @ Error::Damaged { .. }) => {
                tracing::error!(%error, "damage hides whose a record is: it is sealed as the host's");
                self.shared().reencryption.unreadable.fetch_add(1, Ordering::Relaxed);
                Ok(Owner::Host)
            }
            owner => owner,
        }
    }

    /// The change that puts a record in its own place, sealed with the key in force.
    fn resealed(&self, keys: &Keyring, stale: Stale, owner_of: &OwnerOf) -> Result<Change, Error> {
        let Stale { key, value, record, link, under } = stale;
        let unreadable = || keyring::Error::Failed("a key in force cannot be read".to_owned());
        let with = match under {
            Some(id) => keys.opening(id).map_err(|_| unreadable())?,
            None => {
                let owner = match (Keyspace::of_key(&key), key.get(1..)) {
                    (Some(keyspace), Some(bare)) => self.owner_or_host(owner_of(self, keyspace, bare, &record))?,
                    (_, _) => Owner::Host,
                };
                match keys.sealing(&owner) {
                    Some(with) => with,
                    None => {
                        keys.make(std::iter::once(owner.clone()).collect())?;
                        keys.sealing(&owner).ok_or_else(unreadable)?
                    }
                }
            }
        };
        let Record { kind, version, mut body } = record;
        let label = sealing::seal(&with, &key, kind, version, link.as_ref(), &mut body);
        Ok(Change::Replace(Box::new(Replacement { key, of: value, label, body: Body::Here(body) })))
    }
}

/// Looks at the values beyond a full key: which are not sealed with the key that is in force of whoever's they are.
fn look_beyond(reader: Reader<'_>, keys: &Keyring, after: Option<Vec<u8>>) -> Result<Round, Error> {
    let mut round = Round::default();
    let mut from = after.map_or(Bound::Unbounded, Bound::Excluded);
    'keyspace: loop {
        for entry in reader.engine.entries((from.clone(), Bound::Unbounded)) {
            let (key, value) = entry.map_err(|fault| Error::Read(fault.to_string()))?;
            if round.looked_at >= LOOKED_AT_MAX || round.bytes >= ROUND_BYTES_MAX {
                return Ok(round);
            }
            if let Some(letter) = key.first().filter(|letter| !is_sealed(**letter)) {
                match key::successor(&[*letter]) {
                    Some(next) => from = Bound::Included(next),
                    None => break 'keyspace,
                }
                continue 'keyspace;
            }
            round.looked_at = round.looked_at.saturating_add(1);
            round.last = Some(key.to_vec());
            round.look_at(reader, keys, &key, value)?;
        }
        break;
    }
    round.last = None;
    Ok(round)
}

/// Whether the records of a keyspace are sealed; also of one that this release does not know.
fn is_sealed(letter: u8) -> bool {
    Keyspace::of_key(&[letter]).is_none_or(sealing::is_sealed)
}

impl Round {
    fn look_at(&mut self, reader: Reader<'_>, keys: &Keyring, key: &[u8], value: sled::IVec) -> Result<(), Error> {
        let under = match envelope::key_id(&value).map(NonZeroU32::get) {
            None => None,
            Some(id) => match keys.successor(id) {
                Some(now) if now == id => return Ok(()),
                Some(now) => Some(now),
                None => {
                    let is_erased = matches!(keys.opening(id), Err(NoKey::Erased));
                    self.unreadable = self.unreadable.saturating_add(u64::from(!is_erased));
                    return Ok(());
                }
            },
        };
        let stored = value.to_vec();
        match reader.assemble(key, value) {
            // As it is read, it may be a later one than was looked at; then it is not replaced, nor has to be.
            Ok(Some((record, link))) => {
                self.bytes = self.bytes.saturating_add(record.body.len()).saturating_add(key.len());
                self.stale.push(Stale { key: key.to_vec(), value: stored, record, link, under });
            }
            Ok(None) | Err(Error::Erased { .. }) => {}
            Err(error @ Error::Damaged { .. }) => {
                tracing::error!(%error, "a record cannot be read and is not sealed anew");
                self.unreadable = self.unreadable.saturating_add(1);
                self.kept.extend(envelope::key_id(&stored).map(NonZeroU32::get));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

fn failed(fault: &tokio::task::JoinError) -> Error {
    keyring::Error::Failed(fault.to_string()).into()
}
