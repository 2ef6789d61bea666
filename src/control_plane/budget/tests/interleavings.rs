//! The ledger against an independent meter, with everything mixed in that can happen to it: crashes, clocks that jump both ways,
//! limits that change, costs above their reservations, bills.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::ledger::{at, cost, key, usd};
use crate::control_plane::budget::account::{Cost, Known};
use crate::control_plane::budget::durable::Stored;
use crate::control_plane::budget::limits::Source;
use crate::control_plane::budget::payer::{Key, Payer};
use crate::control_plane::budget::refusal::{Subject, Why};
use crate::control_plane::budget::state::{Denied, Ledger};
use crate::domain::budget::{Limit, Scope, Window};
use crate::domain::clock::Day;
use crate::store::Position;

const NAMES: [&str; 3] = ["global", "tenant:a", "tenant:b"];
/// What the settings declare: they bind where no operator has set a limit.
const DECLARED: [(i64, Window); 3] = [(100, Window::Month), (60, Window::Day), (80, Window::Total)];

#[derive(Debug, Clone)]
enum Deed {
    Reserve {
        key: Key,
        amount: i64,
    },
    /// The call costs so many tenths of what was held; above ten, its worst case was wrong.
    Settle {
        key: Key,
        tenths: i64,
    },
    /// Nobody knows what the call costs: all that was held is booked.
    Doubt {
        key: Key,
    },
    /// The oldest doubt turns out to have cost so many tenths of what was booked.
    Bill {
        tenths: i64,
    },
    Release {
        key: Key,
    },
    Clock {
        day: i64,
    },
    Set {
        scope: usize,
        amount: i64,
        window: Window,
    },
    Unset {
        scope: usize,
    },
    /// The ledger dies, and comes back from records and counters.
    Crash,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let key = (1_u8..5, 0_u32..4).prop_map(|(number, step)| key(number, step));
    let window = prop_oneof![Just(Window::Day), Just(Window::Month), Just(Window::Total)];
    let deed = prop_oneof![
        8 => (key.clone(), 1_i64..40).prop_map(|(key, amount)| Deed::Reserve { key, amount }),
        5 => (key.clone(), 0_i64..=10).prop_map(|(key, tenths)| Deed::Settle { key, tenths }),
        1 => (key.clone(), 11_i64..=15).prop_map(|(key, tenths)| Deed::Settle { key, tenths }),
        2 => key.clone().prop_map(|key| Deed::Doubt { key }),
        2 => (0_i64..=10).prop_map(|tenths| Deed::Bill { tenths }),
        1 => key.prop_map(|key| Deed::Release { key }),
        3 => (0_i64..70).prop_map(|day| Deed::Clock { day }),
        1 => (0_usize..3, 0_i64..150, window).prop_map(|(scope, amount, window)| Deed::Set { scope, amount, window }),
        1 => (0_usize..3).prop_map(|scope| Deed::Unset { scope }),
        2 => Just(Deed::Crash),
    ];
    prop::collection::vec(deed, 1..160)
}

fn scope(number: usize) -> Scope {
    NAMES[number].parse().expect("a scope")
}

/// Tasks 1 and 2 are tenant a's, the others tenant b's.
fn payer(key: Key) -> Payer {
    let tenant = if key.task.as_bytes()[0] <= 2 { 1 } else { 2 };
    Payer::new([scope(0), scope(tenant)], [])
}

/// The truth: what is open, what was paid, what operators set. It knows nothing of ledgers.
#[derive(Default)]
struct Meter {
    open: BTreeMap<Key, (i64, i64)>,
    paid: Vec<(Scope, i64, i64)>,
    doubts: Vec<(Key, i64, i64)>,
    stops: BTreeMap<Scope, i64>,
    set: BTreeMap<Scope, Limit>,
    position: u64,
    today: i64,
}

impl Meter {
    fn limit(&self, number: usize) -> Limit {
        let (amount, window) = DECLARED[number];
        self.set.get(&scope(number)).copied().unwrap_or_else(|| Limit::new(usd(amount), window))
    }

    fn first(&self, window: Window) -> i64 {
        match window {
            Window::Day => self.today,
            Window::Month => i64::from(at(self.today).day().first_of_month().number()),
            Window::Total => i64::MIN,
        }
    }

    fn spent(&self, scope: &Scope, window: Window) -> i64 {
        let first = self.first(window);
        self.paid.iter().filter(|(owner, day, _)| owner == scope && *day >= first).map(|(_, _, cost)| cost).sum()
    }

