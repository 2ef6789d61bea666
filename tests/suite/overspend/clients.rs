//! Clients at once, each of which asks for one task after the other and waits for its end, whatever happens to the daemon.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use agent_factory::client::{Answer, Call, Client, Error};
use agent_factory::protocol::task::{SubmitTask, Task};
use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use super::{TASKS, limits, usd};
use crate::harness::{joined, on_a_thread, until};

const CLIENTS: usize = 64;
/// Every so many tasks of plain templates are asked for at the front door, piece by piece.
const READ_ALONG_EVERY: usize = 3;
/// How long one request waits for a task's end.
const WAIT: Duration = Duration::from_secs(5);
/// Under which name a task's metadata tell the limit that it was given.
pub(super) const OWN_LIMIT: &str = "own_limit";

/// How a submission ended.
pub(super) enum Outcome {
    /// As a task, which has ended.
    Task(Box<Task>),
    /// As an answer that was read along through the front door, whole or not.
    Read,
    /// Refused, because the money does not suffice.
    Refused,
}

pub(super) struct Clients {
    begun: Arc<AtomicUsize>,
    running: JoinHandle<Vec<Outcome>>,
}

impl Clients {
    pub(super) fn start(socket: PathBuf, seed: u64) -> Self {
        let begun = Arc::new(AtomicUsize::new(0));
        let counter = begun.clone();
        let running = on_a_thread(move || async move {
            let one = |_| submitting(Client::new(socket.clone()), &counter, seed);
            join_all((0..CLIENTS).map(one)).await.into_iter().flatten().collect()
        });
        Self { begun, running }
    }

    /// Waits until so many tasks were begun.
    pub(super) async fn begun(&self, count: usize) {
        until(&format!("{count} tasks were begun"), async || {
            (self.begun.load(Ordering::Relaxed) >= count).then_some(())
        })
        .await;
    }

    /// Waits until each has had its end.
    pub(super) async fn ended(self) -> Vec<Outcome> {
        joined(self.running).await
    }
}

/// One client: one task after the other, until all are begun.
async fn submitting(client: Client, begun: &AtomicUsize, seed: u64) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    loop {
        let number = begun.fetch_add(1, Ordering::Relaxed);
        if number >= TASKS {
            return outcomes;
        }
        let wanted = wanted(number, seed);
        outcomes.push(match wanted.template_name.as_deref() {
            Some("worker" | "refiner" | "hurried") if number.is_multiple_of(READ_ALONG_EVERY) => {
                read_along(&client, number, &wanted).await
            }
            _ => pursued(&client, number, &wanted).await,
        });
    }
}

/// What is asked for under a number.
fn wanted(number: usize, seed: u64) -> SubmitTask {
    let mut chance = StdRng::seed_from_u64(seed ^ 0x0a5c ^ (u64::try_from(number).expect("few") << 20));
    let template = match chance.gen_range(0..20) {
        0..=8 => "worker",
        9..=11 => "spare",
        12..=13 => "hurried",
        14..=16 => "refiner",
        _ => "boss",
    };
    let tenant = ["acme", "acme", "zeta", ""][chance.gen_range(0..4)];
    let user = ["ada", "", ""][chance.gen_range(0..3)];
    let tag = |name: &str, value: &str| if value.is_empty() { String::new() } else { format!("{name}={value} ") };
    let (tenants, users) = (tag("tenant", tenant), tag("user", user));
    let input = format!("{tenants}{users}number={number} {}", "more ".repeat(chance.gen_range(0..20)));
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let own_limit = chance.gen_bool(0.2).then(|| usd(limits::SOME_A_TASK));
    let metadata = own_limit.iter().map(|limit| (OWN_LIMIT.to_owned(), limit.clone())).collect();
    SubmitTask {
        template_name: Some(template.to_owned()),
        input: input.trim_end().into(),
        tenant: given(tenant),
        user: given(user),
        budget_usd: own_limit,
        metadata,
        ..SubmitTask::default()
    }
}

/// Asks under one key until there is an end or a refusal.
async fn pursued(client: &Client, number: usize, wanted: &SubmitTask) -> Outcome {
    let key = format!("task-{number}");
    let mut task: Option<String> = None;
    loop {
        let answer = until(&format!("an answer about {key}"), async || {
            let answer = match &task {
                None => client.submit(wanted, Some(&key), WAIT).await,
                Some(id) => client.task(id, WAIT).await,
            };
            match answer {
                Ok(task) => Some(Ok(task)),
                Err(Error::Problem { problem, .. }) if problem.code == "budget_exceeded" => Some(Err(Outcome::Refused)),
                Err(error) if passes(&error) => None,
                Err(error) => panic!("{key}: {error}"),
            }
        })
        .await;
        match answer {
            Ok(known) if known.state.has_ended() => return Outcome::Task(Box::new(known)),
            Ok(known) => task = Some(known.task_id),
            Err(refused) => return refused,
        }
    }
}

/// Asks the front door under one key, and reads along, until there is an end or a refusal.
async fn read_along(client: &Client, number: usize, wanted: &SubmitTask) -> Outcome {
    let body = json!({
        "model": wanted.template_name, "stream": true,
        // Whom a request of the front door is for, its credentials tell.
        "messages": [{"role": "user", "content": format!("number={number} Tell me.")}]
    });
    let key = format!("task-{number}");
    until(&format!("the end of {key}"), async || {
        let call = Call::post("/v1/chat/completions").idempotent(Some(&key)).json(&body).expect("JSON");
        let answer = client.exchange(&call).await;
        match answer.as_ref().map(Answer::status) {
            Ok(402) => Some(Outcome::Refused),
            Ok(429 | 503) => None,
            Ok(_) => Some(Outcome::Read),
            Err(error) if passes(error) => None,
            Err(error) => panic!("{key}: {error}"),
        }
    })
    .await
}

/// What passes when the daemon, or a part of it, restarts.
fn passes(error: &Error) -> bool {
    match error {
        Error::Unreachable { .. } | Error::TimedOut { .. } => true,
        Error::Problem { problem, .. } => matches!(problem.status, 429 | 503),
        Error::Address { .. } | Error::Protocol { .. } => false,
    }
}
