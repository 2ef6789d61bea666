//! News for the ledger: it waits while the ledger is away, and comes in the order in which it was told.
//!
//! INVARIANT: what is told later arrives later. The end of a task that came before what its last step cost would give money back
//! that is spent, and somebody else could reserve it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::supervision::Address;

use super::message::{Done, Message};

/// How long news for the ledger waits for it to come back from a restart.
const NEWS_WITHIN: Duration = Duration::from_secs(60);
/// The most pieces of news that wait for the ledger at once; what is beyond it is told again by the records at its next start.
const NEWS_WAITING_MAX: usize = 16_384;

/// The way of news to the ledger. Cheap to clone.
#[derive(Clone)]
pub(super) struct News {
    address: Address<Message>,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    pieces: VecDeque<Piece>,
    /// Whether somebody brings the pieces; until then, none overtakes them.
    is_delivering: bool,
}

struct Piece {
    make: Box<dyn Fn(Done) -> Message + Send + Sync>,
    told_at: Instant,
}

impl News {
    pub(super) fn new(address: Address<Message>) -> Self {
        Self { address, waiting: Arc::default() }
    }

    /// Whether news waits for the ledger, or is on its way.
    pub(super) fn waits(&self) -> bool {
        self.waiting().is_delivering
    }

    /// Tells the ledger. While it is being restarted the news waits for it: what is sent after the records were read and
    /// before the new incarnation is there would otherwise be lost, and a reservation would outlive its step.
    pub(super) fn tell<F>(&self, make: F)
    where
        F: Fn(Done) -> Message + Send + Sync + 'static,
    {
        let mut waiting = self.waiting();
        if !waiting.is_delivering && self.address.cast(make(None)).is_ok() {
            return;
        }
        if waiting.pieces.len() >= NEWS_WAITING_MAX {
            tracing::error!(waiting = NEWS_WAITING_MAX, "the ledger is away and too much news waits for it");
            return;
        }
        waiting.pieces.push_back(Piece { make: Box::new(make), told_at: Instant::now() });
        if !std::mem::replace(&mut waiting.is_delivering, true) {
            let news = self.clone();
            let _delivering = tokio::spawn(async move { news.deliver().await });
        }
    }

    /// Brings one piece after the other.
    async fn deliver(&self) {
        while let Some(Piece { make, told_at }) = self.next() {
            let left = NEWS_WITHIN.saturating_sub(told_at.elapsed());
            if let Err(reason) = self.address.call(left, |reply| make(Some(reply))).await {
                tracing::error!(%reason, "news for the ledger was not delivered; its next start reads it from the records");
            }
        }
    }

    fn next(&self) -> Option<Piece> {
        let mut waiting = self.waiting();
        let next = waiting.pieces.pop_front();
        waiting.is_delivering = next.is_some();
        next
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
