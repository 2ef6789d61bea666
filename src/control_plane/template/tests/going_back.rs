//! Going back through the actor: durable, shown before it is answered, and true after a restart.

use super::super::archive::record;
use super::super::version::Standing;
use super::super::{Cause, Error, Side, Status, Target};
use super::rig::{Rig, Started, name, template};
use crate::control_plane::audit::{Entry, Who};
use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure as _;
use crate::store::{Batch, Keyspace, Record};

fn entry() -> Entry {
    let who = Who { name: "ann".into(), role: "operator".into(), tenant: None, uid: Some(7) };
    Entry::allowed(Timestamp::now(), who, "rollback_template")
}

fn version(text: &str) -> Target {
    Target::Version(text.parse().expect("a version"))
}

/// A template `a` that was published as 1.0.0 and serves 1.1.0.
async fn twice(rig: &Rig) -> Started {
    let mut running = rig.start().await;
    for version in ["1.0.0", "1.1.0"] {
        rig.put("a", &template("a", version));
        let served = |it: &super::super::Listing| it.template.as_ref().is_some_and(|it| it.version.as_str() == version);
        running.until("a", served).await;
    }
    running
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_back_reads_it_and_finds_it_after_a_restart() {
    let rig = Rig::new();
    let running = twice(&rig).await;
    let listing = running.templates.roll_back(&name("a"), version("1.0.0"), entry()).await.expect("rolled back");
    assert_eq!(listing.status, Status::RolledBack);
    assert_eq!(running.version("a"), "1.0.0");
    let mark = listing.rolled_back.expect("a mark");
    assert_eq!((&*mark.by, mark.from.map(|from| from.to_string()).as_deref()), ("ann", Some("1.1.0")));
    assert_eq!(listing.pending.map(|pending| pending.version.to_string()).as_deref(), Some("1.1.0"));
    // Once more is no news.
    running.templates.roll_back(&name("a"), version("1.0.0"), entry()).await.expect("as before");
    let versions = running.templates.versions(&name("a")).await.expect("versions");
    let told: Vec<(&str, bool, Vec<Cause>)> = versions
        .iter()
        .map(|it| (it.version.as_str(), it.current, it.events.iter().map(|it| it.cause).collect()))
        .collect();
    assert_eq!(told, [("1.1.0", false, vec![Cause::Edited]), ("1.0.0", true, vec![Cause::RolledBack, Cause::Edited])]);
    let by = versions[1].events[1].by.told().expect("the owner of the file");
    assert!(!by.is_empty() && versions[1].events[0].by.told().as_deref() == Some("ann"));
    running.stop().await;

    let second = rig.start().await;
    assert_eq!(second.version("a"), "1.0.0");
    let listing = second.templates.lift(&name("a"), entry()).await.expect("lifted");
    assert_eq!((listing.status, second.version("a").as_str()), (Status::Published, "1.1.0"));
    second.templates.lift(&name("a"), entry()).await.expect("nothing to lift");
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn going_back_to_what_is_not_there_or_not_allowed_is_refused_and_changes_nothing() {
    let rig = Rig::new();
    let mut running = twice(&rig).await;
    let templates = running.templates.clone();
    let back = async |template: &str, target: Target| {
        templates.roll_back(&name(template), target, entry()).await.expect_err("refused").code()
    };
    assert_eq!(back("b", version("1.0.0")).await, "template_not_found");
    assert_eq!(back("a", version("3.0.0")).await, "template_version_not_found");
    assert_eq!(back("a", Target::Digest("00000000".to_owned())).await, "template_version_not_found");
    assert_eq!(running.version("a"), "1.1.0");

    // By a key that is no longer trusted.
    let other = tempfile::tempdir().expect("a directory");
    let next =
        super::super::keys::generate(&"next".parse().expect("id"), super::super::Algorithm::Ed25519, other.path());
    let next = next.expect("keys");
    std::fs::copy(&next.public, rig.keys.public.with_file_name("next.pub.pem")).expect("copied");
    let path = rig.write("a", &template("a", "1.2.0"));
    super::super::signing::sign_file(&path, &next.private).expect("signed");
    running.until("a", |it| it.template.as_ref().is_some_and(|it| it.version.as_str() == "1.2.0")).await;
    rig.put("watched", &template("watched", "1.0.0"));
    running.until("watched", |it| it.status == Status::Published).await;
    std::fs::remove_file(&rig.keys.public).expect("removed");
    running.until("watched", |it| it.status == Status::Refused).await;
    let refused = running.templates.roll_back(&name("a"), version("1.0.0"), entry()).await.expect_err("refused");
    assert!(matches!(&refused, Error::RollbackRefused { .. }), "{refused}");
    assert!(refused.detail().contains("ops, which is not trusted"), "{}", refused.detail());
    assert_eq!(running.version("a"), "1.2.0");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_content_is_found_by_how_its_digest_begins_and_compared() {
    let rig = Rig::new();
    let running = twice(&rig).await;
    let versions = running.templates.versions(&name("a")).await.expect("versions");
    let digest = versions[1].digest.to_string();
    for digits in [8, 9, 63, 64] {
        let target = Target::Digest(digest[..digits].to_owned());
        let found = running.templates.published(&name("a"), target).await.expect("found");
        assert_eq!((found.status, found.template.expect("whole").version.as_str()), (Status::Superseded, "1.0.0"));
    }
    let compared = running.templates.compare(&name("a"), Side::Previous, Side::Current).await.expect("compared");
    let pointers: Vec<&str> = compared.differences.iter().map(|it| it.pointer.as_str()).collect();
    assert_eq!((compared.from.0.as_str(), compared.to.0.as_str(), pointers), ("1.0.0", "1.1.0", vec!["/version"]));
    let same = running.templates.compare(&name("a"), Side::Current, Side::File).await.expect("compared");
    assert!(same.differences.is_empty());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_database_without_a_log_the_versions_are_listed_and_the_highest_one_counts() {
    let rig = Rig::new();
    twice(&rig).await.stop().await;
    // As the release before left it.
    let log = (0..2).map(|number| record::publication_key(&name("a"), Some(number)));
    let batch = log
        .chain([record::standing_key(&name("a"))])
        .fold(Batch::new(), |batch, key| batch.delete(Keyspace::Template, key));
    rig.store.commit(batch).await.expect("deleted");
    let mut second = rig.start().await;
    let versions = second.templates.versions(&name("a")).await.expect("versions");
    let told: Vec<(&str, usize)> = versions.iter().map(|it| (it.version.as_str(), it.events.len())).collect();
    assert_eq!(told, [("1.1.0", 0), ("1.0.0", 0)]);
    rig.put("a", &template("a", "1.0.0"));
    let refused = second.until("a", |it| !it.reasons.is_empty()).await;
    assert!(refused.reasons[0].contains("lower than 1.1.0"), "{:?}", refused.reasons);
    second.templates.roll_back(&name("a"), version("1.0.0"), entry()).await.expect("rolled back");
    assert_eq!(second.version("a"), "1.0.0");
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_whose_versions_are_damaged_is_not_served_until_somebody_decides() {
    let rig = Rig::new();
    twice(&rig).await.stop().await;
    let written = record::standing_record(&Standing::default()).expect("encoded");
    let damaged = Record { body: vec![0xff], ..written };
    rig.store
        .commit(Batch::new().put(Keyspace::Template, record::standing_key(&name("a")), damaged))
        .await
        .expect("put");
    let second = rig.start().await;
    let listing = second.templates.listing(&name("a")).expect("listed");
    assert_eq!(listing.status, Status::Refused);
    assert!(listing.reasons[0].contains("damaged"), "{:?}", listing.reasons);
    let listing = second.templates.lift(&name("a"), entry()).await.expect("lifted");
    assert_eq!((listing.status, second.version("a").as_str()), (Status::Published, "1.1.0"));
    second.stop().await;
    let third = rig.start().await;
    assert_eq!(third.version("a"), "1.1.0");
    third.stop().await;
}

/// INVARIANT: decisions are made one at a time, whoever asks at the same moment.
#[tokio::test(flavor = "multi_thread")]
async fn of_decisions_at_the_same_moment_one_is_the_last_and_all_are_in_the_log() {
    let rig = Rig::new();
    let running = twice(&rig).await;
    let templates = &running.templates;
    let asked = (0..16).map(async |n| {
        let target = if n % 2 == 0 { "1.0.0" } else { "1.1.0" };
        templates
            .roll_back(&name("a"), version(target), entry())
            .await
            .expect("decided")
            .template
            .expect("served")
            .version
            .clone()
    });
    let _each = futures::future::join_all(asked).await;
    let served = running.version("a");
    let log = super::super::archive::publications(&rig.store, &name("a")).expect("the log");
    assert_eq!(log[0].version.as_str(), served);
    let mut rolled = log.iter().filter(|it| it.cause == Cause::RolledBack).map(|it| it.version.as_str());
    let mut before = rolled.next();
    for version in rolled {
        assert_ne!(before, Some(version), "going back to where one is decides nothing");
        before = Some(version);
    }
    running.stop().await;
}

/// INVARIANT: an old file is no newer in another place; a signature does not say where a file may lie.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_signed_file_is_refused_in_the_environment_s_directory_too() {
    let mut rig = Rig::new();
    rig.settings.environment = Some("production".parse().expect("an environment"));
    let over = rig.templates_dir().join("production");
    std::fs::create_dir(&over).expect("created");
    let running = twice(&rig).await;
    running.stop().await;
    let place = |version: &str| {
        let path = super::rig::write(&over.join("a.json"), &template("a", version).to_string());
        super::super::signing::sign_file(&path, &rig.keys.private).expect("signed");
    };
    place("1.0.0");
    let mut running = rig.start().await;
    let listing = running.templates.listing(&name("a")).expect("listed");
    assert_eq!(running.version("a"), "1.1.0");
    assert!(listing.reasons[0].contains("published before from another directory"), "{:?}", listing.reasons);
    // A number that was never published may begin lower.
    place("0.9.0");
    running.until("a", |it| it.reasons.is_empty() && it.status == Status::Published).await;
    assert_eq!(running.version("a"), "0.9.0");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_for_another_environment_is_neither_recalled_nor_served_because_somebody_went_back() {
    let mut rig = Rig::new();
    let places = ["staging", "production"].map(|environment| {
        let over = rig.templates_dir().join(environment);
        std::fs::create_dir(&over).expect("created");
        over
    });
    rig.settings.environment = Some("staging".parse().expect("an environment"));
    for template_name in ["a", "b"] {
        let path = places[0].join(format!("{template_name}.json"));
        let path = super::rig::write(&path, &template(template_name, "1.0.0").to_string());
        super::super::signing::sign_file(&path, &rig.keys.private).expect("signed");
        // Without a signature: what was in force goes on, where it may.
        super::rig::write(
            &places[1].join(format!("{template_name}.json")),
            &template(template_name, "1.1.0").to_string(),
        );
    }
    let running = rig.start().await;
    running.templates.roll_back(&name("b"), version("1.0.0"), entry()).await.expect("rolled back");
    running.stop().await;

    rig.settings.environment = Some("production".parse().expect("an environment"));
    let running = rig.start().await;
    for template_name in ["a", "b"] {
        let refused = running.templates.get(&name(template_name)).expect_err("not served");
        assert_eq!(refused.code(), "template_refused", "{template_name}");
    }
    let reasons = running.templates.listing(&name("b")).expect("listed").reasons;
    assert!(reasons.iter().any(|reason| reason.contains("the environment staging")), "{reasons:?}");
    running.stop().await;
}
