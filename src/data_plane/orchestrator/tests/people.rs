//! What people say about a task: written once with what goes with it, beside whoever holds the task.

use std::sync::Arc;

use futures::future::join_all;

use crate::config::settings::{Agents, Rate, Role};
use crate::control_plane::access::{Principal, Via};
use crate::data_plane::agent::tests::office::Office;
use crate::data_plane::agent::tests::{finished, started};
use crate::data_plane::factory::Factory;
use crate::data_plane::orchestrator::{Decision, Error, Orchestrator};
use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure;
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::domain::private::Text;
use crate::journal::policy::REJECTED;
use crate::journal::record::{AttentionNeeded, Signalled, TaskRecord, Verdict};
use crate::journal::state::State;
use crate::store::Batch;

const BESIDE: &[u8] = b"stats/test/beside";

fn orchestrator(office: &Office) -> Orchestrator {
    let (factory, _specs) = Factory::start(office.environment.clone(), &Agents::default(), 1, None, Arc::new(|_| {}));
    Orchestrator::start(office.environment.clone(), factory).0
}

fn beside() -> Batch {
    Batch::new().add(BESIDE, 1)
}

fn ann() -> Principal {
    Principal {
        name: "ann".into(),
        user: None,
        role: Role::Operator,
        tenant: None,
        rate: Rate::Default,
        via: Via::Anonymous,
    }
}

fn needs_attention(step: Option<u32>) -> TaskRecord {
    let (code, message) = ("tool_in_doubt".to_owned(), "was it sent?".to_owned());
    TaskRecord::AttentionNeeded(AttentionNeeded { step, code, message, at: Timestamp::now() })
}

fn decision(verdict: Verdict) -> Decision {
    Decision { verdict, step: None, comment: Some("seen".to_owned()), by: "ann".to_owned() }
}

async fn written(office: &Office) -> i64 {
    let (_, counters) = office.journal().store().counters(BESIDE).await.expect("read");
    counters.iter().map(|(_, count)| count).sum()
}

fn codes<T>(answers: Vec<Result<T, Error>>) -> (usize, Vec<&'static str>) {
    let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    (made.len(), refused.into_iter().filter_map(Result::err).map(|error| error.code()).collect())
}

#[tokio::test]
async fn of_decisions_at_the_same_moment_one_stands_and_its_holder_hears_of_it() {
    let office = Office::open().await;
    let orchestrator = orchestrator(&office);
    let task = office.submit().await.task;
    office.write(task, vec![started(0, "mock/a"), needs_attention(Some(0))]).await;
    let mut holder = office.journal().take_up(task).expect("open");
    assert_eq!(holder.task().state, State::NeedsAttention);
    let seen = holder.task().records;
    let (yes, no) = (decision(Verdict::Approved), decision(Verdict::Rejected));
    let asked = (0..8).map(|turn| orchestrator.decide(task, if turn % 2 == 0 { &yes } else { &no }, beside()));
    let (made, refused) = codes(join_all(asked).await);
    assert_eq!((made, refused), (1, vec!["already_decided"; 7]));
    holder.changed(seen).await;
    assert_eq!((holder.task().state, holder.task().decisions.len()), (State::Running, 1));
    assert_eq!(written(&office).await, 1);
}

#[tokio::test]
async fn a_task_that_needs_attention_as_a_whole_fails_when_it_is_rejected_and_holds_nothing() {
    let office = Office::open().await;
    let orchestrator = orchestrator(&office);
    let order = office.submit().await;
    let task = order.task;
    office.write(task, vec![needs_attention(None)]).await;
    let approved = orchestrator.decide(task, &decision(Verdict::Approved), beside()).await;
    assert_eq!(codes(vec![approved]), (0, vec!["nothing_to_decide"]));
    let told = orchestrator.decide(task, &decision(Verdict::Rejected), beside()).await.expect("rejected");
    let fault = told.fault.clone().expect("a fault");
    assert_eq!((told.state, fault.code.as_str()), (State::Failed, REJECTED));
    assert!(fault.message.contains("ann") && fault.message.contains("seen"), "{}", fault.message);
    office.assert_spent(&order, Usd::ZERO).await;
    let late = orchestrator.decide(task, &decision(Verdict::Rejected), beside()).await;
    assert_eq!(codes(vec![late]), (0, vec!["task_ended"]));
    assert_eq!(written(&office).await, 1);
}

#[tokio::test]
async fn a_task_that_needs_attention_goes_on_once_when_it_is_retried() {
    let office = Office::open().await;
    let orchestrator = orchestrator(&office);
    let task = office.submit().await.task;
    office.write(task, vec![started(0, "mock/a"), finished(0), needs_attention(None)]).await;
    let ann = ann();
    let answers = join_all((0..8).map(|_| orchestrator.retry(&ann, task, beside()))).await;
    assert_eq!(codes(answers), (1, vec!["not_retryable"; 7]));
    let now = office.journal().task(task).await.expect("read").expect("is there");
    assert_eq!((now.state, now.attention.clone(), now.totals.finished), (State::Running, None, 1));
    assert_eq!(written(&office).await, 1);
}

#[tokio::test]
async fn a_task_whose_template_is_gone_is_not_reopened_and_nothing_is_written() {
    let office = Office::open().await;
    let orchestrator = orchestrator(&office);
    let task = office.submit().await.task;
    office.write(task, vec![needs_attention(None)]).await;
    orchestrator.decide(task, &decision(Verdict::Rejected), Batch::new()).await.expect("rejected");
    let records = office.journal().records(task).await.expect("read").len();
    let refused = orchestrator.retry(&ann(), task, beside()).await;
    assert!(refused.is_err(), "nobody serves its template");
    let unknown = orchestrator.retry(&ann(), TaskId::generate(), beside()).await;
    assert_eq!(codes(vec![unknown]), (0, vec!["task_ended"]));
    assert_eq!((office.journal().open_count(), written(&office).await), (0, 0));
    assert_eq!(office.journal().records(task).await.expect("read").len(), records);
}

#[tokio::test]
async fn an_agents_task_takes_no_signal() {
    let office = Office::open().await;
    let orchestrator = orchestrator(&office);
    let task = office.submit().await.task;
    let at = Timestamp::now();
    let signalled = Signalled { signal: "paid".to_owned(), payload: Text::default(), by: "ann".to_owned(), at };
    let sent = orchestrator.signal(task, signalled, beside()).await;
    assert_eq!(codes(vec![sent]), (0, vec!["signal_unexpected"]));
    assert_eq!(written(&office).await, 0);
}
