//! Replays: of any prefix, from any snapshot, over what is damaged.

use proptest::prelude::*;

use super::{Desk, NOW, order};
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::domain::private::Text;
use crate::domain::usage::{Tokens, Usage};
use crate::journal::order::{Order, Worker};
use crate::journal::reading;
use crate::journal::record::{
    CancelRequested, Ended, FeedbackGiven, Outcome, RetryRequested, StepFailed, StepFinished, StepKind, StepStarted,
    Submitted, TaskRecord, Then,
};
use crate::journal::snapshot::{RECORDS_BETWEEN, Snapshot};
use crate::journal::state::{AGENT_ENDED, IN_DOUBT, STEPS_KEPT, State, Task};
use crate::journal::{Error, encode};
use crate::store::{Batch, Keyspace, Record};

/// What may befall a task; a story is made of those that its state accepts.
#[derive(Debug, Clone, Copy)]
enum Event {
    Start(u8),
    Finish(u8),
    Fail(u8),
    Cancel,
    End,
    Retry,
    Judge(u8),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (0..3_u8).prop_map(Event::Start),
        8 => any::<u8>().prop_map(Event::Finish),
        3 => (0..4_u8).prop_map(Event::Fail),
        1 => Just(Event::Retry),
        1 => Just(Event::Cancel),
        1 => Just(Event::End),
        1 => any::<u8>().prop_map(Event::Judge),
    ]
}

fn record(task: &Task, event: Event) -> TaskRecord {
    let (at, open) = (NOW, task.open_call().map_or(u32::MAX, |step| step.number));
    match event {
        Event::Start(model) => TaskRecord::StepStarted(StepStarted {
            step: task.next_step(),
            kind: StepKind::Model { model: format!("mock/{model}").parse().expect("a model") },
            reserved: Usd::from_nanos(9),
            at,
        }),
        Event::Finish(cost) => TaskRecord::StepFinished(StepFinished {
            step: open,
            output: Text::from(format!("answer {open}")),
            usage: Usage { output_tokens: Tokens::new(cost.into()), ..Usage::default() },
            cost: Usd::from_nanos(cost.into()),
            notes: Vec::new(),
            at,
            calls: Vec::new(),
        }),
        Event::Fail(how) => {
            let (code, then) = match how {
                0 => (IN_DOUBT, Then::Again { after_ms: 0 }),
                1 => (AGENT_ENDED, Then::Again { after_ms: 0 }),
                2 => ("provider_failed", Then::Retry { after_ms: 1 }),
                _ => ("provider_failed", Then::Failover),
            };
            let (code, message, in_doubt) = (code.to_owned(), "it failed".to_owned(), Usd::from_nanos(9));
            TaskRecord::StepFailed(StepFailed {
                step: open,
                code,
                message,
                in_doubt,
                then,
                cost: Usd::ZERO,
                at,
                arrived: None,
            })
        }
        Event::Cancel => TaskRecord::CancelRequested(CancelRequested { by: "root".to_owned(), at }),
        Event::End => TaskRecord::Ended(Ended { outcome: Outcome::failed("provider_failed", "it failed"), at }),
        Event::Judge(score) => TaskRecord::FeedbackGiven(FeedbackGiven {
            score_per_mille: score.into(),
            comment: None,
            by: "root".to_owned(),
            at,
        }),
        Event::Retry => TaskRecord::RetryRequested(RetryRequested { by: "root".to_owned(), at }),
    }
}

/// The records of a story, as one that is written would have them.
fn story(first: Order, events: &[Event]) -> (Submitted, Vec<TaskRecord>) {
    let submitted = Submitted { order: first, reserved: Usd::ZERO, at: NOW };
    let mut task = Task::begin(&submitted);
    let mut records = vec![TaskRecord::Submitted(submitted.clone())];
    for event in events {
        let next = record(&task, *event);
        let is_busy = matches!(event, Event::Start(_)) && task.open_call().is_some();
        if task.accepts(&next) && !is_busy {
            task.evolve(&next);
            records.push(next);
        }
    }
    (submitted, records)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn replay_from_any_snapshot_gives_the_task_that_was(events in prop::collection::vec(event(), 300..1_500)) {
        let (submitted, records) = story(order(TaskId::generate(), "acme"), &events);
        let (mut task, mut snapshot) = (Task::begin(&submitted), None);
        for (length, record) in (2..).zip(records.iter().skip(1)) {
            let before = task.records;
            task.evolve(record);
            snapshot = Snapshot::due(&task, before).or(snapshot);
            if let Some(snapshot) = snapshot.clone() && length % 7 == 0 {
                let first = usize::try_from(snapshot.first()).expect("few");
                prop_assert_eq!(snapshot.replay(&submitted, &records[first..length]), Some(task.clone()));
            }
        }
        prop_assert!(task.steps.len() <= 2 * STEPS_KEPT);
        prop_assert_eq!(Task::replay(&records), Some(task));
    }

    #[test]
    fn sums_agree_with_adding_up_the_whole_story(events in prop::collection::vec(event(), 0..600)) {
        let (_, records) = story(order(TaskId::generate(), "acme"), &events);
        let task = Task::replay(&records).expect("a task");
        let cost: Usd = records.iter().map(|record| {
            if let TaskRecord::StepFinished(finished) = record {
                return finished.cost;
            }
            if let TaskRecord::StepFailed(failed) = record {
                return failed.in_doubt.plus(failed.cost);
            }
            Usd::ZERO
        }).sum();
        prop_assert_eq!(task.cost(), cost);
        let started = records.iter().filter(|record| matches!(record, TaskRecord::StepStarted(_))).count();
        prop_assert_eq!(usize::try_from(task.next_step()).expect("few"), started);
    }
}

