//! From a crash to serving again inside the process, restarts and starts a second, and bytes of an idle child: ours and, in the
//! same run, Erlang/OTP's (`supervision.erl`; without `erl` only ours are shown). `--json` for programs.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "figures are its output")]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "figures of a few seconds"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use agent_factory::supervision::{
    Address, Backoff, ChildSpec, Intensity, Strategy, SupervisorHandle, SupervisorSpec, start_root,
};
use anyhow::Context as _;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use tokio::sync::mpsc;

/// Crashes of which each way of crashing is measured.
const SAMPLES: u64 = 20_000;
/// Restarts of a supervisor before it is replaced: OTP's looks through all of its period at each new one.
const ROUND: u64 = 250;
/// Rounds of which restarts a second are measured.
const ROUNDS: u64 = 100;
/// Children whose starts are measured.
const STARTS: u64 = 50_000;
/// Idle children whose memory is measured.
const IDLE: u64 = 100_000;
/// Supervisors, and children of each.
const STORMS: [(u64, u64); 4] = [(1, 1), (1, 64), (8, 1), (8, 8)];

const PATIENCE: Duration = Duration::from_secs(10);
const ERLANG: &str = include_str!("supervision.erl");

/// Names of figures, and what they are.
const ROWS: [(&str, &str); 11] = [
    ("recovery_error_us", "from error to serving, µs, p50 / p99"),
    ("recovery_panic_us", "from panic to serving, µs, p50 / p99"),
    ("recovery_kill_us", "from kill to serving, µs, p50 / p99"),
    ("recovery_logged_us", "from error to serving, logged, µs, p50 / p99"),
    ("restarts_1_1_per_s", "restarts/s, 1 supervisor of 1"),
    ("restarts_1_64_per_s", "restarts/s, 1 supervisor of 64"),
    ("restarts_8_1_per_s", "restarts/s, 8 supervisors of 1"),
    ("restarts_8_8_per_s", "restarts/s, 8 supervisors of 8"),
    ("starts_dynamic_per_s", "starts/s of children that come and go"),
    ("starts_one_for_one_per_s", "starts/s under one_for_one"),
    ("idle_child_bytes", "resident bytes of an idle child"),
];

/// Figures by name: one number, or median and 99th percentile.
type Figures = BTreeMap<String, Vec<f64>>;

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    let ours = runtime.block_on(async { tokio::spawn(measure()).await })??;
    let otp = erlang()?;
    if std::env::args().any(|argument| argument == "--json") {
        println!("{}", serde_json::json!({ "ours": ours, "otp": otp }));
        return Ok(());
    }
    println!("{:<46} {:>18} {:>18} {:>9}", "", "ours", "OTP", "ours:OTP");
    for (name, what) in ROWS {
        let ours = ours.get(name).context(name)?;
        let otp = otp.as_ref().map(|otp| otp.get(name).context(name)).transpose()?;
        let ratio = otp.map_or_else(String::new, |otp| format!("{:.2}", ours[0] / otp[0]));
        println!("{what:<46} {:>18} {:>18} {ratio:>9}", told(ours), otp.map_or_else(String::new, |otp| told(otp)));
    }
    Ok(())
}

fn told(numbers: &[f64]) -> String {
    let digits = usize::from(numbers[0] < 1_000.0);
    numbers.iter().map(|number| format!("{number:.digits$}")).collect::<Vec<_>>().join(" / ")
}

async fn measure() -> anyhow::Result<Figures> {
    let mut figures = Figures::new();
    let mut put = |name: &str, numbers: Vec<f64>| figures.insert(name.to_owned(), numbers);
    // First, while nothing that was given back can be used again.
    put("idle_child_bytes", vec![idle_bytes().await?]);
    put("recovery_error_us", recoveries(Crash::Error).await?);
    put("recovery_panic_us", recoveries(Crash::Panic).await?);
    put("recovery_kill_us", recoveries(Crash::Kill).await?);
    for (supervisors, children) in STORMS {
        let rate = restarts(supervisors, children).await?;
        put(&format!("restarts_{supervisors}_{children}_per_s"), vec![rate]);
    }
    put("starts_dynamic_per_s", vec![starts(Strategy::Dynamic).await?]);
    put("starts_one_for_one_per_s", vec![starts(Strategy::OneForOne).await?]);
    // Last, because it cannot be undone.
    let nowhere = fs::File::options().write(true).open("/dev/null")?;
    let subscriber = tracing_subscriber::fmt().with_writer(Mutex::new(nowhere)).with_max_level(tracing::Level::INFO);
    tracing::subscriber::set_global_default(subscriber.finish())?;
    put("recovery_logged_us", recoveries(Crash::Error).await?);
    Ok(figures)
}

/// OTP's figures under our names; none without `erl`.
fn erlang() -> anyhow::Result<Option<Figures>> {
    let place = tempfile::tempdir()?;
    fs::write(place.path().join("supervision.erl"), ERLANG)?;
    match Command::new("erlc").arg("supervision.erl").current_dir(place.path()).status() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("NOT MEASURED: OTP: erlc is missing (apt-get install erlang-base)");
            return Ok(None);
        }
        status => anyhow::ensure!(status?.success(), "compile supervision.erl"),
    }
    let sizes = [SAMPLES, ROUND, ROUNDS, STARTS, IDLE].map(|number| number.to_string());
    let mut erl = Command::new("erl");
    erl.args(["-noinput", "-run", "supervision", "main"]).args(sizes).current_dir(place.path());
    let output = erl.output()?;
    let text = String::from_utf8(output.stdout)?;
    anyhow::ensure!(output.status.success(), "run supervision.erl: {text}");
    let mut figures = Figures::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let name = words.next().context("a name")?;
        let numbers = words.map(str::parse).collect::<Result<Vec<f64>, _>>()?;
        figures.insert(name.to_owned(), numbers);
    }
    Ok(Some(figures))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Crash {
    Error,
    Panic,
    Kill,
}

