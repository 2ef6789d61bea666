//! Policy: Rego rules over resolved templates. Pure data in, denials out.
//!
//! `Policy` holds the rules and their digest; the engine is built when the first template needs it, evaluated once so that a
//! rule that cannot be evaluated is found at once, and cloned for each check. The actor `policy` owns the policy in force and
//! publishes it as an immutable snapshot in `Policies`, so that reading it never waits for a mailbox.
//!
//! Invariants:
//! - Whatever goes wrong denies: rules that do not parse, an evaluation that fails or takes too long, a result of another shape.
//! - An evaluation is bounded in time (`EVALUATION_TIME_MAX`).

mod actor;
mod handle;
mod rules;

pub use handle::Policies;
pub use rules::{Denial, EVALUATION_TIME_MAX, Policy};
