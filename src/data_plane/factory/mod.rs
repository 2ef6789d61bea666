//! The agent factory: creates, finds, activates and passivates agents.
//!
//! ```text
//! factory ── registry: agent -> address ──> agents/<shard> ──> agent
//! ```
//!
//! An agent that has a task is in memory; one that has none for [`IDLE_MAX`] is stored only. Which shard supervises an agent
//! follows from its identifier.
//!
//! INVARIANT: of one agent, at most one actor runs tasks.

mod actor;
mod error;
mod handle;
pub mod quarantine;
pub mod registry;
mod spec;

pub use actor::IDLE_MAX;
pub use error::Error;
pub use handle::{Factory, Presence};
pub use spec::{OnShard, borne};
