//! How a bench asks: so many connections, each waiting for its answer, or so many requests a second whatever the answers do.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use super::report::Samples;
use super::work::Work;
use crate::client::{Call, Client};

/// The most requests that one run makes; each keeps four bytes until the end.
const REQUESTS_MAX: u64 = 10_000_000;
/// The most connections.
const CONNECTIONS_MAX: usize = 1_024;
/// After so many errors in a row a connection gives up.
const ERRORS_IN_A_ROW_MAX: u32 = 100;

/// How much of it.
#[derive(Debug, Args)]
pub(super) struct Pace {
    /// Connections, each of which waits for one answer at a time.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = connections)]
    pub(super) connections: usize,
    /// How many requests to make.
    #[arg(long, value_name = "N", conflicts_with = "duration", value_parser = clap::value_parser!(u64).range(1..=REQUESTS_MAX))]
    pub(super) count: Option<u64>,
    /// How long to go on.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(super) duration: Duration,
}

fn connections(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|n| (1..=CONNECTIONS_MAX).contains(n));
    number.ok_or_else(|| format!("1 to {CONNECTIONS_MAX}"))
}

/// What every connection repeats, and where.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) work: Work,
    pub(super) call: Arc<Call>,
}

/// Keeps every connection busy: the next request follows the answer.
pub(super) async fn closed(socket: &Path, target: &Target, pace: &Pace) -> Samples {
    let allowance = Arc::new(Allowance::new(pace.count, pace.duration));
    let mut loops = JoinSet::new();
    for _ in 0..pace.connections {
        let client = Client::new(socket);
        let _handle = loops.spawn(closed_loop(client, target.clone(), Arc::clone(&allowance)));
    }
    joined(loops).await
}

/// Makes `count` requests, `rate` a second, over so many connections at most.
///
/// The time of each counts from when it was due, not from when a connection was free for it: what waits behind a slow answer
/// is as slow as its user would find it.
pub(super) async fn open(socket: &Path, target: &Target, connections: usize, rate: u32, count: u64) -> Samples {
    let (due, dues) = mpsc::channel(CONNECTIONS_MAX);
    let clock = tokio::task::spawn_blocking(move || strike(rate, count, &due));
    let dues = Arc::new(Mutex::new(dues));
    let mut loops = JoinSet::new();
    for _ in 0..connections {
        let client = Client::new(socket);
        let _handle = loops.spawn(open_loop(client, target.clone(), Arc::clone(&dues)));
    }
    // Where all connections have given up, nobody is left for the clock to tell.
    drop(dues);
    let samples = joined(loops).await;
    match clock.await {
        Ok(()) => samples,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

async fn joined(mut loops: JoinSet<Samples>) -> Samples {
    let mut all = Samples::default();
    while let Some(samples) = loops.join_next().await {
        all.add(samples.unwrap_or_default());
    }
    all
}

async fn closed_loop(client: Client, target: Target, allowance: Arc<Allowance>) -> Samples {
    let mut tally = Tally::default();
    while tally.goes_on() && allowance.take() {
        tally.ask(&client, &target, Instant::now()).await;
    }
    tally.samples
}

async fn open_loop(client: Client, target: Target, dues: Arc<Mutex<mpsc::Receiver<Instant>>>) -> Samples {
    let mut tally = Tally::default();
    while tally.goes_on() {
        let next = dues.lock().await.recv().await;
        let Some(due) = next else { break };
        tally.ask(&client, &target, due).await;
    }
    tally.samples
}

/// Tells when each request is due. A thread of its own, because the runtime's timers tick in whole milliseconds.
fn strike(rate: u32, count: u64, due: &mpsc::Sender<Instant>) {
    let begun = Instant::now();
    for number in 0..count {
        let Some(at) = begun.checked_add(offset(number, rate)) else { return };
        loop {
            let left = at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            std::thread::park_timeout(left);
        }
        if due.blocking_send(at).is_err() {
            return;
        }
    }
}

/// How long after the first one a request is due.
fn offset(number: u64, rate: u32) -> Duration {
    let rate = u64::from(rate.max(1));
    let (seconds, rest) = (number.checked_div(rate), number.checked_rem(rate));
    let nanos = rest.unwrap_or(0).saturating_mul(1_000_000_000).checked_div(rate);
    Duration::from_secs(seconds.unwrap_or(0)).saturating_add(Duration::from_nanos(nanos.unwrap_or(0)))
}

/// What one connection met.
#[derive(Debug, Default)]
struct Tally {
    samples: Samples,
    errors_in_a_row: u32,
}

impl Tally {
    fn goes_on(&self) -> bool {
        self.errors_in_a_row < ERRORS_IN_A_ROW_MAX
    }

    async fn ask(&mut self, client: &Client, target: &Target, since: Instant) {
        let answer = client.exchange(&target.call).await;
        match target.work.judge(answer) {
            Ok(steps) => {
                self.samples.succeeded(since.elapsed(), steps);
                self.errors_in_a_row = 0;
            }
            Err(code) => {
                self.samples.failed(code);
                self.errors_in_a_row = self.errors_in_a_row.saturating_add(1);
            }
        }
    }
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
    fn requests_are_due_at_even_distances_however_many_there_are() {
        assert_eq!(offset(0, 1_000), Duration::ZERO);
        assert_eq!(offset(1, 1_000), Duration::from_millis(1));
        assert_eq!(offset(2_500, 1_000), Duration::from_millis(2_500));
        assert_eq!(offset(REQUESTS_MAX, 3), Duration::new(3_333_333, 333_333_333));
    }

    #[tokio::test]
    async fn requests_that_nobody_answers_are_errors_and_not_waited_for() {
        let directory = tempfile::tempdir().expect("a directory");
        let call = Arc::new(Work::Chat.call("worker").expect("a call"));
        let target = Target { work: Work::Chat, call };
        let samples = open(&directory.path().join("none.sock"), &target, 2, 1_000_000, 1_000).await;
        assert_eq!(
            (samples.errors(), samples.successes()),
            (u64::from(2 * ERRORS_IN_A_ROW_MAX), 0),
            "then both give up"
        );
    }
}
