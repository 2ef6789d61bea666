//! Everything that belongs to somebody is deleted, in rounds, and counted by kind in the batches that delete it, so that a crash
//! neither loses nor doubles a count. Sums of money, statistics and the audit log stay: they hold no text.
//!
//! ```text
//! entries (hooks to tell, idempotency keys, memory) ─> tasks, each with its records, snapshot and doubts ─> agents
//!                                                       (keys destroyed) ─> remnants: what no key opens any more
//! ```
//! What tells whose something is goes last: an idempotency key is told by its task, a turn by its task or agent. So a round that is
//! begun again finds what is left.
//!
//! INVARIANT: nothing of a task is deleted while it is open, and nobody judges or reopens it meanwhile.

use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::agents::{AgentRecord, STOPPED_COUNTER};
use super::handle::Journal;
use super::reading;
use super::retention::next_task;
use super::{Error, decode, doubts, ownership};
use crate::domain::id::{AgentId, ErasureId, TaskId};
use crate::domain::owner::{Owner, Selector};
use crate::store::reencryption::OwnerOf;
use crate::store::{self, Batch, Direction, Keyspace, Store};

/// Entries or tasks that one round looks at.
const LOOKED_AT_MAX: usize = 256;
/// Records of a task that one batch deletes.
const DELETED_AT_ONCE: usize = 1_024;
/// Tasks that are deleted at the same time, so that they share commits.
const TASKS_AT_ONCE: usize = 16;

/// Where entries lie that go before tasks do, in this order.
pub const BEFORE_TASKS: [Keyspace; 3] = [Keyspace::Outbox, Keyspace::Idempotency, Keyspace::Turn];
/// Where those lie that go behind them.
pub const BEHIND_TASKS: [Keyspace; 1] = [Keyspace::Agent];
/// Where records lie that are somebody's.
pub const OWNED: [Keyspace; 8] = [
    Keyspace::Outbox,
    Keyspace::Idempotency,
    Keyspace::Turn,
    Keyspace::Doubt,
    Keyspace::Snapshot,
    Keyspace::Open,
    Keyspace::Task,
    Keyspace::Agent,
];

/// How much of each kind was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deleted {
    /// Tasks.
    pub tasks: u64,
    /// Records of tasks.
    pub records: u64,
    /// Registered agents.
    pub agents: u64,
    /// Turns that agents remembered.
    pub memory: u64,
    /// What tools were still to be told.
    pub hooks: u64,
    /// Idempotency keys.
    pub idempotency_keys: u64,
    /// Records that no key opened any more, whatever they were.
    pub remnants: u64,
}

/// Counts for one erasure.
#[derive(Debug, Clone, Copy)]
pub struct Tally(pub ErasureId);

/// What a count is of.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Tasks,
    Records,
    Agents,
    Memory,
    Hooks,
    IdempotencyKeys,
    Remnants,
}

impl Kind {
    const ALL: [Self; 7] =
        [Self::Tasks, Self::Records, Self::Agents, Self::Memory, Self::Hooks, Self::IdempotencyKeys, Self::Remnants];

    const fn word(self) -> &'static str {
        match self {
            Self::Tasks => "tasks",
            Self::Records => "records",
            Self::Agents => "agents",
            Self::Memory => "memory",
            Self::Hooks => "hooks",
            Self::IdempotencyKeys => "idempotency_keys",
            Self::Remnants => "remnants",
        }
    }

    fn of(self, deleted: &mut Deleted) -> &mut u64 {
        match self {
            Self::Tasks => &mut deleted.tasks,
            Self::Records => &mut deleted.records,
            Self::Agents => &mut deleted.agents,
            Self::Memory => &mut deleted.memory,
            Self::Hooks => &mut deleted.hooks,
            Self::IdempotencyKeys => &mut deleted.idempotency_keys,
            Self::Remnants => &mut deleted.remnants,
        }
    }
}

impl Tally {
    fn prefix(self) -> String {
        format!("erasure/{}/", self.0)
    }

    fn add(self, batch: Batch, kind: Kind, count: usize) -> Batch {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        batch.add(self.prefix() + kind.word(), count)
    }
}

/// What a round over entries did.
#[derive(Debug, Clone, Default)]
pub struct EntriesRound {
    /// Where the next one begins; none at the end.
    pub next: Option<Vec<u8>>,
    /// Registered agents that are gone.
    pub agents: Vec<AgentId>,
    /// Damaged entries that cannot be told to be anybody's: they stay.
    pub undecided: u64,
}

