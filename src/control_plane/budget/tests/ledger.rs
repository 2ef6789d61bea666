//! The ledger against a model that keeps nothing but a list of what happened.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::domain::budget::{Limit, Scope, Window};
use crate::domain::clock::{Day, Timestamp};
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::store::Position;

use crate::control_plane::budget::account::{Cost, Known};
use crate::control_plane::budget::limits::Source;
use crate::control_plane::budget::payer::{Key, Payer};
use crate::control_plane::budget::refusal::{Subject, Why};
use crate::control_plane::budget::state::{Denied, Ledger};

const MICROS_PER_DAY: i64 = 86_400_000_000;

pub(super) fn at(day: i64) -> Timestamp {
    Timestamp::from_micros(day * MICROS_PER_DAY)
}

pub(super) fn usd(nanos: i64) -> Usd {
    Usd::from_nanos(nanos)
}

fn task(number: u8) -> TaskId {
    TaskId::from_bytes([number; 16])
}

pub(super) fn key(number: u8, step: u32) -> Key {
    Key { task: task(number), step }
}

fn tenant(name: &str) -> Scope {
    Scope::Tenant(name.parse().expect("a tenant"))
}

pub(super) fn cost(amount: i64, day: i64, position: u64) -> Cost {
    Cost { amount: usd(amount), held: usd(amount), day: at(day).day(), position: Position(position) }
}

/// What the counters say.
pub(super) fn known(days: &[(i64, i64)]) -> Known {
    let days = days.iter().map(|(day, amount)| (at(*day).day(), usd(*amount))).collect();
    Known { days, ..Known::default() }
}

/// A ledger with these limits, whose counters were read as of position 0.
pub(super) fn ledger(limits: &[(Scope, i64, Window)]) -> Ledger {
    let mut ledger = Ledger::default();
    for (scope, amount, window) in limits {
        ledger.declare(scope, Source::Settings, Some(Limit::new(usd(*amount), *window)));
    }
    for (scope, _, _) in limits {
        assert!(matches!(ledger.show(scope, Day::from_number(0)), Err(Denied::Unread(_))));
        ledger.read(scope, Position(0), known(&[]));
    }
    ledger
}

pub(super) fn spent(ledger: &mut Ledger, scope: &Scope, day: i64) -> (i64, i64) {
    let standing = ledger.show(scope, at(day).day()).expect("read");
    (standing.reserved.nanos(), standing.spent.nanos())
}

