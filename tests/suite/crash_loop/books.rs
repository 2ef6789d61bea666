//! What must hold once everything has ended: tasks, steps, calls, money and the audit log agree with each other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use agent_factory::domain::clock::Timestamp;
use agent_factory::domain::money::Usd;
use agent_factory::protocol::audit::AuditEntry;
use agent_factory::protocol::event::Event;
use agent_factory::protocol::page::Page;
use agent_factory::protocol::task::{Task, TaskState};
use minicbor::Encode;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::clients::{Kept, acknowledged};
use crate::harness::{COST, Daemon, Provider};

/// Everything agrees.
pub(super) async fn hold(daemon: &Daemon, provider: &Provider, kept: &[Kept]) {
    for submission in kept {
        let task = daemon.finished(&submission.task_id).await;
        let ended_as_asked = !submission.cancelled || task.state != TaskState::Failed;
        assert!(ended_as_asked, "{submission:?} ended as {task:?}");
    }
    let tasks = all_tasks(daemon).await;
    every_submission_is_one_task(&tasks, kept);
    for task in tasks.values() {
        let journal = daemon.client.task_events(&task.task_id).await.expect("a journal").items;
        ended_once(task, &journal);
        steps_concluded_once(task, &journal);
    }
    let billed = calls_match_steps(&tasks, provider);
    the_ledger_is_right(daemon, &tasks, billed).await;
    the_audit_log_is_whole(daemon, &tasks).await;
}

/// A repeated submission finds what it made before all the crashes.
pub(super) async fn keys_still_find_their_tasks(daemon: &Daemon, kept: &[Kept]) {
    for submission in kept {
        let again = acknowledged(&daemon.client, &submission.wanted, &submission.key, Duration::ZERO).await;
        assert_eq!(again.task_id, submission.task_id, "{}", submission.key);
    }
}

async fn all_tasks(daemon: &Daemon) -> BTreeMap<String, Task> {
    let (mut tasks, mut after) = (BTreeMap::new(), None);
    loop {
        let page = daemon.client.tasks(Some(1_000), after.as_deref()).await.expect("tasks");
        for listed in page.items {
            // A list leaves the answer out.
            let task = daemon.finished(&listed.task_id).await;
            tasks.insert(task.task_id.clone(), task);
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return tasks,
        }
    }
}

/// None is lost, none was made twice, and there is no subtask without a parent that knows it.
fn every_submission_is_one_task(tasks: &BTreeMap<String, Task>, kept: &[Kept]) {
    let acknowledged: BTreeSet<&str> = kept.iter().map(|submission| submission.task_id.as_str()).collect();
    assert_eq!(acknowledged.len(), kept.len(), "each key has a task of its own");
    let roots = tasks.values().filter(|task| task.parent_id.is_none());
    assert_eq!(roots.map(|task| task.task_id.as_str()).collect::<BTreeSet<_>>(), acknowledged);
    for task in tasks.values() {
        if let Some(parent) = &task.parent_id {
            let steps = &tasks[parent].steps;
            assert!(steps.iter().any(|step| step.task_id.as_ref() == Some(&task.task_id)), "{parent} and {task:?}");
        }
    }
}

fn ended_once(task: &Task, journal: &[Event]) {
    let sequences: Vec<Option<u64>> = journal.iter().map(|event| event.sequence).collect();
    assert!(sequences.into_iter().eq((0..).map(Some).take(journal.len())), "a hole in {journal:?}");
    let ends = journal.iter().filter(|event| event.kind == "task_ended").count();
    assert_eq!((ends, journal.last().map(|event| event.kind.as_str())), (1, Some("task_ended")), "{journal:?}");
    assert!(task.state.has_ended() && task.finished_at.is_some(), "{task:?}");
}

fn steps_concluded_once(task: &Task, journal: &[Event]) {
    for step in &task.steps {
        let number = json!(step.number.to_string());
        let count = |kind: &str| {
            journal.iter().filter(|event| event.kind == kind && event.details.get("step") == Some(&number)).count()
        };
        let concluded = count("step_finished") + count("step_failed");
        assert_eq!((count("step_started"), concluded), (1, 1), "step {number} of {journal:?}");
    }
}

