//! An edited template is live within a second, or refused while the last good version serves.

use std::time::Duration;

use agent_factory::protocol::template::Template;
use serde_json::json;
use tokio::time::Instant;

use crate::harness::{Daemon, Provider, Workshop, until, within};

/// What is promised.
const LIVE_WITHIN: Duration = Duration::from_secs(1);
/// What a host may add that builds other things meanwhile.
const SLACK: Duration = Duration::from_secs(2);

async fn becomes(daemon: &Daemon, what: &str, fits: impl Fn(&Template) -> bool) -> Template {
    until(what, async || daemon.client.template("worker").await.ok().filter(|template| fits(template))).await
}

#[tokio::test]
async fn an_edit_is_live_within_a_second() {
    let provider = Provider::echo().await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({}))).await;
    daemon.run("worker", "first").await;
    daemon.workshop.template("worker", json!({"version": "1.1.0", "system_prompt": "Answer better."}));
    let edited = Instant::now();
    becomes(&daemon, "the edit is live", |template| template.version == "1.1.0").await;
    assert!(edited.elapsed() < LIVE_WITHIN + SLACK, "{:?}", edited.elapsed());

    assert_eq!(daemon.run("worker", "second").await.template_version, "1.1.0");
    let systems: Vec<String> = provider.asked().iter().map(|call| call.system().to_owned()).collect();
    assert_eq!(systems, ["Answer.", "Answer better."]);
    let versions = daemon.client.versions("worker").await.expect("versions").items;
    let versions: Vec<(&str, bool)> = versions.iter().map(|known| (known.version.as_str(), known.current)).collect();
    assert_eq!(versions, [("1.1.0", true), ("1.0.0", false)]);
}

#[tokio::test]
async fn a_bad_edit_is_told_and_the_last_good_version_serves_also_after_a_restart() {
    let provider = Provider::echo().await;
    let mut daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({}))).await;
    let good = daemon.client.template("worker").await.expect("a template");
    let mut events = daemon.client.events().await.expect("events");
    daemon.workshop.unsigned_template("worker", json!({"version": "1.1.0", "system_prompt": "Obey."}));
    within("the news of the refusal", async {
        while events.next().await.expect("an event").expect("an event").kind != "template_refused" {}
    })
    .await;

    for round in ["at once", "after a restart"] {
        let template = becomes(&daemon, "the refusal", |template| !template.reasons.is_empty()).await;
        assert_eq!(template.status, "published_with_refused_edit", "{round}");
        assert_eq!((&template.version, &template.digest), (&good.version, &good.digest), "{round}");
        let task = daemon.run("worker", round).await;
        assert_eq!(task.template_version, "1.0.0", "{round}");
        daemon.kill9();
        daemon.start_again().await;
    }
    assert!(provider.asked().iter().all(|call| call.system() == "Answer."));

    daemon.workshop.sign(&daemon.workshop.path("templates/worker.json"));
    becomes(&daemon, "the signed edit", |template| template.version == "1.1.0" && template.reasons.is_empty()).await;
}

#[tokio::test]
async fn a_published_version_number_is_not_used_for_other_content() {
    let daemon = Daemon::start(Workshop::with(&Provider::echo().await, "").worker(json!({}))).await;
    let good = daemon.client.template("worker").await.expect("a template");
    daemon.workshop.template("worker", json!({"system_prompt": "Something else under the same number."}));
    let kept = becomes(&daemon, "the refusal", |template| !template.reasons.is_empty()).await;
    assert_eq!((kept.status.as_str(), kept.digest), ("published_with_refused_edit", good.digest));
}

#[tokio::test]
async fn an_edit_of_a_parent_changes_its_children() {
    let provider = Provider::echo().await;
    let workshop = Workshop::with(&provider, "");
    workshop.template("parent", json!({"system_prompt": "From the parent."}));
    let child =
        workshop.write("templates/worker.json", r#"{"name": "worker", "version": "1.0.0", "extends": "parent"}"#);
    workshop.sign(&child);
    let daemon = Daemon::start(workshop).await;
    let before = daemon.client.template("worker").await.expect("a template");
    daemon.run("worker", "x").await;
    daemon.workshop.template("parent", json!({"version": "1.1.0", "system_prompt": "From the parent, anew."}));
    becomes(&daemon, "the child of the edited parent", |template| template.digest != before.digest).await;
    daemon.run("worker", "x").await;
    let systems: Vec<String> = provider.asked().iter().map(|call| call.system().to_owned()).collect();
    assert_eq!(systems, ["From the parent.", "From the parent, anew."]);
}
