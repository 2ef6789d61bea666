//! `factoryctl bench`: measures the daemon at the socket.
//!
//! Each connection is a closed loop: it asks, waits for the answer, and asks again. All run on one thread, so that on a small
//! host the load takes as little as possible from what it measures. Only what was asked for counts as a request: an agent made,
//! a task succeeded.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Deserialize;
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::report::{Report, Samples};
use super::exit::{Error, Exit};
use super::progress::Progress;
use super::session::Session;
use crate::client::{self, Answer, Call, Client};
use crate::domain::failure::Failure;
use crate::protocol::agent::CreateAgent;
use crate::protocol::problem::Problem;
use crate::protocol::task::{SubmitTask, TaskState};

mod report;

/// The most requests that one run makes; each keeps four bytes until the end.
const REQUESTS_MAX: u64 = 10_000_000;
/// The most connections.
const CONNECTIONS_MAX: usize = 1_024;
/// After so many errors in a row a connection gives up.
const ERRORS_IN_A_ROW_MAX: u32 = 100;
/// How long a task may take before it counts as an error.
const TASK_TIME_MAX: Duration = Duration::from_secs(30);
/// What each task works on: small, so that the daemon is measured and not the text.
const TASK_INPUT: &str = "The harbour was rebuilt in 1954. It handles 3,200 ships a year and employs 410 people.";

const LEAVES: &str = "What it makes stays in the daemon's journal: measure a daemon of its own.";

/// The verbs.
#[derive(Debug, Subcommand)]
#[command(after_help = LEAVES)]
pub(super) enum Bench {
    /// Makes agents.
    #[command(after_help = format!("Example:\n  factoryctl bench agents --connections 64 --count 50000 --json\n\n{LEAVES}"))]
    Agents(Load),
    /// Runs tasks to their end.
    #[command(after_help = format!("Example:\n  factoryctl bench tasks --connections 64 --duration 10s --json\n\n{LEAVES}"))]
    Tasks(Load),
}

/// How much of it.
#[derive(Debug, Args)]
pub(super) struct Load {
    /// The template of the agents and tasks.
    #[arg(long, value_name = "T", default_value = "documentaliste")]
    template: String,
    /// Connections, each of which waits for one answer at a time.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = connections)]
    connections: usize,
    /// How many requests to make.
    #[arg(long, value_name = "N", conflicts_with = "duration", value_parser = clap::value_parser!(u64).range(1..=REQUESTS_MAX))]
    count: Option<u64>,
    /// How long to go on.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    duration: Duration,
}

fn connections(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|n| (1..=CONNECTIONS_MAX).contains(n));
    number.ok_or_else(|| format!("1 to {CONNECTIONS_MAX}"))
}

/// What is being asked for.
#[derive(Debug, Clone, Copy)]
enum Work {
    Agents,
    Tasks,
}

impl Bench {
    pub(super) async fn perform(self, session: &Session) -> Result<Exit, Error> {
        let (work, load) = match self {
            Self::Agents(load) => (Work::Agents, load),
            Self::Tasks(load) => (Work::Tasks, load),
        };
        // A daemon that cannot be reached, or a template that is not there, is told before and not as a count of errors.
        session.client.template(&load.template).await?;
        let call = Arc::new(work.call(&load.template)?);
        let progress = Progress::start(format!("{} connections", load.connections));
        let begun = Instant::now();
        let samples = drive(session, work, &call, &load).await;
        let elapsed = begun.elapsed();
        drop(progress);
        let report = Report::new(work.name(), &load.template, load.connections, elapsed, samples);
        session.output.show(&report, |paint| report.render(paint))?;
        Ok(if report.requests > 0 { Exit::Done } else { Exit::Failed })
    }
}

async fn drive(session: &Session, work: Work, call: &Arc<Call>, load: &Load) -> Samples {
    let allowance = Arc::new(Allowance::new(load.count, load.duration));
    let mut loops = JoinSet::new();
    for _ in 0..load.connections {
        let client = Client::new(session.client.socket());
        let _handle = loops.spawn(closed_loop(client, work, Arc::clone(call), Arc::clone(&allowance)));
    }
    let mut all = Samples::default();
    while let Some(samples) = loops.join_next().await {
        all.add(samples.unwrap_or_default());
    }
    all
}

