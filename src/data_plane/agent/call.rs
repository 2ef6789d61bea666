//! One model call, and everything that must happen around it: the only place in the program that calls a provider.
//!
//! ```text
//! texts ─ dlp.protect ─ worst case ─┤ StepStarted durable ├─ provider ─ restore ─ dlp.check ─> Answer
//! ```

use std::future::Future;
use std::time::Duration;

use rand::Rng;

use super::environment::Environment;
use super::filter::{check, filter};
use super::memory::Memory;
use crate::config::settings::Route;
use crate::control_plane::admission::WorkOrder;
use crate::control_plane::admission::route::{self, Candidate, Needs, PassedOver};
use crate::control_plane::budget::tokens::{self, Input};
use crate::data_plane::dlp::{self, Vault};
use crate::data_plane::provider::{self, Charge, Message, Request, Role};
use crate::domain::clock::Timestamp;
use crate::domain::failure::{Class, Failure, Retry};
use crate::domain::id::TaskId;
use crate::domain::model::{Abilities, Model};
use crate::domain::money::Usd;
use crate::domain::name::ModelRef;
use crate::domain::private::Text;
use crate::domain::usage::{Tokens, Usage};
use crate::journal::record::{StepFailed, StepFinished, TaskRecord, Then};

/// The longest that one call may take, whatever settings and deadlines say.
pub(super) const CALL_TIME_MAX: Duration = Duration::from_secs(3_600);
/// The delay before the second attempt, where the provider names none; jitter adds up to as much again.
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// The longest that a provider may make a task wait for its next attempt.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(60);

/// A call that can be made as soon as it is written down.
pub(super) struct Prepared {
    request: Request,
    vault: Vault,
    /// The most that it can cost.
    pub(super) worst: Usd,
    known: Model,
    input_tokens: Tokens,
}

/// What a call is about, beside the order.
pub(super) struct Asked {
    /// The answer that is to be refined.
    pub(super) last_answer: Option<Text>,
    pub(super) task: TaskId,
    /// What names the call among the task's, the same for every repetition of it.
    pub(super) call: u32,
}

/// What a call came to.
pub(super) enum Answer {
    /// A result.
    Given {
        /// Personal data restored.
        output: Text,
        usage: Usage,
        cost: Usd,
        notes: Vec<(String, String)>,
        elapsed: Duration,
    },
    /// None.
    Failed { code: &'static str, message: String, bill: Bill, then: Then },
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
}

/// Why a call cannot be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unprepared {
    /// The text may not leave, or cannot be checked.
    #[error(transparent)]
    Dlp(#[from] dlp::Error),
    /// The model does not suit the call: the settings give it no price any more, or the task has grown beyond what it takes or
    /// what its route lets a call cost.
    #[error(transparent)]
    Unsuitable(#[from] PassedOver),
}

impl Failure for Unprepared {
    fn code(&self) -> &'static str {
        match self {
            Self::Dlp(error) => error.code(),
            Self::Unsuitable(passed) => passed.code(),
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Dlp(error) => error.class(),
            Self::Unsuitable(passed) => passed.class(),
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Dlp(error) => error.retry(),
            Self::Unsuitable(passed) => passed.retry(),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Dlp(error) => error.detail(),
            Self::Unsuitable(passed) => passed.detail(),
        }
    }
}

/// Masks what leaves the host and computes the worst case.
///
/// # Errors
/// The text may not leave, or cannot be checked; or the model has no price.
pub(super) async fn prepare(
    environment: &Environment,
    order: &WorkOrder,
    memory: &Memory,
    asked: Asked,
    model: &ModelRef,
) -> Result<Prepared, Unprepared> {
    let template = order.template();
    let mut texts = memory.texts();
    texts.push(order.order().input.clone());
    // Of all answers so far the last one is enough: a prompt does not grow with the number of passes.
    let refined =
        asked.last_answer.map(|answer| [(Role::Assistant, answer), (Role::User, template.refine.prompt.clone())]);
    let follow_up: Vec<(Role, Text)> = refined.into_iter().flatten().collect();
    texts.extend(follow_up.iter().map(|(_, text)| text.clone()));
    let action = order.order().protection.outbound;
    let protected = filter(environment, texts, action, &order.order().tenant).await?;
    let roles = memory.roles().chain([Role::User]).chain(follow_up.into_iter().map(|(role, _)| role));
    let messages = roles.zip(protected.texts);
    let request = Request {
        system: template.system_prompt.clone(),
        messages: messages.map(|(role, content)| Message { role, content }).collect(),
        max_output_tokens: template.model.max_output_tokens,
        temperature: template.model.temperature,
        idempotency_key: format!("{}-{}", asked.task, asked.call),
    };
    let Candidate { known, input, worst, .. } = suited(environment, order, &request, model).await?;
    Ok(Prepared { request, vault: protected.vault, worst, known, input_tokens: input })
}

/// What the call comes to with this model, if it suits.
async fn suited(
    environment: &Environment,
    order: &WorkOrder,
    request: &Request,
    model: &ModelRef,
) -> Result<Candidate, PassedOver> {
    let known = |model: &ModelRef| environment.prices.model(model);
    let route = Route { models: vec![model.clone()], ..order.routing().clone() };
    let texts = std::iter::once(&request.system).chain(request.messages.iter().map(|message| &message.content));
    let input = Input::of_messages(texts.cloned().collect());
    let (bound, output_max) = (input.bound(), Tokens::new(request.max_output_tokens.into()));
    let count = if route::must_count(&route, bound, output_max, known) { tokens::count(input).await } else { bound };
    let needs = Needs { abilities: Abilities::NONE, count, output_max };
    route::candidate(model, route.max_usd_per_call, &needs, known)
}

/// Calls the model and makes its answer fit to be heard; ends the call when `stop` does.
pub(super) async fn perform(
    environment: &Environment,
    order: &WorkOrder,
    prepared: Prepared,
    model: &ModelRef,
    within: Duration,
    stop: impl Future<Output = ()> + Send,
) -> Answer {
    let deadline = tokio::time::Instant::now().checked_add(within);
    tokio::pin!(stop);
    let completion = loop {
        let left = deadline.map_or(within, |deadline| deadline.saturating_duration_since(tokio::time::Instant::now()));
        let called = environment.providers.complete(model, prepared.request.clone(), left, stop.as_mut()).await;
        match called {
            Ok(completion) => break completion,
            Err(error) => match again_after(&error, left) {
                // Nothing was sent: the step goes on, and the records need not know how often it asked for room.
                Some(pause) => tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = stop.as_mut() => return Answer::of_error(&provider::Error::Abandoned { begun: false }),
                },
                None => return Answer::of_error(&error),
            },
        }
    };
    let usage = completion.usage.unwrap_or_else(|| Usage {
        input_tokens: if prepared.known.price.is_free() { Tokens::default() } else { prepared.input_tokens },
        output_tokens: if prepared.known.price.is_free() {
            Tokens::default()
        } else {
            tokens::answer_tokens(&completion.text, &prepared.known.counting)
        },
        ..Usage::default()
    });
    let cost = prepared.known.price.of(&usage);
    let output = match check(environment, order.order(), &prepared.vault, &completion.text).await {
        Ok(output) => output,
        Err(error) => return Answer::unfit(&error, cost),
    };
    let mut notes = vec![
        ("model".to_owned(), completion.model),
        ("stop".to_owned(), format!("{:?}", completion.stop).to_lowercase()),
    ];
    notes.extend(completion.notes.into_iter().map(|(name, value)| (name.to_owned(), value)));
    Answer::Given { output, usage, cost, notes, elapsed: completion.elapsed }
}

