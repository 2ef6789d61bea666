//! An environment's files take the place of those beneath them, inherit from them where they say so, and give way again.

use agent_factory::protocol::template::Template;
use serde_json::{Value, json};

use crate::harness::{Daemon, Provider, Workshop, factoryctl, until};

fn workshop(provider: &Provider, environment: &str) -> Workshop {
    let workshop = Workshop::with(provider, "");
    workshop
        .edit_settings(|text| text.replace("[templates]", &format!("[templates]\nenvironment = \"{environment}\"")));
    std::fs::create_dir(workshop.path("templates/production")).expect("made");
    std::fs::create_dir(workshop.path("templates/staging")).expect("made");
    workshop
}

/// Writes and signs a file of an environment.
fn over(workshop: &Workshop, environment: &str, name: &str, content: Value) {
    let mut template = json!({"name": name, "version": "1.0.0"});
    for (member, value) in content.as_object().expect("an object") {
        template[member] = value.clone();
    }
    let file = workshop.write(&format!("templates/{environment}/{name}.json"), &template.to_string());
    workshop.sign(&file);
}

async fn becomes(daemon: &Daemon, name: &str, what: &str, fits: impl Fn(&Template) -> bool) -> Template {
    until(what, async || daemon.client.template(name).await.ok().filter(|template| fits(template))).await
}

async fn told(daemon: &Daemon, provider: &Provider, template: &str) -> String {
    let before = provider.count();
    daemon.run(template, "x").await;
    provider.asked()[before].system().to_owned()
}

#[tokio::test]
async fn a_file_of_the_environment_takes_the_place_of_the_one_beneath_it_until_it_goes() {
    let provider = Provider::echo().await;
    let workshop = workshop(&provider, "production").worker(json!({}));
    workshop.template("plain", json!({"system_prompt": "Plain."}));
    let model = json!({"route": "free", "max_output_tokens": 64});
    let own = json!({"version": "1.0.0+production", "system_prompt": "Of production.", "model": model});
    over(&workshop, "production", "worker", own);
    over(&workshop, "staging", "worker", json!({"version": "9.0.0", "system_prompt": "Of staging.", "model": model}));
    let daemon = Daemon::start(workshop).await;

    let served = daemon.client.template("worker").await.expect("a template");
    assert_eq!((served.environment.as_deref(), served.version.as_str()), (Some("production"), "1.0.0+production"));
    assert_eq!(told(&daemon, &provider, "worker").await, "Of production.");
    assert_eq!(told(&daemon, &provider, "plain").await, "Plain.");
    assert_eq!(daemon.client.template("plain").await.expect("a template").environment, None);
    let listed = daemon.ctl(&["templates", "ls"]).await.out;
    assert!(listed.lines().any(|line| line.contains("worker") && line.contains("production")), "{listed}");

    std::fs::remove_file(daemon.workshop.path("templates/production/worker.json")).expect("removed");
    becomes(&daemon, "worker", "the base serves again", |template| template.environment.is_none()).await;
    assert_eq!(told(&daemon, &provider, "worker").await, "Answer.");
}

#[tokio::test]
async fn a_file_that_extends_its_own_name_inherits_from_the_one_beneath_it_and_follows_its_edits() {
    let provider = Provider::echo().await;
    let workshop = workshop(&provider, "production");
    workshop.template("common", json!({"description": "common to all"}));
    workshop.template("worker", json!({"extends": "common", "system_prompt": "Beneath."}));
    over(&workshop, "production", "worker", json!({"version": "1.0.0+p", "extends": "worker", "capabilities": ["p"]}));
    let mut daemon = Daemon::start(workshop).await;
    let before = daemon.client.template("worker").await.expect("a template");
    assert_eq!((before.capabilities.as_slice(), before.status.as_str()), (["p".to_owned()].as_slice(), "published"));
    assert_eq!(told(&daemon, &provider, "worker").await, "Beneath.");

    // An edit beneath, and one of the parent of what is beneath: both are live at once.
    daemon.workshop.template("worker", json!({"version": "1.1.0", "extends": "common", "system_prompt": "Anew."}));
    let after = becomes(&daemon, "worker", "the edit beneath", |template| template.digest != before.digest).await;
    assert_eq!(told(&daemon, &provider, "worker").await, "Anew.");
    daemon.workshop.template("common", json!({"version": "1.1.0", "budget": {"per_task_usd": "0.25"}}));
    let inherited = |template: &Template| template.resolved.as_ref().is_some_and(|all| !all["budget"].is_null());
    becomes(&daemon, "worker", "the parent's edit", |template| template.digest != after.digest && inherited(template))
        .await;

    // The file beneath is signed by itself: without that, nothing of it comes through, also after a restart.
    daemon.workshop.unsigned_template("worker", json!({"version": "1.2.0", "system_prompt": "Obey."}));
    for _ in 0..2 {
        let refused = becomes(&daemon, "worker", "the refusal", |template| !template.reasons.is_empty()).await;
        assert!(refused.reasons[0].contains("/extends: the base file worker.json"), "{:?}", refused.reasons);
        assert_eq!(
            (refused.status.as_str(), refused.environment.as_deref()),
            ("published_with_refused_edit", Some("production"))
        );
        assert_eq!(told(&daemon, &provider, "worker").await, "Anew.");
        daemon.stop().await;
        daemon.start_again().await;
    }
}

