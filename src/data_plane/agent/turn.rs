//! One task from where its records leave it to its end: decide, write down, act, again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::call::{self, Answer};
use super::environment::Environment;
use super::memory::Memory;
use super::state::{self, Next};
use super::{Error, metrics};
use crate::control_plane::admission::WorkOrder;
use crate::control_plane::budget::{Budget, Key, Reservation};
use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure;
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::domain::name::ModelRef;
use crate::journal::record::{Ended, Outcome, StepFailed, StepKind, StepStarted, TaskRecord, Then};
use crate::journal::state::Task;
use crate::journal::{self, Journal};
use crate::store::{Batch, Position};

/// A task in the hands of its agent.
pub(super) struct Turn {
    environment: Environment,
    task: TaskId,
    following: watch::Receiver<Arc<Task>>,
}

impl Turn {
    /// Takes an open task up; none if it has ended.
    pub(super) fn of(environment: &Environment, task: TaskId) -> Option<Self> {
        let following = environment.journal.watch(task)?;
        Some(Self { environment: environment.clone(), task, following })
    }

    /// Brings the task to its end.
    ///
    /// # Errors
    /// The journal failed; the task is still open, and whoever takes it up again goes on from its records.
    pub(super) async fn run(mut self) -> Result<(), Error> {
        let stored = self.now().order.clone();
        let order = match self.environment.admission.restore(stored).await {
            Ok(order) => order,
            Err(refusal) => return self.end(failed(refusal.code(), &refusal.detail()), Batch::new()).await,
        };
        let memory = Memory::of(&self.environment, &order).await?;
        loop {
            let task = self.now();
            let next = if task.state.has_ended() { break } else { state::next(&task, order.route(), Timestamp::now()) };
            let done = match next {
                Next::End(outcome) => self.end(outcome, Batch::new()).await,
                Next::Doubt { step, reserved } => self.doubt(&order, step, reserved).await,
                Next::Call { step, model, not_before } => self.step(&order, &memory, step, model, not_before).await,
            };
            match done {
                // Somebody else wrote first, a cancellation for instance: decide again.
                Err(Error::Journal(journal::Error::Superseded(_))) | Ok(()) => {}
                Err(Error::Journal(journal::Error::NotOpen(_))) => break,
                Err(error) => return Err(error),
            }
        }
        self.environment.budget.close_task(self.task);
        Ok(())
    }

    fn now(&self) -> Arc<Task> {
        self.following.borrow().clone()
    }

    fn journal(&self) -> &Journal {
        &self.environment.journal
    }

    /// Books a call that a crash cut off as spent: nobody here knows whether the provider bills it.
    async fn doubt(&self, order: &WorkOrder, step: u32, reserved: Usd) -> Result<(), Error> {
        let at = Timestamp::now();
        let record = TaskRecord::StepFailed(StepFailed {
            step,
            code: state::IN_DOUBT.to_owned(),
            message: "the daemon or the agent ended during the call; it is booked as spent".to_owned(),
            in_doubt: reserved,
            then: Then::Retry { after_ms: 0 },
            cost: Usd::ZERO,
            at,
        });
        let booked = Budget::book(order.payer(), reserved, at);
        let reservation = Reservation::recorded(self.key(step), order.payer().clone(), reserved);
        self.journal().append_then(self.task, vec![record], booked, self.settling(&reservation, reserved, at)).await?;
        Ok(())
    }

    /// One model call, from its reservation to its result.
    async fn step(
        &mut self,
        order: &WorkOrder,
        memory: &Memory,
        step: u32,
        model: ModelRef,
        not_before: Timestamp,
    ) -> Result<(), Error> {
        if !self.pause_until(not_before).await {
            return Ok(());
        }
        let began = tokio::time::Instant::now();
        let prepared = match call::prepare(&self.environment, order, memory, &model, self.key(step)).await {
            Ok(prepared) => prepared,
            Err(refusal) => return self.give_up(order, step, refusal.code(), &refusal.detail()).await,
        };
        let reservation = match self.reserve(order, step, prepared.worst).await {
            Ok(reservation) => reservation,
            Err(refusal) => return self.end(failed(refusal.code(), &refusal.detail()), Batch::new()).await,
        };
        let started = TaskRecord::StepStarted(StepStarted {
            step,
            kind: StepKind::Model { model: model.clone() },
            reserved: reservation.amount(),
            at: Timestamp::now(),
        });
        if let Err(error) = self.journal().append(self.task, vec![started], Batch::new()).await {
            self.environment.budget.release(&reservation);
            return Err(error.into());
        }
        let reservation = match self.environment.budget.confirm(&reservation, Timestamp::now()).await {
            Ok(reservation) => reservation,
            Err(refusal) => {
                let answer = Answer::refused(refusal.code(), refusal.detail());
                return self.conclude(order, step, &reservation, answer, began).await;
            }
        };
        let within = self.time_left(order);
        let answer = tokio::select! {
            answer = call::perform(&self.environment, order, prepared, &model, within) => answer,
            () = cancelled(&mut self.following) => Answer::abandoned("cancelled", "the task was cancelled during the call"),
            () = tokio::time::sleep(within) => Answer::abandoned(state::DEADLINE_EXCEEDED, "the deadline passed during the call"),
        };
        self.conclude(order, step, &reservation, answer, began).await
    }

