//! The provider's bill against every limit, and the daemon's books against the bill.

use std::collections::BTreeMap;

use agent_factory::domain::money::Usd;
use agent_factory::protocol::task::{Task, TaskState};
use serde_json::Value;

use super::clients::{OWN_LIMIT, Outcome};
use super::{DAYS, NEXT_MONTH, TASKS, limits};
use crate::harness::{Billed, Daemon, Provider};

/// A run that bills less than one part in so many of one day's money has not tried the limits; crashes, doubts and an open breaker
/// take much of it.
const TRIED: i64 = 4;

pub(super) async fn holds(daemon: &Daemon, provider: &Provider, outcomes: &[Outcome]) {
    let tasks = all_tasks(daemon).await;
    let refused = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Refused)).count();
    let succeeded = tasks.values().filter(|task| task.state == TaskState::Succeeded).count();
    eprintln!(
        "{} calls, {} billed for {}; {refused} of {TASKS} tasks refused; {} tasks and subtasks, {succeeded} succeeded",
        provider.count(),
        provider.meter().bill().len(),
        Usd::from_nanos(provider.meter().billed()),
        tasks.len(),
    );
    assert_eq!(outcomes.len(), TASKS);
    every_outcome_is_on_record(&tasks, outcomes);
    the_bill_passes_no_limit(provider, &tasks);
    the_limits_were_tried(provider, refused);
    nothing_is_held(daemon, &tasks).await;
    the_books_are_not_below_the_bill(daemon, provider, &tasks).await;
}

async fn all_tasks(daemon: &Daemon) -> BTreeMap<String, Task> {
    let (mut tasks, mut after) = (BTreeMap::new(), None);
    loop {
        let page = daemon.client.tasks(Some(1_000), after.as_deref()).await.expect("tasks");
        for listed in page.items {
            let task = daemon.finished(&listed.task_id).await;
            tasks.insert(task.task_id.clone(), task);
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return tasks,
        }
    }
}

fn every_outcome_is_on_record(tasks: &BTreeMap<String, Task>, outcomes: &[Outcome]) {
    for outcome in outcomes {
        if let Outcome::Task(task) = outcome {
            let known = tasks.get(&task.task_id).map(|task| (task.state, task.cost_usd.as_str()));
            assert_eq!(known, Some((task.state, task.cost_usd.as_str())), "{task:?}");
        }
    }
}

/// The sums of one kind of window against its limit.
fn within<K: std::fmt::Debug>(what: &str, limit: i64, sums: BTreeMap<K, i64>) {
    for (window, billed) in sums {
        assert!(billed <= limit, "{what} in {window:?}: {billed} billed of {limit} nano-dollars");
    }
}

fn the_bill_passes_no_limit(provider: &Provider, tasks: &BTreeMap<String, Task>) {
    let meter = provider.meter();
    let tagged = |name: &'static str, value: &'static str| {
        move |line: &&Billed| line.tags.get(name).is_some_and(|tag| tag == value)
    };
    let bill = meter.bill();
    let by_day = |lines: Vec<&Billed>| sums(lines, |line| line.day);
    within("everything", limits::GLOBAL_A_DAY, by_day(bill.iter().collect()));
    within("acme", limits::ACME_A_DAY, by_day(bill.iter().filter(tagged("tenant", "acme")).collect()));
    within("worker", limits::WORKER_A_DAY, by_day(bill.iter().filter(tagged("template", "worker")).collect()));
    within("refiner", limits::REFINER_A_DAY, by_day(bill.iter().filter(tagged("template", "refiner")).collect()));
    let zeta = bill.iter().filter(tagged("tenant", "zeta")).collect();
    within("zeta", limits::ZETA_IN_ALL, sums(zeta, |_| ()));
    let ada = bill.iter().filter(tagged("user", "ada")).collect();
    within("ada", limits::ADA_A_MONTH, sums(ada, |line| line.day >= NEXT_MONTH));
    for (task, billed) in by_root(&bill, tasks) {
        let template = match task.template_name.as_str() {
            "refiner" => Some(limits::REFINER_A_TASK),
            "boss" => Some(limits::BOSS_A_TASK),
            _ => None,
        };
        let own = task.metadata.get(OWN_LIMIT).map(|limit| nanos(limit));
        let limit = template.into_iter().chain(own).min().unwrap_or(i64::MAX);
        assert!(billed <= limit, "{billed} billed of {limit} for {task:?}");
    }
}

