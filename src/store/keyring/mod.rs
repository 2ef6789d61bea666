//! Encryption at rest: the keys, the file that holds them, and who may use them when.
//!
//! ```text
//! master key (32 bytes, outside the data directory) ─ wraps ─► keyring: root ─► finds keys by owner, seals secret files
//!                                                                      └► a key for each owner and generation ─► records
//! ```
//! | file | holds |
//! |---|---|
//! | `cipher` | pure: one key and what it does |
//! | `slot` | pure: what stands in the file |
//! | `index` | pure: which keys there are, and whose |
//! | `master` | the master key |
//! | `disk` | the file: appended to, overwritten in place, written anew |
//!
//! Each owner has a key of its own (tenant, and user where there is one; the host has one too), so that destroying a key takes
//! everything of that owner away at once, also from what nobody can reach to delete: old pages of the database, copies of disks,
//! and backups that are taken later. That is why keys are not in the database: what is overwritten there stays in the log for
//! a while. Here a key has a slot of its own, and destroying it overwrites the slot.
//!
//! Invariants:
//! 1. A key is on the disk before anything is sealed with it.
//! 2. A key that was destroyed is overwritten on the disk before anybody hears that it is destroyed.
//! 3. While keys are exchanged or destroyed no commit is under way: each commit holds the [`Gate`] from before it is sealed until it
//!    is written. What is written afterwards is never under a key of before.
//! 4. A key is destroyed for having been replaced only when no record is under it.

pub(in crate::store) mod cipher;
mod disk;
mod error;
mod index;
mod master;
mod slot;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::OwnedRwLockReadGuard;

use self::cipher::Cipher;
use self::disk::Disk;
use self::index::{Held, Index};
use self::slot::{Header, RingId, Slot, Tags};
use crate::domain::owner::{Owner, Selector};

pub use self::error::Error;
pub use self::master::{MasterKey, Masters};

/// The file's name in the data directory.
pub(in crate::store) const FILE_NAME: &str = "keyring";
/// The most keys that a keyring may have, destroyed ones included: as many slots as an archive's section can carry.
pub const KEYS_MAX: u32 = 1_000_000;
/// Keys that are kept ready for use; beyond it they are forgotten and unwrapped again when they are needed.
const READY_MAX: usize = 1_024;

/// A data key, ready for use.
#[derive(Debug)]
pub(in crate::store) struct DataKey {
    pub(in crate::store) id: u32,
    pub(in crate::store) cipher: Cipher,
}

/// Held by a commit from before it is sealed until it is written.
pub(in crate::store) type Gate = OwnedRwLockReadGuard<()>;

/// Why there is no key to open something with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum NoKey {
    /// It was destroyed, so that what it sealed is gone.
    Erased,
    /// It was destroyed when it had been replaced.
    Replaced,
    /// Its slot is damaged.
    Damaged,
    /// The disk did not give it; it may another time.
    Failed,
    /// There never was one.
    Unknown,
}

/// How the keys are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Keys that something may be sealed with: one for each owner.
    pub current: usize,
    /// Keys of before that have been replaced, and that records may still be under.
    pub replaced: usize,
    /// Keys that were destroyed for good.
    pub destroyed: usize,
    /// Keys that cannot be read, or were to be destroyed and are not yet overwritten; what they sealed cannot be read either.
    pub damaged: usize,
    /// How often all keys have been replaced.
    pub generation: u32,
    /// How often the keys were wrapped anew, under another master key.
    pub wraps: u32,
}

/// New keys that are on the disk and not yet in force.
#[derive(Debug)]
pub(in crate::store) struct Prepared(Vec<(u32, Tags)>);

impl Prepared {
    pub(in crate::store) fn len(&self) -> usize {
        self.0.len()
    }
}

/// The keys of a store.
pub(in crate::store) struct Keyring {
    ring: RingId,
    /// Lock order: `disk`, `index`, `ready`. `asked` is never held with another.
    disk: Mutex<Disk>,
    index: RwLock<Index>,
    ready: RwLock<Ready>,
    /// Owners without a key that wait for one.
    asked: Mutex<HashSet<Owner>>,
    gate: Arc<tokio::sync::RwLock<()>>,
    /// Held by whoever replaces, destroys or wraps keys.
    pub(in crate::store) order: tokio::sync::Mutex<()>,
}

