//! The only room that names sled: typed keyspaces, one committer, group commit with a real `fdatasync`.
//!
//! ```text
//! commit ──► sealing ──► payload (bodies above 1 MiB: file, sync) ──► queue ──► committer ──► group ──► engine: apply, flush, sync ──► answers
//! get, range ──► reading ──► engine, payload, sealing                           (one thread)   (pure)
//! ```
//! | file | holds |
//! |---|---|
//! | `handle`, `queries` | [`Store`]: the only way in; what is read through it |
//! | `batch`, `chain`, `envelope`, `key`, `group` | pure: changes, hash chains, stored bytes, keys, what a group writes |
//! | `keyring`, `sealing`, `preparing` | encryption at rest: the keys, records under them, a batch made ready for the committer |
//! | `reencryption` | keys exchanged, and old records sealed with the new ones |
//! | `secret_file` | small secret files beside the store, sealed where records are |
//! | `queue`, `committer`, `actor` | the line of commits, the thread that serves it, its place in the tree |
//! | `engine`, `payload`, `reading` | sled, payload files, records put together again |
//! | `space` | whether the disk has room for what is to be written |
//! | `fault`, `mark` | why a write failed; how far the store was durable, told beside sled |
//! | `backup` | archives of a running store, and a directory made of one |
//!
//! Invariants:
//! 1. A commit is answered only when it is on the disk; all of a batch is found after a crash, or nothing.
//! 2. One thread writes. A commit that waits outlives it.
//! 3. After a failed write, flush or sync nothing is acknowledged until the store is opened again; reads go on as far as sled lets
//!    them. While the disk is nearly full nothing is written at all: reads go on, and so do writes when there is room again.
//! 4. What an awaited read returns is durable. (A blocking `get` or `range` may be ahead by the group that is being written.)
//! 5. A stored value that was changed, moved or cut is reported as damaged, never returned.
//! 6. No stored value is above 4 KiB: sled would spill it into a file that it never syncs.
//! 7. A payload file is durable before the record that names it, and is there for as long as one does.
//! 8. A database that lost its end, or all of it, is not opened as if nothing were missing.
//! 9. What is encrypted stays where it is read: a store with a keyring is not opened without the master key that fits it.
//! 10. Whoever waits for a commit is told what became of it, also where the committer panicked after it had written.

mod actor;
pub mod backup;
mod batch;
pub mod chain;
mod committer;
mod engine;
mod envelope;
mod error;
mod fault;
mod group;
mod handle;
mod key;
mod keyring;
mod mark;
mod metrics;
mod payload;
mod preparing;
mod queries;
mod queue;
mod reading;
pub mod reencryption;
mod sealing;
pub mod secret_file;
mod shared;
mod space;
#[cfg(test)]
mod tests;

pub use actor::{Committer, Message};
pub use batch::{BATCH_BYTES_MAX, BATCH_CHANGES_MAX, Batch, KEY_BYTES_MAX, Keyspace, Record, STORED_BODY_BYTES_MAX};
pub use chain::Link;
pub use committer::Running;
pub use error::Error;
pub use fault::Cause;
pub use handle::{Direction, Health, Options, Position, Store};
pub use keyring::{Count as KeyCount, Error as KeyError, KEYS_MAX, MasterKey, Masters};
pub use queries::Erased;
pub use reencryption::Destroyed;
