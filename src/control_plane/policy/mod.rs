//! Policy: Rego rules over resolved templates and over those who use them. Pure data in, denials out.
//!
//! ```text
//! directory --read--> Source --nesting, parse, inspect, probe--> Policy --kept by digest--> in force --tell--> templates, audit
//!     ^              (source)    (engine, inspect, rules)                (archive)         (handle)
//!   watch (debounced, and every ten seconds; read until it stands still: look)
//! ```
//!
//! The shipped rules are always asked, in an engine of their own that sees nothing of the operators' modules but the grants; the
//! operators' rules in a second one. The actor `policy` owns the policy in force and publishes it as an immutable snapshot in
//! `Policies`, so that reading it never waits for a mailbox. A check takes an engine that is at rest, so that several threads
//! check at once.
//!
//! Invariants:
//! - Whatever goes wrong denies: rules that do not parse, an evaluation that fails or takes too long, a result of another shape.
//! - An evaluation is bounded in time (`EVALUATION_TIME_MAX`), and a policy that is slow when it is tried (`PROBE_TIME_MAX`) is
//!   refused. The memory that one built-in function takes is not bounded: operators' modules are trusted code.
//! - A policy comes into force whole or not at all; the last good one goes on, also across restarts. Where there never was a
//!   good one, everything is denied. Rules are never lost silently: a directory without modules does not take the place of one
//!   with modules.
//! - No module of the operators can weaken the shipped rules, but for grants by name.

mod actor;
mod archive;
mod denial;
mod engine;
mod grants;
mod handle;
mod inspect;
mod look;
mod message;
mod metrics;
mod nesting;
mod rules;
mod source;
pub mod testing;
#[cfg(test)]
mod tests;
mod watch;

pub use archive::POLICIES_MAX;
pub use denial::{DENIAL_BYTES_MAX, Denial};
pub use engine::{DENIALS_MAX, EVALUATION_TIME_MAX, PROBE_TIME_MAX};
pub use grants::{GRANTS_MAX, Grants, PATTERNS_MAX};
pub use handle::{InForce, OnChange, Policies, Status};
pub use inspect::{PACKAGE, TEST_PACKAGE};
pub use nesting::NESTING_MAX;
pub use rules::{Asker, Policy};
pub use source::{FILE_BYTES_MAX, FILES_MAX, File, POLICY_BYTES_MAX, Source};
