//! The living side of a supervisor's children: their specs, cells and ends.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use ractor::{ActorCell, ActorId};
use tokio::sync::oneshot::error::TryRecvError;

use super::child::{Generation, Key};
use super::incarnation::{Gone, Tie};
use super::message::Reply;
use super::metrics::StuckGauge;
use super::snapshot::NodeKind;
use super::spec::{Kind, Parent};
use super::supervisor_spec::Inherited;
use super::{ChildSpec, Load, Shutdown, StartError, SupervisorHandle};

/// How long a start waits for what is left of the former incarnation.
const GONE_WITHIN: Duration = Duration::from_secs(1);

/// How long a killed child may run on before a supervisor that ends no longer waits for it. A kill takes effect at the next
/// `await`; only synchronous code can outlast this.
const KILLED_WITHIN: Duration = Duration::from_secs(5);

/// Ends that are awaited at a time when dynamic children are stopped together.
const ENDS_AT_A_TIME: usize = 1_024;

/// The children's specs and incarnations.
pub(super) struct Roster {
    supervisor: ActorCell,
    tie: Arc<Tie>,
    inherited: Inherited,
    entries: HashMap<Key, Entry>,
    incarnations: HashMap<ActorId, (Key, Generation)>,
    waiting: HashMap<Key, Vec<Reply>>,
}

struct Entry {
    spec: ChildSpec,
    living: Option<Living>,
    gone: Option<Gone>,
}

struct Living {
    cell: ActorCell,
    on_exit: Box<dyn FnOnce() + Send>,
    /// Counts it among those that are stuck, for as long as it is.
    stuck: Option<StuckGauge>,
}

impl Roster {
    pub(super) fn new(supervisor: ActorCell, tie: Arc<Tie>, inherited: Inherited) -> Self {
        let (entries, incarnations, waiting) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { supervisor, tie, inherited, entries, incarnations, waiting }
    }

    pub(super) fn insert(&mut self, key: Key, spec: ChildSpec) {
        self.entries.insert(key, Entry { spec, living: None, gone: None });
    }

    /// Starts an incarnation, when the former one is gone.
    pub(super) async fn start(&mut self, key: Key, generation: Generation) -> Result<(), StartError> {
        let Some(entry) = self.entries.get_mut(&key) else { return Ok(()) };
        let failed =
            |reason: &str| StartError { child: entry.spec.id.clone(), reason: reason.to_owned(), contradiction: None };
        // Nearly always nothing is left of it by now, and no timer is needed.
        if let Some(mut gone) = entry.gone.take()
            && gone.try_recv() != Err(TryRecvError::Closed)
            && tokio::time::timeout(GONE_WITHIN, &mut gone).await.is_err()
        {
            let error = failed("its former incarnation has not ended");
            entry.gone = Some(gone);
            return Err(error);
        }
        let (start, tie, inherited) = (entry.spec.start.clone(), self.tie.clone(), self.inherited.clone());
        let parent = Parent { cell: Some(self.supervisor.clone()), tie: Some(tie), inherited };
        let attempt = AssertUnwindSafe(async move { start(parent).await }).catch_unwind().await;
        let started = attempt.map_err(|_| failed("its maker panicked"))??;
        self.incarnations.insert(started.cell.get_id(), (key, generation));
        entry.living = Some(Living { cell: started.cell, on_exit: started.on_exit, stuck: None });
        entry.gone = Some(started.gone);
        Ok(())
    }

    /// Asks the child to end as its spec says, and waits for nothing.
    pub(super) fn stop(&self, key: Key) {
        let Some((cell, shutdown)) = self.living(key) else { return };
        match shutdown {
            Shutdown::Brutal => cell.kill(),
            Shutdown::Infinity => cell.stop(None),
            Shutdown::Timeout(limit) => {
                cell.stop(None);
                tokio::spawn(async move {
                    if cell.wait(Some(limit)).await.is_err() {
                        cell.kill();
                    }
                });
            }
        }
    }

    /// Kills the child as a crash would.
    pub(super) fn kill(&self, key: Key) {
        if let Some((cell, _)) = self.living(key) {
            cell.kill();
        }
    }

    /// Ends the children one after the other, each when the exit of the one before is confirmed.
    pub(super) async fn stop_in_turn(&mut self, keys: Vec<Key>) {
        for key in keys {
            if let Some((cell, shutdown)) = self.living(key) {
                end(cell.clone(), shutdown).await;
                self.ended(cell.get_id());
            }
        }
    }

