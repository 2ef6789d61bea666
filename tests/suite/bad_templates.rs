//! Templates that cannot be read or trusted do not run, say why, and leave the others alone.

use agent_factory::control_plane::template::{Algorithm, keys, signing};
use serde_json::{Value, json};

use crate::harness::{Daemon, KEY_ID, Provider, Workshop, factoryctl, until};

async fn listing(daemon: &Daemon, name: &str) -> Value {
    until(&format!("{name} is looked at"), async || {
        let (status, template) = daemon.get(&format!("/factory/templates/{name}")).await;
        (status == 200).then_some(template)
    })
    .await
}

/// Refused with this in its reasons, and nothing runs from it.
async fn refused(daemon: &Daemon, name: &str, reason: &str) {
    let template = listing(daemon, name).await;
    assert_eq!(template["status"], "refused", "{template}");
    assert!(template["reasons"].to_string().contains(reason), "{template}");
    let (status, problem) = daemon.post("/factory/tasks", &json!({"template_name": name, "input": "x"})).await;
    assert_eq!((status, &problem["code"]), (422, &json!("template_refused")), "{problem}");
    let (status, problem) = daemon.post("/factory/agents", &json!({"template_name": name})).await;
    assert_eq!((status, &problem["code"]), (422, &json!("template_refused")), "{problem}");
}

#[tokio::test]
async fn unreadable_untrusted_and_dangerous_templates_are_refused_and_others_run() {
    let provider = Provider::echo().await;
    let workshop = Workshop::with(&provider, "").worker(json!({}));
    workshop.write("templates/broken.json", "{\"name\": \"broken\",");
    std::fs::write(workshop.path("templates/latin.json"), b"{\"name\": \"caf\xe9\"}").expect("written");
    workshop.write(
        "templates/huge.json",
        &format!("{{\"name\": \"huge\", \"description\": \"{}\"}}", "x".repeat(5_000_000)),
    );
    workshop.write("templates/deep.json", &"[".repeat(100_000));
    std::fs::create_dir(workshop.path("templates/folder.json")).expect("made");
    workshop.unsigned_template("unsigned", json!({}));
    let tampered = workshop.unsigned_template("tampered", json!({}));
    workshop.sign(&tampered);
    workshop.unsigned_template("tampered", json!({"system_prompt": "Obey."}));
    let foreign = workshop.unsigned_template("foreign", json!({}));
    let id = "stranger".parse().expect("a key id");
    let pair = keys::generate(&id, Algorithm::Ed25519, &workshop.path("strangers")).expect("a key");
    signing::sign_file(&foreign, &pair.private).expect("signed");
    let posing = workshop.unsigned_template("posing", json!({}));
    let id = KEY_ID.parse().expect("a key id");
    let pair = keys::generate(&id, Algorithm::Ed25519, &workshop.path("impostors")).expect("a key");
    signing::sign_file(&posing, &pair.private).expect("signed");
    workshop.template("unknown_field", json!({"colour": "red"}));
    workshop.template("orphan", json!({"extends": "nobody"}));
    workshop.template("shell", json!({"tools": ["shell_command"]}));

    let daemon = Daemon::start(workshop).await;
    for (name, reason) in [
        ("broken", "line 1"),
        ("latin", ""),
        ("huge", "bytes"),
        ("deep", ""),
        ("folder", ""),
        ("unsigned", "signature"),
        ("tampered", "signature"),
        ("foreign", "stranger"),
        ("posing", "signature"),
        ("unknown_field", "colour"),
        ("orphan", "nobody"),
        ("shell", "shell_command"),
    ] {
        refused(&daemon, name, reason).await;
    }
    assert_eq!(provider.count(), 0);
    let task = daemon.run("worker", "hello").await;
    assert_eq!(task.output, "echo: hello");
    let failures = daemon.metrics().await;
    assert!(failures.contains("factory_template_signature_failures_total{reason="), "{failures}");
}

#[tokio::test]
async fn a_directory_without_templates_is_no_failure() {
    let workshop = Workshop::new("");
    std::fs::remove_dir(workshop.path("templates")).expect("removed");
    let daemon = Daemon::start(workshop).await;
    let (status, problem) = daemon.post("/factory/tasks", &json!({"template_name": "worker", "input": "x"})).await;
    assert_eq!((status, &problem["code"]), (404, &json!("template_not_found")));
    std::fs::create_dir(daemon.workshop.path("templates")).expect("made");
    daemon.workshop.template("worker", json!({}));
    until("a template in a directory that came later", async || {
        (listing(&daemon, "worker").await["status"] == "published").then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_command_line_signs_verifies_and_validates_without_a_daemon() {
    let workshop = Workshop::new("");
    let none = workshop.path("none.sock");
    let file = workshop.unsigned_template("worker", json!({}));
    let file = file.to_str().expect("text");
    let key = workshop.private_key().to_str().expect("text").to_owned();
    let verify = ["templates", "verify", file, "--keys", "keys", "--json"];

    let unsigned = factoryctl(&none, &verify, "").await;
    assert_eq!(unsigned.code, Some(3), "{} {}", unsigned.out, unsigned.err);
    assert!(unsigned.out.contains("template_signature_invalid"), "{}", unsigned.out);
    let signed = factoryctl(&none, &["templates", "sign", file, "--key", &key, "--json"], "").await;
    assert_eq!(signed.code, Some(0), "{}", signed.err);
    assert_eq!(factoryctl(&none, &verify, "").await.code, Some(0));
    assert_eq!(factoryctl(&none, &["templates", "validate", file], "").await.code, Some(0));

    let wrong = workshop.unsigned_template("wrong", json!({"colour": "red"}));
    let validated = factoryctl(&none, &["templates", "validate", wrong.to_str().expect("text"), "--json"], "").await;
    assert_eq!(validated.code, Some(3), "{}", validated.err);
    assert!(validated.json().to_string().contains("colour"), "{}", validated.out);
}
