//! A provider that dies under load: its breaker opens after a few calls, traffic moves to the next provider, and no task fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use agent_factory::protocol::task::TaskState;
use serde_json::json;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::harness::{Daemon, Gate, PATIENCE, Provider, Reply, Workshop};

/// Callers at once, and what each of them submits, one after the other.
const CALLERS: usize = 64;
const TASKS_EACH: usize = 6;
/// The call with which the provider dies, from 0.
const LAST_BREATH: usize = 100;
/// Calls that may be made at the dead: those under way when it dies, those that take their slots until eight have failed, and the
/// probes of half a minute.
const CALLS_AFTER_MAX: usize = CALLERS + 8 + 8;

/// How the provider is when it is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Death {
    Failing,
    Hanging,
}

fn settings(spare: &Provider) -> String {
    format!(
        r#"both = ["mock/free", "spare/free"]
[providers.spare]
kind = "openai"
base_url = "http://127.0.0.1:{}/v1"
[models."spare/free"]
input_usd_per_mtok = "0"
output_usd_per_mtok = "0"
"#,
        spare.port()
    )
}

/// Sixty-four callers at work; returns how many tasks there were when all have succeeded.
async fn load(daemon: &Daemon) -> usize {
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let client = daemon.client.clone();
        callers.spawn(async move {
            for _ in 0..TASKS_EACH {
                let (template_name, input) = (Some("worker".into()), "hello".into());
                let task = agent_factory::protocol::task::SubmitTask { template_name, input, ..Default::default() };
                let task = client.submit(&task, None, PATIENCE).await.expect("a task");
                assert_eq!(task.state, TaskState::Succeeded, "{task:?}");
            }
        });
    }
    callers.join_all().await.len() * TASKS_EACH
}

async fn dies(death: Death) {
    let mock = Provider::start(move |call| match (call.number < LAST_BREATH, death) {
        (true, _) => Reply::Echo,
        (false, Death::Failing) => Reply::Status(500, None),
        (false, Death::Hanging) => Reply::Silence,
    })
    .await;
    let spare = Provider::echo().await;
    let both = json!({"model": {"route": "both", "max_output_tokens": 64}});
    let workshop = Workshop::with(&mock, &settings(&spare)).worker(both);
    if death == Death::Hanging {
        workshop.edit_settings(|text| text.replace("timeout = \"20s\"", "timeout = \"1s\""));
    }
    let daemon = Daemon::start(workshop).await;
    let done = load(&daemon).await;
    let (asked, moved) = (mock.asked(), spare.asked());
    let after = asked.len() - LAST_BREATH;
    assert!(after <= CALLS_AFTER_MAX, "{death:?}: {after} calls at the dead");
    assert!(moved.len() >= done - LAST_BREATH - after, "{death:?}: {} calls at the spare", moved.len());
    let took = moved[0].at.saturating_duration_since(asked[LAST_BREATH].at);
    eprintln!(
        "{death:?}: the breaker opened {took:?} after the first failing call; {after} calls were made at the dead"
    );
    let metrics = daemon.metrics().await;
    assert!(metrics.contains("factory_provider_breaker_open{provider=\"mock\"} 1"), "{metrics}");
    assert_eq!(daemon.workshop.log().matches("fails and is left alone").count(), 1, "one line for one change");
}

#[tokio::test]
async fn a_provider_that_dies_under_load_trips_its_breaker_and_no_task_fails() {
    dies(Death::Failing).await;
}

#[tokio::test]
async fn a_provider_that_hangs_under_load_trips_its_breaker_and_no_task_fails() {
    dies(Death::Hanging).await;
}

/// A door before a provider: shut, nobody is behind it and who was is thrown out.
struct Door {
    port: u16,
    connections: Arc<AtomicUsize>,
    shut: tokio::sync::watch::Sender<bool>,
}

impl Door {
    async fn before(provider: &Provider) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (connections, behind) = (Arc::new(AtomicUsize::new(0)), provider.port());
        let shut = tokio::sync::watch::Sender::new(false);
        let (mut is_shut, counted) = (shut.subscribe(), connections.clone());
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    _ = is_shut.wait_for(|shut| *shut) => return,
                    accepted = listener.accept() => accepted,
                };
                let (mut caller, _) = accepted.expect("a connection");
                counted.fetch_add(1, Ordering::Relaxed);
                let mut thrown_out = is_shut.clone();
                tokio::spawn(async move {
                    let mut provider = TcpStream::connect(("127.0.0.1", behind)).await.expect("the provider");
                    tokio::select! {
                        _ = thrown_out.wait_for(|shut| *shut) => {}
                        // A connection that either side ends is no failure of the door.
                        _ended = copy_bidirectional(&mut caller, &mut provider) => {}
                    }
                });
            }
        });
        Self { port, connections, shut }
    }
}

