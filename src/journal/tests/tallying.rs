//! What an experiment counts: the first end and the first judgement of each task, in one batch with their records.

use super::{Desk, NOW, finished, order, started};
use crate::domain::clock::Timestamp;
use crate::domain::id::{ExperimentId, TaskId};
use crate::domain::money::Usd;
use crate::journal::events::Events;
use crate::journal::order::{Assignment, Order};
use crate::journal::record::{Ended, FeedbackGiven, Outcome, RetryRequested, TaskRecord};
use crate::journal::tally::{self, Tally};
use crate::journal::{Error, Journal, decode, encode};
use crate::store::{Batch, Options, Record, Store};

fn experiment() -> ExperimentId {
    ExperimentId::from_bytes([3; 16])
}

fn assigned(task: TaskId, variant: u8) -> Order {
    Order { experiment: Some(Assignment { experiment: experiment(), variant }), ..order(task, "acme") }
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(NOW.micros() + micros)
}

fn ended(outcome: Outcome, micros: i64) -> TaskRecord {
    TaskRecord::Ended(Ended { outcome, at: at(micros) })
}

/// One thing that happens.
#[derive(Clone, Copy)]
enum Act {
    Submit(u8),
    Step,
    Fail,
    Succeed,
    Cancel,
    Retry,
    Judge(u16),
}

/// Everything that may happen to a task, in one story: it fails, is retried, succeeds, and is judged twice.
const STORY: [Act; 9] = [
    Act::Submit(1),
    Act::Step,
    Act::Fail,
    Act::Judge(250),
    Act::Retry,
    Act::Step,
    Act::Succeed,
    Act::Judge(1_000),
    Act::Judge(1_000),
];

async fn act(journal: &Journal, task: TaskId, act: Act) {
    let none = Batch::new();
    let append = async |records: Vec<TaskRecord>| {
        let holder = journal.take_up(task).expect("open");
        journal.append(&holder, records, Batch::new()).await.expect("appended");
    };
    match act {
        Act::Submit(variant) => {
            journal.submit(assigned(task, variant), Usd::ZERO, NOW, none).await.expect("submitted");
        }
        Act::Step => {
            let step = journal.task(task).await.expect("read").expect("a task").next_step();
            append(vec![started(step), finished(step)]).await;
        }
        Act::Fail => append(vec![ended(Outcome::failed("provider_failed", ""), 50)]).await,
        Act::Succeed => append(vec![ended(Outcome::AnsweredByStep { step: 0 }, 100)]).await,
        Act::Cancel => append(vec![ended(Outcome::Cancelled, 10)]).await,
        Act::Retry => {
            let request = RetryRequested { by: "root".to_owned(), at: NOW };
            journal.reopen(task, request, none, async |_| Ok::<(), Error>(())).await.expect("reopened");
        }
        Act::Judge(score_per_mille) => {
            let given = FeedbackGiven { score_per_mille, comment: None, by: "root".to_owned(), at: NOW };
            journal.judge(task, given, none).await.expect("judged");
        }
    }
}

/// What the records of a task come to, counted by hand.
fn expected(records: &[TaskRecord]) -> Tally {
    let mut tally = Tally::default();
    let (mut ends, mut judgements, mut cost) = (0, 0, 0_u64);
    let count = |moments: &mut tally::Moments, value: u64| {
        moments.count += 1;
        moments.sum += value;
        moments.squares += u128::from(value) * u128::from(value);
    };
    for record in records {
        match record {
            TaskRecord::Submitted(_) => tally.assigned += 1,
            TaskRecord::StepFinished(finished) => cost += u64::try_from(finished.cost.nanos()).expect("positive"),
            TaskRecord::Ended(end) if ends == 0 => {
                ends += 1;
                let latency = u64::try_from(end.at.micros() - NOW.micros()).expect("later");
                match end.outcome {
                    Outcome::Cancelled => tally.cancelled += 1,
                    Outcome::Failed { .. } => {
                        tally.failed += 1;
                        count(&mut tally.cost_nanos, cost);
                    }
                    Outcome::Answered { .. } | Outcome::AnsweredByStep { .. } => {
                        tally.succeeded += 1;
                        count(&mut tally.cost_nanos, cost);
                        count(&mut tally.latency_micros, latency);
                        *tally.latency_buckets.entry(tally::bucket(latency)).or_default() += 1;
                    }
                }
            }
            TaskRecord::FeedbackGiven(given) if judgements == 0 => {
                judgements += 1;
                count(&mut tally.feedback_per_mille, given.score_per_mille.into());
            }
            TaskRecord::StepStarted(_)
            | TaskRecord::StepFailed(_)
            | TaskRecord::StepSkipped(_)
            | TaskRecord::CancelRequested(_)
            | TaskRecord::Ended(_)
            | TaskRecord::FeedbackGiven(_)
            | TaskRecord::Decided(_)
            | TaskRecord::Signalled(_)
            | TaskRecord::AttentionNeeded(_)
            | TaskRecord::RetryRequested(_)
            | TaskRecord::Reconciled(_) => {}
        }
    }
    tally
}

