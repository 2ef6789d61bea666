//! The daemon of a simulation through all its lives on one directory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::invariants;
use super::market::Market;
use super::schedule::{Event, Moment, Pause, Schedule, Work};
use super::still::{self, Disk};
use super::workshop::furnish;
use crate::app::{Daemon, Error};
use crate::config::{self, Overrides, Sources};
use crate::control_plane::access::Principal;
use crate::control_plane::admission::NewAgent;
use crate::control_plane::admission::submission::{Submission, Target};
use crate::data_plane::orchestrator::Decision;
use crate::data_plane::provider::scripted;
use crate::domain::clock::{Timestamp, simulated};
use crate::domain::id::{AgentId, TaskId};
use crate::domain::money::Usd;
use crate::domain::private::Text;
use crate::journal::record::{AttentionNeeded, Signalled, TaskRecord, Verdict};
use crate::journal::state::{State, Task};
use crate::store::{self, Batch};
use crate::supervision::ChildId;
use crate::telemetry::metrics::Metrics;

/// Registered agents that tasks are submitted to.
const AGENTS: usize = 2;
/// How long all tasks may take to end when nothing more happens; a plan looks at its records once an hour.
const ENDED_WITHIN: Duration = Duration::from_secs(4 * 3_600);
/// How long after that everything is let go of: news for the ledger, idle agents.
const SETTLED_AFTER: Duration = Duration::from_secs(200);
/// How long a stop in good order may take; the grace for open tasks is 5 s.
const STOPPED_WITHIN: Duration = Duration::from_secs(60);
/// How long a start may take, in the host's time.
const STARTED_WITHIN: Duration = Duration::from_secs(20);

/// Every so many submissions bring a limit of their own, which two calls may reach.
const OWN_LIMIT_EVERY: usize = 6;
const OWN_LIMIT: Usd = Usd::from_nanos(700_000);

/// A submission under an idempotency key of its own, and the tasks that it was acknowledged as: one, if all is well.
struct Asked {
    submission: Submission,
    tasks: BTreeSet<TaskId>,
}

/// All that outlives a daemon.
pub(super) struct World {
    schedule: Schedule,
    home: tempfile::TempDir,
    market: Arc<Market>,
    asked: Arc<Mutex<Vec<Asked>>>,
    agents: Vec<AgentId>,
    /// Open tasks as they were when a daemon crashed.
    remembered: Vec<Arc<Task>>,
    broken: Vec<String>,
    now: Timestamp,
    /// By how many seconds the host's clock has jumped in this life.
    jumped: Arc<AtomicU64>,
    lives: u32,
    /// What the tasks came to, for people.
    came_to: String,
    told: Vec<String>,
}

/// How a daemon's life ended.
enum End {
    Crashed,
    Stopped,
    RanOut,
}

