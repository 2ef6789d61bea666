//! Locks for things by identifier, in a fixed number, for what is looked at and then written.

use std::collections::BTreeSet;

use tokio::sync::{Mutex, MutexGuard};

use crate::domain::id::TaskId;

/// How many there are. Two things that share one wait for each other without need, which is rare and harmless.
const LATCHES: usize = 64;

/// The locks.
#[derive(Debug)]
pub(super) struct Latches([Mutex<()>; LATCHES]);

impl Latches {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(())))
    }

    /// Waits until nobody else holds any of these. They are taken in one order, so that two who want several do not wait for each
    /// other.
    #[expect(clippy::indexing_slicing, reason = "a remainder is below its divisor")]
    pub(super) async fn hold_all(&self, ids: &[TaskId]) -> Vec<MutexGuard<'_, ()>> {
        let places: BTreeSet<usize> = ids.iter().map(|id| usize::from(id.as_bytes()[15]) % LATCHES).collect();
        let mut held = Vec::with_capacity(places.len());
        for place in places {
            held.push(self.0[place].lock().await);
        }
        held
    }

    /// Waits until nobody else holds the thing of this identifier.
    #[expect(clippy::indexing_slicing, reason = "a remainder is below its divisor")]
    pub(super) async fn hold(&self, id: &[u8; 16]) -> MutexGuard<'_, ()> {
        // The last byte is random in every identifier that the daemon makes.
        self.0[usize::from(id[15]) % LATCHES].lock().await
    }
}