async fn counted(journal: &Journal) -> std::collections::BTreeMap<u8, Tally> {
    let (_, counters) = journal.store().counters(tally::prefix(experiment()).as_bytes()).await.expect("read");
    tally::read(experiment(), &counters)
}

/// INVARIANT I83: whatever was written when the daemon died, the counters say what the records say.
#[tokio::test]
async fn after_a_cut_behind_every_record_the_counters_are_what_the_records_come_to() {
    for length in 0..=STORY.len() {
        let directory = tempfile::tempdir().expect("a directory");
        let open = || Store::open(directory.path(), Options { cache_bytes: 1 << 20 }).expect("opens");
        let task = TaskId::generate();
        {
            let store = open();
            let _committer = store.run_committer().expect("runs");
            let journal = Journal::open(store, Events::new()).expect("opens");
            for step in &STORY[..length] {
                act(&journal, task, *step).await;
            }
            journal.store().close().await.expect("closes");
        }
        let store = open();
        let _committer = store.run_committer().expect("runs");
        let journal = Journal::open(store, Events::new()).expect("opens");
        let records = journal.records(task).await.expect("read");
        let found = counted(&journal).await.remove(&1).unwrap_or_default();
        assert_eq!(found, expected(&records), "after {length} of the story");
        for step in &STORY[length..] {
            act(&journal, task, *step).await;
        }
        let records = journal.records(task).await.expect("read");
        let found = counted(&journal).await.remove(&1).unwrap_or_default();
        assert_eq!(found, expected(&records), "in the end, with a cut after {length}");
        assert_eq!((found.failed, found.succeeded, found.feedback_per_mille.sum), (1, 0, 250));
    }
}

#[tokio::test]
async fn each_variant_is_counted_for_itself_and_a_cancelled_task_is_no_failure() {
    let desk = Desk::open();
    for (variant, end) in [(0, Act::Succeed), (0, Act::Cancel), (1, Act::Fail), (1, Act::Cancel), (1, Act::Cancel)] {
        let task = TaskId::generate();
        act(&desk.journal, task, Act::Submit(variant)).await;
        act(&desk.journal, task, Act::Step).await;
        act(&desk.journal, task, end).await;
    }
    act(&desk.journal, TaskId::generate(), Act::Submit(0)).await;
    let none = desk.ended_task("acme").await;
    assert!(desk.journal.read(none).expect("read").expect("a task").order.experiment.is_none());
    let tallies = counted(&desk.journal).await;
    let of = |place: u8| {
        let tally = &tallies[&place];
        (tally.assigned, tally.succeeded, tally.failed, tally.cancelled, tally.in_flight(), tally.cost_nanos.count)
    };
    assert_eq!((of(0), of(1)), ((3, 1, 0, 1, 1, 1), (3, 0, 1, 2, 0, 1)));
}

#[test]
fn an_order_of_before_there_were_experiments_reads_and_has_none() {
    let order = order(TaskId::generate(), "acme");
    let body = encode(&order);
    // An array of sixteen, as it always was: what is absent at the end takes no place.
    assert_eq!(body.first(), Some(&0x90));
    let record = Record { kind: 0, version: 1, body };
    assert_eq!(decode::<Order>(&record, &"an order", 0).expect("reads"), order);
    let order = assigned(TaskId::generate(), 7);
    let record = Record { kind: 0, version: 1, body: encode(&order) };
    assert_eq!(decode::<Order>(&record, &"an order", 0).expect("reads"), order);
}