#[test]
fn what_was_judged_before_a_retry_is_known_from_a_snapshot_that_begins_after_it() {
    let opening = [Event::Start(0), Event::Fail(3), Event::End, Event::Judge(200), Event::Retry];
    let events: Vec<Event> = opening.into_iter().chain([Event::Start(0), Event::Finish(1)].repeat(200)).collect();
    let (submitted, records) = story(order(TaskId::generate(), "acme"), &events);
    let (mut task, mut snapshot) = (Task::begin(&submitted), None);
    for record in records.iter().skip(1) {
        let before = task.records;
        task.evolve(record);
        snapshot = Snapshot::due(&task, before).or(snapshot);
    }
    assert_eq!(task.feedback_per_mille, Some(200));
    let snapshot = snapshot.expect("one was due");
    let first = usize::try_from(snapshot.first()).expect("few");
    assert!(first > opening.len(), "the judgement is not replayed");
    assert_eq!(snapshot.replay(&submitted, &records[first..]), Some(task));
}

/// A task of so many finished steps.
async fn long_task(desk: &Desk, steps: u32) -> TaskId {
    let id = desk.open_task("acme").await;
    let custody = desk.journal.take_up(id).expect("open");
    for _ in 0..steps {
        for event in [Event::Start(0), Event::Finish(1)] {
            let next = record(&custody.task(), event);
            desk.journal.append(&custody, vec![next], Batch::new()).await.expect("appended");
        }
    }
    id
}

#[tokio::test]
async fn a_long_story_is_read_from_its_snapshot_and_is_the_same_without() {
    let desk = Desk::open();
    let id = long_task(&desk, 300).await;
    let now = desk.journal.task(id).await.expect("read").expect("there");
    let read = |desk: &Desk| reading::task(desk.journal.store(), id).expect("read").expect("there");
    assert_eq!(read(&desk), *now);
    assert!(now.records > 4 * RECORDS_BETWEEN && now.steps.len() < 300);

    let damaged = Record { kind: 1, version: 1, body: vec![0xff] };
    let snapshot = Batch::new().put(Keyspace::Snapshot, id.as_bytes().as_slice(), damaged);
    desk.journal.store().commit(snapshot).await.expect("committed");
    assert_eq!(read(&desk), *now, "a snapshot that cannot be read is done without");
}

#[tokio::test]
async fn a_journal_with_a_hole_is_a_named_error_and_changes_nothing() {
    let desk = Desk::open();
    let id = long_task(&desk, 3).await;
    let key = reading::key(id, 2);
    desk.journal.store().commit(Batch::new().delete(Keyspace::Task, key)).await.expect("committed");
    let read = reading::task(desk.journal.store(), id);
    assert!(matches!(read, Err(Error::Hole { sequence: 2, .. })), "{read:?}");
    let (open, unreadable) = reading::open_tasks(desk.journal.store()).expect("the rest is read");
    assert!(open.is_empty() && unreadable == [id]);
}

#[tokio::test]
async fn a_record_of_a_newer_version_is_a_named_error() {
    let desk = Desk::open();
    let id = desk.open_task("acme").await;
    let request = TaskRecord::CancelRequested(CancelRequested { by: "root".to_owned(), at: NOW });
    let newer = Record { kind: 1, version: 2, body: encode(&request) };
    desk.journal.store().commit(Batch::new().put(Keyspace::Task, reading::key(id, 1), newer)).await.expect("committed");
    let read = desk.journal.records(id).await;
    assert!(matches!(read, Err(Error::Newer { sequence: 1, version: 2, .. })), "{read:?}");
}

#[test]
fn a_plan_keeps_all_its_steps() {
    let plan = Order { worker: Worker::Orchestrator, ..order(TaskId::generate(), "acme") };
    let events = [Event::Start(0), Event::Finish(1)].repeat(3 * STEPS_KEPT);
    let (_, records) = story(plan, &events);
    let task = Task::replay(&records).expect("a task");
    assert_eq!((task.steps.len(), task.state), (3 * STEPS_KEPT, State::Running));
}
