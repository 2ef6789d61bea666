//! What must be true whatever happened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::bill::{self, ByDay};
use super::market::Call;
use crate::app::Daemon;
use crate::control_plane::admission::KEY_LIFETIME;
use crate::data_plane::factory::Census;
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::journal::Journal;
use crate::journal::record::{StepKind, TaskRecord, Then};
use crate::journal::state::{Step, StepStatus, Task};
use crate::supervision::{ChildId, Node, NodeState};

/// More tasks than any schedule makes.
const TASKS_MAX: usize = 10_000;

/// Paths to every actor but the root.
pub(super) fn paths(node: &Node, above: &[ChildId], found: &mut Vec<Vec<ChildId>>) {
    for child in &node.children {
        let path: Vec<ChildId> = above.iter().cloned().chain([child.name.clone()]).collect();
        paths(child, &path, found);
        found.push(path);
    }
}

fn is_whole(node: &Node) -> bool {
    node.state == NodeState::Running && node.children.iter().all(is_whole)
}

/// What is wrong with a journal that has just been opened: each task is what its records tell, and begins with all that was
/// known of it before.
pub(super) async fn after_start(journal: &Journal, remembered: &[Arc<Task>]) -> Vec<String> {
    let mut broken: Vec<String> = journal.unreadable().iter().map(|id| format!("{id} cannot be read")).collect();
    for task in remembered {
        broken.extend(retold(journal, task).await);
    }
    for task in journal.open_tasks() {
        broken.extend(retold(journal, &task).await);
    }
    broken
}

/// A task is what the replay of as many records gives as it had; there may be more since.
async fn retold(journal: &Journal, task: &Task) -> Option<String> {
    let records = journal.records(task.order.task).await.expect("read");
    let known = usize::try_from(task.records).expect("few");
    let replayed = records.get(..known).and_then(Task::replay);
    (replayed.as_ref() != Some(task)).then(|| format!("{task:?} is replayed as {replayed:?}"))
}

/// What is wrong when everything has run out.
pub(super) async fn at_the_end(daemon: &Daemon, acknowledged: &[BTreeSet<TaskId>], calls: &[Call]) -> Vec<String> {
    let mut broken = Vec::new();
    let journal = &daemon.journal;
    let page = journal.list(None, TASKS_MAX, |task| Some(task.clone())).await.expect("read");
    let tasks: BTreeMap<TaskId, Task> = page.items.into_iter().map(|task| (task.order.task, task)).collect();
    for of_one_key in acknowledged {
        // A key names one task for as long as it lives; the clock may have jumped beyond that.
        let made: Vec<_> = of_one_key.iter().filter_map(|id| tasks.get(id)).map(|task| task.created_at).collect();
        if made.windows(2).any(|two| two[1].since(two[0]) < KEY_LIFETIME) || made.len() < of_one_key.len() {
            broken.push(format!("one key is several tasks: {of_one_key:?}"));
        }
        let lost = of_one_key.iter().filter(|id| !tasks.contains_key(id));
        broken.extend(lost.map(|id| format!("{id} was acknowledged and is lost")));
    }
    let mut spent = ByDay::new();
    for task in tasks.values() {
        broken.extend(retold(journal, task).await);
        let records = journal.records(task.order.task).await.expect("read");
        broken.extend(ended_once(task, &records));
        broken.extend(bill::booked(task, &records, &mut spent));
    }
    broken.extend(billed(&tasks, calls, journal).await);
    let unpaid = bill::settled(daemon, &tasks, calls, &spent).await;
    if !unpaid.is_empty() {
        broken.extend(unpaid);
        broken.extend(tasks.values().flat_map(costs));
    }
    broken.extend(let_go(daemon).await);
    broken
}

/// How many tasks ended how, and how many calls that took.
pub(super) async fn came_to(journal: &Journal, calls: usize) -> String {
    let word =
        |task: &Task| Some(task.fault.as_ref().map_or(task.state.as_str().to_owned(), |fault| fault.code.clone()));
    let page = journal.list(None, TASKS_MAX, word).await.expect("read");
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for word in page.items {
        *counts.entry(word).or_default() += 1;
    }
    format!("{calls} calls, tasks {counts:?}")
}

/// A task ends once, and once more each time that a person had it retried.
fn ended_once(task: &Task, records: &[TaskRecord]) -> Option<String> {
    let count = |wanted: fn(&TaskRecord) -> bool| records.iter().filter(|record| wanted(record)).count();
    let ended = count(|record| matches!(record, TaskRecord::Ended(_)));
    let retried = count(|record| matches!(record, TaskRecord::RetryRequested(_)));
    let is_right = task.state.has_ended() && (1..=1 + retried).contains(&ended);
    (!is_right).then(|| format!("{} ended {ended} times and is {:?}", task.order.task, task.state))
}

