//! The daemon as a child process.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use agent_factory::client::{Call, Client, Error};
use agent_factory::protocol::budget::Budget;
use agent_factory::protocol::task::{SubmitTask, Task};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::process::{Ended, factoryctl};
use super::waiting::{PATIENCE, until};
use super::workshop::Workshop;

/// A running daemon. It is killed when this is dropped; if the test failed, its log is shown.
pub(crate) struct Daemon {
    pub(crate) workshop: Workshop,
    /// A client of its socket.
    pub(crate) client: Client,
    environment: Vec<(String, String)>,
    /// A program and its arguments that runs the daemon, and whose place the daemon takes.
    under: Vec<String>,
    process: Option<Child>,
}

impl Daemon {
    /// Starts it and waits until it serves requests.
    pub(crate) async fn start(workshop: Workshop) -> Self {
        Self::start_in(workshop, &[]).await
    }

    /// The same with variables in its environment, which otherwise is empty.
    pub(crate) async fn start_in(workshop: Workshop, environment: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment = environment.iter().map(owned).collect();
        let client = Client::new(workshop.socket());
        let mut daemon = Self { workshop, client, environment, under: Vec::new(), process: None };
        daemon.start_again().await;
        daemon
    }

    /// The same, run by another program, such as a tracer, that must leave it our child.
    pub(crate) async fn start_under(workshop: Workshop, under: Vec<String>) -> Self {
        let client = Client::new(workshop.socket());
        let mut daemon = Self { workshop, client, environment: Vec::new(), under, process: None };
        daemon.start_again().await;
        daemon
    }

    /// Has the next start run by another program.
    pub(crate) fn run_under(&mut self, under: Vec<String>) {
        self.under = under;
    }

    /// Starts it on the same directory, and waits until it serves requests.
    pub(crate) async fn start_again(&mut self) {
        self.launch();
        self.ready().await;
    }

    /// Starts it on the same directory and does not wait.
    pub(crate) fn launch(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        let log = File::options().append(true).create(true).open(self.workshop.path("log")).expect("a log");
        let program = env!("CARGO_BIN_EXE_factoryd");
        let mut command = match self.under.split_first() {
            None => Command::new(program),
            Some((under, arguments)) => {
                let mut command = Command::new(under);
                command.args(arguments).arg(program);
                command
            }
        };
        let child = command
            .arg("--config")
            .arg(self.workshop.settings())
            .current_dir(self.workshop.directory())
            .env_clear()
            .envs(self.environment.clone())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("factoryd starts");
        self.process = Some(child);
        self.client = Client::new(self.workshop.socket());
    }

    /// Waits until it serves requests.
    pub(crate) async fn ready(&mut self) {
        until("the daemon is ready", async || {
            let ended = self.process.as_mut().expect("a process").try_wait().expect("waited for");
            assert!(ended.is_none(), "the daemon ended at its start: {ended:?}");
            self.client.ready().await.ok().filter(|answer| answer.ready)
        })
        .await;
    }

    /// Kills it as a power cut would.
    pub(crate) fn kill9(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().expect("killed");
        process.wait().expect("waited for");
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("sent");
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let process = self.process.as_mut().expect("it runs");
        let status = until("the daemon's end", async || process.try_wait().expect("waited for")).await;
        self.process = None;
        status
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended().await
    }

    pub(crate) fn pid(&self) -> Pid {
        let id = self.process.as_ref().expect("it runs").id();
        Pid::from_raw(id.try_into().expect("a pid")).expect("a pid")
    }

    /// Runs a task to its end.
    pub(crate) async fn run(&self, template: &str, input: &str) -> Task {
        self.client.submit(&work(template, input), None, PATIENCE).await.expect("a task")
    }

    /// Submits a task and does not wait.
    pub(crate) async fn submit(&self, template: &str, input: &str) -> Task {
        self.client.submit(&work(template, input), None, std::time::Duration::ZERO).await.expect("a task")
    }

    /// Waits for a task's end.
    pub(crate) async fn finished(&self, id: &str) -> Task {
        let task = self.client.task(id, PATIENCE).await.expect("a task");
        assert!(task.state.has_ended(), "{task:?}");
        task
    }

    /// Sends a request; the answer's status, and its body as JSON, or null where it is none.
    pub(crate) async fn ask(&self, call: &Call) -> (u16, Value) {
        let answer = self.client.exchange(call).await.expect("an answer");
        (answer.status(), serde_json::from_slice(answer.body()).unwrap_or_default())
    }

    /// Posts a document.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.ask(&Call::post(path).json(body).expect("JSON")).await
    }

    /// Gets a document.
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.ask(&Call::get(path)).await
    }

    /// The text of `/metrics`.
    pub(crate) async fn metrics(&self) -> String {
        let answer = self.client.exchange(&Call::get("/metrics")).await.expect("an answer");
        String::from_utf8(answer.body().to_vec()).expect("text")
    }

    /// Runs `factoryctl` against it.
    pub(crate) async fn ctl(&self, arguments: &[&str]) -> Ended {
        factoryctl(&self.workshop.socket(), arguments, "").await
    }

    /// Everything that a refused request must leave as it is: agents, tasks, money, templates.
    pub(crate) async fn holdings(&self) -> Value {
        let mut all = json!({});
        for list in ["agents", "tasks", "budgets", "templates"] {
            let (status, page) = self.get(&format!("/factory/{list}")).await;
            assert_eq!(status, 200, "{page}");
            all[list] = page["items"].clone();
        }
        all
    }

    /// A budget once nothing is reserved in it.
    pub(crate) async fn settled(&self, scope: &str) -> Budget {
        until(&format!("nothing is held in {scope}"), async || {
            let budget = self.client.budget(scope).await.expect("a budget");
            (budget.reserved_usd == "0.00").then_some(budget)
        })
        .await
    }

    /// The port of its TCP listener, as the kernel knows it: the settings leave the port to the kernel.
    pub(crate) fn tcp_port(&self) -> u16 {
        let pid = self.pid().as_raw_nonzero();
        let descriptors: Vec<PathBuf> = std::fs::read_dir(format!("/proc/{pid}/fd"))
            .expect("its descriptors")
            .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
            .collect();
        let sockets = std::fs::read_to_string(format!("/proc/{pid}/net/tcp")).expect("the sockets of the host");
        let mut listening = sockets.lines().filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
            let own = descriptors.iter().any(|link| link.as_os_str() == format!("socket:[{inode}]").as_str());
            (*state == "0A" && own).then(|| u16::from_str_radix(local.split_once(':')?.1, 16).ok())?
        });
        listening.next_back().expect("a listener")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let ended: io::Result<_> = process.kill().and_then(|()| process.wait());
            drop(ended);
        }
        if std::thread::panicking() {
            eprintln!("--- the log of factoryd ---\n{}---", self.workshop.log());
        }
    }
}

fn work(template: &str, input: &str) -> SubmitTask {
    SubmitTask { template_name: Some(template.into()), input: input.into(), ..SubmitTask::default() }
}

/// The status and code of a refusal.
pub(crate) fn code<T: std::fmt::Debug>(answer: Result<T, Error>) -> (u16, String) {
    match answer {
        Err(Error::Problem { problem, .. }) => (problem.status, problem.code),
        other => panic!("no problem but {other:?}"),
    }
}
