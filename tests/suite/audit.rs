//! The audit log as auditors see it: exports that hold alone, checkpoints, tampering with what the daemon keeps.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use agent_factory::store::{Batch, Direction, Keyspace, Options, Store};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::harness::{Daemon, Ended, Provider, Workshop, factoryctl, raw_over, until};
use crate::tools;

const VERIFIER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/verify_audit.py");

async fn daemon(more: &str) -> Daemon {
    Daemon::start(Workshop::with(&Provider::echo().await, more).worker(json!({}))).await
}

fn text(path: std::path::PathBuf) -> String {
    path.display().to_string()
}

/// Writes what a verb prints into a file of the workshop.
async fn kept(daemon: &Daemon, name: &str, arguments: &[&str]) -> String {
    let told = daemon.ctl(arguments).await;
    assert_eq!(told.code, Some(0), "{}", told.err);
    let path = daemon.workshop.path(name);
    fs::write(&path, told.out).expect("written");
    text(path)
}

/// `factoryctl audit verify`, where no daemon is.
async fn verify(workshop: &Workshop, arguments: &[&str], input: &str) -> Ended {
    let nowhere = workshop.path("nowhere.sock");
    factoryctl(&nowhere, &[&["--json", "audit", "verify"], arguments].concat(), input).await
}

#[tokio::test]
async fn an_export_holds_without_the_daemon_and_nothing_in_it_can_be_changed() {
    let mut daemon = daemon("").await;
    for input in ["one", "two"] {
        let _task = daemon.run("worker", input).await;
    }
    let (status, _) = daemon.get("/factory/tasks/none").await;
    assert_eq!(status, 404);
    let key = kept(&daemon, "kept.pem", &["audit", "key"]).await;
    assert_eq!(fs::read(daemon.workshop.path("data/audit.pub.pem")).expect("a key"), fs::read(&key).expect("a key"));
    let note = kept(&daemon, "kept.note", &["audit", "checkpoint"]).await;
    let export = kept(&daemon, "a.jsonl", &["audit", "export"]).await;
    assert_eq!(daemon.stop().await.code(), Some(0));
    let workshop = &daemon.workshop;

    let told = verify(workshop, &[&export, "--key", &key, "--checkpoint", &note], "").await;
    assert_eq!(told.code, Some(0), "{}", told.err);
    let told = told.json();
    assert!(told["holds"] == true && told["key_given"] == true && told["entries"].as_u64() >= Some(4), "{told}");
    let lines = fs::read_to_string(&export).expect("an export");
    let actions: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for action in ["start_daemon", "submit_task", "export_audit"] {
        assert!(actions.iter().any(|line| line["entry"]["action"] == action), "{action}");
    }

    // Without a key the one that it names is used, which is said; standard input is a file like others.
    let told = verify(workshop, &["-"], &lines).await;
    assert!(told.code == Some(0) && told.err.contains("warning") && told.json()["key_given"] == false, "{}", told.err);

    let all: Vec<&str> = lines.split_inclusive('\n').collect();
    let changed = lines.replacen("submit_task", "cancel_task", 1);
    for (wrong, code) in [
        (changed.as_str(), "audit_export_broken"),
        (all[1..].concat().as_str(), "audit_export_unreadable"),
        (all[..all.len() - 1].concat().as_str(), "audit_export_cut"),
        (lines.trim_end(), "audit_export_cut"),
        ([&all[..1], &all[2..]].concat().concat().as_str(), "audit_export_broken"),
        ("", "audit_export_unreadable"),
    ] {
        let told = verify(workshop, &["--key", &key], wrong).await;
        assert_eq!((told.code, &told.json()["code"]), (Some(1), &json!(code)), "{}", told.err);
        assert!(told.err.contains("line "), "{}", told.err);
    }
}

#[tokio::test]
async fn the_export_of_another_host_is_refused() {
    let (one, other) = (daemon("").await, daemon("").await);
    let key = kept(&one, "kept.pem", &["audit", "key"]).await;
    let note = kept(&one, "kept.note", &["audit", "checkpoint"]).await;
    let export = kept(&other, "a.jsonl", &["audit", "export"]).await;
    let told = verify(&one.workshop, &[&export, "--key", &key], "").await;
    assert_eq!((told.code, &told.json()["code"]), (Some(1), &json!("audit_other_key")), "{}", told.err);
    let told = verify(&one.workshop, &[&export, "--checkpoint", &note], "").await;
    assert_eq!((told.code, &told.json()["code"]), (Some(1), &json!("audit_checkpoint_refused")), "{}", told.err);
    for bad in [one.workshop.path("nothing.pem"), one.workshop.path("data/audit.key")] {
        let told = verify(&one.workshop, &[&export, "--key", &text(bad)], "").await;
        assert_eq!(told.code, Some(2), "{}", told.err);
    }
}