async fn closed_loop(client: Client, work: Work, call: Arc<Call>, allowance: Arc<Allowance>) -> Samples {
    let mut samples = Samples::default();
    let mut errors_in_a_row: u32 = 0;
    while errors_in_a_row < ERRORS_IN_A_ROW_MAX && allowance.take() {
        let begun = Instant::now();
        let answer = client.exchange(&call).await;
        match work.judge(answer) {
            Ok(steps) => {
                samples.succeeded(begun.elapsed(), steps);
                errors_in_a_row = 0;
            }
            Err(code) => {
                samples.failed(code);
                errors_in_a_row = errors_in_a_row.saturating_add(1);
            }
        }
    }
    samples
}

/// How many requests may still begin.
struct Allowance {
    left: AtomicU64,
    until: Option<Instant>,
}

impl Allowance {
    fn new(count: Option<u64>, duration: Duration) -> Self {
        let until = if count.is_some() { None } else { Instant::now().checked_add(duration) };
        Self { left: AtomicU64::new(count.unwrap_or(REQUESTS_MAX)), until }
    }

    fn take(&self) -> bool {
        let in_time = self.until.is_none_or(|until| Instant::now() < until);
        in_time && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

impl Work {
    fn name(self) -> &'static str {
        match self {
            Self::Agents => "agents",
            Self::Tasks => "tasks",
        }
    }

    /// The request that every connection repeats, written once.
    fn call(self, template: &str) -> Result<Call, client::Error> {
        match self {
            Self::Agents => {
                let agent = CreateAgent { template_name: template.into(), name: None, tenant: None, user: None };
                Call::post("/factory/agents").json(&agent)
            }
            Self::Tasks => {
                let task = SubmitTask {
                    template_name: Some(template.into()),
                    input: TASK_INPUT.into(),
                    ..SubmitTask::default()
                };
                Call::post("/factory/tasks").waiting(TASK_TIME_MAX).json(&task)
            }
        }
    }

    /// How many steps it took, where the answer is what was asked for; else the code of what went wrong.
    fn judge(self, answer: Result<Answer, client::Error>) -> Result<u32, String> {
        let answer = answer.map_err(|error| error.code().to_owned())?;
        match (answer.status(), self) {
            (200, Self::Agents) => Ok(0),
            (200, Self::Tasks) => judge_task(answer.body()),
            (202, _) => Err("not_ended_in_time".into()),
            (status, _) => {
                let problem = serde_json::from_slice::<Problem>(answer.body());
                Err(problem.map_or_else(|_| format!("status_{status}"), |problem| problem.code))
            }
        }
    }
}

/// Reads no more of a task than how it ended.
fn judge_task(body: &[u8]) -> Result<u32, String> {
    #[derive(Deserialize)]
    struct Ended {
        state: TaskState,
        steps_total: u32,
        error: Option<Why>,
    }
    #[derive(Deserialize)]
    struct Why {
        code: String,
    }
    match serde_json::from_slice::<Ended>(body) {
        Ok(Ended { state: TaskState::Succeeded, steps_total, .. }) => Ok(steps_total),
        Ok(Ended { error, .. }) => Err(error.map_or_else(|| "task_not_succeeded".into(), |why| why.code)),
        Err(_) => Err("daemon_not_understood".into()),
    }
}

/// Errors by code.
type Codes = BTreeMap<String, u64>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_requests_begin_than_were_asked_for() {
        let allowance = Allowance::new(Some(3), Duration::ZERO);
        assert_eq!((0..10).filter(|_| allowance.take()).count(), 3);
        assert!(!Allowance::new(None, Duration::ZERO).take());
    }

    #[test]
    fn only_succeeded_tasks_count() {
        assert_eq!(judge_task(br#"{"state":"succeeded","steps_total":3,"output":"x"}"#), Ok(3));
        assert_eq!(
            judge_task(br#"{"state":"failed","steps_total":1,"error":{"code":"no_route","message":"m"}}"#),
            Err("no_route".into())
        );
        assert_eq!(judge_task(br#"{"state":"running","steps_total":1}"#), Err("task_not_succeeded".into()));
        assert_eq!(judge_task(b"?"), Err("daemon_not_understood".into()));
    }
}
