//! How often a principal may ask: a token bucket for each, of which only the instant is kept at which it is full again (the
//! generic cell rate algorithm). Pure, in whole nanoseconds.
//!
//! ```text
//! a request moves `full_at` on by a minute / requests_per_minute; served while that stays within `burst` such steps from now
//! ```
//!
//! INVARIANTS
//! - In no stretch of time are more requests of one principal served than `burst` and what the rate allows in that time.
//! - Forgetting gives nothing back: only a bucket that is full again is forgotten.
//! - A refused request takes nothing: whoever waits as long as it was told is served.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::settings::RateLimit;
use crate::domain::certificate::CertificateName;

use super::principal::Via;

/// The most principals with a bucket that is not full. Whoever comes beyond is refused until one is full again.
pub(super) const PRINCIPALS_MAX: usize = 65_536;
/// So many buckets are kept without looking which of them are full again.
const KEPT_MIN: usize = 1_024;

const MINUTE_NANOS: u64 = 60_000_000_000;
/// How long a principal's refusals are known after one was told.
const TOLD_NANOS: u64 = MINUTE_NANOS;

/// Whose bucket it is. Tokens of one name share one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    User(u32),
    Token(Arc<str>),
    Certificate(CertificateName),
    Anonymous,
}

impl Key {
    /// Whose bucket a principal takes from; the daemon itself has none.
    pub(super) fn of(via: &Via) -> Option<Self> {
        match via {
            Via::Peer(peer) => Some(Self::User(peer.uid)),
            Via::Token(name) => Some(Self::Token(name.clone())),
            Via::Certificate(name) => Some(Self::Certificate(name.clone())),
            Via::Anonymous => Some(Self::Anonymous),
            Via::Internal => None,
        }
    }
}

/// What comes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    Served,
    Refused {
        /// So many nanoseconds from now it would be served.
        wait: u64,
        /// Whether none of this principal was told of in the last minute.
        unheard: bool,
    },
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    full_at: u64,
    told_until: u64,
}

impl Bucket {
    fn is_idle(&self, now: u64) -> bool {
        self.full_at <= now && self.told_until <= now
    }

    fn idle_at(&self) -> u64 {
        self.full_at.max(self.told_until)
    }
}

/// The buckets of all principals that asked of late.
#[derive(Debug)]
pub(super) struct Limiter {
    buckets: HashMap<Key, Bucket>,
    room: usize,
    /// With so many buckets, those that are idle are looked for.
    sweep_at: usize,
    /// Until then there is no room for another principal.
    crowded_until: u64,
    crowd_told_until: u64,
}

impl Default for Limiter {
    fn default() -> Self {
        Self::with_room(PRINCIPALS_MAX)
    }
}

impl Limiter {
    fn with_room(room: usize) -> Self {
        Self { buckets: HashMap::new(), room, sweep_at: KEPT_MIN.min(room), crowded_until: 0, crowd_told_until: 0 }
    }

    /// Decides about a request at the instant `now`, in nanoseconds of a clock that only goes forward.
    pub(super) fn ask(&mut self, key: &Key, limit: RateLimit, now: u64) -> Decision {
        if let Some(bucket) = self.buckets.get_mut(key) {
            return take(bucket, limit, now);
        }
        if self.buckets.len() >= self.sweep_at && !self.make_room(now) {
            let unheard = self.crowd_told_until <= now;
            if unheard {
                self.crowd_told_until = now.saturating_add(TOLD_NANOS);
            }
            return Decision::Refused { wait: self.crowded_until.saturating_sub(now), unheard };
        }
        let bucket = self.buckets.entry(key.clone()).or_insert(Bucket { full_at: now, told_until: now });
        take(bucket, limit, now)
    }

