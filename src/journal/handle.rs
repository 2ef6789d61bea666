//! The journal's handle: the only way in which a task's records are written or read.

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::{Mutex, watch};

use super::agents::{self, Agents};
use super::events::Events;
use super::order::Order;
use super::record::{self, FeedbackGiven, Submitted, TaskRecord};
use super::state::Task;
use super::{Error, decode, encode, notice};
use crate::domain::clock::Timestamp;
use crate::domain::id::{AgentId, TaskId};
use crate::domain::money::Usd;
use crate::store::{Batch, Direction, Keyspace, Position, Record, Store};

/// The most records that one task may have; a task that needs more fails.
pub const RECORDS_MAX: u64 = 100_000;
/// Stored tasks that one page may look at before it ends, found or not.
const LOOKED_AT_MAX: usize = 10_000;

/// Everything durable about tasks; cheap to clone.
///
/// Tasks that have not ended are kept in memory as their projection, changed only after their records are durable; tasks
/// that have ended are read from the store.
#[derive(Clone)]
pub struct Journal(Arc<Inner>);

struct Inner {
    store: Store,
    agents: Agents,
    events: Events,
    open: DashMap<TaskId, Arc<Open>>,
}

/// A task that has not ended.
struct Open {
    /// Held while records are written, so that their order in the store is their order in the projection.
    writing: Mutex<()>,
    task: watch::Sender<Arc<Task>>,
}

impl Journal {
    /// Opens the journal of a store and replays every task that has not ended. Blocks.
    ///
    /// # Errors
    /// The store failed, or a record of an open task cannot be read.
    pub fn open(store: Store, events: Events) -> Result<Self, Error> {
        let open = DashMap::new();
        for (key, _) in store.range(Keyspace::Open, &[], None, Direction::Ascending, usize::MAX)? {
            let Ok(id) = <[u8; 16]>::try_from(key.as_slice()).map(TaskId::from_bytes) else { continue };
            if let Some(task) = read_task(&store, id)? {
                open.insert(id, Arc::new(Open::new(task)));
            }
        }
        let agents = Agents::new(store.clone());
        Ok(Self(Arc::new(Inner { store, agents, events, open })))
    }

    /// Registered agents.
    #[must_use]
    pub fn agents(&self) -> &Agents {
        &self.0.agents
    }

    /// News.
    #[must_use]
    pub fn events(&self) -> &Events {
        &self.0.events
    }

    /// The store, for what is neither task nor agent.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Makes a submission durable, with whatever must become durable with it. When this returns, the task is acknowledged.
    ///
    /// # Errors
    /// The store failed or a task of that name exists: nothing was written.
    pub async fn submit(&self, order: Order, reserved: Usd, at: Timestamp, extra: Batch) -> Result<(), Error> {
        let id = order.task;
        if self.0.open.contains_key(&id) {
            return Err(Error::Exists(id));
        }
        let submitted = Submitted { order, reserved, at };
        let inner = Arc::clone(&self.0);
        // Detached, so that a caller who is cut off cannot leave the projection behind the store.
        let written = tokio::spawn(async move { inner.begin(submitted, extra).await });
        written.await.map_err(|_| Error::Interrupted(id))?
    }

    /// Appends records to an open task, with whatever must become durable with them. When this returns, they are durable
    /// and the projection holds them.
    ///
    /// # Errors
    /// The store failed or the task has ended: nothing was written.
    pub async fn append(&self, id: TaskId, records: Vec<TaskRecord>, extra: Batch) -> Result<Position, Error> {
        self.append_then(id, records, extra, |_| {}).await
    }

    /// As [`Self::append`]; `then` is called once the records are durable and before anybody hears of them, also where the
    /// caller no longer waits: whoever sees the records sees what `then` did.
    ///
    /// # Errors
    /// The store failed or the task has ended: nothing was written, and `then` was not called.
    pub async fn append_then<F>(
        &self,
        id: TaskId,
        records: Vec<TaskRecord>,
        extra: Batch,
        then: F,
    ) -> Result<Position, Error>
    where
        F: FnOnce(Position) + Send + 'static,
    {
        let open = self.0.open.get(&id).map(|entry| Arc::clone(entry.value())).ok_or(Error::NotOpen(id))?;
        let inner = Arc::clone(&self.0);
        let written = tokio::spawn(async move { inner.write(id, &open, &records, extra, then).await });
        written.await.map_err(|_| Error::Interrupted(id))?
    }

