//! One look at a plan: where each of its units stands. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use super::conclusion::{Conclusion, End, TOOL_IN_DOUBT};
use super::state::{ATTEMPTS_MAX, Question, Rules, STEP_FAILED};
use super::unit::{self, Open, Unit, UnitWork, attempt_name};
use crate::control_plane::template::plan::{OnFailure, PlanStep, Unrendered, Work};
use crate::data_plane::tool::policy::is_unknown;
use crate::domain::clock::Timestamp;
use crate::domain::id::TaskId;
use crate::domain::private::Text;
use crate::journal::record::{StepFailed, StepKind};
use crate::journal::release::{DLP_BLOCKED, DLP_REJECTED};
use crate::journal::state::{Step, StepStatus, Task};

/// The longest question that a person is asked, in bytes.
pub(super) const QUESTION_BYTES_MAX: usize = 64 * 1024;

/// Where a unit, or a whole plan step, stands.
enum Standing {
    Waiting,
    Done(Value),
    Failed(Failure),
}

/// Why a plan fails. Of several failures the earliest is the cause; the others may be its siblings being stopped.
pub(super) struct Failure {
    pub(super) at: Timestamp,
    pub(super) code: String,
    pub(super) message: String,
}

impl Failure {
    /// One that no subtask is the cause of, and that comes before all that follows from it.
    fn of_plan(code: &str, message: String) -> Standing {
        Standing::Failed(Self { at: Timestamp::from_micros(i64::MIN), code: code.to_owned(), message })
    }
}

/// The plan as far as the records have brought it.
#[derive(Default)]
pub(super) struct Progress {
    pub(super) outputs: BTreeMap<String, Value>,
    pub(super) start: Vec<Unit>,
    pub(super) running: Vec<Unit>,
    pub(super) calls: Vec<Unit>,
    /// Whether any other step waits.
    pub(super) waits: bool,
    pub(super) until: Option<Timestamp>,
    pub(super) conclude: Vec<Conclusion>,
    /// How many signals of a name belong to steps that are already looked at.
    pub(super) taken: BTreeMap<String, usize>,
    pub(super) in_doubt: Option<Question>,
    pub(super) failed: Option<Question>,
    pub(super) failure: Option<Failure>,
}

/// One look at the plan.
pub(super) struct Round<'a> {
    task: &'a Task,
    rules: &'a Rules<'a>,
    steps: BTreeMap<&'a str, &'a Step>,
    now: Timestamp,
}

impl<'a> Round<'a> {
    pub(super) fn of(task: &'a Task, rules: &'a Rules<'a>, now: Timestamp) -> Self {
        let steps = task.steps.iter().filter_map(|step| Some((step.kind.name()?, step))).collect();
        Self { task, rules, steps, now }
    }