/// Keys that were unwrapped.
#[derive(Default)]
struct Ready {
    by_owner: HashMap<Owner, Arc<DataKey>>,
    by_id: HashMap<u32, Arc<DataKey>>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "keyring, {:?}", self.count())
    }
}

/// Looks whether one of these master keys fits the keyring of a data directory, if it has one. Reads only.
///
/// # Errors
/// There is one and none fits, or it cannot be read.
pub(in crate::store) fn inspect(data_dir: &Path, masters: &Masters) -> Result<(), Error> {
    let path = data_dir.join(FILE_NAME);
    disk::header(&path)?.map_or(Ok(()), |header| check_header(path, &header, masters))
}

/// Looks whether one of these master keys fits the bytes of a keyring, as an archive carries them.
///
/// # Errors
/// None fits, or they are no keyring.
pub(in crate::store) fn check(path: &Path, bytes: &[u8], masters: &Masters) -> Result<(), Error> {
    let header = Header::parse(bytes.get(..slot::HEADER_BYTES).unwrap_or(bytes));
    let header = header.map_err(|flaw| Error::RingUnreadable { keyring: path.to_owned(), why: flaw.to_string() })?;
    check_header(path.to_owned(), &header, masters)
}

fn check_header(keyring: PathBuf, header: &Header, masters: &Masters) -> Result<(), Error> {
    if masters.current.is_none() {
        return Err(Error::MasterMissing { keyring });
    }
    let mut keys = [&masters.current, &masters.previous].into_iter().flatten();
    let fits = keys.any(|key| header.open(&key.wrap(&header.ring)).is_ok());
    if fits { Ok(()) } else { Err(Error::MasterWrong { keyring }) }
}

impl Keyring {
    /// Opens the keyring of a data directory, or makes one. Wraps it anew where it is still under the previous master key. Blocks.
    ///
    /// # Errors
    /// No master key fits, the file cannot be read, or the disk fails.
    pub(in crate::store) fn open(data_dir: &Path, masters: &Masters) -> Result<Option<Self>, Error> {
        let path = data_dir.join(FILE_NAME);
        let Some(master) = &masters.current else {
            return match disk::header(&path)? {
                Some(_) => Err(Error::MasterMissing { keyring: path }),
                None => Ok(None),
            };
        };
        let (disk, root, slots) = Disk::open_or_create(&path, master, masters.previous.as_ref())?;
        let keyring = Self {
            ring: disk.ring(),
            disk: Mutex::new(disk),
            index: RwLock::new(Index::of(root, slots)),
            ready: RwLock::default(),
            asked: Mutex::default(),
            gate: Arc::default(),
            order: tokio::sync::Mutex::default(),
        };
        // The committer never waits for a key.
        keyring.make(std::iter::once(Owner::Host).collect())?;
        Ok(Some(keyring))
    }

    /// How often all keys were exchanged.
    pub(in crate::store) fn generation(&self) -> u32 {
        self.index().generation
    }

    /// Held by a commit from before it is sealed until it is written.
    pub(in crate::store) async fn gate(&self) -> Gate {
        Arc::clone(&self.gate).read_owned().await
    }

    /// The key with which an owner's records are sealed now; none where it has none yet, or it cannot be read.
    pub(in crate::store) fn sealing(&self, owner: &Owner) -> Option<Arc<DataKey>> {
        if let Some(key) = self.read_ready().by_owner.get(owner) {
            return Some(Arc::clone(key));
        }
        let id = {
            let index = self.index();
            *index.current.get(&index.root.tags(owner))?
        };
        let key = self.opening(id).ok()?;
        self.write_ready().by_owner.insert(owner.clone(), Arc::clone(&key));
        Some(key)
    }

    /// The key now in force of whoever the key `id` belongs to.
    pub(in crate::store) fn successor(&self, id: u32) -> Option<u32> {
        let index = self.index();
        match index.held(id)? {
            Held::Live { tags, .. } => index.current.get(&tags).copied(),
            Held::Doomed { .. } | Held::Erased | Held::Replaced | Held::Damaged => None,
        }
    }

