//! When agents are passivated and how many, by what is known of memory. Pure.
//!
//! ```text
//! relaxed ──above the high mark──> pressed ──at or below the low mark──> relaxed
//! ```
//! While memory is pressed, each round passivates as many agents as bring it below the low mark, a bounded number, whoever is idle
//! for longest first, also those that are idle for less than `agents.idle_max`. An agent at work is never passivated.

use std::time::Duration;

/// Of a limit, in per cent: above it memory is pressed.
pub(super) const HIGH_MARK_PER_CENT: u64 = 90;
/// Of a limit, in per cent: at or below it memory is no longer pressed. The distance keeps agents from coming and going.
pub(super) const LOW_MARK_PER_CENT: u64 = 80;
/// Of the last ten seconds, in hundredths of a per cent: beyond it tasks of the host stall for memory so much that it is pressed.
pub(super) const HIGH_STALL: u64 = 2_000;
/// At or below it memory is no longer pressed.
pub(super) const LOW_STALL: u64 = 500;
/// What an idle agent in memory needs at least, in bytes: passivating so many gives back no less than is wanted. The figure is
/// of docs/performance.md, rounded down.
pub(super) const AGENT_BYTES: u64 = 8 * 1024;
/// The most agents that one round passivates, so that their ends do not crowd out everything else: of 10,000 at once others
/// noticed up to a tenth of a second.
pub(super) const ROUND_AGENTS_MAX: usize = 2_000;
/// Agents that one round passivates where it is not known how much memory is wanted.
pub(super) const STALLED_ROUND_AGENTS: usize = 1_000;

/// After so many agents have left, the memory that they had is given back to the system; after fewer only while it is pressed.
pub(super) const GIVEN_BACK_AGENTS: usize = 1_000;

/// How long it is to the next round when nothing presses.
const ROUND_PERIOD: Duration = Duration::from_secs(5);
/// How long it is to the next round while memory is pressed or a round did not reach everybody.
const PRESSED_PERIOD: Duration = Duration::from_millis(250);

/// What is known of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// So many bytes of at most so many are in use.
    Used { bytes: u64, limit: u64 },
    /// For so much of the last ten seconds, in hundredths of a per cent, some task stalled for memory.
    Stalled { share: u64 },
}

/// Whether memory is pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Pressure {
    #[default]
    Relaxed,
    Pressed,
}

/// What a round does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Round {
    /// Whether memory is pressed from now on.
    pub(super) pressure: Pressure,
    /// How many agents are passivated however short they are idle.
    pub(super) dismissed: usize,
}

/// Judges what is known of memory; of several limits the one that is nearest counts.
pub(super) fn judge(before: Pressure, readings: &[Reading]) -> Round {
    let mark = match before {
        Pressure::Relaxed => above_high,
        Pressure::Pressed => above_low,
    };
    let pressing = readings.iter().filter(|reading| mark(reading));
    let dismissed = pressing.map(excess).max();
    let pressure = if dismissed.is_some() { Pressure::Pressed } else { Pressure::Relaxed };
    Round { pressure, dismissed: dismissed.unwrap_or(0) }
}

/// How long it is to the next round after one that passivated so many agents.
pub(super) fn pause(round: Round, passivated: usize) -> Duration {
    match round.pressure {
        Pressure::Pressed => PRESSED_PERIOD,
        Pressure::Relaxed if passivated >= ROUND_AGENTS_MAX => PRESSED_PERIOD,
        Pressure::Relaxed => ROUND_PERIOD,
    }
}

/// Whether the memory of so many agents that have left is to be given back to the system now.
pub(super) fn gives_back(pressure: Pressure, left: usize) -> bool {
    match pressure {
        Pressure::Pressed => left > 0,
        Pressure::Relaxed => left >= GIVEN_BACK_AGENTS,
    }
}

fn above_high(reading: &Reading) -> bool {
    match *reading {
        Reading::Used { bytes, limit } => bytes > share(limit, HIGH_MARK_PER_CENT),
        Reading::Stalled { share } => share > HIGH_STALL,
    }
}

fn above_low(reading: &Reading) -> bool {
    match *reading {
        Reading::Used { bytes, limit } => bytes > share(limit, LOW_MARK_PER_CENT),
        Reading::Stalled { share } => share > LOW_STALL,
    }
}

