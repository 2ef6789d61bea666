//! Agents and judgements on a real store.

mod confirming;
mod deciding;
mod doubts;
mod erased;
mod following;
mod open;
mod outbox;
mod replay;
mod retention;
mod retrying;
mod tallying;

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use super::agents::{AgentRecord, CREATED_COUNTER, STOPPED_COUNTER};
use super::events::Events;
use super::order::{Order, Worker};
use super::record::{Ended, FeedbackGiven, Outcome, StepFinished, StepKind, StepStarted, TaskRecord};
use super::{Error, FEEDBACK_RECORDS_MAX, Journal, stats};
use crate::domain::clock::Timestamp;
use crate::domain::hook::Hooks;
use crate::domain::id::{AgentId, TaskId};
use crate::domain::money::Usd;
use crate::domain::name::{Digest, Tenant};
use crate::domain::private::Text;
use crate::domain::protection::Protection;
use crate::domain::usage::Usage;
use crate::store::{Batch, Options, Running, Store};

const NOW: Timestamp = Timestamp::from_micros(1_000_000);

/// A journal of its own.
pub(crate) struct Desk {
    pub(crate) journal: Journal,
    _committer: Running,
    _directory: tempfile::TempDir,
}

impl Desk {
    pub(crate) fn open() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(directory.path(), Options { cache_bytes: 1 << 20 }).expect("opens");
        let committer = store.run_committer().expect("runs");
        let journal = Journal::open(store, Events::new()).expect("opens");
        Self { journal, _committer: committer, _directory: directory }
    }

    /// A task that is open.
    pub(crate) async fn open_task(&self, tenant: &str) -> TaskId {
        let task = TaskId::generate();
        self.journal.submit(order(task, tenant), Usd::ZERO, NOW, Batch::new()).await.expect("submitted");
        task
    }

    /// The order of a task that nobody has submitted.
    pub(crate) fn order(&self, tenant: &str) -> Order {
        order(TaskId::generate(), tenant)
    }

    /// A task that has ended.
    pub(crate) async fn ended_task(&self, tenant: &str) -> TaskId {
        let task = self.open_task(tenant).await;
        let custody = self.journal.take_up(task).expect("open");
        let ended = TaskRecord::Ended(Ended { outcome: Outcome::Cancelled, at: NOW });
        self.journal.append(&custody, vec![ended], Batch::new()).await.expect("ended");
        task
    }

    async fn create(&self, agent: AgentId, tenant: &str) -> AgentRecord {
        let record = AgentRecord {
            agent,
            template: "worker".parse().expect("a name"),
            version: "1.0.0".parse().expect("a version"),
            name: None,
            tenant: tenant.parse().expect("a tenant"),
            user: None,
            created_at: NOW,
            stopped_at: None,
        };
        self.journal.agents().create(&record, Batch::new()).await.expect("created");
        record
    }

    async fn counter(&self, key: &[u8]) -> i64 {
        let (_, counters) = self.journal.store().counters(key).await.expect("read");
        counters.iter().map(|(_, count)| count).sum()
    }
}

/// A step that calls a model.
fn started(step: u32) -> TaskRecord {
    let kind = StepKind::Model { model: "mock/a".parse().expect("a model") };
    TaskRecord::StepStarted(StepStarted { step, kind, reserved: Usd::from_nanos(7), at: NOW })
}

/// The result of that step.
fn finished(step: u32) -> TaskRecord {
    let (output, usage, cost) = (Text::from("answer"), Usage::default(), Usd::from_nanos(3));
    TaskRecord::StepFinished(StepFinished { step, output, usage, cost, notes: Vec::new(), at: NOW, calls: Vec::new() })
}

pub(crate) fn order(task: TaskId, tenant: &str) -> Order {
    Order {
        task,
        worker: Worker::Own,
        template: "worker".parse().expect("a name"),
        version: "1.0.0".parse().expect("a version"),
        digest: Digest::from_bytes([0; 32]),
        principal: "root".to_owned(),
        tenant: tenant.parse().expect("a tenant"),
        user: None,
        input: Text::from("hello"),
        budget: None,
        deadline: None,
        ancestors: Vec::new(),
        tools: Vec::new(),
        protection: Protection::default(),
        metadata: BTreeMap::new(),
        levels: 0,
        experiment: None,
        hooks: Hooks::default(),
        dialogue: None,
        streamed: false,
        tokens_max: None,
        must_end_by: None,
    }
}

/// An agent made in this millisecond; `rest` tells apart those of one.
fn made_at(millisecond: u8, rest: u8) -> AgentId {
    AgentId::from_bytes([1, 0, 0, 0, 0, millisecond, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, rest])
}

fn feedback(by: usize) -> FeedbackGiven {
    FeedbackGiven { score_per_mille: 500, comment: None, by: by.to_string(), at: NOW }
}

