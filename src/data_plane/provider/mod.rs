//! Providers: calls models, one adapter for each wire format.
//!
//! ```text
//! Providers::complete --> actor providers/<name>: a free slot? --> a task: claim, then adapter --> answers its caller itself
//!        |                     no: the line (bounded)                 openai/      HTTP over TCP or a Unix socket
//!        '-- small work for builtin is done at once                   extractive/  from the input itself
//! ```
//!
//! Invariants:
//! - P1: a provider never has more than `max_concurrency` calls at once, also while its actor is restarted.
//! - P2: the death of an actor loses no running call; a waiting one is handed to the next incarnation.
//! - P3: a failure whose [`Error::charge`] is [`Charge::None`] has run no model.
//! - P4: no key, prompt, answer or provider's error text is in an error, a log or a metric.
//! - P5: what is read from a provider, waits for one, or is written by `builtin` is bounded.
//!
//! Deliberately absent: retry and failover, which the agent decides by [`Error::next`], because each attempt needs a reservation
//! of its own.

mod actor;
mod adapter;
mod anthropic;
mod builtin;
mod calling;
mod claim;
mod echo;
mod error;
mod exchange;
mod extractive;
mod gemini;
mod handle;
mod message;
mod metrics;
mod naming;
mod openai;
mod piecewise;
mod policy;
#[cfg(test)]
pub(crate) mod scripted;
mod state;
mod tally;
#[cfg(test)]
mod tests;
mod turns;

pub use error::{Charge, Error, Next};
pub use exchange::{Completion, Delta, Deltas, Message, Part, Request, Role, Stop, ToolCall};
pub use handle::{BUILTIN, Providers};
