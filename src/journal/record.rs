//! What is written about a task. A record, once released, keeps its numbers for ever; new fields are optional.

use minicbor::{Decode, Encode};

use super::codec;
use super::order::Order;
use crate::domain::clock::Timestamp;
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::domain::name::ModelRef;
use crate::domain::private::Text;
use crate::domain::usage::Usage;

/// The kind of every record of a task in the store's envelope.
pub const KIND: u8 = 1;
/// The version of the encoding below.
pub const VERSION: u8 = 1;

/// One fact about a task, in the past tense.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub enum TaskRecord {
    /// It was admitted and acknowledged.
    #[n(0)]
    Submitted(#[n(0)] Submitted),
    /// A step is about to have effects.
    #[n(1)]
    StepStarted(#[n(0)] StepStarted),
    /// A step has its result.
    #[n(2)]
    StepFinished(#[n(0)] StepFinished),
    /// A step has none.
    #[n(3)]
    StepFailed(#[n(0)] StepFailed),
    /// A step of a plan will not run.
    #[n(4)]
    StepSkipped(#[n(0)] StepSkipped),
    /// Somebody asked for the end.
    #[n(5)]
    CancelRequested(#[n(0)] CancelRequested),
    /// It ended.
    #[n(6)]
    Ended(#[n(0)] Ended),
    /// Somebody judged it.
    #[n(7)]
    FeedbackGiven(#[n(0)] FeedbackGiven),
}

/// See [`TaskRecord::Submitted`].
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Submitted {
    /// What was decided.
    #[n(0)]
    pub order: Order,
    /// What was reserved for the first step.
    #[cbor(n(1), with = "codec::usd")]
    pub reserved: Usd,
    /// When.
    #[cbor(n(2), with = "codec::time")]
    pub at: Timestamp,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub enum StepKind {
    /// One call of a model.
    #[n(0)]
    Model {
        /// The model.
        #[cbor(n(0), with = "codec::as_text")]
        model: ModelRef,
    },
    /// A subtask of a plan.
    #[n(1)]
    Delegate {
        /// The plan's step, and the item where the step is mapped.
        #[n(0)]
        name: String,
        /// The subtask.
        #[cbor(n(1), with = "codec::bytes")]
        child: TaskId,
    },
}

/// See [`TaskRecord::StepStarted`].
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct StepStarted {
    /// Its number, from 0; each attempt is a step.
    #[n(0)]
    pub step: u32,
    /// What it does.
    #[n(1)]
    pub kind: StepKind,
    /// What is reserved for it.
    #[cbor(n(2), with = "codec::usd")]
    pub reserved: Usd,
    /// When.
    #[cbor(n(3), with = "codec::time")]
    pub at: Timestamp,
}

/// See [`TaskRecord::StepFinished`].
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct StepFinished {
    /// Its number.
    #[n(0)]
    pub step: u32,
    /// Its result, personal data restored.
    #[cbor(n(1), with = "codec::text")]
    pub output: Text,
    /// Tokens used.
    #[cbor(n(2), with = "codec::usage")]
    pub usage: Usage,
    /// What it cost.
    #[cbor(n(3), with = "codec::usd")]
    pub cost: Usd,
    /// What else the provider said: the model that answered, why it stopped, the method.
    #[n(4)]
    pub notes: Vec<(String, String)>,
    /// When.
    #[cbor(n(5), with = "codec::time")]
    pub at: Timestamp,
}

/// See [`TaskRecord::StepFailed`].
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct StepFailed {
    /// Its number.
    #[n(0)]
    pub step: u32,
    /// A stable code.
    #[n(1)]
    pub code: String,
    /// What happened.
    #[n(2)]
    pub message: String,
    /// What was booked as spent although nobody knows whether the provider bills it.
    #[cbor(n(3), with = "codec::usd")]
    pub in_doubt: Usd,
    /// What may follow.
    #[n(4)]
    pub then: Then,
    /// For a delegated step, what the subtask cost all the same.
    #[cbor(n(5), with = "codec::usd")]
    pub cost: Usd,
    /// When.
    #[cbor(n(6), with = "codec::time")]
    pub at: Timestamp,
}

/// What may follow a failed step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Then {
    /// The same again, no sooner than so many milliseconds after the failure.
    #[n(0)]
    Retry {
        /// The delay.
        #[n(0)]
        after_ms: u64,
    },
    /// The next model of the route.
    #[n(1)]
    Failover,
    /// Nothing.
    #[n(2)]
    GiveUp,
    /// The same again, no sooner than so many milliseconds after the failure; it was no fault of the model's, and does not
    /// count as an attempt.
    #[n(3)]
    Again {
        /// The delay.
        #[n(0)]
        after_ms: u64,
    },
}

/// See [`TaskRecord::StepSkipped`].
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct StepSkipped {
    /// The plan's step.
    #[n(0)]
    pub name: String,
    /// Why.
    #[n(1)]
    pub reason: String,
    /// When.
    #[cbor(n(2), with = "codec::time")]
    pub at: Timestamp,
}

/// See [`TaskRecord::CancelRequested`].
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct CancelRequested {
    /// Who asked.
    #[n(0)]
    pub by: String,
    /// When.
    #[cbor(n(1), with = "codec::time")]
    pub at: Timestamp,
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub enum Outcome {
    /// The output of one of its steps is its answer.
    #[n(0)]
    AnsweredByStep {
        /// The step.
        #[n(0)]
        step: u32,
    },
    /// It made its answer of several steps.
    #[n(1)]
    Answered {
        /// The answer.
        #[cbor(n(0), with = "codec::text")]
        output: Text,
    },
    /// It failed.
    #[n(2)]
    Failed {
        /// A stable code.
        #[n(0)]
        code: String,
        /// What happened.
        #[n(1)]
        message: String,
    },
    /// It was cancelled.
    #[n(3)]
    Cancelled,
}

impl Outcome {
    /// A failure.
    #[must_use]
    pub fn failed(code: &str, message: &str) -> Self {
        Self::Failed { code: code.to_owned(), message: message.to_owned() }
    }
}

/// See [`TaskRecord::Ended`].
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Ended {
    /// How.
    #[n(0)]
    pub outcome: Outcome,
    /// When.
    #[cbor(n(1), with = "codec::time")]
    pub at: Timestamp,
}

/// See [`TaskRecord::FeedbackGiven`].
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct FeedbackGiven {
    /// 0 to 1,000.
    #[n(0)]
    pub score_per_mille: u16,
    /// In words.
    #[n(1)]
    pub comment: Option<String>,
    /// Who.
    #[n(2)]
    pub by: String,
    /// When.
    #[cbor(n(3), with = "codec::time")]
    pub at: Timestamp,
}