/// Each step that cost something, for whoever looks into a failure.
fn costs(task: &Task) -> Vec<String> {
    let dear = task.steps.iter().filter(|step| step.cost() > Usd::ZERO && !task.is_plan());
    dear.map(|step| format!("  {} {step:?}", task.order.task)).collect()
}

/// What the provider bills is on record with the step that asked for it, and no step asked twice.
async fn billed(tasks: &BTreeMap<TaskId, Task>, calls: &[Call], journal: &Journal) -> Vec<String> {
    let mut broken = Vec::new();
    let mut steps: BTreeMap<TaskId, Vec<Step>> = BTreeMap::new();
    let mut asked = BTreeMap::new();
    let mut named: BTreeMap<(TaskId, u32), u32> = BTreeMap::new();
    for Call { task, step, name, at, billed } in calls {
        if let Some(earlier) = asked.insert((*task, *step), *at) {
            broken.push(format!("step {step} of {task} called the provider at {earlier} and again at {at}"));
        }
        if !tasks.contains_key(task) {
            broken.push(format!("step {step} of {task} was called at {at}, and there is no such task"));
            continue;
        }
        if !steps.contains_key(task) {
            steps.insert(*task, all_steps(&journal.records(*task).await.expect("read")));
        }
        if let Some(earlier) = named.insert((*task, *name), *step)
            && !steps[task].iter().any(|known| known.number == earlier && may_be_repeated(known))
        {
            broken.push(format!("step {step} of {task} repeats the call of step {earlier}, which was concluded"));
        }
        match steps[task].iter().find(|known| known.number == *step) {
            Some(known) if known.cost() >= *billed => {}
            Some(known) => broken.push(format!("step {step} of {task} was billed {billed} and books {}", known.cost())),
            None => broken.push(format!("step {step} of {task} was called at {at}, and is not on record")),
        }
    }
    for (task, steps) in &steps {
        let finished = steps.iter().filter(|step| matches!(step.status, StepStatus::Finished(_)));
        let never_asked = finished.filter(|step| !asked.contains_key(&(*task, step.number)));
        broken.extend(never_asked.map(|step| format!("step {} of {task} has an answer that nobody gave", step.number)));
    }
    broken
}

/// Whether nobody knows what became of a step's call.
fn may_be_repeated(step: &Step) -> bool {
    match &step.status {
        StepStatus::Failed(failed) => failed.in_doubt > Usd::ZERO || matches!(failed.then, Then::Again { .. }),
        StepStatus::Started | StepStatus::Finished(_) => false,
    }
}

/// Every step that calls a model, those included that are no longer in memory.
fn all_steps(records: &[TaskRecord]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let conclude = |steps: &mut Vec<Step>, number: u32, status: StepStatus| {
        if let Some(step) = steps.iter_mut().find(|step| step.number == number) {
            step.status = status;
        }
    };
    for record in records {
        if let TaskRecord::StepStarted(started) = record
            && matches!(started.kind, StepKind::Model { .. })
        {
            let (number, kind, reserved, started_at) =
                (started.step, started.kind.clone(), started.reserved, started.at);
            steps.push(Step {
                number,
                sequence: 0,
                kind,
                reserved,
                started_at,
                status: StepStatus::Started,
                billed: None,
            });
        }
        if let TaskRecord::StepFinished(finished) = record {
            conclude(&mut steps, finished.step, StepStatus::Finished(Arc::new(finished.clone())));
        }
        if let TaskRecord::StepFailed(failed) = record {
            conclude(&mut steps, failed.step, StepStatus::Failed(Arc::new(failed.clone())));
        }
    }
    steps
}

/// Nobody works, nothing is open, the tree is whole, and the audit log too.
async fn let_go(daemon: &Daemon) -> Vec<String> {
    let mut broken = Vec::new();
    let (journal, rooms) = (&daemon.journal, &daemon.rooms);
    let open = (journal.open_count(), journal.open_input_bytes());
    if open != (0, 0) {
        broken.push(format!("open tasks and their bytes: {open:?}"));
    }
    let at_work = (rooms.factory.census(), rooms.orchestrator.plans_running());
    if at_work != (Census::default(), 0) {
        broken.push(format!("agents at work and idle, and plans: {at_work:?}"));
    }
    let tree = daemon.root.snapshot().await;
    if !is_whole(&tree) {
        broken.push(format!("the tree is not whole: {tree:?}"));
    }
    if let Err(error) = rooms.audit.verify().await {
        broken.push(format!("the audit log: {error}"));
    }
    broken
}