/// A call is named after its first step; steps that repeat it, because nobody knows what became of it, use its name again. So of
/// one name there are at most as many calls as steps that made it, at least one where one of them finished, none after that, and
/// none without its step on record. Returns how many calls the provider has answered.
fn calls_match_steps(tasks: &BTreeMap<String, Task>, provider: &Provider) -> usize {
    let asked = provider.asked();
    let mut calls: BTreeMap<String, usize> = BTreeMap::new();
    for call in &asked {
        *calls.entry(call.idempotency_key.clone().expect("every call has a key")).or_default() += 1;
    }
    let answered = provider.answered();
    let said: BTreeMap<&str, &str> = answered
        .iter()
        .filter_map(|(number, text)| Some((asked[*number].idempotency_key.as_deref()?, text.as_str())))
        .collect();
    for task in tasks.values() {
        let mut steps = task.steps.iter().filter(|step| step.kind == "model").peekable();
        while let Some(first) = steps.next() {
            let key = format!("{}-{}", task.task_id, first.number);
            let (mut attempts, mut last) = (1, first);
            while let Some(next) = steps.next_if(|next| {
                last.state != "finished" && !calls.contains_key(&format!("{}-{}", task.task_id, next.number))
            }) {
                (attempts, last) = (attempts + 1, next);
            }
            let made = calls.remove(&key).unwrap_or(0);
            let has_finished = last.state == "finished";
            let expected = if has_finished { 1..=attempts } else { 0..=attempts };
            assert!(expected.contains(&made), "{made} calls for {attempts} steps from {} on of {task:?}", first.number);
            if has_finished && task.state == TaskState::Succeeded {
                assert_eq!(task.output.as_str(), said.get(key.as_str()).copied(), "{task:?}");
            }
        }
    }
    assert!(calls.is_empty(), "calls without a step on record: {calls:?}");
    answered.len()
}

fn usd(text: &str) -> Usd {
    text.parse().expect("an amount")
}

/// What is booked is what tasks cost, at least what was answered, and more than that only by what is marked as in doubt.
async fn the_ledger_is_right(daemon: &Daemon, tasks: &BTreeMap<String, Task>, billed: usize) {
    let spent = usd(&daemon.settled("global").await.spent_usd);
    let roots = tasks.values().filter(|task| task.parent_id.is_none());
    assert_eq!(spent, roots.map(|task| usd(&task.cost_usd)).sum::<Usd>(), "the books and the tasks");
    let calls = tasks.values().flat_map(|task| &task.steps).filter(|step| step.kind == "model");
    let doubtful: Usd = calls.filter(|step| step.state != "finished").map(|step| usd(&step.cost_usd)).sum();
    let billed: Usd = std::iter::repeat_n(usd(COST), billed).sum();
    let most: Usd = [billed, doubtful].into_iter().sum();
    eprintln!("spent {spent}: the provider bills {billed}, in doubt are {doubtful}");
    assert!(billed <= spent && spent <= most, "billed {billed}, spent {spent}, in doubt {doubtful}");
}

/// An entry as docs/architecture.md says that it is hashed.
#[derive(Encode)]
struct Hashed<'a> {
    #[n(0)]
    at: i64,
    #[n(1)]
    name: &'a str,
    #[n(2)]
    role: &'a str,
    #[n(3)]
    tenant: Option<&'a str>,
    #[n(4)]
    uid: Option<u32>,
    #[n(5)]
    action: &'a str,
    #[n(6)]
    subject: Option<&'a str>,
    #[n(7)]
    refused: Option<&'a str>,
    #[n(8)]
    reason: Option<&'a str>,
    #[cbor(n(9), with = "minicbor::bytes")]
    policy: Option<Vec<u8>>,
}

fn link(previous: &[u8], entry: &AuditEntry) -> Vec<u8> {
    let at: Timestamp = entry.at.parse().expect("a time");
    let body = Hashed {
        at: at.micros(),
        name: &entry.principal,
        role: &entry.role,
        tenant: entry.tenant.as_deref(),
        uid: entry.uid,
        action: &entry.action,
        subject: entry.subject.as_deref(),
        refused: entry.code.as_deref(),
        reason: entry.reason.as_deref(),
        policy: entry.policy_digest.as_ref().map(|digest| hex::decode(digest).expect("hexadecimal")),
    };
    let body = minicbor::to_vec(&body).expect("encoded");
    let hash = Sha256::new().chain_update(previous).chain_update(entry.sequence.to_be_bytes());
    hash.chain_update([1, 1]).chain_update(body).finalize().to_vec()
}

/// Whoever reads the log can compute every link, and finds each task's admission once.
async fn the_audit_log_is_whole(daemon: &Daemon, tasks: &BTreeMap<String, Task>) {
    let (mut previous, mut known, mut admitted) = (vec![0; 32], 0, BTreeMap::<String, usize>::new());
    loop {
        let (status, page) = daemon.get(&format!("/factory/audit?limit=1000&after={known}")).await;
        assert_eq!(status, 200, "{page}");
        let page: Page<AuditEntry> = serde_json::from_value(page).expect("a page");
        for entry in &page.items {
            known += 1;
            assert_eq!(entry.sequence, known, "{entry:?}");
            previous = link(&previous, entry);
            assert_eq!(hex::encode(&previous), entry.link, "{entry:?}");
            let admits = matches!(entry.action.as_str(), "submit_task" | "delegate_task") && entry.outcome == "allowed";
            if let Some(subject) = entry.subject.as_ref().filter(|_| admits) {
                *admitted.entry(subject.clone()).or_default() += 1;
            }
        }
        if page.next.is_none() {
            break;
        }
    }
    let once: BTreeMap<String, usize> = tasks.keys().map(|task| (task.clone(), 1)).collect();
    assert_eq!(admitted, once, "admissions and tasks");
}
