//! One task from where its records leave it to its end: decide, write down, act, again.

use std::time::Duration;

use super::abandon::in_doubt;
use super::call::{self, Answer, Prepared};
use super::environment::Environment;
use super::memory::Memory;
use super::pause::transient;
use super::state::{self, Course, Next};
use super::{Error, metrics};
use crate::control_plane::admission::{WorkOrder, payer_of};
use crate::control_plane::budget::{self, Budget, Key, Payer, Reservation};
use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure;
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::domain::name::ModelRef;
use crate::journal::record::{Ended, Outcome, StepFailed, StepKind, StepStarted, TaskRecord, Then};
use crate::journal::state::{AGENT_ENDED, IN_DOUBT, Task};
use crate::journal::{self, Custody, Journal};
use crate::store::{Batch, Position};

/// A task in the hands of its agent.
pub(super) struct Turn {
    environment: Environment,
    custody: Custody,
}

/// What a call is made with.
struct Attempt<'a> {
    order: &'a WorkOrder,
    step: u32,
    model: ModelRef,
    began: tokio::time::Instant,
}

impl Turn {
    /// Takes an open task up; none if it has ended.
    pub(super) fn of(environment: &Environment, task: TaskId) -> Option<Self> {
        let custody = environment.journal.take_up(task)?;
        Some(Self { environment: environment.clone(), custody })
    }

