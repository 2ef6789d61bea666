//! One plan from where its records leave it to its end: decide, write down, delegate, gather, again.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::watch;

use super::Error;
use super::handle::Orchestrator;
use super::state::{self, Next, Unit};
use crate::control_plane::admission::WorkOrder;
use crate::control_plane::admission::submission::Target;
use crate::control_plane::template::Kind;
use crate::control_plane::template::plan::{OnFailure, Plan, Worker};
use crate::data_plane::agent::metrics;
use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure;
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::domain::private::Text;
use crate::journal::record::{
    Ended, Outcome, StepFailed, StepFinished, StepKind, StepSkipped, StepStarted, TaskRecord, Then,
};
use crate::journal::state::{State, StepStatus, Task};
use crate::journal::{self, Journal};
use crate::store::Batch;

/// The longest wait for a subtask before the plan looks at its records again.
const LOOK_AGAIN: Duration = Duration::from_secs(3_600);

/// A plan in the hands of its orchestrator.
pub(super) struct PlanRun {
    orchestrator: Orchestrator,
    task: TaskId,
    following: watch::Receiver<Arc<Task>>,
}

impl PlanRun {
    /// Takes an open task up; none if it has ended.
    pub(super) fn of(orchestrator: &Orchestrator, task: TaskId) -> Option<Self> {
        let following = orchestrator.journal().watch(task)?;
        Some(Self { orchestrator: orchestrator.clone(), task, following })
    }

    /// Brings the plan to its end.
    ///
    /// # Errors
    /// The journal failed; the task is still open, and whoever takes it up again goes on from its records.
    pub(super) async fn run(mut self) -> Result<(), Error> {
        let stored = self.now().order.clone();
        let order = match self.orchestrator.environment().admission.restore(stored).await {
            Ok(order) => order,
            Err(refusal) => return self.end(failed(refusal.code(), &refusal.detail())).await,
        };
        let template = Arc::clone(order.template());
        let Kind::Orchestrator(plan) = &template.kind else {
            return self.end(failed("template_not_an_orchestrator", "the template has no plan")).await;
        };
        loop {
            let done = self.go_on(&order, plan, template.limits.fan_out).await;
            match done {
                Ok(true) => break,
                // Somebody else wrote first, a cancellation for instance: decide again.
                Ok(false) | Err(Error::Journal(journal::Error::Superseded(_))) => {}
                Err(Error::Journal(journal::Error::NotOpen(_))) => break,
                Err(error) => return Err(error),
            }
        }
        self.orchestrator.environment().budget.close_task(self.task);
        Ok(())
    }

    /// One round; true when the task has ended.
    async fn go_on(&mut self, order: &WorkOrder, plan: &Plan, fan_out: u32) -> Result<bool, Error> {
        let task = self.now();
        if task.state.has_ended() {
            return Ok(true);
        }
        match state::next(&task, plan, fan_out, Timestamp::now()) {
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

    fn now(&self) -> Arc<Task> {
        self.following.borrow().clone()
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
        let records = (self.now().next_step()..).zip(units).map(|(step, unit)| {
            let kind = StepKind::Delegate { name: unit.name.clone(), child: unit.child };
            TaskRecord::StepStarted(StepStarted { step, kind, reserved: Usd::ZERO, at })
        });
        self.journal().append(self.task, records.collect(), Batch::new()).await?;
        Ok(())
    }

    /// Submits a unit's subtask, unless that was done before.
    async fn delegate(&self, order: &WorkOrder, unit: &Unit) -> Result<(), Error> {
        if self.journal().task(unit.child).await?.is_some() {
            return Ok(());
        }
        let target = match &unit.worker {
            Worker::Template(name) => Target::Template(name.clone()),
            Worker::Capability(capability) => Target::Capability(capability.clone()),
        };
        let admission = &self.orchestrator.environment().admission;
        let ticket = admission.delegate(order, unit.child, &target, unit.input.clone(), Timestamp::now()).await;
        match ticket {
            Ok(ticket) => self.orchestrator.submit(ticket).await.map(|_| ()),
            Err(refusal) => self.conclude(unit, Conclusion::failed(refusal.code(), &refusal.detail())).await,
        }
    }

    /// Waits until a subtask ends, or somebody asks for the end of the whole, and writes down what has ended.
    async fn gather(&mut self, units: &[Unit]) -> Result<(), Error> {
        let journal = self.journal().clone();
        let now = self.now();
        let open = units.iter().filter(|unit| is_open(&now, unit.child));
        let mut ends: FuturesUnordered<_> = open
            .map(|unit| {
                let journal = journal.clone();
                async move { (unit, journal.wait(unit.child, LOOK_AGAIN).await) }
            })
            .collect();
        let left = now.order.deadline.map_or(LOOK_AGAIN, |deadline| deadline.since(Timestamp::now()));
        let ended = tokio::select! {
            ended = ends.next() => ended,
            () = asked_to_end(&mut self.following) => None,
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

    /// Cancels the subtasks that run and waits for the first of them to end.
    async fn stop(&self, children: &[TaskId]) -> Result<(), Error> {
        for child in children {
            match self.orchestrator.cancel(*child, "its parent").await {
                Ok(_) | Err(Error::Journal(journal::Error::NotOpen(_) | journal::Error::Superseded(_))) => {}
                Err(error) => return Err(error),
            }
        }
        for child in children {
            let ended = self.journal().wait(*child, LOOK_AGAIN).await?;
            let conclusion = match &ended {
                Some(child) if child.state.has_ended() => Conclusion::of(child),
                Some(_) => continue,
                None => Conclusion::failed("cancelled", "it was never submitted"),
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
        let Some(step) = open_step(&self.now(), child) else { return Ok(()) };
        let mut records = vec![conclusion.into_record(step, at)];
        records.extend(skipped.map(|name| {
            TaskRecord::StepSkipped(StepSkipped {
                name,
                reason: "it failed, and the plan goes on without it".to_owned(),
                at,
            })
        }));
        self.journal().append(self.task, records, Batch::new()).await?;
        metrics::step(&self.now(), step, Duration::ZERO, None);
        Ok(())
    }

    async fn end(&self, outcome: Outcome) -> Result<(), Error> {
        let ended = TaskRecord::Ended(Ended { outcome, at: Timestamp::now() });
        self.journal().append(self.task, vec![ended], Batch::new()).await?;
        metrics::task(&self.now());
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

/// Returns once somebody has asked for the task's end.
async fn asked_to_end(following: &mut watch::Receiver<Arc<Task>>) {
    if following.wait_for(|task| task.cancel_requested_by.is_some()).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn failed(code: &str, message: &str) -> Outcome {
    Outcome::Failed { code: code.to_owned(), message: message.to_owned() }
}
