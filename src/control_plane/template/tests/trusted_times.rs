//! The actor and the look-ups follow the keys: when trust begins, when it ends, and when a key is revoked.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::super::refresh::refresh;
use super::super::revoking::{self, Subject};
use super::super::snapshot::Snapshot;
use super::super::source::scope::Scope;
use super::super::trust::keys;
use super::super::trust::revocations::REVOCATIONS_FILE;
use super::super::{Algorithm, Error, Status};
use super::rig::{Rig, name, template};
use crate::domain::clock::Timestamp;

fn trust_toml(rig: &Rig, text: &str) {
    let keys = rig.settings.trusted_keys_dir.as_ref().expect("a directory");
    std::fs::write(keys.join("trust.toml"), text).expect("written");
}

/// INVARIANT I60: a template is served until the first instant at which one of the keys of its lineage is trusted no longer.
#[tokio::test]
async fn a_look_up_at_the_end_of_trust_refuses_also_what_inherits() {
    let rig = Rig::new();
    let until = Timestamp::now().after(Duration::from_secs(3_600));
    trust_toml(&rig, &format!("[keys.ops]\nnot_after = {until}\n"));
    rig.put("base", &template("base", "1.0.0"));
    rig.put("child", &json!({"name": "child", "version": "1.0.0", "extends": "base"}));
    let looked = refresh(rig.workshop(), Arc::default(), Scope::all(), None).await.expect("looked");
    let authority = crate::control_plane::template::cache::Authority::of(Some(looked.known.trust.clone()));
    let snapshot = Snapshot::of(&looked.known.catalog, &Snapshot::default(), None, authority);
    let before = until.before(Duration::from_micros(1));
    let work = "work".parse().expect("a capability");
    for file in ["base", "child"] {
        let served = snapshot.find(&name(file)).expect("served");
        assert_eq!(served.good.as_ref().and_then(|good| good.until), Some(until), "{file}");
    }
    assert_eq!(snapshot.with_capability(&work, before).len(), 2);
    assert!(snapshot.with_capability(&work, until).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_key_signed_is_served_when_its_time_comes_and_stopped_when_it_is_over() {
    let rig = Rig::new();
    rig.put("a", &template("a", "1.0.0"));
    let soon = |seconds| Timestamp::now().after(Duration::from_secs(seconds));
    trust_toml(&rig, &format!("[keys.ops]\nnot_before = {}\n", soon(2)));
    let mut running = rig.start().await;
    // Nothing is written from here on: the time itself is the news.
    running.until("a", |listing| listing.status == Status::Published).await;
    running.stop().await;
    trust_toml(&rig, &format!("[keys.ops]\nnot_after = {}\n", soon(2)));
    let mut running = rig.start().await;
    let refused = running.until("a", |listing| listing.status == Status::Refused).await;
    assert!(refused.reasons.iter().all(|reason| reason.contains("was trusted until")), "{:?}", refused.reasons);
    assert!(matches!(running.templates.get(&name("a")), Err(Error::Refused { .. })));
    running.stop().await;
}

/// INVARIANT I61: a list of revocations is kept in the store, and holds also when its file is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_stops_what_it_signed_also_after_a_restart_without_the_list() {
    let rig = Rig::new();
    let keys_dir = rig.settings.trusted_keys_dir.clone().expect("a directory");
    let admin = keys::generate(&"admin".parse().expect("id"), Algorithm::Ed25519, &keys_dir).expect("keys");
    rig.put("a", &template("a", "1.0.0"));
    let mut running = rig.start().await;
    running.until("a", |listing| listing.status == Status::Published).await;
    let ops = Subject::Id("ops".parse().expect("id"));
    revoking::revoke(&ops, &keys_dir, &admin.private, None, Timestamp::now()).expect("revoked");
    let refused = running.until("a", |listing| listing.status == Status::Refused).await;
    assert!(refused.reasons[0].contains("revoked"), "{:?}", refused.reasons);
    running.stop().await;

    std::fs::remove_file(keys_dir.join(REVOCATIONS_FILE)).expect("removed");
    let running = rig.start().await;
    let Err(Error::Refused { reasons, .. }) = running.templates.get(&name("a")) else { panic!("served") };
    assert!(reasons[0].contains("revoked"), "{reasons:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_in_trust_toml_stops_everything_and_its_correction_starts_it_again() {
    let rig = Rig::new();
    rig.put("a", &template("a", "1.0.0"));
    let mut running = rig.start().await;
    trust_toml(&rig, "[keys.ops]\nschemes = [\"factory-v9\"]\n");
    running.until("a", |listing| listing.status == Status::Refused).await;
    trust_toml(&rig, "[keys.ops]\ntemplates = [\"b*\"]\n");
    let refused = running.until("a", |listing| listing.reasons.iter().any(|r| r.contains("may not sign"))).await;
    assert_eq!(refused.status, Status::Refused);
    trust_toml(&rig, "[keys.ops]\ntemplates = [\"a\"]\n");
    running.until("a", |listing| listing.status == Status::Published).await;
    running.stop().await;
}
