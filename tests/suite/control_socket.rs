//! The control socket: never taken from a living daemon, always from a dead one.

use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;

use serde_json::json;

use crate::harness::{Daemon, Provider, Workshop, factoryd};

#[tokio::test]
async fn a_socket_in_use_is_left_to_the_daemon_that_uses_it() {
    let mut daemon = Daemon::start(Workshop::with(&Provider::echo().await, "").worker(json!({}))).await;
    let task = daemon.run("worker", "before").await;
    let second = factoryd(&daemon.workshop, &["--data-dir", "elsewhere"]).await;
    assert_eq!(second.code, Some(1), "{}", second.err);
    assert!(second.err.contains("another daemon listens on"), "{}", second.err);
    assert!(!daemon.workshop.path("elsewhere").exists(), "it opened a store of its own");
    assert_eq!(daemon.finished(&task.task_id).await, task);
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn data_in_use_are_left_to_the_daemon_that_uses_them() {
    let daemon = Daemon::start(Workshop::with(&Provider::echo().await, "").worker(json!({}))).await;
    let task = daemon.run("worker", "before").await;
    let second = factoryd(&daemon.workshop, &["--socket", "other.sock"]).await;
    assert_eq!(second.code, Some(1), "{}", second.err);
    assert!(!daemon.workshop.path("other.sock").exists(), "its socket is left behind");
    assert_eq!(daemon.finished(&task.task_id).await, task);
}

#[tokio::test]
async fn a_stale_socket_is_replaced() {
    let workshop = Workshop::new("");
    drop(UnixListener::bind(workshop.socket()).expect("bound"));
    assert!(workshop.socket().exists(), "a listener that is dropped leaves its file");
    let mut daemon = Daemon::start(workshop).await;
    daemon.kill9();
    assert!(daemon.workshop.socket().exists(), "so does a daemon that is killed");
    daemon.start_again().await;
    assert!(daemon.stop().await.success());
    assert!(!daemon.workshop.socket().exists(), "a daemon that stops in order takes its socket away");
}

#[tokio::test]
async fn what_is_no_socket_is_not_replaced() {
    let workshop = Workshop::new("");
    workshop.write("control.sock", "precious");
    let ended = factoryd(&workshop, &[]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("is not a socket"), "{}", ended.err);
    assert_eq!(std::fs::read_to_string(workshop.socket()).expect("still there"), "precious");
}

#[tokio::test]
async fn only_owner_and_group_may_connect() {
    let daemon = Daemon::start(Workshop::new("")).await;
    let about = std::fs::metadata(daemon.workshop.socket()).expect("the socket");
    assert!(about.file_type().is_socket());
    assert_eq!(about.permissions().mode() & 0o777, 0o660);
}