/// What a round over tasks did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TasksRound {
    /// Where the next one begins; none at the end.
    pub next: Option<TaskId>,
    /// Whether there were tasks that are open: they stay.
    pub found_open: bool,
    /// Tasks that are damaged so that they cannot be told to be anybody's: they stay.
    pub undecided: u64,
}

/// An entry that goes, and of an agent whether it was still there to be stopped.
struct Due {
    key: Vec<u8>,
    agent: Option<(AgentId, bool)>,
}

impl Journal {
    /// How much was deleted so far.
    ///
    /// # Errors
    /// The store failed.
    pub async fn deleted(&self, tally: Tally) -> Result<Deleted, Error> {
        let prefix = tally.prefix();
        let (_, counters) = self.store().counters(prefix.as_bytes()).await?;
        let mut deleted = Deleted::default();
        for (key, count) in counters {
            let word = key.strip_prefix(prefix.as_bytes()).unwrap_or_default();
            if let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.word().as_bytes() == word) {
                *kind.of(&mut deleted) = u64::try_from(count).unwrap_or(0);
            }
        }
        Ok(deleted)
    }

    /// Deletes entries of a keyspace that are no tasks and belong to somebody, beyond `after`; looks at a bounded number.
    ///
    /// # Errors
    /// The store failed. What was deleted is.
    pub async fn erase_entries(
        &self,
        keyspace: Keyspace,
        after: Option<Vec<u8>>,
        (whose, owner_of): (&Selector, &OwnerOf),
        tally: Tally,
    ) -> Result<EntriesRound, Error> {
        let (whose, owner_of) = (whose.clone(), OwnerOf::clone(owner_of));
        let look = move |store: &Store| look_at_entries(store, keyspace, after.as_deref(), (&whose, &owner_of));
        let Found { due, next, undecided } = self.store().read(look).await?;
        let agents = due.iter().filter_map(|due| due.agent.map(|(agent, _)| agent)).collect();
        if keyspace == Keyspace::Outbox {
            let keys = due.into_iter().map(|due| due.key).collect();
            let count = |count| tally.add(Batch::new(), Kind::Hooks, usize::try_from(count).unwrap_or(0));
            self.outbox().erase(keys, count).await?;
        } else if !due.is_empty() {
            let batch = tally.add(Batch::new(), of_entries(keyspace), due.len());
            let batch = due.into_iter().fold(batch, |batch, Due { key, agent }| {
                let batch = batch.delete(keyspace, key);
                // The number of agents is those that were made without those that were stopped.
                if agent.is_some_and(|(_, serves)| serves) { batch.add(STOPPED_COUNTER, 1) } else { batch }
            });
            self.store().commit(batch).await?;
        }
        Ok(EntriesRound { next, agents, undecided })
    }

    /// Deletes tasks that belong to somebody and have ended, with all that is about them, beyond `after`; looks at a bounded number.
    /// Also what is left of a task whose deletion was cut off.
    ///
    /// # Errors
    /// The store failed. What was deleted is.
    pub async fn erase_tasks(
        &self,
        after: Option<TaskId>,
        whose: &Selector,
        tally: Tally,
    ) -> Result<TasksRound, Error> {
        let whose = whose.clone();
        let found = self.store().read(move |store| look_at_tasks(store, after, &whose)).await?;
        let Found { due, next, undecided } = found;
        let erased = stream::iter(due).map(|task| self.erase_task(task, tally)).buffer_unordered(TASKS_AT_ONCE);
        let found_open = erased.try_fold(false, async |found, open| Ok(found || open)).await?;
        Ok(TasksRound { next, found_open, undecided })
    }

    /// Deletes everything about a task, its first record in the first batch; says whether it is open, and stays.
    async fn erase_task(&self, id: TaskId, tally: Tally) -> Result<bool, Error> {
        let _judging = self.judging().hold(id.as_bytes()).await;
        if self.watch(id).is_some() {
            return Ok(true);
        }
        loop {
            let plan = move |store: &Store| {
                let keys = store.keys(Keyspace::Task, id.as_bytes(), None, Direction::Ascending, DELETED_AT_ONCE)?;
                Ok((keys, doubts::forget(store, id)))
            };
            let (keys, doubts) = self.store().read(plan).await?;
            if keys.is_empty() {
                return Ok(false);
            }
            let is_whole = keys.first().is_some_and(|key| *key == reading::key(id, 0));
            let batch = tally.add(Batch::new(), Kind::Records, keys.len());
            let batch = if is_whole { tally.add(batch, Kind::Tasks, 1) } else { batch };
            let batch = keys.into_iter().fold(batch, |batch, key| batch.delete(Keyspace::Task, key));
            let batch = batch.delete(Keyspace::Snapshot, id.as_bytes().as_slice());
            let batch = batch.delete(Keyspace::Open, id.as_bytes().as_slice());
            self.store().commit(batch.and(doubts?)).await?;
        }
    }

    /// Deletes what no key opens any more, beyond `after`; looks at a bounded number, and returns where to go on, or none at the end.
    ///
    /// # Errors
    /// The store failed. What was deleted is.
    pub async fn erase_remnants(
        &self,
        keyspace: Keyspace,
        after: Option<Vec<u8>>,
        tally: Tally,
    ) -> Result<Option<Vec<u8>>, Error> {
        let look = move |store: &Store| store.erased(keyspace, after.as_deref(), LOOKED_AT_MAX);
        let store::Erased { keys, next } = self.store().read(look).await?;
        if keyspace == Keyspace::Outbox {
            let count = |count| tally.add(Batch::new(), Kind::Remnants, usize::try_from(count).unwrap_or(0));
            self.outbox().erase(keys, count).await?;
        } else if !keys.is_empty() {
            let batch = tally.add(Batch::new(), Kind::Remnants, keys.len());
            let batch = keys.into_iter().fold(batch, |batch, key| batch.delete(keyspace, key));
            self.store().commit(batch).await?;
        }
        Ok(next)
    }
}

