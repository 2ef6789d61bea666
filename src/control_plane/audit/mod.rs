//! Every decision on record: who asked to do what, on what, what came of it and why. A hash chain, so that a change, a removal
//! or another order shows; a Merkle tree over it, whose root is signed from time to time, so that it shows to others as well.
//!
//! ```text
//! allowed: Audit::batch ───────┐ in the batch of what was decided
//! refused: Audit::record ──────┴──> store (chain) ──> tail, head, verify
//!                                     │
//!                   actor: tree ──> signed checkpoint ──> store, events
//!                                     │
//!                                   export, proof ──> verify_export (no daemon needed)
//! ```
//! | file | holds |
//! |---|---|
//! | `entry`, `render` | what is recorded; how it reads |
//! | `merkle`, `note`, `key` | pure: the tree and its proofs; checkpoints as signed notes; what signs |
//! | `key_file` | where the key lies |
//! | `checkpoints`, `keeper`, `verify` | what the store keeps of checkpoints; the way through the chain; whether it holds |
//! | `actor`, `message`, `handle` | the shell, and the only way in |
//! | `receipt` | pure: what is signed of an erasure |
//! | `proof`, `export` | what leaves the host, and how it is verified elsewhere |
//!
//! INVARIANTS
//! - A decision and its entry become durable together; a refusal is told after its entry is durable.
//! - An entry names things and codes, never a text or a sensitive value.
//! - The order of the log is the order of the commits: the committer links the entries.
//! - A log that does not hold is told loudly and stops nothing but the signing: no checkpoint is ever made over a log that is not
//!   what the last one was made over. That its end was cut off together with its checkpoints shows only against a checkpoint
//!   that was kept elsewhere.

mod actor;
mod checkpoints;
mod entry;
mod error;
pub mod export;
mod handle;
mod keeper;
mod key;
mod key_file;
pub mod merkle;
mod message;
mod note;
mod proof;
mod receipt;
mod render;
#[cfg(test)]
mod tests;
mod verify;

pub use actor::START_ENTRIES;
pub use checkpoints::CHECKPOINTS_RECENT_MAX;
pub use entry::{Entry, FIELD_BYTES_MAX, Outcome, Who};
pub use error::Error;
pub use handle::{Audit, CHECKPOINT_ENTRIES, Damage, Means, Noted, RECORDS_IN_FLIGHT_MAX, Recorded, TAIL_ENTRIES_MAX};
pub use key::{AuditKey, PublicKey, Purpose, SIGNATURE_BYTES, Signature};
pub use key_file::{KeyError, PUBLIC_FILE_NAME, load_or_create};
pub use note::{Checkpoint, Fault, NOTE_BYTES_MAX, Origin, verifier_key};
pub use proof::{Consistency, Inclusion};
pub use receipt::{FORMAT as RECEIPT_FORMAT, ReceiptFault, verify_receipt};
pub use render::readable;
pub use verify::Verified;