#[tokio::test]
async fn a_provider_that_is_gone_under_load_trips_its_breaker_and_no_task_fails() {
    let (mock, spare) = (Provider::echo().await, Provider::echo().await);
    let door = Door::before(&mock).await;
    let both = json!({"model": {"route": "both", "max_output_tokens": 64}});
    let workshop = Workshop::with(&mock, &settings(&spare)).worker(both);
    let (from, to) = (format!(":{}/v1", mock.port()), format!(":{}/v1", door.port));
    workshop.edit_settings(|text| text.replacen(&from, &to, 1));
    let daemon = Daemon::start(workshop).await;
    let dying = async {
        mock.was_asked(LAST_BREATH).await;
        door.shut.send_replace(true);
        Instant::now()
    };
    let (died, done) = tokio::join!(dying, load(&daemon));
    assert!(door.connections.load(Ordering::Relaxed) > 0, "calls went through the door");
    let moved = spare.asked();
    let took = moved.first().expect("traffic has moved").at.saturating_duration_since(died);
    let failed = attempts(&daemon.metrics().await, &["provider_unreachable", "provider_cut"]);
    eprintln!("Gone: the breaker opened {took:?} after the door was shut; {failed} calls were made at the dead");
    assert!(failed <= CALLS_AFTER_MAX, "{failed} calls at the dead");
    assert!(moved.len() + mock.count() >= done, "every task was answered");
}

/// Calls of the provider `mock` that ended so.
fn attempts(metrics: &str, outcomes: &[&str]) -> usize {
    let of_mock = |line: &&str| line.starts_with("factory_provider_requests_total{") && line.contains("\"mock\"");
    let counted = metrics.lines().filter(of_mock).filter(|line| outcomes.iter().any(|outcome| line.contains(outcome)));
    counted.map(|line| line.rsplit(' ').next().and_then(|count| count.parse::<usize>().ok()).expect("a count")).sum()
}

#[tokio::test]
async fn a_task_whose_only_provider_is_left_alone_waits_and_new_ones_are_told_when_to_come_back() {
    let (dead, gate) = (Arc::new(AtomicBool::new(true)), Gate::closed());
    let (is_dead, held) = (dead.clone(), gate.clone());
    let mock = Provider::start(move |_| match is_dead.load(Ordering::Relaxed) {
        true => Reply::Held(held.clone(), Box::new(Reply::Status(503, None))),
        false => Reply::Echo,
    })
    .await;
    let daemon = Daemon::start(Workshop::with(&mock, "").worker(json!({}))).await;
    let first: Vec<_> =
        futures::future::join_all((0..CALLERS).map(|_| daemon.submit("worker", "hello"))).await.into_iter().collect();
    mock.was_asked(CALLERS).await;
    gate.open();
    let refused = crate::harness::until("the breaker opens", async || {
        let (status, problem) = daemon.post("/factory/tasks", &json!({"template_name": "worker", "input": "x"})).await;
        (status == 503).then_some(problem)
    })
    .await;
    assert_eq!(refused["code"], json!("route_unusable"));
    dead.store(false, Ordering::Relaxed);
    for task in first {
        let task = daemon.finished(&task.task_id).await;
        assert_eq!(task.state, TaskState::Succeeded, "{task:?}");
    }
}

#[tokio::test]
async fn a_provider_that_asks_one_caller_for_patience_is_left_alone_by_all() {
    let pause = Duration::from_secs(2);
    let mock = Provider::start(move |call| match call.number {
        0 => Reply::Status(429, Some(pause)),
        _ => Reply::Echo,
    })
    .await;
    let daemon = Daemon::start(Workshop::with(&mock, "").worker(json!({}))).await;
    let first = daemon.submit("worker", "hello").await;
    let asked = mock.was_asked(1).await;
    crate::harness::until("the first call has failed", async || {
        let metrics = daemon.metrics().await;
        (attempts(&metrics, &["provider_rate_limited"]) == 1).then_some(())
    })
    .await;
    let others = futures::future::join_all((0..8).map(|_| daemon.run("worker", "hello"))).await;
    assert!(others.iter().all(|task| task.state == TaskState::Succeeded && task.steps.len() == 1), "{others:?}");
    assert_eq!(daemon.finished(&first.task_id).await.state, TaskState::Succeeded);
    for call in &mock.asked()[1..] {
        assert!(call.at.duration_since(asked[0].at) >= pause, "call {}", call.number);
    }
}
