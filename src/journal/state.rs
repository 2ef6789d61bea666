//! The projection of a task's records: what a task is now. Pure; `evolve` cannot fail.
//!
//! ```text
//! Queued ─> Running <──> WaitingApproval        Running ─> Succeeded | Failed | Cancelled
//!              │ └─────> NeedsAttention              ^─────────┘ a person wants a failed task retried
//! ```
//!
//! What deciding and writing a step costs does not grow with the number of steps: sums are kept as steps conclude
//! ([`Totals`]), and of an agent's task only the latest steps stay in memory. A snapshot lets a replay begin there. A plan's steps
//! all stay: their outputs are needed, and the plan's size bounds them.

use std::sync::Arc;

use super::order::{Order, Worker};
use super::reconciled::Reconciled;
use super::record::{
    AttentionNeeded, Decided, Outcome, Signalled, StepFailed, StepFinished, StepKind, StepStarted, Submitted,
    TaskRecord, Then,
};
pub use super::step::{AGENT_ENDED, Attention, Fault, IN_DOUBT, Step, StepStatus, TOOL_IN_DOUBT, Totals};
use crate::domain::clock::Timestamp;
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::domain::name::ModelRef;
use crate::domain::private::Text;
use crate::domain::usage::Usage;

/// Concluded steps of an agent's task that stay in memory at least; up to twice as many do.
pub const STEPS_KEPT: usize = 16;

