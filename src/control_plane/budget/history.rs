//! What a scope spent, window by window. Pure.

use crate::domain::budget::Window;
use crate::domain::clock::Day;
use crate::domain::money::Usd;

/// What was spent from one day to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// The first day.
    pub from: Day,
    /// The last day.
    pub to: Day,
    /// How much.
    pub amount: Usd,
}

/// Up to `limit` windows from the day `from` to the day `to`, also those in which nothing was spent, and where the next one begins
/// if there are more. The first and the last month are cut to these days. A total is one window.
#[must_use]
pub fn history(days: &[(Day, Usd)], (from, to): (Day, Day), by: Window, limit: usize) -> (Vec<Spent>, Option<Day>) {
    let (mut windows, mut first) = (Vec::new(), from);
    while first <= to {
        if windows.len() >= limit {
            return (windows, Some(first));
        }
        let last = match by {
            Window::Day => first,
            Window::Month => first.last_of_month().min(to),
            Window::Total => to,
        };
        let within = days.iter().filter(|(day, _)| (first..=last).contains(day));
        windows.push(Spent { from: first, to: last, amount: within.map(|(_, amount)| *amount).sum() });
        let next = last.later(1);
        if next == last {
            break;
        }
        first = next;
    }
    (windows, None)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> Day {
        text.parse().expect("a day")
    }

    #[test]
    fn months_are_cut_to_the_days_that_were_asked_for() {
        let days = [
            (day("2026-10-31"), Usd::from_nanos(1)),
            (day("2026-11-01"), Usd::from_nanos(2)),
            (day("2026-12-24"), Usd::from_nanos(4)),
        ];
        let (windows, next) = history(&days, (day("2026-10-31"), day("2026-12-24")), Window::Month, 99);
        let told: Vec<_> =
            windows.iter().map(|spent| (spent.from.to_string(), spent.to.to_string(), spent.amount.nanos())).collect();
        let expected =
            [("2026-10-31", "2026-10-31", 1), ("2026-11-01", "2026-11-30", 2), ("2026-12-01", "2026-12-24", 4)];
        assert_eq!(told, expected.map(|(from, to, amount)| (from.to_owned(), to.to_owned(), amount)));
        assert_eq!(next, None);
        assert_eq!(history(&days, (day("2026-12-02"), day("2026-12-01")), Window::Day, 9), (Vec::new(), None));
    }

    proptest! {
        #[test]
        fn pages_follow_one_another_and_every_day_counts_once(
            costs in prop::collection::vec((0_i32..100, 1_i64..1_000), 0..40),
            (from, length, limit) in (0_i32..50, 0_i32..60, 1_usize..9),
            by in prop_oneof![Just(Window::Day), Just(Window::Month), Just(Window::Total)],
        ) {
            let days: Vec<_> = costs.iter().map(|(day, cost)| (Day::from_number(*day), Usd::from_nanos(*cost))).collect();
            let (from, to) = (Day::from_number(from), Day::from_number(from + length));
            let (mut all, mut next) = (Vec::new(), Some(from));
            while let Some(first) = next {
                let (page, more) = history(&days, (first, to), by, limit);
                prop_assert!(page.len() <= limit);
                all.extend(page);
                next = more;
            }
            prop_assert_eq!(all.first().map(|spent| spent.from), Some(from));
            prop_assert_eq!(all.last().map(|spent| spent.to), Some(to));
            prop_assert!(all.windows(2).all(|pair| pair[0].to.later(1) == pair[1].from));
            let sum: Usd = all.iter().map(|spent| spent.amount).sum();
            let expected: Usd = days.iter().filter(|(day, _)| (from..=to).contains(day)).map(|(_, cost)| *cost).sum();
            prop_assert_eq!(sum, expected);
        }
    }
}
