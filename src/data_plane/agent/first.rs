//! The first call of a task whose agent is free: prepared before the task is durable, and durable with it in one commit.
//!
//! ```text
//! Ticket ─ mask ─ count ─ hold ─┤ Submitted + StepStarted durable ├─ whoever takes the task up first makes the call
//! ```
//!
//! INVARIANT I92: the call is made by whoever takes the task up first, and by nobody else: all others find a step of which nobody
//! knows what became, and book it as spent.

use std::sync::Arc;

use dashmap::DashMap;

use super::Error;
use super::allowance::Allowance;
use super::call::{self, Asked, Call};
use super::environment::Environment;
use super::memory::Memory;
use super::metrics;
use super::pause::transient;
use super::prompt::SoFar;
use super::state;
use super::turn::{Called, Ready, Turn};
use crate::control_plane::admission::{Ticket, WorkOrder, payer_of};
use crate::control_plane::budget::{Key, Reservation};
use crate::data_plane::provider;
use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure;
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::journal::record::{StepFailed, StepKind, StepStarted, TaskRecord, Then};

/// A call that is ready, on its way from the submission to the agent.
pub(crate) struct FirstCall {
    order: WorkOrder,
    call: Call,
    reservation: Reservation,
}

/// Calls on that way. Each is there from before its task is durable until somebody takes the task up.
#[derive(Default)]
pub struct FirstCalls(DashMap<TaskId, FirstCall>);

impl FirstCalls {
    pub(crate) fn put(&self, task: TaskId, first: FirstCall) {
        drop(self.0.insert(task, first));
    }

    pub(crate) fn take(&self, task: TaskId) -> Option<FirstCall> {
        self.0.remove(&task).map(|(_, first)| first)
    }
}

impl FirstCall {
    /// Makes everything ready for the first call of an admitted task, and holds what it may cost once its texts are masked. None
    /// where something stands in its way: then the agent finds out what.
    pub(crate) async fn prepare(environment: &Environment, ticket: &Ticket, at: Timestamp) -> Option<Self> {
        let (order, model) = (ticket.order.clone(), ticket.first.clone()?);
        let task = order.task();
        let (so_far, allowance, granted) = (SoFar::default(), Allowance::whole(order.order()), Arc::default());
        let asked = Asked { so_far, task, call: 0, failed_attempts: 0, is_rival: false, allowance, granted };
        // An agent of one task remembers nothing.
        let prepared = call::prepare(environment, &order, &Memory::default(), asked, &model).await.ok()?;
        let reservation = if prepared.worst > ticket.reservation.amount() {
            let key = Key { task, step: 0 };
            environment.budget.reserve(key, order.payer().clone(), prepared.worst, at).await.ok()?
        } else {
            ticket.reservation.clone()
        };
        Some(Self { order, call: Call { prepared, model, rival: None }, reservation })
    }

    /// The record that it is about to be made.
    pub(crate) fn started(&self, at: Timestamp) -> StepStarted {
        let kind = StepKind::Model { model: self.call.model.clone() };
        StepStarted { step: 0, kind, reserved: self.reservation.amount(), at }
    }

    /// What is held for it.
    pub(crate) fn reservation(&self) -> &Reservation {
        &self.reservation
    }
}

impl Turn {
    /// Makes the call, if this is who took the task up first. Whatever keeps it from being made concludes the step; what follows is
    /// decided as ever.
    pub(super) async fn make_first_call(&mut self) -> Result<(), Error> {
        let began = tokio::time::Instant::now();
        let handed = self.environment.first.take(self.custody.id());
        let task = self.custody.task();
        let Some(open) = task.open_call().filter(|_| self.custody.starts()) else { return Ok(()) };
        let (step, reserved) = (open.number, open.reserved);
        let Some(FirstCall { order, call, reservation }) = handed else {
            // It was dropped with the actors of its time, before anybody made it.
            let called = Called { step, began, reservation: self.recorded(step, payer_of(&task.order), reserved) };
            return self.conclude_unmade(called, &provider::Error::NotRunning).await;
        };
        if state::interruption(&task, Timestamp::now()).is_some() {
            let called = Called { step, began, reservation };
            return self.conclude_unmade(called, &provider::Error::Abandoned { begun: false }).await;
        }
        let memory = Memory::default();
        let mut next = Some(Ready { step, began, call, reservation });
        while let Some(ready) = next {
            next = self.call(&order, &memory, ready).await?;
        }
        Ok(())
    }

    /// Nothing was sent, and nothing is owed.
    async fn conclude_unmade(&self, called: Called, refusal: &(dyn Failure + Sync)) -> Result<(), Error> {
        let at = Timestamp::now();
        let then = transient(refusal).map_or(Then::GiveUp, |pause| Then::Again { after_ms: call::millis(pause) });
        let record = TaskRecord::StepFailed(StepFailed {
            step: called.step,
            code: refusal.code().to_owned(),
            message: refusal.detail(),
            in_doubt: Usd::ZERO,
            then,
            cost: Usd::ZERO,
            at,
            arrived: None,
        });
        let booked = self.environment.budget.book(&called.reservation, Usd::ZERO, at);
        let settle = self.settling(&called.reservation, Usd::ZERO, at);
        self.journal().append_then(&self.custody, vec![record], booked, settle).await?;
        metrics::step(&self.custody.task(), called.step, called.began.elapsed(), None);
        Ok(())
    }
}