    /// Whether the ledger knows every day that counts now by itself: it adds up what lies before the month before the latest one. A
    /// clock that went back further sees more spending than there was, never less.
    fn is_exact(&self) -> bool {
        let latest = self.paid.iter().map(|(_, day, _)| *day).max().unwrap_or(0);
        let last_month = at(latest).day().first_of_month().later(-1).first_of_month();
        at(self.today).day() >= last_month
    }

    fn reserved(&self, scope: &Scope) -> i64 {
        self.open.iter().filter(|(key, _)| payer(**key).scopes().contains(scope)).map(|(_, (amount, _))| amount).sum()
    }

    fn is_stopped(&self, number: usize) -> bool {
        self.stops.get(&scope(number)).is_some_and(|day| *day >= self.first(self.limit(number).window))
    }

    fn pay(&mut self, key: Key, amount: i64, day: i64) {
        self.position += 1;
        self.paid.extend(payer(key).scopes().iter().map(|scope| (scope.clone(), day, amount)));
    }

    /// What the store tells of a scope.
    fn known(&self, scope: &Scope) -> Known {
        let mut days: BTreeMap<Day, i64> = BTreeMap::new();
        for (_, day, amount) in self.paid.iter().filter(|(owner, ..)| owner == scope) {
            *days.entry(at(*day).day()).or_default() += amount;
        }
        let days = days.into_iter().map(|(day, amount)| (day, usd(amount))).collect();
        Known { days, stopped: self.stops.get(scope).map(|day| at(*day).day()), alerted: Vec::new() }
    }

    /// A ledger that starts.
    fn ledger(&self) -> Ledger {
        let mut ledger = Ledger::default();
        let open = self.open.iter().map(|(key, (amount, since))| (*key, payer(*key), usd(*amount), at(*since)));
        ledger.recover(Position(self.position), open.collect(), Vec::new());
        for (number, (amount, window)) in DECLARED.into_iter().enumerate() {
            ledger.declare(&scope(number), Source::Settings, Some(Limit::new(usd(amount), window)));
        }
        let stored = self.set.iter().map(|(scope, limit)| Stored::Sound(scope.clone(), *limit));
        assert_eq!(ledger.recover_limits(stored.collect(), Position(self.position)), 0);
        ledger
    }
}

/// Asks until the ledger has read what it needs.
fn answered<T>(
    ledger: &mut Ledger,
    meter: &Meter,
    ask: impl Fn(&mut Ledger) -> Result<T, Denied>,
) -> Result<T, Denied> {
    loop {
        match ask(ledger) {
            Err(Denied::Unread(scopes)) => {
                for scope in scopes {
                    ledger.read(&scope, Position(meter.position), meter.known(&scope));
                }
            }
            answer => return answer,
        }
    }
}

fn reserve(ledger: &mut Ledger, meter: &mut Meter, key: Key, amount: i64) -> Result<(), TestCaseError> {
    let (payer, now) = (payer(key), at(meter.today));
    let numbers = (0..3).filter(|number| payer.scopes().contains(&scope(*number)));
    let before = meter.open.get(&key).map_or(0, |(held, _)| *held);
    if before == amount {
        return Ok(());
    }
    let fits = |number: usize| {
        let limit = meter.limit(number);
        let would = meter.spent(&scope(number), limit.window) + meter.reserved(&scope(number)) - before + amount;
        would <= limit.amount.nanos() && !meter.is_stopped(number)
    };
    let may = numbers.clone().all(fits);
    match answered(ledger, meter, |ledger| ledger.reserve(key, &payer, usd(amount), now)) {
        // INVARIANT I19: what is granted fits every limit, by a meter that is not the ledger's.
        Ok(()) => {
            prop_assert!(may, "{amount} granted to {key:?}");
            meter.open.insert(key, (amount, meter.today));
        }
        Err(Denied::Refused(refusal)) => {
            prop_assert!(!may || !meter.is_exact(), "{amount} refused to {key:?}: {refusal}");
            let Subject::Scope(whose) = &refusal.subject else {
                return Err(TestCaseError::fail("a task has no limit"));
            };
            let number = (0..3).find(|number| scope(*number) == *whose).expect("one of them");
            prop_assert_eq!(refusal.why == Why::Stopped, meter.is_stopped(number));
        }
        Err(other) => prop_assert!(false, "{other:?}"),
    }
    Ok(())
}

