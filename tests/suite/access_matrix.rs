//! Every route × who asks × of which tenant: each cell is asked of a real daemon over TCP, and the answer is the one that a table,
//! written by hand, says. A route without a row fails the test.

use std::collections::{BTreeMap, BTreeSet};

use agent_factory::client::{Call, Client, Credentials, Place};
use agent_factory::domain::private::Secret;
use futures::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Daemon, Workshop, within};

const ROLES: [(char, &str); 5] =
    [('a', "admin"), ('o', "operator"), ('s', "submitter"), ('v', "viewer"), ('u', "auditor")];
/// The tenant whose things are asked for, and another one.
const OWNER: &str = "acme";
const OTHER: &str = "rival";
/// Who asks without being anybody, and what each is told.
const NOBODIES: [(&str, &str); 5] = [
    ("", "token_missing"),
    ("expired", "token_expired"),
    ("garbage", "token_unknown"),
    ("taken-away", "token_unknown"),
    ("two words", "token_malformed"),
];
/// The route whose answer has no end: its status alone is read.
const ENDLESS: &str = "GET /factory/events";
/// Requests at once.
const AT_ONCE: usize = 8;

/// How far a route reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reach {
    /// Anybody may ask.
    Public,
    /// What is asked for is shared, or is the caller's own whoever it is: every tenant gets the same kind of answer.
    Shared,
    /// What is asked for is one tenant's: for another tenant it does not exist. The status and code that says so.
    Tenants(u16, &'static str),
    /// The daemon as a whole: nobody of one tenant may.
    Whole,
}
use Reach::{Public, Shared, Tenants, Whole};

