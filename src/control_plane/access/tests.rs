//! The actor and its handle together.

use std::collections::BTreeMap;
use std::time::Duration;

use ractor::Actor;
use sha2::{Digest as _, Sha256};

use crate::config::settings::{self, Grant, Rate, RateLimit, Role};
use crate::domain::clock::Timestamp;
use crate::domain::failure::{Class, Failure as _};

use super::actor::Gatekeeper;
use super::{Access, Error, Peer, Principal, Rules, Via};

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
    let users = grants
        .iter()
        .map(|(name, role)| ((*name).to_owned(), Grant { role: *role, tenant: None, rate: Rate::Default }));
    settings::Access { users: users.collect(), ..settings::Access::default() }
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

#[tokio::test(start_paused = true)]
async fn each_principal_is_limited_by_its_grant_or_else_by_the_default() {
    let limit = |burst| RateLimit::new(60, Some(burst)).expect("a limit");
    let grant = |rate| Grant { role: Role::Viewer, tenant: None, rate };
    let grants = [("4000001", Rate::Default), ("4000002", Rate::Limited(limit(3))), ("4000003", Rate::Unlimited)];
    let users = grants.map(|(name, rate)| (name.to_owned(), grant(rate)));
    let access = settings::Access { users: BTreeMap::from(users), rate: Some(limit(2)), ..settings::Access::default() };
    let rules = Rules { access, anonymous_role: Some(Role::Viewer), ..Rules::default() };
    let (access, _spec) = Access::start(rules);
    let mut principal = access.peer(peer(0)).await.expect("root");
    let mut served = |access: &Access, uid, rate| {
        principal.via = Via::Peer(peer(uid));
        principal.rate = rate;
        (0..10).take_while(|_| access.admit(&principal).is_ok()).count()
    };
    for (uid, rate, count) in
        [(1, Rate::Default, 2), (2, Rate::Limited(limit(3)), 3), (3, Rate::Unlimited, 10), (1, Rate::Default, 0)]
    {
        assert_eq!(served(&access, uid, rate), count, "{uid}");
    }
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(served(&access, 1, Rate::Default), 1);
    let without = Access::start(Rules::default()).0;
    assert_eq!(served(&without, 1, Rate::Default), 10);
    assert!(Principal::internal().via == Via::Internal && without.admit(&Principal::internal()).is_ok());
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_too_often_is_told_when_to_ask_again() {
    let rate = Some(RateLimit::new(8, Some(1)).expect("a limit"));
    let access = settings::Access { rate, ..settings::Access::default() };
    let (access, _spec) = Access::start(Rules { access, anonymous_role: Some(Role::Viewer), ..Rules::default() });
    let (role, rate, via) = (Role::Viewer, Rate::Default, Via::Anonymous);
    let anonymous = Principal { name: "anonymous".into(), user: None, role, tenant: None, rate, via };
    assert_eq!(access.admit(&anonymous), Ok(()));
    tokio::time::advance(Duration::from_millis(499)).await;
    let refused = access.admit(&anonymous).expect_err("too often");
    assert_eq!((refused.wait, refused.unheard), (Duration::from_millis(7_001), true));
    assert_eq!((refused.code(), refused.class()), ("rate_limited", Class::Overload));
    assert_eq!(refused.detail(), "at most 8 requests a minute, 1 of them at once; the next is served in 7.001 s");
    tokio::time::advance(refused.wait).await;
    assert_eq!(access.admit(&anonymous), Ok(()));
}