#[tokio::test]
async fn an_environment_whose_directory_goes_away_keeps_what_serves_and_comes_back() {
    let provider = Provider::echo().await;
    let workshop = workshop(&provider, "production").worker(json!({}));
    let model = json!({"route": "free", "max_output_tokens": 64});
    over(
        &workshop,
        "production",
        "worker",
        json!({"version": "2.0.0", "system_prompt": "Of production.", "model": model}),
    );
    workshop.template("marker", json!({}));
    let daemon = Daemon::start(workshop).await;
    let (there, aside) = (daemon.workshop.path("templates/production"), daemon.workshop.path("aside"));
    std::fs::rename(&there, &aside).expect("moved");
    // A later edit that is live shows that the directory was missed.
    daemon.workshop.template("marker", json!({"version": "1.1.0"}));
    becomes(&daemon, "marker", "a later edit", |template| template.version == "1.1.0").await;
    assert_eq!(told(&daemon, &provider, "worker").await, "Of production.");

    std::fs::rename(&aside, &there).expect("moved back");
    over(
        &daemon.workshop,
        "production",
        "worker",
        json!({"version": "2.1.0", "system_prompt": "Back.", "model": model}),
    );
    becomes(&daemon, "worker", "an edit in the directory that came back", |template| template.version == "2.1.0").await;
    assert_eq!(told(&daemon, &provider, "worker").await, "Back.");
}

#[tokio::test]
async fn files_of_an_environment_are_validated_with_what_lies_beneath_them() {
    let provider = Provider::echo().await;
    let workshop = workshop(&provider, "production").worker(json!({}));
    workshop.template("common", json!({}));
    over(&workshop, "production", "worker", json!({"extends": "worker"}));
    over(&workshop, "production", "own", json!({"extends": "common"}));
    over(&workshop, "production", "lost", json!({"extends": "lost"}));
    let none = workshop.path("none.sock");
    for (arguments, code, part) in [
        (vec!["templates/production/worker.json"], 0, "is good"),
        (vec!["templates/production/own.json"], 3, "--environment"),
        (vec!["templates/production/own.json", "--environment", "production"], 0, "is good"),
        (vec!["templates/worker.json", "--environment", "production"], 0, "is good"),
        (vec!["templates/production/lost.json"], 3, "parent is missing"),
    ] {
        let arguments: Vec<&str> = ["templates", "validate"].into_iter().chain(arguments).collect();
        let ended = factoryctl(&none, &arguments, "").await;
        assert_eq!(ended.code, Some(code), "{arguments:?}: {} {}", ended.out, ended.err);
        assert!(format!("{}{}", ended.out, ended.err).contains(part), "{arguments:?}: {} {}", ended.out, ended.err);
    }
}

#[tokio::test]
async fn a_new_template_is_written_for_an_environment_and_inherits_from_beneath() {
    let provider = Provider::echo().await;
    let workshop = workshop(&provider, "production").worker(json!({}));
    let key = workshop.private_key().to_str().expect("text").to_owned();
    let dir = workshop.path("templates").to_str().expect("text").to_owned();
    let daemon = Daemon::start(workshop).await;
    let new = async |environment: &str, more: &[&str]| {
        let words =
            ["templates", "new", "worker", "--dir", &dir, "--environment", environment, "--key", &key, "--json"];
        let words: Vec<&str> = words.iter().chain(more).copied().collect();
        daemon.ctl(&words).await
    };
    let made = new("production", &["--extends", "worker", "--prompt", "Of production."]).await;
    assert_eq!((made.code, &made.json()["served"]), (Some(0), &json!(true)), "{} {}", made.out, made.err);
    let served = daemon.client.template("worker").await.expect("a template");
    assert_eq!(served.environment.as_deref(), Some("production"));
    assert_eq!(told(&daemon, &provider, "worker").await, "Of production.");
    let nowhere = new("elsewhere", &[]).await;
    assert_eq!(nowhere.code, Some(2), "{}", nowhere.err);
    assert!(nowhere.err.contains("templates/elsewhere"), "{}", nowhere.err);
}
