//! A bad template is live: going back is one command, sticks through edits and `kill -9`, and is in the audit log.

use agent_factory::protocol::template::RollBack;
use serde_json::json;

use crate::harness::{Daemon, Provider, Workshop, code, until};

fn to(version: &str) -> RollBack {
    RollBack { version: Some(version.to_owned()), digest: None }
}

/// A daemon whose template `worker` was published as 1.0.0 and 1.1.0, and serves the latter.
async fn twice(provider: &Provider) -> Daemon {
    let daemon = Daemon::start(Workshop::with(provider, "").worker(json!({}))).await;
    edit(&daemon, "1.1.0", "Answer worse.").await;
    serves(&daemon, "1.1.0").await;
    daemon
}

async fn edit(daemon: &Daemon, version: &str, prompt: &str) {
    daemon.workshop.template("worker", json!({"version": version, "system_prompt": prompt}));
}

async fn serves(daemon: &Daemon, version: &str) {
    until("the version", async || daemon.client.template("worker").await.ok().filter(|it| it.version == version)).await;
}

#[tokio::test]
async fn going_back_survives_edits_and_a_crash_until_it_is_lifted() {
    let provider = Provider::echo().await;
    let mut daemon = twice(&provider).await;
    let back = daemon.client.roll_back("worker", &to("1.0.0")).await.expect("rolled back");
    assert_eq!((back.status.as_str(), back.version.as_str()), ("rolled_back", "1.0.0"));
    assert_eq!(back.pending.as_deref(), Some("1.1.0"));
    let mark = back.rolled_back.expect("who went back");
    assert_eq!((mark.from.as_deref(), mark.version.as_str()), (Some("1.1.0"), "1.0.0"));
    // Whoever was answered finds it so.
    assert_eq!(daemon.run("worker", "x").await.template_version, "1.0.0");

    edit(&daemon, "1.2.0", "Answer better.").await;
    let held = until("the edit is held", async || {
        daemon.client.template("worker").await.ok().filter(|it| it.pending.as_deref() == Some("1.2.0"))
    })
    .await;
    assert_eq!(held.version, "1.0.0");
    daemon.kill9();
    daemon.start_again().await;
    assert_eq!(daemon.run("worker", "x").await.template_version, "1.0.0");
    let shown = daemon.client.template("worker").await.expect("a template");
    assert_eq!((shown.status.as_str(), shown.pending.as_deref()), ("rolled_back", Some("1.2.0")));

    let lifted = daemon.client.lift_rollback("worker").await.expect("lifted");
    assert_eq!((lifted.status.as_str(), lifted.version.as_str()), ("published", "1.2.0"));
    assert_eq!(daemon.run("worker", "x").await.template_version, "1.2.0");
    let systems: Vec<String> = provider.asked().iter().map(|call| call.system().to_owned()).collect();
    assert_eq!(systems, ["Answer.", "Answer.", "Answer better."]);

    let versions = daemon.client.versions("worker").await.expect("versions").items;
    let told: Vec<(&str, Vec<&str>)> = versions
        .iter()
        .map(|it| (it.version.as_str(), it.publications.iter().map(|it| it.cause.as_str()).collect()))
        .collect();
    let expected = [("1.2.0", vec!["lifted"]), ("1.1.0", vec!["edited"]), ("1.0.0", vec!["rolled_back", "edited"])];
    assert_eq!(told, expected);
    assert!(versions.iter().all(|it| it.by.is_some() && it.policy_digest.as_ref().is_some_and(|it| it.len() == 64)));

    let (_, audit) = daemon.get("/factory/audit").await;
    let actions: Vec<&str> =
        audit["items"].as_array().expect("entries").iter().filter_map(|it| it["action"].as_str()).collect();
    let about: Vec<&&str> = actions.iter().filter(|it| it.contains("rollback")).collect();
    assert_eq!(about, [&"rollback_template", &"lift_rollback"], "{audit}");
}

