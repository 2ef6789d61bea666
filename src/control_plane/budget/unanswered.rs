//! A reservation of which nobody has heard yet.

use crate::supervision::Address;

use super::message::Message;
use super::payer::Key;

/// A reservation whose answer has not come. Dropped, it is taken back: behind the question, in the same mailbox.
pub(super) struct Unanswered<'a> {
    /// Where it was asked for; none once the answer has come.
    asked: Option<&'a Address<Message>>,
    key: Key,
}

impl<'a> Unanswered<'a> {
    /// Call it before the question is asked.
    pub(super) fn new(asked: &'a Address<Message>, key: Key) -> Self {
        Self { asked: Some(asked), key }
    }

    /// Whoever asked knows what is held.
    pub(super) fn answered(mut self) {
        self.asked = None;
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        let Some(ledger) = self.asked else { return };
        // It does not wait for a ledger that is away: what that held is gone with it, and by then the key may be held anew.
        if ledger.cast(Message::Release { key: self.key, done: None }).is_err() {
            tracing::debug!("the ledger is gone, and what it held with it");
        }
    }
}
