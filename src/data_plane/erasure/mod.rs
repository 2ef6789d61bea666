//! Somebody's data is erased, and a signed receipt says so.
//!
//! ```text
//! begin ─ closed to them, settled ─> [record, audit entry] ─> 202
//!                                        │   (each start of the daemon goes on from here, until there is a receipt)
//!        actor: open tasks end ─> entries, tasks, agents are deleted ─> [key ids noted] ─> keys destroyed ─> remnants ─> answers forgotten
//!                                                                                                                           │
//!                                             open to them again <─ [receipt, audit entry] <────────────────────────────────┘
//! ```
//! | file | holds |
//! |---|---|
//! | `handle` | [`Erasures`]: the only way in |
//! | `work` | what is done, step by step |
//! | `actor` | who does it, one erasure after the other, and again where it failed |
//! | `record` | what is durable of an erasure |
//!
//! INVARIANTS
//! - Every step can be done twice: after a crash all of them are, and counts are durable with what they count.
//! - From before the record is durable until the receipt is, no work of theirs is admitted.
//! - Records are deleted while they can be read, so that each is told to be theirs; keys are destroyed behind that. A receipt is made
//!   only when both are done.
//! - What stays: sums of money, statistics, limits and the audit log. None holds a text of theirs.

mod actor;
mod error;
mod handle;
mod record;
mod work;

pub use actor::Message;
pub use error::Error;
pub use handle::{Erasures, Means, UNFINISHED_MAX, scope};
