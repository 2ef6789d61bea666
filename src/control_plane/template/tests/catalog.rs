//! The pure decisions, against a model: whatever edits come, what serves is good.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::good::{Good, Rules};
use super::super::source::look::{Bytes, look};
use super::super::state::{Catalog, Change, Decision, Doubt, Entry, News, decide};
use super::super::version::{Order, Past, Pin, Publication, Published, RolledBack, Standing};
use super::rig::{name, template};
use crate::control_plane::policy::Policy;
use crate::domain::clock::Timestamp;
use crate::domain::name::{Digest, TemplateName, Version};

/// A catalog that is fed with unsigned files, and what the store would keep of it.
pub(super) struct Desk {
    pub(super) catalog: Catalog,
    pub(super) policy: Policy,
    pub(super) clock: i64,
    pub(super) stored: Stored,
}

/// What is durable.
#[derive(Default)]
pub(super) struct Stored {
    pub(super) standing: BTreeMap<TemplateName, Standing>,
    pub(super) current: BTreeMap<TemplateName, Digest>,
    pub(super) versions: BTreeMap<(TemplateName, Version), Published>,
    pub(super) contents: BTreeMap<Digest, Good>,
    pub(super) log: Vec<(TemplateName, Publication)>,
}

impl Stored {
    fn write(&mut self, change: &Change) {
        match change {
            Change::Published { good, record: Some(entry) } => {
                let (name, digest) = (good.template.name.clone(), good.template.digest);
                self.versions.insert((name.clone(), good.template.version.clone()), entry.published.clone());
                self.contents.insert(digest, Good::clone(good));
                self.current.insert(name.clone(), digest);
                self.standing.insert(name.clone(), entry.standing.clone());
                self.log.push((name, entry.publication.clone()));
            }
            Change::RolledBack { name, standing, .. } | Change::Lifted { name, standing, .. } => {
                self.standing.insert(name.clone(), Standing::clone(standing));
            }
            Change::Withdrawn { name } => {
                self.current.remove(name);
            }
            Change::Published { record: None, .. } | Change::Refused { .. } | Change::Held { .. } => {}
        }
    }

    fn past(&self, name: &TemplateName) -> Past {
        let standing = self.standing.get(name).cloned().unwrap_or_default();
        let good = |mark: &RolledBack| Ok(Arc::new(self.contents[&mark.digest].clone()));
        let pin = standing.pin.map(|mark| Pin { good: good(&mark), mark: Some(mark) });
        Past { current: self.current.get(name).copied(), floors: standing.floors, next: standing.next, pin }
    }
}

const POLICY: &str = "package operator.template\n\ndeny contains {\"rule\": \"x\", \"message\": \"no\"} if { input.template.system_prompt == \"denied\" }";

impl Desk {
    pub(super) fn new() -> Self {
        Self { catalog: Catalog::default(), policy: Policy::written(POLICY), clock: 0, stored: Stored::default() }
    }

    pub(super) fn edit(&mut self, files: &[(&str, Option<Value>)]) -> Vec<String> {
        self.look(files, None, Doubt::None)
    }

    pub(super) fn look(&mut self, files: &[(&str, Option<Value>)], order: Option<Order>, doubt: Doubt) -> Vec<String> {
        let mut news = News { doubt, order, ..News::default() };
        for (file, content) in files {
            let name = name(file);
            match content {
                None => {
                    news.gone.insert(name);
                }
                Some(content) => {
                    let bytes =
                        Bytes { document: Ok(content.to_string().into_bytes()), signature: Ok(None), owner: Some(7) };
                    let seen = look(&name, &bytes, None);
                    let mut versions: Vec<Version> = seen.version.iter().cloned().collect();
                    if !self.catalog.past.contains_key(&name) {
                        let past = self.stored.past(&name);
                        versions.extend(past.rolled_back().map(|mark| mark.version.clone()));
                        news.past.push((name.clone(), past));
                    }
                    for version in versions {
                        let key = (name.clone(), version);
                        let known = self.stored.versions.get(&key).cloned();
                        news.history.extend(known.map(|known| (key, known)));
                    }
                    news.seen.insert(name, Arc::new(seen));
                }
            }
        }
        self.clock += 1;
        let rules = Rules { trust: None, policy: &self.policy };
        let Decision { catalog, changes, .. } = decide(&self.catalog, news, &rules, Timestamp::from_micros(self.clock));
        self.catalog = catalog;
        changes.iter().for_each(|change| self.stored.write(change));
        changes.iter().map(told).collect()
    }

