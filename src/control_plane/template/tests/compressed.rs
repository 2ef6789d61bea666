//! Templates that are compressed: in the directory, in memory, and in the store.

use serde_json::{Value, json};

use super::super::Status;
use super::super::signing::{Layout, Validated, sign_file, signature_path, validate_file, verify_file};
use super::super::trust::TrustStore;
use super::rig::{Rig, name, template, write};
use crate::control_plane::policy::Policy;

fn put_compressed(rig: &Rig, file: &str, content: &Value) -> std::path::PathBuf {
    let path = rig.templates_dir().join(format!("{file}.json.zst"));
    let frame = zstd::bulk::compress(content.to_string().as_bytes(), 19).expect("compressed");
    std::fs::write(&path, frame).expect("written");
    sign_file(&path, &rig.keys.private).expect("signed");
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_file_serves_as_a_plain_one_does() {
    let rig = Rig::new();
    put_compressed(&rig, "base", &template("base", "1.0.0"));
    rig.put("child", &json!({"name": "child", "version": "1.0.0", "extends": "base"}));
    let mut running = rig.start().await;
    assert_eq!((running.version("base"), running.version("child")), ("1.0.0".to_owned(), "1.0.0".to_owned()));
    assert!(rig.path("base").with_extension("json.sig").exists(), "the signature is that of the content");
    // Edits are seen, and a bad one keeps the last good.
    let path = put_compressed(&rig, "base", &template("base", "1.1.0"));
    running.until("base", |listing| listing.template.as_ref().is_some_and(|t| t.version.as_str() == "1.1.0")).await;
    std::fs::write(&path, b"not zstd").expect("written");
    let refused = running.until("base", |listing| listing.status == Status::PublishedWithRefusedEdit).await;
    assert!(refused.reasons[0].contains("does not begin as zstd does"), "{:?}", refused.reasons);
    assert_eq!(running.version("base"), "1.1.0");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_files_for_one_name_are_refused_and_the_last_good_serves() {
    let rig = Rig::new();
    rig.put("a", &template("a", "1.0.0"));
    let mut running = rig.start().await;
    let path = put_compressed(&rig, "a", &template("a", "1.1.0"));
    let refused = running.until("a", |listing| listing.status == Status::PublishedWithRefusedEdit).await;
    assert!(refused.reasons[0].contains("there are both a.json and a.json.zst"), "{:?}", refused.reasons);
    assert_eq!(running.version("a"), "1.0.0");
    std::fs::remove_file(rig.path("a")).expect("removed");
    running.until("a", |listing| listing.template.as_ref().is_some_and(|t| t.version.as_str() == "1.1.0")).await;
    std::fs::remove_file(path).expect("removed");
    running.until_gone("a").await;
    running.stop().await;
}

fn validated(path: &std::path::Path) -> Result<Validated, super::super::Error> {
    validate_file(path, &Layout::around(path, None), &Policy::shipped())
}

#[test]
fn compressed_files_are_signed_verified_and_validated_by_name() {
    let rig = Rig::new();
    let path = put_compressed(&rig, "a", &template("a", "1.0.0"));
    assert_eq!(signature_path(&path), rig.templates_dir().join("a.json.sig"));
    let trust = TrustStore::read(rig.keys.public.parent(), None);
    let verified = verify_file(&path, &trust, crate::domain::clock::Timestamp::now()).expect("verified");
    assert_eq!(verified.signer.key_id.as_str(), "ops");
    // The same signature fits the plain file.
    let plain = write(&rig.path("a"), &template("a", "1.0.0").to_string());
    assert_eq!(
        verify_file(&plain, &trust, crate::domain::clock::Timestamp::now()).expect("verified").digest,
        verified.digest
    );
    std::fs::remove_file(&plain).expect("removed");
    assert_eq!(validated(&path).expect("good").name, name("a"));
    let child = write(&rig.path("child"), &json!({"name": "child", "version": "1.0.0", "extends": "a"}).to_string());
    validated(&child).expect("its parent is compressed");
    let torn = rig.templates_dir().join("torn.json.zst");
    std::fs::write(&torn, &std::fs::read(&path).expect("read")[..20]).expect("written");
    let told = validated(&torn).expect_err("torn").to_string();
    assert!(told.contains("cut short or damaged"), "{told}");
}

/// INVARIANT I68: published content is read back also after a restart, whatever dictionary it was compressed with.
#[tokio::test(flavor = "multi_thread")]
async fn a_dictionary_is_trained_on_the_first_load_of_many_and_found_again_after_a_restart() {
    let mut rig = Rig::new();
    rig.settings.enable_signature_validation = false;
    let prompt = |n: usize| format!("You are the assistant number {n} of team {}. Answer from the material.", n % 7);
    let of = |n: usize| {
        json!({"name": format!("t{n}"), "version": "1.0.0", "system_prompt": prompt(n), "capabilities": [format!("work_{}", n % 9)],
            "supervision": {"restart": "transient", "intensity": 5, "period": "60s"}, "memory": {"history": n % 30}})
    };
    rig.write("early", &template("early", "1.0.0"));
    let running = rig.start().await;
    let early = running.templates.get(&name("early")).expect("served").digest;
    running.stop().await;
    for n in 0..300 {
        rig.write(&format!("t{n}"), &of(n));
    }
    let running = rig.start().await;
    let listing = running.templates.listing(&name("t7")).expect("listed");
    let trained = format!("{:?}", listing.packed.as_ref().expect("published"));
    let shipped = format!("{:?}", super::super::Dictionary::shipped());
    assert!(!trained.contains(&shipped), "{trained}");
    assert_eq!(listing.resolved().expect("whole").expect("published")["system_prompt"], prompt(7));
    let digest = running.templates.get(&name("t7")).expect("served").digest;
    running.stop().await;

    std::fs::remove_file(rig.path("t7")).expect("removed");
    std::fs::remove_file(rig.path("early")).expect("removed");
    let again = rig.start().await;
    let pinned = again.templates.pinned(&name("t7"), &digest).await.expect("stored with the trained dictionary");
    assert_eq!(pinned.system_prompt.expose(), prompt(7));
    again.templates.pinned(&name("early"), &early).await.expect("stored with the shipped dictionary");
    again.stop().await;
}
