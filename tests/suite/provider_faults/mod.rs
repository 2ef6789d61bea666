//! Every fault of a provider ends in the documented outcome: state, code, calls, and what is booked. The table here is the one in
//! `docs/providers.md`; a test holds both together.
//!
//! Each row has a provider, a model and a template of its own for each wire format and way of asking, so that no row's failures
//! trip the next one's breaker; all run at once in one daemon, but for those that stop a scope.

mod table;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::Duration;

use agent_factory::client::Call;
use agent_factory::domain::money::Usd;
use agent_factory::protocol::task::{SubmitTask, Task, TaskState};
use futures::future::join_all;
use serde_json::json;

use self::table::{Books, Outcome, ROWS, Row};
use crate::harness::{Asked, Billed, Daemon, Format, PATIENCE, Provider, Workshop, within};

/// Whether an answer is asked for whole or piece by piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Plain,
    Streamed,
}

/// Every format is spoken in each.
const WAYS: [Way; 2] = [Way::Plain, Way::Streamed];

/// One row as it is tried.
#[derive(Clone, Copy)]
struct Case {
    number: usize,
    format: Format,
    way: Way,
}

impl Case {
    fn row(self) -> &'static Row {
        &ROWS[self.number]
    }

    fn outcome(self) -> Outcome {
        let row = self.row();
        let (plain, streamed) = match (self.format, row.openai) {
            (Format::OpenAi, Some(outcomes)) => outcomes,
            (_, _) => (row.plain, row.streamed),
        };
        match self.way {
            Way::Plain => plain,
            Way::Streamed => streamed,
        }
    }

    /// The name of its model, and of its provider, route and template.
    fn name(self) -> String {
        let way = match self.way {
            Way::Plain => "plain",
            Way::Streamed => "streamed",
        };
        format!("f{}-{}-{way}", self.number, self.format.kind())
    }

    fn base_url(self, provider: &Provider) -> String {
        let port = if self.row().is_unreachable { 1 } else { provider.port() };
        let path = match self.format {
            Format::OpenAi | Format::Anthropic => "v1",
            Format::Gemini => "v1beta",
        };
        format!("http://127.0.0.1:{port}/{path}")
    }

    /// The row of the model that is asked.
    fn row_of(asked: &Asked) -> &'static Row {
        let number = asked.model().strip_prefix('f').and_then(|rest| rest.split('-').next()).expect("a case's model");
        &ROWS[number.parse::<usize>().expect("a number")]
    }
}

fn cases() -> Vec<Case> {
    let ways = Format::ALL.into_iter().flat_map(|format| WAYS.map(|way| (format, way)));
    let of_row = |number| ways.clone().map(move |(format, way)| Case { number, format, way });
    (0..ROWS.len()).flat_map(of_row).collect()
}

async fn scripted() -> Provider {
    let attempts: Mutex<HashMap<String, usize>> = Mutex::default();
    Provider::start(move |asked| {
        let attempt = {
            let mut attempts = attempts.lock().expect("no poison");
            let count = attempts.entry(asked.model().to_owned()).or_default();
            *count += 1;
            *count - 1
        };
        (Case::row_of(asked).reply)(attempt)
    })
    .await
}

fn workshop(provider: &Provider, cases: &[Case]) -> Workshop {
    let (mut routes, mut tables) = (String::new(), String::new());
    for case in cases {
        let (name, kind, base) = (case.name(), case.format.kind(), case.base_url(provider));
        let timeout = if case.row().is_silent { "2s" } else { "20s" };
        writeln!(routes, "{name} = [\"{name}/{name}\"]").expect("written");
        let provider =
            format!("[providers.{name}]\nkind = \"{kind}\"\nbase_url = \"{base}\"\ntimeout = \"{timeout}\"\n");
        let model =
            format!("[models.\"{name}/{name}\"]\ninput_usd_per_mtok = \"1.00\"\noutput_usd_per_mtok = \"4.00\"\n");
        tables.push_str(&provider);
        tables.push_str(&model);
    }
    tables.push_str("[budgets.global]\nlimit_usd = \"1.00\"\nwindow = \"total\"\n");
    let workshop = Workshop::with(provider, &(routes + &tables));
    for case in cases {
        let (name, pool) = (case.name(), json!({"max": 1_000}));
        workshop.template(&name, json!({"model": {"route": name, "max_output_tokens": 64}, "pool": pool}));
    }
    workshop
}

/// Runs a case's task to its end: as a task, or as a client of the front door that wants to read along.
async fn run(daemon: &Daemon, case: Case) -> Task {
    let name = case.name();
    if case.way == Way::Plain {
        let wanted = SubmitTask { template_name: Some(name), input: "hello".into(), ..SubmitTask::default() };
        return daemon.client.submit(&wanted, None, PATIENCE).await.expect("a task");
    }
    let body = json!({"model": name, "stream": true, "messages": [{"role": "user", "content": "hello"}]});
    let call = Call::post("/v1/chat/completions").json(&body).expect("JSON");
    let answer = within("the end of a stream", daemon.client.exchange(&call)).await;
    drop(answer.expect("an answer, or a stream that ends"));
    let page = daemon.client.tasks(Some(1_000), None).await.expect("tasks");
    let task = page.items.into_iter().find(|task| task.template_name == name).expect("a task");
    daemon.finished(&task.task_id).await
}

