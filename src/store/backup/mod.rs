//! Archives: the whole store in one file, taken while it runs; and a data directory made of one.
//!
//! ```text
//! committer ──(every group from here on)──► tee ─┐
//! sled ──(key by key)──► scan ───────────────────┴► sections ─ zstd ─► sink (a channel to the API)
//! payloads/, dlp.key, keyring ──(when the scan is done)──────┘
//!
//! archive ─ whole? ours? ─► new directory beside ─ synced ─► swapped with the data directory by one rename
//! ```
//! | file | holds |
//! |---|---|
//! | `format` | pure: what the bytes of an archive mean |
//! | `writer`, `reader` | an archive written to a stream, and checked and read from a file |
//! | `tee`, `snapshot` | what is written during a scan, and the scan |
//! | `stream` | a backup as chunks for whoever asked, who must keep up |
//! | `restore`, `swap` | a directory made of an archive, and put in the place of the old one |
//!
//! Why an archive taken under load is consistent: scanned entries and teed groups stand in it so that no entry comes after a
//! group that was written after it was read. Whoever puts and removes all of it in order holds, for each key, what the last
//! group said that touched it; and keys that no group touched are as the scan found them. That is the state at the position of
//! the last group, which is durable before the archive says so.
//!
//! Invariants:
//! 1. An archive without its end, or with another byte anywhere, is refused before anything is touched.
//! 2. The archive of a running store holds the state at one position, which is durable.
//! 3. No commit waits for whoever takes a backup. Who takes it too slowly gets none, and holds nothing.
//! 4. Of what is encrypted it holds the ciphertext and the wrapped keys: without the master key it is of no use.
//! 5. A restore leaves the old directory untouched, or complete beside the new one.

mod format;
mod reader;
mod restore;
mod snapshot;
mod stream;
mod swap;
mod tee;
mod writer;

pub use format::{Flaw, Totals};
pub use reader::{Summary, inspect};
pub use restore::{Restored, restore};
pub use snapshot::BACKUP_TIME_MAX;
pub use stream::{Chunks, STALL_MAX};

pub(super) use tee::Tee;