/// What a route is asked, by whom it may be asked, and what those are answered.
struct Row {
    /// The method and the path of the table, then the path that is asked, where it is another.
    route: &'static str,
    asked: &'static str,
    body: &'static str,
    /// The letters of the roles that may.
    who: &'static str,
    reach: Reach,
    /// The status of whoever may, and the code where it is a refusal: most things asked for here are not there to be changed.
    answer: (u16, &'static str),
}

const fn row(
    route: &'static str,
    asked: &'static str,
    body: &'static str,
    who: &'static str,
    reach: Reach,
    answer: (u16, &'static str),
) -> Row {
    Row { route, asked, body, who, reach, answer }
}

const GONE: Reach = Tenants(404, "not_found");
const FINE: (u16, &str) = (200, "");
const CHAT: &str = r#"{"model": "worker", "max_tokens": 16, "messages": [{"role": "user", "content": "A text."}]}"#;

/// The matrix. `TASK` and `AGENT` are things of the owner's, `FRESH` an agent of the owner's that nothing has happened to.
static MATRIX: &[Row] = &[
    row("GET /health", "", "", "aosvu", Public, FINE),
    row("GET /ready", "", "", "aosvu", Public, FINE),
    row("GET /openapi.json", "", "", "aosvu", Public, FINE),
    row("GET /metrics", "", "", "ao.vu", Whole, FINE),
    row(
        "POST /factory/agents",
        "",
        r#"{"template_name": "worker", "tenant": "acme"}"#,
        "aos..",
        Tenants(403, "tenant_forbidden"),
        FINE,
    ),
    row("GET /factory/agents", "", "", "aosvu", Shared, FINE),
    row("GET /factory/agents/{id}", "/factory/agents/AGENT", "", "aosvu", GONE, FINE),
    row("DELETE /factory/agents/{id}", "/factory/agents/FRESH", "", "aos..", GONE, (204, "")),
    row(
        "POST /factory/agents/{id}/release",
        "/factory/agents/AGENT/release",
        "",
        "aos..",
        GONE,
        (409, "agent_not_quarantined"),
    ),
    row(
        "POST /factory/tasks",
        "/factory/tasks?wait=20s",
        r#"{"agent_id": "AGENT", "input": "A text."}"#,
        "aos..",
        Tenants(404, "agent_not_found"),
        FINE,
    ),
    row("GET /factory/tasks", "", "", "aosvu", Shared, FINE),
    row("GET /factory/tasks/{id}", "/factory/tasks/TASK", "", "aosvu", GONE, FINE),
    row("GET /factory/tasks/{id}/events", "/factory/tasks/TASK/events", "", "aosvu", GONE, FINE),
    row("POST /factory/tasks/{id}/cancel", "/factory/tasks/TASK/cancel", "", "aos..", GONE, (409, "task_ended")),
    row("POST /factory/tasks/{id}/approve", "/factory/tasks/TASK/approve", "", "ao...", GONE, (409, "task_ended")),
    row("POST /factory/tasks/{id}/reject", "/factory/tasks/TASK/reject", "", "ao...", GONE, (409, "task_ended")),
    row("POST /factory/tasks/{id}/retry", "/factory/tasks/TASK/retry", "", "aos..", GONE, (409, "not_retryable")),
    row(
        "POST /factory/tasks/{id}/signals/{name}",
        "/factory/tasks/TASK/signals/ready",
        r#"{"payload": "go"}"#,
        "aos..",
        GONE,
        (409, "task_ended"),
    ),
    row("POST /factory/tasks/{id}/feedback", "/factory/tasks/TASK/feedback", r#"{"score": 1.0}"#, "aos..", GONE, FINE),
    row("GET /factory/templates", "", "", "aosvu", Shared, FINE),
    row("GET /factory/templates/schema", "", "", "aosvu", Shared, FINE),
    row("GET /factory/templates/{name}", "/factory/templates/worker", "", "aosvu", Shared, FINE),
    row("GET /factory/templates/{name}/versions", "/factory/templates/worker/versions", "", "aosvu", Shared, FINE),
    row("GET /factory/templates/{name}/diff", "/factory/templates/worker/diff?from=current", "", "aosvu", Shared, FINE),
    row(
        "POST /factory/templates/{name}/rollback",
        "/factory/templates/worker/rollback",
        r#"{"version": "9.9.9"}"#,
        "ao...",
        Whole,
        (404, ""),
    ),
    row("DELETE /factory/templates/{name}/rollback", "/factory/templates/worker/rollback", "", "ao...", Whole, FINE),
    row(
        "POST /factory/templates/{name}/experiment",
        "/factory/templates/worker/experiment",
        r#"{"versions": {"1.0.0": 1.0}}"#,
        "ao...",
        Whole,
        (400, "experiment_invalid"),
    ),
    row(
        "GET /factory/templates/{name}/experiment",
        "/factory/templates/worker/experiment",
        "",
        "ao.vu",
        Whole,
        (404, ""),
    ),
    row(
        "DELETE /factory/templates/{name}/experiment",
        "/factory/templates/worker/experiment",
        "",
        "ao...",
        Whole,
        (404, ""),
    ),
    row("GET /factory/policy", "", "", "ao.vu", Whole, FINE),
    row("GET /factory/budgets", "", "", "aosvu", Shared, FINE),
    row("GET /factory/budgets/reservations", "", "", "aosvu", Shared, FINE),
    row("GET /factory/budgets/doubts", "", "", "aosvu", Shared, FINE),
    row(
        "POST /factory/budgets/reconcile",
        "",
        r#"{"task_id": "TASK", "step": 7, "cost_usd": "1"}"#,
        "ao...",
        Whole,
        (404, ""),
    ),
    row("GET /factory/budgets/{scope}/history", "/factory/budgets/tenant:acme/history", "", "aosvu", GONE, FINE),
    row("GET /factory/budgets/{scope}", "/factory/budgets/tenant:acme", "", "aosvu", GONE, FINE),
    row(
        "PUT /factory/budgets/{scope}",
        "/factory/budgets/user:nobody",
        r#"{"limit_usd": "5", "window": "day"}"#,
        "ao...",
        Whole,
        FINE,
    ),
    row(
        "DELETE /factory/budgets/{scope}",
        "/factory/budgets/user:somebody",
        "",
        "ao...",
        Whole,
        (404, "budget_not_set"),
    ),
    row("POST /factory/dlp/scan", "", r#"{"text": "A text."}"#, "aos..", Shared, FINE),
    row("GET /factory/dlp/rules", "", "", "ao.vu", Whole, FINE),
    row("GET /factory/encryption", "", "", "ao.vu", Whole, FINE),
    row("POST /factory/encryption/rotate", "", "", "a....", Whole, (409, "encryption_off")),
    row("GET /factory/audit", "", "", "ao..u", Whole, FINE),
    row("GET /factory/audit/export", "", "", "ao..u", Whole, FINE),
    row("GET /factory/audit/checkpoint", "", "", "ao..u", Whole, FINE),
    row("GET /factory/audit/proof", "/factory/audit/proof?entry=1", "", "ao..u", Whole, FINE),
    row("GET /factory/audit/verify", "", "", "ao..u", Whole, FINE),
    row("GET /factory/audit/key", "", "", "ao..u", Whole, FINE),
    row("POST /factory/erasures", "", r#"{"user": "nobody"}"#, "a....", Whole, (202, "")),
    row("GET /factory/erasures", "", "", "a....", Whole, FINE),
    row(
        "GET /factory/erasures/{id}",
        "/factory/erasures/erasure-00000000000000000000000000000000",
        "",
        "a....",
        Whole,
        (404, "not_found"),
    ),
    // Whoever is a user of the host may have their own as well, which no token is.
    row("GET /factory/export", "/factory/export?tenant=acme", "", "a....", GONE, FINE),
    row("POST /factory/backup", "", "", "a....", Whole, FINE),
    row("GET /factory/tree", "", "", "ao.vu", Whole, FINE),
    row("POST /factory/chaos/kill", "", r#"{"path": "root/none"}"#, "a....", Whole, (404, "route_not_found")),
    row("POST /factory/tree/release", "", r#"{"path": "root/none"}"#, "ao...", Whole, (404, "child_unknown")),
    row("GET /factory/events", "", "", "aosvu", Shared, FINE),
    row("GET /factory/metrics", "", "", "ao.vu", Whole, FINE),
    row(
        "POST /factory/create_agent",
        "",
        r#"{"agent_type": "worker", "config": {"tenant": "acme"}}"#,
        "aos..",
        Tenants(403, "tenant_forbidden"),
        FINE,
    ),
    row(
        "POST /factory/execute_task",
        "",
        r#"{"agent_id": "AGENT", "task": "A text."}"#,
        "aos..",
        Tenants(404, "agent_not_found"),
        FINE,
    ),
    row("POST /v1/chat/completions", "", CHAT, "aos..", Shared, FINE),
    row("POST /v1/messages", "", CHAT, "aos..", Shared, FINE),
    row("POST /v1/messages/count_tokens", "", CHAT, "aos..", Shared, FINE),
    row("GET /v1/models", "", "", "aosvu", Shared, FINE),
    row("GET /v1/models/{id}", "/v1/models/worker", "", "aosvu", Shared, FINE),
];

fn rows() -> std::slice::Iter<'static, Row> {
    MATRIX.iter()
}

/// Who asks: a token's name.
fn token(role: &str, tenant: Option<&str>) -> String {
    format!("{role}-{}", tenant.unwrap_or("all"))
}

fn tokens_file() -> String {
    let entry = |name: &str, role: &str, more: &str| {
        let digest = hex::encode(Sha256::digest(name));
        format!("[[token]]\nsha256 = \"{digest}\"\nname = \"{name}\"\nrole = \"{role}\"\n{more}\n")
    };
    let mut text = entry("expired", "admin", "expires = \"2020-01-01T00:00:00Z\"");
    for (_, role) in ROLES {
        text += &entry(&token(role, None), role, "");
        for tenant in [OWNER, OTHER] {
            text += &entry(&token(role, Some(tenant)), role, &format!("tenant = \"{tenant}\""));
        }
    }
    text
}

/// A daemon, things of the owner's in it, and its port.
struct Desk {
    daemon: Daemon,
    port: u16,
    task: String,
    agent: String,
}

impl Desk {
    async fn open() -> Self {
        let settings =
            "free_local = [\"builtin/extractive\"]\n[api]\ntcp = \"127.0.0.1:0\"\ntokens_file = \"tokens.toml\"\n";
        let workshop =
            Workshop::new(settings).worker(json!({"model": {"route": "free_local", "max_output_tokens": 64}}));
        workshop.write("tokens.toml", &tokens_file());
        let daemon = Daemon::start(workshop).await;
        let port = daemon.tcp_port();
        let mut desk = Self { daemon, port, task: String::new(), agent: String::new() };
        desk.agent = desk.new_agent().await;
        let work = json!({"agent_id": desk.agent, "input": "Confidential."});
        let (status, task) = desk.daemon.post("/factory/tasks?wait=20s", &work).await;
        assert_eq!((status, &task["state"], &task["tenant"]), (200, &json!("succeeded"), &json!(OWNER)), "{task}");
        desk.task = task["task_id"].as_str().expect("an id").to_owned();
        let limit = json!({"limit_usd": "5", "window": "day"});
        let set = Call::put(format!("/factory/budgets/tenant:{OWNER}")).json(&limit).expect("JSON");
        assert_eq!(desk.daemon.ask(&set).await.0, 200);
        desk
    }

    async fn new_agent(&self) -> String {
        let wanted = json!({"template_name": "worker", "tenant": OWNER});
        let (status, agent) = self.daemon.post("/factory/agents", &wanted).await;
        assert_eq!(status, 200, "{agent}");
        agent["agent_id"].as_str().expect("an id").to_owned()
    }

    /// Asks what a row says as the holder of a token; the status, and the body.
    async fn ask(&self, row: &Row, token: &str, fresh: &str) -> (u16, String) {
        let (method, path) = row.route.split_once(' ').expect("a method and a path");
        let path = if row.asked.is_empty() { path } else { row.asked };
        let fill = |text: &str| text.replace("TASK", &self.task).replace("AGENT", &self.agent).replace("FRESH", fresh);
        self.send(method, &fill(path), &fill(row.body), token).await
    }

    async fn send(&self, method: &str, path: &str, body: &str, token: &str) -> (u16, String) {
        if path == "/factory/events" {
            return (self.head_of(path, token).await, String::new());
        }
        let call = match method {
            "GET" => Call::get(path),
            "POST" => Call::post(path),
            "PUT" => Call::put(path),
            _ => Call::delete(path),
        };
        let call = match body {
            "" => call,
            body => call.json(&serde_json::from_str::<Value>(body).expect("JSON")).expect("JSON"),
        };
        let answer = self.client(token).exchange(&call).await.expect("an answer");
        (answer.status(), String::from_utf8_lossy(answer.body()).into_owned())
    }

    fn client(&self, token: &str) -> Client {
        let token = (!token.is_empty()).then(|| Secret::new(token));
        let url = format!("http://127.0.0.1:{}", self.port);
        Client::at(Place::remote(&url, &Credentials { token, ..Credentials::default() }).expect("a place"))
    }

    /// The status of an answer without an end.
    async fn head_of(&self, path: &str, token: &str) -> u16 {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("a connection");
        let authorization = if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n{authorization}\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut head = [0; 12];
        within("a status", stream.read_exact(&mut head)).await.expect("a status");
        std::str::from_utf8(&head[9..]).expect("text").parse().expect("a status")
    }
}

/// The code of a refusal, wherever the route puts it; empty where it is none.
fn code(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    [&body["code"], &body["error"]["code"]].into_iter().find_map(Value::as_str).unwrap_or_default().to_owned()
}

/// What a cell must be answered: whoever may not is told 403 before anything is looked for; another tenant's things are not there.
fn expected(row: &Row, role: char, tenant: Option<&str>) -> (u16, &'static str) {
    match (row.reach, tenant) {
        (Public, _) => row.answer,
        _ if !row.who.contains(role) => (403, "forbidden"),
        (Whole, Some(_)) => (403, "forbidden"),
        (Tenants(status, code), Some(OTHER)) => (status, code),
        (Whole | Shared | Tenants(..), _) => row.answer,
    }
}

/// What is wrong with an answer, if anything is.
fn wrong(cell: &str, (status, body): &(u16, String), expected: (u16, &str)) -> Option<String> {
    let code = if expected.1.is_empty() { String::new() } else { code(body) };
    let is_so = (*status, code.as_str()) == expected;
    (!is_so).then(|| format!("{cell}: not {expected:?} but {status} {body:.300}"))
}

/// Every cell of the roles, with its row, its token and the answer that it must get.
fn cells() -> Vec<(&'static Row, String, (u16, &'static str))> {
    let mut cells = Vec::new();
    for row in rows() {
        for (letter, role) in ROLES {
            for tenant in [None, Some(OWNER), Some(OTHER)] {
                cells.push((row, token(role, tenant), expected(row, letter, tenant)));
            }
        }
    }
    cells
}

#[tokio::test]
async fn every_route_has_a_row_and_every_row_a_route() {
    let desk = Desk::open().await;
    let (_, document) = desk.daemon.get("/openapi.json").await;
    let mut served = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        served.extend(
            methods.as_object().expect("methods").keys().map(|method| format!("{} {path}", method.to_uppercase())),
        );
    }
    let known: BTreeSet<String> = rows().map(|row| row.route.to_owned()).collect();
    assert_eq!(served, known, "a route needs a row in the matrix, which says who may ask it");
}

#[tokio::test]
async fn whoever_is_nobody_gets_in_nowhere() {
    let desk = Desk::open().await;
    let before = desk.daemon.holdings().await;
    let cells: Vec<_> = rows().flat_map(|row| NOBODIES.map(|(token, code)| (row, token, code))).collect();
    let answers: Vec<_> = stream::iter(&cells)
        .map(async |(row, token, _)| desk.ask(row, token, &desk.agent).await)
        .buffered(AT_ONCE)
        .collect()
        .await;
    let wrong = cells.iter().zip(&answers).filter_map(|((row, token, code), answer)| {
        let expected = if row.reach == Public { row.answer } else { (401, *code) };
        let expected = if row.route == ENDLESS { (401, "") } else { expected };
        wrong(&format!("{} as {token:?}", row.route), answer, expected)
    });
    assert_eq!(wrong.collect::<Vec<_>>(), <[String; 0]>::default());
    assert_eq!(desk.daemon.holdings().await, before, "nothing has changed");
    let guarded = rows().filter(|row| row.reach != Public).count();
    let counted = format!("factory_unknown_callers_total{{code=\"token_expired\"}} {guarded}\n");
    assert!(desk.daemon.metrics().await.contains(&counted), "{counted}");
}

#[tokio::test]
async fn every_cell_of_route_role_and_tenant_is_answered_as_the_table_says() {
    let desk = Desk::open().await;
    let before = desk.daemon.holdings().await;
    let (may, may_not): (Vec<_>, Vec<_>) = cells().into_iter().partition(|(row, _, expected)| *expected == row.answer);
    let answers: Vec<_> = stream::iter(&may_not)
        .map(async |(row, token, _)| desk.ask(row, token, &desk.agent).await)
        .buffered(AT_ONCE)
        .collect()
        .await;
    let refusals = may_not.iter().zip(&answers).filter_map(|((row, token, expected), answer)| {
        let expected = if row.route == ENDLESS { (expected.0, "") } else { *expected };
        wrong(&format!("{} as {token}", row.route), answer, expected)
    });
    assert_eq!(refusals.collect::<Vec<_>>(), <[String; 0]>::default());
    assert_eq!(desk.daemon.holdings().await, before, "whoever may not has changed nothing");
    // What may be done is done one after the other, because some of it changes what the next one finds.
    let mut others = Vec::new();
    for (row, token, expected) in &may {
        let fresh = if row.asked.contains("FRESH") { desk.new_agent().await } else { String::new() };
        let answer = desk.ask(row, token, &fresh).await;
        others.extend(wrong(&format!("{} as {token}", row.route), &answer, *expected));
        if token.ends_with(OTHER) && !row.route.ends_with("/openapi.json") {
            let (_, body) = &answer;
            assert!(
                !body.contains(OWNER) && !body.contains(&desk.task),
                "{} told {token} of {OWNER}: {body}",
                row.route
            );
        }
    }
    assert_eq!(others, <[String; 0]>::default());
    assert!(cells().len() + rows().count() * NOBODIES.len() > 1_000, "all of them");
}

#[tokio::test]
async fn what_is_another_tenants_and_what_never_was_are_told_alike() {
    let desk = Desk::open().await;
    let never = |id: &str| id.chars().map(|c| if c.is_ascii_digit() { '7' } else { c }).collect::<String>();
    let (no_task, no_agent) = (never(&desk.task), never(&desk.agent));
    let mut told = BTreeMap::new();
    for row in rows().filter(|row| matches!(row.reach, Tenants(404, _))) {
        let (method, path) = row.route.split_once(' ').expect("a method and a path");
        let path = if row.asked.is_empty() { path } else { row.asked };
        let fill = |text: &str, task: &str, agent: &str, tenant: &str| {
            text.replace("TASK", task).replace("AGENT", agent).replace("FRESH", agent).replace(OWNER, tenant)
        };
        let theirs = |text: &str| fill(text, &desk.task, &desk.agent, OWNER);
        let none = |text: &str| fill(text, &no_task, &no_agent, "nowhere");
        for (_, role) in ROLES {
            let token = token(role, Some(OTHER));
            let one = desk.send(method, &theirs(path), &theirs(row.body), &token).await;
            let other = desk.send(method, &none(path), &none(row.body), &token).await;
            let plain = |(status, body): (u16, String)| {
                (
                    status,
                    body.replace(&desk.agent, "ID")
                        .replace(&no_agent, "ID")
                        .replace(&desk.task, "ID")
                        .replace(&no_task, "ID"),
                )
            };
            assert_eq!(plain(one), plain(other), "{} as {token}", row.route);
            *told.entry(row.route).or_insert(0) += 1;
        }
    }
    assert!(told.len() >= 14, "{told:?}");
}

#[tokio::test]
async fn an_idempotency_key_of_another_tenants_means_nothing() {
    let desk = Desk::open().await;
    let work = json!({"template_name": "worker", "input": "A text."});
    let submit = async |token: &str| {
        let call = Call::post("/factory/tasks?wait=20s").json(&work).expect("JSON").idempotent(Some("order-1"));
        let answer = desk.client(token).exchange(&call).await.expect("an answer");
        let task: Value = serde_json::from_slice(answer.body()).expect("a task");
        assert_eq!(answer.status(), 200, "{task}");
        task["task_id"].as_str().expect("an id").to_owned()
    };
    let (ours, theirs) = (submit("submitter-acme").await, submit("submitter-rival").await);
    assert_ne!(ours, theirs);
    assert_eq!(submit("submitter-acme").await, ours);
}