/// What is wrong with a case's end.
fn differences(case: Case, task: &Task, asked: usize, bill: &[Billed]) -> Vec<String> {
    let (expected, mut wrong) = (case.outcome(), Vec::new());
    let code = task.error.as_ref().map(|error| error.code.as_str());
    let state = if expected.code.is_none() { TaskState::Succeeded } else { TaskState::Failed };
    if (task.state, code) != (state, expected.code) {
        wrong.push(format!("ended as {:?} with {code:?}", task.state));
    }
    let calls = if case.row().is_unreachable { 0 } else { expected.calls };
    if (task.steps.len(), asked) != (expected.calls, calls) {
        wrong.push(format!("{} steps and {asked} calls", task.steps.len()));
    }
    let costs: Vec<i64> = task.steps.iter().map(|step| nanos(&step.cost_usd)).collect();
    let (booked, billed) = (nanos(&task.cost_usd), bill.iter().map(|line| line.nanos).sum::<i64>());
    if booked != costs.iter().sum::<i64>() || booked < billed {
        wrong.push(format!("{booked} nano-dollars booked, {billed} billed, steps {costs:?}"));
    }
    let all = |state: &str| task.steps.iter().all(|step| step.state == state);
    let dearest = bill.iter().map(|line| line.nanos).max().unwrap_or(0);
    let is_booked = match expected.books {
        Books::Nothing => booked == 0 && all("failed"),
        Books::InDoubt => all("in_doubt") && costs.iter().all(|cost| *cost == costs[0] && *cost > dearest),
        Books::Reported => booked == billed && task.steps.last().is_some_and(|step| step.state == "finished"),
        Books::Counted => all("finished") && booked > 0,
        Books::Arrived => booked > 0 && !all("in_doubt"),
        Books::RestInDoubt => all("in_doubt") && costs.iter().all(|cost| *cost > dearest),
    };
    if !is_booked {
        wrong.push(format!("{booked} nano-dollars booked, {billed} billed, in {:?}", task.steps));
    }
    wrong
}

fn nanos(text: &str) -> i64 {
    text.parse::<Usd>().expect("an amount").nanos()
}

/// Runs cases at once in one daemon; returns what was not as the table says.
async fn tried(cases: Vec<Case>) -> (Vec<String>, Daemon) {
    let provider = scripted().await;
    let daemon = Daemon::start(workshop(&provider, &cases)).await;
    let tasks = join_all(cases.iter().map(|case| run(&daemon, *case))).await;
    daemon.settled("global").await;
    let (asked, bill) = (provider.asked(), provider.meter().bill());
    let mut wrong = Vec::new();
    for (case, task) in cases.iter().zip(&tasks) {
        let name = case.name();
        let own: Vec<&Asked> = asked.iter().filter(|call| call.model() == name).collect();
        let lines: Vec<Billed> = bill.iter().filter(|line| line.model == name).cloned().collect();
        let mut differs = differences(*case, task, own.len(), &lines);
        if own.iter().any(|call| call.format != case.format || call.is_streamed() != (case.way == Way::Streamed)) {
            differs.push("it was not asked as it should be".to_owned());
        }
        let patience = case.row().patience;
        if own.windows(2).any(|two| two[1].at.duration_since(two[0].at) < patience) {
            differs.push(format!("it was not given {patience:?}"));
        }
        wrong.extend(differs.into_iter().map(|what| format!("{name}, {}: {what}", case.row().fault)));
    }
    (wrong, daemon)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_ends_as_the_table_says() {
    let together: Vec<Case> = cases().into_iter().filter(|case| !case.row().stops_scopes).collect();
    assert!(together.len() >= 20, "the table is tried");
    let (wrong, daemon) = tried(together).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(daemon.get("/ready").await.0, 200, "the daemon is as well as before");
}

#[tokio::test]
async fn a_usage_above_the_reservation_is_booked_and_stops_the_scope() {
    for case in cases().into_iter().filter(|case| case.row().stops_scopes) {
        let (wrong, daemon) = tried(vec![case]).await;
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        let wanted = SubmitTask { template_name: Some(case.name()), input: "hello".into(), ..SubmitTask::default() };
        let again = daemon.client.submit(&wanted, None, Duration::ZERO).await;
        assert_eq!(crate::harness::code(again), (402, "budget_exceeded".to_owned()), "{}", case.name());
    }
}

/// The lines of the document's table.
fn written() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/providers.md");
    let text = std::fs::read_to_string(path).expect("docs/providers.md");
    let section = text.split("## Faults and what becomes of them").nth(1).expect("the section");
    let section = section.split("\n## ").next().expect("its text");
    section.lines().filter(|line| line.starts_with("| ")).skip(1).map(str::to_owned).collect()
}

#[test]
fn the_document_has_the_same_table() {
    let told: Vec<String> = ROWS.iter().map(ToString::to_string).collect();
    assert_eq!(written(), told, "docs/providers.md should say:\n{}", told.join("\n"));
}
