//! Whose work is not admitted, because their data is being erased.
//!
//! INVARIANT: once [`Closed::settled`] returns, nothing of theirs is on its way to become durable: whoever was let in before is
//! through or has given up, and nobody was since.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Refusal;
use crate::domain::owner::{Owner, Selector};

/// Who is kept out, and who is on their way. Cheap to clone.
#[derive(Clone, Default)]
pub struct Closed(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    left: Notify,
}

#[derive(Default)]
struct State {
    closed: Vec<Selector>,
    inside: BTreeMap<u64, Owner>,
    next: u64,
}

/// The right to make something of an owner's durable, until it is dropped.
#[must_use]
pub struct Standing {
    closed: Closed,
    number: u64,
}

impl fmt::Debug for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "standing {}", self.number)
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.closed.state().inside.remove(&self.number);
        self.closed.0.left.notify_waiters();
    }
}

impl Closed {
    /// Lets an owner's request in.
    ///
    /// # Errors
    /// [`Refusal::BeingErased`].
    pub(super) fn enter(&self, owner: Owner) -> Result<Standing, Refusal> {
        let mut state = self.state();
        if state.closed.iter().any(|whose| whose.selects(&owner)) {
            return Err(Refusal::BeingErased);
        }
        let number = state.next;
        state.next = number.wrapping_add(1);
        state.inside.insert(number, owner);
        drop(state);
        Ok(Standing { closed: self.clone(), number })
    }

    /// Lets nobody of these in from now on. Closing twice takes opening twice.
    pub fn close(&self, whose: Selector) {
        self.state().closed.push(whose);
    }

    /// Lets them in again.
    pub fn open(&self, whose: &Selector) {
        let mut state = self.state();
        if let Some(at) = state.closed.iter().position(|closed| closed == whose) {
            state.closed.swap_remove(at);
        }
    }

    /// Waits until nobody of these is on their way any more.
    pub async fn settled(&self, whose: &Selector) {
        loop {
            let left = self.0.left.notified();
            tokio::pin!(left);
            // Before it is looked, so that nobody leaves unheard.
            left.as_mut().enable();
            if !self.state().inside.values().any(|owner| whose.selects(owner)) {
                return;
            }
            left.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn owner(tenant: &str, user: &str) -> Owner {
        Owner::of(&tenant.parse().expect("a tenant"), Some(&user.parse().expect("a user")))
    }

    fn ann() -> Selector {
        Selector::User("ann".parse().expect("a user"))
    }

    #[test]
    fn nobody_of_them_is_let_in_until_it_is_opened_as_often_as_closed() {
        let closed = Closed::default();
        closed.close(ann());
        closed.close(ann());
        for _ in 0..2 {
            assert!(matches!(closed.enter(owner("a", "ann")), Err(Refusal::BeingErased)));
            assert!(closed.enter(owner("a", "bob")).is_ok());
            closed.open(&ann());
        }
        assert!(closed.enter(owner("a", "ann")).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_settled_when_who_was_let_in_before_has_left_and_others_are_not_waited_for() {
        let closed = Closed::default();
        let before = closed.enter(owner("a", "ann")).expect("let in");
        let _other = closed.enter(owner("a", "bob")).expect("let in");
        closed.close(ann());
        let settled = async || tokio::time::timeout(Duration::from_secs(1), closed.settled(&ann())).await.is_ok();
        assert!(!settled().await);
        let (is_settled, ()) = tokio::join!(settled(), async { drop(before) });
        assert!(is_settled);
    }
}
