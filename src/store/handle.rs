//! The store's handle: opened, committed to, closed. Its reads are in `queries`.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use super::committer::{self, Running, Writer};
use super::engine::{Engine, SyncStep};
use super::fault::Cause;
use super::keyring::{self, Keyring, Masters};
use super::payload::Payloads;
use super::shared::Shared;
use super::space::{FreeBytes, Space};
use super::{Error, metrics, reencryption};

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
    /// Not since a write, flush or sync failed, or while the disk has no room; reads go on.
    Unwell {
        /// What failed. Inward: it may name files.
        reason: Arc<str>,
        /// What keeps it from writing.
        cause: Cause,
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
    /// Opens or creates the store of a data directory, in `store/` and `payloads/` below it, in which nothing is encrypted. Blocks.
    /// Nothing is committed until a committer runs: [`Committer`](super::Committer) or [`Store::run_committer`].
    ///
    /// # Errors
    /// As [`Self::open_with`].
    pub fn open(data_dir: &Path, options: Options) -> Result<Self, Error> {
        Self::open_with(data_dir, options, &Masters::default())
    }

    /// As [`Self::open`], with master keys: where there is one, what is written from now on is encrypted, under keys in the file
    /// `keyring`. Blocks.
    ///
    /// # Errors
    /// Another process has it open, it is not a store of ours, a newer version wrote it, or the disk fails; the store is encrypted
    /// and no master key fits, which is seen before anything is written.
    pub fn open_with(data_dir: &Path, options: Options, masters: &Masters) -> Result<Self, Error> {
        keyring::inspect(data_dir, masters)?;
        let engine = Engine::open(data_dir, options)?;
        let keys = reencryption::open_keyring(&engine, data_dir, masters)?;
        let sync = engine.sync_step()?;
        Self::assemble_on(data_dir, engine, keys, sync, Space::of(data_dir.to_owned()))
    }

    /// A store on an open engine, with the step that makes its groups durable.
    #[cfg(test)]
    pub(super) fn assemble(data_dir: &Path, engine: Engine, sync: SyncStep) -> Result<Self, Error> {
        Self::assemble_on(data_dir, engine, None, sync, Space::of(data_dir.to_owned()))
    }

    /// The same, with its keys and with what tells how much room the disk has.
    pub(super) fn assemble_on(
        data_dir: &Path,
        engine: Engine,
        keys: Option<Keyring>,
        sync: SyncStep,
        free: FreeBytes,
    ) -> Result<Self, Error> {
        metrics::describe();
        let position = committer::last_position(&engine)?;
        let mark = engine.mark()?;
        let payloads =
            Payloads::open(data_dir.join("payloads")).map_err(|fault| Error::Open(format!("payloads: {fault}")))?;
        let writer = Writer::new(position, reencryption::last_needed(&engine)?, sync, mark);
        let shared = Shared::new(engine, payloads, keys.map(Arc::new), writer, position, Space::new(free));
        let store = Self { shared: Arc::new(shared) };
        store.sweep_payloads()?;
        Ok(store)
    }

    /// A store whose groups are made durable by `sync`, for the tests of rooms above.
    #[cfg(test)]
    pub(crate) fn open_with_sync(
        data_dir: &Path,
        sync: impl FnMut() -> std::io::Result<()> + Send + 'static,
    ) -> Result<Self, Error> {
        Self::assemble(data_dir, Engine::open(data_dir, Options { cache_bytes: 1 << 20 })?, Box::new(sync))
    }

    /// A store on a disk with so many bytes free, for the tests of rooms above.
    #[cfg(test)]
    pub(crate) fn open_with_room(
        data_dir: &Path,
        free: impl Fn() -> Option<u64> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let engine = Engine::open(data_dir, Options { cache_bytes: 1 << 20 })?;
        let sync = engine.sync_step()?;
        Self::assemble_on(data_dir, engine, None, sync, Box::new(free))
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

#[cfg(test)]
impl Store {
    /// Whether commits wait for a committer that runs.
    pub(crate) fn is_busy(&self) -> bool {
        let is_served = matches!(self.shared.writer.try_lock(), Err(std::sync::TryLockError::WouldBlock));
        is_served && self.shared.queue.has_places_taken()
    }

    /// Ends as with the process: what waits is not written any more, and the directory is given back.
    pub(crate) fn crash(&self) {
        drop(self.shared.engine.write().unwrap_or_else(PoisonError::into_inner).take());
    }
}