/// A step is over: its cost is in the counters, and the ledger hears of it.
fn conclude(ledger: &mut Ledger, meter: &mut Meter, key: Key, tenths: i64) -> Option<i64> {
    let (held, _) = meter.open.remove(&key)?;
    let paid = held * tenths / 10;
    meter.pay(key, paid, meter.today);
    if paid > held {
        for scope in payer(key).scopes() {
            let day = meter.stops.entry(scope.clone()).or_insert(meter.today);
            *day = (*day).max(meter.today);
        }
    }
    let overrun = ledger.settle(key, &payer(key), Cost { held: usd(held), ..cost(paid, meter.today, meter.position) });
    assert_eq!(overrun.is_some(), paid > held);
    Some(paid)
}

fn act(ledger: &mut Ledger, meter: &mut Meter, deed: Deed) -> Result<(), TestCaseError> {
    match deed {
        Deed::Reserve { key, amount } => return reserve(ledger, meter, key, amount),
        Deed::Settle { key, tenths } => {
            conclude(ledger, meter, key, tenths);
        }
        Deed::Doubt { key } => {
            let booked = conclude(ledger, meter, key, 10);
            meter.doubts.extend(booked.map(|amount| (key, amount, meter.today)));
        }
        Deed::Bill { tenths } if !meter.doubts.is_empty() => {
            let (key, booked, day) = meter.doubts.remove(0);
            let difference = booked * tenths / 10 - booked;
            meter.pay(key, difference, day);
            ledger.correct(payer(key).scopes(), cost(difference, day, meter.position));
        }
        Deed::Bill { .. } => {}
        Deed::Release { key } => {
            meter.open.remove(&key);
            ledger.release(key);
        }
        Deed::Clock { day } => meter.today = day,
        Deed::Set { scope: number, amount, window } => {
            meter.position += 1;
            let limit = Limit::new(usd(amount), window);
            meter.set.insert(scope(number), limit);
            meter.stops.remove(&scope(number));
            ledger.set(&scope(number), limit, Position(meter.position));
        }
        Deed::Unset { scope: number } => {
            let was_set = meter.set.remove(&scope(number)).is_some();
            prop_assert_eq!(ledger.unplace(&scope(number)).is_ok(), was_set);
            if was_set {
                meter.position += 1;
                ledger.unset(&scope(number), Position(meter.position));
            }
        }
        Deed::Crash => *ledger = meter.ledger(),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// INVARIANT I19: nothing is granted that does not fit, whatever happened before, and nothing is refused that does, unless
    /// the clock went back by months; the ledger's figures are the meter's after every deed, and nothing is held when all has ended.
    #[test]
    fn limits_hold_over_crashes_jumping_clocks_changed_limits_overruns_and_bills(deeds in deeds()) {
        let mut meter = Meter::default();
        let mut ledger = meter.ledger();
        for deed in deeds {
            act(&mut ledger, &mut meter, deed)?;
            let today = at(meter.today).day();
            for number in 0..3 {
                let whose = scope(number);
                let shown = answered(&mut ledger, &meter, |ledger| ledger.show(&whose, today)).expect("shown");
                let limit = meter.limit(number);
                prop_assert_eq!(shown.limit, Some(limit));
                prop_assert_eq!(shown.reserved.nanos(), meter.reserved(&whose), "{}", whose);
                let spent = meter.spent(&whose, limit.window);
                prop_assert!(shown.spent.nanos() >= spent, "{whose}: {shown:?}, and not {spent}");
                prop_assert!(shown.spent.nanos() == spent || !meter.is_exact(), "{whose}: {shown:?}, and not {spent}");
                prop_assert_eq!(shown.stopped, meter.is_stopped(number), "{}", whose);
                prop_assert!(meter.spent(&whose, Window::Total) >= 0, "no bill takes more back than was booked");
            }
            prop_assert_eq!(ledger.open_count(), meter.open.len());
            prop_assert_eq!(ledger.oldest(), meter.open.values().map(|(_, since)| at(*since)).min());
        }
        for key in std::mem::take(&mut meter.open).into_keys() {
            ledger.release(key);
        }
        for number in 0..3 {
            let whose = scope(number);
            let shown = answered(&mut ledger, &meter, |ledger| ledger.show(&whose, at(0).day())).expect("shown");
            prop_assert_eq!(shown.reserved, usd(0));
        }
        prop_assert_eq!((ledger.open_count(), ledger.oldest()), (0, None));
    }
}