/// The agents whose memory lies above the low mark.
fn excess(reading: &Reading) -> usize {
    match *reading {
        Reading::Used { bytes, limit } => {
            let agents = bytes.saturating_sub(share(limit, LOW_MARK_PER_CENT)).div_ceil(AGENT_BYTES);
            usize::try_from(agents).unwrap_or(usize::MAX).min(ROUND_AGENTS_MAX)
        }
        Reading::Stalled { .. } => STALLED_ROUND_AGENTS,
    }
}

/// So many per cent of a limit; the product of the largest limit that is read and 100 has no more than 64 bits.
fn share(limit: u64, per_cent: u64) -> u64 {
    (limit / 100).saturating_mul(per_cent)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: u64 = 1 << 30;

    fn used(per_cent: u64) -> Reading {
        Reading::Used { bytes: LIMIT / 100 * per_cent, limit: LIMIT }
    }

    #[test]
    fn memory_is_pressed_above_the_high_mark_until_it_is_below_the_low_one() {
        let relaxed = Round { pressure: Pressure::Relaxed, dismissed: 0 };
        for (before, reading, pressed) in [
            (Pressure::Relaxed, used(79), false),
            (Pressure::Relaxed, used(85), false),
            (Pressure::Relaxed, used(90), false),
            (Pressure::Relaxed, used(91), true),
            (Pressure::Pressed, used(85), true),
            (Pressure::Pressed, used(80), false),
            (Pressure::Relaxed, Reading::Stalled { share: 2_000 }, false),
            (Pressure::Relaxed, Reading::Stalled { share: 2_001 }, true),
            (Pressure::Pressed, Reading::Stalled { share: 501 }, true),
            (Pressure::Pressed, Reading::Stalled { share: 500 }, false),
        ] {
            let round = judge(before, &[reading]);
            assert_eq!(round.pressure == Pressure::Pressed, pressed, "{before:?}, {reading:?}");
            assert!(pressed || round == relaxed);
        }
        assert_eq!(judge(Pressure::Pressed, &[]), relaxed, "where nothing can be read nothing presses");
    }

    #[test]
    fn as_many_leave_as_bring_memory_below_the_low_mark_and_no_more_than_a_round_may() {
        let over = |agents: u64| Reading::Used { bytes: LIMIT / 100 * 80 + agents * AGENT_BYTES, limit: LIMIT };
        let goes = |reading| judge(Pressure::Pressed, &[reading]).dismissed;
        assert_eq!((goes(over(1)), goes(over(1_500))), (1, 1_500));
        assert_eq!(goes(Reading::Used { bytes: LIMIT, limit: LIMIT / 2 }), ROUND_AGENTS_MAX);
        assert_eq!(goes(Reading::Stalled { share: 10_000 }), STALLED_ROUND_AGENTS);
    }

    #[test]
    fn the_nearest_of_several_limits_counts() {
        let round = judge(Pressure::Relaxed, &[used(10), used(95), Reading::Stalled { share: 0 }]);
        assert_eq!(round, judge(Pressure::Relaxed, &[used(95)]));
    }

    #[test]
    fn rounds_follow_each_other_sooner_while_there_is_something_to_do() {
        let round = |pressure| Round { pressure, dismissed: 0 };
        let relaxed = round(Pressure::Relaxed);
        assert!(pause(round(Pressure::Pressed), 0) < pause(relaxed, 0));
        assert!(pause(relaxed, ROUND_AGENTS_MAX) < pause(relaxed, ROUND_AGENTS_MAX - 1));
    }

    #[test]
    fn memory_is_given_back_when_many_have_left_or_anybody_while_it_is_pressed() {
        assert!(gives_back(Pressure::Pressed, 1) && !gives_back(Pressure::Pressed, 0));
        assert!(
            gives_back(Pressure::Relaxed, GIVEN_BACK_AGENTS) && !gives_back(Pressure::Relaxed, GIVEN_BACK_AGENTS - 1)
        );
    }

    proptest! {
        #[test]
        fn no_reading_overflows_and_only_pressure_dismisses(bytes: u64, limit: u64, share: u64, pressed: bool) {
            let before = if pressed { Pressure::Pressed } else { Pressure::Relaxed };
            let round = judge(before, &[Reading::Used { bytes, limit }, Reading::Stalled { share }]);
            prop_assert!(round.dismissed <= ROUND_AGENTS_MAX);
            prop_assert_eq!(round.dismissed > 0, round.pressure == Pressure::Pressed);
        }
    }
}