    /// The key with this id. May read from the disk.
    pub(in crate::store) fn opening(&self, id: u32) -> Result<Arc<DataKey>, NoKey> {
        if let Some(key) = self.read_ready().by_id.get(&id) {
            return Ok(Arc::clone(key));
        }
        match self.index().held(id) {
            Some(Held::Live { .. }) => {}
            Some(Held::Doomed { .. } | Held::Erased) => return Err(NoKey::Erased),
            Some(Held::Replaced) => return Err(NoKey::Replaced),
            Some(Held::Damaged) => return Err(NoKey::Damaged),
            None => return Err(NoKey::Unknown),
        }
        let disk = self.disk();
        let key = disk.key(id)?;
        let key = Arc::new(DataKey { id, cipher: Cipher::new(&key) });
        // While the file is held: nobody can have destroyed the key in between and find it ready afterwards.
        self.write_ready().by_id.insert(id, Arc::clone(&key));
        drop(disk);
        Ok(key)
    }

    /// Makes keys for owners that have none: all that are asked for at one time with one sync. Blocks.
    pub(in crate::store) fn make(&self, owners: HashSet<Owner>) -> Result<(), Error> {
        self.asked().extend(owners.iter().cloned());
        let mut disk = self.disk();
        let asked = std::mem::take(&mut *self.asked());
        let made = self.make_all(&mut disk, &asked);
        if made.is_err() {
            // Whoever else asked is told by the own attempt.
            self.asked().extend(asked.difference(&owners).cloned());
        }
        made
    }

    fn make_all(&self, disk: &mut Disk, owners: &HashSet<Owner>) -> Result<(), Error> {
        let (root, next, generation) = {
            let index = self.index();
            (Arc::clone(&index.root), index.next_id()?, index.generation)
        };
        let wanted: HashSet<Tags> = owners.iter().map(|owner| root.tags(owner)).collect();
        let missing: Vec<Tags> = {
            let index = self.index();
            wanted.into_iter().filter(|tags| !index.current.contains_key(tags)).collect()
        };
        if missing.is_empty() {
            return Ok(());
        }
        let added = disk.append(next, generation, &missing)?;
        let mut index = self.write_index();
        for (id, tags) in added {
            index.slots.push(Held::Live { generation, tags });
            index.current.insert(tags, id);
        }
        Ok(())
    }

    /// Makes a new key for every owner. Blocks; what is returned takes effect with [`Self::exchange`].
    pub(in crate::store) fn prepare_exchange(&self) -> Result<Prepared, Error> {
        let mut disk = self.disk();
        let (tags, next, generation) = {
            let index = self.index();
            if index.replaced().any(|id| !index.kept.contains(&id)) {
                return Err(Error::Rotating);
            }
            (index.current.keys().copied().collect::<Vec<_>>(), index.next_id()?, index.generation.saturating_add(1))
        };
        let added = disk.append(next, generation, &tags)?;
        let mut index = self.write_index();
        index.slots.extend(added.iter().map(|(_, tags)| Held::Live { generation, tags: *tags }));
        Ok(Prepared(added))
    }

    /// Has everything be sealed with the new keys from now on, as soon as no commit is under way.
    pub(in crate::store) async fn exchange(&self, prepared: Prepared) {
        let _closed = self.gate.write().await;
        let mut index = self.write_index();
        index.generation = index.generation.saturating_add(1);
        for (id, tags) in prepared.0 {
            index.current.insert(tags, id);
        }
        self.write_ready().by_owner.clear();
    }

    /// Whether keys of before are still there.
    pub(in crate::store) fn is_exchanging(&self) -> bool {
        self.index().replaced().next().is_some()
    }

    /// Destroys the keys of before, when no record is under them any more, but for `kept`: records that could not be read are under
    /// these, and may be read another time. Blocks.
    pub(in crate::store) fn retire(&self, kept: &BTreeSet<u32>) -> Result<usize, Error> {
        let ids: Vec<u32> = {
            let mut index = self.write_index();
            index.kept.clone_from(kept);
            index.replaced().filter(|id| !kept.contains(id)).collect()
        };
        self.destroy(&ids, &Slot::Replaced, Held::Replaced)?;
        Ok(ids.len())
    }

    /// Whether all keys of before that are there were kept by a whole pass.
    pub(in crate::store) fn keeps_only(&self) -> bool {
        let index = self.index();
        let mut replaced = index.replaced().peekable();
        replaced.peek().is_some() && replaced.all(|id| index.kept.contains(&id))
    }

