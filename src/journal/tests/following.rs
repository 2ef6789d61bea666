//! What may follow a story: no start behind a cancellation, no result refused for a start, no silence behind a word.

use super::{Desk, NOW, finished, order, started};
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::domain::private::Text;
use crate::journal::following::{self, Following};
use crate::journal::order::{Order, Worker};
use crate::journal::record::{
    CancelRequested, Ended, Outcome, RetryRequested, Signalled, StepFailed, StepKind, StepStarted, Submitted,
    TaskRecord, Then,
};
use crate::journal::state::{State, Task};
use crate::journal::{Error, RECORDS_MAX};
use crate::store::Batch;

fn failed(step: u32) -> TaskRecord {
    let (code, message) = ("signal_timed_out".to_owned(), String::new());
    let (in_doubt, cost) = (Usd::ZERO, Usd::ZERO);
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

fn cancel() -> TaskRecord {
    TaskRecord::CancelRequested(CancelRequested { by: "ann".to_owned(), at: NOW })
}

fn story(records: Vec<TaskRecord>) -> Task {
    let submitted = Submitted { order: order(TaskId::generate(), "acme"), reserved: Usd::ZERO, at: NOW };
    let records: Vec<TaskRecord> = std::iter::once(TaskRecord::Submitted(submitted)).chain(records).collect();
    Task::replay(&records).expect("a task")
}

#[tokio::test]
async fn nothing_starts_behind_a_request_to_cancel_and_a_result_is_written_without_the_start_that_was_to_follow() {
    let desk = Desk::open();
    let task = desk.open_task("acme").await;
    let holder = desk.journal.take_up(task).expect("open");
    desk.journal.append(&holder, vec![started(0)], Batch::new()).await.expect("appended");
    desk.journal.interject(task, vec![cancel()], Batch::new(), |_| {}).await.expect("asked for");
    let beside = b"stats/test/beside";
    let (result, extra) = (vec![finished(0)], Batch::new().add(beside, 1));
    let written = desk.journal.append_and_start(&holder, result, Some(started(1)), extra, |_| {}).await;
    written.expect("what was paid for is on record");
    let now = holder.task();
    assert_eq!((now.totals.finished, now.next_step(), now.records), (1, 1, 4));
    assert_eq!((desk.counter(beside).await, desk.journal.records(task).await.expect("read").len()), (1, 4));
    let refused = desk.journal.append(&holder, vec![started(1)], Batch::new()).await;
    assert!(matches!(refused, Err(Error::Superseded(_))), "{refused:?}");
}

#[tokio::test]
async fn a_start_that_may_follow_its_predecessors_result_is_written_with_it() {
    let desk = Desk::open();
    let task = desk.open_task("acme").await;
    let holder = desk.journal.take_up(task).expect("open");
    desk.journal.append(&holder, vec![started(0)], Batch::new()).await.expect("appended");
    let (result, start) = (vec![finished(0)], Some(started(1)));
    desk.journal.append_and_start(&holder, result, start, Batch::new(), |_| {}).await.expect("both");
    assert!(holder.task().open_step(1).is_some());
    assert_eq!(desk.journal.records(task).await.expect("read").len(), 4);
}

#[test]
fn a_task_that_is_full_takes_the_result_of_its_last_step_and_no_further_start() {
    let after = |records: u64, start: Option<TaskRecord>, results: Vec<TaskRecord>| {
        let full = Task { records, ..story(vec![started(0)]) };
        let what = Following { start, ..Following::all(results) };
        following::after(&full, what, Batch::new()).map(|(task, records, _)| (task.records, records.len()))
    };
    let last = RECORDS_MAX - 1;
    assert_eq!(after(last, Some(started(1)), vec![finished(0)]).expect("the result"), (RECORDS_MAX, 1));
    assert_eq!(after(last - 1, Some(started(1)), vec![finished(0)]).expect("both"), (RECORDS_MAX, 2));
    let refused = after(last, None, vec![finished(0), started(1)]);
    assert!(matches!(refused, Err(Error::Full(_))), "{refused:?}");
}

#[tokio::test]
async fn that_nothing_came_in_time_is_not_written_behind_what_came() {
    let desk = Desk::open();
    let plan = Order { worker: Worker::Orchestrator, ..order(TaskId::generate(), "acme") };
    let task = plan.task;
    desk.journal.submit(plan, Usd::ZERO, NOW, Batch::new()).await.expect("submitted");
    let holder = desk.journal.take_up(task).expect("open");
    let (name, signal) = ("paid".to_owned(), "paid".to_owned());
    let kind = StepKind::Signal { name, signal: signal.clone(), until: Some(NOW) };
    let waits = TaskRecord::StepStarted(StepStarted { step: 0, kind, reserved: Usd::ZERO, at: NOW });
    desk.journal.append(&holder, vec![waits], Batch::new()).await.expect("it waits");
    let seen = holder.task().records;
    let sent = Signalled { signal, payload: Text::from("1001"), by: "bank".to_owned(), at: NOW };
    desk.journal.interject(task, vec![TaskRecord::Signalled(sent)], Batch::new(), |_| {}).await.expect("sent");
    let late = desk.journal.append_to(&holder, seen, vec![failed(0)], Batch::new()).await;
    assert!(matches!(late, Err(Error::Superseded(_))), "{late:?}");
    assert!(holder.task().open_step(0).is_some(), "the signal finishes the step");
    let seen = holder.task().records;
    desk.journal.append_to(&holder, seen, vec![finished(0)], Batch::new()).await.expect("nobody wrote since");
}

#[test]
fn a_task_that_failed_although_its_end_was_asked_for_is_not_cancelled_when_it_is_retried() {
    let outcome = Outcome::failed("agent_given_up", "it ended too often");
    let ended = TaskRecord::Ended(Ended { outcome, at: NOW });
    let retry = TaskRecord::RetryRequested(RetryRequested { by: "ann".to_owned(), at: NOW });
    let task = story(vec![started(0), cancel(), failed(0), ended, retry]);
    assert_eq!((task.state, task.cancel_requested_by.clone()), (State::Running, None));
    assert!(task.accepts(&started(1)) && task.accepts(&cancel()));
}
