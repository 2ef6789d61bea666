//! Requests that Schemathesis makes up from `/openapi.json`: whatever is asked, the daemon does not fail, and answers what is described.
//!
//! `FACTORY_GENERATED_EXAMPLES=200` asks more than ten thousand; `FACTORY_GENERATED_SEED` asks others.

use std::path::PathBuf;
use std::process::{Command, Output};

use agent_factory::client::Call;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::harness::{Daemon, Workshop};
use crate::tools;

const HOOKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/generated_requests.py");
/// What an answer is held against: no 5xx, no status, media type, header or body that is not described; no route without its guard.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
    response_schema_conformance,unsupported_method,allow_header_conformance,ignored_auth";
/// Examples of each operation that are drawn, beside those that cover its parameters one by one, which take no number.
const EXAMPLES: u32 = 4;
const SEED: u32 = 1;
/// Routes that are not asked: the stream of all events, which has no end to wait for. Faults are off unless a setting says otherwise.
const ENDLESS: &str = "/factory/events";

/// The program: `.ci/run` makes it.
fn schemathesis() -> Option<PathBuf> {
    let made = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/generated-venv/bin/python"));
    let python = std::env::var_os("FACTORY_TESTS_GENERATED_PYTHON").map_or(made, PathBuf::from);
    let wanted = "tests/clients/generated.requirements.txt in target/generated-venv";
    tools::python_at(&python, "schemathesis", wanted, "generated requests against /openapi.json").then_some(python)
}

fn number(variable: &str, default: u32) -> u32 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

/// A daemon that calls no model outside, asked over TCP as an admin, with something of each kind in it.
async fn daemon() -> (Daemon, Value) {
    let settings =
        "free_local = [\"builtin/extractive\"]\n[api]\ntcp = \"127.0.0.1:0\"\ntokens_file = \"tokens.toml\"\n";
    let workshop = Workshop::new(settings).worker(json!({"model": {"route": "free_local", "max_output_tokens": 64}}));
    let digest = hex::encode(Sha256::digest("boss"));
    workshop.write("tokens.toml", &format!("[[token]]\nsha256 = \"{digest}\"\nname = \"boss\"\nrole = \"admin\"\n"));
    let daemon = Daemon::start(workshop).await;
    let mut tasks = Vec::new();
    for text in ["One sentence.", "Another sentence."] {
        tasks.push(daemon.run("worker", text).await.task_id);
    }
    let mut agents = Vec::new();
    for name in ["ann", "bob"] {
        let (status, agent) = daemon.post("/factory/agents", &json!({"template_name": "worker", "name": name})).await;
        assert_eq!(status, 200, "{agent}");
        agents.push(agent["agent_id"].clone());
    }
    let limit = json!({"limit_usd": "5", "window": "day"});
    let (status, _) = daemon.ask(&Call::put("/factory/budgets/tenant:acme").json(&limit).expect("JSON")).await;
    assert_eq!(status, 200);
    let known = json!({
        "path.id": {"/factory/tasks": tasks, "/factory/agents": agents, "/v1/models": ["worker"]},
        "path.name": {"/factory/templates": ["worker"], "/factory/tasks": ["ready"]},
        "path.scope": ["global", "tenant:acme", "user:ann", "template:worker"],
        "query.wait": ["0", "1ms", "5s"],
        "body.template_name": ["worker"], "body.agent_type": ["worker"], "body.model": ["worker"], "body.agent_id": agents,
        "body.capability": ["work"], "body.input": ["A text."], "body.tenant": ["acme", "default"], "body.user": ["ann"],
        "body.budget_usd": ["0.5"], "body.limit_usd": ["1.50"], "body.window": ["day", "month"], "body.version": ["1.0.0"],
        "body.messages": [[{"role": "user", "content": "A text."}]], "body.max_tokens": [16], "body.task": ["A text."],
        "body.score": [0.5], "body.comment": ["fine"]
    });
    (daemon, known)
}

#[tokio::test]
async fn whatever_is_asked_is_answered_as_described() {
    let Some(python) = schemathesis() else { return };
    let (daemon, known) = daemon().await;
    let mut command = Command::new(python);
    command
        .args(["-m", "schemathesis.cli", "run", &format!("http://127.0.0.1:{}/openapi.json", daemon.tcp_port())])
        .args(["--header", "Authorization: Bearer boss", "--checks", CHECKS, "--exclude-path", ENDLESS])
        // One worker: with more the order of requests, and so what they meet, is not the seed's alone.
        .args(["--phases", "coverage,fuzzing", "--workers", "1", "--continue-on-failure", "--no-shrink", "--no-color"])
        .args(["--max-examples", &number("FACTORY_GENERATED_EXAMPLES", EXAMPLES).to_string()])
        .args(["--seed", &number("FACTORY_GENERATED_SEED", SEED).to_string(), "--warnings", "off"])
        .args(["--generation-database", "none", "--request-timeout", "20"])
        .current_dir(daemon.workshop.directory())
        .env_clear()
        .env("SCHEMATHESIS_HOOKS", HOOKS)
        .env("FACTORY_KNOWN", known.to_string());
    let run = move || command.output().expect("it starts");
    let Output { status, stdout, stderr } = tokio::task::spawn_blocking(run).await.expect("it ends");
    let told = String::from_utf8_lossy(&stdout);
    assert!(status.success(), "{told}{}", String::from_utf8_lossy(&stderr));
    let (_, after) = told.split_once("Test cases:").expect("how many there were");
    let asked: u32 = after.split_whitespace().next().and_then(|count| count.parse().ok()).expect("a number");
    eprintln!("{asked} generated requests, seed {}", number("FACTORY_GENERATED_SEED", SEED));
    assert!(asked > 300, "{told}");
    let failed = daemon.workshop.log().lines().find(|line| line.contains(" ERROR ")).map(str::to_owned);
    assert_eq!(failed, None, "an error that a person must act on");
}
