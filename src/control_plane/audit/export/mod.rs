//! The log outside of the host: JSON lines that whoever has the public key verifies alone. `docs/audit.md` says it precisely enough
//! to write another verifier.
//!
//! ```text
//! {"format":"agent-factory/audit/v1","log":…,"key":…,"exported_at":…,"first":1,"last":N}
//! {"entry":{…},"record":…}        once for each entry, in order
//! {"checkpoint":"…"}              behind the last entry that it was signed over; the last one behind entry N
//! {"end":{"entries":N,"sha256":…,"signature":…}}
//! ```
//!
//! INVARIANTS
//! - There is one way to write an export: the verifier writes each line anew and compares it byte for byte.
//! - Both sides hold one page of entries, however long the log is.

mod format;
#[cfg(test)]
mod tests;
mod verify;
mod write;

pub use format::{FORMAT, LINE_BYTES_MAX};
pub use verify::{Error, Expected, Fault, Report, verify};
pub use write::Export;
