//! The first call of a task that was submitted with its first step started: one commit for the order and the start of the call.
//!
//! INVARIANT I92: the call is made by whoever takes the task up first, and by nobody else: all others find a step of which nobody
//! knows what became, and book it as spent.

use super::Error;
use super::call::{self, Answer, Call};
use super::memory::Memory;
use super::metrics;
use super::pause::transient;
use super::state;
use super::turn::{Called, Ready, Turn};
use crate::control_plane::admission::payer_of;
use crate::data_plane::provider;
use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure;
use crate::domain::money::Usd;
use crate::journal::record::{StepFailed, TaskRecord, Then};

/// The code of a step for which less was held than it may cost once its texts are masked.
const RESERVED_TOO_LITTLE: &str = "reserved_too_little";

impl Turn {
    /// Makes the call, if this is who took the task up first. Whatever keeps it from being made concludes the step; what follows is
    /// decided as ever.
    pub(super) async fn make_first_call(&mut self) -> Result<(), Error> {
        let began = tokio::time::Instant::now();
        let task = self.custody.task();
        let (Some(open), Some(model)) = (task.open_call().filter(|_| self.custody.starts()), task.last_model()) else {
            return Ok(());
        };
        let (step, reserved, model) = (open.number, open.reserved, model.clone());
        let called = Called { step, began, reservation: self.recorded(step, payer_of(&task.order), reserved) };
        if state::interruption(&task, Timestamp::now()).is_some() {
            return self.conclude_unmade(called, &provider::Error::Abandoned { begun: false }).await;
        }
        let order = match self.environment.admission.restore(task.order.clone()).await {
            Ok(order) => order,
            Err(refusal) => return self.conclude_unmade(called, &refusal).await,
        };
        // An agent of one task remembers nothing.
        let memory = Memory::default();
        let asked = self.asked(&task, task.totals.call);
        let prepared = match call::prepare(&self.environment, &order, &memory, asked, &model).await {
            Ok(prepared) => prepared,
            Err(refusal) => return self.conclude_unmade(called, &refusal).await,
        };
        if prepared.worst > reserved {
            // A text may count more tokens once it is masked: the step is made anew, with enough held for it.
            let message = "more must be held for the call than was, now that its texts are masked".to_owned();
            let answer = Answer::refused(RESERVED_TOO_LITTLE, message, Then::Again { after_ms: 0 });
            let _none_starts = self.conclude(&order, &memory, called, answer).await?;
            return Ok(());
        }
        let mut next =
            Some(Ready { step, began, call: Call { prepared, model, rival: None }, reservation: called.reservation });
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
