//! Who was first: the caller that gave up, or the task that sent the call.
//!
//! A caller whose time is up must know whether its call may have reached the provider, because that decides what becomes of
//! its reservation. Both sides therefore claim the call by one atomic step, and only one of them gets it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const WAITING: u8 = 0;
const BEGUN: u8 = 1;
const WITHDRAWN: u8 = 2;

/// The state of one call between its caller and the task that carries it out.
#[derive(Debug, Default)]
pub(super) struct Claim(AtomicU8);

impl Claim {
    /// The task is about to send. False when the caller has withdrawn; then nothing may be sent.
    pub(super) fn begin(&self) -> bool {
        self.0.compare_exchange(WAITING, BEGUN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// The caller gives up. False when the call had begun; then it may have reached the provider.
    pub(super) fn withdraw(&self) -> bool {
        self.0.compare_exchange(WAITING, WITHDRAWN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// The caller's side of a claim: a caller that goes away, for whatever reason, gives its call up.
pub(super) struct Caller(pub(super) Arc<Claim>);

impl Drop for Caller {
    fn drop(&mut self) {
        // One that has begun stays so.
        let _begun = !self.0.withdraw();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_either_begun_or_withdrawn() {
        let begun = Claim::default();
        assert!(begun.begin() && !begun.withdraw() && !begun.begin());
        let withdrawn = Claim::default();
        assert!(withdrawn.withdraw() && !withdrawn.begin());
    }
}
