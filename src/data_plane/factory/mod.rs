//! The agent factory: creates, finds, activates and passivates agents.
//!
//! ```text
//! factory ── residency: who has a seat (pure) ── registry: agent -> address ──> agents/<shard> ──> agent
//!    └ janitor: memory (what the kernel says) ──> policy (pure) ──> who leaves
//! ```
//!
//! An agent is a durable identity; its actor is in memory while it has a task and for a while after. There are `agents.active_max`
//! seats. Where all are taken, whoever is idle for longest leaves, and where nobody is idle the activation waits in line and its task
//! in the journal: no mailbox grows. An agent also leaves when it was idle for `agents.idle_max`, or while memory is pressed. Which
//! shard supervises an agent follows from its identifier.
//!
//! An agent that decides to leave takes no message any more. A task that comes for it at that moment is open already: whoever brings
//! it stops waiting, and [`Factory::left`](handle::Factory) looks for open tasks after the agent has given its address back.
//!
//! INVARIANT: of one agent, at most one actor runs tasks.
//! INVARIANT: whoever has an address in the registry has a seat, and there are never more than `agents.active_max`.

mod actor;
mod error;
mod handle;
mod memory;
mod policy;
pub mod quarantine;
pub mod registry;
mod spec;
mod state;
#[cfg(test)]
mod tests;

pub use error::Error;
pub use handle::{Factory, Presence};
pub use spec::{OnShard, borne};
pub use state::Census;