    /// Forgets who is idle; says whether there is room for another.
    fn make_room(&mut self, now: u64) -> bool {
        if now < self.crowded_until {
            return false;
        }
        self.buckets.retain(|_, bucket| !bucket.is_idle(now));
        let kept = self.buckets.len();
        // A sweep comes after as many newcomers as it found others, so that it costs each of them little.
        self.sweep_at = kept.saturating_mul(2).max(KEPT_MIN).min(self.room);
        self.buckets.shrink_to(self.sweep_at);
        if kept >= self.room {
            self.crowded_until = self.buckets.values().map(Bucket::idle_at).min().unwrap_or(now);
        }
        kept < self.room
    }
}

fn take(bucket: &mut Bucket, limit: RateLimit, now: u64) -> Decision {
    // Rounded up, so that the rate is never more than was said.
    let step = MINUTE_NANOS.div_ceil(u64::from(limit.requests_per_minute.get()));
    let full = now.saturating_add(step.saturating_mul(u64::from(limit.burst.get())));
    // At most what an empty bucket lacks: the limit may have been another one before.
    bucket.full_at = bucket.full_at.min(full);
    let next = bucket.full_at.max(now).saturating_add(step);
    if next <= full {
        bucket.full_at = next;
        return Decision::Served;
    }
    let unheard = bucket.told_until <= now;
    if unheard {
        bucket.told_until = now.saturating_add(TOLD_NANOS);
    }
    Decision::Refused { wait: next.saturating_sub(full), unheard }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limit(per_minute: u32, burst: u32) -> RateLimit {
        RateLimit::new(per_minute, Some(burst)).expect("a limit")
    }

    fn user(uid: u32) -> Key {
        Key::User(uid)
    }

    fn is_served(decision: Decision) -> bool {
        decision == Decision::Served
    }

    fn wait(decision: Decision) -> u64 {
        match decision {
            Decision::Refused { wait, .. } => wait,
            Decision::Served => panic!("served"),
        }
    }

    #[test]
    fn the_burst_is_served_at_once_and_then_the_rate() {
        let mut limiter = Limiter::default();
        let mut ask = |now| limiter.ask(&user(1), limit(60, 3), now);
        assert!((0..3).all(|_| is_served(ask(0))));
        assert_eq!(ask(0), Decision::Refused { wait: 1_000_000_000, unheard: true });
        assert_eq!(ask(999_999_999), Decision::Refused { wait: 1, unheard: false });
        assert!(is_served(ask(1_000_000_000)));
        assert_eq!(wait(ask(1_000_000_000)), 1_000_000_000);
    }

    #[test]
    fn each_principal_has_a_bucket_of_its_own() {
        let mut limiter = Limiter::default();
        let keys = [user(1), user(2), Key::Token("1".into()), Key::Token("ci".into()), Key::Anonymous];
        for key in &keys {
            assert!(is_served(limiter.ask(key, limit(1, 1), 0)), "{key:?}");
        }
        for key in &keys {
            assert!(!is_served(limiter.ask(key, limit(1, 1), 0)), "{key:?}");
        }
    }

    #[test]
    fn a_new_limit_counts_from_the_next_request() {
        let mut limiter = Limiter::default();
        for _ in 0..100 {
            assert!(is_served(limiter.ask(&user(1), limit(1, 100), 0)));
        }
        // What is owed is at most an empty bucket of the new kind: not the hundred minutes of the old.
        assert_eq!(wait(limiter.ask(&user(1), limit(60, 10), 0)), 1_000_000_000);
        assert!(is_served(limiter.ask(&user(1), limit(60, 10), 1_000_000_000)));
        // What was taken from a larger bucket is owed to the smaller one.
        assert!(!is_served(limiter.ask(&user(1), limit(60, 1), 1_000_000_000)));
    }

    #[test]
    fn beyond_the_room_newcomers_wait_until_another_bucket_is_full() {
        let mut limiter = Limiter::with_room(2);
        assert!(is_served(limiter.ask(&user(1), limit(60, 1), 0)));
        assert!(is_served(limiter.ask(&user(2), limit(30, 1), 0)));
        assert_eq!(limiter.ask(&user(3), limit(60, 1), 0), Decision::Refused { wait: 1_000_000_000, unheard: true });
        assert_eq!(
            limiter.ask(&user(4), limit(60, 1), 400_000_000),
            Decision::Refused { wait: 600_000_000, unheard: false }
        );
        assert!(is_served(limiter.ask(&user(3), limit(60, 1), 1_000_000_000)));
        assert_eq!(limiter.buckets.len(), 2);
    }

    #[test]
    fn idle_buckets_do_not_pile_up() {
        let mut limiter = Limiter::default();
        for uid in 0..100_000_u32 {
            assert!(is_served(limiter.ask(&user(uid), limit(600, 1), u64::from(uid) * 1_000_000)));
        }
        assert!(limiter.buckets.len() <= KEPT_MIN, "{}", limiter.buckets.len());
    }

    proptest! {
        #[test]
        fn no_stretch_of_time_has_more_than_the_burst_and_the_rate(
            per_minute in 1..=RateLimit::PER_MINUTE_MAX,
            burst in 1..40_u32,
            pauses in proptest::collection::vec(0..200_u64, 1..200),
        ) {
            let (limit, mut limiter) = (limit(per_minute, burst), Limiter::default());
            // Pauses are in parts of what the rate leaves between two requests, so that both outcomes are frequent.
            let part = (MINUTE_NANOS / u64::from(per_minute) / 100).max(1);
            let mut now = 0;
            let mut served = Vec::new();
            for pause in pauses {
                now += pause * part;
                if is_served(limiter.ask(&user(1), limit, now)) {
                    served.push(now);
                }
            }
            prop_assert!(!served.is_empty());
            for (first, from) in served.iter().enumerate() {
                for (last, to) in served.iter().enumerate().skip(first) {
                    let beyond = (last - first + 1).saturating_sub(burst as usize) as u128;
                    prop_assert!(beyond * u128::from(MINUTE_NANOS) <= u128::from(to - from) * u128::from(per_minute));
                }
            }
        }

        #[test]
        fn whoever_waits_as_told_is_served_and_not_a_nanosecond_before(
            per_minute in 1..=RateLimit::PER_MINUTE_MAX,
            burst in 1..40_u32,
            pauses in proptest::collection::vec(0..200_u64, 1..100),
        ) {
            let (limit, mut limiter) = (limit(per_minute, burst), Limiter::default());
            let part = (MINUTE_NANOS / u64::from(per_minute) / 100).max(1);
            let mut now = 0;
            for pause in pauses {
                now += pause * part;
                if let Decision::Refused { wait, .. } = limiter.ask(&user(1), limit, now) {
                    prop_assert!(wait > 0);
                    prop_assert!(!is_served(limiter.ask(&user(1), limit, now + wait - 1)));
                    now += wait;
                    prop_assert!(is_served(limiter.ask(&user(1), limit, now)));
                }
            }
        }

        #[test]
        fn forgetting_changes_no_decision(
            asked in proptest::collection::vec((0..6_u32, 0..3_000_000_000_u64), 1..200),
        ) {
            let (mut forgetful, mut faithful) = (Limiter::with_room(PRINCIPALS_MAX), Limiter::default());
            let mut now = 0;
            for (uid, pause) in asked {
                now += pause;
                forgetful.sweep_at = 0;
                let limit = limit(30, 3);
                prop_assert_eq!(forgetful.ask(&user(uid), limit, now), faithful.ask(&user(uid), limit, now));
            }
        }

        #[test]
        fn a_principal_is_told_of_at_most_once_a_minute(
            pauses in proptest::collection::vec(0..20_000_000_000_u64, 1..200),
        ) {
            let mut limiter = Limiter::default();
            let (mut now, mut told) = (0, None);
            for pause in pauses {
                now += pause;
                limiter.sweep_at = 0;
                if let Decision::Refused { unheard: true, .. } = limiter.ask(&user(1), limit(5, 1), now) {
                    prop_assert!(told.is_none_or(|before| now - before >= MINUTE_NANOS));
                    told = Some(now);
                }
            }
        }
    }
}
