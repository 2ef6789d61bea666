//! One plan from where its records leave it to its end: decide, write down, delegate, gather, again.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::Error;
use super::handle::Orchestrator;
use super::state::{self, Next, Rules, Unit};
use crate::control_plane::admission::WorkOrder;
use crate::control_plane::admission::submission::Target;
use crate::control_plane::template::Kind;
use crate::control_plane::template::plan::{OnFailure, Plan, Worker};
use crate::data_plane::agent::metrics;
use crate::data_plane::agent::pause::transient;
use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure;
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::domain::private::Text;
use crate::journal::record::{
    Ended, Outcome, StepFailed, StepFinished, StepKind, StepSkipped, StepStarted, TaskRecord, Then,
};
use crate::journal::state::{State, StepStatus, Task};
use crate::journal::{self, Custody, Journal};
use crate::store::Batch;
use futures::stream::{FuturesUnordered, StreamExt};

/// How long a subtask that could not be submitted waits for the next attempt.
const SUBMIT_AGAIN: Duration = Duration::from_secs(1);
/// The longest wait for a subtask before the plan looks at its records again.
const LOOK_AGAIN: Duration = Duration::from_secs(3_600);

/// A plan in the hands of its orchestrator.
pub(super) struct PlanRun {
    orchestrator: Orchestrator,
    custody: Custody,
    /// Subtasks that are known to have been submitted.
    submitted: HashSet<TaskId>,
}

impl PlanRun {
    /// Takes an open task up; none if it has ended.
    pub(super) fn of(orchestrator: &Orchestrator, task: TaskId) -> Option<Self> {
        let custody = orchestrator.journal().take_up(task)?;
        Some(Self { orchestrator: orchestrator.clone(), custody, submitted: HashSet::new() })
    }

