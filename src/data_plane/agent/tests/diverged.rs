//! An agent that finds a story that is not an agent's does nothing about it but tell a person.

use std::time::Duration;

use super::office::Office;
use super::{cancel, started};
use crate::data_plane::agent::turn::Turn;
use crate::domain::clock::Timestamp;
use crate::domain::money::Usd;
use crate::journal::record::{StepKind, StepStarted, TaskRecord};
use crate::journal::state::State;
use crate::store::Batch;

#[tokio::test]
async fn a_story_that_is_not_an_agents_waits_for_a_person_and_can_be_cancelled() {
    let office = Office::open().await;
    let task = {
        let mut order = office.order();
        order.deadline = None;
        office.journal().submit(order.clone(), Usd::ZERO, Timestamp::now(), Batch::new()).await.expect("submitted");
        order.task
    };
    let kind = StepKind::Timer { name: "cool".to_owned(), until: Timestamp::now() };
    let at = Timestamp::now();
    office.write(task, vec![TaskRecord::StepStarted(StepStarted { step: 0, kind, reserved: Usd::ZERO, at })]).await;
    let turn = Turn::of(&office.environment, task).expect("open");
    let running = tokio::spawn(turn.run());
    let mut following = office.journal().watch(task).expect("open");
    let asks = following.wait_for(|task| task.state == State::NeedsAttention);
    let asks = tokio::time::timeout(Duration::from_secs(20), asks).await.expect("in time").expect("open").clone();
    assert_eq!(asks.attention.as_ref().map(|attention| attention.fault.code.as_str()), Some("replay_diverged"));
    assert!(!asks.accepts(&started(1, "mock/a")), "nothing starts");
    office.journal().interject(task, vec![cancel()], Batch::new(), |_| {}).await.expect("asked");
    running.await.expect("no panic").expect("it ends");
    let ended = office.journal().task(task).await.expect("read").expect("is there");
    assert_eq!(
        (ended.state, ended.fault.as_ref().map(|fault| fault.code.as_str())),
        (State::Failed, Some("replay_diverged"))
    );
}
