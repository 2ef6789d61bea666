//! `bench gateway`: on a daemon of its own, and on one that is there.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::harness::{Daemon, Ended, Provider, Reply, Workshop, factoryctl, within};

const SHORT: [&str; 8] = ["bench", "gateway", "--json", "--connections", "2", "--count", "40", "--rate=400"];

/// The bench in a directory that it may fill.
async fn alone(directory: &std::path::Path, more: &[&str]) -> (Option<i32>, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_factoryctl"));
    command.args(SHORT).args(more).current_dir(directory).env_clear().env("TMPDIR", directory);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = within("the bench", command.output()).await.expect("it runs");
    let document = serde_json::from_slice(&output.stdout);
    (output.status.code(), document.unwrap_or_else(|fault| panic!("{fault}: {output:?}")))
}

fn number(document: &Value, pointer: &str) -> f64 {
    document.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("no {pointer} in {document}"))
}

async fn bench(daemon: &Daemon, template: &str) -> Ended {
    let arguments = [&SHORT[..], &["--template", template]].concat();
    factoryctl(&daemon.workshop.socket(), &arguments, "").await
}

#[tokio::test]
async fn without_a_template_it_measures_a_daemon_of_its_own_and_leaves_nothing_behind() {
    let directory = tempfile::tempdir().expect("a directory");
    let (code, told) = alone(directory.path(), &[]).await;
    assert_eq!((code, &told["errors"], &told["requests"]), (Some(0), &json!(0), &json!(40)), "{told}");
    assert_eq!((&told["at_rate"]["errors"], &told["at_rate"]["requests"]), (&json!(0), &json!(40)), "{told}");
    let positive = [
        "/per_second",
        "/seconds",
        "/p50_ms",
        "/p99_ms",
        "/max_ms",
        "/resident_before_bytes",
        "/resident_after_bytes",
        "/commit_p50_ms",
        "/commit_p99_ms",
        "/commit_mean_ms",
        "/at_rate/p50_ms",
        "/at_rate/commit_p50_ms",
        "/mock_direct_per_second",
        "/mock_direct_p50_ms",
        "/mock_direct_at_rate_p50_ms",
    ];
    for pointer in positive {
        assert!(number(&told, pointer) > 0.0, "{pointer}: {told}");
    }
    let added = number(&told, "/at_rate/p50_ms") - number(&told, "/mock_direct_at_rate_p50_ms");
    assert!((number(&told, "/added_p50_ms") - added).abs() < 0.002, "{told}");
    assert!(number(&told, "/cpu_us_per_request") >= 0.0, "{told}");
    assert_eq!(std::fs::read_dir(directory.path()).expect("a directory").count(), 0, "nothing is left");
}

#[tokio::test]
async fn a_program_that_is_no_daemon_is_told() {
    let directory = tempfile::tempdir().expect("a directory");
    for (program, what) in [("/no/such/program", "daemon_not_started"), ("/bin/false", "daemon_not_ready")] {
        let (code, told) = alone(directory.path(), &["--factoryd", program]).await;
        assert_eq!((code, &told["code"]), (Some(1), &json!(what)), "{told}");
    }
    assert_eq!(std::fs::read_dir(directory.path()).expect("a directory").count(), 0, "nothing is left");
}

#[tokio::test]
async fn with_a_template_it_measures_the_daemon_at_the_socket() {
    let provider = Provider::echo().await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({}))).await;
    let told = bench(&daemon, "worker").await.json();
    assert_eq!(
        (&told["errors"], &told["requests"], &told["template"]),
        (&json!(0), &json!(40), &json!("worker")),
        "{told}"
    );
    assert_eq!(told["added_p50_ms"], Value::Null, "the model is not the bench's own");
    assert!(number(&told, "/resident_after_bytes") > 0.0, "{told}");
    assert_eq!(provider.count(), 40 + 40 + 2 * 8, "both parts and the warm-up were asked of the model");
    let unknown = bench(&daemon, "nobody").await;
    assert_eq!((unknown.code, &unknown.json()["code"]), (Some(1), &json!("template_not_found")));
}

#[tokio::test]
async fn refusals_are_errors_by_their_code() {
    let provider = Provider::start(|_| Reply::Echo).await;
    let settings = "[budgets.global]\nlimit_usd = \"0\"\nwindow = \"total\"\n";
    let workshop = Workshop::with(&provider, settings);
    let daemon = Daemon::start(workshop.worker(json!({"model": {"route": "priced", "max_output_tokens": 64}}))).await;
    let ended = bench(&daemon, "worker").await;
    let told = ended.json();
    assert_eq!((ended.code, &told["requests"], &told["errors"]), (Some(1), &json!(0), &json!(40)), "{told}");
    assert_eq!(told["error_codes"], json!({"budget_exceeded": 40}), "{told}");
    assert_eq!(provider.count(), 0);
}