    /// Appends feedback to a task that has ended.
    ///
    /// # Errors
    /// The store failed, or there is no ended task of that name.
    pub async fn judge(&self, id: TaskId, feedback: FeedbackGiven) -> Result<Arc<Task>, Error> {
        let mut task = match self.task(id).await? {
            Some(task) if task.state.has_ended() => Task::clone(&task),
            Some(_) | None => return Err(Error::NotOpen(id)),
        };
        let score = i64::from(feedback.score_per_mille);
        let record = TaskRecord::FeedbackGiven(feedback);
        // Two judgements at the same moment share a key; the later one stands, as it would have after the other.
        let batch = put(id, task.records, &record)
            .add(super::stats::FEEDBACK_COUNT, 1)
            .add(super::stats::FEEDBACK_SUM_PER_MILLE, score);
        self.0.store.commit(batch).await?;
        notice::publish(&self.0.events, id, task.records, &record);
        task.evolve(&record);
        Ok(Arc::new(task))
    }

    /// An open task, to be followed.
    #[must_use]
    pub fn watch(&self, id: TaskId) -> Option<watch::Receiver<Arc<Task>>> {
        self.0.open.get(&id).map(|open| open.task.subscribe())
    }

    /// A task as it is now.
    ///
    /// # Errors
    /// The store failed or a record cannot be read.
    pub async fn task(&self, id: TaskId) -> Result<Option<Arc<Task>>, Error> {
        if let Some(open) = self.0.open.get(&id) {
            return Ok(Some(open.task.borrow().clone()));
        }
        let journal = self.clone();
        tokio::task::spawn_blocking(move || journal.read(id)).await.map_err(|_| Error::Interrupted(id))?
    }

    /// As [`Self::task`], on the thread of the caller. Blocks where the task has ended.
    ///
    /// # Errors
    /// The store failed or a record cannot be read.
    pub fn read(&self, id: TaskId) -> Result<Option<Arc<Task>>, Error> {
        if let Some(open) = self.0.open.get(&id) {
            return Ok(Some(open.task.borrow().clone()));
        }
        Ok(read_task(&self.0.store, id)?.map(Arc::new))
    }

    /// Waits until a task has ended, at most so long, and returns it as it is then.
    ///
    /// # Errors
    /// The store failed or a record cannot be read.
    pub async fn wait(&self, id: TaskId, within: Duration) -> Result<Option<Arc<Task>>, Error> {
        if let Some(mut following) = self.watch(id) {
            let ended = following.wait_for(|task| task.state.has_ended());
            if let Ok(Ok(task)) = tokio::time::timeout(within, ended).await {
                return Ok(Some(Arc::clone(&task)));
            }
        }
        self.task(id).await
    }

    /// The records of a task, in order.
    ///
    /// # Errors
    /// The store failed or a record cannot be read.
    pub async fn records(&self, id: TaskId) -> Result<Vec<TaskRecord>, Error> {
        let store = self.0.store.clone();
        tokio::task::spawn_blocking(move || read_records(&store, id)).await.map_err(|_| Error::Interrupted(id))?
    }

    /// Up to `limit` tasks that `wanted` takes, the newest first, beyond `after`; and where to go on, if there is more.
    ///
    /// # Errors
    /// The store failed or a record cannot be read.
    pub async fn list<F>(&self, after: Option<TaskId>, limit: usize, wanted: F) -> Result<TaskPage, Error>
    where
        F: Fn(&Task) -> bool + Send + 'static,
    {
        let journal = self.clone();
        let read = tokio::task::spawn_blocking(move || journal.read_page(after, limit, &wanted));
        read.await.map_err(|fault| Error::Store(crate::store::Error::Read(fault.to_string())))?
    }

    /// Every open task.
    #[must_use]
    pub fn open_tasks(&self) -> Vec<Arc<Task>> {
        self.0.open.iter().map(|open| open.task.borrow().clone()).collect()
    }

    /// Open tasks of one agent, the oldest first.
    #[must_use]
    pub fn open_tasks_of(&self, agent: AgentId) -> Vec<TaskId> {
        let own = agent.own_task();
        if self.0.open.contains_key(&own) {
            return vec![own];
        }
        let mut tasks: Vec<TaskId> = self
            .0
            .open
            .iter()
            .filter(|open| open.task.borrow().order.agent() == agent)
            .map(|open| *open.key())
            .collect();
        tasks.sort_unstable();
        tasks
    }

