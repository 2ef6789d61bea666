//! Providers: calls models, one adapter for each wire format.
//!
//! ```text
//! Providers::complete --> actor providers/<name>: let through? --> a task: claim, then adapter --> answers its caller itself
//!        |                     full, paused: the line (bounded)       openai/ anthropic/ gemini/  over TCP or a Unix socket
//!        |                     breaker open: answered at once         extractive/ echo            from the input itself
//!        '-- small work for builtin is done at once                     '--> health: how the call ended
//! ```
//!
//! What is known of a provider's health outlives its actor, is owned by `health`, and is decided in `gate`: the breaker (`breaker`), the
//! limit that adapts (`concurrency`), and the pause that it asked for. `policy` says what an error tells about its provider.
//!
//! Invariants:
//! - P1: a provider never has more than `max_concurrency` calls at once, also while its actor is restarted.
//! - P2: the death of an actor loses no running call; a waiting one is handed to the next incarnation.
//! - P3: a failure whose [`Error::charge`] is [`Charge::None`] has run no model.
//! - P4: no key, prompt, answer or provider's error text is in an error, a log or a metric.
//! - P5: what is read from a provider, waits for one, or is written by `builtin` is bounded.
//! - P6: what lies in a request, or in its caller's haste, is not held against the provider.
//! - P7: while a breaker is open no call is sent, and while it is half-open one at a time; no call that began before the breaker's
//!   present state changes it.
//! - P8: the limit is never below one nor above `max_concurrency`, and is halved once for calls that are refused together.
//! - P9: every call that was let through gives its slot back, whatever becomes of it.
//!
//! Deliberately absent: retry and failover, which the agent decides by [`Error::next`], because each attempt needs a reservation
//! of its own.

mod actor;
mod adapter;
mod anthropic;
mod breaker;
mod builtin;
mod calling;
mod claim;
mod concurrency;
mod echo;
mod error;
mod exchange;
mod extractive;
mod gate;
mod gemini;
mod handle;
mod health;
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
pub use policy::backoff;
