//! A store that fails: nothing is acknowledged that is not durable, whoever asks is told why and what to do, and a start
//! that cannot go on says so. That reads go on while the disk is nearly full is tested where the store is.

use std::fs;
use std::path::Path;

use agent_factory::client::Call;
use agent_factory::protocol::task::TaskState;
use rustix::process::{Resource, Rlimit, prlimit};
use serde_json::json;

use crate::harness::{Daemon, Provider, Workshop, factoryd, until};

/// Room for the log, which is a file too.
const LOG_BYTES: u64 = 64 * 1_024;

/// From now on no file of the daemon grows beyond this: what a full disk is to it, for root and everybody else alike.
fn limit_files(daemon: &Daemon, bytes: u64) {
    let limit = Rlimit { current: Some(bytes), maximum: None };
    prlimit(Some(daemon.pid()), Resource::Fsize, limit).expect("limited");
}

/// Text that does not compress, so that the database is larger than the log may become.
fn long() -> String {
    (0..40_000_u64).map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_string()).collect()
}

#[tokio::test]
async fn a_write_that_the_host_refuses_ends_acknowledgements_and_loses_nothing() {
    let mut daemon = Daemon::start(Workshop::with(&Provider::echo().await, "").worker(json!({}))).await;
    let early = daemon.run("worker", &long()).await;
    let submission = |key: &str| {
        let call = Call::post("/factory/tasks").json(&json!({"template_name": "worker", "input": "more"}));
        call.expect("JSON").idempotent(Some(key))
    };
    let (status, acknowledged) = daemon.ask(&submission("before")).await;
    assert!(matches!(status, 200 | 202), "{acknowledged}");
    let acknowledged = acknowledged["task_id"].as_str().expect("a task").to_owned();
    daemon.finished(&acknowledged).await;

    limit_files(&daemon, LOG_BYTES);
    let (status, problem) = daemon.ask(&submission("full")).await;
    assert_eq!((status, &problem["code"]), (503, &json!("store_unwell")), "{problem}");
    let (status, ready) = daemon.get("/ready").await;
    let reason = "the store cannot make anything durable: the disk is full: free space, then restart the daemon";
    assert_eq!((status, ready), (503, json!({"ready": false, "reasons": [reason]})));
    assert_eq!(daemon.get("/health").await.1["status"], "degraded");
    let (status, problem) = daemon.post("/factory/backup", &json!({})).await;
    assert_eq!((status, &problem["code"]), (503, &json!("store_unwell")), "{problem}");
    assert_eq!(daemon.stop().await.code(), Some(1), "it says that it did not stop in good order");
    assert!(!daemon.workshop.socket().exists(), "nobody listens there any more");

    daemon.start_again().await;
    for id in [&early.task_id, &acknowledged] {
        assert_eq!(daemon.finished(id).await.state, TaskState::Succeeded);
    }
    let (status, again) = daemon.ask(&submission("full")).await;
    assert!(matches!(status, 200 | 202), "the same key is taken now: {again}");
    daemon.finished(again["task_id"].as_str().expect("a task")).await;
    let (_, repeated) = daemon.ask(&submission("before")).await;
    assert_eq!(repeated["task_id"], json!(acknowledged));
}

/// A start that cannot go on: exit code 1, and these words on standard error.
async fn refused(workshop: &Workshop, arguments: &[&str], words: &[&str]) {
    let ended = factoryd(workshop, arguments).await;
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    for word in words {
        assert!(ended.err.contains(word), "{word:?} is missing: {}", ended.err);
    }
}

#[tokio::test]
async fn a_second_daemon_on_a_directory_is_refused_and_the_first_goes_on() {
    let daemon = Daemon::start(Workshop::with(&Provider::echo().await, "").worker(json!({}))).await;
    let words = ["data/store is in use by another factoryd", "what to do: stop the other daemon"];
    refused(&daemon.workshop, &["--socket", "second.sock"], &words).await;
    assert_eq!(daemon.run("worker", "hello").await.state, TaskState::Succeeded);
}

#[tokio::test]
async fn a_directory_that_is_not_ours_or_cannot_be_made_is_refused_by_name() {
    let workshop = Workshop::new("");
    fs::create_dir_all(workshop.path("data/store")).expect("a directory");
    fs::write(workshop.path("data/store/letters.txt"), "dear ada").expect("written");
    refused(&workshop, &[], &["data/store is not a store of factoryd", "letters.txt", "what to do:"]).await;
    assert_eq!(fs::read_dir(workshop.path("data/store")).expect("a directory").count(), 1, "nothing was changed");

    // Not even root makes directories there.
    for directory in ["/proc/agent-factory", "/sys/agent-factory"] {
        refused(&workshop, &["--data-dir", directory], &[directory, "what to do:"]).await;
    }
    let file = workshop.write("file", "x").display().to_string();
    refused(&workshop, &["--data-dir", &file], &[&file, "what to do:"]).await;
}

async fn stopped_after_a_task() -> (Daemon, String) {
    let mut daemon = Daemon::start(Workshop::with(&Provider::echo().await, "").worker(json!({}))).await;
    let task = daemon.run("worker", &long()).await;
    assert_eq!(daemon.stop().await.code(), Some(0));
    (daemon, task.task_id)
}

fn length(file: &Path) -> u64 {
    fs::metadata(file).expect("a file").len()
}

#[tokio::test]
async fn a_database_that_was_cut_short_is_not_taken_for_an_empty_one() {
    let (mut daemon, task) = stopped_after_a_task().await;
    let db = daemon.workshop.path("data/store/db");
    let whole = fs::read(&db).expect("a database");
    let words = ["store", "lost", "what to do: put back the last backup with `factoryctl restore FILE`"];
    for kept in [0, length(&db) / 3] {
        fs::File::options().write(true).open(&db).expect("opened").set_len(kept).expect("cut");
        refused(&daemon.workshop, &[], &words).await;
        fs::write(&db, &whole).expect("put back");
    }
    fs::remove_file(&db).expect("removed");
    refused(&daemon.workshop, &[], &words).await;
    fs::write(&db, &whole).expect("put back");
    daemon.start_again().await;
    daemon.finished(&task).await;
}

#[tokio::test]
async fn a_damaged_database_is_refused_and_the_last_backup_brings_it_back() {
    let (mut daemon, task) = stopped_after_a_task().await;
    daemon.start_again().await;
    let archive = daemon.workshop.path("b.zst").display().to_string();
    assert_eq!(daemon.ctl(&["backup", &archive]).await.code, Some(0));
    assert_eq!(daemon.stop().await.code(), Some(0));
    let db = daemon.workshop.path("data/store/db");
    let mut bytes = fs::read(&db).expect("a database");
    bytes.iter_mut().for_each(|byte| *byte ^= 0x55);
    fs::write(&db, bytes).expect("damaged");
    refused(&daemon.workshop, &[], &["data/store", "what to do: put back the last backup"]).await;
    let settings = daemon.workshop.settings().display().to_string();
    let restored = daemon.ctl(&["--json", "restore", &archive, "--config", &settings]).await;
    assert_eq!(restored.code, Some(0), "{}", restored.err);
    assert!(Path::new(restored.json()["kept"].as_str().expect("a directory")).join("store/db").exists());
    daemon.start_again().await;
    daemon.finished(&task).await;
    until("it is well", async || (daemon.get("/health").await.1["status"] == "healthy").then_some(())).await;
}
