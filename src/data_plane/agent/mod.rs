//! One agent: its lifecycle, its tasks, its memory, its actor.
//!
//! ```text
//! passive ──activate──> idle <──(task ended)── active ──(one task only: ended)──> gone
//!    ^                   │ └────(task)──────────^
//!    └────passivate──────┘
//! ```
//!
//! The durable inbox is the journal: an agent that starts, for whatever reason, takes up its open tasks where their records
//! leave them. Messages are hints.
//!
//! INVARIANT: no model is called but in `exchange`, and that through `call`, behind DLP and budget, and after its step is durable as started.
//! INVARIANT: nobody hears a result before its step is durable as finished.

pub(crate) mod abandon;
mod actor;
pub mod allowance;
mod answer;
pub mod cache;
mod call;
mod ear;
mod environment;
mod error;
mod exchange;
pub(crate) mod filter;
pub mod first;
pub mod floor;
pub(crate) mod hand;
pub mod live;
mod memory;
mod message;
pub(crate) mod metrics;
mod passage;
pub(crate) mod pause;
mod prompt;
mod pulse;
mod race;
pub(crate) mod release;
pub mod state;
mod suited;
mod turn;
mod unprepared;
mod waiting;

#[cfg(test)]
pub(crate) mod tests;

pub use actor::{Agent, Arguments, OnLeave};
pub use environment::{Environment, Rooms};
pub use error::Error;
pub use message::Message;
pub use pulse::{Life, OnChange, Pulse, Resident};