    /// How many tasks have not ended.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.0.open.len()
    }

    fn read_page(
        &self,
        after: Option<TaskId>,
        limit: usize,
        wanted: &dyn Fn(&Task) -> bool,
    ) -> Result<TaskPage, Error> {
        let (mut tasks, mut cursor) = (Vec::new(), after);
        for _ in 0..LOOKED_AT_MAX {
            let Some(id) = previous_task(&self.0.store, cursor)? else { return Ok(TaskPage { tasks, next: None }) };
            if tasks.len() == limit {
                return Ok(TaskPage { tasks, next: cursor });
            }
            cursor = Some(id);
            tasks.extend(self.read(id)?.filter(|task| wanted(task)));
        }
        Ok(TaskPage { tasks, next: cursor })
    }
}

/// A part of the list of tasks.
pub struct TaskPage {
    /// The tasks.
    pub tasks: Vec<Arc<Task>>,
    /// Where the next page begins.
    pub next: Option<TaskId>,
}

impl Inner {
    async fn begin(&self, submitted: Submitted, extra: Batch) -> Result<(), Error> {
        let id = submitted.order.task;
        let task = Task::begin(&submitted);
        let record = TaskRecord::Submitted(submitted);
        let listed = Record { kind: record::KIND, version: record::VERSION, body: Vec::new() };
        let batch = put(id, 0, &record).put(Keyspace::Open, id.as_bytes().as_slice(), listed).and(extra);
        self.store.commit(batch).await?;
        self.open.insert(id, Arc::new(Open::new(task)));
        notice::publish(&self.events, id, 0, &record);
        Ok(())
    }

    async fn write<F>(
        &self,
        id: TaskId,
        open: &Open,
        records: &[TaskRecord],
        extra: Batch,
        then: F,
    ) -> Result<Position, Error>
    where
        F: FnOnce(Position) + Send,
    {
        let _writing = open.writing.lock().await;
        let current = open.task.borrow().clone();
        if current.state.has_ended() {
            return Err(Error::NotOpen(id));
        }
        let mut after = Task::clone(&current);
        let mut batch = extra;
        for record in records {
            if !after.accepts(record) {
                return Err(Error::Superseded(id));
            }
            batch = batch.and(put(id, after.records, record));
            after.evolve(record);
        }
        // A task that is full can still conclude and end.
        let starts = records.iter().any(|record| matches!(record, TaskRecord::StepStarted(_)));
        if starts && after.records > RECORDS_MAX {
            return Err(Error::Full(id));
        }
        if let Some(TaskRecord::Ended(ended)) = records.last() {
            batch = batch.delete(Keyspace::Open, id.as_bytes().as_slice()).and(super::stats::of_ended(&after, ended));
            if let Some(agent) = current.order.registered_agent() {
                batch = batch.and(agents::turn(agent, id));
            }
        }
        let first = current.records;
        drop(current);
        let position = self.store.commit(batch).await?;
        then(position);
        let ended = after.state.has_ended();
        open.task.send_replace(Arc::new(after));
        for (sequence, record) in (first..).zip(records) {
            notice::publish(&self.events, id, sequence, record);
        }
        if ended {
            self.open.remove(&id);
        }
        Ok(position)
    }
}

impl Open {
    fn new(task: Task) -> Self {
        Self { writing: Mutex::new(()), task: watch::Sender::new(Arc::new(task)) }
    }
}

fn key(id: TaskId, sequence: u64) -> Vec<u8> {
    [id.as_bytes().as_slice(), &sequence.to_be_bytes()].concat()
}

fn put(id: TaskId, sequence: u64, record: &TaskRecord) -> Batch {
    let record = Record { kind: record::KIND, version: record::VERSION, body: encode(record) };
    Batch::new().put(Keyspace::Task, key(id, sequence), record)
}

fn read_records(store: &Store, id: TaskId) -> Result<Vec<TaskRecord>, Error> {
    let found = store.range(Keyspace::Task, id.as_bytes(), None, Direction::Ascending, usize::MAX)?;
    (0..).zip(&found).map(|(sequence, (_, record))| decode(record, &id, sequence)).collect()
}

fn read_task(store: &Store, id: TaskId) -> Result<Option<Task>, Error> {
    Ok(Task::replay(&read_records(store, id)?))
}

/// The newest task that is older than `cursor`.
fn previous_task(store: &Store, cursor: Option<TaskId>) -> Result<Option<TaskId>, Error> {
    let bound = cursor.map(|id| key(id, 0));
    let found = store.range(Keyspace::Task, &[], bound.as_deref(), Direction::Descending, 1)?;
    let id = found.first().and_then(|(key, _)| key.get(..16)).and_then(|bytes| bytes.try_into().ok());
    Ok(id.map(TaskId::from_bytes))
}
