//! Reopening what failed: once, with what its end counted taken back, and with nobody left who held it before.

use std::collections::BTreeSet;

use futures::future::join_all;

use super::{Desk, NOW, feedback, finished, order, started};
use crate::domain::id::{AgentId, TaskId};
use crate::domain::money::Usd;
use crate::journal::events::Events;
use crate::journal::order::{Ancestor, Order, Registered, Worker};
use crate::journal::policy::TASK_RETRIES_MAX;
use crate::journal::record::{Ended, Outcome, RetryRequested, StepFailed, TaskRecord, Then};
use crate::journal::state::{State, Task};
use crate::journal::{Custody, Error, Journal, Refusal, retrying, stats};
use crate::store::Batch;

fn failed(step: u32) -> TaskRecord {
    let (code, message) = ("provider_unreachable".to_owned(), String::new());
    let (in_doubt, cost) = (Usd::from_nanos(7), Usd::ZERO);
    TaskRecord::StepFailed(StepFailed {
        step,
        code,
        message,
        in_doubt,
        then: Then::GiveUp,
        cost,
        at: NOW,
        arrived: None,
    })
}

fn ended(outcome: Outcome) -> TaskRecord {
    TaskRecord::Ended(Ended { outcome, at: NOW })
}

fn failure() -> Outcome {
    Outcome::failed("provider_unreachable", "no route")
}

impl Desk {
    /// A task that finished a step and failed at the next: ten nano-dollars.
    async fn failed_task(&self, order: Order) -> (TaskId, Custody) {
        let id = order.task;
        self.journal.submit(order, Usd::ZERO, NOW, Batch::new()).await.expect("submitted");
        let holder = self.journal.take_up(id).expect("open");
        let records = vec![started(0), finished(0), started(1), failed(1), ended(failure())];
        self.journal.append(&holder, records, Batch::new()).await.expect("failed");
        (id, holder)
    }

    async fn retried(&self, id: TaskId) -> Result<Task, Error> {
        let request = RetryRequested { by: "root".to_owned(), at: NOW };
        let reopened = self.journal.reopen(id, request, Batch::new(), async |_| Ok::<(), Error>(()));
        reopened.await.map(|task| Task::clone(&task))
    }

    /// The tasks that failed, that are whole, and what they cost.
    async fn sums(&self) -> [i64; 3] {
        [
            self.counter(stats::FAILED).await,
            self.counter(stats::WHOLE_TASKS).await,
            self.counter(stats::COST_NANOS).await,
        ]
    }
}

#[tokio::test]
async fn a_reopened_task_is_open_with_what_it_finished_and_its_next_end_counts_once() {
    let desk = Desk::open();
    let (id, _) = desk.failed_task(order(TaskId::generate(), "acme")).await;
    assert_eq!((desk.sums().await, desk.journal.open_count()), ([1, 1, 10], 0));
    let task = desk.retried(id).await.expect("reopened");
    assert_eq!((task.state, task.totals.finished, task.fault.is_none()), (State::Running, 1, true));
    assert_eq!((task.cost(), task.retried_from), (Usd::from_nanos(10), 2));
    assert_eq!((desk.sums().await, desk.journal.open_count()), ([0, 0, 0], 1));
    assert!(retrying::is_listed(&desk.journal, id), "it is found after a restart");
    let again = Journal::open(desk.journal.store().clone(), Events::new()).expect("opens");
    assert_eq!(again.open_tasks(), [std::sync::Arc::new(task)]);

    let holder = desk.journal.take_up(id).expect("open");
    let records = vec![started(2), finished(2), ended(Outcome::AnsweredByStep { step: 2 })];
    desk.journal.append(&holder, records, Batch::new()).await.expect("it ends");
    assert_eq!(desk.sums().await, [0, 1, 13]);
    assert!(!retrying::is_listed(&desk.journal, id));
}

