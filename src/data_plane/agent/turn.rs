//! One task from where its records leave it to its end: decide, write down, act, again.

use std::sync::Arc;
use std::time::Duration;

use super::abandon::{abandon, in_doubt};
use super::allowance::Allowance;
use super::answer::Answer;
use super::call::{self, Asked, Call};
use super::environment::Environment;
use super::live::Line;
use super::memory::Memory;
use super::pause::transient;
use super::prompt::SoFar;
use super::race::Rival;
use super::release::{self, NotReady};
use super::state::{self, Course, Next};
use super::{Error, metrics};
use crate::control_plane::admission::{WorkOrder, payer_of};
use crate::control_plane::budget::{self, Key, Payer, Reservation};
use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure;
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::domain::name::ModelRef;
use crate::domain::usage::Usage;
use crate::journal::record::{
    Arrived, AttentionNeeded, Ended, Outcome, StepFailed, StepKind, StepStarted, TaskRecord, Then,
};
use crate::journal::state::{AGENT_ENDED, IN_DOUBT, Step, Task};
use crate::journal::{self, Custody, Journal};
use crate::store::{Batch, Position};

/// A task in the hands of its agent.
pub(super) struct Turn {
    pub(super) environment: Environment,
    pub(super) custody: Custody,
    /// Where the answer is told as it comes, if anybody wants that.
    line: Option<Arc<Line>>,
}

/// How long a result that is not yet written down may wait for the next step to be prepared.
const PREPARED_AHEAD_WITHIN: Duration = Duration::from_millis(5);

/// A call that was decided.
pub(super) struct Planned {
    pub(super) step: u32,
    pub(super) model: ModelRef,
}

/// A call that can be made as soon as its step is durable as started.
pub(super) struct Ready {
    pub(super) step: u32,
    pub(super) began: tokio::time::Instant,
    pub(super) call: Call,
    pub(super) reservation: Reservation,
}

impl Ready {
    fn started(&self) -> TaskRecord {
        TaskRecord::StepStarted(StepStarted {
            step: self.step,
            kind: StepKind::Model { model: self.call.model.clone() },
            reserved: self.reservation.amount(),
            at: Timestamp::now(),
        })
    }
}

/// A call that was made.
pub(super) struct Called {
    pub(super) step: u32,
    pub(super) began: tokio::time::Instant,
    pub(super) reservation: Reservation,
}

impl Turn {
    /// Takes an open task up; none if it has ended.
    pub(super) fn of(environment: &Environment, task: TaskId) -> Option<Self> {
        let custody = environment.journal.take_up(task)?;
        let line = custody.task().order.streamed.then(|| environment.live.line(task));
        Some(Self { environment: environment.clone(), custody, line })
    }

