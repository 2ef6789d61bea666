//! Amounts in doubt: listed while nobody knows, settled once by a bill, gone with their task, rebuilt from the records.

use super::{Desk, NOW, finished, order, started};
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::journal::doubts::{Billed, Doubt, Outcome as Settled};
use crate::journal::order::Ancestor;
use crate::journal::reconciled::Unreconciled;
use crate::journal::record::{Ended, Outcome, StepFailed, StepFinished, StepKind, StepStarted, TaskRecord, Then};
use crate::journal::{Error, stats};
use crate::store::{Batch, Keyspace};

fn usd(nanos: i64) -> Usd {
    Usd::from_nanos(nanos)
}

/// A call that was cut off: seven are booked in doubt, and the same call is made again.
fn cut_off(step: u32) -> TaskRecord {
    TaskRecord::StepFailed(StepFailed {
        step,
        code: "in_doubt".to_owned(),
        message: "cut off".to_owned(),
        in_doubt: usd(7),
        then: Then::Again { after_ms: 0 },
        cost: Usd::ZERO,
        at: NOW,
        arrived: None,
    })
}

fn answered(step: u32) -> TaskRecord {
    TaskRecord::Ended(Ended { outcome: Outcome::AnsweredByStep { step }, at: NOW })
}

impl Desk {
    async fn write(&self, task: TaskId, records: Vec<TaskRecord>) {
        let custody = self.journal.take_up(task).expect("open");
        for record in records {
            self.journal.append(&custody, vec![record], Batch::new()).await.expect("appended");
        }
    }

    /// A task of two calls in doubt and a third that came to an answer, for three.
    async fn in_doubt_twice(&self) -> TaskId {
        let task = self.open_task("acme").await;
        self.write(task, vec![started(0), cut_off(0), started(1), cut_off(1), started(2), finished(2), answered(2)])
            .await;
        task
    }

    async fn listed(&self) -> Vec<Doubt> {
        self.journal.doubts(None, 99, |_| true).await.expect("listed").items
    }

    async fn bill(&self, task: TaskId, billed: Billed, bill: i64) -> Result<Settled, Error> {
        self.journal.reconcile(task, billed, usd(bill), "ann".to_owned(), NOW, |_, _| Batch::new()).await
    }

    async fn cost(&self, task: TaskId) -> i64 {
        self.journal.task(task).await.expect("read").expect("there").cost().nanos()
    }

    async fn in_doubt_now(&self) -> i64 {
        self.counter(super::super::doubts::SUM).await
    }
}

fn refused(outcome: Result<Settled, Error>) -> Unreconciled {
    match outcome {
        Err(Error::Unreconciled(refusal)) => refusal,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn a_bill_settles_a_step_once_and_the_tasks_cost_follows() {
    let desk = Desk::open();
    let task = desk.in_doubt_twice().await;
    let listed = desk.listed().await;
    assert_eq!(
        listed.iter().map(|doubt| (doubt.step, doubt.call, doubt.amount)).collect::<Vec<_>>(),
        [(0, 0, usd(7)), (1, 0, usd(7)),]
    );
    assert_eq!((desk.cost(task).await, desk.in_doubt_now().await), (17, 14));
    let settled = desk.bill(task, Billed::Step(1), 2).await.expect("settled");
    assert!(
        matches!(settled, Settled::Settled { settlements, .. } if settlements.len() == 1 && settlements[0].cost == usd(2))
    );
    assert_eq!((desk.cost(task).await, desk.in_doubt_now().await), (12, 7));
    assert_eq!(desk.counter(stats::COST_NANOS).await, 12, "what whole tasks cost follows");
    assert!(matches!(desk.bill(task, Billed::Step(1), 2).await, Ok(Settled::Unchanged)), "the same bill again");
    let other = refused(desk.bill(task, Billed::Step(1), 3).await);
    assert_eq!(other, Unreconciled::Already { task, what: "step", number: 1, cost: usd(2) });
    assert_eq!(desk.bill(task, Billed::Step(0), 9).await.map(|_| ()).map_err(|error| error.to_string()), Ok(()));
    assert_eq!((desk.cost(task).await, desk.in_doubt_now().await, desk.listed().await), (14, 0, Vec::new()));
    let steps = desk.journal.task(task).await.expect("read").expect("there");
    assert_eq!(steps.steps.iter().map(|step| step.cost().nanos()).collect::<Vec<_>>(), [9, 2, 3]);
}

#[tokio::test]
async fn what_is_not_in_doubt_is_not_settled() {
    let desk = Desk::open();
    let (task, nobody) = (desk.in_doubt_twice().await, TaskId::generate());
    assert_eq!(refused(desk.bill(nobody, Billed::Step(0), 1).await), Unreconciled::NoTask(nobody));
    let no_step = |what, number| Unreconciled::NoStep { task, what, number };
    let not_in_doubt = |what, number| Unreconciled::NotInDoubt { task, what, number };
    assert_eq!(refused(desk.bill(task, Billed::Step(3), 1).await), no_step("step", 3));
    assert_eq!(refused(desk.bill(task, Billed::Step(2), 1).await), not_in_doubt("step", 2));
    assert_eq!(refused(desk.bill(task, Billed::Call(1), 1).await), not_in_doubt("call", 1));
    let open = desk.open_task("acme").await;
    desk.write(open, vec![started(0), cut_off(0)]).await;
    assert_eq!(refused(desk.bill(open, Billed::Step(0), 1).await), Unreconciled::Open { task: open, open });
    assert_eq!((desk.cost(task).await, desk.in_doubt_now().await), (17, 21), "nothing has changed");
}

#[tokio::test]
async fn a_bill_of_a_call_is_booked_whole_whichever_steps_made_it() {
    // The call was made three times under one key; what the last one cost is known, and is 3.
    for (bill, expected) in [(3, 3), (10, 10), (1, 3), (25, 25)] {
        let desk = Desk::open();
        let task = desk.in_doubt_twice().await;
        assert!(matches!(desk.bill(task, Billed::Call(0), bill).await, Ok(Settled::Settled { .. })));
        assert_eq!((desk.cost(task).await, desk.in_doubt_now().await), (expected, 0), "a bill of {bill}");
        assert!(matches!(desk.bill(task, Billed::Call(0), bill).await, Ok(Settled::Unchanged)));
        assert!(matches!(refused(desk.bill(task, Billed::Call(0), 99).await), Unreconciled::Already { .. }));
    }
}

#[tokio::test]
async fn of_bills_at_the_same_moment_one_counts() {
    let desk = Desk::open();
    let task = desk.in_doubt_twice().await;
    let bills = (0..8).map(|bill| desk.bill(task, Billed::Step(0), bill));
    let outcomes = futures::future::join_all(bills).await;
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Ok(Settled::Settled { .. }))).count(), 1);
    assert_eq!(desk.listed().await.len(), 1);
    assert_eq!(desk.in_doubt_now().await, 7);
}

