//! Tools: HTTP endpoints that the host's administrator declares, called by steps of plans and told of tasks by hooks.
//!
//! ```text
//! Tools::try_slot / slot ──> Slot ──> (StepStarted durable) ──> Tools::invoke ──> POST url, Idempotency-Key ──> text
//!                                                                  └─> Error: was it sent?  policy::after: again, in doubt, failed
//! ```
//!
//! Invariants:
//! - T1: a tool never has more than `max_concurrency` calls at once: who has no [`Slot`] cannot call.
//! - T2: an error whose [`Error::sent`] is [`Sent::No`] has reached no tool.
//! - T3: no key, input, answer or tool's error text is in an error, a log or a metric.
//! - T4: what is read from a tool is bounded.
//!
//! Deliberately absent: an actor for each tool. A call lives in its plan's actor and ends with it, the fair queue of the slots
//! is the line, and nothing else is kept between calls: there would be no state to restart with.

mod error;
mod handle;
mod metrics;
mod notice;
pub mod policy;
#[cfg(test)]
mod tests;

pub use error::{Error, Sent};
pub use handle::{Call, OUTPUT_BYTES_MAX, Slot, Tools};