    /// The ids of every key of some owners, also of those that were to be destroyed and could not be overwritten.
    pub(in crate::store) fn of(&self, whose: &Selector) -> Vec<u32> {
        let index = self.index();
        let selected = index.root.selected(whose);
        index.standing().filter(|(_, tags)| selected(tags)).map(|(id, _)| id).collect()
    }

    /// Destroys every key of some owners; returns their ids. Nothing is committed meanwhile.
    pub(in crate::store) async fn erase(self: &Arc<Self>, whose: &Selector) -> Result<Vec<u32>, Error> {
        let _order = self.order.lock().await;
        let _closed = self.gate.write().await;
        let (keys, whose) = (Arc::clone(self), whose.clone());
        let erase = move || {
            let ids = keys.of(&whose);
            keys.destroy(&ids, &Slot::Erased, Held::Erased)?;
            Ok(ids)
        };
        tokio::task::spawn_blocking(erase).await.map_err(|fault| Error::Failed(fault.to_string()))?
    }

    /// INVARIANT 2: overwritten and synced before it is forgotten here.
    fn destroy(&self, ids: &[u32], with: &Slot, held: Held) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut disk = self.disk();
        let outcome = disk.overwrite(ids, with);
        let ids: HashSet<u32> = ids.iter().copied().collect();
        let mut index = self.write_index();
        let mut ready = self.write_ready();
        for id in &ids {
            ready.by_id.remove(id);
            if let Some(slot) = id.checked_sub(1).and_then(|at| index.slots.get_mut(usize::try_from(at).ok()?)) {
                match (&outcome, *slot, held) {
                    (Ok(()), _, _) => *slot = held,
                    // Whoever asks again means it again.
                    (Err(_), Held::Live { tags, .. }, Held::Erased) => *slot = Held::Doomed { tags },
                    // What was replaced stays so, until it is overwritten.
                    (Err(_), _, _) => {}
                }
            }
        }
        index.current.retain(|_, id| !ids.contains(id));
        ready.by_owner.retain(|_, key| !ids.contains(&key.id));
        // Also where the disk failed: what may be overwritten is not sealed with any more.
        outcome
    }

    /// Wraps all keys under another master key. Blocks.
    pub(in crate::store) fn wrap_under(&self, master: &MasterKey) -> Result<bool, Error> {
        self.disk().wrap_under(master)
    }

    /// Has the file synced by another function, as a disk that fails does.
    #[cfg(test)]
    pub(in crate::store) fn sync_with(&self, sync: fn(&std::fs::File) -> std::io::Result<()>) {
        self.disk().sync = sync;
    }

    /// The file as it is now, for a backup.
    pub(in crate::store) fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        self.disk().to_bytes()
    }

    /// What names the ring for ever.
    pub(in crate::store) fn ring(&self) -> &[u8; 16] {
        &self.ring
    }

    /// The last key that was made.
    pub(in crate::store) fn last_key(&self) -> u32 {
        self.index().last_id()
    }

    /// The key that seals the small secret files of the data directory.
    pub(in crate::store) fn file_cipher(&self, name: &str) -> Cipher {
        let root = Arc::clone(&self.index().root);
        Cipher::new(&cipher::derived(&root.files, b"agent-factory/file", name.as_bytes()))
    }

    pub(in crate::store) fn count(&self) -> Count {
        let wraps = self.disk().wraps();
        let index = self.index();
        let of = |wanted: fn(&Held) -> bool| index.slots.iter().filter(|held| wanted(held)).count();
        Count {
            current: index.current.len(),
            replaced: index.replaced().count(),
            destroyed: of(|held| matches!(held, Held::Erased | Held::Replaced)),
            damaged: of(|held| matches!(held, Held::Damaged | Held::Doomed { .. })),
            generation: index.generation,
            wraps,
        }
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_index(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_ready(&self) -> RwLockReadGuard<'_, Ready> {
        self.ready.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Made smaller where it has grown beyond [`READY_MAX`].
    fn write_ready(&self) -> RwLockWriteGuard<'_, Ready> {
        let mut ready = self.ready.write().unwrap_or_else(PoisonError::into_inner);
        if ready.by_id.len() >= READY_MAX || ready.by_owner.len() >= READY_MAX {
            *ready = Ready::default();
        }
        ready
    }

    fn asked(&self) -> MutexGuard<'_, HashSet<Owner>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
