//! The gate: slots, the pause that a provider asks for, and how they go together with its breaker.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::data_plane::provider::breaker::{Dice, KeyVersion};
use crate::data_plane::provider::concurrency::Limit;
use crate::data_plane::provider::gate::{Gate, Hold, PAUSE_MAX, Signal};

const KEY: KeyVersion = KeyVersion(0);
const DICE: Dice = Dice(u32::MAX);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn a_provider_that_asks_for_patience_is_left_alone_by_all_for_as_long() {
    let now = Instant::now();
    let mut gate = Gate::new(Limit::fixed(8));
    let permit = gate.admit(now, KEY).expect("a slot");
    gate.ended(&permit, Signal::SlowDown { pause: Some(seconds(5)) }, (now, KEY), DICE);
    assert_eq!(gate.admit(now + seconds(2), KEY).map(drop), Err(Hold::Paused { left: seconds(3) }));
    assert_eq!(gate.check(now + seconds(5), KEY), Ok(()));
    let permit = gate.admit(now + seconds(5), KEY).expect("a slot");
    gate.ended(&permit, Signal::SlowDown { pause: Some(seconds(999)) }, (now, KEY), DICE);
    assert_eq!(gate.check(now, KEY), Err(Hold::Paused { left: PAUSE_MAX }), "within reason");
}

#[test]
fn a_shorter_pause_does_not_end_a_longer_one() {
    let now = Instant::now();
    let mut gate = Gate::new(Limit::fixed(8));
    let permits: Vec<_> = (0..3).map(|_| gate.admit(now, KEY).expect("a slot")).collect();
    let pauses = [Some(seconds(9)), Some(seconds(1)), None];
    for (permit, pause) in permits.iter().zip(pauses) {
        gate.ended(permit, Signal::SlowDown { pause }, (now, KEY), DICE);
    }
    assert_eq!(gate.check(now, KEY), Err(Hold::Paused { left: seconds(9) }));
}

#[test]
fn a_full_gate_does_not_use_up_the_probe() {
    let now = Instant::now();
    let mut gate = Gate::new(Limit::fixed(9));
    let slow = gate.admit(now, KEY).expect("a slot");
    let failing: Vec<_> = (0..8).map(|_| gate.admit(now, KEY).expect("a slot")).collect();
    assert_eq!(gate.admit(now, KEY).map(drop), Err(Hold::Full));
    for permit in &failing {
        gate.ended(permit, Signal::Failed, (now, KEY), DICE);
    }
    assert!(matches!(gate.admit(now, KEY), Err(Hold::Open(_))));
    let later = now + seconds(1);
    let probe = gate.admit(later, KEY).expect("its time is up");
    let changes = gate.ended(&probe, Signal::Answered, (later, KEY), DICE);
    assert!(changes.breaker.is_some(), "closed");
    gate.ended(&slow, Signal::Failed, (later, KEY), DICE);
    assert_eq!(gate.check(later, KEY), Ok(()));
}

proptest! {
    /// INVARIANT P1: never more at once than the limit, and a slot that is given back can be had again.
    #[test]
    fn no_more_are_let_through_than_the_limit(
        ceiling in 1..20_u32,
        steps in prop::collection::vec((any::<bool>(), any::<usize>(), 0..4_u8), 0..300),
    ) {
        let mut now = Instant::now();
        let mut gate = Gate::new(Limit::adaptive(ceiling, now));
        let mut running = Vec::new();
        for (begins, at, signal) in steps {
            now += Duration::from_millis(10);
            if begins {
                let most = usize::try_from(gate.limit()).expect("small");
                match gate.admit(now, KEY) {
                    Ok(permit) => {
                        prop_assert!(running.len() < most);
                        running.push(permit);
                    }
                    Err(Hold::Full) => prop_assert!(running.len() >= most),
                    Err(Hold::Paused { .. } | Hold::Open(_)) => {}
                }
            } else if !running.is_empty() {
                let permit = running.swap_remove(at % running.len());
                let pause = Some(Duration::from_millis(20));
                let signal = match signal {
                    0 => Signal::Answered,
                    1 => Signal::SlowDown { pause },
                    2 => Signal::Overwhelmed,
                    _ => Signal::Untold,
                };
                gate.ended(&permit, signal, (now, KEY), DICE);
            }
        }
        for permit in running.drain(..) {
            gate.ended(&permit, Signal::Answered, (now, KEY), DICE);
        }
        let much_later = now + seconds(400);
        prop_assert!(gate.admit(much_later, KEY).is_ok(), "all slots are back");
    }
}
