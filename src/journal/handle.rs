//! The journal's handle: the only way in which a task's records are written or read.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::watch;

use super::agents::Agents;
use super::beginning::Beginning;
use super::events::Events;
use super::following::{self, Following};
use super::latches::Latches;
use super::open::{Custody, Held, Open, OpenTasks};
use super::order::Order;
use super::outbox::Outbox;
use super::reading::{self, put};
use super::record::{FeedbackGiven, TaskRecord};
use super::state::Task;
use super::tally::{self, OnTally};
use super::{Error, notice};
use crate::domain::clock::Timestamp;
use crate::domain::id::{AgentId, TaskId};
use crate::domain::money::Usd;
use crate::domain::name::TemplateName;
use crate::store::{self, Batch, Keyspace, Position, Store};

/// The most records that one task may have; a task that needs more fails.
pub const RECORDS_MAX: u64 = 100_000;
/// The most judgements that one task may have.
pub const FEEDBACK_RECORDS_MAX: usize = 16;
/// How soon whoever holds a task looks again whether the disk has room.
const ROOM_AGAIN: Duration = Duration::from_secs(1);

/// Everything durable about tasks; cheap to clone.
///
/// Tasks that have not ended are kept in memory as their projection, changed only after their records are durable; tasks
/// that have ended are read from the store.
#[derive(Clone)]
pub struct Journal(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) store: Store,
    agents: Agents,
    pub(super) events: Events,
    pub(super) outbox: Outbox,
    pub(super) open: OpenTasks,
    unreadable: Vec<TaskId>,
    /// Held while a task that has ended is read, judged or reopened, and written.
    pub(super) judging: Latches,
    /// Tasks that have ended and are being reopened.
    pub(super) reopening: DashMap<TaskId, Arc<Task>>,
    /// Who is told that an experiment has more to tell.
    on_tally: OnceLock<OnTally>,
}

impl Journal {
    /// Opens the journal of a store and replays every task that has not ended. Blocks.
    ///
    /// A task that cannot be read stays as it is and is told by [`Self::unreadable`].
    ///
    /// # Errors
    /// The store failed.
    pub fn open(store: Store, events: Events) -> Result<Self, Error> {
        let (tasks, unreadable) = reading::open_tasks(&store)?;
        let open = OpenTasks::default();
        tasks.into_iter().for_each(|task| open.insert(task, false));
        let (agents, outbox) = (Agents::new(store.clone()), Outbox::new(store.clone()));
        let (judging, reopening, on_tally) = (Latches::new(), DashMap::new(), OnceLock::new());
        Ok(Self(Arc::new(Inner { store, agents, events, outbox, open, unreadable, judging, reopening, on_tally })))
    }

    /// Has a function told of each experiment whose counters have grown. It must be quick: it runs where a task ends. Whoever comes
    /// second is not told.
    pub fn on_tally(&self, tell: OnTally) {
        if self.0.on_tally.set(tell).is_err() {
            tracing::error!("somebody else is told of experiments already");
        }
    }

