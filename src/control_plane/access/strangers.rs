//! Those whom nobody knows: one entry of the audit log in a minute, so that somebody who tries is on record, and a flood of tries
//! cannot fill the disk.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::domain::clock::Timestamp;

/// How long there is no other entry after one.
const QUIET: Duration = Duration::from_secs(60);

/// When the last one was put on record, and how many have been turned away since.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    quiet_until: AtomicI64,
    unheard: AtomicU64,
}

impl Strangers {
    /// Somebody was turned away: where it is time for an entry, how many there were without one since the last.
    pub(super) fn turned_away(&self, now: Timestamp) -> Option<u64> {
        let until = self.quiet_until.load(Ordering::Relaxed);
        let next = now.after(QUIET).micros();
        // A clock that was set back does not silence it for longer than that.
        let is_over = now.micros() >= until || next < until;
        if is_over && self.quiet_until.compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            return Some(self.unheard.swap(0, Ordering::Relaxed));
        }
        let _before = self.unheard.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_has_an_entry_a_minute_that_says_how_many_there_were() {
        let (strangers, begin) = (Strangers::default(), Timestamp::from_micros(1_800_000_000_000_000));
        assert_eq!(strangers.turned_away(begin), Some(0));
        for millis in 0..1_000 {
            assert_eq!(strangers.turned_away(begin.after(Duration::from_millis(millis))), None);
        }
        assert_eq!(strangers.turned_away(begin.after(QUIET)), Some(1_000));
        assert_eq!(strangers.turned_away(begin.after(QUIET)), None);
        assert_eq!(strangers.turned_away(begin.before(QUIET)), Some(1), "the clock was set back");
    }
}
