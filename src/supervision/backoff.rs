//! How restarts are spaced.

use std::time::Duration;

/// How long a restart is put off: doubled each time from `initial` up to `max`, with jitter; the first restart is immediate.
///
/// A child that lived for `max` or longer counts as recovered: its next restart is a first one again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The delay before the second restart.
    pub initial: Duration,
    /// The longest delay.
    pub max: Duration,
}

impl Default for Backoff {
    /// From ten milliseconds to five seconds.
    fn default() -> Self {
        Self { initial: Duration::from_millis(10), max: Duration::from_secs(5) }
    }
}

/// A random number, uniform over its whole range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Jitter(pub(super) u32);

impl Backoff {
    /// No delay at all.
    pub const NONE: Self = Self { initial: Duration::ZERO, max: Duration::ZERO };

    /// The delay after `streak` restarts that followed each other: between half and the whole of the nominal delay.
    pub(super) fn delay(self, streak: u32, jitter: Jitter) -> Duration {
        let Some(doublings) = streak.checked_sub(1) else { return Duration::ZERO };
        let factor = 2_u32.checked_pow(doublings).unwrap_or(u32::MAX);
        let nominal = self.initial.saturating_mul(factor).min(self.max);
        let half = nominal.div_f64(2.0);
        half.saturating_add(half.mul_f64(f64::from(jitter.0) / f64::from(u32::MAX))).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_restart_is_immediate_and_later_ones_double_up_to_the_cap() {
        let backoff = Backoff { initial: Duration::from_millis(10), max: Duration::from_millis(60) };
        let full = [0, 10, 20, 40, 60, 60];
        for (streak, millis) in (0..).zip(full) {
            assert_eq!(backoff.delay(streak, Jitter(u32::MAX)), Duration::from_millis(millis), "after {streak}");
            assert_eq!(backoff.delay(streak, Jitter(0)), Duration::from_millis(millis) / 2, "after {streak}");
        }
    }

    proptest! {
        #[test]
        fn a_delay_never_exceeds_the_cap(streak: u32, jitter: u32, initial in 0_u64..10_000, max in 0_u64..10_000) {
            let backoff = Backoff { initial: Duration::from_millis(initial), max: Duration::from_millis(max) };
            prop_assert!(backoff.delay(streak, Jitter(jitter)) <= backoff.max);
        }
    }
}