    /// Brings the plan to its end, or to where somebody else has taken it up.
    ///
    /// # Errors
    /// The journal failed; the task is still open, and whoever takes it up again goes on from its records.
    pub(super) async fn run(mut self) -> Result<(), Error> {
        match self.tell().await {
            // Whoever ended the task has closed its account; what was reserved since then is held in vain.
            Ok(()) | Err(Error::Journal(journal::Error::NotOpen(_))) => {
                let (id, budget) = (self.custody.id(), &self.orchestrator.environment().budget);
                self.journal().while_ended(id, || budget.close_task(id)).await;
                Ok(())
            }
            // A ghost stops without a word: the task is somebody else's.
            Err(Error::Journal(journal::Error::Fenced(_))) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn tell(&mut self) -> Result<(), Error> {
        let order = loop {
            let stored = self.custody.task().order.clone();
            match self.orchestrator.environment().admission.restore(stored).await {
                Ok(order) => break order,
                Err(refusal) => match transient(&refusal) {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => {
                        return self.orchestrator.abandon(self.custody.id(), refusal.code(), &refusal.detail()).await;
                    }
                },
            }
        };
        let template = Arc::clone(order.template());
        let Kind::Orchestrator(plan) = &template.kind else {
            let message = "its template has no plan";
            return self.orchestrator.abandon(self.custody.id(), "template_not_an_orchestrator", message).await;
        };
        loop {
            match self.go_on(&order, plan, template.limits.fan_out).await {
                Ok(true) => return Ok(()),
                // Somebody wrote beside the story, a cancellation for instance: decide again.
                Ok(false) | Err(Error::Journal(journal::Error::Superseded(_))) => {}
                Err(Error::Journal(full @ journal::Error::Full(_))) => {
                    return self.orchestrator.abandon(self.custody.id(), full.code(), &full.detail()).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// One round; true when the task has ended.
    async fn go_on(&mut self, order: &WorkOrder, plan: &Plan, fan_out: u32) -> Result<bool, Error> {
        let task = self.custody.task();
        if task.state.has_ended() {
            return Ok(true);
        }
        let next = {
            let is_submitted = |child| self.submitted.contains(&child);
            state::next(&task, &Rules { plan, fan_out, is_submitted: &is_submitted }, Timestamp::now())
        };
        match next {
            Next::End(outcome) => {
                self.end(outcome).await?;
                return Ok(true);
            }
            Next::Work { start, running } => {
                self.start(&start).await?;
                let units: Vec<Unit> = running.into_iter().chain(start).collect();
                for unit in &units {
                    self.delegate(order, unit).await?;
                }
                self.gather(&units).await?;
            }
            Next::Stop(children) => self.stop(&children).await?,
        }
        Ok(false)
    }

    fn journal(&self) -> &Journal {
        self.orchestrator.journal()
    }

    /// Writes down that units start, all in one batch, before any of them does.
    async fn start(&self, units: &[Unit]) -> Result<(), Error> {
        if units.is_empty() {
            return Ok(());
        }
        let at = Timestamp::now();
        let records = (self.custody.task().next_step()..).zip(units).map(|(step, unit)| {
            let kind = StepKind::Delegate { name: unit.name.clone(), child: unit.child };
            TaskRecord::StepStarted(StepStarted { step, kind, reserved: Usd::ZERO, at })
        });
        self.journal().append(&self.custody, records.collect(), Batch::new()).await?;
        Ok(())
    }

    /// Submits a unit's subtask, unless that was done before. What is refused for a while is tried again in the next round.
    async fn delegate(&mut self, order: &WorkOrder, unit: &Unit) -> Result<(), Error> {
        let Some(input) = unit.input.clone().filter(|_| is_open(&self.custody.task(), unit.child)) else {
            return Ok(());
        };
        if self.journal().task(unit.child).await?.is_some() {
            self.submitted.insert(unit.child);
            return Ok(());
        }
        let target = match &unit.worker {
            Worker::Template(name) => Target::Template(name.clone()),
            Worker::Capability(capability) => Target::Capability(capability.clone()),
        };
        let admission = &self.orchestrator.environment().admission;
        match admission.delegate(order, unit.child, &target, input, Timestamp::now()).await {
            Ok(ticket) => match self.orchestrator.submit(ticket).await {
                // A predecessor of this run is submitting it at this moment; the next round finds it.
                Ok(_) | Err(Error::Journal(journal::Error::Exists(_))) => Ok(()),
                Err(error) => Err(error),
            },
            Err(refusal) if transient(&refusal).is_some() => Ok(()),
            Err(refusal) => self.conclude(unit, Conclusion::failed(refusal.code(), &refusal.detail())).await,
        }
    }

    /// Waits until a subtask ends, or somebody asks for the end of the whole, and writes down what has ended.
    async fn gather(&mut self, units: &[Unit]) -> Result<(), Error> {
        let journal = self.journal().clone();
        let now = self.custody.task();
        let open = units.iter().filter(|unit| is_open(&now, unit.child));
        let mut ends: FuturesUnordered<_> = open
            .map(|unit| {
                let journal = journal.clone();
                async move {
                    let waited = journal.wait(unit.child, LOOK_AGAIN).await;
                    let has_ended = matches!(&waited, Ok(Some(child)) if child.state.has_ended());
                    if !has_ended && waited.is_ok() {
                        // It is not submitted yet: something was in the way for a while.
                        tokio::time::sleep(SUBMIT_AGAIN).await;
                    }
                    (unit, waited)
                }
            })
            .collect();
        let left = now.order.deadline.map_or(LOOK_AGAIN, |deadline| deadline.since(Timestamp::now()));
        let ended = tokio::select! {
            ended = ends.next() => ended,
            () = self.custody.cancelled() => None,
            () = tokio::time::sleep(left) => None,
        };
        drop(ends);
        match ended {
            Some((unit, Ok(Some(child)))) if child.state.has_ended() => {
                self.conclude(unit, Conclusion::of(&child)).await
            }
            Some((_, Err(error))) => Err(error.into()),
            Some(_) | None => Ok(()),
        }
    }

    /// Cancels the subtasks that run, waits for them to end, and writes down what they came to.
    async fn stop(&self, children: &[TaskId]) -> Result<(), Error> {
        for child in children {
            self.orchestrator.cancel_child(*child).await?;
        }
        for child in children {
            let ended = self.journal().wait(*child, LOOK_AGAIN).await?;
            let conclusion = match &ended {
                Some(child) if child.state.has_ended() => Conclusion::of(child),
                Some(_) => {
                    tokio::time::sleep(SUBMIT_AGAIN).await;
                    continue;
                }
                None => {
                    // What admission may have reserved for it has no task to end with.
                    self.orchestrator.environment().budget.close_task(*child);
                    Conclusion::failed("cancelled", "it was never submitted")
                }
            };
            self.write(*child, conclusion, None).await?;
        }
        Ok(())
    }

    async fn conclude(&self, unit: &Unit, conclusion: Conclusion) -> Result<(), Error> {
        let skipped = unit.on_failure == OnFailure::Skip && matches!(conclusion, Conclusion::Failed { .. });
        self.write(unit.child, conclusion, skipped.then(|| unit.name.clone())).await
    }

    async fn write(&self, child: TaskId, conclusion: Conclusion, skipped: Option<String>) -> Result<(), Error> {
        let at = Timestamp::now();
        let Some(step) = open_step(&self.custody.task(), child) else { return Ok(()) };
        let mut records = vec![conclusion.into_record(step, at)];
        records.extend(skipped.map(|name| {
            TaskRecord::StepSkipped(StepSkipped {
                name,
                reason: "it failed, and the plan goes on without it".to_owned(),
                at,
            })
        }));
        self.journal().append(&self.custody, records, Batch::new()).await?;
        metrics::step(&self.custody.task(), step, Duration::ZERO, None);
        Ok(())
    }

    async fn end(&self, outcome: Outcome) -> Result<(), Error> {
        let ended = TaskRecord::Ended(Ended { outcome, at: Timestamp::now() });
        let (budget, task) = (self.orchestrator.environment().budget.clone(), self.custody.id());
        let close = move |_| budget.close_task(task);
        self.journal().append_then(&self.custody, vec![ended], Batch::new(), close).await?;
        metrics::task(&self.custody.task());
        Ok(())
    }
}

/// What became of a subtask, as its parent writes it down.
enum Conclusion {
    Finished { output: Text, usage: crate::domain::usage::Usage, cost: Usd },
    Failed { code: String, message: String, cost: Usd },
}

impl Conclusion {
    fn failed(code: &str, message: &str) -> Self {
        Self::Failed { code: code.to_owned(), message: message.to_owned(), cost: Usd::ZERO }
    }

    fn of(child: &Task) -> Self {
        let (cost, usage) = (child.cost(), child.usage());
        match (&child.output, &child.fault) {
            (Some(output), _) if child.state == State::Succeeded => {
                Self::Finished { output: output.clone(), usage, cost }
            }
            (_, Some(fault)) => Self::Failed { code: fault.code.clone(), message: fault.message.clone(), cost },
            (_, None) => {
                Self::Failed { code: "cancelled".to_owned(), message: "the subtask was cancelled".to_owned(), cost }
            }
        }
    }

    fn into_record(self, step: u32, at: Timestamp) -> TaskRecord {
        match self {
            Self::Finished { output, usage, cost } => {
                TaskRecord::StepFinished(StepFinished { step, output, usage, cost, notes: Vec::new(), at })
            }
            Self::Failed { code, message, cost } => {
                let (in_doubt, then) = (Usd::ZERO, Then::GiveUp);
                TaskRecord::StepFailed(StepFailed { step, code, message, in_doubt, then, cost, at })
            }
        }
    }
}

fn open_step(task: &Task, wanted: TaskId) -> Option<u32> {
    task.steps.iter().find_map(|step| match (&step.kind, &step.status) {
        (StepKind::Delegate { child, .. }, StepStatus::Started) if *child == wanted => Some(step.number),
        _ => None,
    })
}

fn is_open(task: &Task, child: TaskId) -> bool {
    open_step(task, child).is_some()
}