    /// Ends the children together, and returns when all exits are confirmed.
    pub(super) async fn stop_together(&mut self, keys: Vec<Key>) {
        let ends = keys.into_iter().filter_map(|key| self.living(key)).collect::<Vec<_>>();
        for (cell, shutdown) in &ends {
            if *shutdown != Shutdown::Brutal {
                cell.stop(None);
            }
        }
        let ended = futures::stream::iter(ends);
        ended.for_each_concurrent(ENDS_AT_A_TIME, |(cell, shutdown)| end(cell, shutdown)).await;
        for living in self.entries.values_mut().filter_map(|entry| entry.living.take()) {
            (living.on_exit)();
        }
        self.incarnations.clear();
    }

    /// An incarnation ended: takes it off its address. None for one that is not, or no longer, a child's.
    pub(super) fn ended(&mut self, incarnation: ActorId) -> Option<(Key, Generation)> {
        let (key, generation) = self.incarnations.remove(&incarnation)?;
        if let Some(living) = self.entries.get_mut(&key).and_then(|entry| entry.living.take()) {
            (living.on_exit)();
        }
        Some((key, generation))
    }

    /// The caller is answered when the child has ended for good.
    pub(super) fn answer_when_settled(&mut self, key: Key, reply: Reply) {
        self.waiting.entry(key).or_default().push(reply);
    }

    /// The child has ended for good.
    pub(super) fn settle(&mut self, key: Key) {
        for reply in self.waiting.remove(&key).into_iter().flatten() {
            if reply.send(Ok(())).is_err() {
                tracing::debug!("the caller of a supervisor no longer waits");
            }
        }
    }

    pub(super) fn forget(&mut self, key: Key) {
        self.entries.remove(&key);
    }

    pub(super) fn spec(&self, key: Key) -> Option<&ChildSpec> {
        self.entries.get(&key).map(|entry| &entry.spec)
    }

    pub(super) fn kind(&self, key: Key) -> NodeKind {
        match self.spec(key).map(|spec| &spec.kind) {
            Some(Kind::Supervisor(_)) => NodeKind::Supervisor,
            Some(Kind::Worker) | None => NodeKind::Worker,
        }
    }

    /// Where to ask for what is below the child, if it is a supervisor.
    pub(super) fn handle(&self, key: Key) -> Option<SupervisorHandle> {
        match self.spec(key).map(|spec| &spec.kind) {
            Some(Kind::Supervisor(handle)) => Some(handle.clone()),
            Some(Kind::Worker) | None => None,
        }
    }

    /// What the child is at, if it runs.
    pub(super) fn load(&self, key: Key) -> Option<Load> {
        let entry = self.entries.get(&key)?;
        entry.living.as_ref()?;
        Some(entry.spec.place.load())
    }

    /// Who calls the child is told at once that it is not there.
    pub(super) fn close(&self, key: Key) {
        if let Some(entry) = self.entries.get(&key) {
            entry.spec.place.close();
        }
    }

    /// Counts the child among those that are stuck, or no longer.
    pub(super) fn mark_stuck(&mut self, key: Key, stuck: Option<StuckGauge>) {
        if let Some(living) = self.entries.get_mut(&key).and_then(|entry| entry.living.as_mut()) {
            living.stuck = stuck;
        }
    }

    fn living(&self, key: Key) -> Option<(ActorCell, Shutdown)> {
        let entry = self.entries.get(&key)?;
        Some((entry.living.as_ref()?.cell.clone(), entry.spec.shutdown))
    }
}

/// Ends one child and waits until it has ended.
async fn end(cell: ActorCell, shutdown: Shutdown) {
    match shutdown {
        Shutdown::Brutal => {}
        Shutdown::Infinity => {
            cell.stop(None);
            if cell.wait(None).await.is_ok() {
                return;
            }
        }
        Shutdown::Timeout(limit) => {
            cell.stop(None);
            if cell.wait(Some(limit)).await.is_ok() {
                return;
            }
        }
    }
    cell.kill();
    if cell.wait(Some(KILLED_WITHIN)).await.is_err() {
        tracing::error!(actor = %cell.get_id(), "a killed child runs on: its code does not await");
    }
}
