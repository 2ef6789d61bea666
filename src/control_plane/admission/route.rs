//! Which models of a route a call may go to, and why not to the others. Pure.
//!
//! ```text
//! route ─ each model: priced? ─ able? ─ long enough? ─ cheap enough? ─> kept, with its worst case
//!                        └────────────── no ──────────────┴─> passed over, with the reason
//! ```
//! Whether a kept model can be called just now is asked elsewhere: that changes from one moment to the next.

use std::fmt;

use super::Refusal;
use crate::config::settings::Route;
use crate::control_plane::budget::tokens::Count;
use crate::domain::failure::{Class, Failure, Retry};
use crate::domain::model::{Abilities, Ability, Model};
use crate::domain::money::Usd;
use crate::domain::name::{ModelRef, RouteName};
use crate::domain::usage::Tokens;

/// What a call asks of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// What the model must be able to do.
    pub abilities: Abilities,
    /// What it is to read: counted, or bounded where [`must_count`] says that this is enough.
    pub count: Count,
    /// The longest answer that is asked for.
    pub output_max: Tokens,
}

/// A model that a call may go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Which.
    pub model: ModelRef,
    /// What is known of it.
    pub known: Model,
    /// What it is to read, as it may count at worst.
    pub input: Tokens,
    /// The most that the call can cost.
    pub worst: Usd,
}

/// A model that a call may not go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// Which.
    pub model: ModelRef,
    /// Why not.
    pub why: Why,
}

/// Why a call may not go to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Nobody says what it costs.
    Unpriced,
    /// It is known not to be able to do something that the call needs.
    Lacks(Ability),
    /// The input and the answer that is asked for are longer than it takes.
    TooLong {
        /// Tokens of the input, at least.
        input: Tokens,
        /// The longest answer that is asked for.
        output_max: Tokens,
        /// What the model takes of both together.
        context: Tokens,
    },
    /// The call may cost more than the route allows.
    TooDear {
        /// The most that it can cost.
        worst: Usd,
        /// The most that it may.
        ceiling: Usd,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unpriced => f.write_str("has no price"),
            Self::Lacks(ability) => f.write_str(ability.lacking()),
            Self::TooLong { input, output_max, context } => {
                write!(f, "takes {context} tokens; the input has {input} or more, and the answer may have {output_max}")
            }
            Self::TooDear { worst, ceiling } => write!(f, "may cost {worst} USD, ceiling {ceiling}"),
        }
    }
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.model, self.why)
    }
}

impl std::error::Error for PassedOver {}

impl Failure for PassedOver {
    fn code(&self) -> &'static str {
        match self.why {
            Why::Unpriced => "model_unpriced",
            Why::TooLong { .. } => "input_exceeds_context",
            Why::Lacks(_) | Why::TooDear { .. } => "route_unsuitable",
        }
    }

    fn class(&self) -> Class {
        match self.why {
            Why::TooLong { .. } => Class::TooLarge,
            Why::Unpriced | Why::Lacks(_) | Why::TooDear { .. } => Class::Refused,
        }
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn detail(&self) -> String {
        self.to_string()
    }
}

/// A route as one call sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Candidates {
    /// The models that it may go to, in the order of the route.
    pub kept: Vec<Candidate>,
    /// The others.
    pub passed_over: Vec<PassedOver>,
}

impl Candidates {
    /// Why the call may go to no model at all: by the reason that all have in common, or else by all reasons.
    #[must_use]
    pub fn refusal(self, route: &RouteName) -> Refusal {
        let roomiest = self.passed_over.iter().filter_map(|passed| match passed.why {
            Why::TooLong { context, .. } => Some((context, passed)),
            Why::Unpriced | Why::Lacks(_) | Why::TooDear { .. } => None,
        });
        let all = self.passed_over.len();
        if roomiest.clone().count() == all
            && let Some((_, passed)) = roomiest.max_by_key(|(context, _)| *context)
        {
            return Refusal::ExceedsContext(passed.clone());
        }
        match self.passed_over.first() {
            Some(first) if self.passed_over.iter().all(|passed| passed.why == Why::Unpriced) => {
                Refusal::Unpriced(first.model.to_string())
            }
            Some(_) | None => Refusal::UnsuitableRoute { route: route.clone(), passed_over: self.passed_over },
        }
    }
}

/// Whether the exact count of an input can decide anything: what costs nothing and surely takes the input need not be counted for.
#[must_use]
pub fn must_count(route: &Route, bound: Count, output_max: Tokens, known: impl Fn(&ModelRef) -> Option<Model>) -> bool {
    route.models.iter().filter_map(known).any(|model| {
        let costs = !model.price.is_free();
        costs || model.context.is_some_and(|context| bound.at_least().plus(output_max) > context)
    })
}

/// Tells the models that a call may go to from those that it may not.
#[must_use]
pub fn candidates(route: &Route, needs: &Needs, known: impl Fn(&ModelRef) -> Option<Model>) -> Candidates {
    let mut candidates = Candidates::default();
    for model in &route.models {
        match candidate(model, route.max_usd_per_call, needs, &known) {
            Ok(candidate) => candidates.kept.push(candidate),
            Err(passed) => candidates.passed_over.push(passed),
        }
    }
    candidates
}

/// What a call to one model comes to.
///
/// # Errors
/// Why it may not go there.
pub fn candidate(
    model: &ModelRef,
    ceiling: Option<Usd>,
    needs: &Needs,
    known: impl Fn(&ModelRef) -> Option<Model>,
) -> Result<Candidate, PassedOver> {
    let pass = |why| PassedOver { model: model.clone(), why };
    let known = known(model).ok_or_else(|| pass(Why::Unpriced))?;
    if let Some(ability) = known.lacks(needs.abilities) {
        return Err(pass(Why::Lacks(ability)));
    }
    let (least, output_max) = (needs.count.at_least(), needs.output_max);
    if let Some(context) = known.context.filter(|&context| least.plus(output_max) > context) {
        return Err(pass(Why::TooLong { input: least, output_max, context }));
    }
    let input = needs.count.tokens(&known.counting);
    let worst = if known.price.is_free() { Usd::ZERO } else { known.price.worst(input, output_max) };
    if let Some(ceiling) = ceiling.filter(|&ceiling| worst > ceiling) {
        return Err(pass(Why::TooDear { worst, ceiling }));
    }
    Ok(Candidate { model: model.clone(), known, input, worst })
}

#[cfg(test)]
mod tests;