/// How long to wait before a call that was not sent is tried again, where there is time left for that.
fn again_after(error: &provider::Error, left: Duration) -> Option<Duration> {
    match (error.next(), error.charge()) {
        (provider::Next::Again { after }, Charge::None) if after < left => Some(after),
        (_, _) => None,
    }
}

impl Answer {
    fn of_error(error: &provider::Error) -> Self {
        let then = match error.next() {
            provider::Next::Retry { after } => Then::Retry { after_ms: pause(after) },
            provider::Next::Again { after } => Then::Again { after_ms: millis(after) },
            provider::Next::Failover => Then::Failover,
            provider::Next::GiveUp => Then::GiveUp,
        };
        let bill = match error.charge() {
            Charge::None => Bill::Nothing,
            Charge::Unknown => Bill::Unknown,
        };
        Self::Failed { code: error.code(), message: error.detail(), bill, then }
    }

    /// The answer was paid for and may not be heard.
    fn unfit(error: &dlp::Error, cost: Usd) -> Self {
        Self::Failed { code: error.code(), message: error.detail(), bill: Bill::Known(cost), then: Then::GiveUp }
    }

    /// The call was not made.
    pub(super) fn refused(code: &'static str, message: String, then: Then) -> Self {
        Self::Failed { code, message, bill: Bill::Nothing, then }
    }

    /// What is booked for it, where `reserved` was held.
    pub(super) fn spent(&self, reserved: Usd) -> Usd {
        match self {
            Self::Given { cost, .. } => *cost,
            Self::Failed { bill: Bill::Unknown, .. } => reserved,
            Self::Failed { bill: Bill::Known(cost), .. } => *cost,
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
    pub(super) fn into_record(self, step: u32, reserved: Usd, at: Timestamp) -> TaskRecord {
        let spent = self.spent(reserved);
        match self {
            Self::Given { output, usage, cost, notes, .. } => {
                TaskRecord::StepFinished(StepFinished { step, output, usage, cost, notes, at })
            }
            Self::Failed { code, message, bill, then } => {
                let (in_doubt, cost) = if bill == Bill::Unknown { (spent, Usd::ZERO) } else { (Usd::ZERO, spent) };
                TaskRecord::StepFailed(StepFailed { step, code: code.to_owned(), message, in_doubt, then, cost, at })
            }
        }
    }
}

/// Milliseconds until the next attempt: what the provider asks for, within reason, or a jittered pause of our own.
fn pause(asked: Option<Duration>) -> u64 {
    let pause = asked.map_or_else(
        || RETRY_PAUSE.mul_f64(1.0 + rand::thread_rng().r#gen::<f64>()),
        |asked| asked.min(RETRY_PAUSE_MAX),
    );
    millis(pause)
}

/// A pause as records tell it.
pub(super) fn millis(pause: Duration) -> u64 {
    u64::try_from(pause.as_millis()).unwrap_or(u64::MAX)
}
