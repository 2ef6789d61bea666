//! Locks for things by identifier, in a fixed number, for what is looked at and then written.

use tokio::sync::{Mutex, MutexGuard};

/// How many there are. Two things that share one wait for each other without need, which is rare and harmless.
const LATCHES: usize = 64;

/// The locks.
#[derive(Debug)]
pub(super) struct Latches([Mutex<()>; LATCHES]);

impl Latches {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(())))
    }

    /// Waits until nobody else holds the thing of this identifier.
    #[expect(clippy::indexing_slicing, reason = "a remainder is below its divisor")]
    pub(super) async fn hold(&self, id: &[u8; 16]) -> MutexGuard<'_, ()> {
        // The last byte is random in every identifier that the daemon makes.
        self.0[usize::from(id[15]) % LATCHES].lock().await
    }
}
