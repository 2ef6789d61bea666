//! Lifecycle hooks: tells tools when tasks start and end, behind the tasks' backs.
//!
//! ```text
//! journal: [record, entry: one batch] ─announced─> actor ─read─> state ─call─> Tools::tell ─> [entry gone] ─> news, metric
//!                                                    ^────────────── again, after a pause ─────┘
//! ```
//!
//! Invariants:
//! - I84 (in `journal::outbox`): an entry is durable with the record that it follows, or not at all.
//! - I85: an entry leaves the outbox only when its tool took it, or when it was given up, which is told; until then it is called
//!   for again, also by the next incarnation and the next process, each time under the same key.
//! - I86: no task waits for a hook: neither its end nor its answer, nor its plan for a slot that hooks queue for: they do not.
//! - I87: memory, calls and disk are bounded for each tool ([`state::WINDOW`], [`state::PAUSED_MAX`],
//!   [`state::Rules::concurrency`], [`state::ENTRIES_PER_TOOL_MAX`]). A tool that takes nothing is in no other's way, and an entry
//!   that its tool refuses in none of that tool's other entries'.
//!
//! Deliberately absent: an order among entries. What is called for again is overtaken; `sequence` says what came first.

mod actor;
mod error;
mod handle;
mod lane;
mod message;
mod metrics;
pub mod state;
#[cfg(test)]
mod tests;

pub use error::Error;
pub use handle::{Hooks, Said, Teller};
