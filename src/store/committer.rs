//! The committer: one thread, the single writer. It takes what waits, makes one sled batch of it, writes it, flushes, syncs, and
//! answers everybody in the group. It never waits for a group to fill: while it writes one, the next gathers.

use std::fmt;
use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use tokio::sync::oneshot;

use super::engine::{Engine, SyncStep};
use super::fault::Fault;
use super::group::{self, Group, Ledger};
use super::keyring::Gate;
use super::mark::Mark;
use super::payload::Pin;
use super::queue::{Pending, Place, Taken};
use super::shared::Shared;
use super::{Error, Keyspace, Position, key, metrics, reencryption};

/// What only the running committer touches.
pub(super) struct Writer {
    position: Position,
    ledger: Ledger,
    sync: SyncStep,
    mark: Mark,
}

/// A group that is being written, and everybody who waits for it.
#[derive(Debug)]
pub(super) struct InFlight {
    position: Position,
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    answer: oneshot::Sender<Result<Position, Error>>,
    /// Its place in the line, and what keeps payload files and keys until the record that needs them is there; dropped with the
    /// answer.
    kept: Option<(Vec<Pin>, Option<Gate>, Place)>,
}

impl InFlight {
    fn tell(self, outcome: &Result<Position, Error>) {
        for Waiting { answer, kept } in self.waiting {
            if answer.send(outcome.clone()).is_err() {
                tracing::debug!("a caller left before its commit was answered");
            }
            drop(kept);
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "writer behind group {}", self.position.0)
    }
}

impl Writer {
    /// `last_key` is the last key that the store is known to need.
    pub(super) fn new(position: Position, last_key: u32, sync: SyncStep, mark: Mark) -> Self {
        Self { position, ledger: Ledger::needing(last_key), sync, mark }
    }

    /// INVARIANT 8: told only of what is durable. That it was not told does no harm but to what it is for.
    fn tell_mark(&self, position: Position) {
        if let Err(fault) = self.mark.write(position) {
            tracing::warn!(%fault, "the mark beside the database could not be written");
        }
    }

    /// Writes a group and answers it.
    fn serve(&mut self, shared: &Shared, group: Vec<Pending>) {
        let position = Position(self.position.0.saturating_add(1));
        let (mut changes, mut waiting) = (Vec::new(), Vec::with_capacity(group.len()));
        let mut size = 0_usize;
        for Pending { changes: of_one, answer, pins, gate, place, bytes } in group {
            changes.extend(of_one);
            size = size.saturating_add(bytes).max(1);
            waiting.push(Waiting { answer, kept: Some((pins, gate, place)) });
        }
        *in_flight(shared) = Some(InFlight { position, waiting });
        let outcome = match (shared.unwell(), shared.room_for(size)) {
            (Some(reason), _) => Err(Error::Unwell(reason.to_owned())),
            (None, Err(no_room)) => Err(Error::NoRoom(no_room.to_string())),
            (None, Ok(())) => self.write(shared, position, changes).map_err(|fault| {
                shared.fail(&fault);
                Error::Commit(fault.to_string())
            }),
        };
        answer(shared, &outcome);
    }

    fn write(&mut self, shared: &Shared, position: Position, changes: Vec<group::Change>) -> Result<Position, Fault> {
        let engine = shared.engine();
        let engine = engine.as_ref().ok_or_else(|| Fault::other("the store is closed"))?;
        let mut group = Group::new(engine, &mut self.ledger, position, shared.keys.as_deref());
        for change in changes {
            group.apply(change).map_err(Fault::other)?;
        }
        let mut writes = group.finish();
        let (records, unnamed) = (writes.entries.len(), std::mem::take(&mut writes.unnamed));

        let began = Instant::now();
        shared.begin(position);
        {
            let mut applying = shared.applying();
            if let Some(tee) = &applying.tee {
                tee.take_down(position, &writes.entries);
            }
            engine.write(writes)?;
            applying.position = position;
        }
        // INVARIANT 1: sled's flush only hands the group to the operating system; nobody hears of it before the sync.
        engine.flush()?;
        (self.sync)().map_err(|fault| Fault::io("sync the database", &fault))?;
        self.position = position;
        self.tell_mark(position);
        shared.finish(position);
        metrics::committed(began.elapsed(), records);

        for digest in unnamed {
            shared.payloads.discard(&digest, || named(engine, &digest));
        }
        Ok(position)
    }

    /// Forgets what a thread that panicked left behind, goes by what is stored, and tells those who waited for its last group
    /// what became of it: a group is stored with its position, so the position that is found says whether it is.
    fn recover(&mut self, shared: &Shared) -> Result<(), Fault> {
        self.ledger = Ledger::default();
        if let Some(tee) = &shared.applying().tee {
            tee.spoil("the committer was restarted meanwhile");
        }
        let engine = shared.engine();
        let engine = engine.as_ref().ok_or_else(|| Fault::other("the store is closed"))?;
        // A group that was written but not answered is made durable; readers may have seen it.
        engine.flush()?;
        (self.sync)().map_err(|fault| Fault::io("sync the database", &fault))?;
        let stored = last_position(engine).map_err(Fault::other)?;
        self.ledger = Ledger::needing(reencryption::last_needed(engine).map_err(Fault::other)?);
        self.position = stored.max(shared.begun());
        shared.applying().position = self.position;
        self.tell_mark(stored);
        shared.finish(self.position);
        let left = in_flight(shared).take();
        if let Some(left) = left {
            let written = stored >= left.position;
            tracing::warn!(position = left.position.0, written, "the group that was being written is accounted for");
            let lost = || Error::Commit("the committer ended before it wrote; nothing of it is stored".to_owned());
            let outcome = if written { Ok(left.position) } else { Err(lost()) };
            left.tell(&outcome);
        }
        Ok(())
    }
}

fn in_flight(shared: &Shared) -> MutexGuard<'_, Option<InFlight>> {
    shared.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells everybody who waits for the group that was being written.
fn answer(shared: &Shared, outcome: &Result<Position, Error>) {
    let served = in_flight(shared).take();
    if let Some(served) = served {
        served.tell(outcome);
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
        Err(fault) => {
            shared.fail(&fault);
            answer(shared, &Err(Error::Commit(fault.to_string())));
        }
    }
    writer
}

/// Leaves the store as a committer does that panics when it has begun a group and sled was not given it; returns what whoever
/// waits for that group is answered.
#[cfg(test)]
pub(super) fn panic_before_writing(shared: &Arc<Shared>, last: Position) -> oneshot::Receiver<Result<Position, Error>> {
    let (answer, answered) = oneshot::channel();
    let shared = shared.clone();
    let panicked = thread::spawn(move || {
        let _writer = take_over(&shared);
        let position = Position(last.0.saturating_add(1));
        *in_flight(&shared) = Some(InFlight { position, waiting: vec![Waiting { answer, kept: None }] });
        shared.begin(position);
        std::panic::resume_unwind(Box::new("a test"));
    });
    drop(panicked.join());
    answered
}
