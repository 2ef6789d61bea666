//! Restarts: without files what was in force serves, and what went meanwhile does not come back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::refresh::refresh;
use super::super::source::look::Seen;
use super::super::source::reading::{Ask, Reading, Source};
use super::super::source::scope::Scope;
use super::super::{Status, Target};
use super::rig::{Rig, Started, name, template};
use crate::control_plane::audit::{Entry, Who};
use crate::domain::clock::Timestamp;
use crate::domain::name::TemplateName;

async fn tells(running: &mut Started, kind: &str) {
    while running.news.recv().await.expect("an event").kind != kind {}
}

fn entry() -> Entry {
    let who = Who { name: "ann".into(), role: "operator".into(), tenant: None, uid: Some(7) };
    Entry::allowed(Timestamp::now(), who, "rollback_template")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_cannot_be_read_stops_no_template_at_a_restart() {
    let rig = Rig::new();
    rig.put("a", &template("a", "1.0.0"));
    rig.put("b", &template("b", "1.0.0"));
    rig.put("gone", &template("gone", "1.0.0"));
    let mut first = rig.start().await;
    rig.put("b", &template("b", "1.1.0"));
    first.until("b", |it| it.template.as_ref().is_some_and(|it| it.version.as_str() == "1.1.0")).await;
    let target = Target::Version("1.0.0".parse().expect("a version"));
    first.templates.roll_back(&name("b"), target, entry()).await.expect("rolled back");
    first.stop().await;

    let aside = rig.templates_dir().with_file_name("aside");
    std::fs::rename(rig.templates_dir(), &aside).expect("moved");
    let mut second = rig.start().await;
    assert_eq!((second.version("a").as_str(), second.version("b").as_str()), ("1.0.0", "1.0.0"));
    assert_eq!(second.templates.listing(&name("b")).map(|it| it.status), Some(Status::RolledBack));
    assert_eq!(second.templates.templates_loaded(), 3);

    std::fs::remove_file(aside.join("gone.json")).expect("removed");
    std::fs::rename(&aside, rig.templates_dir()).expect("moved back");
    second.until_gone("gone").await;
    assert_eq!((second.version("a").as_str(), second.version("b").as_str()), ("1.0.0", "1.0.0"));
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_key_nothing_is_served_from_the_store_alone() {
    let rig = Rig::new();
    rig.put("a", &template("a", "1.0.0"));
    rig.start().await.stop().await;
    std::fs::remove_file(&rig.keys.public).expect("removed");
    std::fs::remove_dir_all(rig.templates_dir()).expect("removed");
    let second = rig.start().await;
    assert!(second.templates.get(&name("a")).is_err());
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_was_removed_while_nobody_looked_is_not_brought_back_by_a_mistake() {
    let rig = Rig::new();
    rig.put("a", &template("a", "1.0.0"));
    rig.put("b", &template("b", "1.0.0"));
    rig.start().await.stop().await;
    std::fs::remove_file(rig.path("a")).expect("removed");
    let mut second = rig.start().await;
    tells(&mut second, "template_withdrawn").await;
    assert_eq!(second.version("b"), "1.0.0");
    second.stop().await;

    std::fs::write(rig.path("a"), "{\"name\": \"a\", ").expect("written");
    let third = rig.start().await;
    let listing = third.templates.listing(&name("a")).expect("listed");
    assert_eq!((listing.status, listing.template.is_none()), (Status::Refused, true));
    third.stop().await;
}

/// Directories as readings find them at times of the test's choice.
struct Eyes {
    source: Source,
    known: BTreeMap<TemplateName, Arc<Seen>>,
}

impl Eyes {
    fn of(rig: &Rig) -> Self {
        let source = Source::of(&rig.templates_dir(), &rig.settings);
        let mut eyes = Self { source, known: BTreeMap::new() };
        let _first = eyes.look(&Scope::all(), 0);
        eyes
    }

    fn look(&mut self, scope: &Scope, seconds_later: i64) -> Reading {
        let now = Timestamp::from_micros(Timestamp::now().micros() + seconds_later * 1_000_000);
        let known = self.known.clone();
        let seen = |name: &TemplateName| known.get(name).map(Arc::as_ref);
        let reading =
            self.source.read(Ask { scope, all_again: false, trust: None, key_epoch: 0, now }, &seen, known.keys());
        self.known.extend(reading.seen.clone());
        reading
    }

    fn swept(&mut self, seconds_later: i64) -> Reading {
        self.look(&Scope::swept(), seconds_later)
    }
}

fn replace(rig: &Rig) {
    let aside = rig.templates_dir().with_file_name("aside");
    std::fs::rename(rig.templates_dir(), &aside).expect("moved");
    std::fs::create_dir(rig.templates_dir()).expect("created");
}

#[tokio::test]
async fn a_directory_in_another_s_place_takes_nothing_away_while_it_is_empty_or_being_filled() {
    let rig = Rig::new();
    for file in ["a", "b"] {
        rig.write(file, &template(file, "1.0.0"));
    }
    let mut eyes = Eyes::of(&rig);
    assert_eq!(eyes.known.len(), 2);
    replace(&rig);
    // As where a volume is not mounted any more: for as long as it takes.
    for later in [0, 1, 60, 86_400] {
        let reading = eyes.swept(later);
        assert!(reading.gone.is_empty() && reading.unsettled.is_empty() && reading.listed.is_none(), "{later}");
    }
    rig.write("b", &template("b", "1.0.0"));
    let reading = eyes.swept(5);
    assert!(reading.gone.is_empty() && reading.unsettled.sweep, "what is missing may be on its way");
    let event = Scope { names: [name("a")].into(), ..Scope::default() };
    assert!(eyes.look(&event, 5).gone.is_empty(), "an event says nothing else");
    assert_eq!(eyes.swept(11).gone, [name("a")].into());
}

#[tokio::test]
async fn a_directory_that_is_emptied_by_hand_withdraws_what_was_in_it() {
    let rig = Rig::new();
    rig.write("a", &template("a", "1.0.0"));
    let mut eyes = Eyes::of(&rig);
    std::fs::remove_file(rig.path("a")).expect("removed");
    assert_eq!(eyes.swept(1).gone, [name("a")].into());
}

#[tokio::test]
async fn what_is_being_changed_is_looked_at_again_by_its_name() {
    let rig = Rig::new();
    for file in ["a", "b"] {
        rig.write(file, &template(file, "1.0.0"));
    }
    let mut eyes = Eyes::of(&rig);
    // Remembers their stamps, which are old by then.
    eyes.swept(60);
    rig.write("a", &template("a", "1.1.0"));
    let reading = eyes.swept(0);
    assert!(reading.seen.is_empty() && !reading.unsettled.sweep);
    assert_eq!(reading.unsettled, Scope { settling: [name("a")].into(), ..Scope::default() });
    let reading = eyes.look(&reading.unsettled, 1);
    assert_eq!(reading.seen.keys().collect::<Vec<_>>(), [&name("a")]);
    assert_eq!(reading.unheard, 1);
}

#[tokio::test]
async fn what_could_not_be_read_is_read_again() {
    let rig = Rig::new();
    rig.write("good", &template("good", "1.0.0"));
    std::fs::create_dir(rig.path("bad")).expect("created");
    let mut eyes = Eyes::of(&rig);
    eyes.swept(60);
    assert!(eyes.source.remembers(&name("good")));
    assert!(!eyes.source.remembers(&name("bad")), "its stamps may be the same when it can be read");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_waits_for_the_one_before_it_whoever_began_that() {
    let rig = Rig::new();
    rig.put("a", &template("a", "1.0.0"));
    let workshop = rig.workshop();
    let other = workshop.turn.lock().await;
    let look = tokio::spawn(refresh(workshop.clone(), Arc::default(), Scope::all(), None));
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    rig.put("a", &template("a", "1.1.0"));
    drop(other);
    let looked = tokio::time::timeout(Duration::from_secs(20), look).await.expect("in time");
    let catalog = looked.expect("whole").expect("looked").known.catalog;
    let good = catalog.entries.get(&name("a")).and_then(|entry| entry.good.clone()).expect("served");
    assert_eq!(good.template.version.as_str(), "1.1.0");
}
