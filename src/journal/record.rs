//! What is written about a task. A record, once released, keeps its numbers for ever; new fields are optional.

use minicbor::{Decode, Encode};

use super::codec;
use super::dialogue::ToolCall;
use super::order::Order;
use super::reconciled::Reconciled;
use super::release::Release;
use crate::domain::clock::Timestamp;
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::domain::name::{ModelRef, ToolName};
use crate::domain::private::Text;
use crate::domain::usage::Usage;

/// The kind of every record of a task in the store's envelope.
pub const KIND: u8 = 1;
/// The version of the encoding below.
pub const VERSION: u8 = 1;

/// One fact about a task, in the past tense.
#[expect(clippy::large_enum_variant, reason = "a task has one submission; records are not kept in memory by the many")]
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
    /// A person decided about a step that waits for it.
    #[n(8)]
    Decided(#[n(0)] Decided),
    /// Something outside sent word that a plan may wait for.
    #[n(9)]
    Signalled(#[n(0)] Signalled),
    /// It cannot go on without a person.
    #[n(10)]
    AttentionNeeded(#[n(0)] AttentionNeeded),
    /// A person wants it to go on, from where it needs attention or from where it failed.
    #[n(11)]
    RetryRequested(#[n(0)] RetryRequested),
    /// The provider's bill says what a step has cost that was booked in doubt, or a subtask of which that is so.
    #[n(12)]
    Reconciled(#[n(0)] Reconciled),
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
    /// One call of a tool.
    #[n(2)]
    Tool {
        /// The plan's step, the item and the attempt.
        #[n(0)]
        name: String,
        /// The tool.
        #[cbor(n(1), with = "codec::as_text")]
        tool: ToolName,
        /// Whether calling it twice with one key does the same as once, as the settings said when the step started.
        #[n(2)]
        idempotent: bool,
    },
    /// A time that is waited for.
    #[n(3)]
    Timer {
        /// The plan's step, the item and the attempt.
        #[n(0)]
        name: String,
        /// When the step finishes.
        #[cbor(n(1), with = "codec::time")]
        until: Timestamp,
    },
    /// A person's decision that is waited for.
    #[n(4)]
    Approval {
        /// The plan's step, the item and the attempt.
        #[n(0)]
        name: String,
        /// What is asked.
        #[cbor(n(1), with = "codec::text")]
        question: Text,
        /// When it is too late.
        #[cbor(n(2), with = "codec::optional_time", has_nil)]
        until: Option<Timestamp>,
        /// What may leave if it is given, where that is what is asked.
        #[n(3)]
        release: Option<Box<Release>>,
    },
    /// A signal that is waited for.
    #[n(5)]
    Signal {
        /// The plan's step, the item and the attempt.
        #[n(0)]
        name: String,
        /// What the signal is called.
        #[n(1)]
        signal: String,
        /// When it is too late.
        #[cbor(n(2), with = "codec::optional_time", has_nil)]
        until: Option<Timestamp>,
    },
}

impl StepKind {
    /// What the step is called in its plan, where it is a plan's.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Model { .. } => None,
            Self::Delegate { name, .. }
            | Self::Tool { name, .. }
            | Self::Timer { name, .. }
            | Self::Approval { name, .. }
            | Self::Signal { name, .. } => Some(name),
        }
    }

    /// Whether the step does nothing but wait for something outside.
    #[must_use]
    pub fn is_wait(&self) -> bool {
        match self {
            Self::Timer { .. } | Self::Approval { .. } | Self::Signal { .. } => true,
            Self::Model { .. } | Self::Delegate { .. } | Self::Tool { .. } => false,
        }
    }

    /// The subtask that the step delegates to, if it does.
    #[must_use]
    pub fn child(&self) -> Option<TaskId> {
        match self {
            Self::Delegate { child, .. } => Some(*child),
            Self::Model { .. }
            | Self::Tool { .. }
            | Self::Timer { .. }
            | Self::Approval { .. }
            | Self::Signal { .. } => None,
        }
    }

    /// The word that API, events and metrics use.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Model { .. } => "model",
            Self::Delegate { .. } => "delegate",
            Self::Tool { .. } => "tool",
            Self::Timer { .. } => "timer",
            Self::Approval { .. } => "approval",
            Self::Signal { .. } => "signal",
        }
    }
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
    /// The caller's tools that the model wants called, arguments restored.
    #[cbor(n(6), with = "codec::list", has_nil)]
    pub calls: Vec<ToolCall>,
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
    /// What of the answer had arrived when it broke off, where some had: the task goes on from there.
    #[n(7)]
    pub arrived: Option<Arrived>,
}

/// The part of an answer that arrived before it broke off.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Arrived {
    /// Its text, personal data restored.
    #[cbor(n(0), with = "codec::text")]
    pub text: Text,
    /// Tokens used until then, as far as is known.
    #[cbor(n(1), with = "codec::usage")]
    pub usage: Usage,
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
    /// The answer broke off: the next model of the route goes on where it did, or the same, no sooner than so many milliseconds
    /// after the failure, where there is none.
    #[n(4)]
    Continue {
        /// The delay.
        #[n(0)]
        after_ms: u64,
    },
    /// The provider takes no calls for a while: the next model of the route, or the same, no sooner than so many milliseconds
    /// after the failure, where there is none. It does not count as an attempt.
    #[n(5)]
    Elsewhere {
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

/// See [`TaskRecord::Decided`].
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Decided {
    /// The step: an approval, or a tool's call of which nobody knows whether it was made.
    #[n(0)]
    pub step: u32,
    /// What was decided.
    #[n(1)]
    pub verdict: Verdict,
    /// In words.
    #[n(2)]
    pub comment: Option<String>,
    /// Who.
    #[n(3)]
    pub by: String,
    /// When.
    #[cbor(n(4), with = "codec::time")]
    pub at: Timestamp,
}

/// A person's decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Verdict {
    /// Yes; of a call in doubt: it counts as made.
    #[n(0)]
    Approved,
    /// No; of a call in doubt: it counts as failed.
    #[n(1)]
    Rejected,
}

/// See [`TaskRecord::Signalled`].
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Signalled {
    /// What the signal is called.
    #[n(0)]
    pub signal: String,
    /// What it brings.
    #[cbor(n(1), with = "codec::text")]
    pub payload: Text,
    /// Who sent it.
    #[n(2)]
    pub by: String,
    /// When.
    #[cbor(n(3), with = "codec::time")]
    pub at: Timestamp,
}

/// See [`TaskRecord::AttentionNeeded`].
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct AttentionNeeded {
    /// The open step that it is about, if it is about one.
    #[n(0)]
    pub step: Option<u32>,
    /// A stable code.
    #[n(1)]
    pub code: String,
    /// What happened, and what a person can do.
    #[n(2)]
    pub message: String,
    /// When.
    #[cbor(n(3), with = "codec::time")]
    pub at: Timestamp,
}

/// See [`TaskRecord::RetryRequested`].
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct RetryRequested {
    /// Who.
    #[n(0)]
    pub by: String,
    /// When.
    #[cbor(n(1), with = "codec::time")]
    pub at: Timestamp,
}
