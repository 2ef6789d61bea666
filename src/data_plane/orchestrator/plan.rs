//! One plan from where its records leave it to its end: decide, write down, delegate and call, gather, again.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::Error;
use super::calling::{Calls, Started};
use super::conclusion::{CANCELLED, Conclusion, End, TOOL_IN_DOUBT};
use super::handle::Orchestrator;
use super::releasing::{Looked, asking};
use super::replay;
use super::state::{self, Next, Question, Rules, Stop};
use super::unit::{Unit, UnitWork};
use crate::control_plane::admission::WorkOrder;
use crate::control_plane::admission::submission::Target;
use crate::control_plane::template::Kind;
use crate::control_plane::template::plan::{OnFailure, Plan, Worker};
use crate::data_plane::agent::allowance::Allowance;
use crate::data_plane::agent::metrics;
use crate::data_plane::agent::pause::transient;
use crate::data_plane::agent::release::{consents, granted, kept_back};
use crate::data_plane::tool::Slot;
use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure;
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::domain::name::ToolName;
use crate::journal::record::{AttentionNeeded, Ended, Outcome, StepKind, StepStarted, TaskRecord};
use crate::journal::state::{StepStatus, Task};
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
    calls: Calls,
    /// Why the task's records are not a story of its plan, where they are not.
    diverged: Option<String>,
}

/// What a round waits for.
struct Waits {
    /// Subtasks.
    units: Vec<Unit>,
    /// Tools that have no slot for a unit now.
    crowded: BTreeSet<ToolName>,
    until: Option<Timestamp>,
    /// How many records the task had when the round was decided, and those that the round wrote to start its units: any
    /// further one calls for another decision.
    records: u64,
}

