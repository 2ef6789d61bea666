//! Supervision of actors: child specs, strategies, restart intensity, addresses that outlive restarts, a snapshot of the tree.

mod address;
mod spec;

pub use address::{Address, CallError};
pub use spec::{Backoff, ChildId, ChildSpec, Intensity, Restart, Shutdown, StartError, Started, Strategy};
