//! The tasks that have not ended, in memory: what they are, who writes them, and how many there are of each kind.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use dashmap::DashMap;
use tokio::sync::{Mutex, watch};

use super::state::Task;
use crate::domain::id::{AgentId, TaskId};
use crate::domain::name::TemplateName;

/// A task that has not ended.
pub(super) struct Open {
    /// Held while records are written, so that their order in the store is their order in the projection.
    pub(super) writing: Mutex<()>,
    /// Who has taken the task up last; whoever did before is a ghost.
    epoch: AtomicU64,
    /// Whether nobody has taken the task up since it was submitted with its first step started.
    starts: AtomicBool,
    pub(super) task: watch::Sender<Arc<Task>>,
}

/// The right to write a task's story, until somebody else takes it up.
pub struct Custody {
    id: TaskId,
    epoch: u64,
    starts: bool,
    following: watch::Receiver<Arc<Task>>,
}

impl Custody {
    /// The task's identifier.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// Whether its first step is on record as started, and nobody has done anything of it: whoever is told so first is to do it.
    /// The next one knows nothing of what became of it.
    #[must_use]
    pub fn starts(&self) -> bool {
        self.starts
    }

    /// The task as it is now.
    #[must_use]
    pub fn task(&self) -> Arc<Task> {
        self.following.borrow().clone()
    }

    /// Returns once the task has more than so many records.
    pub async fn changed(&mut self, records: u64) {
        if self.following.wait_for(|task| task.records > records).await.is_err() {
            tracing::debug!(task = %self.id, "a task that was waited for has left memory");
        }
    }

    /// Returns once somebody has asked for the task's end.
    pub async fn cancelled(&mut self) {
        if self.following.wait_for(|task| task.cancel_requested_by.is_some()).await.is_err() {
            // The task has left the journal's memory because it ended; nobody can cancel it any more.
            std::future::pending::<()>().await;
        }
    }
}

impl Open {
    fn new(task: Task, first_epoch: u64, starts: bool) -> Self {
        let (epoch, starts) = (AtomicU64::new(first_epoch), AtomicBool::new(starts));
        Self { writing: Mutex::new(()), epoch, starts, task: watch::Sender::new(Arc::new(task)) }
    }

    /// Takes the task up; whoever held it before is fenced from now on.
    pub(super) fn take_up(&self, id: TaskId) -> Custody {
        let epoch = self.epoch.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        let starts = self.starts.swap(false, Ordering::AcqRel);
        Custody { id, epoch, starts, following: self.task.subscribe() }
    }

    /// Whether nobody has taken the task up since `custody` did.
    pub(super) fn is_held_by(&self, custody: &Held) -> bool {
        match custody {
            Held::By(epoch) => self.epoch.load(Ordering::Acquire) == *epoch,
            Held::Nobody => true,
        }
    }

    pub(super) fn now(&self) -> Arc<Task> {
        self.task.borrow().clone()
    }
}

/// On whose behalf records are written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Held {
    /// Of whoever took the task up in this epoch.
    By(u64),
    /// Of somebody beside the story: a cancellation.
    Nobody,
}

impl From<&Custody> for Held {
    fn from(custody: &Custody) -> Self {
        Self::By(custody.epoch)
    }
}

/// All open tasks.
#[derive(Default)]
pub(super) struct OpenTasks {
    tasks: DashMap<TaskId, Arc<Open>>,
    /// Tasks whose submission is being made durable.
    submitting: DashMap<TaskId, ()>,
    of_agents: DashMap<AgentId, BTreeSet<TaskId>>,
    of_templates: DashMap<TemplateName, usize>,
    input_bytes: AtomicUsize,
    /// How often a task was opened.
    openings: AtomicU64,
}

/// Epochs between a task's openings, so that whoever held a task before it ended is a ghost when it is reopened.
const EPOCHS_OF_ONE_OPENING: u64 = 1 << 32;

/// The right to submit a task under its identifier, until it is dropped.
pub(super) struct Submitting<'a>(&'a OpenTasks, TaskId);

impl Drop for Submitting<'_> {
    fn drop(&mut self) {
        self.0.submitting.remove(&self.1);
    }
}

impl OpenTasks {
    pub(super) fn get(&self, id: TaskId) -> Option<Arc<Open>> {
        self.tasks.get(&id).map(|open| Arc::clone(open.value()))
    }

    /// The right to submit under this identifier; none where somebody does, or the task is open.
    pub(super) fn submit(&self, id: TaskId) -> Option<Submitting<'_>> {
        if self.submitting.insert(id, ()).is_some() {
            return None;
        }
        let right = Submitting(self, id);
        (!self.tasks.contains_key(&id)).then_some(right)
    }

    /// Takes in a task; `starts` where it was submitted with its first step started.
    pub(super) fn insert(&self, task: Task, starts: bool) {
        let order = &task.order;
        self.input_bytes.fetch_add(order.bytes(), Ordering::Relaxed);
        if let Some(agent) = order.registered_agent() {
            self.of_agents.entry(agent).or_default().insert(order.task);
        }
        let mut of_template = self.of_templates.entry(order.template.clone()).or_default();
        *of_template = of_template.saturating_add(1);
        drop(of_template);
        // INVARIANT: no two openings share an epoch, as long as a task is taken up less than 2^32 times in one of them.
        let opening = self.openings.fetch_add(1, Ordering::Relaxed);
        let open = Open::new(task.clone(), opening.saturating_mul(EPOCHS_OF_ONE_OPENING), starts);
        self.tasks.insert(task.order.task, Arc::new(open));
    }

    pub(super) fn remove(&self, id: TaskId) {
        let Some((_, open)) = self.tasks.remove(&id) else { return };
        let order = open.now().order.clone();
        self.input_bytes.fetch_sub(order.bytes(), Ordering::Relaxed);
        if let Some(agent) = order.registered_agent() {
            if let Some(mut tasks) = self.of_agents.get_mut(&agent) {
                tasks.remove(&id);
            }
            self.of_agents.remove_if(&agent, |_, tasks| tasks.is_empty());
        }
        if let Some(mut count) = self.of_templates.get_mut(&order.template) {
            *count = count.saturating_sub(1);
        }
        self.of_templates.remove_if(&order.template, |_, count| *count == 0);
    }

    pub(super) fn all(&self) -> Vec<Arc<Task>> {
        self.tasks.iter().map(|open| open.now()).collect()
    }

    /// Open tasks of one agent, the oldest first.
    pub(super) fn of_agent(&self, agent: AgentId) -> Vec<TaskId> {
        let own = agent.own_task();
        if self.tasks.contains_key(&own) {
            return vec![own];
        }
        self.of_agents.get(&agent).map(|tasks| tasks.iter().copied().collect()).unwrap_or_default()
    }

    /// How many open tasks a registered agent has.
    pub(super) fn count_of_agent(&self, agent: AgentId) -> usize {
        self.of_agents.get(&agent).map_or(0, |tasks| tasks.len())
    }

    pub(super) fn of_template(&self, template: &TemplateName) -> usize {
        self.of_templates.get(template).map_or(0, |count| *count)
    }

    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn input_bytes(&self) -> usize {
        self.input_bytes.load(Ordering::Relaxed)
    }
}
