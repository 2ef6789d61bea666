//! The projection of a task's records: what a task is now. Pure; `evolve` cannot fail.

use std::sync::Arc;

use super::order::Order;
use super::record::{Outcome, StepFailed, StepFinished, StepKind, StepStarted, Submitted, TaskRecord, Then};
use crate::domain::clock::Timestamp;
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::domain::private::Text;
use crate::domain::usage::Usage;

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Acknowledged; no step has started.
    Queued,
    /// A step has started.
    Running,
    /// It has its answer.
    Succeeded,
    /// It has an error.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl State {
    /// Whether nothing more will happen.
    #[must_use]
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    /// The word that the API and metrics use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A step and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its number, from 0.
    pub number: u32,
    /// What it does.
    pub kind: StepKind,
    /// What was reserved for it.
    pub reserved: Usd,
    /// When it started.
    pub started_at: Timestamp,
    /// What became of it.
    pub status: StepStatus,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum StepStatus {
    /// Nothing yet, or the daemon ended before it was known.
    Started,
    /// A result.
    Finished(Arc<StepFinished>),
    /// None.
    Failed(Arc<StepFailed>),
}

impl Step {
    /// What the step cost, doubtful amounts included.
    #[must_use]
    pub fn cost(&self) -> Usd {
        match &self.status {
            StepStatus::Started => Usd::ZERO,
            StepStatus::Finished(finished) => finished.cost,
            StepStatus::Failed(failed) => failed.cost.plus(failed.in_doubt),
        }
    }
}

/// Why a task failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// A stable code.
    pub code: String,
    /// What happened.
    pub message: String,
}

/// A task as its records tell it.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// What was decided when it was admitted.
    pub order: Arc<Order>,
    /// What was reserved for its first step.
    pub reserved: Usd,
    /// Where it stands.
    pub state: State,
    /// Its steps, in order.
    pub steps: Vec<Step>,
    /// Steps of a plan that will not run.
    pub skipped: Vec<String>,
    /// Its answer.
    pub output: Option<Text>,
    /// Why it failed.
    pub fault: Option<Fault>,
    /// Who asked for its end.
    pub cancel_requested_by: Option<String>,
    /// The latest feedback, in thousandths.
    pub feedback_per_mille: Option<u16>,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How many records there are; the next one's sequence.
    pub records: u64,
}

impl Task {
    /// The task that a submission begins.
    #[must_use]
    pub fn begin(submitted: &Submitted) -> Self {
        Self {
            order: Arc::new(submitted.order.clone()),
            reserved: submitted.reserved,
            state: State::Queued,
            steps: Vec::new(),
            skipped: Vec::new(),
            output: None,
            fault: None,
            cancel_requested_by: None,
            feedback_per_mille: None,
            created_at: submitted.at,
            finished_at: None,
            records: 1,
        }
    }

