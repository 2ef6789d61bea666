//! Earlier files under numbers that are no lower, and what is durable together.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::archive;
use super::super::archive::packing::Packing;
use super::super::archive::shelf::Shelf;
use super::super::good::Rules;
use super::super::source::look::{Beneath, Bytes, Seen, look};
use super::super::state::{Change, Decision, News, decide};
use super::super::version::{Order, RolledBack};
use super::catalog::{Desk, child, prompt, told};
use super::rig::{Rig, name};
use crate::domain::clock::Timestamp;

fn decided(desk: &mut Desk, news: News) -> Vec<Change> {
    desk.clock += 1;
    let rules = Rules { trust: None, key_epoch: 0, policy: &desk.policy };
    let Decision { catalog, changes, .. } = decide(&desk.catalog, news, &rules, Timestamp::from_micros(desk.clock));
    desk.catalog = catalog;
    changes
}

fn seen(content: &Value) -> Seen {
    let document = Ok(content.to_string().into_bytes());
    look(&name("a"), &Bytes { document, signature: Ok(None), owner: Some(7) }, None)
}

/// A file of an environment that extends its own name, and the one beneath it.
fn over(desk: &mut Desk, version: &str, beneath: &Value) -> Vec<String> {
    let mut over = seen(&json!({"name": "a", "version": version, "extends": "a"}));
    over.environment = Some("production".parse().expect("a name"));
    over.beneath = Some(Beneath::There(Box::new(seen(beneath).outcome)));
    let news = News { seen: [(name("a"), Arc::new(over))].into(), ..News::default() };
    decided(desk, news).iter().map(told).collect()
}

#[test]
fn an_earlier_base_file_is_not_put_beneath_that_of_an_environment() {
    let mut desk = Desk::new();
    let (one, two) = (prompt("a", "1.0.0", "one"), prompt("a", "1.1.0", "two"));
    assert_eq!(over(&mut desk, "3.0.0", &one), ["published a 3.0.0"]);
    assert_eq!(over(&mut desk, "3.1.0", &two), ["published a 3.1.0"]);
    let refused = over(&mut desk, "3.2.0", &one);
    assert!(refused[0].contains("the base file a.json: 1.0.0 is lower than 1.1.0"), "{refused:?}");
    let refused = over(&mut desk, "3.2.0", &prompt("a", "1.1.0", "other"));
    assert!(refused[0].contains("the base file a.json: 1.1.0 has other content"), "{refused:?}");
    assert_eq!(desk.serves("a").as_deref(), Some("3.1.0 two"));
    assert_eq!(over(&mut desk, "3.2.0", &two), ["published a 3.2.0"]);
    assert_eq!(over(&mut desk, "3.2.0", &prompt("a", "1.2.0", "three")), ["published a 3.2.0"]);
}

#[test]
fn of_versions_that_differ_in_their_build_only_the_earlier_one_does_not_come_back() {
    let mut desk = Desk::new();
    let one = || ("a", Some(prompt("a", "1.0.0+1", "one")));
    let two = || ("a", Some(prompt("a", "1.0.0+2", "two")));
    desk.edit(&[one()]);
    assert_eq!(desk.edit(&[two()]), ["published a 1.0.0+2"]);
    let refused = desk.edit(&[one()]);
    assert!(refused[0].contains("1.0.0+2 took the place of 1.0.0+1"), "{refused:?}");
    assert_eq!(desk.restart(&[one()]).len(), 1);
    assert_eq!(desk.serves("a"), None, "the test's desk recalls nothing");
    assert_eq!(desk.edit(&[two()]), ["published a 1.0.0+2"]);
    // Whoever wants it goes back to it, and forward again.
    desk.roll_back("a", "1.0.0+1");
    assert_eq!(desk.serves("a").as_deref(), Some("1.0.0+1 one"));
    assert_eq!(desk.lift("a"), ["lifted a", "published a 1.0.0+2"]);
    desk.edit(&[("a", None)]);
    assert_eq!(desk.edit(&[one()]).len(), 1);
    assert_eq!(desk.serves("a"), None);
    assert_eq!(desk.edit(&[two()]), ["published a 1.0.0+2"]);
}

#[test]
fn nothing_is_remembered_of_the_versions_of_a_template_that_is_gone() {
    let mut desk = Desk::new();
    desk.edit(&[("a", Some(prompt("a", "1.0.0", "one"))), ("b", Some(prompt("b", "1.0.0", "one")))]);
    desk.edit(&[("a", None)]);
    assert_eq!(desk.catalog.history.keys().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["b"]);
}

#[tokio::test]
async fn what_somebody_decided_about_a_template_is_durable_as_a_whole_before_what_follows_from_it() {
    let (rig, mut desk) = (Rig::new(), Desk::new());
    desk.edit(&[("base", Some(prompt("base", "1.0.0", "old"))), ("child", Some(child("1.0.0", "base")))]);
    desk.edit(&[("base", Some(prompt("base", "1.1.0", "new")))]);
    let key = (name("base"), "1.0.0".parse().expect("a version"));
    let digest = desk.stored.versions[&key].resolved;
    let good = Arc::new(desk.stored.contents[&digest].clone());
    let at = Timestamp::from_micros(desk.clock);
    let mark = Box::new(RolledBack { version: key.1, digest, by: "ann".into(), at, from: None });
    let order = Some(Order::RollBack { name: key.0.clone(), mark, good });
    let changes = decided(&mut desk, News { order, ..News::default() });
    assert!(changes.iter().any(|change| told(change) == "published child 1.0.0"), "it follows its parent");

    let now = Timestamp::from_micros(desk.clock);
    let packing = Packing::begin(&rig.store, &Shelf::default(), &desk.catalog, now).expect("begun");
    let (first, rest) = archive::batches(&changes, &packing).expect("written");
    assert_eq!(rest.len(), 1);
    rig.store.commit(first.expect("what was decided")).await.expect("durable");
    assert_eq!(archive::current(&rig.store, &key.0).expect("read"), Some(digest));
    let standing = archive::standing(&rig.store, &key.0).expect("read").expect("kept");
    assert_eq!(standing.pin.map(|mark| mark.digest), Some(digest));
    assert_eq!(standing.next, 3, "of the publication, not of the decision before it");
    assert_eq!(archive::current(&rig.store, &name("child")).expect("read"), None);
}
