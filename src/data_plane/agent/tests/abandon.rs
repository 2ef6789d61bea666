//! What is on record of a task that nobody goes on with: its open call, booked once, and nothing held.

use super::office::{Office, WORST};
use super::{finished, started};
use crate::control_plane::admission::payer_of;
use crate::control_plane::budget::{Key, Source};
use crate::data_plane::agent::abandon::abandon;
use crate::domain::budget::{Limit, Scope, Window};
use crate::domain::clock::Timestamp;
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::journal;
use crate::journal::record::{StepFailed, StepKind, StepStarted, TaskRecord, Then};
use crate::journal::state::State;
use crate::store::Batch;

impl Office {
    async fn abandon(&self, task: TaskId) {
        abandon(&self.environment, task, "agent_given_up", "it ended too often").await.expect("written");
    }
}

#[tokio::test]
async fn an_abandoned_task_has_failed_and_its_open_call_is_booked_in_doubt_once() {
    let office = Office::open().await;
    let order = office.submit().await;
    office.write(order.task, vec![started(0, "mock/a")]).await;
    assert_eq!(office.standing(&Scope::Global).await.reserved, WORST);
    for _ in 0..3 {
        office.abandon(order.task).await;
        office.assert_spent(&order, WORST).await;
    }
    let task = office.journal().task(order.task).await.expect("read").expect("is there");
    assert_eq!((task.state, task.cost(), task.records), (State::Failed, WORST, 4));
    assert_eq!(task.fault.as_ref().map(|fault| fault.code.as_str()), Some("agent_given_up"));
    let records = office.journal().records(order.task).await.expect("read");
    let doubt = |record: &TaskRecord| matches!(record, TaskRecord::StepFailed(StepFailed { step: 0, in_doubt, then: Then::GiveUp, .. }) if *in_doubt == WORST);
    assert_eq!(records.iter().filter(|record| doubt(record)).count(), 1);
    assert_eq!(office.journal().open_count(), 0);
}

#[tokio::test]
async fn a_task_that_is_abandoned_before_its_first_call_costs_nothing_and_holds_nothing() {
    let office = Office::open().await;
    let order = office.submit().await;
    office.abandon(order.task).await;
    office.assert_spent(&order, Usd::ZERO).await;
    let task = office.journal().task(order.task).await.expect("read").expect("is there");
    assert_eq!((task.state, task.steps.len()), (State::Failed, 0));
}

#[tokio::test]
async fn a_call_that_was_concluded_is_not_booked_again_and_a_delegated_step_costs_nothing_itself() {
    let office = Office::open().await;
    let order = office.submit().await;
    let kind = StepKind::Delegate { name: "facts".to_owned(), child: order.task.child("facts") };
    let delegated = StepStarted { step: 1, kind, reserved: Usd::ZERO, at: Timestamp::now() };
    office.write(order.task, vec![started(0, "mock/a"), finished(0), TaskRecord::StepStarted(delegated)]).await;
    office.abandon(order.task).await;
    // What the concluded call cost was for its agent to book.
    office.assert_spent(&order, Usd::ZERO).await;
    let task = office.journal().task(order.task).await.expect("read").expect("is there");
    assert_eq!((task.state, task.cost(), task.open_children().len()), (State::Failed, Usd::from_nanos(3), 0));
}

#[tokio::test]
async fn a_tools_call_that_is_abandoned_is_on_record_as_one_of_which_nobody_knows() {
    let office = Office::open().await;
    let order = office.submit().await;
    let kind = StepKind::Tool { name: "out".to_owned(), tool: "publish".parse().expect("a name"), idempotent: false };
    let called = StepStarted { step: 0, kind, reserved: Usd::ZERO, at: Timestamp::now() };
    office.write(order.task, vec![TaskRecord::StepStarted(called)]).await;
    office.abandon(order.task).await;
    let records = office.journal().records(order.task).await.expect("read");
    let unknown =
        |record: &&TaskRecord| matches!(record, TaskRecord::StepFailed(failed) if failed.code == "tool_in_doubt");
    assert_eq!(records.iter().filter(unknown).count(), 1, "{records:?}");
}

#[tokio::test]
async fn whoever_held_an_abandoned_task_writes_nothing_more() {
    let office = Office::open().await;
    let order = office.submit().await;
    let ghost = office.journal().take_up(order.task).expect("open");
    office.journal().append(&ghost, vec![started(0, "mock/a")], Batch::new()).await.expect("appended");
    office.abandon(order.task).await;
    let late = office.journal().append(&ghost, vec![finished(0)], Batch::new()).await;
    assert!(matches!(late, Err(journal::Error::Fenced(_) | journal::Error::NotOpen(_))), "{late:?}");
    office.assert_spent(&order, WORST).await;
}

/// INVARIANT I19.
#[tokio::test]
async fn a_step_for_which_nothing_is_held_and_no_room_is_left_was_not_called_and_costs_nothing() {
    let office = Office::open().await;
    let order = office.submit().await;
    office.write(order.task, vec![started(0, "mock/a")]).await;
    // As a ledger stands that read the records before the step was on record, and has given the room to others since.
    let budget = &office.environment.budget;
    budget.close_task(order.task);
    let limit = Limit::new(WORST, Window::Total);
    budget.declare_now(Source::Settings, &[(Scope::Global, Some(limit))]).expect("declared");
    let other = Key { task: TaskId::generate(), step: 0 };
    let held = budget.reserve(other, payer_of(&order), WORST, Timestamp::now()).await.expect("there is room");
    office.abandon(order.task).await;
    budget.release(&held);
    office.assert_spent(&order, Usd::ZERO).await;
}
