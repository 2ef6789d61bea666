//! The breaker: what opens it, how long it stays so, and what closes it.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::data_plane::provider::breaker::{Breaker, Change, Dice, KeyVersion, Open, Reason, Verdict};

const KEY: KeyVersion = KeyVersion(1);
const OTHER_KEY: KeyVersion = KeyVersion(2);
const LONGEST: Dice = Dice(u32::MAX);
const SHORTEST: Dice = Dice(0);
/// Failures in a row that open it.
const IN_ROW: usize = 8;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// One call from beginning to end.
fn call(breaker: &mut Breaker, verdict: Verdict, now: Instant) -> Option<Change> {
    let ticket = breaker.admit(now, KEY).expect("it is let through");
    breaker.ended(&ticket, verdict, (now, KEY), LONGEST)
}

fn opened(now: Instant) -> Breaker {
    let mut breaker = Breaker::new();
    let changes: Vec<_> = (0..IN_ROW).filter_map(|_| call(&mut breaker, Verdict::Failed, now)).collect();
    assert_eq!(changes, [Change::Opened(Open { reason: Reason::Failing, left: seconds(1) })]);
    breaker
}

#[test]
fn failures_in_a_row_open_it_and_an_answer_between_them_does_not() {
    let mut now = Instant::now();
    let mut breaker = Breaker::new();
    let round = [vec![Verdict::Failed; IN_ROW - 1], vec![Verdict::Answered]].concat();
    for verdict in [round.clone(), round.clone(), round].concat() {
        // So far apart that there are never enough of them for their rate to tell.
        now += seconds(2);
        assert_eq!(call(&mut breaker, verdict, now), None);
    }
    let breaker = opened(now);
    let shut = Open { reason: Reason::Failing, left: seconds(1) };
    assert_eq!(breaker.check(now, KEY), Err(shut));
}

#[test]
fn half_of_many_calls_open_it_and_half_of_a_few_do_not() {
    let now = Instant::now();
    let mut breaker = Breaker::new();
    let mut calls = 0;
    while calls < 60 {
        calls += 1;
        if call(&mut breaker, Verdict::Answered, now).or(call(&mut breaker, Verdict::Failed, now)).is_some() {
            break;
        }
    }
    assert_eq!(calls, 10, "twenty calls, of which ten failed");
}

#[test]
fn calls_that_are_long_past_count_no_more() {
    let now = Instant::now();
    let mut breaker = Breaker::new();
    for number in 0..200 {
        // One failure and one answer every three seconds: never twenty within ten seconds.
        let at = now + seconds(3 * number);
        assert_eq!(call(&mut breaker, Verdict::Failed, at), None);
        assert_eq!(call(&mut breaker, Verdict::Answered, at), None);
    }
}

