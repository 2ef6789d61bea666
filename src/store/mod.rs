//! The only room that names sled: typed keyspaces, one committer, group commit with a real `fdatasync`.
//!
//! This is the interface; `engine`, `committer`, `envelope`, `payload` stand behind it.

mod batch;
mod error;
mod handle;

pub use batch::{Batch, Keyspace, Record};
pub use error::Error;
pub use handle::{Direction, Options, Position, Store};
