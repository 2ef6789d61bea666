//! Parts of limits that are reached, and scopes that are stopped, within one window and across ledgers.

use super::actor::{House, global, key, now, usd};
use super::ledger::{at, cost, key as step, known};
use crate::control_plane::budget::Payer;
use crate::control_plane::budget::account::{Alerted, Cost, Known};
use crate::control_plane::budget::limits::Source;
use crate::control_plane::budget::refusal::Why;
use crate::control_plane::budget::state::{Denied, Ledger};
use crate::domain::budget::{Limit, Scope, Threshold, Thresholds, Window};
use crate::journal::events::Event;
use crate::store::{Batch, Position};

/// No part of a limit.
const NONE: [u8; 0] = [];

fn thresholds(percents: &[u8]) -> Thresholds {
    percents.iter().copied().filter_map(Threshold::of).collect()
}

fn limit(amount: i64, window: Window, percents: &[u8]) -> Limit {
    Limit { alert_at: thresholds(percents), ..Limit::new(usd(amount), window) }
}

/// A ledger whose one limit is the settings', on a day.
fn ledger(limit: Limit, day: i64, read: Known) -> Ledger {
    let mut ledger = Ledger::default();
    ledger.declare(&Scope::Global, Source::Settings, Some(limit));
    assert!(matches!(ledger.show(&Scope::Global, at(day).day()), Err(Denied::Unread(_))));
    ledger.read(&Scope::Global, Position(0), read);
    ledger
}

fn alerts(ledger: &mut Ledger, day: i64) -> Vec<u8> {
    ledger.alerts(&Scope::Global, at(day).day()).iter().map(|alert| alert.at.percent()).collect()
}

#[test]
fn each_part_is_told_once_a_window() {
    let mut ledger = ledger(limit(100, Window::Day, &[50, 80]), 1, known(&[]));
    let payer = Payer::new([Scope::Global], []);
    let mut position = 0;
    let mut spend = |ledger: &mut Ledger, amount, day| {
        position += 1;
        assert_eq!(ledger.reserve(step(1, 0), &payer, usd(amount), at(day)), Ok(()));
        assert_eq!(alerts(ledger, day), NONE, "what is only reserved is not spent");
        ledger.settle(step(1, 0), &payer, cost(amount, day, position));
        alerts(ledger, day)
    };
    for day in [1, 2] {
        assert_eq!(spend(&mut ledger, 49, day), NONE);
        assert_eq!(spend(&mut ledger, 1, day), [50]);
        assert_eq!(spend(&mut ledger, 50, day), [80], "day {day}");
        assert_eq!(alerts(&mut ledger, day), NONE);
    }
    assert_eq!(alerts(&mut ledger, 1), NONE, "a clock that goes back hears nothing again");
    assert_eq!(spend(&mut ledger, 90, 3), [50, 80], "several at once, the lowest first");
}

#[test]
fn what_an_earlier_ledger_told_is_not_told_again_unless_the_limit_is_another() {
    let told = |limit: Limit, day| Alerted {
        at: Threshold::of(50).expect("a threshold"),
        limit: limit.amount,
        window: limit.window,
        day: at(day).day(),
    };
    let month = limit(100, Window::Month, &[50, 80]);
    for (alerted, today, expected) in [
        (vec![], 40, vec![50]),
        (vec![told(month, 35)], 40, vec![]),
        (vec![told(month, 3)], 40, vec![50]),
        (vec![told(month, 70)], 40, vec![]),
        (vec![told(limit(90, Window::Month, &[]), 40)], 40, vec![50]),
        (vec![told(limit(100, Window::Day, &[]), 40)], 40, vec![50]),
    ] {
        let read = Known { alerted: alerted.clone(), ..known(&[(40, 60)]) };
        assert_eq!(alerts(&mut ledger(month, today, read), today), expected, "{alerted:?}");
    }
}

#[test]
fn a_limit_of_a_template_tells_nothing_and_one_that_is_not_read_neither() {
    let mut plain = ledger(limit(100, Window::Day, &[]), 1, known(&[(1, 100)]));
    assert_eq!(alerts(&mut plain, 1), NONE);
    let mut unread = Ledger::default();
    unread.declare(&Scope::Global, Source::Settings, Some(limit(100, Window::Day, &[1])));
    assert_eq!(alerts(&mut unread, 1), NONE);
}

/// INVARIANT: a stopped scope stays so until its window ends or its limit is set, whichever ledger looks at it.
#[test]
fn a_stop_that_was_read_binds_for_its_window_alone() {
    let payer = Payer::new([Scope::Global], []);
    for (window, today, stopped) in [
        (Window::Day, 1, true),
        (Window::Day, 0, true),
        (Window::Day, 2, false),
        (Window::Month, 30, true),
        (Window::Month, 31, false),
        (Window::Total, 900, true),
    ] {
        let read = Known { stopped: Some(at(1).day()), ..known(&[(1, 1)]) };
        let mut ledger = ledger(limit(100, window, &[]), today, read);
        let granted = ledger.reserve(step(1, 0), &payer, usd(1), at(today));
        assert_eq!(granted.is_err(), stopped, "{window:?} {today}");
        assert_eq!(ledger.show(&Scope::Global, at(today).day()).expect("read").stopped, stopped);
    }
}

