//! Asking for the end of a task: once, again, at the same moment as others, and too late.

use std::sync::Arc;

use futures::future::join_all;

use crate::config::settings::Agents;
use crate::data_plane::agent::tests::office::{Office, WORST};
use crate::data_plane::agent::tests::{finished, started};
use crate::data_plane::factory::Factory;
use crate::data_plane::orchestrator::{Error, Orchestrator};
use crate::domain::budget::Scope;
use crate::domain::clock::Timestamp;
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::journal;
use crate::journal::record::{Ended, Outcome, TaskRecord};
use crate::journal::state::State;
use crate::store::Batch;

const BESIDE: &[u8] = b"stats/test/beside";

/// An orchestrator that brings tasks to nobody: the test does their work.
fn orchestrator(office: &Office) -> Orchestrator {
    let (factory, _specs) = Factory::start(office.environment.clone(), &Agents::default(), 1, None, Arc::new(|_| {}));
    Orchestrator::start(office.environment.clone(), factory).0
}

async fn requests(office: &Office, task: TaskId) -> (usize, i64) {
    let records = office.journal().records(task).await.expect("read");
    let written = records.iter().filter(|record| matches!(record, TaskRecord::CancelRequested(_))).count();
    let (_, counters) = office.journal().store().counters(BESIDE).await.expect("read");
    (written, counters.iter().map(|(_, count)| count).sum())
}

#[tokio::test]
async fn a_running_task_is_asked_to_end_once_and_whoever_asks_again_is_told_how_far_it_is() {
    let office = Office::open().await;
    let orchestrator = orchestrator(&office);
    let task = office.submit().await.task;
    office.write(task, vec![started(0, "mock/a")]).await;
    let ask = || orchestrator.cancel(task, "ada", Batch::new().add(BESIDE, 1));
    let answers = join_all((0..8).map(|_| ask())).await.into_iter().chain([ask().await]);
    for answer in answers {
        let told = answer.expect("whoever asks is answered");
        assert_eq!((told.state, told.cancel_requested_by.as_deref()), (State::Running, Some("ada")));
    }
    assert_eq!(requests(&office, task).await, (1, 1));

    let ended = Ended { outcome: Outcome::Cancelled, at: Timestamp::now() };
    office.write(task, vec![finished(0), TaskRecord::Ended(ended)]).await;
    let late = ask().await;
    assert!(matches!(late, Err(Error::Journal(journal::Error::NotOpen(_)))), "{:?}", late.err());
    assert_eq!(requests(&office, task).await, (1, 1));
}

#[tokio::test]
async fn a_task_whose_work_has_not_begun_ends_at_once_and_holds_nothing() {
    let office = Office::open().await;
    let orchestrator = orchestrator(&office);
    let order = office.submit().await;
    assert_eq!(office.standing(&Scope::Global).await.reserved, WORST);
    let asked = (0..8).map(|_| orchestrator.cancel(order.task, "ada", Batch::new().add(BESIDE, 1)));
    let answers = join_all(asked).await;
    let (told, late): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert!(told.iter().flatten().all(|told| told.state == State::Cancelled) && !told.is_empty());
    assert!(
        late.iter()
            .filter_map(|answer| answer.as_ref().err())
            .all(|e| matches!(e, Error::Journal(journal::Error::NotOpen(_))))
    );
    assert_eq!(requests(&office, order.task).await, (1, 1));
    office.assert_spent(&order, Usd::ZERO).await;
}
