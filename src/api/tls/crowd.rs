//! Handshakes under way: so many at once, and the oldest gives way to the next. A client that means it is done in a few round
//! trips; what stays is what others fill the room with.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::AbortHandle;

/// The most handshakes at once.
pub(in crate::api) const HANDSHAKES_MAX: usize = 256;

/// The handshakes under way, the oldest first.
#[derive(Clone)]
pub(in crate::api) struct Crowd {
    under_way: Arc<Mutex<VecDeque<AbortHandle>>>,
    room: usize,
}

impl Default for Crowd {
    fn default() -> Self {
        Self { under_way: Arc::default(), room: HANDSHAKES_MAX }
    }
}

impl Crowd {
    /// Lets one more in; says whether the oldest had to go.
    pub(in crate::api) fn enter(&self, handshake: AbortHandle) -> bool {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.retain(|handshake| !handshake.is_finished());
        let oldest = if under_way.len() >= self.room { under_way.pop_front() } else { None };
        under_way.push_back(handshake);
        oldest.inspect(AbortHandle::abort).is_some()
    }

    /// Ends them all.
    pub(in crate::api) fn clear(&self) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.drain(..).for_each(|handshake| handshake.abort());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_gives_way_and_who_is_done_counts_no_longer() {
        let crowd = Crowd { room: 2, ..Crowd::default() };
        let waiting = || tokio::spawn(std::future::pending::<()>());
        let done = tokio::spawn(async {});
        let done_handle = done.abort_handle();
        done.await.expect("done");
        let (first, second, third) = (waiting(), waiting(), waiting());
        assert!(!crowd.enter(done_handle));
        assert!(!crowd.enter(first.abort_handle()));
        assert!(!crowd.enter(second.abort_handle()));
        assert!(crowd.enter(third.abort_handle()));
        assert!(first.await.expect_err("it gave way").is_cancelled());
        crowd.clear();
        for rest in [second, third] {
            assert!(rest.await.expect_err("it was ended").is_cancelled());
        }
    }
}