fn sums<K: Ord>(lines: Vec<&Billed>, key: impl Fn(&Billed) -> K) -> BTreeMap<K, i64> {
    let mut sums = BTreeMap::new();
    for line in lines {
        *sums.entry(key(line)).or_default() += line.nanos;
    }
    sums
}

/// What is billed for each task that somebody asked for, its subtasks included.
fn by_root<'a>(bill: &[Billed], tasks: &'a BTreeMap<String, Task>) -> Vec<(&'a Task, i64)> {
    let root = |line: &Billed| {
        let mut task = &tasks[line.task.as_ref().expect("every call is named")];
        while let Some(parent) = &task.parent_id {
            task = &tasks[parent];
        }
        task.task_id.clone()
    };
    sums(bill.iter().collect(), root).into_iter().map(|(task, billed)| (&tasks[&task], billed)).collect()
}

/// What nobody wants to pass is not held by limits: most was refused, and money was used on more than one day. On a busy host all
/// calls of a day may fall into a breaker's pause.
fn the_limits_were_tried(provider: &Provider, refused: usize) {
    assert!(refused > TASKS / 2, "{refused} refused");
    let days = provider.meter().billed_by(|line| line.day);
    assert!((2..=DAYS).contains(&days.len()), "{days:?}");
    assert!(days.values().sum::<i64>() * TRIED > limits::GLOBAL_A_DAY, "{days:?}");
}

/// Every reservation has ended: settled, released or in doubt.
async fn nothing_is_held(daemon: &Daemon, tasks: &BTreeMap<String, Task>) {
    daemon.settled("global").await;
    let (status, page) = daemon.get("/factory/budgets?limit=1000").await;
    assert_eq!(status, 200, "{page}");
    let budgets = page["items"].as_array().expect("budgets");
    assert!(budgets.len() > 5, "{budgets:?}");
    for budget in budgets {
        assert_eq!(budget["reserved_usd"], "0.00", "{budget}");
        let (limit, spent) = (amount(&budget["limit_usd"]), amount(&budget["spent_usd"]));
        assert!(limit.zip(spent).is_none_or(|(limit, spent)| spent <= limit), "{budget}");
    }
    for task in tasks.values() {
        assert!(task.steps.iter().all(|step| step.state != "started"), "{task:?}");
    }
}

/// What is booked for a task is at least what is billed for it; and the sum of all tasks is what the counters tell.
async fn the_books_are_not_below_the_bill(daemon: &Daemon, provider: &Provider, tasks: &BTreeMap<String, Task>) {
    let billed = provider.meter().billed_by(|line| line.task.clone().expect("every call is named"));
    for (task, billed) in &billed {
        let booked = nanos(&tasks[task].cost_usd);
        assert!(*billed <= booked, "{billed} billed and {booked} booked for {:?}", tasks[task]);
    }
    let total = daemon.client.budget("tenant:zeta").await.expect("a budget");
    let of_zeta = |task: &&Task| task.parent_id.is_none() && task.tenant == "zeta";
    let booked: i64 = tasks.values().filter(of_zeta).map(|task| nanos(&task.cost_usd)).sum();
    assert_eq!(nanos(&total.spent_usd), booked, "the counters and the tasks of one tenant");
}

fn amount(value: &Value) -> Option<i64> {
    value.as_str().map(nanos)
}

fn nanos(text: &str) -> i64 {
    text.parse::<Usd>().expect("an amount").nanos()
}
