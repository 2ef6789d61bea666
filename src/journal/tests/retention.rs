//! What is deleted when it is old enough, and what is not.

use std::time::Duration;

use super::*;
use crate::journal::order::{Ancestor, Registered};
use crate::journal::record::{RetryRequested, StepFinished, StepKind, StepStarted};
use crate::journal::retention::{Round, is_due};
use crate::journal::state::{State, Task};
use crate::store::{Direction, Keyspace};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Desk {
    async fn submitted(&self, order: Order) -> TaskId {
        let task = order.task;
        self.journal.submit(order, Usd::ZERO, NOW, Batch::new()).await.expect("submitted");
        task
    }

    async fn end(&self, task: TaskId, at: Timestamp) {
        let custody = self.journal.take_up(task).expect("open");
        let ended = TaskRecord::Ended(Ended { outcome: Outcome::Cancelled, at });
        self.journal.append(&custody, vec![ended], Batch::new()).await.expect("ended");
    }

    /// A step that delegated to a subtask and has concluded.
    async fn delegated(&self, parent: TaskId, name: &str) -> TaskId {
        let child = parent.child(name);
        let ancestors = vec![Ancestor { task: parent, budget: None }];
        self.submitted(Order { ancestors, ..order(child, "acme") }).await;
        let custody = self.journal.take_up(parent).expect("open");
        let step = custody.task().next_step();
        let kind = StepKind::Delegate { name: name.to_owned(), child };
        let started = TaskRecord::StepStarted(StepStarted { step, kind, reserved: Usd::ZERO, at: NOW });
        let finished = TaskRecord::StepFinished(StepFinished {
            step,
            output: Text::from("done"),
            usage: crate::domain::usage::Usage::default(),
            cost: Usd::ZERO,
            notes: Vec::new(),
            at: NOW,
            calls: Vec::new(),
        });
        self.journal.append(&custody, vec![started, finished], Batch::new()).await.expect("delegated");
        child
    }

    /// Deletes what is due two days from now.
    async fn retire(&self) -> u64 {
        let in_two_days = Timestamp::now().after(DAY * 2);
        let (mut deleted, mut after) = (0, None);
        loop {
            let Round { deleted: more, next } = self.journal.retire(after, in_two_days, DAY).await.expect("swept");
            deleted += more;
            after = next;
            if after.is_none() {
                return deleted;
            }
        }
    }

    /// The tasks that something is stored of.
    fn stored(&self) -> BTreeSet<TaskId> {
        let keys =
            self.journal.store().keys(Keyspace::Task, &[], None, Direction::Ascending, usize::MAX).expect("read");
        keys.iter().map(|key| TaskId::from_bytes(key[..16].try_into().expect("an id"))).collect()
    }
}

#[test]
fn only_what_ended_long_enough_ago_is_due() {
    let at = |days: u32| Some(NOW.after(DAY * days));
    let now = NOW.after(DAY * 10);
    for (state, finished_at, due) in [
        (State::Succeeded, at(0), true),
        (State::Failed, at(1), true),
        (State::Cancelled, at(3), true),
        (State::Succeeded, at(4), false),
        (State::Succeeded, at(11), false),
        (State::Running, None, false),
        (State::Queued, None, false),
        (State::Running, at(0), false),
    ] {
        assert_eq!(is_due(state, finished_at, now, DAY * 7), due, "{state:?} {finished_at:?}");
    }
}