    /// Takes the reservation that admission made for the first step if it is enough, or raises or makes one.
    async fn reserve(
        &self,
        order: &WorkOrder,
        step: u32,
        worst: Usd,
    ) -> Result<Reservation, crate::control_plane::budget::Error> {
        let held = if step == 0 { self.now().reserved } else { Usd::ZERO };
        let key = self.key(step);
        if held > Usd::ZERO && held >= worst {
            let reservation = Reservation::recorded(key, order.payer().clone(), held);
            return self.environment.budget.confirm(&reservation, Timestamp::now()).await;
        }
        self.environment.budget.reserve(key, order.payer().clone(), worst, Timestamp::now()).await
    }

    /// Writes a step's result down, and with it the task's end where the result is its answer.
    async fn conclude(
        &self,
        order: &WorkOrder,
        step: u32,
        reservation: &Reservation,
        answer: Answer,
        began: tokio::time::Instant,
    ) -> Result<(), Error> {
        let at = Timestamp::now();
        let spent = answer.spent(reservation.amount());
        let provider_time = answer.provider_time();
        let record = answer.into_record(step, reservation.amount(), at);
        let booked = Budget::book(order.payer(), spent, at);
        let mut after = Task::clone(&self.now());
        after.evolve(&record);
        let mut records = vec![record.clone()];
        if let Next::End(outcome) = state::next(&after, order.route(), at) {
            records.push(TaskRecord::Ended(Ended { outcome, at }));
        }
        let settling = || self.settling(reservation, spent, at);
        match self.journal().append_then(self.task, records.clone(), booked.clone(), settling()).await {
            Err(journal::Error::Superseded(_)) if records.len() > 1 => {
                // A cancellation came in between: the step's result stands, the end is decided again.
                records.truncate(1);
                self.journal().append_then(self.task, vec![record], booked, settling()).await?;
            }
            written => {
                written?;
            }
        }
        metrics::step(&self.now(), step, began.elapsed(), provider_time);
        if records.len() > 1 {
            metrics::task(&self.now());
        }
        Ok(())
    }

    /// Ends the task over a step that could not even be prepared.
    async fn give_up(&self, order: &WorkOrder, step: u32, code: &str, detail: &str) -> Result<(), Error> {
        if step == 0 {
            let held = Reservation::recorded(self.key(0), order.payer().clone(), self.now().reserved);
            self.environment.budget.release(&held);
        }
        self.end(failed(code, detail), Batch::new()).await
    }

    async fn end(&self, outcome: Outcome, with: Batch) -> Result<(), Error> {
        let ended = TaskRecord::Ended(Ended { outcome, at: Timestamp::now() });
        let before = self.now();
        let payer = crate::control_plane::admission::payer_of(&before.order);
        let held = Reservation::recorded(self.key(0), payer, before.reserved);
        let budget = self.environment.budget.clone();
        let release = move |_| {
            if before.steps.is_empty() {
                // No step used what admission held for the first one.
                budget.release(&held);
            }
        };
        self.journal().append_then(self.task, vec![ended], with, release).await?;
        metrics::task(&self.now());
        Ok(())
    }

    /// Settles a reservation as soon as its step is durable: whoever hears of the step finds the money accounted for, also
    /// where this agent is gone by then.
    fn settling(&self, reservation: &Reservation, spent: Usd, at: Timestamp) -> impl FnOnce(Position) + Send + 'static {
        let (budget, reservation) = (self.environment.budget.clone(), reservation.clone());
        move |position| budget.settle(&reservation, spent, at, position)
    }

    /// Waits until a time; false if the task was cancelled meanwhile.
    async fn pause_until(&mut self, not_before: Timestamp) -> bool {
        let pause = not_before.since(Timestamp::now());
        if pause.is_zero() {
            return true;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => true,
            () = cancelled(&mut self.following) => false,
        }
    }

    fn time_left(&self, order: &WorkOrder) -> Duration {
        order
            .order()
            .deadline
            .map_or(call::CALL_TIME_MAX, |deadline| deadline.since(Timestamp::now()).min(call::CALL_TIME_MAX))
    }

    fn key(&self, step: u32) -> Key {
        Key { task: self.task, step }
    }
}

/// Returns once somebody has asked for the task's end.
async fn cancelled(following: &mut watch::Receiver<Arc<Task>>) {
    if following.wait_for(|task| task.cancel_requested_by.is_some()).await.is_err() {
        // The task left the journal's memory because it ended; nobody can cancel it any more.
        std::future::pending::<()>().await;
    }
}

fn failed(code: &str, message: &str) -> Outcome {
    Outcome::Failed { code: code.to_owned(), message: message.to_owned() }
}
