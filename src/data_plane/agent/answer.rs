//! What a call of a model came to, what is booked for it, and its record.

use std::time::Duration;

use super::cache::Kept;
use super::call::{millis, pause};
use super::live::Line;
use crate::data_plane::dlp;
use crate::data_plane::provider::{self, Charge, ToolCall};
use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure;
use crate::domain::money::Usd;
use crate::domain::name::ModelRef;
use crate::domain::private::Text;
use crate::domain::usage::Usage;
use crate::journal::record::{Arrived, StepFailed, StepFinished, TaskRecord, Then};

/// What a call came to.
pub(super) enum Answer {
    /// A result.
    Given {
        /// Personal data restored.
        output: Text,
        /// The caller's tools that the model wants called, personal data restored.
        calls: Vec<ToolCall>,
        usage: Usage,
        cost: Usd,
        notes: Vec<(String, String)>,
        elapsed: Duration,
    },
    /// None, or one that broke off.
    Failed { code: &'static str, message: String, bill: Bill, then: Then, arrived: Option<Arrived> },
}

/// What a call without a result costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bill {
    /// Nothing.
    Nothing,
    /// Nobody here knows; all that was reserved is booked, in doubt.
    Unknown,
    /// So much.
    Known(Usd),
    /// So much at least: the rest of what was reserved is booked, in doubt.
    AtLeast(Usd),
}

impl Answer {
    /// One that was given before: nothing is called, used or paid. Who listens is told it at once.
    pub(super) fn known(kept: &Kept, line: Option<&Line>) -> Self {
        if let Some(line) = line.filter(|line| line.beyond("").is_empty()) {
            line.say(kept.output.expose());
        }
        let mut notes = kept.notes.clone();
        notes.push(("cache".to_owned(), "hit".to_owned()));
        let (output, calls) = (kept.output.clone(), kept.calls.clone());
        let (usage, cost, elapsed) = (Usage::default(), Usd::ZERO, Duration::ZERO);
        Self::Given { output, calls, usage, cost, notes, elapsed }
    }

    /// Its code and message, where it is a failure.
    pub(super) fn failed(&self) -> Option<(&str, &str)> {
        match self {
            Self::Given { .. } => None,
            Self::Failed { code, message, .. } => Some((code, message)),
        }
    }

    /// Whether it is a failure, and nothing of an answer was heard.
    pub(super) fn is_unheard(&self) -> bool {
        matches!(self, Self::Failed { arrived: None, .. })
    }

    pub(super) fn then(error: &provider::Error, attempts: u32) -> Then {
        match error.next() {
            provider::Next::Retry { after } => Then::Retry { after_ms: pause(after, attempts) },
            provider::Next::Again { after } => Then::Again { after_ms: millis(after) },
            provider::Next::Elsewhere { after } => Then::Elsewhere { after_ms: millis(after) },
            provider::Next::Failover => Then::Failover,
            provider::Next::GiveUp => Then::GiveUp,
        }
    }

    /// The same failure, whose provider is left alone by now: another model is asked at once.
    pub(super) fn elsewhere(mut self) -> Self {
        if let Self::Failed { then, .. } = &mut self
            && let Then::Retry { after_ms } = *then
        {
            *then = Then::Elsewhere { after_ms };
        }
        self
    }

    pub(super) fn of_error(error: &provider::Error, attempts: u32) -> Self {
        let bill = match error.charge() {
            Charge::None => Bill::Nothing,
            Charge::Unknown => Bill::Unknown,
        };
        Self::Failed {
            code: error.code(),
            message: error.detail(),
            bill,
            then: Self::then(error, attempts),
            arrived: None,
        }
    }

    /// The answer was paid for and may not be heard.
    pub(super) fn unfit(error: &dlp::Error, bill: Bill) -> Self {
        Self::Failed { code: error.code(), message: error.detail(), bill, then: Then::GiveUp, arrived: None }
    }

    /// The call was not made.
    pub(super) fn refused(code: &'static str, message: String, then: Then) -> Self {
        Self::Failed { code, message, bill: Bill::Nothing, then, arrived: None }
    }

    /// The same, where another model was asked for it as well: `by` is who answered if it is not the step's own model, and
    /// `unheard` the most that the one who was not listened to may bill.
    pub(super) fn beside(self, by: Option<&ModelRef>, unheard: Usd) -> Self {
        match self {
            Self::Given { output, calls, usage, cost, mut notes, elapsed } => {
                notes.extend(by.map(|model| ("answered_by".to_owned(), model.to_string())));
                if unheard > Usd::ZERO {
                    notes.push(("unheard_cost_usd".to_owned(), unheard.to_string()));
                }
                Self::Given { output, calls, usage, cost: cost.plus(unheard), notes, elapsed }
            }
            Self::Failed { code, message, bill, then, arrived } => {
                let bill = match bill {
                    Bill::Unknown => Bill::Unknown,
                    Bill::Nothing if unheard == Usd::ZERO => Bill::Nothing,
                    Bill::Nothing => Bill::Known(unheard),
                    Bill::Known(cost) => Bill::Known(cost.plus(unheard)),
                    // What was reserved for both is booked.
                    Bill::AtLeast(cost) => Bill::AtLeast(cost.plus(unheard)),
                };
                Self::Failed { code, message, bill, then, arrived }
            }
        }
    }

    /// What is booked for it, where `reserved` was held.
    pub(super) fn spent(&self, reserved: Usd) -> Usd {
        match self {
            Self::Given { cost, .. } => *cost,
            Self::Failed { bill: Bill::Unknown, .. } => reserved,
            Self::Failed { bill: Bill::Known(cost), .. } => *cost,
            Self::Failed { bill: Bill::AtLeast(cost), .. } => reserved.max(*cost),
            Self::Failed { bill: Bill::Nothing, .. } => Usd::ZERO,
        }
    }

    /// How long the provider took, where it answered.
    pub(super) fn provider_time(&self) -> Option<Duration> {
        match self {
            Self::Given { elapsed, .. } => Some(*elapsed),
            Self::Failed { .. } => None,
        }
    }

    /// The record of it.
    ///
    /// `before` is what of the same answer earlier calls gave: the record that finishes it holds the whole.
    pub(super) fn into_record(self, step: u32, reserved: Usd, before: &Text, at: Timestamp) -> TaskRecord {
        let spent = self.spent(reserved);
        match self {
            Self::Given { output, calls, usage, cost, notes, .. } => {
                let output = match before.is_empty() {
                    true => output,
                    false => [before.expose(), output.expose()].concat().into(),
                };
                TaskRecord::StepFinished(StepFinished { step, output, usage, cost, notes, at, calls })
            }
            Self::Failed { code, message, bill, then, arrived } => {
                let (in_doubt, cost) = match bill {
                    Bill::Unknown => (spent, Usd::ZERO),
                    Bill::AtLeast(cost) => (spent.minus(cost), cost),
                    Bill::Nothing | Bill::Known(_) => (Usd::ZERO, spent),
                };
                let code = code.to_owned();
                TaskRecord::StepFailed(StepFailed { step, code, message, in_doubt, then, cost, at, arrived })
            }
        }
    }
}