#[tokio::test]
async fn what_a_subtask_turns_out_to_have_cost_is_what_the_tasks_above_it_cost() {
    let desk = Desk::open();
    let (parent, child) = (desk.open_task("acme").await, TaskId::generate());
    let mut below = order(child, "acme");
    below.ancestors = vec![Ancestor { task: parent, budget: None }];
    desk.journal.submit(below, Usd::ZERO, NOW, Batch::new()).await.expect("submitted");
    desk.write(child, vec![started(0), cut_off(0), started(1), finished(1), answered(1)]).await;
    assert_eq!(refused(desk.bill(child, Billed::Step(0), 1).await), Unreconciled::Open { task: child, open: parent });
    let kind = StepKind::Delegate { name: "facts".to_owned(), child };
    let TaskRecord::StepFinished(done) = finished(0) else { panic!("a result") };
    let delegated = vec![
        TaskRecord::StepStarted(StepStarted { step: 0, kind, reserved: Usd::ZERO, at: NOW }),
        TaskRecord::StepFinished(StepFinished { cost: usd(10), ..done }),
        answered(0),
    ];
    desk.write(parent, delegated).await;
    assert!(matches!(desk.bill(child, Billed::Step(0), 1).await, Ok(Settled::Settled { .. })));
    assert_eq!((desk.cost(child).await, desk.cost(parent).await), (4, 4));
    assert_eq!(desk.counter(stats::COST_NANOS).await, 4, "counted once, for the whole task");
}

#[tokio::test]
async fn the_list_is_a_projection_of_the_records_and_goes_with_its_task() {
    let desk = Desk::open();
    let (task, other) = (desk.in_doubt_twice().await, desk.in_doubt_twice().await);
    desk.bill(task, Billed::Step(0), 1).await.expect("settled");
    let before = desk.listed().await;
    assert_eq!((before.len(), desk.journal.rebuild_doubts_of(task).await.expect("read")), (3, 0), "nothing is amiss");
    let store = desk.journal.store();
    let keys = store.keys(Keyspace::Doubt, b"", None, crate::store::Direction::Ascending, 99).expect("read");
    store
        .commit(keys.into_iter().fold(Batch::new(), |batch, key| batch.delete(Keyspace::Doubt, key)))
        .await
        .expect("gone");
    assert!(desk.listed().await.is_empty());
    assert_eq!(desk.journal.rebuild_doubts().await.expect("rebuilt"), 3);
    assert_eq!(desk.listed().await, before);
    assert_eq!(desk.journal.rebuild_doubts().await.expect("known"), 0, "once is enough");
    let gone = desk.journal.delete_family(other, vec![(other, None)], |_| true).await.expect("deleted");
    assert_eq!(gone, 1);
    assert_eq!(desk.listed().await.iter().map(|doubt| doubt.task).collect::<Vec<_>>(), [task]);
}

#[tokio::test]
async fn pages_of_doubts_follow_one_another() {
    let desk = Desk::open();
    let all = [desk.in_doubt_twice().await, desk.in_doubt_twice().await];
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = desk.journal.doubts(after, 3, |_| true).await.expect("listed");
        assert!(page.items.len() <= 3);
        seen.extend(page.items.into_iter().map(|doubt| (doubt.task, doubt.step)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 4);
    assert!(seen.is_sorted() && all.iter().all(|task| seen.contains(&(*task, 1))), "{seen:?}");
    let none = desk.journal.doubts(None, 9, |doubt| doubt.tenant.as_str() == "rival").await.expect("listed");
    assert!(none.items.is_empty() && none.next.is_none());
}
