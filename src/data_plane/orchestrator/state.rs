//! What an orchestrator does next about a plan: a pure function of the task's records and its plan.
//!
//! Each plan step is one unit of work, or one for each item where it is mapped; each attempt at a unit is a subtask whose
//! identifier follows from its name, so that whoever asks again after a crash asks for the same one.

use std::collections::BTreeMap;

use serde_json::Value;

use super::aggregate::aggregate;
use crate::control_plane::template::plan::{OnFailure, Plan, PlanStep, Unrendered, Worker};
use crate::domain::clock::Timestamp;
use crate::domain::id::TaskId;
use crate::domain::private::Text;
use crate::journal::record::Outcome;
use crate::journal::state::{Step, StepStatus, Task};

/// Attempts at a unit whose step says `retry`.
pub const ATTEMPTS_MAX: u32 = 2;

/// A subtask that the plan wants done.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// What about; none for one that is known to have been submitted, whose input nobody needs any more.
    pub input: Option<Text>,
    /// The plan step, the item and the attempt: `facts`, `facts[2]`, `facts[2]#2`.
    pub name: String,
    /// The subtask.
    pub child: TaskId,
    /// Who does it.
    pub worker: Worker,
    /// What becomes of the task if it fails.
    pub on_failure: OnFailure,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// These units run or are to run.
    Work {
        /// To be written down as started.
        start: Vec<Unit>,
        /// Written down as started before.
        running: Vec<Unit>,
    },
    /// The subtasks that still run must end before the task can.
    Stop(Vec<TaskId>),
    /// The task ends.
    End(Outcome),
}

/// Where a unit, or a whole plan step, stands.
enum Standing {
    Waiting,
    Done(Value),
    Failed(Failure),
}

/// Why a plan fails. Of several failures the earliest is the cause; the others may be its siblings being stopped.
struct Failure {
    at: Timestamp,
    code: String,
    message: String,
}

impl Failure {
    /// One that no subtask is the cause of, and that comes before all that follows from it.
    fn of_plan(code: &str, message: String) -> Standing {
        Standing::Failed(Self { at: Timestamp::from_micros(i64::MIN), code: code.to_owned(), message })
    }
}

/// The plan as far as the records have brought it.
#[derive(Default)]
struct Progress {
    outputs: BTreeMap<String, Value>,
    start: Vec<Unit>,
    running: Vec<Unit>,
    failure: Option<Failure>,
}

/// What a decision is made from.
pub struct Rules<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The most units of one plan step.
    pub fan_out: u32,
    /// Whether a subtask is known to have been submitted.
    pub is_submitted: &'a dyn Fn(TaskId) -> bool,
}

/// Decides what comes next.
#[must_use]
pub fn next(task: &Task, rules: &Rules<'_>, now: Timestamp) -> Next {
    let open = task.open_children();
    let end = |outcome| if open.is_empty() { Next::End(outcome) } else { Next::Stop(open.clone()) };
    if task.cancel_requested_by.is_some() {
        return end(Outcome::Cancelled);
    }
    if task.order.deadline.is_some_and(|deadline| deadline <= now) {
        return end(Outcome::failed("deadline_exceeded", "the deadline passed before the plan was done"));
    }
    let progress = advance(task, rules);
    if let Some(failure) = &progress.failure {
        return end(Outcome::failed(&failure.code, &failure.message));
    }
    if progress.start.is_empty() && progress.running.is_empty() {
        return Next::End(aggregate(task, rules.plan, &progress.outputs));
    }
    Next::Work { start: progress.start, running: progress.running }
}

/// Goes through the plan until no step has all that it needs.
fn advance(task: &Task, rules: &Rules<'_>) -> Progress {
    let input = Value::String(task.order.input.expose().to_owned());
    let mut progress = Progress::default();
    let mut waiting: Vec<&PlanStep> = rules.plan.steps.iter().collect();
    loop {
        let (ready, rest): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|step| step.needs.iter().all(|need| progress.outputs.contains_key(need)));
        if ready.is_empty() || progress.failure.is_some() {
            return progress;
        }
        for step in ready {
            match stand(task, step, &input, rules, &mut progress) {
                Standing::Done(output) => {
                    progress.outputs.insert(step.id.clone(), output);
                }
                Standing::Waiting => {}
                Standing::Failed(failure) => {
                    if progress.failure.as_ref().is_none_or(|known| failure.at < known.at) {
                        progress.failure = Some(failure);
                    }
                }
            }
        }
        waiting = rest;
    }
}