/// The verifier that was written from the documentation alone.
fn verified_by_another(export: &str, key: &str, checkpoint: Option<&str>) -> (bool, String) {
    let output = Command::new("python3")
        .args([VERIFIER, export, key])
        .args(checkpoint)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .expect("python starts");
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), told)
}

#[tokio::test]
async fn a_verifier_written_from_the_documentation_agrees() {
    if !tools::python_with("cryptography", "python3-cryptography", "exports of the audit log by another verifier") {
        return;
    }
    let daemon = daemon("").await;
    let _task = daemon.run("worker", "one").await;
    let key = kept(&daemon, "kept.pem", &["audit", "key"]).await;
    let note = kept(&daemon, "kept.note", &["audit", "checkpoint"]).await;
    let (status, _) = daemon.get("/factory/audit/proof?entry=1").await;
    assert_eq!(status, 200);
    let export = kept(&daemon, "a.jsonl", &["audit", "export"]).await;
    let (holds, told) = verified_by_another(&export, &key, Some(&note));
    assert!(holds && told.starts_with("holds "), "{told}");
    let good = fs::read_to_string(&export).expect("an export");
    let lines: Vec<&str> = good.split_inclusive('\n').collect();
    let swapped = [&lines[..1], &lines[2..3], &lines[1..2], &lines[3..]].concat().concat();
    for wrong in [
        good.replacen("submit_task", "cancel_task", 1),
        good.replacen("allowed", "refused", 1),
        good[..good.len() - 1].to_owned(),
        lines[..lines.len() - 1].concat(),
        swapped,
        format!("{good}\n"),
    ] {
        fs::write(&export, wrong).expect("written");
        let (holds, told) = verified_by_another(&export, &key, None);
        assert!(!holds && told.starts_with("line "), "{told}");
    }
}

#[tokio::test]
async fn a_log_that_was_cut_off_is_told_loudly_when_the_daemon_starts_again() {
    let mut daemon = daemon("").await;
    let _task = daemon.run("worker", "one").await;
    let told = daemon.ctl(&["--json", "audit", "verify", "--daemon"]).await;
    assert!(told.code == Some(0) && told.json()["holds"] == true, "{}", told.out);
    assert_eq!(daemon.stop().await.code(), Some(0));

    // Somebody takes the last entry out of the store, with all that belongs to it.
    let data = daemon.workshop.path("data");
    {
        let store = Store::open(&data, Options { cache_bytes: 1 << 20 }).expect("opens");
        let committer = store.run_committer().expect("runs");
        let last = store.keys(Keyspace::Audit, &[], None, Direction::Descending, 1).expect("read").remove(0);
        let _position = store.commit(Batch::new().delete(Keyspace::Audit, last)).await.expect("committed");
        store.close().await.expect("closed");
        drop(committer);
    }
    daemon.start_again().await;
    let health = until("the daemon says that it is not well", async || {
        let health = daemon.get("/health").await.1;
        (health["status"] == "degraded").then_some(health)
    })
    .await;
    assert_eq!(health["codes"], json!(["audit_broken"]), "{health}");
    assert!(daemon.metrics().await.contains("\nfactory_audit_broken 1\n"));
    let told = daemon.ctl(&["--json", "audit", "verify", "--daemon"]).await;
    assert_eq!((told.code, &told.json()["code"]), (Some(1), &json!("audit_broken")), "{}", told.out);
    let refused = daemon.ctl(&["--json", "audit", "export"]).await;
    assert_eq!((refused.code, &refused.json()["code"]), (Some(1), &json!("audit_broken")), "{}", refused.err);
    assert_eq!(daemon.run("worker", "the work goes on").await.output, "echo: the work goes on");
}

#[tokio::test]
async fn checkpoints_are_made_in_time_and_go_on_after_kill_9() {
    let mut daemon = daemon("[audit]\ncheckpoint_every = \"1s\"\n").await;
    let size = |note: String| note.lines().nth(1).and_then(|size| size.parse::<u64>().ok()).expect("a number");
    let first = size(daemon.client.audit_checkpoint().await.expect("a note"));
    let _task = daemon.run("worker", "one").await;
    let second = until("a checkpoint over the task's entry", async || {
        let size = size(daemon.client.audit_checkpoint().await.expect("a note"));
        (size > first).then_some(size)
    })
    .await;
    daemon.kill9();
    daemon.start_again().await;
    let key = kept(&daemon, "kept.pem", &["audit", "key"]).await;
    let export = kept(&daemon, "a.jsonl", &["audit", "export"]).await;
    let told = verify(&daemon.workshop, &[&export, "--key", &key], "").await.json();
    assert!(told["entries"].as_u64() > Some(second) && told["checkpoints"].as_u64() >= Some(3), "{told}");
    let proof = daemon.get("/factory/audit/proof?from=1").await.1;
    assert_eq!(proof["from"], 1, "{proof}");
    for bad in ["", "?entry=0", "?entry=1000000", "?entry=1&from=1", "?entry=x", "?other=1"] {
        let (status, told) = daemon.get(&format!("/factory/audit/proof{bad}")).await;
        assert!(matches!(status, 400 | 404), "{bad}: {told}");
    }
}

