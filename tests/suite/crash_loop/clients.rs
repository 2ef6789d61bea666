//! Clients that go on whatever happens to the daemon: each repeats a submission under its key until it is acknowledged.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use agent_factory::client::{Client, Error};
use agent_factory::protocol::task::{SubmitTask, Task};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::harness::{joined, on_a_thread, until};

/// Clients at once.
const CLIENTS: u64 = 4;
/// How long a client may wait for a task before it goes on with another; so open tasks are never many.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// A submission that was acknowledged.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) key: String,
    pub(super) wanted: SubmitTask,
    pub(super) task_id: String,
    /// Whether its cancellation was acknowledged.
    pub(super) cancelled: bool,
}

pub(super) struct Clients {
    stop: Arc<AtomicBool>,
    heard: Arc<AtomicUsize>,
    running: Vec<JoinHandle<Vec<Kept>>>,
}

impl Clients {
    pub(super) fn start(socket: PathBuf, seed: u64) -> Self {
        let (stop, heard) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let running = (0..CLIENTS)
            .map(|number| {
                let chance = StdRng::seed_from_u64(seed ^ ((number + 1) << 48));
                let (client, stop, heard) = (Client::new(socket.clone()), stop.clone(), heard.clone());
                on_a_thread(move || submitting(client, number, chance, stop, heard))
            })
            .collect();
        Self { stop, heard, running }
    }

    /// Acknowledgements so far.
    pub(super) fn heard(&self) -> usize {
        self.heard.load(Ordering::Relaxed)
    }

    /// Lets each finish what it does; returns everything that was acknowledged.
    pub(super) async fn stop(self) -> Vec<Kept> {
        self.stop.store(true, Ordering::Relaxed);
        let mut kept = Vec::new();
        for client in self.running {
            kept.extend(joined(client).await);
        }
        kept
    }
}

async fn submitting(
    client: Client,
    number: u64,
    mut chance: StdRng,
    stop: Arc<AtomicBool>,
    heard: Arc<AtomicUsize>,
) -> Vec<Kept> {
    let mut kept = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let key = format!("client-{number}-{}", kept.len());
        let template = if chance.gen_bool(0.2) { "boss" } else { "worker" };
        let words = "word ".repeat(chance.gen_range(1..40));
        let input = format!("{key} {words}").trim_end().to_owned();
        let wanted = SubmitTask { template_name: Some(template.into()), input: input.into(), ..SubmitTask::default() };
        let wait = if chance.gen_bool(0.7) { WAIT_MAX } else { Duration::ZERO };
        let task = acknowledged(&client, &wanted, &key, wait).await;
        heard.fetch_add(1, Ordering::Relaxed);
        let cancelled = chance.gen_bool(0.1) && cancelled(&client, &task.task_id).await;
        kept.push(Kept { key, wanted, task_id: task.task_id, cancelled });
    }
    kept
}

/// Submits until there is an answer.
pub(super) async fn acknowledged(client: &Client, wanted: &SubmitTask, key: &str, wait: Duration) -> Task {
    until(&format!("an answer for {key}"), async || match client.submit(wanted, Some(key), wait).await {
        Ok(task) => Some(task),
        Err(error) => passes(&error),
    })
    .await
}

/// Asks for a task's end until there is an answer: whether it is going to be cancelled, or had ended.
async fn cancelled(client: &Client, task: &str) -> bool {
    until(&format!("an answer to the cancellation of {task}"), async || match client.cancel(task).await {
        Ok(_) => Some(true),
        Err(Error::Problem { problem, .. }) if problem.status == 409 => Some(false),
        Err(error) => passes(&error),
    })
    .await
}

/// The daemon is away or about to be there; anything else is a failure.
fn passes<T>(error: &Error) -> Option<T> {
    match error {
        Error::Unreachable { .. } | Error::TimedOut { .. } => None,
        Error::Problem { problem, .. } if matches!(problem.status, 429 | 503) => None,
        Error::Problem { .. } | Error::Address { .. } | Error::Protocol { .. } => panic!("{error}"),
    }
}