#[test]
fn a_limit_that_is_set_while_the_scope_is_read_lets_it_run_and_a_later_overrun_stops_it() {
    let payer = Payer::new([Scope::Global], []);
    let stop = || Known { stopped: Some(at(1).day()), ..known(&[(1, 1)]) };
    for (set_at, overrun_at, runs) in [(5, None, true), (3, None, false), (5, Some(6), false), (5, Some(4), true)] {
        let mut ledger = Ledger::default();
        ledger.declare(&Scope::Global, Source::Settings, Some(limit(100, Window::Total, &[])));
        assert!(matches!(ledger.show(&Scope::Global, at(1).day()), Err(Denied::Unread(_))));
        ledger.set(&Scope::Global, limit(50, Window::Total, &[]), Position(set_at));
        if let Some(position) = overrun_at {
            ledger.settle(step(1, 0), &payer, Cost { held: usd(1), ..cost(2, 1, position) });
        }
        ledger.read(&Scope::Global, Position(3), stop());
        let granted = ledger.reserve(step(2, 0), &payer, usd(1), at(1));
        assert_eq!(granted.is_ok(), runs, "set at {set_at}, overrun at {overrun_at:?}: {granted:?}");
    }
}

#[test]
fn a_limit_that_is_taken_away_leaves_the_declared_one() {
    let mut ledger = ledger(limit(10, Window::Total, &[]), 1, known(&[]));
    assert_eq!(ledger.unplace(&Scope::Global), Err(Denied::NotSet), "the settings' limit is not an operator's");
    ledger.set(&Scope::Global, limit(100, Window::Total, &[]), Position(2));
    assert_eq!(ledger.unplace(&Scope::Global), Ok(()));
    ledger.unset(&Scope::Global, Position(3));
    let standing = ledger.show(&Scope::Global, at(1).day()).expect("read");
    assert_eq!(standing.limit, Some(limit(10, Window::Total, &[])));
    ledger.declare(&Scope::Global, Source::Settings, None);
    assert_eq!(ledger.show(&Scope::Global, at(1).day()).expect("read").limit, None);
}

impl House {
    async fn next_of(
        &self,
        events: &mut tokio::sync::broadcast::Receiver<Event>,
        kind: &str,
    ) -> Vec<(&'static str, String)> {
        loop {
            let event = events.recv().await.expect("news");
            if event.kind == kind {
                return event.details;
            }
        }
    }
}

#[tokio::test]
async fn a_part_that_was_told_is_not_told_again_after_a_restart() {
    let mut house = House::new(&[]).await;
    let mut events = house.events.subscribe();
    house.budget.set(&Scope::Global, limit(100, Window::Total, &[50, 80]), Batch::new()).await.expect("set");
    let held = house.budget.reserve(key(1, 0), global(), usd(60), now()).await.expect("fits");
    house.finish(&held, 60).await;
    let told = house.next_of(&mut events, "budget_threshold_reached").await;
    assert_eq!(
        told[..3],
        [("scope", "global".to_owned()), ("percent", "50".to_owned()), ("spent_usd", usd(60).to_string())]
    );
    house.kill().await;
    house.run().await;
    let held = house.budget.reserve(key(1, 1), global(), usd(30), now()).await.expect("fits");
    house.finish(&held, 30).await;
    let told = house.next_of(&mut events, "budget_threshold_reached").await;
    assert_eq!(told[1], ("percent", "80".to_owned()), "and not fifty once more");
}

#[tokio::test]
async fn a_stopped_scope_stays_so_across_ledgers_and_is_on_record() {
    let mut house = House::new(&[(Scope::Global, 100)]).await;
    let held = house.budget.reserve(key(1, 0), global(), usd(5), now()).await.expect("fits");
    house.finish(&held, 7).await;
    for incarnation in 0..3 {
        let standing = house.budget.show(&Scope::Global, now()).await.expect("shown");
        assert!(standing.stopped, "{incarnation}");
        assert_eq!(house.refusal(&Scope::Global, 1).await.expect("refused").why, Why::Stopped, "{incarnation}");
        house.kill().await;
        house.run().await;
    }
    let entries = house.audit.tail(0, 9).await.expect("read");
    let stops: Vec<_> = entries.iter().filter(|recorded| &*recorded.entry.action == "stop_budget").collect();
    assert_eq!(stops.len(), 1);
    house.budget.set(&Scope::Global, limit(100, Window::Total, &[]), Batch::new()).await.expect("set");
    house.kill().await;
    house.run().await;
    assert_eq!(house.refusal(&Scope::Global, 1).await, None, "it was set again, and that outlives the ledger too");
}

#[tokio::test]
async fn a_limit_that_is_taken_away_stays_away() {
    let mut house = House::new(&[(Scope::Global, 10)]).await;
    let missing = house.budget.unset(&Scope::Global, Batch::new()).await;
    assert!(matches!(missing, Err(crate::control_plane::budget::Error::NotSet)), "{missing:?}");
    house.budget.set(&Scope::Global, limit(100, Window::Total, &[]), Batch::new()).await.expect("set");
    assert_eq!(house.refusal(&Scope::Global, 100).await, None);
    house.budget.unset(&Scope::Global, Batch::new()).await.expect("taken away");
    for incarnation in 0..2 {
        assert_eq!(house.refusal(&Scope::Global, 11).await.expect("refused").limit, usd(10), "{incarnation}");
        house.kill().await;
        house.run().await;
    }
}
