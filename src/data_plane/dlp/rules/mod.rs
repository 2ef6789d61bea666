//! Rules as data: those that are shipped, and a file of the operator's that adds to them, takes from them, and is read again when
//! it changes.
//!
//! ```text
//! rules/*.toml (embedded) ──┐
//!                           ├─ parse ─▶ rules ─▶ engine ─▶ Detectors, published; or every mistake, and what was stays
//! dlp.rules_file ───────────┘
//! ```
//!
//! Invariants: a file is taken whole or not at all; a file that is refused changes nothing that is examined; a key that nothing
//! reads is a mistake, never ignored. At the start a file that is refused keeps the daemon from starting.

mod actor;
mod file;
mod handle;
mod load;
mod read;
mod shipped;
#[cfg(test)]
pub(super) mod tests;
mod watch;

pub use file::{RULES_MAX, RuleFile};
pub use handle::RuleReader;
pub use load::{FILE_BYTES_MAX, Loaded, Refused, load};

pub(super) use shipped::engine as shipped_engine;