#[tokio::test]
async fn an_earlier_file_is_refused_and_told_how_to_go_back() {
    let provider = Provider::echo().await;
    let mut daemon = twice(&provider).await;
    edit(&daemon, "1.0.0", "Answer.").await;
    for round in ["at once", "after a restart"] {
        let refused = until("the refusal", async || {
            daemon.client.template("worker").await.ok().filter(|it| !it.reasons.is_empty())
        })
        .await;
        assert_eq!(
            (refused.version.as_str(), refused.status.as_str()),
            ("1.1.0", "published_with_refused_edit"),
            "{round}"
        );
        assert!(refused.reasons[0].contains("factoryctl templates rollback worker 1.0.0"), "{:?}", refused.reasons);
        daemon.kill9();
        daemon.start_again().await;
    }
    // The file is the version now that somebody goes back to it.
    let back = daemon.client.roll_back("worker", &to("1.0.0")).await.expect("rolled back");
    assert_eq!((back.version.as_str(), back.reasons.len(), back.pending), ("1.0.0", 0, None));
}

#[tokio::test]
async fn what_cannot_be_gone_back_to_is_refused_with_its_code() {
    let provider = Provider::echo().await;
    let daemon = twice(&provider).await;
    let client = &daemon.client;
    assert_eq!(code(client.roll_back("nobody", &to("1.0.0")).await), (404, "template_not_found".to_owned()));
    assert_eq!(code(client.roll_back("worker", &to("9.9.9")).await), (404, "template_version_not_found".to_owned()));
    for body in [
        json!({}),
        json!({"version": "1.0.0", "digest": "00000000"}),
        json!({"digest": "0000"}),
        json!({"digest": "not hexadecimal"}),
        json!({"version": "1.0.0", "more": 1}),
    ] {
        assert_eq!(daemon.post("/factory/templates/worker/rollback", &body).await.0, 400, "{body}");
    }
    let shown = client.template("worker").await.expect("a template");
    assert_eq!((shown.version.as_str(), shown.status.as_str()), ("1.1.0", "published"));
}

#[tokio::test]
async fn the_command_line_goes_back_compares_and_tells_the_history() {
    let provider = Provider::echo().await;
    let daemon = twice(&provider).await;
    let diff = daemon.ctl(&["templates", "diff", "worker"]).await;
    assert_eq!(diff.code, Some(0), "{}", diff.err);
    assert!(diff.out.contains("/system_prompt") && diff.out.contains("+ \"Answer worse.\""), "{}", diff.out);
    let diff = daemon.ctl(&["--json", "templates", "diff", "worker", "1.0.0", "current"]).await.json();
    let pointers: Vec<&str> =
        diff["changes"].as_array().expect("changes").iter().filter_map(|it| it["pointer"].as_str()).collect();
    assert_eq!(pointers, ["/system_prompt", "/version"], "{diff}");

    let back = daemon.ctl(&["templates", "rollback", "worker", "1.0.0"]).await;
    assert_eq!(back.code, Some(0), "{}", back.err);
    assert!(back.out.contains("worker serves 1.0.0") && back.out.contains("--lift"), "{}", back.out);
    let history = daemon.ctl(&["templates", "history", "worker"]).await;
    assert!(history.out.contains("edited, rolled_back") && history.out.contains("WHY"), "{}", history.out);
    let held = daemon.ctl(&["--json", "templates", "diff", "worker", "current", "file"]).await.json();
    assert_eq!((&held["from"]["version"], &held["to"]["version"]), (&json!("1.0.0"), &json!("1.1.0")));
    let old = daemon.ctl(&["--json", "templates", "show", "worker", "--version", "1.1.0"]).await.json();
    assert_eq!((&old["status"], &old["resolved"]["system_prompt"]), (&json!("superseded"), &json!("Answer worse.")));
    let lifted = daemon.ctl(&["templates", "rollback", "worker", "--lift"]).await;
    assert!(lifted.out.contains("worker serves 1.1.0"), "{}{}", lifted.out, lifted.err);
    let neither = daemon.ctl(&["templates", "rollback", "worker"]).await;
    assert_eq!(neither.code, Some(2), "{}", neither.err);
}

#[tokio::test]
async fn versions_come_in_pages() {
    let provider = Provider::echo().await;
    let daemon = twice(&provider).await;
    let (_, first) = daemon.get("/factory/templates/worker/versions?limit=1").await;
    assert_eq!(first["items"][0]["version"], "1.1.0");
    let next = first["next"].as_str().expect("a next page");
    let (_, second) = daemon.get(&format!("/factory/templates/worker/versions?limit=1&after={next}")).await;
    assert_eq!((&second["items"][0]["version"], &second["next"]), (&json!("1.0.0"), &json!(null)));
    assert_eq!(daemon.get("/factory/templates/worker/versions?after=nothing").await.0, 400);
}