#[test]
fn one_probe_decides_and_its_failure_opens_for_longer_up_to_the_cap() {
    let mut now = Instant::now();
    let mut breaker = opened(now);
    let mut open_for = Vec::new();
    for _ in 0..8 {
        let left = breaker.check(now, KEY).expect_err("open").left;
        assert!(breaker.check(now + left - Duration::from_nanos(1), KEY).is_err());
        now += left;
        assert_eq!(breaker.check(now, KEY), Ok(()));
        let probe = breaker.admit(now, KEY).expect("one");
        assert!(breaker.check(now, KEY).is_err() && breaker.admit(now, KEY).is_err(), "a single one");
        match breaker.ended(&probe, Verdict::Failed, (now, KEY), LONGEST) {
            Some(Change::Reopened(open)) => open_for.push(open.left.as_secs()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(open_for, [2, 4, 8, 16, 32, 60, 60, 60]);
    let probe = breaker.admit(now + seconds(60), KEY).expect("one");
    let answered = breaker.ended(&probe, Verdict::Answered, (now + seconds(60), KEY), LONGEST);
    assert_eq!(answered, Some(Change::Closed));
    assert_eq!(call(&mut breaker, Verdict::Answered, now + seconds(60)), None);
}

#[test]
fn a_probe_that_says_nothing_is_followed_by_another() {
    let now = Instant::now();
    let mut breaker = opened(now);
    let later = now + seconds(1);
    let abandoned = breaker.admit(later, KEY).expect("a probe");
    assert_eq!(breaker.ended(&abandoned, Verdict::Untold, (later, KEY), LONGEST), None);
    let probe = breaker.admit(later, KEY).expect("the next one");
    assert_eq!(breaker.ended(&probe, Verdict::Answered, (later, KEY), LONGEST), Some(Change::Closed));
}

#[test]
fn calls_from_before_it_opened_change_nothing_afterwards() {
    let now = Instant::now();
    let mut breaker = Breaker::new();
    let early: Vec<_> = (0..40).map(|_| breaker.admit(now, KEY).expect("closed")).collect();
    for _ in 0..IN_ROW {
        call(&mut breaker, Verdict::Failed, now);
    }
    let (late, very_late) = early.split_at(20);
    for ticket in late {
        assert_eq!(breaker.ended(ticket, Verdict::Answered, (now, KEY), LONGEST), None, "it stays open");
    }
    let later = now + seconds(1);
    assert_eq!(call(&mut breaker, Verdict::Answered, later), Some(Change::Closed));
    for ticket in very_late {
        assert_eq!(breaker.ended(ticket, Verdict::Failed, (later, KEY), LONGEST), None, "it stays closed");
    }
}

#[test]
fn a_key_that_is_rejected_opens_it_at_once_and_another_key_is_tried_at_once() {
    let now = Instant::now();
    let mut breaker = Breaker::new();
    let reason = Reason::Key { status: 401, version: KEY };
    let rejected = Verdict::KeyRejected { status: 401 };
    let shut = Open { reason, left: seconds(300) };
    assert_eq!(call(&mut breaker, rejected, now), Some(Change::Opened(shut)));
    assert_eq!(breaker.check(now, KEY), Err(shut));
    assert_eq!(breaker.check(now, OTHER_KEY), Ok(()));
    let probe = breaker.admit(now, OTHER_KEY).expect("another key");
    assert!(breaker.admit(now, OTHER_KEY).is_err_and(|open| open.reason == Reason::Failing), "they wait for the probe");
    let other = Reason::Key { status: 401, version: OTHER_KEY };
    let change = breaker.ended(&probe, rejected, (now, OTHER_KEY), LONGEST);
    assert_eq!(change, Some(Change::Opened(Open { reason: other, left: seconds(300) })), "that is news");
    let later = now + seconds(300);
    assert_eq!(call_with(&mut breaker, OTHER_KEY, Verdict::Answered, later), Some(Change::Closed));
}

fn call_with(breaker: &mut Breaker, key: KeyVersion, verdict: Verdict, now: Instant) -> Option<Change> {
    let ticket = breaker.admit(now, key).expect("it is let through");
    breaker.ended(&ticket, verdict, (now, key), LONGEST)
}

#[test]
fn a_key_that_was_changed_while_the_call_ran_is_not_blamed() {
    let now = Instant::now();
    let mut breaker = Breaker::new();
    let ticket = breaker.admit(now, KEY).expect("closed");
    let change = breaker.ended(&ticket, Verdict::KeyRejected { status: 401 }, (now, OTHER_KEY), LONGEST);
    assert_eq!((change, breaker.check(now, OTHER_KEY)), (None, Ok(())));
}

#[test]
fn one_forbidden_model_does_not_keep_the_others_from_being_used() {
    let now = Instant::now();
    let mut breaker = Breaker::new();
    let forbidden = Verdict::Forbidden { status: 403 };
    for _ in 0..100 {
        assert_eq!(call(&mut breaker, forbidden, now), None);
        assert_eq!(call(&mut breaker, Verdict::Answered, now), None);
    }
    let changes: Vec<_> = (0..IN_ROW).filter_map(|_| call(&mut breaker, forbidden, now)).collect();
    let reason = Reason::Key { status: 403, version: KEY };
    assert_eq!(
        changes,
        [Change::Opened(Open { reason, left: seconds(300) })],
        "where nothing else is answered it is the key"
    );
}

#[test]
fn jitter_takes_at_most_half() {
    let now = Instant::now();
    let mut breaker = Breaker::new();
    let tickets: Vec<_> = (0..IN_ROW).map(|_| breaker.admit(now, KEY).expect("closed")).collect();
    for ticket in &tickets {
        breaker.ended(ticket, Verdict::Failed, (now, KEY), SHORTEST);
    }
    assert_eq!(breaker.check(now, KEY).map_err(|open| open.left), Err(Duration::from_millis(500)));
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Begin,
    End(usize, Verdict),
    Passes(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let verdict = prop_oneof![
        3 => Just(Verdict::Failed),
        2 => Just(Verdict::Answered),
        1 => Just(Verdict::Untold),
        1 => Just(Verdict::Forbidden { status: 403 }),
    ];
    let step = prop_oneof![
        4 => Just(Step::Begin),
        4 => (any::<usize>(), verdict).prop_map(|(at, verdict)| Step::End(at, verdict)),
        1 => (0..2_000_u64).prop_map(Step::Passes),
    ];
    prop::collection::vec(step, 0..400)
}

proptest! {
    /// INVARIANT P7: after it has opened, no call is let through until its time is up, then one at a time until one is answered;
    /// and whatever happened, it lets a call through again within five minutes.
    #[test]
    fn an_open_breaker_lets_nothing_through_and_a_half_open_one_a_single_call(steps in steps(), dice: u32) {
        let (mut now, mut breaker) = (Instant::now(), Breaker::new());
        let mut running = Vec::new();
        let mut shut_until: Option<Instant> = None;
        let mut probing = false;
        for step in steps {
            match step {
                Step::Passes(millis) => now += Duration::from_millis(millis),
                Step::Begin => {
                    let allowed = breaker.check(now, KEY).is_ok();
                    let admitted = breaker.admit(now, KEY);
                    prop_assert_eq!(allowed, admitted.is_ok());
                    match (admitted, shut_until) {
                        (Ok(ticket), Some(until)) => {
                            prop_assert!(now >= until && !probing);
                            probing = true;
                            running.push((ticket, true));
                        }
                        (Ok(ticket), None) => running.push((ticket, false)),
                        (Err(open), Some(until)) => {
                            prop_assert!(probing || now < until);
                            prop_assert!(!open.left.is_zero() && open.left <= seconds(300));
                        }
                        (Err(_), None) => prop_assert!(false, "closed, and a call is kept away"),
                    }
                }
                Step::End(at, verdict) if !running.is_empty() => {
                    let (ticket, is_probe) = running.swap_remove(at % running.len());
                    let change = breaker.ended(&ticket, verdict, (now, KEY), Dice(dice));
                    if is_probe {
                        probing = false;
                        prop_assert_eq!(change.is_none(), verdict == Verdict::Untold);
                    }
                    match change {
                        Some(Change::Opened(open) | Change::Reopened(open)) => {
                            shut_until = Some(now + open.left);
                            // Who was let through before says nothing any more.
                            running.iter_mut().for_each(|(_, is_probe)| *is_probe = false);
                        }
                        Some(Change::Closed) => {
                            prop_assert!(is_probe && verdict == Verdict::Answered);
                            shut_until = None;
                        }
                        None => {}
                    }
                }
                Step::End(..) => {}
            }
        }
        if !probing {
            prop_assert!(breaker.check(now + seconds(300), KEY).is_ok());
        }
    }
}
