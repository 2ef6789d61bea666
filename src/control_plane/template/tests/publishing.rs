//! The actor over a real directory: edits go live, mistakes cost nothing.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use super::super::refresh::refresh;
use super::super::signing::sign_file;
use super::super::source::scope::Scope;
use super::super::{Algorithm, Error, Status, Templates, keys};
use super::rig::{Rig, name, template, write};
use crate::control_plane::policy::{Policies, Policy};
use crate::domain::failure::Failure;

#[tokio::test(flavor = "multi_thread")]
async fn the_first_look_is_over_when_the_actor_has_started() {
    let rig = Rig::new();
    rig.put("a", &template("a", "1.0.0"));
    let (templates, make) = rig.wire();
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = told.clone();
    templates.on_publish(Arc::new(move |template| listener.lock().expect("whole").push(template.name.to_string())));
    assert!(matches!(templates.get(&name("a")), Err(Error::NotReady)));
    assert!(!templates.ready());
    let news = rig.events.subscribe();
    let running = rig.run(templates, make, news).await;
    assert!(running.templates.ready());
    let served = running.templates.get(&name("a")).expect("served");
    assert_eq!(served.signer.as_ref().map(|signer| signer.key_id.as_str()), Some("ops"));
    assert_eq!(*told.lock().expect("whole"), ["a"]);
    assert_eq!(running.templates.templates_loaded(), 1);
    assert!(matches!(running.templates.get(&name("b")), Err(Error::NotFound(_))));
    assert!(running.templates.get(&name("a")).is_ok());
    assert!((running.templates.cache_hit_rate() - 1.0 / 4.0).abs() < 1e-9, "one of four found it compiled");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_goes_live_and_a_bad_edit_keeps_the_last_good() {
    let rig = Rig::new();
    let mut running = rig.start().await;
    rig.put("a", &template("a", "1.0.0"));
    running.until("a", |listing| listing.status == Status::Published).await;
    rig.put("a", &template("a", "1.1.0"));
    running.until("a", |listing| listing.template.as_ref().is_some_and(|t| t.version.as_str() == "1.1.0")).await;

    // Changed after signing.
    rig.write("a", &template("a", "1.2.0"));
    let refused = running.until("a", |listing| listing.status == Status::PublishedWithRefusedEdit).await;
    assert!(refused.reasons[0].contains("does not fit the content"), "{:?}", refused.reasons);
    assert_eq!(refused.file_version.map(|version| version.to_string()).as_deref(), Some("1.2.0"));
    assert_eq!(running.version("a"), "1.1.0");

    // Taken back.
    rig.put("a", &template("a", "1.1.0"));
    running.until("a", |listing| listing.status == Status::Published && listing.reasons.is_empty()).await;

    // Withdrawn; a task that began with it goes on.
    let digest = running.templates.get(&name("a")).expect("served").digest;
    std::fs::remove_file(rig.path("a")).expect("removed");
    running.until_gone("a").await;
    assert!(matches!(running.templates.get(&name("a")), Err(Error::NotFound(_))));
    let pinned = running.templates.pinned(&name("a"), &digest).await.expect("stored");
    assert_eq!((pinned.version.as_str(), pinned.digest), ("1.1.0", digest));
    assert!(matches!(running.templates.pinned(&name("b"), &digest).await, Err(Error::VersionNotFound { .. })));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_refused_until_its_signature_arrives() {
    let rig = Rig::new();
    let mut running = rig.start().await;
    let path = rig.write("a", &template("a", "1.0.0"));
    let refused = running.until("a", |listing| listing.status == Status::Refused).await;
    assert!(refused.reasons[0].contains("no signature"), "{:?}", refused.reasons);
    let error = running.templates.get(&name("a")).expect_err("refused");
    assert_eq!(error.code(), "template_refused");
    sign_file(&path, &rig.keys.private).expect("signed");
    running.until("a", |listing| listing.status == Status::Published).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_editor_that_writes_by_rename_is_seen() {
    let rig = Rig::new();
    let mut running = rig.start().await;
    let aside = write(&rig.templates_dir().join(".a.json.swp"), &template("a", "1.0.0").to_string());
    sign_file(&aside, &rig.keys.private).expect("signed");
    std::fs::rename(rig.templates_dir().join(".a.json.swp.sig"), rig.templates_dir().join("a.json.sig"))
        .expect("renamed");
    std::fs::rename(aside, rig.path("a")).expect("renamed");
    running.until("a", |listing| listing.status == Status::Published).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_version_never_changes_also_across_a_restart() {
    let rig = Rig::new();
    rig.put("a", &template("a", "1.0.0"));
    let first = rig.start().await;
    let published_at = first.templates.get(&name("a")).expect("served").published_at;
    first.stop().await;

    let mut other = template("a", "1.0.0");
    other["system_prompt"] = json!("Something else.");
    rig.put("a", &other);
    let mut second = rig.start().await;
    let listing = second.templates.listing(&name("a")).expect("listed");
    assert_eq!(listing.status, Status::PublishedWithRefusedEdit, "{:?}", listing.reasons);
    assert!(listing.reasons[0].contains("raise the number"), "{:?}", listing.reasons);
    let served = second.templates.get(&name("a")).expect("the last good serves after a restart");
    assert_eq!((served.system_prompt.expose(), served.published_at), ("Answer.", published_at));

    rig.put("a", &{
        other["version"] = json!("1.0.1");
        other
    });
    second.until("a", |listing| listing.status == Status::Published).await;
    let versions = second.templates.versions(&name("a")).await.expect("stored");
    let told: Vec<(&str, bool)> = versions.iter().map(|v| (v.version.as_str(), v.current)).collect();
    assert_eq!(told, [("1.0.1", true), ("1.0.0", false)]);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_parent_carries_its_descendants_along() {
    let rig = Rig::new();
    let child = json!({"name": "child", "version": "1.0.0", "extends": "base"});
    rig.put("child", &child);
    rig.put("base", &template("base", "1.0.0"));
    let mut running = rig.start().await;
    let before = running.templates.get(&name("child")).expect("served");
    assert_eq!(before.system_prompt.expose(), "Answer.");
    let mut parent = template("base", "1.1.0");
    parent["system_prompt"] = json!("From the parent.");
    rig.put("base", &parent);
    running.until("base", |listing| listing.template.as_ref().is_some_and(|t| t.version.as_str() == "1.1.0")).await;
    // In the same swap.
    let after = running.templates.get(&name("child")).expect("served");
    assert_eq!((after.system_prompt.expose(), after.version.as_str()), ("From the parent.", "1.0.0"));
    assert_ne!(after.digest, before.digest);
    let pinned = running.templates.pinned(&name("child"), &before.digest).await.expect("stored");
    assert_eq!(pinned.system_prompt.expose(), "Answer.");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_taken_away_stops_what_it_signed_and_a_new_one_starts_it() {
    let rig = Rig::new();
    rig.put("a", &template("a", "1.0.0"));
    let mut running = rig.start().await;
    let aside = rig.templates_dir().join("../ops.aside");
    std::fs::rename(&rig.keys.public, &aside).expect("moved");
    let refused = running.until("a", |listing| listing.status == Status::Refused).await;
    assert!(refused.reasons[0].contains("ops, which is not trusted"), "{:?}", refused.reasons);
    std::fs::rename(&aside, &rig.keys.public).expect("moved back");
    running.until("a", |listing| listing.status == Status::Published).await;

    // After a restart the last good version is not served either, if its key is gone.
    running.stop().await;
    std::fs::remove_file(&rig.keys.public).expect("removed");
    let second = rig.start().await;
    assert!(matches!(second.templates.get(&name("a")), Err(Error::Refused { .. })));
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_missing_is_picked_up_when_it_appears() {
    let rig = Rig::new();
    std::fs::remove_dir(rig.templates_dir()).expect("removed");
    let mut running = rig.start().await;
    assert!(running.templates.ready() && running.templates.list().is_empty());
    std::fs::create_dir(rig.templates_dir()).expect("created");
    rig.put("a", &template("a", "1.0.0"));
    running.until("a", |listing| listing.status == Status::Published).await;

    // Taken away as a whole: what serves goes on; and its successor is watched.
    let aside = rig.templates_dir().with_file_name("aside");
    std::fs::rename(rig.templates_dir(), &aside).expect("moved");
    std::fs::create_dir(rig.templates_dir()).expect("created");
    rig.put("a", &template("a", "2.0.0"));
    running.until("a", |listing| listing.template.as_ref().is_some_and(|t| t.version.as_str() == "2.0.0")).await;
    running.stop().await;
}

/// Nobody tells the actor but the look-up: the keys that it verifies with are those of the snapshot, and the actor reads them
/// anew.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_verified_when_it_is_activated_is_refused_and_looked_at_again() {
    let mut rig = Rig::new();
    rig.settings.cache_ttl = Duration::ZERO;
    rig.put("a", &template("a", "1.0.0"));
    let mut running = rig.start().await;
    assert_eq!(running.version("a"), "1.0.0");
    running.distrust();
    std::fs::remove_file(&rig.keys.public).expect("removed");
    let refused = running.templates.get(&name("a")).expect_err("not trusted");
    assert_eq!(refused.code(), "template_refused");
    assert!(refused.to_string().contains("ops, which is not trusted"), "{refused}");
    running.until("a", |listing| listing.status == Status::Refused).await;
    running.stop().await;
}

/// Without any watch: the key is read anew for the one template whose verification failed.
#[tokio::test(flavor = "multi_thread")]
async fn a_verification_that_fails_again_stops_the_template() {
    let rig = Rig::new();
    rig.put("a", &template("a", "1.0.0"));
    let workshop = rig.workshop();
    let looked = refresh(workshop.clone(), Arc::default(), Scope::all(), None).await.expect("looked");
    std::fs::remove_file(&rig.keys.public).expect("removed");
    let scope = Scope { doubted: [name("a")].into(), ..Scope::default() };
    let looked = refresh(workshop, Arc::new(looked.known), scope, None).await.expect("looked");
    assert!(looked.known.catalog.entries[&name("a")].good.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_validation_unsigned_templates_run() {
    let mut rig = Rig::new();
    rig.settings.enable_signature_validation = false;
    rig.write("a", &template("a", "1.0.0"));
    let running = rig.start().await;
    assert_eq!(running.templates.get(&name("a")).expect("served").signer, None);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_bad_file_is_refused_by_name_and_the_rest_serves() {
    let rig = Rig::new();
    rig.put("good", &template("good", "1.0.0"));
    rig.put("shelly", &json!({"name": "shelly", "version": "1.0.0", "system_prompt": "p", "tools": ["shell_command"]}));
    rig.put("misnamed", &template("other", "1.0.0"));
    rig.put("orphan", &json!({"name": "orphan", "version": "1.0.0", "extends": "nobody"}));
    rig.put("empty", &json!({"name": "empty", "version": "1.0.0"}));
    rig.put("ringa", &json!({"name": "ringa", "version": "1.0.0", "extends": "ringb"}));
    rig.put("ringb", &json!({"name": "ringb", "version": "1.0.0", "extends": "ringa"}));
    write(&rig.path("torn"), "{\"name\": \"torn\", ");
    write(&rig.path("huge"), &" ".repeat(super::super::TEMPLATE_BYTES_MAX + 1));
    std::fs::create_dir(rig.path("directory")).expect("created");
    let elsewhere = tempfile::tempdir().expect("a directory");
    let eve = keys::generate(&"eve".parse().expect("id"), Algorithm::Ed25519, elsewhere.path()).expect("keys");
    rig.write("forged", &template("forged", "1.0.0"));
    sign_file(&rig.path("forged"), &eve.private).expect("signed");
    let running = rig.start().await;
    for (bad, part) in [
        ("shelly", "policy dangerous_tool"),
        ("misnamed", "the name must be misnamed"),
        ("orphan", "the parent is missing: orphan -> nobody"),
        ("empty", "/system_prompt: missing"),
        ("ringa", "ringa -> ringb -> ringa"),
        ("ringb", "ringb -> ringa -> ringb"),
        ("torn", "not JSON"),
        ("huge", "larger than"),
        ("directory", "not a regular file"),
        ("forged", "the key eve, which is not trusted"),
    ] {
        let listing = running.templates.listing(&name(bad)).expect("listed");
        assert_eq!(listing.status, Status::Refused, "{bad}");
        assert!(listing.reasons.join("\n").contains(part), "{bad}: {:?}", listing.reasons);
    }
    assert_eq!(running.templates.templates_loaded(), 1);
    assert_eq!(running.templates.by_capability(&"work".parse().expect("a capability")).len(), 1);
    running.stop().await;
}

// INVARIANT I66
#[tokio::test(flavor = "multi_thread")]
async fn another_policy_judges_every_published_template_again() {
    const NO_WORK: &str = r#"package operator.template

deny contains {"rule": "idle", "message": "nobody works"} if { "work" in input.template.capabilities }"#;
    let rig = Rig::new();
    for template_name in ["a", "b"] {
        rig.put(template_name, &template(template_name, "1.0.0"));
    }
    let policies = Policies::fixed(Policy::shipped());
    let (settings, directory) = (rig.settings.clone(), rig.templates_dir());
    let (templates, make) =
        Templates::wire(settings, directory, rig.store.clone(), policies.clone(), rig.events.clone());
    let news = rig.events.subscribe();
    let mut running = rig.run(templates, make, news).await;
    policies.replace(Policy::written(NO_WORK));
    for template_name in ["a", "b"] {
        let refused = running.until(template_name, |listing| listing.status == Status::Refused).await;
        assert_eq!(refused.reasons, ["policy idle: nobody works"]);
    }
    policies.replace(Policy::shipped());
    for template_name in ["a", "b"] {
        let back = running.until(template_name, |listing| listing.status == Status::Published).await;
        assert!(back.reasons.is_empty());
    }
    running.stop().await;
}
