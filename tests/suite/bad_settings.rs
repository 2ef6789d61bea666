//! Settings that make no sense start nothing, and all their mistakes are told at once, each with its place.

use serde_json::json;

use crate::harness::{Daemon, Workshop, factoryd};

#[tokio::test]
async fn an_unknown_setting_is_told_with_its_place_and_nothing_starts() {
    let workshop = Workshop::new("[nonsense]\nx = 1\n");
    for arguments in [&["--check-config"][..], &[]] {
        let ended = factoryd(&workshop, arguments).await;
        assert_eq!(ended.code, Some(2), "{}", ended.err);
        assert!(ended.err.contains("factoryd.toml:") && ended.err.contains("nonsense"), "{}", ended.err);
        assert_eq!(ended.out, "");
    }
    assert!(!workshop.socket().exists() && !workshop.path("data").exists(), "it has left something behind");
}

#[tokio::test]
async fn all_mistakes_are_told_together() {
    let workshop = Workshop::new("lost = [\"nobody/model\"]\n[api]\ntcp = \"0.0.0.0:80\"\nbody_bytes_maxx = 5\n");
    let ended = factoryd(&workshop, &["--check-config"]).await;
    assert_eq!(ended.code, Some(2));
    for mistake in ["routes.lost", "api.tcp", "body_bytes_maxx"] {
        assert!(ended.err.contains(mistake), "{mistake} is missing: {}", ended.err);
    }
}

#[tokio::test]
async fn settings_that_are_not_toml_are_told_with_their_line() {
    let workshop = Workshop::new("[api\n");
    let ended = factoryd(&workshop, &["--check-config"]).await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("factoryd.toml:"), "{}", ended.err);
}

#[tokio::test]
async fn a_settings_file_that_is_not_there_is_told() {
    let workshop = Workshop::new("");
    std::fs::remove_file(workshop.settings()).expect("removed");
    let ended = factoryd(&workshop, &[]).await;
    assert_eq!(ended.code, Some(2), "{}", ended.err);
    assert!(ended.err.contains("factoryd.toml"), "{}", ended.err);
}

#[tokio::test]
async fn an_unknown_flag_is_a_usage_error() {
    let ended = factoryd(&Workshop::new(""), &["--no-such-flag"]).await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("--no-such-flag"), "{}", ended.err);
}

#[tokio::test]
async fn checking_good_settings_says_what_they_come_to_and_starts_nothing() {
    let workshop = Workshop::new("[api]\ntcp = \"127.0.0.1:8001\"\n");
    let ended = factoryd(&workshop, &["--check-config"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.out.contains("127.0.0.1:8001") && ended.out.contains("control.sock"), "{}", ended.out);
    assert!(!workshop.socket().exists() && !workshop.path("data").exists());
}

#[tokio::test]
async fn wrong_settings_on_hang_up_leave_the_old_ones_in_force() {
    let mut daemon = Daemon::start(Workshop::new("[budgets.global]\nlimit_usd = \"3.00\"\nwindow = \"total\"\n")).await;
    daemon.workshop.edit_settings(|text| text.replace("limit_usd = \"3.00\"", "limit_usd = \"three\""));
    daemon.signal(rustix::process::Signal::HUP);
    crate::harness::until("the mistake in the log", async || {
        daemon.workshop.log().contains("the settings are wrong").then_some(())
    })
    .await;
    let (_, budget) = daemon.get("/factory/budgets/global").await;
    assert_eq!(budget["limit_usd"], json!("3.00"));
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_limit_that_is_changed_in_the_settings_is_in_force_after_a_hang_up() {
    let daemon = Daemon::start(Workshop::new("[budgets.global]\nlimit_usd = \"3.00\"\nwindow = \"total\"\n")).await;
    daemon.workshop.edit_settings(|text| text.replace("3.00", "4.00"));
    daemon.signal(rustix::process::Signal::HUP);
    crate::harness::until("the new limit", async || {
        let (_, budget) = daemon.get("/factory/budgets/global").await;
        (budget["limit_usd"] == json!("4.00")).then_some(())
    })
    .await;
}