/// Where a plan step stands that has all that it needs; notes its units that run or are to run.
fn stand(task: &Task, step: &PlanStep, input: &Value, rules: &Rules<'_>, progress: &mut Progress) -> Standing {
    let Some(map) = &step.map else {
        return unit(task, step, step.id.clone(), rules, progress, |outputs| step.input.render(input, outputs, None));
    };
    let items = match map.items(input, &progress.outputs) {
        Ok(items) => items,
        Err(fault) => return unrendered(step, &fault),
    };
    if u32::try_from(items.len()).map_or(true, |count| count > rules.fan_out) {
        let message =
            format!("step {} maps over {} items, more than its limit of {}", step.id, items.len(), rules.fan_out);
        return Failure::of_plan("fan_out_exceeded", message);
    }
    let mut outputs = Vec::with_capacity(items.len());
    let mut waits = false;
    for (index, item) in items.iter().enumerate() {
        let name = format!("{}[{index}]", step.id);
        match unit(task, step, name, rules, progress, |outputs| step.input.render(input, outputs, Some(item))) {
            Standing::Done(output) => outputs.push(output),
            Standing::Waiting => waits = true,
            failure @ Standing::Failed(_) => return failure,
        }
    }
    if waits { Standing::Waiting } else { Standing::Done(Value::Array(outputs)) }
}

fn unrendered(step: &PlanStep, fault: &Unrendered) -> Standing {
    Failure::of_plan("plan_input", format!("step {}: {fault}", step.id))
}

/// Where one unit stands. `render` makes its input, where somebody needs it.
fn unit(
    task: &Task,
    step: &PlanStep,
    base: String,
    rules: &Rules<'_>,
    progress: &mut Progress,
    render: impl Fn(&BTreeMap<String, Value>) -> Result<Value, Unrendered>,
) -> Standing {
    let attempts = if step.on_failure == OnFailure::Retry { ATTEMPTS_MAX } else { 1 };
    let mut last = None;
    for attempt in 1..=attempts {
        let name = if attempt == 1 { base.clone() } else { format!("{base}#{attempt}") };
        let known = find(task, &name).map(|known| &known.status);
        match known {
            Some(StepStatus::Finished(finished)) => {
                return Standing::Done(Value::String(finished.output.expose().to_owned()));
            }
            Some(StepStatus::Failed(failed)) => last = Some(failed),
            Some(StepStatus::Started) | None => {
                let child = task.order.task.child(&name);
                let input = match (rules.is_submitted)(child) {
                    true => None,
                    false => match render(&progress.outputs) {
                        Ok(given) => Some(as_text(&given)),
                        Err(fault) => return unrendered(step, &fault),
                    },
                };
                let unit = Unit { input, name, child, worker: step.worker.clone(), on_failure: step.on_failure };
                let list = if known.is_some() { &mut progress.running } else { &mut progress.start };
                list.push(unit);
                return Standing::Waiting;
            }
        }
    }
    match last {
        Some(failed) if step.on_failure != OnFailure::Skip => {
            let message = format!("step {base} failed: {}", failed.message);
            Standing::Failed(Failure { at: failed.at, code: failed.code.clone(), message })
        }
        Some(_) | None => Standing::Done(Value::Null),
    }
}

fn find<'a>(task: &'a Task, name: &str) -> Option<&'a Step> {
    task.steps.iter().find(|step| step.kind.name() == Some(name))
}

/// A text as it is, anything else as compact JSON.
fn as_text(value: &Value) -> Text {
    match value {
        Value::String(text) => Text::from(text.as_str()),
        Value::Null => Text::default(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Text::from(value.to_string()),
    }
}