    /// Goes through the plan until no step has all that it needs.
    pub(super) fn advance(&self) -> Progress {
        let input = Value::String(self.task.order.input.expose().to_owned());
        let mut progress = Progress::default();
        let mut waiting: Vec<&PlanStep> = self.rules.plan.steps.iter().collect();
        loop {
            let (ready, rest): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|step| step.needs.iter().all(|need| progress.outputs.contains_key(need)));
            if ready.is_empty() || progress.failure.is_some() {
                return progress;
            }
            for step in ready {
                match self.stand(step, &input, &mut progress) {
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
    fn stand(&self, step: &PlanStep, input: &Value, progress: &mut Progress) -> Standing {
        let Some(map) = &step.map else {
            return self.unit(step, &step.id, progress, |outputs| step.input.render(input, outputs, None));
        };
        let items = match map.items(input, &progress.outputs) {
            Ok(items) => items,
            Err(fault) => return unrendered(step, &fault),
        };
        let most = self.rules.fan_out;
        if u32::try_from(items.len()).map_or(true, |count| count > most) {
            let message = format!("step {} maps over {} items, more than its limit of {most}", step.id, items.len());
            return Failure::of_plan("fan_out_exceeded", message);
        }
        let mut outputs = Vec::with_capacity(items.len());
        let mut waits = false;
        for (index, item) in items.iter().enumerate() {
            let name = format!("{}[{index}]", step.id);
            match self.unit(step, &name, progress, |outputs| step.input.render(input, outputs, Some(item))) {
                Standing::Done(output) => outputs.push(output),
                Standing::Waiting => waits = true,
                failure @ Standing::Failed(_) => return failure,
            }
        }
        if waits { Standing::Waiting } else { Standing::Done(Value::Array(outputs)) }
    }

    /// Where one unit stands. `render` makes its input, where somebody needs it.
    fn unit(
        &self,
        step: &PlanStep,
        base: &str,
        progress: &mut Progress,
        render: impl Fn(&BTreeMap<String, Value>) -> Result<Value, Unrendered>,
    ) -> Standing {
        let allowed = if step.on_failure == OnFailure::Retry { ATTEMPTS_MAX } else { 1 };
        let (mut counted, mut last, mut key) = (0_u32, None, None);
        for attempt in 1_u32.. {
            let name = attempt_name(base, attempt);
            let known = self.steps.get(name.as_str()).copied();
            match known.map(|known| (known, &known.status)) {
                // A person's leave is not what the unit gives: the next step of its names is the call.
                Some((known, StepStatus::Finished(_))) if known.release().is_some() => {}
                Some((_, StepStatus::Finished(finished))) => {
                    return Standing::Done(Value::String(finished.output.expose().to_owned()));
                }
                Some((known, StepStatus::Failed(failed))) => {
                    let is_unknown = failed.code == TOOL_IN_DOUBT || is_unknown(&failed.code);
                    key = if is_unknown { key.or(Some(known.number)) } else { None };
                    if self.counts(known.number, step, &name) {
                        // What may not leave, or what a person has said no to, does not become another by being tried again.
                        let is_final = [DLP_REJECTED, DLP_BLOCKED].contains(&failed.code.as_str());
                        counted = if is_final { allowed } else { counted.saturating_add(1) };
                        last = Some(&**failed);
                    }
                }
                None if counted >= allowed => break,
                Some((_, StepStatus::Started)) | None => {
                    let attempt = Attempt { plan: step, name, known, key };
                    return self.under_way(attempt, progress, render);
                }
            }
        }
        failed_for_good(step, base, last, progress)
    }

    /// Whether a failure counts: one from before a retry does not, unless the plan has gone on without that unit.
    fn counts(&self, number: u32, step: &PlanStep, name: &str) -> bool {
        let was_skipped = || self.task.skipped.iter().any(|skipped| skipped == name);
        number >= self.task.retried_from || (step.on_failure == OnFailure::Skip && was_skipped())
    }

    /// An attempt that has not concluded or is to start.
    fn under_way(
        &self,
        attempt: Attempt<'_>,
        progress: &mut Progress,
        render: impl Fn(&BTreeMap<String, Value>) -> Result<Value, Unrendered>,
    ) -> Standing {
        let step = attempt.plan;
        let is_wanted = match attempt.known {
            None => true,
            Some(known) => match self.open(&attempt, known, progress) {
                Open::Delegated | Open::CallAgain => true,
                Open::Ends(_) | Open::Waits(_) | Open::InDoubt => false,
            },
        };
        if !is_wanted {
            return Standing::Waiting;
        }
        let child = self.task.order.task.child(&attempt.name);
        let needs_input = match &step.work {
            Work::Delegate(_) => !(self.rules.is_submitted)(child),
            Work::Tool(_) | Work::Approve { .. } => true,
            Work::Wait(_) | Work::Signal { .. } => false,
        };
        let input = match needs_input.then(|| render(&progress.outputs)).transpose() {
            Ok(given) => given.map(|given| as_text(&given)),
            Err(fault) => return unrendered(step, &fault),
        };
        if matches!(step.work, Work::Approve { .. })
            && input.as_ref().is_some_and(|text| text.len() > QUESTION_BYTES_MAX)
        {
            let message = format!("step {}: the question is longer than {QUESTION_BYTES_MAX} bytes", step.id);
            return Failure::of_plan("plan_input", message);
        }
        let (known, is_tool) = (attempt.known.is_some(), matches!(step.work, Work::Tool(_)));
        let unit = attempt.into_unit(child, input);
        match (known, is_tool) {
            (false, _) => progress.start.push(unit),
            (true, true) => progress.calls.push(unit),
            (true, false) => progress.running.push(unit),
        }
        Standing::Waiting
    }

    /// Notes what an open step comes to.
    fn open(&self, attempt: &Attempt<'_>, known: &Step, progress: &mut Progress) -> Open {
        let signal = match &known.kind {
            StepKind::Signal { signal, .. } => signal.as_str(),
            StepKind::Model { .. }
            | StepKind::Delegate { .. }
            | StepKind::Tool { .. }
            | StepKind::Timer { .. }
            | StepKind::Approval { .. } => "",
        };
        let taken = progress.taken.get(signal).copied().unwrap_or_default();
        let open = unit::open(self.task, known, taken, (self.rules.is_called)(known.number), self.now);
        match &open {
            Open::Ends(end) => {
                if let (End::Finished { .. }, false) = (end, signal.is_empty()) {
                    progress.taken.insert(signal.to_owned(), taken.saturating_add(1));
                }
                let is_skipped = attempt.plan.on_failure == OnFailure::Skip && end.is_failure();
                let skipped = is_skipped.then(|| attempt.name.clone());
                progress.conclude.push(Conclusion { step: known.number, end: end.clone(), skipped });
            }
            Open::Waits(until) => {
                progress.waits = true;
                progress.until = progress.until.into_iter().chain(*until).min();
            }
            Open::InDoubt => {
                progress.waits = true;
                progress.in_doubt.get_or_insert_with(|| in_doubt(known.number, &attempt.name));
            }
            Open::Delegated | Open::CallAgain => {}
        }
        open
    }
}

/// One attempt at a unit.
struct Attempt<'a> {
    plan: &'a PlanStep,
    name: String,
    known: Option<&'a Step>,
    key: Option<u32>,
}

impl Attempt<'_> {
    fn into_unit(self, child: TaskId, input: Option<Text>) -> Unit {
        let work = match &self.plan.work {
            Work::Delegate(worker) => UnitWork::Delegate { child, worker: worker.clone(), input },
            Work::Tool(tool) => UnitWork::Tool {
                tool: tool.clone(),
                input: input.unwrap_or_default(),
                step: self.known.map(|known| known.number),
                key: self.key,
            },
            Work::Wait(wait) => UnitWork::Timer { wait: *wait },
            Work::Approve { timeout } => UnitWork::Approval { question: input.unwrap_or_default(), timeout: *timeout },
            Work::Signal { name, timeout } => UnitWork::Signal { signal: name.clone(), timeout: *timeout },
        };
        Unit { name: self.name, work, on_failure: self.plan.on_failure }
    }
}

fn in_doubt(step: u32, name: &str) -> Question {
    let message = format!(
        "nobody knows whether the tool of step {name} did its work: the call was cut off or not answered in time. Find out, then \
         approve it (it counts as done), reject it (it counts as failed) or retry it (the tool is called again under the same key)"
    );
    Question { step: Some(step), code: TOOL_IN_DOUBT, message }
}

fn failed_for_good(step: &PlanStep, base: &str, last: Option<&StepFailed>, progress: &mut Progress) -> Standing {
    let Some(failed) = last else { return Standing::Done(Value::Null) };
    let message = format!("step {base} failed: {}", failed.message);
    match step.on_failure {
        OnFailure::Skip => Standing::Done(Value::Null),
        OnFailure::Ask => {
            let message = format!("{message} ({}). Retry it, or reject the task", failed.code);
            progress.failed.get_or_insert(Question { step: None, code: STEP_FAILED, message });
            Standing::Waiting
        }
        OnFailure::Fail | OnFailure::Retry => {
            Standing::Failed(Failure { at: failed.at, code: failed.code.clone(), message })
        }
    }
}

fn unrendered(step: &PlanStep, fault: &Unrendered) -> Standing {
    Failure::of_plan("plan_input", format!("step {}: {fault}", step.id))
}

/// A text as it is, anything else as compact JSON.
fn as_text(value: &Value) -> Text {
    match value {
        Value::String(text) => Text::from(text.as_str()),
        Value::Null => Text::default(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Text::from(value.to_string()),
    }
}