    /// Folds records, the first of which is the submission; none if it is not.
    #[must_use]
    pub fn replay<'a>(records: impl IntoIterator<Item = &'a TaskRecord>) -> Option<Self> {
        let mut records = records.into_iter();
        let TaskRecord::Submitted(submitted) = records.next()? else { return None };
        let mut task = Self::begin(submitted);
        records.for_each(|record| task.evolve(record));
        Some(task)
    }

    /// Whether a record may follow. A step starts under the next number and concludes once, and a task ends only when all its
    /// steps have concluded, so that what a step cost is on record before the task is closed.
    #[must_use]
    pub fn accepts(&self, record: &TaskRecord) -> bool {
        let is_open =
            |number| self.steps.iter().rev().any(|step| step.number == number && step.status == StepStatus::Started);
        match record {
            TaskRecord::Submitted(_) => false,
            TaskRecord::StepStarted(started) => !self.state.has_ended() && started.step == self.next_step(),
            TaskRecord::StepFinished(finished) => !self.state.has_ended() && is_open(finished.step),
            TaskRecord::StepFailed(failed) => !self.state.has_ended() && is_open(failed.step),
            TaskRecord::StepSkipped(_) => !self.state.has_ended(),
            TaskRecord::CancelRequested(_) => !self.state.has_ended() && self.cancel_requested_by.is_none(),
            TaskRecord::Ended(_) => {
                !self.state.has_ended() && self.steps.iter().all(|step| step.status != StepStatus::Started)
            }
            TaskRecord::FeedbackGiven(_) => self.state.has_ended(),
        }
    }

    /// Takes one more record in.
    pub fn evolve(&mut self, record: &TaskRecord) {
        self.records = self.records.saturating_add(1);
        match record {
            TaskRecord::Submitted(_) => {}
            TaskRecord::StepStarted(started) => self.start(started),
            TaskRecord::StepFinished(finished) => {
                self.conclude(finished.step, StepStatus::Finished(Arc::new(finished.clone())));
            }
            TaskRecord::StepFailed(failed) => self.conclude(failed.step, StepStatus::Failed(Arc::new(failed.clone()))),
            TaskRecord::StepSkipped(skipped) => self.skipped.push(skipped.name.clone()),
            TaskRecord::CancelRequested(request) => self.cancel_requested_by = Some(request.by.clone()),
            TaskRecord::FeedbackGiven(feedback) => self.feedback_per_mille = Some(feedback.score_per_mille),
            TaskRecord::Ended(ended) => {
                self.finished_at = Some(ended.at);
                self.end(&ended.outcome);
            }
        }
    }

    fn start(&mut self, started: &StepStarted) {
        self.state = State::Running;
        self.steps.push(Step {
            number: started.step,
            kind: started.kind.clone(),
            reserved: started.reserved,
            started_at: started.at,
            status: StepStatus::Started,
        });
    }

    fn conclude(&mut self, step: u32, status: StepStatus) {
        if let Some(step) = self.steps.iter_mut().rev().find(|known| known.number == step) {
            step.status = status;
        }
    }

    fn end(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::AnsweredByStep { step } => {
                self.state = State::Succeeded;
                self.output = self.output_of(*step);
            }
            Outcome::Answered { output } => {
                self.state = State::Succeeded;
                self.output = Some(output.clone());
            }
            Outcome::Failed { code, message } => {
                self.state = State::Failed;
                self.fault = Some(Fault { code: code.clone(), message: message.clone() });
            }
            Outcome::Cancelled => self.state = State::Cancelled,
        }
    }

    fn output_of(&self, number: u32) -> Option<Text> {
        self.steps.iter().rev().find(|step| step.number == number).and_then(|step| match &step.status {
            StepStatus::Finished(finished) => Some(finished.output.clone()),
            StepStatus::Started | StepStatus::Failed(_) => None,
        })
    }

    /// The number of the step that would come next.
    #[must_use]
    pub fn next_step(&self) -> u32 {
        self.steps.last().map_or(0, |step| step.number.saturating_add(1))
    }

    /// What it cost so far, doubtful amounts included.
    #[must_use]
    pub fn cost(&self) -> Usd {
        self.steps.iter().map(Step::cost).sum()
    }

    /// Tokens used so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.steps.iter().fold(Usage::default(), |sum, step| match &step.status {
            StepStatus::Finished(finished) => sum.plus(finished.usage),
            StepStatus::Started | StepStatus::Failed(_) => sum,
        })
    }

    /// The model call that has started and not concluded, if there is one.
    #[must_use]
    pub fn open_call(&self) -> Option<&Step> {
        self.steps
            .last()
            .filter(|step| matches!((&step.status, &step.kind), (StepStatus::Started, StepKind::Model { .. })))
    }

    /// The subtasks that have started and not concluded.
    #[must_use]
    pub fn open_children(&self) -> Vec<TaskId> {
        let open = self.steps.iter().filter(|step| step.status == StepStatus::Started);
        open.filter_map(|step| match &step.kind {
            StepKind::Delegate { child, .. } => Some(*child),
            StepKind::Model { .. } => None,
        })
        .collect()
    }

    /// What may follow the last step, if it failed.
    #[must_use]
    pub fn after_failure(&self) -> Option<(&StepFailed, Then)> {
        match &self.steps.last()?.status {
            StepStatus::Failed(failed) => Some((failed, failed.then)),
            StepStatus::Started | StepStatus::Finished(_) => None,
        }
    }
}