    /// What is held while a task that has ended is judged, or deleted.
    pub(super) fn judging(&self) -> &Latches {
        &self.0.judging
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

    /// What tools are still to be told.
    #[must_use]
    pub fn outbox(&self) -> &Outbox {
        &self.0.outbox
    }

    /// The store, for what is neither task nor agent.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Open tasks that could not be read when the journal was opened.
    #[must_use]
    pub fn unreadable(&self) -> &[TaskId] {
        &self.0.unreadable
    }

    /// Makes a submission durable, with whatever must become durable with it. When this returns, the task is acknowledged.
    ///
    /// # Errors
    /// The store failed or a task of that name exists: nothing was written.
    pub async fn submit(&self, order: Order, reserved: Usd, at: Timestamp, extra: Batch) -> Result<(), Error> {
        self.submit_through(Beginning { order, reserved, at, first: None, with: extra }, |open| open()).await
    }

    /// As [`Self::submit`]; once the submission is durable, `opening` is handed what makes the task open, and must call it: whoever
    /// counts open tasks can do so in one step with what it counts beside them.
    ///
    /// # Errors
    /// As [`Self::submit`]; `opening` was not called.
    pub async fn submit_through<F>(&self, beginning: Beginning, opening: F) -> Result<(), Error>
    where
        F: FnOnce(&mut dyn FnMut()) + Send + 'static,
    {
        let (id, inner) = (beginning.order.task, Arc::clone(&self.0));
        // Detached, so that a caller who is cut off cannot leave the projection behind the store.
        let written = tokio::spawn(async move { inner.begin(beginning, opening).await });
        written.await.map_err(|_| Error::Interrupted(id))?
    }

    /// Takes an open task up, to go on with its story; none if it has ended. Whoever held it before is fenced: nothing that
    /// they append from now on is written.
    #[must_use]
    pub fn take_up(&self, id: TaskId) -> Option<Custody> {
        self.0.open.get(id).map(|open| open.take_up(id))
    }

    /// Appends records to a task's story, with whatever must become durable with them. When this returns, they are durable
    /// and the projection holds them.
    ///
    /// # Errors
    /// The store failed, the task has ended, or somebody else has taken it up: nothing was written.
    pub async fn append(&self, custody: &Custody, records: Vec<TaskRecord>, extra: Batch) -> Result<Position, Error> {
        self.append_then(custody, records, extra, |_| {}).await
    }

    /// As [`Self::append`]; `then` is called once the records are durable and before anybody hears of them, also where the
    /// caller no longer waits: whoever sees the records finds done what `then` does.
    ///
    /// # Errors
    /// As [`Self::append`]; `then` was not called.
    pub async fn append_then<F>(
        &self,
        custody: &Custody,
        records: Vec<TaskRecord>,
        extra: Batch,
        then: F,
    ) -> Result<Position, Error>
    where
        F: FnOnce(Position) + Send + 'static,
    {
        self.write(custody.id(), custody.into(), Durable { what: Following::all(records), extra, then }).await
    }

    /// As [`Self::append`], unless the task has more records than `seen`: for what follows from nobody having said anything.
    ///
    /// # Errors
    /// As [`Self::append`]; [`Error::Superseded`] also where somebody has written since.
    pub async fn append_to(
        &self,
        custody: &Custody,
        seen: u64,
        records: Vec<TaskRecord>,
        extra: Batch,
    ) -> Result<Position, Error> {
        let what = Following { behind: Some(seen), ..Following::all(records) };
        self.write(custody.id(), custody.into(), Durable { what, extra, then: |_| {} }).await
    }

    /// As [`Self::append_then`], with the start of the next step where that may follow, and without it where it may not: what
    /// was paid for is never refused for what was to come next. The task tells whether it has started.
    ///
    /// # Errors
    /// As [`Self::append_then`].
    pub async fn append_and_start<F>(
        &self,
        custody: &Custody,
        records: Vec<TaskRecord>,
        start: Option<TaskRecord>,
        extra: Batch,
        then: F,
    ) -> Result<Position, Error>
    where
        F: FnOnce(Position) + Send + 'static,
    {
        let what = Following { start, ..Following::all(records) };
        self.write(custody.id(), custody.into(), Durable { what, extra, then }).await
    }

    /// Appends records beside a task's story, such as a cancellation, which its holder hears of; `then` as in
    /// [`Self::append_then`].
    ///
    /// # Errors
    /// The store failed, or the task is not such that they may follow: nothing was written.
    pub async fn interject<F>(
        &self,
        id: TaskId,
        records: Vec<TaskRecord>,
        extra: Batch,
        then: F,
    ) -> Result<Position, Error>
    where
        F: FnOnce(Position) + Send + 'static,
    {
        self.write(id, Held::Nobody, Durable { what: Following::all(records), extra, then }).await
    }

    async fn write<F>(&self, id: TaskId, held: Held, what: Durable<F>) -> Result<Position, Error>
    where
        F: FnOnce(Position) + Send + 'static,
    {
        let open = self.0.open.get(id).ok_or(Error::NotOpen(id))?;
        let (inner, writing) = (Arc::clone(&self.0), Arc::clone(&open));
        // Detached, as in `submit`.
        let written = tokio::spawn(async move { inner.write(id, &writing, held, what).await });
        match written.await {
            Ok(written) => written,
            Err(_) => {
                self.0.bring_up(id, &open).await;
                Err(Error::Interrupted(id))
            }
        }
    }

    /// Appends feedback to a task that has ended, with whatever must become durable with it.
    ///
    /// # Errors
    /// The store failed, there is no ended task of that name, or it was judged as often as a task may be: nothing was written.
    pub async fn judge(&self, id: TaskId, feedback: FeedbackGiven, extra: Batch) -> Result<Arc<Task>, Error> {
        if self.0.open.get(id).is_some_and(|open| !open.now().state.has_ended()) {
            return Err(Error::NotEnded(id));
        }
        let journal = self.clone();
        // Detached, so that a caller who is cut off does not let the next one read before this record is durable.
        let judged = tokio::spawn(async move { journal.judge_next(id, feedback, extra).await });
        judged.await.map_err(|_| Error::Interrupted(id))?
    }

    async fn judge_next(&self, id: TaskId, feedback: FeedbackGiven, extra: Batch) -> Result<Arc<Task>, Error> {
        let _judging = self.0.judging.hold(id.as_bytes()).await;
        let records = self.records(id).await?;
        let mut task = Task::replay(&records).ok_or(Error::NotOpen(id))?;
        if !task.state.has_ended() {
            return Err(Error::NotEnded(id));
        }
        let judged = records.iter().filter(|record| matches!(record, TaskRecord::FeedbackGiven(_))).count();
        if judged >= FEEDBACK_RECORDS_MAX {
            return Err(Error::FeedbackFull(id));
        }
        let score = i64::from(feedback.score_per_mille);
        let record = TaskRecord::FeedbackGiven(feedback);
        let batch = put(id, task.records, &record, &task.order.owner())
            .add(super::stats::FEEDBACK_COUNT, 1)
            .add(super::stats::FEEDBACK_SUM_PER_MILLE, score);
        // Only a task's first judgement counts in an experiment, so that nobody tips it by judging often.
        let batch = if judged == 0 { batch.and(tally::of_feedback(&task, score)) } else { batch };
        self.0.store.commit(batch.and(extra)).await?;
        self.0.tallied(&task);
        notice::publish(&self.0.events, id, task.records, &record);
        task.evolve(&record);
        Ok(Arc::new(task))
    }

    /// An open task, to be followed.
    #[must_use]
    pub fn watch(&self, id: TaskId) -> Option<watch::Receiver<Arc<Task>>> {
        self.0.open.get(id).map(|open| open.task.subscribe())
    }

    /// A task as it is now.
    ///
    /// # Errors
    /// The store failed or a record cannot be read.
    pub async fn task(&self, id: TaskId) -> Result<Option<Arc<Task>>, Error> {
        if let Some(open) = self.0.open.get(id) {
            return Ok(Some(open.now()));
        }
        let journal = self.clone();
        self.read_durably(move || journal.read(id)).await
    }

    /// As [`Self::task`], on the thread of the caller. Blocks where the task has ended.
    ///
    /// # Errors
    /// The store failed or a record cannot be read.
    pub fn read(&self, id: TaskId) -> Result<Option<Arc<Task>>, Error> {
        if let Some(open) = self.0.open.get(id) {
            return Ok(Some(open.now()));
        }
        Ok(reading::task(&self.0.store, id)?.map(Arc::new))
    }

    /// Waits until a task has ended, at most so long, and returns it as it is then.
    ///
    /// # Errors
    /// The store failed or a record cannot be read.
    pub async fn wait(&self, id: TaskId, within: Duration) -> Result<Option<Arc<Task>>, Error> {
        self.wait_until(id, within, |task| task.state.has_ended()).await
    }

    /// Waits until a task is as `wanted`, at most so long, and returns it as it is then.
    ///
    /// # Errors
    /// The store failed or a record cannot be read.
    pub async fn wait_until<F>(&self, id: TaskId, within: Duration, wanted: F) -> Result<Option<Arc<Task>>, Error>
    where
        F: Fn(&Task) -> bool + Send,
    {
        if let Some(mut following) = self.watch(id) {
            let reached = following.wait_for(|task| wanted(task));
            if let Ok(Ok(task)) = tokio::time::timeout(within, reached).await {
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
        self.read_durably(move || reading::records(&store, id)).await
    }

    /// Up to `limit` records of a task from the sequence `first` on.
    ///
    /// # Errors
    /// The store failed or a record cannot be read.
    pub async fn records_page(&self, id: TaskId, first: u64, limit: usize) -> Result<Vec<TaskRecord>, Error> {
        let store = self.0.store.clone();
        self.read_durably(move || reading::page(&store, id, first, limit)).await
    }

    /// Every open task.
    #[must_use]
    pub fn open_tasks(&self) -> Vec<Arc<Task>> {
        self.0.open.all()
    }

    /// Open tasks of one agent, the oldest first.
    #[must_use]
    pub fn open_tasks_of(&self, agent: AgentId) -> Vec<TaskId> {
        self.0.open.of_agent(agent)
    }

    /// How many tasks of a registered agent have not ended.
    #[must_use]
    pub fn open_count_of_agent(&self, agent: AgentId) -> usize {
        self.0.open.count_of_agent(agent)
    }

    /// How many tasks of a template have not ended.
    #[must_use]
    pub fn open_count_of(&self, template: &TemplateName) -> usize {
        self.0.open.of_template(template)
    }

    /// How many tasks have not ended.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.0.open.len()
    }

    /// How many bytes the inputs of open tasks have together.
    #[must_use]
    pub fn open_input_bytes(&self) -> usize {
        self.0.open.input_bytes()
    }

    /// Reads on a thread that may block; what comes back is durable.
    pub(super) async fn read_durably<T, F>(&self, read: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, Error> + Send + 'static,
    {
        self.0.store.read(move |_| Ok(read())).await.map_err(Error::from)?
    }
}

/// What is to become durable at once, and what is done when it is.
struct Durable<F> {
    what: Following,
    extra: Batch,
    then: F,
}

impl Inner {
    /// Tells that the counters of a task's experiment have grown.
    fn tallied(&self, task: &Task) {
        if let (Some(assigned), Some(tell)) = (task.order.experiment, self.on_tally.get()) {
            tell(assigned.experiment);
        }
    }

    async fn begin<F>(&self, beginning: Beginning, opening: F) -> Result<(), Error>
    where
        F: FnOnce(&mut dyn FnMut()) + Send,
    {
        let id = beginning.order.task;
        let submitting = self.open.submit(id).ok_or(Error::Exists(id))?;
        // Only the identifier of a subtask can come twice: its parent submits it again when in doubt.
        if beginning.order.parent().is_some() && self.store.contains(Keyspace::Task, &reading::key(id, 0))? {
            return Err(Error::Exists(id));
        }
        let starts = beginning.first.is_some();
        let (task, records, batch) = beginning.written();
        self.commit(id, 0, &records, batch).await?;
        self.outbox.announce(&task.order, &records);
        let mut task = Some(task);
        opening(&mut || task.take().into_iter().for_each(|task| self.open.insert(task, starts)));
        drop(submitting);
        for (sequence, record) in (0..).zip(&records) {
            notice::publish(&self.events, id, sequence, record);
        }
        Ok(())
    }

    /// INVARIANT: whoever holds a task waits for room on the disk. What it has to tell may be an answer that was paid for, and
    /// ending it for want of room would end an acknowledged task.
    async fn write<F>(&self, id: TaskId, open: &Open, held: Held, what: Durable<F>) -> Result<Position, Error>
    where
        F: FnOnce(Position) + Send,
    {
        let Durable { what, extra, then } = what;
        loop {
            let writing = open.writing.lock().await;
            if !open.is_held_by(&held) {
                return Err(Error::Fenced(id));
            }
            let current = open.now();
            if current.state.has_ended() {
                return Err(Error::NotOpen(id));
            }
            let (after, records, batch) = following::after(&current, what.clone(), extra.clone())?;
            let first = current.records;
            drop(current);
            let position = match self.commit(id, first, &records, batch).await {
                Ok(position) => position,
                Err(Error::Store(store::Error::NoRoom(_))) if !matches!(held, Held::Nobody) => {
                    drop(writing);
                    tokio::time::sleep(ROOM_AGAIN).await;
                    continue;
                }
                Err(error) => {
                    self.catch_up(id, open).await;
                    return Err(error);
                }
            };
            then(position);
            self.outbox.announce(&after.order, &records);
            if after.state.has_ended() {
                // Before anybody hears of the end, so that whoever does finds the room that the task held.
                self.open.remove(id);
                self.tallied(&after);
            }
            open.task.send_replace(Arc::new(after));
            for (sequence, record) in (first..).zip(&records) {
                notice::publish(&self.events, id, sequence, record);
            }
            return Ok(position);
        }
    }
}