/// What entries of a keyspace are counted as.
fn of_entries(keyspace: Keyspace) -> Kind {
    if keyspace == Keyspace::Agent {
        Kind::Agents
    } else if keyspace == Keyspace::Turn {
        Kind::Memory
    } else {
        Kind::IdempotencyKeys
    }
}

/// What a look found.
struct Found<T, C> {
    /// What goes.
    due: Vec<T>,
    /// Where the next look begins; none at the end.
    next: Option<C>,
    /// What is damaged so that nobody can tell whose it is.
    undecided: u64,
}

/// Whether something goes; none where damage hides whose it is. Where its owner's key is destroyed, it goes as a remnant.
///
/// # Errors
/// It could not be read, which says nothing about whose it is.
fn decided(whose: &Selector, owner: Result<Owner, store::Error>) -> Result<Option<bool>, store::Error> {
    match owner {
        Ok(owner) => Ok(Some(whose.selects(&owner))),
        Err(error @ store::Error::Damaged { .. }) => {
            tracing::error!(%error, "damage hides whose a record is: it stays");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn look_at_entries(
    store: &Store,
    keyspace: Keyspace,
    after: Option<&[u8]>,
    (whose, owner_of): (&Selector, &OwnerOf),
) -> Result<Found<Due, Vec<u8>>, store::Error> {
    let found = store.survey(keyspace, &[], after, Direction::Ascending, LOOKED_AT_MAX)?;
    let next = if found.len() < LOOKED_AT_MAX { None } else { found.last().map(|(key, _)| key.clone()) };
    let (mut due, mut undecided) = (Vec::new(), 0_u64);
    for (key, record) in found {
        let owner = record.as_ref().map_err(Clone::clone).and_then(|record| owner_of(store, keyspace, &key, record));
        match decided(whose, owner)? {
            Some(true) => {}
            Some(false) => continue,
            None => {
                undecided = undecided.saturating_add(1);
                continue;
            }
        }
        let record = record.ok().filter(|_| keyspace == Keyspace::Agent);
        let agent = record.and_then(|record| decode::<AgentRecord>(&record, &"an agent", 0).ok());
        due.push(Due { key, agent: agent.map(|agent| (agent.agent, agent.stopped_at.is_none())) });
    }
    Ok(Found { due, next, undecided })
}

fn look_at_tasks(
    store: &Store,
    after: Option<TaskId>,
    whose: &Selector,
) -> Result<Found<TaskId, TaskId>, store::Error> {
    let (mut due, mut cursor, mut undecided) = (Vec::new(), after, 0_u64);
    for _ in 0..LOOKED_AT_MAX {
        let next = match next_task(store, cursor) {
            Ok(Some(next)) => next,
            Ok(None) => return Ok(Found { due, next: None, undecided }),
            Err(Error::Store(fault)) => return Err(fault),
            Err(error) => return Err(store::Error::Read(error.to_string())),
        };
        cursor = Some(next);
        // The deletion of a task takes its first record first: what lies behind none is what such a one has left.
        let is_left = !store.contains(Keyspace::Task, &reading::key(next, 0))?;
        match if is_left { Some(true) } else { decided(whose, ownership::of_task(store, next))? } {
            Some(true) => due.push(next),
            Some(false) => {}
            None => undecided = undecided.saturating_add(1),
        }
    }
    Ok(Found { due, next: cursor, undecided })
}
