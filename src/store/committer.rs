//! The committer: one thread, the single writer. It takes what waits, makes one sled batch of it, writes it, flushes, syncs, and
//! answers everybody in the group. It never waits for a group to fill: while it writes one, the next gathers.

use std::fmt;
use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use super::engine::{Engine, SyncStep};
use super::group::{self, Group, Ledger};
use super::queue::{Pending, Taken};
use super::shared::Shared;
use super::{Error, Keyspace, Position, key, metrics};

/// What only the running committer touches.
pub(super) struct Writer {
    position: Position,
    ledger: Ledger,
    sync: SyncStep,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "writer behind group {}", self.position.0)
    }
}

impl Writer {
    pub(super) fn new(position: Position, sync: SyncStep) -> Self {
        Self { position, ledger: Ledger::default(), sync }
    }

    /// Writes a group and answers it.
    fn serve(&mut self, shared: &Shared, group: Vec<Pending>) {
        let (mut changes, mut answers) = (Vec::new(), Vec::with_capacity(group.len()));
        for pending in group {
            changes.extend(pending.changes);
            answers.push((pending.answer, pending.pins, pending.place));
        }
        let outcome = match shared.unwell() {
            Some(reason) => Err(Error::Unwell(reason.to_owned())),
            None => self.write(shared, changes).map_err(|reason| {
                shared.fail(&reason);
                Error::Commit(reason)
            }),
        };
        for (answer, pins, place) in answers {
            if answer.send(outcome.clone()).is_err() {
                tracing::debug!("a caller left before its commit was answered");
            }
            drop((pins, place));
        }
    }

    fn write(&mut self, shared: &Shared, changes: Vec<group::Change>) -> Result<Position, String> {
        let engine = shared.engine();
        let engine = engine.as_ref().ok_or("the store is closed")?;
        let position = Position(self.position.0.saturating_add(1));
        let mut group = Group::new(engine, &mut self.ledger, position);
        for change in changes {
            group.apply(change).map_err(|hindrance| hindrance.to_string())?;
        }
        let mut writes = group.finish();
        let (records, unnamed) = (writes.entries.len(), std::mem::take(&mut writes.unnamed));

        let began = Instant::now();
        shared.begin(position);
        {
            let mut applying = shared.applying.lock().unwrap_or_else(PoisonError::into_inner);
            engine.write(writes)?;
            *applying = position;
        }
        // INVARIANT 1: sled's flush only hands the group to the operating system; nobody hears of it before the sync.
        engine.flush()?;
        (self.sync)().map_err(|fault: io::Error| format!("sync the database: {fault}"))?;
        self.position = position;
        shared.finish(position);
        metrics::committed(began.elapsed(), records);

        for digest in unnamed {
            shared.payloads.discard(&digest, || named(engine, &digest));
        }
        Ok(position)
    }

    /// Forgets what a thread that panicked left behind, and goes by what is stored.
    fn recover(&mut self, shared: &Shared) -> Result<(), String> {
        self.ledger = Ledger::default();
        let engine = shared.engine();
        let engine = engine.as_ref().ok_or("the store is closed")?;
        // A group that was written but not answered is made durable; readers may have seen it.
        engine.flush()?;
        (self.sync)().map_err(|fault| format!("sync the database: {fault}"))?;
        self.position = last_position(engine).map_err(|fault| fault.to_string())?.max(shared.begun());
        shared.finish(self.position);
        Ok(())
    }
}

/// Whether a record names a payload; a doubt counts as yes.
pub(super) fn named(engine: &Engine, digest: &super::payload::Digest) -> bool {
    engine.contains(&key::reference(digest)).unwrap_or(true)
}

/// The position of the last group that was written.
pub(super) fn last_position(engine: &Engine) -> Result<Position, Error> {
    let key = key::full(Keyspace::Meta, key::POSITION);
    match engine.get(&key)? {
        None => Ok(Position(0)),
        Some(value) => group::number(&key, &value)
            .and_then(|number| u64::try_from(number).ok())
            .map(Position)
            .ok_or_else(|| super::reading::damaged(&key, "it is no position")),
    }
}

/// Why a committer's thread ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It was told to.
    Stopped,
    /// The store was closed and everything that waited is written.
    Closed,
}

/// A running committer. Dropping it tells the thread to end behind the group that it is writing; what waits then waits for the
/// next committer.
#[derive(Debug)]
pub struct Running {
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.queue.stop(&self.stop);
    }
}

/// Starts a committer's thread. If another still runs, the new one begins when that one has ended. `on_end` hears why it ended,
/// or that it panicked.
pub(super) fn start(
    shared: &Arc<Shared>,
    on_end: impl FnOnce(thread::Result<Ended>) + Send + 'static,
) -> io::Result<Running> {
    let stop = Arc::new(AtomicBool::new(false));
    let running = Running { shared: shared.clone(), stop: stop.clone() };
    let shared = shared.clone();
    let _detached = thread::Builder::new().name("store-committer".to_owned()).spawn(move || {
        on_end(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&shared, &stop))));
    })?;
    Ok(running)
}

fn run(shared: &Shared, stop: &AtomicBool) -> Ended {
    let mut writer = take_over(shared);
    loop {
        match shared.queue.take(stop) {
            Taken::Group(group) => writer.serve(shared, group),
            Taken::Stopped => return Ended::Stopped,
            Taken::Closed => return Ended::Closed,
        }
    }
}

/// Serves what waits in a closed queue, whether or not a committer runs.
pub(super) fn finish(shared: &Shared) {
    let mut writer = take_over(shared);
    let go_on = AtomicBool::new(false);
    while let Taken::Group(group) = shared.queue.take(&go_on) {
        writer.serve(shared, group);
    }
}

/// Waits until no other thread writes.
fn take_over(shared: &Shared) -> MutexGuard<'_, Writer> {
    match shared.writer.lock() {
        Ok(writer) => writer,
        Err(poisoned) => recover(shared, poisoned),
    }
}

fn recover<'a>(shared: &'a Shared, poisoned: PoisonError<MutexGuard<'a, Writer>>) -> MutexGuard<'a, Writer> {
    let mut writer = poisoned.into_inner();
    tracing::warn!("the committer takes over from one that panicked");
    match writer.recover(shared) {
        Ok(()) => shared.writer.clear_poison(),
        Err(reason) => shared.fail(&reason),
    }
    writer
}
