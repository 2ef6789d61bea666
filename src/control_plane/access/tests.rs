//! The actor and its handle together.

use std::collections::BTreeMap;
use std::time::Duration;

use ractor::Actor;
use sha2::{Digest as _, Sha256};

use crate::config::settings::{self, Grant, Role};
use crate::domain::clock::Timestamp;

use super::actor::Gatekeeper;
use super::{Access, Error, Peer, Rules};

const DEADLINE: Duration = Duration::from_secs(10);

async fn started(rules: Rules) -> Access {
    let (access, _spec) = Access::start(rules);
    let (actor, _ended) = Actor::spawn(None, Gatekeeper, access.shared()).await.expect("starts");
    access.address().publish(actor);
    access
}

fn peer(uid: u32) -> Peer {
    Peer { uid, gid: uid, pid: None }
}

fn users(grants: &[(&str, Role)]) -> settings::Access {
    let users = grants.iter().map(|(name, role)| ((*name).to_owned(), Grant { role: *role, tenant: None }));
    settings::Access { users: users.collect(), groups: BTreeMap::new() }
}

#[tokio::test]
async fn peers_are_judged_and_new_rules_come_into_force() {
    let access = started(Rules::default()).await;
    assert_eq!(access.peer(peer(0)).await.map(|principal| principal.role), Ok(Role::Admin));
    assert_eq!(access.peer(peer(4_000_000)).await, Err(Error::NotGranted { uid: 4_000_000 }));
    assert_eq!(access.anonymous(), Err(Error::TokenMissing));
    let rules = Rules {
        access: users(&[("4000000", Role::Viewer), ("daemon", Role::Auditor)]),
        anonymous_role: Some(Role::Viewer),
        ..Rules::default()
    };
    access.reload(rules).await.expect("reloads");
    let viewer = access.peer(peer(4_000_000)).await.expect("looked up");
    assert_eq!((&*viewer.name, viewer.role, viewer.user), ("uid:4000000", Role::Viewer, None));
    assert_eq!(access.peer(peer(0)).await.map(|principal| principal.role), Ok(Role::Admin));
    assert_eq!(access.anonymous().map(|principal| principal.role), Ok(Role::Viewer));
}

#[tokio::test]
async fn a_changed_tokens_file_is_read_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("tokens.toml");
    let entry = |token: &str| {
        let hash = hex::encode(Sha256::digest(token.as_bytes()));
        format!("[[token]]\nsha256 = \"{hash}\"\nname = \"ci\"\nrole = \"submitter\"\n")
    };
    let put = |text: &str| {
        let new = directory.path().join("new");
        std::fs::write(&new, text).expect("written");
        std::fs::set_permissions(&new, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("set");
        std::fs::rename(&new, &file).expect("put in place");
    };
    put(&entry("old"));
    let access = started(Rules { tokens_file: Some(file.clone()), ..Rules::default() }).await;
    let valid = |token: &str| access.token(token, Timestamp::now()).is_ok();
    assert!(valid("old") && !valid("new"));
    put(&entry("new"));
    until(|| valid("new") && !valid("old")).await;
    std::fs::remove_file(&file).expect("removed");
    until(|| !valid("new")).await;
}

async fn until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.expect("the condition came true in time");
}