    /// As after a restart of the daemon: only what is stored is known, and the files are looked at anew.
    pub(super) fn restart(&mut self, files: &[(&str, Option<Value>)]) -> Vec<String> {
        self.catalog = Catalog::default();
        self.edit(files)
    }

    pub(super) fn roll_back(&mut self, file: &str, version: &str) -> Vec<String> {
        let key = (name(file), version.parse().expect("a version"));
        let digest = self.stored.versions[&key].resolved;
        let good = Arc::new(self.stored.contents[&digest].clone());
        let at = Timestamp::from_micros(self.clock);
        let mark = Box::new(RolledBack { version: key.1, digest, by: "ann".into(), at, from: None });
        self.look(&[], Some(Order::RollBack { name: key.0, mark, good }), Doubt::None)
    }

    pub(super) fn lift(&mut self, file: &str) -> Vec<String> {
        self.look(&[], Some(Order::Lift { name: name(file), by: "ann".into() }), Doubt::None)
    }

    /// From now on the policy denies this prompt too.
    pub(super) fn deny(&mut self, prompt: Option<&str>) -> Vec<String> {
        let more = prompt.map_or(String::new(), |prompt| {
            format!("\n\ndeny contains {{\"rule\": \"y\", \"message\": \"not now\"}} if {{ input.template.system_prompt == \"{prompt}\" }}")
        });
        self.policy = Policy::written(&format!("{POLICY}{more}"));
        self.look(&[], None, Doubt::All)
    }

    pub(super) fn entry(&self, file: &str) -> &Entry {
        &self.catalog.entries[&name(file)]
    }

    pub(super) fn serves(&self, file: &str) -> Option<String> {
        let good = self.catalog.entries.get(&name(file))?.good.as_ref()?;
        Some(format!("{} {}", good.template.version, good.compile().expect("typed").system_prompt.expose()))
    }
}

pub(super) fn told(change: &Change) -> String {
    match change {
        Change::Published { good, record } => {
            let durable = if record.is_some() { "" } else { " (known)" };
            format!("published {} {}{durable}", good.template.name, good.template.version)
        }
        Change::Refused { name, reasons, .. } => format!("refused {name}: {}", reasons.join("; ")),
        Change::RolledBack { name, mark, .. } => format!("rolled back {name} to {}", mark.version),
        Change::Lifted { name, .. } => format!("lifted {name}"),
        Change::Held { name, version } => format!("held {name} {version}"),
        Change::Withdrawn { name } => format!("withdrawn {name}"),
    }
}

pub(super) fn child(version: &str, parent: &str) -> Value {
    json!({"name": "child", "version": version, "extends": parent})
}

pub(super) fn prompt(name: &str, version: &str, prompt: &str) -> Value {
    let mut value = template(name, version);
    value["system_prompt"] = json!(prompt);
    value
}

#[test]
fn parents_come_first_whatever_their_names() {
    let mut desk = Desk::new();
    let told = desk.edit(&[("child", Some(child("1.0.0", "zeta"))), ("zeta", Some(prompt("zeta", "1.0.0", "z")))]);
    assert_eq!(told, ["published zeta 1.0.0", "published child 1.0.0"]);
    assert_eq!(desk.serves("child").as_deref(), Some("1.0.0 z"));
    // The same files once more are no news.
    let again = desk.edit(&[("child", Some(child("1.0.0", "zeta"))), ("zeta", Some(prompt("zeta", "1.0.0", "z")))]);
    assert_eq!(again, Vec::<String>::new());
}

#[test]
fn a_parent_that_the_policy_denies_leaves_its_children_on_the_last_good() {
    let mut desk = Desk::new();
    desk.edit(&[("base", Some(prompt("base", "1.0.0", "b"))), ("child", Some(child("1.0.0", "base")))]);
    let told = desk.edit(&[("base", Some(prompt("base", "1.1.0", "denied"))), ("child", Some(child("1.0.1", "base")))]);
    assert_eq!(told, ["refused base: policy x: no", "published child 1.0.1"]);
    assert_eq!(desk.serves("base").as_deref(), Some("1.0.0 b"));
    assert_eq!(desk.serves("child").as_deref(), Some("1.0.1 b"), "made from the last good parent");
}