    /// Brings the task to its end, or to where somebody else has taken it up.
    ///
    /// # Errors
    /// The journal failed; the task is still open, and whoever takes it up again goes on from its records.
    pub(super) async fn run(mut self) -> Result<(), Error> {
        match self.tell().await {
            Ok(()) | Err(Error::Journal(journal::Error::NotOpen(_))) => {
                self.environment.budget.close_task(self.custody.id());
                Ok(())
            }
            // A ghost stops without a word: the task, and what is held for it, are somebody else's.
            Err(Error::Journal(journal::Error::Fenced(_))) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn tell(&mut self) -> Result<(), Error> {
        // What a crash left open is booked first: that needs no template, and no template may keep it from being booked.
        while let Next::Doubt { step, reserved } =
            state::next(&self.custody.task(), Course { route: &[], answers: 1 }, Timestamp::now())
        {
            match self.doubt(step, reserved).await {
                // A ghost's last record came in between: look again.
                Err(Error::Journal(journal::Error::Superseded(_))) => {}
                doubted => doubted?,
            }
        }
        let Some(order) = self.restore().await? else { return Ok(()) };
        let memory = Memory::of(&self.environment, &order).await?;
        loop {
            let task = self.custody.task();
            if task.state.has_ended() {
                return Ok(());
            }
            let done = match state::next(&task, course(&order, &self.route(&order, &task)), Timestamp::now()) {
                Next::End(outcome) => self.end(outcome).await,
                Next::Doubt { step, reserved } => self.doubt(step, reserved).await,
                Next::Call { step, model, not_before } => self.step(&order, &memory, step, model, not_before).await,
            };
            match done {
                // Somebody wrote beside the story, a cancellation for instance: decide again.
                Err(Error::Journal(journal::Error::Superseded(_))) | Ok(()) => {}
                Err(Error::Journal(full @ journal::Error::Full(_))) => {
                    self.end(Outcome::failed(full.code(), &full.detail())).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The models of the route that were tried or can be called now; all of them where that is none, so that the failure names
    /// what is missing.
    fn route(&self, order: &WorkOrder, task: &Task) -> Vec<ModelRef> {
        let tried = |model: &ModelRef| task.tried.contains(model);
        let usable = |model: &ModelRef| self.environment.providers.usable(model).is_ok();
        let route: Vec<ModelRef> =
            order.route().iter().filter(|model| tried(model) || usable(model)).cloned().collect();
        if route.is_empty() { order.route().to_vec() } else { route }
    }

    fn journal(&self) -> &Journal {
        &self.environment.journal
    }

    /// The order as the data plane accepts it; none where the task ended instead.
    async fn restore(&mut self) -> Result<Option<WorkOrder>, Error> {
        loop {
            let stored = self.custody.task().order.clone();
            match self.environment.admission.restore(stored).await {
                Ok(order) => return Ok(Some(order)),
                Err(refusal) => match transient(&refusal) {
                    Some(pause) => self.pause(pause).await,
                    None => {
                        self.end(Outcome::failed(refusal.code(), &refusal.detail())).await?;
                        return Ok(None);
                    }
                },
            }
            if let Some(outcome) = state::interruption(&self.custody.task(), Timestamp::now()) {
                self.end(outcome).await?;
                return Ok(None);
            }
        }
    }

    /// Books a call that was cut off as spent: nobody here knows whether the provider bills it.
    async fn doubt(&self, step: u32, reserved: Usd) -> Result<(), Error> {
        let task = self.custody.task();
        let payer = payer_of(&task.order);
        let reservation = self.recorded(step, payer.clone(), reserved);
        let in_doubt = in_doubt(&self.environment.budget, &reservation).await;
        let at = Timestamp::now();
        let started_here = task.open_call().is_some_and(|call| call.started_at >= self.environment.started_at);
        let (code, message) = if started_here {
            (AGENT_ENDED, "the agent ended during the call; it is booked as spent")
        } else {
            (IN_DOUBT, "the daemon ended during the call; it is booked as spent")
        };
        let record = TaskRecord::StepFailed(StepFailed {
            step,
            code: code.to_owned(),
            message: message.to_owned(),
            in_doubt,
            then: Then::Again { after_ms: 0 },
            cost: Usd::ZERO,
            at,
        });
        let booked = Budget::book(&payer, in_doubt, at);
        let settle = self.settling(&reservation, in_doubt, at);
        self.journal().append_then(&self.custody, vec![record], booked, settle).await?;
        Ok(())
    }

    /// One model call, from its reservation to its result. What fails for a while is tried again by deciding again.
    async fn step(
        &mut self,
        order: &WorkOrder,
        memory: &Memory,
        step: u32,
        model: ModelRef,
        not_before: Timestamp,
    ) -> Result<(), Error> {
        let pause = not_before.since(Timestamp::now());
        if !pause.is_zero() {
            self.pause(pause).await;
            return Ok(());
        }
        let began = tokio::time::Instant::now();
        let attempt = Attempt { order, step, model, began };
        let key = Key { task: self.custody.id(), step };
        let last_answer = self.custody.task().last_answer().cloned();
        let prepared = match call::prepare(&self.environment, order, memory, last_answer, &attempt.model, key).await {
            Ok(prepared) => prepared,
            Err(refusal) => return self.refused(&refusal).await,
        };
        let reservation = match self.reserve(order, step, prepared.worst).await {
            Ok(reservation) => reservation,
            Err(refusal) => return self.refused(&refusal).await,
        };
        let started = TaskRecord::StepStarted(StepStarted {
            step,
            kind: StepKind::Model { model: attempt.model.clone() },
            reserved: reservation.amount(),
            at: Timestamp::now(),
        });
        // If this is refused, the reservation stays: it belongs to the step's number, whoever takes that.
        self.journal().append(&self.custody, vec![started], Batch::new()).await?;
        self.call(attempt, prepared, reservation).await
    }

    /// The call of a step that is durable as started.
    async fn call(&mut self, attempt: Attempt<'_>, prepared: Prepared, reservation: Reservation) -> Result<(), Error> {
        let reservation = match self.environment.budget.confirm(&reservation, Timestamp::now()).await {
            Ok(reservation) => reservation,
            Err(refusal) => {
                let then =
                    transient(&refusal).map_or(Then::GiveUp, |pause| Then::Again { after_ms: call::millis(pause) });
                let answer = Answer::refused(refusal.code(), refusal.detail(), then);
                return self.conclude(&attempt, &reservation, answer).await;
            }
        };
        let within = time_left(attempt.order);
        let answer =
            call::perform(&self.environment, attempt.order, prepared, &attempt.model, within, self.custody.cancelled());
        let answer = answer.await;
        self.conclude(&attempt, &reservation, answer).await
    }

    /// Takes the reservation that admission made for the first step if it is enough, or raises or makes one.
    async fn reserve(&self, order: &WorkOrder, step: u32, worst: Usd) -> Result<Reservation, budget::Error> {
        let held = if step == 0 { self.custody.task().reserved } else { Usd::ZERO };
        let at = Timestamp::now();
        if held > Usd::ZERO && held >= worst {
            let reservation = self.recorded(step, order.payer().clone(), held);
            return self.environment.budget.confirm(&reservation, at).await;
        }
        let key = Key { task: self.custody.id(), step };
        self.environment.budget.reserve(key, order.payer().clone(), worst, at).await
    }

    fn recorded(&self, step: u32, payer: Payer, amount: Usd) -> Reservation {
        Reservation::recorded(Key { task: self.custody.id(), step }, payer, amount)
    }

    /// Writes a step's result down, and with it the task's end where the result is its answer.
    async fn conclude(&self, attempt: &Attempt<'_>, reservation: &Reservation, answer: Answer) -> Result<(), Error> {
        let at = Timestamp::now();
        let spent = answer.spent(reservation.amount());
        let provider_time = answer.provider_time();
        let record = answer.into_record(attempt.step, reservation.amount(), at);
        let booked = Budget::book(attempt.order.payer(), spent, at);
        let mut after = Task::clone(&self.custody.task());
        after.evolve(&record);
        let mut records = vec![record];
        if let Next::End(outcome) = state::next(&after, course(attempt.order, &self.route(attempt.order, &after)), at) {
            records.push(TaskRecord::Ended(Ended { outcome, at }));
        }
        let ends = records.len() > 1;
        let settle = self.settling(reservation, spent, at);
        self.journal().append_then(&self.custody, records, booked, settle).await?;
        metrics::step(&self.custody.task(), attempt.step, attempt.began.elapsed(), provider_time);
        if ends {
            metrics::task(&self.custody.task());
        }
        Ok(())
    }

    /// A step was refused before it started: for a while, then it is decided again; or for good, then the task ends.
    async fn refused<F: Failure>(&mut self, refusal: &F) -> Result<(), Error> {
        match transient(refusal) {
            Some(pause) => {
                tracing::debug!(task = %self.custody.id(), code = refusal.code(), "a step waits");
                self.pause(pause).await;
                Ok(())
            }
            None => self.end(Outcome::failed(refusal.code(), &refusal.detail())).await,
        }
    }

    async fn end(&self, outcome: Outcome) -> Result<(), Error> {
        let ended = TaskRecord::Ended(Ended { outcome, at: Timestamp::now() });
        let (budget, task) = (self.environment.budget.clone(), self.custody.id());
        let close = move |_| budget.close_task(task);
        self.journal().append_then(&self.custody, vec![ended], Batch::new(), close).await?;
        metrics::task(&self.custody.task());
        Ok(())
    }

    /// Settles a reservation as soon as its step is durable: whoever hears of the step finds the money accounted for, also
    /// where this agent is gone by then.
    fn settling(&self, reservation: &Reservation, spent: Usd, at: Timestamp) -> impl FnOnce(Position) + Send + 'static {
        let (budget, reservation) = (self.environment.budget.clone(), reservation.clone());
        move |position| budget.settle(&reservation, spent, at, position)
    }

    /// Waits, but not beyond a cancellation or the deadline.
    async fn pause(&mut self, pause: Duration) {
        let left =
            self.custody.task().order.deadline.map_or(Duration::MAX, |deadline| deadline.since(Timestamp::now()));
        tokio::select! {
            () = tokio::time::sleep(pause.min(left)) => {}
            () = self.custody.cancelled() => {}
        }
    }
}

/// What its template says about how the task goes on.
fn course<'a>(order: &WorkOrder, route: &'a [ModelRef]) -> Course<'a> {
    Course { route, answers: order.template().refine.passes.saturating_add(1) }
}

fn time_left(order: &WorkOrder) -> Duration {
    let left = order.order().deadline.map(|deadline| deadline.since(Timestamp::now()));
    left.map_or(call::CALL_TIME_MAX, |left| left.min(call::CALL_TIME_MAX))
}