#[tokio::test]
async fn old_ended_tasks_go_with_everything_and_open_and_young_ones_stay() {
    let desk = Desk::open();
    let agent = desk.create(AgentId::generate(), "acme").await.agent;
    let (open, old) = (desk.open_task("acme").await, desk.ended_task("acme").await);
    desk.journal.judge(old, feedback(1), Batch::new()).await.expect("judged");
    let large = Order { input: Text::from("x".repeat(2 << 20)), ..order(TaskId::generate(), "acme") };
    let remembered = Order { worker: Worker::Registered(Registered(agent)), ..large };
    let remembered = desk.submitted(remembered).await;
    desk.end(remembered, NOW).await;
    let young = desk.submitted(order(TaskId::generate(), "acme")).await;
    desk.end(young, Timestamp::now().after(DAY * 2)).await;
    let counted = desk.counter(b"stats/").await;
    assert_eq!(desk.journal.agents().turns(agent, 9).await.expect("read"), [remembered]);

    assert_eq!(desk.retire().await, 2);
    assert_eq!(desk.stored(), BTreeSet::from([open, young]));
    for gone in [old, remembered] {
        assert_eq!(desk.journal.task(gone).await.expect("read"), None);
        let judged = desk.journal.judge(gone, feedback(2), Batch::new()).await;
        assert!(matches!(judged, Err(Error::NotOpen(_))), "{judged:?}");
    }
    assert!(desk.journal.agents().turns(agent, 9).await.expect("read").is_empty());
    assert_eq!(desk.counter(b"stats/").await, counted, "counters stay");
    let pieces = desk.journal.store().keys(Keyspace::Piece, &[], None, Direction::Ascending, 9).expect("read");
    assert!(pieces.is_empty(), "the payload of the input is still named");
    assert_eq!(desk.retire().await, 0);
}

#[tokio::test]
async fn a_subtask_goes_with_its_root_and_not_before() {
    let desk = Desk::open();
    let root = desk.open_task("acme").await;
    let (first, second) = (desk.delegated(root, "a").await, desk.delegated(root, "b").await);
    desk.end(first, NOW).await;
    assert_eq!(desk.retire().await, 0, "the root is open");
    desk.end(root, NOW).await;
    assert_eq!(desk.retire().await, 0, "a subtask is open");
    desk.end(second, NOW).await;
    let other = desk.ended_task("acme").await;
    assert_eq!(desk.retire().await, 4);
    assert!(desk.stored().is_empty(), "{other}");
}

#[tokio::test]
async fn what_a_deletion_left_that_was_cut_off_is_deleted_later() {
    let desk = Desk::open();
    let root = desk.open_task("acme").await;
    let child = desk.delegated(root, "a").await;
    desk.end(child, NOW).await;
    desk.end(root, NOW).await;
    let first_of = |task: TaskId| [task.as_bytes().as_slice(), &[0; 8]].concat();
    // The child's deletion got as far as its first batch.
    let cut = Batch::new().delete(Keyspace::Task, first_of(child));
    desk.journal.store().commit(cut).await.expect("committed");
    desk.retire().await;
    assert!(desk.stored().is_empty());
}

#[tokio::test]
async fn a_task_that_is_retried_while_its_subtasks_are_deleted_stays_also_if_it_has_ended_anew() {
    let desk = Desk::open();
    let root = desk.open_task("acme").await;
    let child = desk.delegated(root, "a").await;
    desk.end(child, NOW).await;
    let fail = async |at: Timestamp| {
        let custody = desk.journal.take_up(root).expect("open");
        let ended = TaskRecord::Ended(Ended { outcome: Outcome::failed("broken", "it broke"), at });
        desk.journal.append(&custody, vec![ended], Batch::new()).await.expect("failed");
    };
    fail(NOW).await;
    let now = NOW.after(DAY * 9);
    let due = |task: &Task| is_due(task.state, task.finished_at, now, DAY);
    let request = RetryRequested { by: "ann".to_owned(), at: now };
    desk.journal.reopen(root, request, Batch::new(), async |_| Ok::<(), Error>(())).await.expect("reopened");
    let found = || vec![(child, None), (root, None)];
    assert_eq!(desk.journal.delete_family(root, found(), due).await.expect("looked"), 0, "it is open");
    fail(now).await;
    assert_eq!(desk.journal.delete_family(root, vec![(root, None)], due).await.expect("looked"), 0, "it is young");
    assert_eq!(desk.stored(), BTreeSet::from([root, child]));
    let later = |task: &Task| is_due(task.state, task.finished_at, now.after(DAY * 2), DAY);
    assert_eq!(desk.journal.delete_family(root, found(), later).await.expect("deleted"), 2);
    assert!(desk.stored().is_empty());
}
