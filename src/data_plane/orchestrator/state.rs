//! What an orchestrator does next about a plan: a pure function of the task's records and its plan.
//!
//! Each plan step is one unit of work, or one for each item where it is mapped; each attempt at a unit is a subtask whose
//! identifier follows from its name, so that whoever asks again after a crash asks for the same one.

use std::collections::BTreeMap;

use serde_json::Value;

use super::aggregate::aggregate;
use crate::control_plane::template::plan::{OnFailure, Plan, PlanStep, Worker};
use crate::domain::clock::Timestamp;
use crate::domain::id::TaskId;
use crate::domain::private::Text;
use crate::journal::record::{Outcome, StepKind};
use crate::journal::state::{Step, StepStatus, Task};

/// Attempts at a unit whose step says `retry`.
pub const ATTEMPTS_MAX: u32 = 2;

/// A subtask that the plan wants done.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// The plan step, the item and the attempt: `facts`, `facts[2]`, `facts[2]#2`.
    pub name: String,
    /// The subtask.
    pub child: TaskId,
    /// Who does it.
    pub worker: Worker,
    /// What about.
    pub input: Text,
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
    Failed { code: String, message: String },
}

/// The plan as far as the records have brought it.
#[derive(Default)]
struct Progress {
    outputs: BTreeMap<String, Value>,
    start: Vec<Unit>,
    running: Vec<Unit>,
    failure: Option<(String, String)>,
}

/// Decides what comes next. `fan_out` is the most units of one plan step.
#[must_use]
pub fn next(task: &Task, plan: &Plan, fan_out: u32, now: Timestamp) -> Next {
    let open: Vec<TaskId> =
        task.steps.iter().filter(|step| step.status == StepStatus::Started).filter_map(child).collect();
    let end = |outcome| if open.is_empty() { Next::End(outcome) } else { Next::Stop(open.clone()) };
    if task.cancel_requested_by.is_some() {
        return end(Outcome::Cancelled);
    }
    if task.order.deadline.is_some_and(|deadline| deadline <= now) {
        return end(failed("deadline_exceeded", "the deadline passed before the plan was done"));
    }
    let progress = advance(task, plan, fan_out);
    if let Some((code, message)) = &progress.failure {
        return end(failed(code, message));
    }
    if progress.start.is_empty() && progress.running.is_empty() {
        return Next::End(aggregate(task, plan, &progress.outputs));
    }
    Next::Work { start: progress.start, running: progress.running }
}

/// Goes through the plan until no step has all that it needs.
fn advance(task: &Task, plan: &Plan, fan_out: u32) -> Progress {
    let input = Value::String(task.order.input.expose().to_owned());
    let mut progress = Progress::default();
    let mut waiting: Vec<&PlanStep> = plan.steps.iter().collect();
    loop {
        let (ready, rest): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|step| step.needs.iter().all(|need| progress.outputs.contains_key(need)));
        if ready.is_empty() || progress.failure.is_some() {
            return progress;
        }
        for step in ready {
            match stand(task, step, &input, fan_out, &mut progress) {
                Standing::Done(output) => {
                    progress.outputs.insert(step.id.clone(), output);
                }
                Standing::Waiting => {}
                Standing::Failed { code, message } => progress.failure = Some((code, message)),
            }
        }
        waiting = rest;
    }
}

/// Where a plan step stands that has all that it needs; notes its units that run or are to run.
fn stand(task: &Task, step: &PlanStep, input: &Value, fan_out: u32, progress: &mut Progress) -> Standing {
    let unrendered = |fault: String| Standing::Failed {
        code: "plan_input".to_owned(),
        message: format!("step {}: {fault}", step.id),
    };
    let Some(map) = &step.map else {
        return match step.input.render(input, &progress.outputs, None) {
            Ok(given) => unit(task, step, step.id.clone(), &given, progress),
            Err(fault) => unrendered(fault.to_string()),
        };
    };
    let items = match map.items(input, &progress.outputs) {
        Ok(items) => items,
        Err(fault) => return unrendered(fault.to_string()),
    };
    if u32::try_from(items.len()).map_or(true, |count| count > fan_out) {
        let message = format!("step {} maps over {} items, more than its limit of {fan_out}", step.id, items.len());
        return Standing::Failed { code: "fan_out_exceeded".to_owned(), message };
    }
    let mut outputs = Vec::with_capacity(items.len());
    let mut waits = false;
    for (index, item) in items.iter().enumerate() {
        let given = match step.input.render(input, &progress.outputs, Some(item)) {
            Ok(given) => given,
            Err(fault) => return unrendered(fault.to_string()),
        };
        match unit(task, step, format!("{}[{index}]", step.id), &given, progress) {
            Standing::Done(output) => outputs.push(output),
            Standing::Waiting => waits = true,
            failure @ Standing::Failed { .. } => return failure,
        }
    }
    if waits { Standing::Waiting } else { Standing::Done(Value::Array(outputs)) }
}

/// Where one unit stands.
fn unit(task: &Task, step: &PlanStep, base: String, given: &Value, progress: &mut Progress) -> Standing {
    let wanted = |name: String| Unit {
        child: task.order.task.child(&name),
        name,
        worker: step.worker.clone(),
        input: as_text(given),
        on_failure: step.on_failure,
    };
    let attempts = if step.on_failure == OnFailure::Retry { ATTEMPTS_MAX } else { 1 };
    let mut last = None;
    for attempt in 1..=attempts {
        let name = if attempt == 1 { base.clone() } else { format!("{base}#{attempt}") };
        let Some(known) = find(task, &name) else {
            progress.start.push(wanted(name));
            return Standing::Waiting;
        };
        match &known.status {
            StepStatus::Started => {
                progress.running.push(wanted(name));
                return Standing::Waiting;
            }
            StepStatus::Finished(finished) => {
                return Standing::Done(Value::String(finished.output.expose().to_owned()));
            }
            StepStatus::Failed(failed) => last = Some(failed),
        }
    }
    match last {
        Some(failed) if step.on_failure != OnFailure::Skip => {
            let message = format!("step {base} failed: {}", failed.message);
            Standing::Failed { code: failed.code.clone(), message }
        }
        Some(_) | None => Standing::Done(Value::Null),
    }
}

fn find<'a>(task: &'a Task, name: &str) -> Option<&'a Step> {
    task.steps.iter().find(|step| matches!(&step.kind, StepKind::Delegate { name: known, .. } if known == name))
}

fn child(step: &Step) -> Option<TaskId> {
    match &step.kind {
        StepKind::Delegate { child, .. } => Some(*child),
        StepKind::Model { .. } => None,
    }
}

/// A text as it is, anything else as compact JSON.
fn as_text(value: &Value) -> Text {
    match value {
        Value::String(text) => Text::from(text.as_str()),
        Value::Null => Text::default(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Text::from(value.to_string()),
    }
}

fn failed(code: &str, message: &str) -> Outcome {
    Outcome::Failed { code: code.to_owned(), message: message.to_owned() }
}
