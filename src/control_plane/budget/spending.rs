//! What one scope has spent, by UTC day.

use std::collections::BTreeMap;

use crate::domain::budget::Window;
use crate::domain::clock::Day;
use crate::domain::money::Usd;

/// Spending by day. Days before last month are kept as one sum under the latest of them, so that an account holds at most
/// two months of days however long the daemon runs.
///
/// INVARIANT: a window is everything from its first day *onwards*, also days that lie ahead of the clock. A clock that goes
/// back therefore sees at least what it saw before: turning it never gives money back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Spending {
    days: BTreeMap<Day, Usd>,
    total: Usd,
}

impl Spending {
    /// Spending as the stored counters tell it.
    pub(super) fn from_days(days: impl IntoIterator<Item = (Day, Usd)>) -> Self {
        let mut spending = Self::default();
        for (day, amount) in days {
            spending.book(amount, day);
        }
        spending
    }

    /// Adds a cost.
    pub(super) fn book(&mut self, cost: Usd, day: Day) {
        self.total = self.total.plus(cost);
        let known = self.days.get(&day).copied();
        self.days.insert(day, known.unwrap_or_default().plus(cost));
        if known.is_none() {
            self.compact();
        }
    }

    /// What counts against a limit of this window on `today`.
    pub(super) fn within(&self, window: Window, today: Day) -> Usd {
        match window {
            Window::Total => self.total,
            Window::Day | Window::Month => self.days.range(first_day(window, today)..).map(|(_, sum)| *sum).sum(),
        }
    }

    fn compact(&mut self) {
        let Some((latest, _)) = self.days.last_key_value() else { return };
        let last_month = Day::from_number(latest.first_of_month().number().saturating_sub(1));
        let kept = self.days.split_off(&last_month.first_of_month());
        let old = self.days.last_key_value().map(|(day, _)| *day);
        let sum: Usd = self.days.values().copied().sum();
        self.days = kept;
        if let Some(day) = old {
            self.days.insert(day, sum);
        }
    }
}

/// The first day of the window that holds `today`.
pub(super) fn first_day(window: Window, today: Day) -> Day {
    match window {
        Window::Day => today,
        Window::Month => today.first_of_month(),
        Window::Total => Day::from_number(i32::MIN),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> Day {
        format!("{text}T12:00:00Z").parse::<crate::domain::clock::Timestamp>().expect("a time").day()
    }

    #[test]
    fn windows_roll_over_in_utc() {
        let spent = Spending::from_days([
            (day("2026-10-31"), Usd::from_nanos(1)),
            (day("2026-11-01"), Usd::from_nanos(10)),
            (day("2026-11-02"), Usd::from_nanos(100)),
        ]);
        let within = |window, today| spent.within(window, day(today)).nanos();
        assert_eq!(within(Window::Day, "2026-11-02"), 100);
        assert_eq!(within(Window::Day, "2026-11-03"), 0);
        assert_eq!(within(Window::Month, "2026-11-30"), 110);
        assert_eq!(within(Window::Month, "2026-12-01"), 0);
        assert_eq!(within(Window::Total, "2030-01-01"), 111);
    }

    proptest! {
        #[test]
        fn a_clock_that_goes_back_gives_no_money_back(
            costs in prop::collection::vec((0_i32..800, 1_i64..1_000), 0..60),
            later in 0_i32..900,
            back in 0_i32..900,
        ) {
            let spent = Spending::from_days(costs.iter().map(|(day, cost)| (Day::from_number(*day), Usd::from_nanos(*cost))));
            for window in [Window::Day, Window::Month, Window::Total] {
                let before = spent.within(window, Day::from_number(later));
                prop_assert!(spent.within(window, Day::from_number(later - back)) >= before);
            }
        }

        #[test]
        fn recent_windows_are_exact_and_the_days_kept_are_few(
            costs in prop::collection::vec((0_i32..800, 1_i64..1_000), 1..200),
        ) {
            let spent = Spending::from_days(costs.iter().map(|(day, cost)| (Day::from_number(*day), Usd::from_nanos(*cost))));
            let today = Day::from_number(costs.iter().map(|(day, _)| *day).max().unwrap_or(0));
            let naive = |from: Day| -> i64 {
                costs.iter().filter(|(day, _)| *day >= from.number()).map(|(_, cost)| *cost).sum()
            };
            prop_assert_eq!(spent.within(Window::Day, today).nanos(), naive(today));
            prop_assert_eq!(spent.within(Window::Month, today).nanos(), naive(today.first_of_month()));
            prop_assert_eq!(spent.within(Window::Total, today).nanos(), naive(Day::from_number(0)));
            prop_assert!(spent.days.len() <= 63);
        }
    }
}