#[tokio::test]
async fn the_key_may_lie_elsewhere_and_one_that_is_exchanged_is_told() {
    let mut daemon = daemon("").await;
    let _task = daemon.run("worker", "one").await;
    let made = daemon.workshop.path("data/audit.key");
    assert_eq!(fs::metadata(&made).expect("a key").permissions().mode() & 0o777, 0o600);
    let export = kept(&daemon, "a.jsonl", &["audit", "export"]).await;
    let key = kept(&daemon, "kept.pem", &["audit", "key"]).await;
    assert_eq!(daemon.stop().await.code(), Some(0));

    let elsewhere = daemon.workshop.path("elsewhere.pem");
    fs::rename(&made, &elsewhere).expect("moved");
    daemon.workshop.edit_settings(|text| format!("{text}\n[audit]\nkey_file = {elsewhere:?}\n"));
    daemon.start_again().await;
    assert_eq!(fs::read_to_string(&key).expect("a key"), daemon.ctl(&["audit", "key"]).await.out);
    assert!(!made.exists());
    assert_eq!(daemon.stop().await.code(), Some(0));

    // Without the setting there is no key any more, and the daemon makes one.
    daemon.workshop.edit_settings(|text| text.replace("\n[audit]\nkey_file", "\n#key_file"));
    daemon.start_again().await;
    until("the exchange is told", async || {
        (daemon.get("/health").await.1["codes"] == json!(["audit_other_key"])).then_some(())
    })
    .await;
    assert_ne!(fs::read_to_string(&key).expect("a key"), daemon.ctl(&["audit", "key"]).await.out);
    let after = kept(&daemon, "b.jsonl", &["audit", "export"]).await;
    assert_eq!(verify(&daemon.workshop, &[&export, "--key", &key], "").await.code, Some(0), "what was exported holds");
    assert_eq!(verify(&daemon.workshop, &[&after, "--key", &key], "").await.json()["code"], "audit_other_key");
    assert_eq!(verify(&daemon.workshop, &[&after], "").await.code, Some(0));
    let starts = daemon.client.audit(0, 1_000).await.expect("entries").items;
    let logs: Vec<_> =
        starts.iter().filter(|entry| entry.action == "start_daemon").map(|entry| &entry.reason).collect();
    assert!(logs.len() == 3 && logs[0] == logs[1] && logs[1] != logs[2], "{logs:?}");
}

#[tokio::test]
async fn the_newest_entries_are_shown_and_pages_follow() {
    let daemon = daemon("").await;
    for input in ["one", "two", "three"] {
        let _task = daemon.run("worker", input).await;
    }
    daemon.signal(Signal::HUP);
    until("the settings were taken up", async || {
        let newest = daemon.client.newest_audit(1).await.expect("entries").items;
        newest.iter().any(|entry| entry.action == "reload_settings").then_some(())
    })
    .await;
    let told = daemon.ctl(&["--json", "audit", "tail", "-n", "3"]).await;
    let shown: Vec<Value> = told.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let last = shown.last().and_then(|entry| entry["sequence"].as_u64()).expect("a sequence");
    assert!(shown.len() == 3 && shown[0]["sequence"] == last - 2, "{}", told.out);
    let page = daemon.ctl(&["--json", "audit", "ls", "--after", "1", "--limit", "2"]).await.json();
    assert_eq!((&page["items"][0]["sequence"], &page["next"]), (&json!(2), &json!("3")), "{page}");
    let human = daemon.ctl(&["audit", "tail", "-n", "1"]).await.out;
    assert!(human.contains("reload_settings") && human.lines().count() == 1, "{human}");
    for bad in ["?last=0", "?last=1001", "?last=2&after=1", "?limit=0", "?after=x"] {
        assert_eq!(daemon.get(&format!("/factory/audit{bad}")).await.0, 400, "{bad}");
    }
}

#[tokio::test]
async fn a_stranger_is_on_record_once_a_minute_without_what_was_presented() {
    let daemon = daemon("[api]\ntcp = \"127.0.0.1:0\"\n").await;
    for _ in 0..3 {
        let request =
            "GET /factory/agents HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer g3ss3d\r\n\r\n";
        let stream = TcpStream::connect(("127.0.0.1", daemon.tcp_port())).await.expect("a connection");
        assert_eq!(raw_over(stream, request.as_bytes()).await.code(), "token_unknown");
    }
    let (_, page) = daemon.get("/factory/audit").await;
    let items = page["items"].as_array().expect("items");
    let tries: Vec<_> = items.iter().filter(|entry| entry["action"] == "authenticate").collect();
    assert_eq!(tries.len(), 1, "{page}");
    assert_eq!((&tries[0]["principal"], &tries[0]["code"]), (&json!("unknown"), &json!("token_unknown")), "{page}");
    assert!(!page.to_string().contains("g3ss3d"));
}
