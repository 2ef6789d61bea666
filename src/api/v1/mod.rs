//! The front door for clients of models: OpenAI's and Anthropic's own, unchanged. `model` is a template's name, and every request
//! is a task with all its guards.
//!
//! ```text
//! request ─ reading (JSON, member by member) ─ openai | anthropic (their words -> Submission) ─> running (the task, while the
//!     client stays) ─> outcome (what the task came to) ─ openai | anthropic (-> their words, whole or piece by piece)
//! any failure, also of the gate and of unknown routes ─> edge (-> that API's error)
//! ```
//!
//! INVARIANT: a parameter that is not understood is refused by its name; `docs/front-door.md` has the few that are let pass.
//! INVARIANT: whoever hangs up without an idempotency key cancels the task; nobody else would hear its answer.
//! INVARIANT: an answer whose head was sent with 200 is one that had begun, or had taken a heartbeat's time to begin.

pub(super) mod anthropic;
mod checks;
mod door;
mod edge;
pub(super) mod models;
pub(super) mod openai;
mod outcome;
mod reading;
mod running;
mod stream;
#[cfg(test)]
mod tests;

pub(super) use edge::{Dialect, spoken};