/// Signals that one task holds which no step has taken yet.
pub const SIGNALS_MAX: usize = 256;

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Acknowledged; no step has started.
    Queued,
    /// A step has started.
    Running,
    /// A step waits for a person's decision.
    WaitingApproval,
    /// It does not go on before a person says how.
    NeedsAttention,
    /// It has its answer.
    Succeeded,
    /// It has an error.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl State {
    /// Whether nothing more will happen, unless a person wants a failed task retried.
    #[must_use]
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    /// Whether nothing will happen before a person says something.
    #[must_use]
    pub fn waits_for_person(self) -> bool {
        matches!(self, Self::WaitingApproval | Self::NeedsAttention)
    }

    /// The word that the API and metrics use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::WaitingApproval => "waiting_approval",
            Self::NeedsAttention => "needs_attention",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
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
    /// Its latest steps, in order: all of a plan's, of an agent's at least the last [`STEPS_KEPT`].
    pub steps: Vec<Step>,
    /// Sums over all its steps.
    pub totals: Totals,
    /// The models that were called for it.
    pub tried: Vec<ModelRef>,
    /// Steps of a plan that will not run.
    pub skipped: Vec<String>,
    /// Decisions about steps that have not concluded.
    pub decisions: Vec<Arc<Decided>>,
    /// Signals that no step has taken yet, the earliest first.
    pub signals: Vec<Arc<Signalled>>,
    /// What it waits for a person for.
    pub attention: Option<Attention>,
    /// The first step since a person wanted it retried: what failed before does not count.
    pub retried_from: u32,
    /// Whether it has ended before, and was reopened.
    pub ended_before: bool,
    /// The open step that a person wants done again.
    pub retried_step: Option<u32>,
    /// What of the present answer arrived before it broke off; the next call goes on from there.
    pub arrived: Text,
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
            totals: Totals::default(),
            tried: Vec::new(),
            skipped: Vec::new(),
            decisions: Vec::new(),
            signals: Vec::new(),
            attention: None,
            retried_from: 0,
            ended_before: false,
            retried_step: None,
            arrived: Text::default(),
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
    /// steps have concluded, so that what a step cost is on record before the task is closed. Nothing starts behind a request to
    /// cancel: whoever was told that it is on record is not told of further calls.
    #[must_use]
    pub fn accepts(&self, record: &TaskRecord) -> bool {
        let goes_on = !self.state.has_ended();
        match record {
            TaskRecord::Submitted(_) => false,
            TaskRecord::StepStarted(started) => {
                let is_wanted = self.attention.is_none() && self.cancel_requested_by.is_none();
                goes_on && is_wanted && started.step == self.totals.started
            }
            TaskRecord::StepFinished(finished) => goes_on && self.open_step(finished.step).is_some(),
            TaskRecord::StepFailed(failed) => goes_on && self.open_step(failed.step).is_some(),
            TaskRecord::StepSkipped(_) => goes_on,
            TaskRecord::CancelRequested(_) => goes_on && self.cancel_requested_by.is_none(),
            TaskRecord::Ended(_) => goes_on && self.steps.iter().all(|step| step.status != StepStatus::Started),
            TaskRecord::FeedbackGiven(_) => self.state.has_ended(),
            TaskRecord::Decided(decided) => goes_on && self.awaits_decision(decided.step),
            TaskRecord::Signalled(_) => goes_on && self.is_plan() && self.signals.len() < SIGNALS_MAX,
            TaskRecord::AttentionNeeded(needed) => {
                goes_on && self.attention.is_none() && needed.step.is_none_or(|step| self.open_step(step).is_some())
            }
            TaskRecord::RetryRequested(_) => self.attention.is_some() || self.state == State::Failed,
            TaskRecord::Reconciled(_) => self.state.has_ended(),
        }
    }

    /// Whether a person may decide about a step: it asks for approval, or is what the task needs attention for; and nobody has.
    #[must_use]
    pub fn awaits_decision(&self, number: u32) -> bool {
        let asks = |step: &Step| matches!(step.kind, StepKind::Approval { .. });
        let troubles = self.attention.as_ref().is_some_and(|attention| attention.step == Some(number));
        self.open_step(number).is_some_and(|step| asks(step) || troubles) && self.decision(number).is_none()
    }

    /// Takes one more record in.
    pub fn evolve(&mut self, record: &TaskRecord) {
        let sequence = self.records;
        self.records = self.records.saturating_add(1);
        match record {
            TaskRecord::Submitted(_) => {}
            TaskRecord::StepStarted(started) => self.start(started, sequence),
            TaskRecord::StepFinished(finished) => self.finish(finished),
            TaskRecord::StepFailed(failed) => self.fail(failed),
            TaskRecord::StepSkipped(skipped) => self.skipped.push(skipped.name.clone()),
            TaskRecord::CancelRequested(request) => self.cancel_requested_by = Some(request.by.clone()),
            TaskRecord::FeedbackGiven(feedback) => self.feedback_per_mille = Some(feedback.score_per_mille),
            TaskRecord::Decided(decided) => self.decide(decided),
            TaskRecord::Signalled(signalled) => self.signals.push(Arc::new(signalled.clone())),
            TaskRecord::AttentionNeeded(needed) => self.attend(needed),
            TaskRecord::RetryRequested(_) => self.retry(),
            TaskRecord::Reconciled(reconciled) => self.reconcile(reconciled),
            TaskRecord::Ended(ended) => {
                self.finished_at = Some(ended.at);
                self.attention = None;
                self.end(&ended.outcome);
            }
        }
        if !self.state.has_ended() {
            self.state = self.standing();
        }
    }

    /// Where a task that has not ended stands.
    fn standing(&self) -> State {
        let undecided = |step: &Step| {
            step.status == StepStatus::Started
                && matches!(step.kind, StepKind::Approval { .. })
                && self.decision(step.number).is_none()
        };
        if self.attention.is_some() {
            State::NeedsAttention
        } else if self.steps.iter().any(undecided) {
            State::WaitingApproval
        } else if self.totals.started == 0 {
            State::Queued
        } else {
            State::Running
        }
    }

    fn start(&mut self, started: &StepStarted, sequence: u64) {
        if let StepKind::Model { model } = &started.kind {
            self.totals.call = self.call_of(model);
            if self.last_model() != Some(model) {
                self.totals.attempts = 0;
            }
            if !self.tried.contains(model) {
                self.tried.push(model.clone());
            }
        }
        self.totals.started = started.step.saturating_add(1);
        self.trim();
        self.steps.push(Step {
            number: started.step,
            sequence,
            kind: started.kind.clone(),
            reserved: started.reserved,
            started_at: started.at,
            status: StepStatus::Started,
            billed: None,
        });
    }

    /// Lets go of an agent's early steps, many at a time.
    fn trim(&mut self) {
        let full = self.steps.len() >= STEPS_KEPT.saturating_mul(2);
        let are_concluded = |steps: &[Step]| steps.iter().all(|step| step.status != StepStatus::Started);
        if full && !self.is_plan() && self.steps.get(..STEPS_KEPT).is_some_and(are_concluded) {
            self.steps.drain(..STEPS_KEPT);
        }
    }

    fn finish(&mut self, finished: &StepFinished) {
        if self.open_step(finished.step).is_some_and(|step| step.release().is_some()) {
            // A person's leave is no answer, and what was tried before it still counts.
            return self.conclude(finished.step, StepStatus::Finished(Arc::new(finished.clone())));
        }
        self.totals.finished = self.totals.finished.saturating_add(1);
        self.totals.cost = self.totals.cost.plus(finished.cost);
        self.totals.usage = self.totals.usage.plus(finished.usage);
        self.totals.attempts = 0;
        self.arrived = Text::default();
        if let Some(StepKind::Signal { signal, .. }) = self.open_step(finished.step).map(|step| &step.kind) {
            let taken = self.signals.iter().position(|sent| sent.signal == *signal);
            let _signal = taken.map(|at| self.signals.remove(at));
        }
        self.conclude(finished.step, StepStatus::Finished(Arc::new(finished.clone())));
    }

    fn fail(&mut self, failed: &StepFailed) {
        self.totals.cost = self.totals.cost.plus(failed.cost).plus(failed.in_doubt);
        match failed.code.as_str() {
            IN_DOUBT => self.totals.in_doubt = self.totals.in_doubt.saturating_add(1),
            AGENT_ENDED => self.totals.agent_ended = self.totals.agent_ended.saturating_add(1),
            _ => {}
        }
        if let Some(arrived) = &failed.arrived {
            self.totals.usage = self.totals.usage.plus(arrived.usage);
            self.arrived = [self.arrived.expose(), arrived.text.expose()].concat().into();
        }
        match failed.then {
            Then::Again { .. } | Then::Elsewhere { .. } => {}
            Then::Retry { .. } | Then::Failover | Then::GiveUp | Then::Continue { .. } => {
                self.totals.attempts = self.totals.attempts.saturating_add(1);
            }
        }
        self.conclude(failed.step, StepStatus::Failed(Arc::new(failed.clone())));
    }

    fn conclude(&mut self, number: u32, status: StepStatus) {
        if let Some(step) = self.steps.iter_mut().rev().find(|known| known.number == number) {
            step.status = status;
        }
        self.decisions.retain(|decided| decided.step != number);
        self.retried_step = self.retried_step.filter(|retried| *retried != number);
        if self.attention.as_ref().is_some_and(|attention| attention.step == Some(number)) {
            self.attention = None;
        }
    }

    fn decide(&mut self, decided: &Decided) {
        if self.attention.as_ref().is_some_and(|attention| attention.step == Some(decided.step)) {
            self.attention = None;
        }
        self.decisions.push(Arc::new(decided.clone()));
    }

    fn attend(&mut self, needed: &AttentionNeeded) {
        let fault = Fault { code: needed.code.clone(), message: needed.message.clone() };
        self.attention = Some(Attention { step: needed.step, fault });
    }

    fn retry(&mut self) {
        self.retried_step = self.attention.take().and_then(|attention| attention.step);
        if self.state.has_ended() {
            self.ended_before = true;
            (self.state, self.fault, self.finished_at) = (State::Running, None, None);
            // Who wanted it to end before it failed has seen it end; who wants it retried does so since.
            self.cancel_requested_by = None;
        }
        self.retried_from = self.totals.started;
        self.totals = Totals { in_doubt: 0, agent_ended: 0, attempts: 0, ..self.totals };
    }

    fn reconcile(&mut self, reconciled: &Reconciled) {
        let Reconciled { step: number, was, cost, .. } = reconciled;
        self.totals.cost = self.totals.cost.minus(*was).plus(*cost);
        if let Some(step) = self.steps.iter_mut().rev().find(|step| step.number == *number) {
            // What of the step was known all along stays.
            step.billed = Some(step.cost().minus(*was).plus(*cost));
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

    /// Whether it is done by a plan.
    #[must_use]
    pub fn is_plan(&self) -> bool {
        self.order.worker == Worker::Orchestrator
    }

    /// A step that has started and not concluded.
    #[must_use]
    pub fn open_step(&self, number: u32) -> Option<&Step> {
        self.steps.iter().rev().find(|step| step.number == number).filter(|step| step.status == StepStatus::Started)
    }

    /// Whether it only waits: for a person, a signal or a time.
    #[must_use]
    pub fn rests(&self) -> bool {
        let mut open = self.steps.iter().filter(|step| step.status == StepStatus::Started).peekable();
        let waits = open.peek().is_some() && open.all(|step| step.kind.is_wait());
        waits || self.attention.is_some()
    }

    /// What a person decided about a step that has not concluded.
    #[must_use]
    pub fn decision(&self, number: u32) -> Option<&Arc<Decided>> {
        self.decisions.iter().find(|decided| decided.step == number)
    }

    /// The number of the step that would come next.
    #[must_use]
    pub fn next_step(&self) -> u32 {
        self.totals.started
    }

    /// What it cost so far, doubtful amounts included.
    #[must_use]
    pub fn cost(&self) -> Usd {
        self.totals.cost
    }

    /// Tokens used so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.totals.usage
    }

    /// The subtasks that have started and not concluded.
    #[must_use]
    pub fn open_children(&self) -> Vec<TaskId> {
        let open = self.steps.iter().filter(|step| step.status == StepStatus::Started);
        open.filter_map(|step| step.kind.child()).collect()
    }
}