#[tokio::test]
async fn of_those_who_retry_at_once_one_reopens_the_task() {
    let desk = Desk::open();
    let (id, _) = desk.failed_task(order(TaskId::generate(), "acme")).await;
    let answers = join_all((0..8).map(|_| desk.retried(id))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let others = answers.into_iter().filter_map(Result::err);
    assert!(others.into_iter().all(|error| matches!(error, Error::Refused(Refusal::NotRetryable { .. }))));
    assert_eq!(desk.journal.records(id).await.expect("read").len(), 7);
}

#[tokio::test]
async fn retries_and_judgements_at_the_same_moment_leave_a_story_without_a_hole() {
    let desk = Desk::open();
    let (id, _) = desk.failed_task(order(TaskId::generate(), "acme")).await;
    let judging = join_all((0..8).map(|by| desk.journal.judge(id, feedback(by), Batch::new())));
    let (judged, retried) = tokio::join!(judging, desk.retried(id));
    retried.expect("reopened");
    let given = judged.iter().filter(|judged| judged.is_ok()).count();
    let refused = judged.iter().filter(|judged| matches!(judged, Err(Error::NotEnded(_)))).count();
    assert_eq!(given + refused, 8);
    let records = desk.journal.records(id).await.expect("read");
    assert_eq!(records.len(), 7 + given);
    assert!(matches!(records.last(), Some(TaskRecord::RetryRequested(_))), "nobody judges what is open again");
}

#[tokio::test]
async fn whoever_held_a_task_before_it_ended_is_a_ghost_when_it_is_reopened() {
    let desk = Desk::open();
    let (id, ghost) = desk.failed_task(order(TaskId::generate(), "acme")).await;
    desk.retried(id).await.expect("reopened");
    let holder = desk.journal.take_up(id).expect("open");
    let refused = desk.journal.append(&ghost, vec![started(2)], Batch::new()).await;
    assert!(matches!(refused, Err(Error::Fenced(task)) if task == id), "{refused:?}");
    desk.journal.append(&holder, vec![started(2)], Batch::new()).await.expect("the task is its own");
}

#[tokio::test]
async fn a_registered_agent_does_not_remember_a_turn_that_goes_on() {
    let desk = Desk::open();
    let agent = AgentId::generate();
    let worker = Worker::Registered(Registered(agent));
    let (id, _) = desk.failed_task(Order { worker, ..order(TaskId::generate(), "acme") }).await;
    assert_eq!(desk.journal.agents().turns(agent, 9).await.expect("read"), [id]);
    desk.retried(id).await.expect("reopened");
    assert_eq!(desk.journal.agents().turns(agent, 9).await.expect("read"), []);
    assert_eq!(desk.journal.open_tasks_of(agent), [id]);
}

#[tokio::test]
async fn what_cannot_be_retried_is_refused_by_name_and_nothing_is_written() {
    let desk = Desk::open();
    let cancelled = desk.ended_task("acme").await;
    let parent = TaskId::generate();
    let ancestors = vec![Ancestor { task: parent, budget: None }];
    let (child, _) = desk.failed_task(Order { ancestors, ..order(parent.child("facts"), "acme") }).await;
    let refused = desk.retried(cancelled).await;
    assert!(matches!(refused, Err(Error::Refused(Refusal::NotRetryable { state: State::Cancelled, .. }))));
    let refused = desk.retried(child).await;
    assert!(
        matches!(refused, Err(Error::Refused(Refusal::RetryTheParent { parent: named, .. })) if named == parent),
        "{refused:?}"
    );
    assert!(matches!(desk.retried(TaskId::generate()).await, Err(Error::NotOpen(_))));
    let (id, _) = desk.failed_task(order(TaskId::generate(), "acme")).await;
    let request = RetryRequested { by: "root".to_owned(), at: NOW };
    let held_up = desk.journal.reopen(id, request, Batch::new(), async |task: std::sync::Arc<Task>| {
        Err::<(), _>(Error::Full(task.order.task))
    });
    assert!(matches!(held_up.await, Err(Error::Full(_))), "what must be ready first can refuse");
    assert_eq!((desk.journal.open_count(), desk.journal.reopening().len()), (0, 0));
    let open: BTreeSet<_> =
        [cancelled, child, id].into_iter().filter(|id| retrying::is_listed(&desk.journal, *id)).collect();
    assert!(open.is_empty());
}

#[tokio::test]
async fn a_task_is_retried_so_often_and_no_more() {
    let desk = Desk::open();
    let (id, _) = desk.failed_task(order(TaskId::generate(), "acme")).await;
    for _ in 0..TASK_RETRIES_MAX {
        desk.retried(id).await.expect("reopened");
        let holder = desk.journal.take_up(id).expect("open");
        desk.journal.append(&holder, vec![ended(failure())], Batch::new()).await.expect("failed");
    }
    let refused = desk.retried(id).await;
    assert!(matches!(refused, Err(Error::Refused(Refusal::RetriesFull(task))) if task == id), "{refused:?}");
    assert_eq!(desk.sums().await, [1, 1, 10]);
}