impl PlanRun {
    /// Takes an open task up; none if it has ended.
    pub(super) fn of(orchestrator: &Orchestrator, task: TaskId) -> Option<Self> {
        let custody = orchestrator.journal().take_up(task)?;
        let (submitted, calls) = (HashSet::new(), Calls::default());
        Some(Self { orchestrator: orchestrator.clone(), custody, submitted, calls, diverged: None })
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
        self.diverged = replay::divergence(&self.custody.task(), plan);
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
            let rules = Rules {
                plan,
                fan_out,
                is_submitted: &|child| self.submitted.contains(&child),
                is_called: &|step| self.calls.holds(step),
                diverged: self.diverged.as_deref(),
            };
            state::next(&task, &rules, Timestamp::now())
        };
        if !matches!(next, Next::Work { .. }) {
            // Nobody listens for slots meanwhile.
            self.calls.leave_queues();
        }
        match next {
            Next::End(outcome) => {
                self.end(outcome).await?;
                return Ok(true);
            }
            Next::Work { start, running, calls, until } => {
                let mut crowded = BTreeSet::new();
                let (started, again) = self.start(order, start, &mut crowded).await?;
                let until = until.into_iter().chain(again).min();
                let records = task.records.saturating_add(u64::try_from(started.len()).unwrap_or(u64::MAX));
                // What waits may be over already, and its time is known only now that it is written down.
                let waits = started.iter().any(Unit::waits);
                self.call_again(order, calls, &mut crowded);
                self.calls.give_back_slots();
                let units: Vec<Unit> =
                    running.into_iter().chain(started).filter(|unit| unit.child().is_some()).collect();
                for unit in &units {
                    self.delegate(order, unit).await?;
                }
                if !waits {
                    self.gather(Waits { units, crowded, until, records }).await?;
                }
            }
            // What somebody says at this moment may be what a step waits for: then its time is not over.
            Next::Conclude(conclusions) => self.write_as_seen(conclusions, task.records).await?,
            Next::Ask(question) => self.ask(question).await?,
            Next::Stop(stop) => self.stop(stop).await?,
        }
        Ok(false)
    }

    fn journal(&self) -> &Journal {
        self.orchestrator.journal()
    }

    /// Writes down that units start, all in one batch, before any of them does. A tool's call starts when it has its slot, so
    /// that a step which is open after a crash was at its tool, or about to be. Also tells when to look again at units that were
    /// left out because the filter could not say whether a person must be asked.
    async fn start(
        &mut self,
        order: &WorkOrder,
        units: Vec<Unit>,
        crowded: &mut BTreeSet<ToolName>,
    ) -> Result<(Vec<Unit>, Option<Timestamp>), Error> {
        let (environment, task) = (self.orchestrator.environment().clone(), self.custody.task());
        let Looked { units, entries, again } = asking(&environment, &task, order.order(), units).await;
        let tools = &self.orchestrator.environment().tools;
        let mut starting: Vec<(Unit, Option<Slot>)> = Vec::with_capacity(units.len());
        for unit in units {
            let slot = match &unit.work {
                UnitWork::Tool { tool, .. } => match self.calls.slot(tools, tool) {
                    Some(slot) => Some(slot),
                    None => {
                        crowded.insert(tool.clone());
                        continue;
                    }
                },
                UnitWork::Delegate { .. }
                | UnitWork::Timer { .. }
                | UnitWork::Approval { .. }
                | UnitWork::Release { .. }
                | UnitWork::Signal { .. } => None,
            };
            starting.push((unit, slot));
        }
        if starting.is_empty() {
            return Ok((Vec::new(), again));
        }
        let (at, first) = (Timestamp::now(), task.next_step());
        let records = (first..).zip(&starting).map(|(step, (unit, slot))| {
            let idempotent = slot.as_ref().is_some_and(|slot| tools.is_idempotent(slot.tool()));
            TaskRecord::StepStarted(StepStarted { step, kind: unit.kind(at, idempotent), reserved: Usd::ZERO, at })
        });
        self.journal().append(&self.custody, records.collect(), entries).await?;
        let mut started = Vec::with_capacity(starting.len());
        for (step, (unit, slot)) in (first..).zip(starting) {
            if let Some(slot) = slot {
                self.call(order, unit.clone(), step, slot);
            }
            started.push(unit);
        }
        Ok((started, again))
    }

    /// Makes calls of steps that started before again, under the same keys.
    fn call_again(&mut self, order: &WorkOrder, units: Vec<Unit>, crowded: &mut BTreeSet<ToolName>) {
        for unit in units {
            let UnitWork::Tool { tool, step: Some(step), .. } = &unit.work else { continue };
            match self.calls.slot(&self.orchestrator.environment().tools, tool) {
                Some(slot) => {
                    let step = *step;
                    self.call(order, unit, step, slot);
                }
                None => drop(crowded.insert(tool.clone())),
            }
        }
    }

    fn call(&mut self, order: &WorkOrder, unit: Unit, step: u32, slot: Slot) {
        let UnitWork::Tool { tool, input, key, .. } = &unit.work else { return };
        let (input, key) = (input.clone(), key.unwrap_or(step));
        let recorded = self.custody.task();
        let consents = consents(&granted(&recorded), tool.as_str());
        let idempotent = recorded.open_step(step).is_some_and(|step| match &step.kind {
            StepKind::Tool { idempotent, .. } => *idempotent,
            StepKind::Model { .. }
            | StepKind::Delegate { .. }
            | StepKind::Timer { .. }
            | StepKind::Approval { .. }
            | StepKind::Signal { .. } => false,
        });
        let started = Started { unit, step, key, input, consents, idempotent };
        self.calls.begin(self.orchestrator.environment(), order.order(), started, slot);
    }

    /// Submits a unit's subtask, unless that was done before. What is refused for a while is tried again in the next round.
    async fn delegate(&mut self, order: &WorkOrder, unit: &Unit) -> Result<(), Error> {
        let UnitWork::Delegate { child, worker, input: Some(input) } = &unit.work else { return Ok(()) };
        if open_step(&self.custody.task(), *child).is_none() {
            return Ok(());
        }
        if self.journal().task(*child).await?.is_some() {
            self.submitted.insert(*child);
            return Ok(());
        }
        if let Some(exceeded) = Allowance::of(&self.custody.task()).and_then(Allowance::used_up) {
            return self.conclude_child(unit, End::failed(exceeded.code(), exceeded.detail())).await;
        }
        let target = match worker {
            Worker::Template(name) => Target::Template(name.clone()),
            Worker::Capability(capability) => Target::Capability(capability.clone()),
        };
        let admission = &self.orchestrator.environment().admission;
        match admission.delegate(order, *child, &target, input.clone(), Timestamp::now()).await {
            Ok(ticket) => match self.orchestrator.submit(ticket).await {
                // A predecessor of this run is submitting it at this moment; the next round finds it.
                Ok(_) | Err(Error::Journal(journal::Error::Exists(_))) => Ok(()),
                Err(error) => Err(error),
            },
            Err(refusal) if transient(&refusal).is_some() => Ok(()),
            Err(refusal) => self.conclude_child(unit, End::failed(refusal.code(), refusal.detail())).await,
        }
    }

    /// Waits until a subtask ends, a call comes back, a time has come or somebody writes beside the story, and writes down what
    /// has ended.
    async fn gather(&mut self, waits: Waits) -> Result<(), Error> {
        let journal = self.journal().clone();
        let now = self.custody.task();
        let open = waits.units.iter().filter_map(|unit| Some((unit, unit.child()?)));
        let open = open.filter(|(_, child)| open_step(&now, *child).is_some());
        let mut ends: FuturesUnordered<_> = open.map(|(unit, child)| await_child(&journal, unit, child)).collect();
        let tools = self.orchestrator.environment().tools.clone();
        self.calls.queue_for(&tools, waits.crowded);
        let until = waits.until.into_iter().chain(now.order.ends_by()).min();
        let left = until.map_or(LOOK_AGAIN, |until| until.since(Timestamp::now()).min(LOOK_AGAIN));
        let Self { custody, calls, .. } = self;
        let (ended, returned) = tokio::select! {
            Some(ended) = ends.next() => (Some(ended), None),
            returned = calls.news() => (None, returned),
            () = custody.changed(waits.records) => (None, None),
            () = tokio::time::sleep(left) => (None, None),
        };
        drop(ends);
        if let Some(returned) = returned {
            return self.conclude_call(returned).await;
        }
        match ended {
            Some((unit, Ok(Some(child)))) if child.state.has_ended() => {
                self.conclude_child(unit, End::of(&child)).await
            }
            Some((_, Err(error))) => Err(error.into()),
            Some(_) | None => Ok(()),
        }
    }

    /// Ends what is open: steps that wait and calls that may not finish at once, subtasks as soon as they have been cancelled.
    async fn stop(&mut self, stop: Stop) -> Result<(), Error> {
        let Stop { children, cut, finishing } = stop;
        if finishing.is_empty() {
            self.calls.cut();
        }
        let task = self.custody.task();
        self.write(cut.into_iter().map(|step| cut_off(&task, step)).collect(), Batch::new()).await?;
        for child in &children {
            self.orchestrator.cancel_child(*child).await?;
        }
        for child in &children {
            let ended = self.journal().wait(*child, LOOK_AGAIN).await?;
            let end = match &ended {
                Some(child) if child.state.has_ended() => End::of(child),
                Some(_) => {
                    tokio::time::sleep(SUBMIT_AGAIN).await;
                    continue;
                }
                None => {
                    // What admission may have reserved for it has no task to end with.
                    self.orchestrator.environment().budget.close_task(*child);
                    End::failed(CANCELLED, "it was never submitted")
                }
            };
            let step = open_step(&self.custody.task(), *child);
            let ended = step.map(|step| Conclusion { step, end, skipped: None });
            self.write(ended.into_iter().collect(), Batch::new()).await?;
        }
        if children.is_empty() && !finishing.is_empty() {
            let Self { custody, calls, .. } = self;
            tokio::select! {
                returned = calls.returned() => return self.conclude_call(returned).await,
                () = custody.cancelled() => {}
            }
        }
        Ok(())
    }

    /// Writes down what a call came to. One of which nobody knows that is left open, and decided about in the next round.
    async fn conclude_call(&mut self, returned: super::calling::Returned) -> Result<(), Error> {
        let Some(end) = returned.end else { return Ok(()) };
        let (environment, task) = (self.orchestrator.environment(), self.custody.task());
        let with = kept_back(environment, &task.order, end.fault(), Timestamp::now());
        self.conclude(returned.step, &returned.unit, end, with).await
    }

    async fn conclude_child(&mut self, unit: &Unit, end: End) -> Result<(), Error> {
        let step = unit.child().and_then(|child| open_step(&self.custody.task(), child));
        match step {
            // What was kept back from a subtask is on record with that.
            Some(step) => self.conclude(step, unit, end, Batch::new()).await,
            None => Ok(()),
        }
    }

    async fn conclude(&mut self, step: u32, unit: &Unit, end: End, with: Batch) -> Result<(), Error> {
        let is_skipped = unit.on_failure == OnFailure::Skip && end.is_failure();
        let skipped = is_skipped.then(|| unit.name.clone());
        self.write(vec![Conclusion { step, end, skipped }], with).await
    }

    async fn write(&mut self, conclusions: Vec<Conclusion>, with: Batch) -> Result<(), Error> {
        let (steps, records) = told(conclusions);
        if records.is_empty() {
            return Ok(());
        }
        self.journal().append(&self.custody, records, with).await?;
        self.count(&steps);
        Ok(())
    }

    /// Writes conclusions down that follow from a task of so many records, and from no other: that nobody decided in time is not
    /// written behind a decision.
    async fn write_as_seen(&mut self, conclusions: Vec<Conclusion>, seen: u64) -> Result<(), Error> {
        let (steps, records) = told(conclusions);
        self.journal().append_to(&self.custody, seen, records, Batch::new()).await?;
        self.count(&steps);
        Ok(())
    }

    fn count(&mut self, steps: &[u32]) {
        let task = self.custody.task();
        steps.iter().for_each(|step| metrics::step(&task, *step, Duration::ZERO, None));
    }

    /// Has the task wait for a person.
    async fn ask(&mut self, question: Question) -> Result<(), Error> {
        let Question { step, code, message } = question;
        tracing::warn!(task = %self.custody.id(), code, "a task needs attention");
        let needed = AttentionNeeded { step, code: code.to_owned(), message, at: Timestamp::now() };
        self.journal().append(&self.custody, vec![TaskRecord::AttentionNeeded(needed)], Batch::new()).await?;
        Ok(())
    }

    async fn end(&mut self, outcome: Outcome) -> Result<(), Error> {
        let ended = TaskRecord::Ended(Ended { outcome, at: Timestamp::now() });
        let (budget, task) = (self.orchestrator.environment().budget.clone(), self.custody.id());
        let close = move |_| budget.close_task(task);
        self.journal().append_then(&self.custody, vec![ended], Batch::new(), close).await?;
        metrics::task(&self.custody.task());
        Ok(())
    }
}