pub(super) fn refusal(denied: Result<(), Denied>) -> crate::control_plane::budget::Refusal {
    match denied {
        Err(Denied::Refused(refusal)) => refusal,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn money_is_held_on_everything_or_on_nothing() {
    let mut ledger = ledger(&[(Scope::Global, 100, Window::Total), (tenant("a"), 10, Window::Day)]);
    let payer = Payer::new([Scope::Global, tenant("a")], [(task(1), None)]);
    let refused = refusal(ledger.reserve(key(1, 0), &payer, usd(11), at(1)));
    assert_eq!(
        (refused.subject.clone(), refused.left(), refused.why),
        (Subject::Scope(tenant("a")), usd(10), Why::NoRoom)
    );
    assert_eq!(spent(&mut ledger, &Scope::Global, 1), (0, 0));
    assert_eq!(ledger.reserve(key(1, 0), &payer, usd(10), at(1)), Ok(()));
    assert_eq!(spent(&mut ledger, &Scope::Global, 1), (10, 0));
}

#[test]
fn a_key_holds_money_once_and_another_amount_takes_the_firsts_place() {
    let mut ledger = ledger(&[(Scope::Global, 100, Window::Total)]);
    let payer = Payer::new([Scope::Global, Scope::Global], [(task(1), None)]);
    for amount in [60, 60, 80, 20] {
        assert_eq!(ledger.reserve(key(1, 0), &payer, usd(amount), at(1)), Ok(()));
        assert_eq!(spent(&mut ledger, &Scope::Global, 1), (amount, 0));
    }
    let refused = refusal(ledger.reserve(key(1, 0), &payer, usd(101), at(1)));
    assert_eq!(refused.reserved, usd(0), "its own hold does not stand in its way");
    assert_eq!(spent(&mut ledger, &Scope::Global, 1), (20, 0), "a refused change leaves what was held");
}

#[test]
fn open_reservations_count_as_gone_in_every_window() {
    let mut ledger = ledger(&[(Scope::Global, 10, Window::Day)]);
    let payer = Payer::new([Scope::Global], []);
    assert_eq!(ledger.reserve(key(1, 0), &payer, usd(10), at(1)), Ok(()));
    assert_eq!(refusal(ledger.reserve(key(2, 0), &payer, usd(1), at(2))).reserved, usd(10));
    ledger.release(key(1, 0));
    assert_eq!(ledger.reserve(key(2, 0), &payer, usd(1), at(2)), Ok(()));
}

#[test]
fn a_days_limit_renews_and_a_total_does_not() {
    for (window, renews) in [(Window::Day, true), (Window::Total, false)] {
        let mut ledger = ledger(&[(Scope::Global, 10, window)]);
        let payer = Payer::new([Scope::Global], []);
        assert_eq!(ledger.reserve(key(1, 0), &payer, usd(10), at(1)), Ok(()));
        assert_eq!(ledger.settle(key(1, 0), &payer, cost(10, 1, 1)), None);
        assert_eq!(ledger.reserve(key(1, 1), &payer, usd(10), at(2)).is_ok(), renews, "{window:?}");
        ledger.release(key(1, 1));
        assert!(ledger.reserve(key(1, 2), &payer, usd(10), at(1)).is_err(), "the clock went back ({window:?})");
    }
}

#[test]
fn a_parents_limit_covers_what_its_children_spend() {
    let mut ledger = Ledger::default();
    let child = |number| Payer::new([], [(task(number), Some(usd(8))), (task(1), Some(usd(10)))]);
    assert_eq!(ledger.reserve(key(2, 0), &child(2), usd(6), at(1)), Ok(()));
    assert_eq!(ledger.settle(key(2, 0), &child(2), cost(5, 1, 1)), None);
    let refused = refusal(ledger.reserve(key(3, 0), &child(3), usd(6), at(1)));
    assert_eq!((refused.subject, refused.spent, refused.first), (Subject::Task(task(1)), usd(5), true));
    assert!(!refusal(ledger.reserve(key(3, 0), &child(3), usd(6), at(1))).first);
    ledger.close_task(task(2));
    assert!(
        ledger.reserve(key(3, 0), &child(3), usd(6), at(1)).is_err(),
        "a closed child's spending stays its parent's"
    );
}

#[test]
fn a_reopened_task_has_spent_what_it_had() {
    let mut ledger = Ledger::default();
    let payer = Payer::new([], [(task(1), Some(usd(10)))]);
    assert_eq!(ledger.reserve(key(1, 0), &payer, usd(8), at(1)), Ok(()));
    assert_eq!(ledger.settle(key(1, 0), &payer, cost(8, 1, 1)), None);
    ledger.close_task(task(1));
    assert_eq!(ledger.tracked().1, 0, "a task that has ended is forgotten");
    assert_eq!(ledger.reopen_task(task(1), usd(8)), Ok(()));
    let refused = refusal(ledger.reserve(key(1, 1), &payer, usd(3), at(1)));
    assert_eq!((refused.subject, refused.spent, refused.first), (Subject::Task(task(1)), usd(8), true));
    assert_eq!(ledger.reserve(key(1, 1), &payer, usd(2), at(1)), Ok(()));
    assert_eq!(ledger.settle(key(1, 1), &payer, cost(1, 1, 2)), None);
    assert_eq!(ledger.reopen_task(task(1), usd(8)), Ok(()), "what is told late takes nothing back");
    assert_eq!(refusal(ledger.reserve(key(1, 2), &payer, usd(2), at(1))).spent, usd(9));
}

#[test]
fn closing_a_task_ends_what_it_holds() {
    let mut ledger = ledger(&[(Scope::Global, 10, Window::Total)]);
    let payer = Payer::new([Scope::Global], [(task(1), Some(usd(10)))]);
    for step in [0, 7, u32::MAX] {
        assert_eq!(ledger.reserve(key(1, step), &payer, usd(2), at(1)), Ok(()));
    }
    assert_eq!(ledger.reserve(key(2, 0), &Payer::new([Scope::Global], []), usd(1), at(1)), Ok(()));
    ledger.close_task(task(1));
    assert_eq!(ledger.open(None).map(|(key, _)| *key).collect::<Vec<_>>(), [key(2, 0)]);
    assert_eq!(spent(&mut ledger, &Scope::Global, 1), (1, 0));
}

#[test]
fn a_cost_above_its_reservation_is_booked_whole_and_stops_limited_scopes() {
    let mut ledger = ledger(&[(Scope::Global, 100, Window::Day)]);
    let payer = Payer::new([Scope::Global, tenant("free")], [(task(1), None)]);
    assert_eq!(ledger.reserve(key(1, 0), &payer, usd(5), at(1)), Ok(()));
    let overrun = ledger.settle(key(1, 0), &payer, Cost { held: usd(5), ..cost(7, 1, 1) }).expect("an overrun");
    assert_eq!((overrun.held, overrun.cost, overrun.stopped), (usd(5), usd(7), vec![Scope::Global]));
    assert_eq!(spent(&mut ledger, &Scope::Global, 1), (0, 7));
    assert_eq!(refusal(ledger.reserve(key(1, 1), &payer, usd(1), at(1))).why, Why::Stopped);
    assert_eq!(ledger.show(&Scope::Global, at(1).day()).expect("read").remaining, Some(usd(0)));
    assert_eq!(ledger.reserve(key(1, 1), &payer, usd(1), at(2)), Ok(()), "the window ended");
    assert!(ledger.reserve(key(1, 2), &payer, usd(1), at(1)).is_err(), "a clock that goes back finds it stopped");
    ledger.set(&Scope::Global, Limit::new(usd(100), Window::Day), Position(2));
    assert_eq!(ledger.reserve(key(1, 2), &payer, usd(1), at(1)), Ok(()), "the limit was set again");
}

#[test]
fn only_the_first_refusal_in_a_window_is_news() {
    let mut ledger = ledger(&[(Scope::Global, 1, Window::Day)]);
    let payer = Payer::new([Scope::Global], []);
    let news: Vec<bool> =
        [1, 1, 2, 2].map(|day| refusal(ledger.reserve(key(1, 0), &payer, usd(2), at(day))).first).into();
    assert_eq!(news, [true, false, true, false]);
}

#[test]
fn a_cost_is_added_only_where_the_counters_lack_it() {
    let payer = Payer::new([tenant("a")], [(task(1), Some(usd(100)))]);
    for (position, expected) in [(9, 50), (10, 50), (11, 53)] {
        let mut ledger = Ledger::default();
        ledger.declare(&tenant("a"), Source::Settings, Some(Limit::new(usd(100), Window::Total)));
        ledger.recover(Position(8), vec![(key(1, 0), payer.clone(), usd(5), at(1))], vec![(task(1), usd(40))]);
        assert_eq!(ledger.reserve(key(1, 1), &payer, usd(1), at(1)), Err(Denied::Unread(vec![tenant("a")])));
        ledger.read(&tenant("a"), Position(10), known(&[(1, 50)]));
        assert_eq!(spent(&mut ledger, &tenant("a"), 1), (5, 50), "position {position}");
        assert_eq!(ledger.settle(key(1, 0), &payer, cost(3, 1, position)), None);
        assert_eq!(spent(&mut ledger, &tenant("a"), 1), (0, expected), "position {position}");
        let refused = refusal(ledger.reserve(key(1, 1), &Payer::new([], payer.tasks().to_vec()), usd(60), at(1)));
        assert_eq!(refused.spent, usd(43), "the task was open in the records, so its spending lacked the cost");
    }
}

#[test]
fn what_is_settled_while_the_counters_are_read_is_neither_lost_nor_counted_twice() {
    for (as_of, counted, expected) in [(4, 0, 3), (5, 3, 3), (6, 3, 3)] {
        let mut ledger = ledger(&[]);
        ledger.declare(&tenant("a"), Source::Template, Some(Limit::new(usd(100), Window::Total)));
        let payer = Payer::new([tenant("a")], []);
        ledger.recover(Position(0), vec![(key(1, 0), payer.clone(), usd(5), at(1))], Vec::new());
        assert!(matches!(ledger.reserve(key(1, 1), &payer, usd(1), at(1)), Err(Denied::Unread(_))));
        assert_eq!(ledger.settle(key(1, 0), &payer, cost(3, 1, 5)), None);
        ledger.read(&tenant("a"), Position(as_of), known(&[(1, counted)]));
        assert_eq!(spent(&mut ledger, &tenant("a"), 1), (0, expected), "read as of {as_of}");
        ledger.read(&tenant("a"), Position(99), known(&[(1, 77)]));
        assert_eq!(spent(&mut ledger, &tenant("a"), 1), (0, expected), "a second reading changes nothing");
    }
}

#[test]
fn a_cost_of_which_nothing_is_held_counts_unless_the_counters_contain_it() {
    let mut ledger = ledger(&[(Scope::Global, 100, Window::Total)]);
    let payer = Payer::new([Scope::Global], [(task(1), Some(usd(10)))]);
    assert_eq!(ledger.settle(key(1, 0), &payer, cost(3, 1, 5)), None);
    assert_eq!(spent(&mut ledger, &Scope::Global, 1), (0, 3));
    assert_eq!(refusal(ledger.reserve(key(1, 1), &payer, usd(8), at(1))).spent, usd(3));
    assert_eq!(ledger.settle(key(1, 2), &payer, cost(3, 1, 0)), None);
    assert_eq!(spent(&mut ledger, &Scope::Global, 1), (0, 3), "the counters that were read contain it");
}

#[test]
fn an_operators_limit_wins_and_declared_ones_bind_side_by_side() {
    let scope = tenant("a");
    let limit = |amount, window| Limit::new(usd(amount), window);
    let mut ledger = ledger(&[(scope.clone(), 10, Window::Total)]);
    let payer = Payer::new([scope.clone()], []);
    ledger.declare(&scope, Source::Template, Some(limit(4, Window::Day)));
    assert_eq!(refusal(ledger.reserve(key(1, 0), &payer, usd(5), at(1))).limit, usd(4));
    ledger.declare(&scope, Source::Template, None);
    assert_eq!(refusal(ledger.reserve(key(1, 0), &payer, usd(11), at(1))).limit, usd(10));
    ledger.set(&scope, limit(20, Window::Month), Position(7));
    ledger.set(&scope, limit(1, Window::Month), Position(6));
    assert_eq!(ledger.reserve(key(1, 0), &payer, usd(20), at(1)), Ok(()), "an older setting changes nothing");
}

#[test]
fn accounts_without_limits_leave_nothing_behind() {
    let mut ledger = Ledger::default();
    let payer = Payer::new([Scope::Global, tenant("a")], [(task(1), Some(usd(10)))]);
    assert_eq!(ledger.reserve(key(1, 0), &payer, usd(5), at(1)), Ok(()));
    assert_eq!(ledger.settle(key(1, 0), &payer, cost(5, 1, 1)), None);
    ledger.close_task(task(1));
    assert_eq!(ledger.tracked(), (0, 0, 0));
}

/// One thing that happens to the ledger.
#[derive(Debug, Clone)]
enum Deed {
    Reserve { key: Key, amount: i64 },
    Settle { key: Key, tenths: i64 },
    Release { key: Key },
    Close { task: u8 },
    Clock { day: i64 },
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let key = (1_u8..5, 0_u32..4).prop_map(|(number, step)| key(number, step));
    let deed = prop_oneof![
        5 => (key.clone(), 1_i64..40).prop_map(|(key, amount)| Deed::Reserve { key, amount }),
        3 => (key.clone(), 0_i64..=10).prop_map(|(key, tenths)| Deed::Settle { key, tenths }),
        1 => key.prop_map(|key| Deed::Release { key }),
        1 => (1_u8..5).prop_map(|task| Deed::Close { task }),
        1 => (0_i64..70).prop_map(|day| Deed::Clock { day }),
    ];
    prop::collection::vec(deed, 1..120)
}

/// Tasks 1 and 2 are tenant a's, the others tenant b's; 2 and 4 are children of 1 and 3.
pub(super) fn payer_of(key: Key) -> Payer {
    let number = key.task.as_bytes()[0];
    let parent = number - u8::from(number.is_multiple_of(2));
    let limit = |number: u8| (task(number), Some(usd(60 + i64::from(number))));
    Payer::new([Scope::Global, tenant(if number <= 2 { "a" } else { "b" })], [limit(number), limit(parent)])
}

const LIMITS: [(&str, i64, Window); 3] =
    [("global", 100, Window::Month), ("tenant:a", 70, Window::Day), ("tenant:b", 90, Window::Total)];

pub(super) fn scopes() -> Vec<(Scope, i64, Window)> {
    LIMITS.iter().map(|(scope, amount, window)| (scope.parse().expect("a scope"), *amount, *window)).collect()
}

/// The model: what is open, and every cost with its day.
#[derive(Debug, Default)]
struct Model {
    open: BTreeMap<Key, i64>,
    costs: Vec<(Scope, i64, i64)>,
    task_costs: Vec<(TaskId, i64)>,
    closed: Vec<TaskId>,
}

impl Model {
    fn reserved(&self, scope: &Scope) -> i64 {
        self.open.iter().filter(|(key, _)| payer_of(**key).scopes().contains(scope)).map(|(_, amount)| amount).sum()
    }

    fn of_task(&self, task: TaskId) -> i64 {
        let names = |key: &Key| payer_of(*key).tasks().iter().any(|(named, _)| *named == task);
        let reserved: i64 = self.open.iter().filter(|(key, _)| names(key)).map(|(_, amount)| amount).sum();
        let spent: i64 = self.task_costs.iter().filter(|(named, _)| *named == task).map(|(_, cost)| cost).sum();
        reserved + spent
    }

    fn spent(&self, scope: &Scope, window: Window, today: i64) -> i64 {
        let from = match window {
            Window::Day => today,
            Window::Month => i64::from(Day::from_number(today as i32).first_of_month().number()),
            Window::Total => i64::MIN,
        };
        self.costs.iter().filter(|(owner, day, _)| owner == scope && *day >= from).map(|(_, _, cost)| cost).sum()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// INVARIANT: with costs no larger than their reservations, spent + reserved never exceeds a limit, whatever the order of
    /// events; and the ledger's sums are those of a model that keeps only what happened.
    #[test]
    fn no_order_of_events_overspends_a_limit(deeds in deeds()) {
        let scopes = scopes();
        let mut ledger = ledger(&scopes);
        let mut model = Model::default();
        let (mut today, mut position) = (0, 0);
        for deed in deeds {
            match deed {
                Deed::Reserve { key, amount } => match ledger.reserve(key, &payer_of(key), usd(amount), at(today)) {
                    Ok(()) => { model.open.insert(key, amount); }
                    Err(Denied::Refused(_)) => {}
                    Err(other) => prop_assert!(false, "{other:?}"),
                },
                Deed::Settle { key, tenths } => {
                    position += 1;
                    let paid = model.open.remove(&key).map(|held| held * tenths / 10);
                    if let Some(paid) = paid {
                        let overrun = ledger.settle(key, &payer_of(key), cost(paid, today, position));
                        prop_assert_eq!(overrun, None);
                        model.task_costs.extend(payer_of(key).tasks().iter().map(|(task, _)| (*task, paid)));
                        model.costs.extend(payer_of(key).scopes().iter().map(|scope| (scope.clone(), today, paid)));
                    }
                }
                Deed::Release { key } => {
                    model.open.remove(&key);
                    ledger.release(key);
                }
                Deed::Close { task: number } => {
                    model.open.retain(|key, _| key.task != task(number));
                    model.closed.push(task(number));
                    ledger.close_task(task(number));
                }
                // Forwards only: a clock that goes back widens a window over days that were granted apart.
                Deed::Clock { day } => today = today.max(day),
            }
            for (scope, amount, window) in &scopes {
                let (reserved, spent) = spent(&mut ledger, scope, today);
                prop_assert_eq!((reserved, spent), (model.reserved(scope), model.spent(scope, *window, today)));
                prop_assert!(reserved + spent <= *amount, "{scope} has {reserved} + {spent} of {amount}");
            }
            for number in (1..5).filter(|number| !model.closed.contains(&task(*number))) {
                prop_assert!(model.of_task(task(number)) <= 60 + i64::from(number), "task {number}");
            }
            prop_assert_eq!(ledger.open(None).count(), model.open.len());
        }
        for key in model.open.keys() {
            ledger.release(*key);
        }
        for (scope, _, _) in &scopes {
            prop_assert_eq!(spent(&mut ledger, scope, today).0, 0, "every reservation ended");
        }
    }
}
