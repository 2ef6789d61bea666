//! Commits whose answer got lost: what is stored decides, and the projection never stays behind it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Desk, NOW, order};
use crate::domain::failure::{Failure as _, Retry};
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::journal::events::Events;
use crate::journal::record::{Ended, Outcome, StepKind, StepStarted, TaskRecord};
use crate::journal::state::{State, Task};
use crate::journal::{Error, Journal};
use crate::store::{self, Batch, Store};

/// How long something may take that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

fn started(step: u32) -> TaskRecord {
    let kind = StepKind::Delegate { name: format!("unit {step}"), child: TaskId::generate() };
    TaskRecord::StepStarted(StepStarted { step, kind, reserved: Usd::ZERO, at: NOW })
}

async fn stored(journal: &Journal, id: TaskId) -> Option<Task> {
    Task::replay(&journal.records(id).await.expect("read"))
}

#[tokio::test]
async fn a_record_whose_confirmation_got_lost_with_the_committer_is_in_the_projection() {
    let directory = tempfile::tempdir().expect("a directory");
    let panics = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&panics);
    let sync = move || {
        assert!(!now.swap(false, Ordering::SeqCst), "this sync panics");
        Ok(())
    };
    let store = Store::open_with_sync(directory.path(), sync).expect("opens");
    let first = store.run_committer().expect("runs");
    let journal = Journal::open(store.clone(), Events::new()).expect("opens");
    let id = TaskId::generate();
    journal.submit(order(id, "acme"), Usd::ZERO, NOW, Batch::new()).await.expect("submitted");
    let holder = journal.take_up(id).expect("open");

    panics.store(true, Ordering::SeqCst);
    let writer = journal.clone();
    let writing = tokio::spawn(async move { writer.append(&holder, vec![started(0)], Batch::new()).await });
    let gone = async {
        while panics.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("it panicked");
    drop(first);
    let _second = store.run_committer().expect("runs");
    let written = tokio::time::timeout(PATIENCE, writing).await.expect("an answer").expect("no panic");
    assert!(written.is_ok(), "it is durable: {written:?}");

    let holder = journal.take_up(id).expect("open");
    assert_eq!(holder.task().totals.started, 1);
    journal.append(&holder, vec![started(1)], Batch::new()).await.expect("it goes on after what is stored");
    assert_eq!(stored(&journal, id).await.as_ref(), Some(&*holder.task()));
}

#[tokio::test]
async fn a_writer_that_ends_without_a_word_leaves_no_projection_behind_the_store() {
    let desk = Desk::open();
    let id = desk.open_task("acme").await;
    let holder = desk.journal.take_up(id).expect("open");
    let lost = desk.journal.append_then(&holder, vec![started(0)], Batch::new(), |_| panic!("in between")).await;
    assert!(matches!(lost, Err(Error::Interrupted(task)) if task == id), "{lost:?}");
    assert_eq!(holder.task().totals.started, 1, "what is stored is known");
    desk.journal.append(&holder, vec![started(1)], Batch::new()).await.expect("it goes on");
    assert_eq!(stored(&desk.journal, id).await.as_ref(), Some(&*holder.task()));
}

#[tokio::test]
async fn an_end_that_was_written_without_a_word_closes_the_task() {
    let desk = Desk::open();
    let id = desk.open_task("acme").await;
    let holder = desk.journal.take_up(id).expect("open");
    let ended = TaskRecord::Ended(Ended { outcome: Outcome::Cancelled, at: NOW });
    let lost = desk.journal.append_then(&holder, vec![ended], Batch::new(), |_| panic!("in between")).await;
    assert!(matches!(lost, Err(Error::Interrupted(_))), "{lost:?}");
    assert_eq!((holder.task().state, desk.journal.open_count()), (State::Cancelled, 0));
}

/// Who holds a task has something to tell that was paid for; who only asks for something is told to come again.
#[tokio::test]
async fn a_holder_waits_for_room_on_the_disk_and_whoever_interjects_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let is_full = Arc::new(AtomicBool::new(false));
    let disk = Arc::clone(&is_full);
    let free = move || Some(if disk.load(Ordering::SeqCst) { 0 } else { u64::MAX });
    let store = Store::open_with_room(directory.path(), free).expect("opens");
    let _committer = store.run_committer().expect("runs");
    let journal = Journal::open(store.clone(), Events::new()).expect("opens");
    let id = TaskId::generate();
    journal.submit(order(id, "acme"), Usd::ZERO, NOW, Batch::new()).await.expect("submitted");
    let holder = journal.take_up(id).expect("open");

    is_full.store(true, Ordering::SeqCst);
    let refused = journal.interject(id, vec![started(0)], Batch::new(), |_| {}).await.expect_err("no room");
    assert!(matches!(refused, Error::Store(store::Error::NoRoom(_))), "{refused}");
    assert!(matches!(refused.retry(), Retry::After(_)));
    let writer = journal.clone();
    let mut writing = tokio::spawn(async move { writer.append(&holder, vec![started(0)], Batch::new()).await });
    let early = tokio::time::timeout(Duration::from_millis(100), &mut writing).await;
    assert!(early.is_err(), "it did not wait: {early:?}");
    assert_eq!(journal.watch(id).expect("open").borrow().totals.started, 0);

    is_full.store(false, Ordering::SeqCst);
    tokio::time::timeout(PATIENCE, writing).await.expect("room").expect("no panic").expect("written");
    let task = stored(&journal, id).await.expect("it is there");
    assert_eq!(task.totals.started, 1, "once");
    assert_eq!(task, Task::clone(&journal.take_up(id).expect("open").task()));
}