enum Order {
    Crash(Crash),
    /// Answered with the number of the incarnation.
    Ping(RpcReplyPort<u64>),
}

/// What a worker does as soon as it runs.
#[derive(Clone)]
enum Task {
    Idle,
    /// Crash, if it is among the first starts of a [`ROUND`]; the last of so many says that it is the last.
    Storm {
        starts: Arc<AtomicU64>,
        last: u64,
        done: mpsc::UnboundedSender<()>,
    },
}

struct Worker {
    task: Task,
    incarnation: u64,
}

impl Actor for Worker {
    type Msg = Order;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<Order>, (): ()) -> Result<(), ActorProcessingErr> {
        if let Task::Storm { starts, last, done } = &self.task {
            match starts.fetch_add(1, Ordering::Relaxed) + 1 {
                start if start <= ROUND => myself.cast(Order::Crash(Crash::Error))?,
                start if start == *last => done.send(())?,
                _ => {}
            }
        }
        Ok(())
    }

    async fn handle(&self, _: ActorRef<Order>, order: Order, (): &mut ()) -> Result<(), ActorProcessingErr> {
        match order {
            Order::Crash(Crash::Panic) => std::panic::resume_unwind(Box::new("told to panic")),
            Order::Crash(Crash::Error | Crash::Kill) => Err("told to fail".into()),
            Order::Ping(reply) => Ok(reply.send(self.incarnation)?),
        }
    }
}

/// A worker without backoff.
fn worker(address: &Address<Order>, task: Task) -> ChildSpec {
    let incarnations = AtomicU64::new(0);
    let make = move || (Worker { task: task.clone(), incarnation: incarnations.fetch_add(1, Ordering::Relaxed) }, ());
    ChildSpec::worker(address, make).backoff(Backoff::NONE)
}

fn supervisor(strategy: Strategy) -> SupervisorSpec {
    let restarts = u32::try_from(ROUND).unwrap_or(u32::MAX);
    SupervisorSpec::new("root", strategy).intensity(Intensity { restarts, period: Duration::from_secs(3_600) })
}

/// From a crash until a call is answered by the next incarnation, as a client meets it.
async fn recoveries(crash: Crash) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::new();
    for _ in 0..SAMPLES / ROUND {
        let address = Address::new("worker");
        let tree = start_root(supervisor(Strategy::OneForOne).child(worker(&address, Task::Idle))).await?;
        for _ in 0..ROUND {
            let before = address.call(PATIENCE, Order::Ping).await?;
            let began = Instant::now();
            match crash {
                Crash::Kill => address.current().context("a living worker")?.kill(),
                Crash::Error | Crash::Panic => address.cast(Order::Crash(crash))?,
            }
            // An error says that the incarnation that crashes had taken the call.
            while address.call(PATIENCE, Order::Ping).await.unwrap_or(before) == before {}
            times.push(began.elapsed());
        }
        tree.shutdown().await;
    }
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e6;
    Ok(vec![at(50), at(99)])
}

/// Restarts a second of workers that crash as soon as they run.
async fn restarts(supervisors: u64, children: u64) -> anyhow::Result<f64> {
    let began = Instant::now();
    for _ in 0..ROUNDS {
        let (done, mut all) = mpsc::unbounded_channel();
        let mut trees = Vec::new();
        for _ in 0..supervisors {
            let task = Task::Storm { starts: Arc::default(), last: ROUND + children, done: done.clone() };
            let names = (0..children).map(|number| Address::new(number.to_string()));
            let workers = names.map(|address| worker(&address, task.clone()));
            trees.push(start_root(workers.fold(supervisor(Strategy::OneForOne), SupervisorSpec::child)).await?);
        }
        for _ in 0..supervisors {
            all.recv().await.context("a round's end")?;
        }
        for tree in trees {
            end(tree);
        }
    }
    Ok((supervisors * ROUND * ROUNDS) as f64 / began.elapsed().as_secs_f64())
}

/// Stops a tree without waiting for it.
fn end(tree: SupervisorHandle) {
    tokio::spawn(async move { tree.shutdown().await });
}

/// Children started a second by one client, one after the other.
async fn starts(strategy: Strategy) -> anyhow::Result<f64> {
    let tree = start_root(supervisor(strategy)).await?;
    let began = Instant::now();
    for number in 0..STARTS {
        tree.start_child(worker(&Address::new(number.to_string()), Task::Idle)).await?;
    }
    let rate = STARTS as f64 / began.elapsed().as_secs_f64();
    tree.shutdown().await;
    Ok(rate)
}

/// Resident bytes of an idle child.
async fn idle_bytes() -> anyhow::Result<f64> {
    let tree = start_root(supervisor(Strategy::Dynamic)).await?;
    let before = resident()?;
    for number in 0..IDLE {
        tree.start_child(worker(&Address::new(number.to_string()), Task::Idle)).await?;
    }
    let bytes = resident()?.saturating_sub(before) as f64 / IDLE as f64;
    tree.shutdown().await;
    Ok(bytes)
}

fn resident() -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}
