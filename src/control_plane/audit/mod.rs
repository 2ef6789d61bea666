//! Every decision on record: who asked to do what, on what, what came of it and why. A hash chain, so that a change, a removal
//! or another order shows.
//!
//! ```text
//! allowed: Audit::batch ───────┐ in the batch of what was decided
//! refused: Audit::record ──────┴──> store (chain) ──> tail, head, verify
//! ```
//!
//! INVARIANTS
//! - A decision and its entry become durable together; a refusal is told after its entry is durable.
//! - An entry names things and codes, never a text or a sensitive value.
//! - The order of the log is the order of the commits: the committer links the entries.
//! - A log that does not hold is told loudly and stops nothing. That its end was cut off shows only against a head that was
//!   kept elsewhere.

mod actor;
mod entry;
mod error;
mod handle;
mod message;
#[cfg(test)]
mod tests;
mod verify;

pub use actor::START_ENTRIES;
pub use entry::{Entry, FIELD_BYTES_MAX, Outcome, Who};
pub use error::Error;
pub use handle::{Audit, RECORDS_IN_FLIGHT_MAX, Recorded, TAIL_ENTRIES_MAX};
pub use verify::Verified;