impl World {
    pub(super) fn new(schedule: Schedule) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        furnish(home.path(), schedule.purse);
        let market = Market::new(&schedule);
        let (asked, now) = (Arc::default(), Timestamp::now());
        Self {
            schedule,
            home,
            market,
            asked,
            agents: Vec::new(),
            remembered: Vec::new(),
            broken: Vec::new(),
            now,
            jumped: Arc::default(),
            lives: 0,
            came_to: String::new(),
            told: Vec::new(),
        }
    }

    /// Lets everything happen; returns what should not have.
    pub(super) fn run(mut self) -> Vec<String> {
        let _scripted = scripted::answer_by(self.market.script());
        let mut moments: VecDeque<Moment> = std::mem::take(&mut self.schedule.moments).into();
        loop {
            let disk = Disk::default();
            let runtime = still::runtime(&disk);
            let end = runtime.block_on(self.live(&mut moments, &disk));
            let store = disk.take();
            // Every task of the daemon ends where it is.
            drop(runtime);
            match (end, store) {
                (End::Crashed, Some(store)) => store.crash(),
                (End::Stopped, _) => {}
                (End::Crashed, None) | (End::RanOut, _) => break,
            }
        }
        self.broken.extend(self.market.broken());
        if !self.broken.is_empty() {
            self.broken.extend(self.told);
        }
        println!("seed {}: {} in {} lives", self.schedule.seed, self.came_to, self.lives);
        self.broken
    }

    async fn live(&mut self, moments: &mut VecDeque<Moment>, disk: &Disk) -> End {
        let (origin, base, jumped) = (tokio::time::Instant::now(), self.now, Arc::clone(&self.jumped));
        jumped.store(0, Ordering::Relaxed);
        let ahead = move || origin.elapsed() + Duration::from_secs(jumped.load(Ordering::Relaxed));
        let _clock = simulated::go_by(move || base.after(ahead()));
        let daemon = self.start().await;
        disk.set(&daemon.store);
        tokio::time::pause();
        self.broken.extend(invariants::after_start(&daemon.journal, &self.remembered).await);
        self.hire(&daemon).await;
        let end = self.happen(moments, &daemon).await;
        match end {
            End::Crashed => self.remembered = daemon.journal.open_tasks(),
            End::Stopped => {
                let journal = daemon.journal.clone();
                self.stop(daemon).await;
                self.remembered = journal.open_tasks();
            }
            End::RanOut => {
                let acknowledged: Vec<_> = self.asked().iter().map(|asked| asked.tasks.clone()).collect();
                let calls = self.market.calls();
                let broken = invariants::at_the_end(&daemon, &acknowledged, &calls).await;
                self.came_to = invariants::came_to(&daemon.journal, calls.len()).await;
                self.broken.extend(broken);
                self.stop(daemon).await;
            }
        }
        self.tell("the end");
        (self.now, self.lives) = (Timestamp::now(), self.lives + 1);
        end
    }

    async fn stop(&mut self, daemon: Daemon) {
        let stopped = tokio::time::timeout(STOPPED_WITHIN, daemon.stop(std::future::pending())).await;
        match stopped {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.broken.push(format!("stop: {error}")),
            Err(_) => self.broken.push("the daemon does not stop".to_owned()),
        }
    }

    async fn start(&self) -> Daemon {
        let sources = Sources {
            file: Some(self.home.path().join("factoryd.toml")),
            environment: Vec::new(),
            flags: Overrides::default(),
        };
        let settings = config::load(&sources).expect("good settings");
        let started = async {
            loop {
                // The directory's lock is given back a moment after the crash.
                match Daemon::start(settings.clone(), Metrics::apart(), None).await {
                    Ok(daemon) => return daemon,
                    Err(Error::Store(store::Error::InUse(_))) => {}
                    Err(error) => panic!("start: {error}"),
                }
            }
        };
        let daemon = tokio::time::timeout(STARTED_WITHIN, started).await.expect("a start");
        // Open tasks go on while the daemon is not yet ready.
        self.market.watch(&daemon.journal);
        let ready = async {
            while !(daemon.rooms.readiness)().is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(STARTED_WITHIN, ready).await.expect("ready");
        daemon
    }

    /// Registers the agents, the first time.
    async fn hire(&mut self, daemon: &Daemon) {
        while self.agents.len() < AGENTS {
            let template = "helper".parse().expect("a name");
            let wanted = NewAgent { template, name: None, tenant: None, user: None };
            let admitted = daemon.admission.admit_agent(&Principal::internal(), wanted, Timestamp::now()).await;
            let (agent, with, _standing) = admitted.expect("admitted");
            daemon.rooms.factory.create(&agent, with).await.expect("created");
            self.agents.push(agent.agent);
        }
    }

    fn asked(&self) -> MutexGuard<'_, Vec<Asked>> {
        self.asked.lock().expect("no panic")
    }

    async fn happen(&mut self, moments: &mut VecDeque<Moment>, daemon: &Daemon) -> End {
        let root = daemon.root.clone();
        let gave_up = tokio::spawn(async move { root.ended().await });
        while let Some(moment) = moments.pop_front() {
            match moment.pause {
                Pause::Turns(turns) => {
                    for _ in 0..turns {
                        tokio::task::yield_now().await;
                    }
                }
                Pause::Time(time) => tokio::time::sleep(time).await,
            }
            // Whoever supervises the daemon starts it again.
            if matches!(moment.event, Event::Crash) || gave_up.is_finished() {
                return End::Crashed;
            }
            if matches!(moment.event, Event::Stop) {
                return End::Stopped;
            }
            self.befall(daemon, moment.event).await;
        }
        // What was asked for last may not be on record yet, and comes to light while everything settles.
        let ended = async {
            for round in 0.. {
                let settling = if daemon.journal.open_count() == 0 { SETTLED_AFTER } else { Duration::from_secs(1) };
                tokio::time::sleep(settling).await;
                if gave_up.is_finished() || settling == SETTLED_AFTER && daemon.journal.open_count() == 0 {
                    return;
                }
                self.attend(daemon, round);
            }
        };
        if tokio::time::timeout(ENDED_WITHIN, ended).await.is_err() {
            let open = daemon.journal.open_tasks();
            self.broken.push(format!("{} tasks do not end: {open:?}", open.len()));
        }
        if gave_up.is_finished() { End::Crashed } else { End::RanOut }
    }

    async fn befall(&mut self, daemon: &Daemon, event: Event) {
        match event {
            Event::Submit { work, deadline } => {
                let submission = self.submission(work, deadline);
                self.asked().push(Asked { submission, tasks: BTreeSet::new() });
                let last = self.asked().len() - 1;
                self.ask(daemon, last);
            }
            Event::Repeat(which) => {
                let count = self.asked().len();
                if let Some(which) = which.checked_rem(count) {
                    self.ask(daemon, which);
                }
            }
            Event::Cancel(which) => {
                if let Some(task) = self.acknowledged(which) {
                    let orchestrator = daemon.rooms.orchestrator.clone();
                    // One that has ended is not cancelled; whether that was right is seen in the records.
                    tokio::spawn(async move { orchestrator.cancel(task, "ada", Batch::new()).await.is_ok() });
                }
            }
            Event::Decide(which) => {
                if let Some(task) = self.acknowledged(which) {
                    let verdict = if which % 2 == 0 { Verdict::Approved } else { Verdict::Rejected };
                    self.decide(daemon, task, verdict);
                }
            }
            Event::Signal(which) => {
                if let Some(task) = self.acknowledged(which) {
                    let (orchestrator, by, at) =
                        (daemon.rooms.orchestrator.clone(), "ada".to_owned(), Timestamp::now());
                    let signalled = Signalled { signal: "go".to_owned(), payload: Text::from("now"), by, at };
                    tokio::spawn(async move { orchestrator.signal(task, signalled, Batch::new()).await.is_ok() });
                }
            }
            Event::Trouble(which) => {
                let open = self.acknowledged(which).and_then(|task| daemon.journal.watch(task));
                if let Some(task) = open.map(|open| open.borrow().clone()) {
                    let (code, message, at) = ("trouble".to_owned(), "look at it".to_owned(), Timestamp::now());
                    let needed = TaskRecord::AttentionNeeded(AttentionNeeded { step: None, code, message, at });
                    let (journal, id) = (daemon.journal.clone(), task.order.task);
                    tokio::spawn(
                        async move { journal.interject(id, vec![needed], Batch::new(), |_| {}).await.is_ok() },
                    );
                }
            }
            Event::Retry(which) => {
                if let Some(task) = self.acknowledged(which) {
                    self.retry(daemon, task);
                }
            }
            Event::Kill(which) => {
                let (root, mut actors) = (daemon.root.clone(), Vec::new());
                invariants::paths(&root.snapshot().await, &[], &mut actors);
                let weighed: Vec<_> = actors.iter().flat_map(|path| std::iter::repeat_n(path, weight(path))).collect();
                if let Some(which) = which.checked_rem(weighed.len()) {
                    let path = weighed[which].clone();
                    self.tell(&format!("kill {}", path.join("/")));
                    // One that is being restarted is not there to be killed.
                    tokio::spawn(async move { root.kill(&path).await.is_ok() });
                }
            }
            Event::Jump(by) => {
                self.jumped.fetch_add(by.as_secs(), Ordering::Relaxed);
                self.tell("the clock jumped");
            }
            Event::Crash | Event::Stop => {}
        }
    }

    /// Notes for whoever looks into a failure.
    fn tell(&mut self, what: &str) {
        self.told.push(format!("  {} in life {}: {what}", Timestamp::now(), self.lives));
    }

    fn acknowledged(&self, which: usize) -> Option<TaskId> {
        let tasks: Vec<TaskId> = self.asked().iter().flat_map(|asked| asked.tasks.clone()).collect();
        which.checked_rem(tasks.len()).and_then(|which| tasks.get(which).copied())
    }

    // What people may not say is refused, and changes nothing: the records tell.
    fn decide(&self, daemon: &Daemon, task: TaskId, verdict: Verdict) {
        let orchestrator = daemon.rooms.orchestrator.clone();
        let decision = Decision { verdict, step: None, comment: None, by: "ada".to_owned() };
        tokio::spawn(async move { orchestrator.decide(task, &decision, Batch::new()).await.is_ok() });
    }

    fn retry(&self, daemon: &Daemon, task: TaskId) {
        let orchestrator = daemon.rooms.orchestrator.clone();
        tokio::spawn(async move { orchestrator.retry(&Principal::internal(), task, Batch::new()).await.is_ok() });
    }

    /// Sees to every task that waits for a person: approves what asks for that; has what is in trouble retried, or rejects it.
    fn attend(&self, daemon: &Daemon, round: usize) {
        for (number, task) in daemon.journal.open_tasks().into_iter().enumerate() {
            let (id, rejects) = (task.order.task, (round + number) % 4 == 3);
            if task.state == State::WaitingApproval {
                self.decide(daemon, id, Verdict::Approved);
            } else if task.state == State::NeedsAttention && rejects {
                self.decide(daemon, id, Verdict::Rejected);
            } else if task.state == State::NeedsAttention {
                self.retry(daemon, id);
            }
        }
    }

    fn ask(&self, daemon: &Daemon, which: usize) {
        let submission = self.asked()[which].submission.clone();
        let (orchestrator, asked) = (daemon.rooms.orchestrator.clone(), Arc::clone(&self.asked));
        tokio::spawn(async move {
            if let Ok(task) = orchestrator.accept(Arc::new(Principal::internal()), submission).await {
                asked.lock().expect("no panic")[which].tasks.insert(task);
            }
        });
    }

    fn submission(&self, work: Work, deadline: Option<Duration>) -> Submission {
        let template = |name: &str| Target::Template(name.parse().expect("a name"));
        let target = match work {
            Work::Single => template("worker"),
            Work::Refined => template("refiner"),
            Work::Registered(which) => Target::Agent(self.agents[which % self.agents.len()]),
            Work::Plan => template("boss"),
            Work::Nested => template("chief"),
            Work::Waiting => template("clerk"),
        };
        let number = self.asked().len();
        Submission {
            target,
            input: Text::from(format!("Rain fell on hill number {number}.")),
            budget: (number % OWN_LIMIT_EVERY == 1).then_some(OWN_LIMIT),
            deadline: deadline.map(|left| Timestamp::now().after(left)),
            tenant: None,
            user: None,
            metadata: BTreeMap::new(),
            idempotency_key: Some(format!("submission-{number}")),
            dialogue: None,
            streamed: number.is_multiple_of(3),
        }
    }
}

/// How often an actor is chosen: those that hold tasks, money or the disk more often than the others.
fn weight(path: &[ChildId]) -> usize {
    let holds = |name: &ChildId| ["store", "budget"].contains(&name.as_ref()) || name.contains('#');
    if path.last().is_some_and(holds) { 4 } else { 1 }
}