#[test]
fn a_child_that_a_new_parent_would_break_keeps_its_last_good() {
    let mut desk = Desk::new();
    desk.edit(&[("base", Some(prompt("base", "1.0.0", "b"))), ("child", Some(child("1.0.0", "base")))]);
    let bare = json!({"name": "base", "version": "1.1.0", "system_prompt": "b", "kind": "orchestrator",
        "plan": {"steps": [{"id": "s", "template": "w"}]}, "limits": {"fan_out": 1}});
    let wide = json!({"name": "child", "version": "1.1.0", "extends": "base", "plan": {"steps": [{"id": "a", "template": "w"}, {"id": "b", "template": "w"}]}});
    let told = desk.edit(&[("base", Some(bare)), ("child", Some(wide))]);
    assert_eq!(told[0], "published base 1.1.0");
    assert!(told[1].starts_with("refused child: line 1, column 50: /plan/steps: more steps"), "{told:?}");
    assert_eq!(desk.serves("child").as_deref(), Some("1.0.0 b"));
}

#[test]
fn a_parent_that_is_taken_away_is_told_and_its_child_goes_on() {
    let mut desk = Desk::new();
    desk.edit(&[("base", Some(template("base", "1.0.0"))), ("child", Some(child("1.0.0", "base")))]);
    let told = desk.edit(&[("base", None)]);
    assert_eq!(
        told,
        [
            "withdrawn base",
            "refused child: line 1, column 12: /extends: the parent is missing: child -> base; there is no base.json"
        ]
    );
    assert!(desk.serves("child").is_some());
    assert_eq!(desk.edit(&[]), Vec::<String>::new(), "told once");
    let told = desk.edit(&[("base", Some(template("base", "1.0.0")))]);
    assert_eq!(told, ["published base 1.0.0", "published child 1.0.0 (known)"]);
    assert_eq!(desk.stored.log.last().map(|(_, last)| last.cause), Some(super::super::Cause::Restored));
}

#[test]
fn a_chain_of_parents_has_an_end() {
    let mut desk = Desk::new();
    let mut files = vec![("t0".to_owned(), template("t0", "1.0.0"))];
    files.extend((1..=9).map(|n| {
        (format!("t{n}"), json!({"name": format!("t{n}"), "version": "1.0.0", "extends": format!("t{}", n - 1)}))
    }));
    let files: Vec<(&str, Option<Value>)> =
        files.iter().map(|(name, value)| (name.as_str(), Some(value.clone()))).collect();
    let told = desk.edit(&files);
    assert!(desk.serves("t8").is_some() && desk.serves("t9").is_none());
    assert!(told.iter().any(|line| line.contains("more than 8 templates above one another: t9 -> t8")), "{told:?}");
}

proptest! {
    /// INVARIANT: a published version number never changes the content of its file, a refused edit takes nothing away, and what
    /// serves was never denied.
    #[test]
    fn whatever_edits_come_what_serves_is_good(
        edits in proptest::collection::vec((0_usize..3, proptest::option::of((0_u32..3, prop_oneof![Just("x"), Just("y"), Just("denied")], proptest::option::of(0_usize..3)))), 1..25)
    ) {
        let mut desk = Desk::new();
        let mut published: std::collections::BTreeMap<(String, String), String> = std::collections::BTreeMap::new();
        for (file, content) in edits {
            let file = format!("t{file}");
            let before: BTreeSet<String> = desk.catalog.entries.iter().filter(|(_, e)| e.good.is_some()).map(|(n, _)| n.to_string()).collect();
            let removed = content.is_none();
            let value = content.map(|(version, text, parent)| {
                let mut value = prompt(&file, &format!("1.0.{version}"), text);
                if let Some(parent) = parent {
                    value["extends"] = json!(format!("t{parent}"));
                }
                value
            });
            desk.edit(&[(&file, value)]);
            for (name, entry) in &desk.catalog.entries {
                let Some(good) = &entry.good else {
                    prop_assert!(!before.contains(name.as_str()), "{name} was taken away");
                    continue;
                };
                let template = good.compile().expect("typed");
                prop_assert_ne!(template.system_prompt.expose(), "denied");
                let key = (name.to_string(), good.template.version.to_string());
                let own = good.lineage[0].own.to_string();
                prop_assert_eq!(published.entry(key).or_insert_with(|| own.clone()), &own);
            }
            prop_assert!(!removed || !desk.catalog.entries.contains_key(&name(&file)));
        }
    }
}
