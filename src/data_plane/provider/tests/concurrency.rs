//! The adaptive limit: its bounds, how often it may halve, and that it recovers.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::data_plane::provider::concurrency::Limit;

const TICK: Duration = Duration::from_millis(1);

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// As many calls at once as are allowed, all answered after `latency`; the time afterwards.
fn round(limit: &mut Limit, began: Instant, latency: Duration) -> Instant {
    let (running, ended) = (limit.most(), began + latency);
    for _ in 0..running {
        limit.answered(began, running, ended);
    }
    ended + TICK
}

#[test]
fn many_calls_that_are_refused_together_halve_it_once() {
    let start = Instant::now();
    let mut limit = Limit::adaptive(64, start);
    let (began, refused) = (start + TICK, start + 2 * TICK);
    for _ in 0..64 {
        limit.pushed_back(began, refused);
    }
    assert_eq!(limit.most(), 32);
    limit.pushed_back(refused + TICK, refused + 2 * TICK);
    assert_eq!(limit.most(), 16, "that call began under the new limit");
}

#[test]
fn it_recovers_as_long_as_answers_are_as_quick_as_usual() {
    let start = Instant::now();
    let mut limit = Limit::adaptive(64, start);
    let mut now = start + TICK;
    for _ in 0..10 {
        limit.pushed_back(now, now + TICK);
        now += 2 * TICK;
    }
    assert_eq!(limit.most(), 1);
    let mut seen = vec![limit.most()];
    while limit.most() < 64 {
        now = round(&mut limit, now, millis(200));
        seen.push(limit.most());
        assert!(seen.len() < 30, "{seen:?}");
    }
    assert!(seen.is_sorted(), "{seen:?}");
}

#[test]
fn a_provider_that_becomes_slow_is_asked_less_until_that_is_usual() {
    let start = Instant::now();
    let mut limit = Limit::adaptive(64, start);
    let mut now = start + TICK;
    for _ in 0..20 {
        now = round(&mut limit, now, millis(100));
    }
    assert_eq!(limit.most(), 64);
    now = round(&mut limit, now, millis(190));
    assert_eq!(limit.most(), 64, "answers differ in length");
    let slow: Vec<_> = (0..4)
        .map(|_| {
            now = round(&mut limit, now, millis(1_000));
            limit.most()
        })
        .collect();
    assert!(
        slow.first().is_some_and(|most| *most <= 40) && slow.is_sorted_by(|before, after| before > after),
        "{slow:?}"
    );
    for _ in 0..60 {
        now = round(&mut limit, now, millis(1_000));
    }
    assert_eq!(limit.most(), 64);
}

#[test]
fn a_limit_that_is_hardly_used_stays() {
    let start = Instant::now();
    let mut limit = Limit::adaptive(64, start);
    let mut now = start + TICK;
    for latency in [100, 100, 900, 2_000, 5_000] {
        for _ in 0..64 {
            limit.answered(now, 1, now + millis(latency));
        }
        now += millis(latency) + TICK;
    }
    assert_eq!(limit.most(), 64);
}

#[test]
fn a_fixed_limit_is_its_ceiling() {
    let start = Instant::now();
    let mut limit = Limit::fixed(7);
    limit.pushed_back(start + TICK, start + 2 * TICK);
    round(&mut limit, start + TICK, millis(10));
    assert_eq!((limit.most(), Limit::fixed(0).most()), (7, 1));
}

#[derive(Debug, Clone, Copy)]
enum End {
    Answered,
    PushedBack,
}

fn ends() -> impl Strategy<Value = Vec<(End, u64, u64)>> {
    let end = prop_oneof![3 => Just(End::Answered), 1 => Just(End::PushedBack)];
    prop::collection::vec((end, 0..5_000_u64, 1..200_u64), 0..400)
}

proptest! {
    /// INVARIANT P8: the limit is between one and the ceiling; it falls at most to half, and then not again for calls that began
    /// before it fell; an answer alone raises it.
    #[test]
    fn it_stays_within_its_bounds_and_halves_once_for_a_round(ceiling in 1..200_u32, ends in ends()) {
        let start = Instant::now();
        let mut limit = Limit::adaptive(ceiling, start);
        let mut now = start;
        let mut fell_at = start;
        for (end, latency, passes) in ends {
            now += millis(passes);
            let began = now.checked_sub(millis(latency)).unwrap_or(start).max(start);
            let before = limit.most();
            match end {
                End::Answered => limit.answered(began, before, now),
                End::PushedBack => limit.pushed_back(began, now),
            }
            let after = limit.most();
            prop_assert!((1..=ceiling).contains(&after));
            prop_assert!(after >= before / 2, "{before} -> {after}");
            if after < before {
                prop_assert!(began > fell_at, "a call from before the last fall");
                fell_at = now;
            }
            prop_assert!(after <= before || matches!(end, End::Answered));
        }
        // Whatever happened: quick answers bring it back to its ceiling.
        for _ in 0..100 {
            now = round(&mut limit, now + TICK, millis(1));
        }
        prop_assert_eq!(limit.most(), ceiling);
    }
}
