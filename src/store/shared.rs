//! What the handle, the committer and the sweeper share.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard};

use tokio::sync::watch;

use super::backup::Tee;
use super::committer::{InFlight, Writer};
use super::engine::Engine;
use super::fault::{Cause, Fault};
use super::keyring::Keyring;
use super::payload::Payloads;
use super::queue::Queue;
use super::reading::Reader;
use super::reencryption::Progress as Reencryption;
use super::space::{NoRoom, Space};
use super::{Error, Health, Position};

/// Lock order: `writer`, `engine`, `applying`, `in_flight`. Nobody waits for anything else while holding one of them, except the committer for
/// the disk and a reader for its read.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) queue: Queue,
    /// INVARIANT: only the thread that holds this writes. It outlives the thread, and its poison tells the next one that it
    /// must not trust what is in it.
    pub(super) writer: Mutex<Writer>,
    /// Gone when the store is closed, or when sled failed and what is on the disk could not be opened anew.
    pub(super) engine: RwLock<Option<Engine>>,
    pub(super) payloads: Payloads,
    /// None where nothing is encrypted.
    pub(super) keys: Option<Arc<Keyring>>,
    pub(super) reencryption: Reencryption,
    /// Held while sled takes a group, so that counters are read, and backups begin and end, between groups.
    applying: Mutex<Applying>,
    /// Who waits for the group that is being written. It outlives the thread, so that a successor can tell them what became of it.
    pub(super) in_flight: Mutex<Option<InFlight>>,
    progress: Progress,
    unwell: OnceLock<(Arc<str>, Cause)>,
    pub(super) space: Space,
    /// How much was not written because there was no room for it; 0 once there is.
    refused_bytes: AtomicUsize,
}

/// What sled was given, and who hears of it.
#[derive(Debug)]
pub(super) struct Applying {
    /// The last group that sled was given.
    pub(super) position: Position,
    /// Takes down what every later group writes, while a backup is being taken.
    pub(super) tee: Option<Arc<Tee>>,
}

/// How far the committer is.
#[derive(Debug)]
struct Progress {
    /// The last group that may be seen by a reader.
    begun: AtomicU64,
    /// The last group that is durable; all ones once nothing becomes durable any more.
    durable: watch::Sender<u64>,
}

impl Shared {
    pub(super) fn new(
        engine: Engine,
        payloads: Payloads,
        keys: Option<Arc<Keyring>>,
        writer: Writer,
        position: Position,
        space: Space,
    ) -> Self {
        Self {
            queue: Queue::new(),
            writer: Mutex::new(writer),
            engine: RwLock::new(Some(engine)),
            payloads,
            keys,
            reencryption: Reencryption::default(),
            applying: Mutex::new(Applying { position, tee: None }),
            in_flight: Mutex::new(None),
            progress: Progress { begun: AtomicU64::new(position.0), durable: watch::Sender::new(position.0) },
            unwell: OnceLock::new(),
            space,
            refused_bytes: AtomicUsize::new(0),
        }
    }

    /// Runs a read on the open database.
    pub(super) fn reading<T>(&self, read: impl FnOnce(Reader<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let engine = self.engine();
        let engine = engine.as_ref().ok_or_else(|| Error::Read("the store is closed".to_owned()))?;
        read(Reader { engine, payloads: &self.payloads, keys: self.keys.as_deref() })
    }

    pub(super) fn engine(&self) -> RwLockReadGuard<'_, Option<Engine>> {
        self.engine.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn applying(&self) -> MutexGuard<'_, Applying> {
        self.applying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn health(&self) -> Health {
        match self.unwell.get() {
            None => match self.room_for(0) {
                Ok(()) => Health::Well,
                Err(no_room) => Health::Unwell { reason: no_room.to_string().into(), cause: Cause::NoRoom },
            },
            Some((reason, cause)) => Health::Unwell { reason: reason.clone(), cause: *cause },
        }
    }

    /// Whether so many bytes more can be written; says in the log when that changes. While the disk has no room for what was last
    /// refused, less may still be written, and the store is not well.
    pub(super) fn room_for(&self, bytes: usize) -> Result<(), NoRoom> {
        let refused = self.refused_bytes.load(Ordering::Acquire);
        if bytes == 0 && refused == 0 {
            return Ok(());
        }
        match self.space.room_for(bytes.max(refused)) {
            Ok(()) => {
                if refused > 0 {
                    self.refused_bytes.store(0, Ordering::Release);
                    tracing::info!("the disk has room again; the store takes writes");
                }
                Ok(())
            }
            Err(_) if 0 < bytes && bytes < refused => self.space.room_for(bytes),
            Err(no_room) => {
                if refused == 0 {
                    let advice = Cause::NoRoom.advice();
                    tracing::error!(%no_room, bytes, advice, "the store does not write this; reads go on");
                }
                self.refused_bytes.store(bytes.max(refused), Ordering::Release);
                Err(no_room)
            }
        }
    }

    pub(super) fn unwell(&self) -> Option<&str> {
        self.unwell.get().map(|(reason, _)| reason.as_ref())
    }

    /// Ends all writing until the store is opened again: after a failed sync nobody knows what is on the disk.
    pub(super) fn fail(&self, fault: &Fault) {
        let cause = fault.cause(self.engine().as_ref().map(Engine::data_dir));
        if self.unwell.set((Arc::from(fault.to_string()), cause)).is_ok() {
            tracing::error!(%fault, advice = cause.advice(), "the store takes no more writes; reads go on");
        }
        self.keep_reading();
        self.progress.durable.send_replace(u64::MAX);
    }

    /// Lets reads go on where sled, after a failed write, refuses them: what is on the disk is opened anew. A group that was not
    /// acknowledged may be seen then, but all of it.
    fn keep_reading(&self) {
        let mut place = self.engine.write().unwrap_or_else(PoisonError::into_inner);
        let Some(engine) = place.take_if(|engine| !engine.answers()) else { return };
        match engine.reopen() {
            Ok(engine) => *place = Some(engine),
            Err(error) => tracing::error!(%error, "nothing can be read either until the daemon is restarted"),
        }
    }

    /// The last group that a reader may have seen.
    pub(super) fn begun(&self) -> Position {
        Position(self.progress.begun.load(Ordering::Acquire))
    }

    pub(super) fn begin(&self, position: Position) {
        self.progress.begun.store(position.0, Ordering::Release);
    }

    pub(super) fn finish(&self, position: Position) {
        self.progress.durable.send_replace(position.0);
    }

    /// Waits until a group is durable, or until it is certain that it will not be: reads go on in an unwell store.
    pub(super) async fn durable(&self, position: Position) {
        let mut durable = self.progress.durable.subscribe();
        // The sender lives as long as `self`.
        if durable.wait_for(|durable| *durable >= position.0).await.is_err() {
            tracing::debug!("the store ended while a read waited for it");
        }
    }
}