    /// Brings the task to its end, or to where somebody else has taken it up.
    ///
    /// # Errors
    /// The journal failed; the task is still open, and whoever takes it up again goes on from its records.
    pub(super) async fn run(mut self) -> Result<(), Error> {
        match self.tell().await {
            // Whoever ended the task has closed its account; what was reserved here since then is held in vain.
            Ok(()) | Err(Error::Journal(journal::Error::NotOpen(_))) => {
                let Self { environment, custody, .. } = self;
                environment.journal.while_ended(custody.id(), || environment.budget.close_task(custody.id())).await;
                Ok(())
            }
            // A ghost stops without a word: the task, and what is held for it, are somebody else's.
            Err(Error::Journal(journal::Error::Fenced(_))) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn tell(&mut self) -> Result<(), Error> {
        match self.make_first_call().await {
            // Somebody wrote beside the story: what there is of the call is booked below.
            Err(Error::Journal(journal::Error::Superseded(_))) | Ok(()) => {}
            Err(error) => return Err(error),
        }
        if self.custody.task().state.has_ended() {
            return Ok(());
        }
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
        let is_an_agents = |step: &Step| matches!(step.kind, StepKind::Model { .. }) || step.release().is_some();
        if !self.custody.task().steps.iter().all(is_an_agents) {
            return self.diverged().await;
        }
        let Some(order) = self.restore().await? else { return Ok(()) };
        let memory = Memory::of(&self.environment, &order).await?;
        loop {
            let task = self.custody.task();
            if task.state.has_ended() {
                return Ok(());
            }
            if task.attention.is_some() && state::interruption(&task, Timestamp::now()).is_none() {
                self.attend(&task).await;
                continue;
            }
            let done = match state::next(&task, course(&order, &self.route(&order, &task)), Timestamp::now()) {
                Next::End(outcome) => self.end(outcome).await,
                Next::Doubt { step, reserved } => self.doubt(step, reserved).await,
                Next::Call { step, model, not_before } => {
                    self.call_models(&order, &memory, Planned { step, model }, not_before).await
                }
                Next::Wait { until } => {
                    self.listen(&task, until).await;
                    Ok(())
                }
                Next::Settle(record) => self.settle(*record).await,
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

    /// The task's records tell of what no agent does: a person must look. Only an end can follow.
    async fn diverged(&mut self) -> Result<(), Error> {
        let message = "its records hold a step that no agent makes; cancel it, and submit it again";
        loop {
            let task = self.custody.task();
            if task.state.has_ended() {
                return Ok(());
            }
            if state::interruption(&task, Timestamp::now()).is_some() {
                abandon(&self.environment, self.custody.id(), state::REPLAY_DIVERGED, message).await?;
                return Ok(());
            }
            if task.attention.is_none() {
                let (code, message) = (state::REPLAY_DIVERGED.to_owned(), message.to_owned());
                let needed = AttentionNeeded { step: None, code, message, at: Timestamp::now() };
                let asked = vec![TaskRecord::AttentionNeeded(needed)];
                match self.journal().append(&self.custody, asked, Batch::new()).await {
                    Err(journal::Error::Superseded(_)) => {}
                    written => drop(written?),
                }
                continue;
            }
            let left = task.order.ends_by().map_or(Duration::MAX, |end| end.since(Timestamp::now()));
            tokio::select! {
                () = self.custody.changed(task.records) => {}
                () = tokio::time::sleep(left) => {}
            }
        }
    }

    /// The models of the route that were tried or can be called now; all of them where that is none, so that the failure names
    /// what is missing.
    pub(super) fn route(&self, order: &WorkOrder, task: &Task) -> Vec<ModelRef> {
        let tried = |model: &ModelRef| task.tried.contains(model);
        let usable = |model: &ModelRef| self.environment.providers.usable(model).is_ok();
        let route: Vec<ModelRef> =
            order.route().iter().filter(|model| tried(model) || usable(model)).cloned().collect();
        if route.is_empty() { order.route().to_vec() } else { route }
    }

    pub(super) fn journal(&self) -> &Journal {
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

    /// What an earlier agent of the task had said of the answer when it ended: the next one goes on from there.
    fn heard_before(&self, task: &Task) -> Option<Arrived> {
        let text = self.line.as_ref()?.beyond(task.arrived.expose());
        (!text.is_empty()).then(|| Arrived { text: text.into(), usage: Usage::default() })
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
            arrived: self.heard_before(&task),
        });
        let booked = self.environment.budget.book(&reservation, in_doubt, at);
        let settle = self.settling(&reservation, in_doubt, at);
        self.journal().append_then(&self.custody, vec![record], booked, settle).await?;
        metrics::step(&self.custody.task(), step, Duration::ZERO, None);
        Ok(())
    }

    /// One model call after the other, from its reservation to its result, for as long as the records of one leave nothing to
    /// do but the next. What fails for a while is tried again by deciding again.
    async fn call_models(
        &mut self,
        order: &WorkOrder,
        memory: &Memory,
        planned: Planned,
        not_before: Timestamp,
    ) -> Result<(), Error> {
        let pause = not_before.since(Timestamp::now());
        if !pause.is_zero() {
            self.pause(pause).await;
            return Ok(());
        }
        let ready = match self.prepare(order, memory, &self.custody.task(), planned).await {
            Ok(ready) => ready,
            Err(NotReady::Asks(step, release)) => return self.ask(step, *release).await,
            Err(NotReady::Withheld(refusal)) => return self.withhold(&refusal).await,
            Err(NotReady::Refused(refusal)) => return self.refused(refusal.as_ref()).await,
        };
        // If this is refused, the reservation stays: it belongs to the step's number, whoever takes that.
        self.journal().append(&self.custody, vec![ready.started()], Batch::new()).await?;
        let mut next = Some(ready);
        while let Some(ready) = next {
            next = self.call(order, memory, ready).await?;
        }
        Ok(())
    }

    /// Everything that a call needs before it may be written down as started.
    async fn prepare(
        &self,
        order: &WorkOrder,
        memory: &Memory,
        task: &Task,
        planned: Planned,
    ) -> Result<Ready, NotReady> {
        let (began, step) = (tokio::time::Instant::now(), planned.step);
        let (step, asked, model, prepared) = match self.suited(order, memory, task, planned).await {
            Ok(suited) => suited,
            Err((refusal, model)) => return Err(NotReady::of(refusal, step, &model)),
        };
        let rival = self.rival(order, memory, task, (asked.into_rival(&prepared), &model)).await;
        let call = Call { prepared, model, rival };
        let reserved = self.reserve(order, step, call.worst()).await;
        let reservation = reserved.map_err(NotReady::refused)?;
        Ok(Ready { step, began, call, reservation })
    }

    /// The route's next model, where the settings want it asked as well when this one lets wait.
    async fn rival(
        &self,
        order: &WorkOrder,
        memory: &Memory,
        task: &Task,
        (asked, first): (Asked, &ModelRef),
    ) -> Option<Rival> {
        let after = order.hedge_after()?;
        let route = self.route(order, task);
        let model = state::following(&route, first)?.clone();
        // One that cannot be asked is no reason not to ask the first.
        let prepared = call::prepare(&self.environment, order, memory, asked, &model).await.ok()?;
        Some(Rival { prepared, model, after })
    }

    /// What a call is about, which is named by this number among the task's.
    pub(super) fn asked(&self, task: &Task, call: u32) -> Asked {
        let so_far = SoFar { last_answer: task.last_answer().cloned(), arrived: task.arrived.clone() };
        let (allowance, granted) = (Allowance::of(task), release::granted(task));
        Asked { so_far, task: self.custody.id(), call, failed_attempts: 0, is_rival: false, allowance, granted }
    }

    /// The call of a step that is durable as started; and the next one, if that has become durable with its result.
    pub(super) async fn call(
        &mut self,
        order: &WorkOrder,
        memory: &Memory,
        ready: Ready,
    ) -> Result<Option<Ready>, Error> {
        let Ready { step, began, call, reservation } = ready;
        let confirmed = self.environment.budget.confirm(&reservation, Timestamp::now()).await;
        let (reservation, answer) = match confirmed {
            Ok(reservation) => {
                let within = time_left(order);
                let line = self.line.clone().filter(|_| is_last(order, &self.custody.task()));
                let stop = self.custody.cancelled();
                let answer = call::perform(&self.environment, order, call, within, stop, line).await;
                (reservation, answer)
            }
            Err(refusal) => {
                let then =
                    transient(&refusal).map_or(Then::GiveUp, |pause| Then::Again { after_ms: call::millis(pause) });
                (reservation, Answer::refused(refusal.code(), refusal.detail(), then))
            }
        };
        self.conclude(order, memory, Called { step, began, reservation }, answer).await
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

    pub(super) fn recorded(&self, step: u32, payer: Payer, amount: Usd) -> Reservation {
        Reservation::recorded(Key { task: self.custody.id(), step }, payer, amount)
    }

    /// Writes a step's result down, and with it what follows from it: the task's end where the result is its answer, or the start
    /// of the next step where nothing keeps that from starting at once.
    pub(super) async fn conclude(
        &self,
        order: &WorkOrder,
        memory: &Memory,
        called: Called,
        answer: Answer,
    ) -> Result<Option<Ready>, Error> {
        let at = Timestamp::now();
        let Called { step, began, reservation } = called;
        let (spent, provider_time) = (answer.spent(reservation.amount()), answer.provider_time());
        let kept_back = release::kept_back(&self.environment, order.order(), answer.failed(), at);
        let record = answer.into_record(step, reservation.amount(), &self.custody.task().arrived, at);
        let booked = self.environment.budget.book(&reservation, spent, at).and(kept_back);
        let mut after = Task::clone(&self.custody.task());
        after.evolve(&record);
        let mut records = vec![record];
        let (mut ready, mut ends): (Option<Ready>, bool) = (None, false);
        match state::next(&after, course(order, &self.route(order, &after)), at) {
            Next::End(outcome) => {
                records.push(TaskRecord::Ended(Ended { outcome, at }));
                ends = true;
            }
            Next::Call { step, model, not_before } if not_before <= at => {
                ready = self.prepare_ahead(order, memory, &after, Planned { step, model }).await;
            }
            Next::Call { .. } | Next::Doubt { .. } | Next::Wait { .. } | Next::Settle(_) => {}
        }
        let settle = self.settling(&reservation, spent, at);
        let (budget, task) = (self.environment.budget.clone(), self.custody.id());
        let then = move |position| {
            settle(position);
            if ends {
                budget.close_task(task);
            }
        };
        let start = ready.as_ref().map(Ready::started);
        self.journal().append_and_start(&self.custody, records, start, booked, then).await?;
        let task = self.custody.task();
        metrics::step(&task, step, began.elapsed(), provider_time);
        if ends {
            metrics::task(&task);
        }
        if let Some(unstarted) = ready.take_if(|ready| task.open_step(ready.step).is_none()) {
            // Somebody wants the task to end, or it is full: nobody else knows what is held for the step.
            self.environment.budget.release(&unstarted.reservation);
        }
        Ok(ready)
    }

    /// The next call, if it costs nothing and can be prepared in no time: a result that is there does not wait long to be written
    /// down, and no money is held for two steps at once, which others could be refused for. What keeps it from being prepared is
    /// found again by deciding again.
    async fn prepare_ahead(&self, order: &WorkOrder, memory: &Memory, after: &Task, planned: Planned) -> Option<Ready> {
        if !self.environment.prices.price(&planned.model).is_some_and(|price| price.is_free()) {
            return None;
        }
        let prepared = self.prepare(order, memory, after, planned);
        tokio::time::timeout(PREPARED_AHEAD_WITHIN, prepared).await.ok()?.ok()
    }

    /// A step was refused before it started: for a while, then it is decided again; or for good, then the task ends.
    async fn refused(&mut self, refusal: &(dyn Failure + Send + Sync)) -> Result<(), Error> {
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
        self.end_with(outcome, Batch::new()).await
    }

    /// As [`Self::end`], with whatever must become durable with it.
    pub(super) async fn end_with(&self, outcome: Outcome, with: Batch) -> Result<(), Error> {
        let ended = TaskRecord::Ended(Ended { outcome, at: Timestamp::now() });
        let (budget, task) = (self.environment.budget.clone(), self.custody.id());
        let close = move |_| budget.close_task(task);
        self.journal().append_then(&self.custody, vec![ended], with, close).await?;
        metrics::task(&self.custody.task());
        Ok(())
    }

    /// Settles a reservation as soon as its step is durable: whoever hears of the step finds the money accounted for, also
    /// where this agent is gone by then.
    pub(super) fn settling(
        &self,
        reservation: &Reservation,
        spent: Usd,
        at: Timestamp,
    ) -> impl FnOnce(Position) + Send + 'static {
        let (budget, reservation) = (self.environment.budget.clone(), reservation.clone());
        move |position| budget.settle(&reservation, spent, at, position)
    }
}

/// What its template says about how the task goes on.
fn course<'a>(order: &WorkOrder, route: &'a [ModelRef]) -> Course<'a> {
    Course { route, answers: order.template().refine.passes.saturating_add(1) }
}

/// Whether the present answer is the task's, and not one to be refined.
fn is_last(order: &WorkOrder, task: &Task) -> bool {
    task.totals.finished >= order.template().refine.passes
}

fn time_left(order: &WorkOrder) -> Duration {
    let left = order.order().ends_by().map(|end| end.since(Timestamp::now()));
    left.map_or(call::CALL_TIME_MAX, |left| left.min(call::CALL_TIME_MAX))
}