/// Waits for a subtask to end, or for the moment to submit it again where something was in the way for a while.
async fn await_child<'a>(
    journal: &Journal,
    unit: &'a Unit,
    child: TaskId,
) -> (&'a Unit, Result<Option<Arc<Task>>, journal::Error>) {
    let waited = journal.wait(child, LOOK_AGAIN).await;
    let has_ended = matches!(&waited, Ok(Some(child)) if child.state.has_ended());
    if !has_ended && waited.is_ok() {
        tokio::time::sleep(SUBMIT_AGAIN).await;
    }
    (unit, waited)
}

/// Which steps end, and the records of it.
fn told(conclusions: Vec<Conclusion>) -> (Vec<u32>, Vec<TaskRecord>) {
    let (at, steps) = (Timestamp::now(), conclusions.iter().map(|conclusion| conclusion.step).collect());
    (steps, conclusions.into_iter().flat_map(|end| end.into_records(at)).collect())
}

/// What a step comes to whose plan ends.
fn cut_off(task: &Task, step: u32) -> Conclusion {
    let is_call = task.open_step(step).is_some_and(|step| matches!(step.kind, StepKind::Tool { .. }));
    let end = if is_call {
        End::failed(TOOL_IN_DOUBT, "the plan ended during the call; nobody knows whether the tool did its work")
    } else {
        End::failed(CANCELLED, "the plan ended before what the step waits for")
    };
    Conclusion { step, end, skipped: None }
}

/// The number of a subtask's step, while that has not concluded.
fn open_step(task: &Task, wanted: TaskId) -> Option<u32> {
    task.steps.iter().find_map(|step| match (&step.kind, &step.status) {
        (StepKind::Delegate { child, .. }, StepStatus::Started) if *child == wanted => Some(step.number),
        _ => None,
    })
}