#[tokio::test]
async fn of_stops_at_the_same_moment_one_counts() {
    let desk = Desk::open();
    let agent = desk.create(AgentId::generate(), "acme").await;
    let beside = b"stats/test/beside";
    let stops = (0..8).map(|_| desk.journal.agents().stop(&agent, NOW, Batch::new().add(beside, 1)));
    let answers = join_all(stops).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(answers.iter().filter_map(|answer| answer.as_ref().err()).all(|e| matches!(e, Error::AgentStopped(_))));
    assert_eq!(desk.counter(STOPPED_COUNTER).await, 1);
    assert_eq!(desk.counter(beside).await, 1);
    let stored = desk.journal.agents().get(agent.agent).expect("read").expect("is there");
    assert_eq!(stored.stopped_at, Some(NOW));
}

#[tokio::test]
async fn an_agent_that_is_not_stored_cannot_be_stopped_into_being() {
    let desk = Desk::open();
    let stored = desk.create(AgentId::generate(), "acme").await;
    let other = AgentRecord { agent: AgentId::generate(), ..stored };
    let refused = desk.journal.agents().stop(&other, NOW, Batch::new()).await;
    assert!(matches!(refused, Err(Error::NoAgent(agent)) if agent == other.agent), "{refused:?}");
    assert_eq!(desk.counter(CREATED_COUNTER).await, 1);
    assert_eq!(desk.counter(STOPPED_COUNTER).await, 0);
}

#[tokio::test]
async fn pages_of_agents_hold_and_name_only_those_that_are_wanted() {
    let desk = Desk::open();
    let acme: Tenant = "acme".parse().expect("a tenant");
    let (mut own, mut foreign) = (Vec::new(), BTreeSet::new());
    for number in 0..30 {
        let is_own = number % 3 == 0;
        let agent = desk.create(made_at(number, 0), if is_own { "acme" } else { "rival" }).await.agent;
        if is_own { own.push(agent) } else { assert!(foreign.insert(agent)) }
    }
    own.reverse();
    for limit in 1..=11 {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let acme = acme.clone();
            let page = desk.journal.agents().list(after, limit, move |a| a.tenant == acme).await.expect("read");
            assert!(page.agents.len() <= limit);
            seen.extend(page.agents.iter().map(|agent| agent.agent));
            assert!(page.next.is_none_or(|next| page.agents.last().is_some_and(|last| last.agent == next)));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, own, "in pages of {limit}");
    }
}

#[tokio::test]
async fn a_page_that_has_looked_at_enough_goes_on_at_a_moment_that_names_no_agent() {
    let desk = Desk::open();
    let mut all = BTreeSet::new();
    for number in 0..12 {
        // Three in each millisecond; the oldest alone is wanted.
        let tenant = if number == 0 { "acme" } else { "rival" };
        assert!(all.insert(desk.create(made_at(number / 3, number % 3), tenant).await.agent));
    }
    let (mut after, mut pages, mut found) = (None, 0, Vec::new());
    loop {
        let wanted = |agent: &AgentRecord| agent.tenant.as_str() == "acme";
        let page = super::agents::read_page(desk.journal.store(), after, 5, 2, &wanted).expect("read");
        found.extend(page.agents.iter().map(|agent| agent.agent));
        pages += 1;
        after = page.next;
        let Some(next) = after else { break };
        assert!(!all.contains(&next));
    }
    assert_eq!((pages, found), (4, vec![made_at(0, 0)]));
}

#[tokio::test]
async fn judgements_at_the_same_moment_are_all_kept_up_to_the_limit() {
    let desk = Desk::open();
    let task = desk.ended_task("acme").await;
    let beside = b"stats/test/beside";
    let asked = FEEDBACK_RECORDS_MAX + 4;
    let judgements = (0..asked).map(|by| desk.journal.judge(task, feedback(by), Batch::new().add(beside, 1)));
    let answers = join_all(judgements).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), FEEDBACK_RECORDS_MAX);
    assert!(answers.iter().filter_map(|answer| answer.as_ref().err()).all(|e| matches!(e, Error::FeedbackFull(_))));
    let records = desk.journal.records(task).await.expect("read");
    let by: BTreeSet<_> = records
        .iter()
        .filter_map(|record| if let TaskRecord::FeedbackGiven(given) = record { Some(given.by.clone()) } else { None })
        .collect();
    assert_eq!(by.len(), FEEDBACK_RECORDS_MAX);
    let kept = i64::try_from(FEEDBACK_RECORDS_MAX).expect("small");
    assert_eq!(desk.counter(stats::FEEDBACK_COUNT).await, kept);
    assert_eq!(desk.counter(stats::FEEDBACK_SUM_PER_MILLE).await, kept * 500);
    assert_eq!(desk.counter(beside).await, kept);
}

#[tokio::test]
async fn a_task_that_has_not_ended_cannot_be_judged() {
    let desk = Desk::open();
    let beside = b"stats/test/beside";
    for task in [desk.open_task("acme").await, TaskId::generate()] {
        let judged = desk.journal.judge(task, feedback(0), Batch::new().add(beside, 1)).await;
        assert!(matches!(judged, Err(Error::NotEnded(_) | Error::NotOpen(_))), "{judged:?}");
    }
    assert_eq!(desk.counter(beside).await, 0);
}
