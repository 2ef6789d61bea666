//! Brings tasks to whoever does them: one agent, or the workers of a plan.
//!
//! ```text
//! Ticket ─ submit (durable) ─ dispatch ─┬─ flat: factory ─> agent
//!                                       └─ plan: orchestrators/<task> ─┬─ delegate ─> subtask ─┐
//!                                                 ^                    └─ delegate ─> subtask ─┤
//!                                                 └──────────── gather, aggregate ─────────────┘
//! ```
//!
//! A plan delegates through admission like any submitter, so that each subtask is a task with its own records, budget and
//! template version. Dispatching is idempotent: whatever restarts, every open task is dispatched again.
//!
//! INVARIANT: a step is written down as started before its subtask is submitted; the subtask's identifier follows from the
//! step, so that it is submitted once however often that is tried.

mod actor;
mod aggregate;
mod calling;
mod closing;
pub mod conclusion;
mod error;
mod front;
mod handle;
mod people;
mod plan;
mod releasing;
pub mod replay;
mod round;
pub mod state;
#[cfg(test)]
mod tests;
pub mod unit;

pub use actor::PlanMessage;
pub use error::Error;
pub use front::Message;
pub use handle::Orchestrator;
pub use people::Decision;
