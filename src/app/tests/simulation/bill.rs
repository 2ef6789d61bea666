//! Money, when everything has run out: the provider's bill passes no limit in any window, and records, counters and ledger agree.

use std::collections::{BTreeMap, BTreeSet};

use super::market::Call;
use crate::app::Daemon;
use crate::domain::budget::{Scope, Window};
use crate::domain::clock::{Day, Timestamp};
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::journal::record::TaskRecord;
use crate::journal::state::Task;

/// Sums of each scope by day.
pub(super) type ByDay = BTreeMap<(Scope, Day), Usd>;

/// The scopes that pay for a task's own calls.
fn payers(task: &Task) -> [Scope; 2] {
    [Scope::Global, Scope::Template(task.order.template.clone())]
}

fn add<K: Ord>(sums: &mut BTreeMap<K, Usd>, key: K, amount: Usd) {
    let sum = sums.entry(key).or_default();
    *sum = sum.plus(amount);
}

/// Adds what a task's own calls cost to the sum of each scope on the day of the record; a subtask's cost is its own.
pub(super) fn booked(task: &Task, records: &[TaskRecord], spent: &mut ByDay) -> Option<String> {
    let mut cost = Usd::ZERO;
    for record in records {
        let (at, amount) = if let TaskRecord::StepFinished(finished) = record {
            (finished.at, finished.cost)
        } else if let TaskRecord::StepFailed(failed) = record {
            (failed.at, failed.cost.plus(failed.in_doubt))
        } else {
            continue;
        };
        cost = cost.plus(amount);
        if !task.is_plan() && amount > Usd::ZERO {
            payers(task).into_iter().for_each(|scope| add(spent, (scope, at.day()), amount));
        }
    }
    let over = task.order.budget.is_some_and(|limit| cost > limit);
    let differs = cost != task.cost();
    (differs || over).then(|| format!("{} cost {cost} by its records and {} in all", task.order.task, task.cost()))
}

/// The first day of the window that a day is in; one for all days where the window is endless.
fn window_of(window: Window, day: Day) -> Day {
    match window {
        Window::Day => day,
        Window::Month => day.first_of_month(),
        Window::Total => Day::from_number(0),
    }
}

/// The sums of one scope by window.
fn by_window(sums: &ByDay, scope: &Scope, window: Window) -> BTreeMap<Day, Usd> {
    let mut found = BTreeMap::new();
    for ((_, day), amount) in sums.iter().filter(|((of, _), _)| of == scope) {
        add(&mut found, window_of(window, *day), *amount);
    }
    found
}

/// What is wrong with the money: what was spent by the records, and billed by the provider.
pub(super) async fn settled(
    daemon: &Daemon,
    tasks: &BTreeMap<TaskId, Task>,
    calls: &[Call],
    spent: &ByDay,
) -> Vec<String> {
    let mut broken = over_their_own_limits(tasks, calls);
    let billed = billed(tasks, calls);
    let scopes: BTreeSet<&Scope> = spent.keys().chain(billed.keys()).map(|(scope, _)| scope).collect();
    for scope in scopes {
        broken.extend(scope_settled(daemon, scope, spent, &billed).await);
    }
    let held = daemon.budget.open(None, usize::MAX).await.expect("the ledger answers");
    if !held.is_empty() {
        broken.push(format!("money is held for nobody: {held:?}"));
    }
    broken
}

/// What the provider bills each scope, on the day on which it was called.
fn billed(tasks: &BTreeMap<TaskId, Task>, calls: &[Call]) -> ByDay {
    let mut sums = ByDay::new();
    for call in calls {
        let scopes = tasks.get(&call.task).map(payers).into_iter().flatten();
        scopes.for_each(|scope| add(&mut sums, (scope, call.at.day()), call.billed));
    }
    sums
}

/// Tasks for which the provider bills more than they, or those that delegated them, may cost.
fn over_their_own_limits(tasks: &BTreeMap<TaskId, Task>, calls: &[Call]) -> Vec<String> {
    let mut sums: BTreeMap<TaskId, Usd> = BTreeMap::new();
    for call in calls {
        let above = tasks.get(&call.task).map(|task| task.order.ancestors.iter().map(|ancestor| ancestor.task));
        std::iter::once(call.task)
            .chain(above.into_iter().flatten())
            .for_each(|task| add(&mut sums, task, call.billed));
    }
    let limit = |task: &TaskId| tasks.get(task).and_then(|task| task.order.budget);
    let over = sums.into_iter().filter(|(task, billed)| limit(task).is_some_and(|limit| *billed > limit));
    over.map(|(task, billed)| format!("{task} may cost {:?}, and {billed} are billed", limit(&task))).collect()
}

async fn scope_settled(daemon: &Daemon, scope: &Scope, spent: &ByDay, billed: &ByDay) -> Vec<String> {
    let mut broken = Vec::new();
    let standing = daemon.budget.show(scope, Timestamp::now()).await.expect("the ledger answers");
    let window = standing.limit.map_or(Window::Total, |limit| limit.window);
    let booked = by_window(spent, scope, window);
    let present = booked.get(&window_of(window, Timestamp::now().day())).copied().unwrap_or_default();
    if (standing.spent, standing.reserved) != (present, Usd::ZERO) {
        broken.push(format!("{scope}: {present} in this window by its records; {standing:?}"));
    }
    let (_, counters) = daemon.store.counters(format!("budget/{scope}/").as_bytes()).await.expect("read");
    let day = |key: &[u8]| {
        let day = std::str::from_utf8(key).ok().and_then(|key| key.rsplit('/').next()?.parse().ok());
        Day::from_number(day.expect("a day"))
    };
    let counted: BTreeMap<Day, Usd> = counters.iter().map(|(key, nanos)| (day(key), Usd::from_nanos(*nanos))).collect();
    let by_day = by_window(spent, scope, Window::Day);
    if counted != by_day {
        broken.push(format!("{scope}: by day, records {by_day:?}, counters {counted:?}"));
    }
    let Some(limit) = standing.limit else { return broken };
    for (what, sums) in [("booked", booked), ("billed", by_window(billed, scope, window))] {
        let over = sums.into_iter().filter(|(_, sum)| *sum > limit.amount);
        broken.extend(over.map(|(day, sum)| format!("{scope}: {sum} {what} from {day:?} on, of {limit:?}")));
    }
    broken
}
