//! The pure decisions, against a model: whatever edits come, what serves is good.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::good::Rules;
use super::super::source::look::{Bytes, look};
use super::super::state::{Catalog, Change, Decision, Doubt, News, decide};
use super::rig::{name, template};
use crate::control_plane::policy::Policy;
use crate::domain::clock::Timestamp;

/// A catalog that is fed with unsigned files.
struct Desk {
    catalog: Catalog,
    policy: Policy,
    clock: i64,
}

impl Desk {
    fn new() -> Self {
        let policy = Policy::new(
            "package factory.template\n\ndeny contains {\"rule\": \"x\", \"message\": \"no\"} if { input.template.system_prompt == \"denied\" }",
        );
        Self { catalog: Catalog::default(), policy, clock: 0 }
    }

    fn edit(&mut self, files: &[(&str, Option<Value>)]) -> Vec<String> {
        let mut news = News { doubt: Doubt::None, ..News::default() };
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
                    news.seen.insert(name, Arc::new(seen));
                }
            }
        }
        self.clock += 1;
        let rules = Rules { trust: None, policy: &self.policy };
        let Decision { catalog, changes } = decide(&self.catalog, news, &rules, Timestamp::from_micros(self.clock));
        self.catalog = catalog;
        changes.iter().map(told).collect()
    }

    fn serves(&self, file: &str) -> Option<String> {
        let good = self.catalog.entries.get(&name(file))?.good.as_ref()?;
        Some(format!("{} {}", good.template.version, good.compile().expect("typed").system_prompt.expose()))
    }
}

fn told(change: &Change) -> String {
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

fn child(version: &str, parent: &str) -> Value {
    json!({"name": "child", "version": version, "extends": parent})
}

fn prompt(name: &str, version: &str, prompt: &str) -> Value {
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
    assert!(told[1].starts_with("refused child: /plan/steps: more steps"), "{told:?}");
    assert_eq!(desk.serves("child").as_deref(), Some("1.0.0 b"));
}

#[test]
fn a_parent_that_is_taken_away_is_told_and_its_child_goes_on() {
    let mut desk = Desk::new();
    desk.edit(&[("base", Some(template("base", "1.0.0"))), ("child", Some(child("1.0.0", "base")))]);
    let told = desk.edit(&[("base", None)]);
    assert_eq!(told, ["withdrawn base", "refused child: /extends: the parent is missing: child -> base"]);
    assert!(desk.serves("child").is_some());
    assert_eq!(desk.edit(&[]), Vec::<String>::new(), "told once");
    let told = desk.edit(&[("base", Some(template("base", "1.0.0")))]);
    assert_eq!(told, ["published base 1.0.0", "published child 1.0.0 (known)"]);
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
    assert!(told.iter().any(|line| line.contains("more than 8 parents: t9 -> t8")), "{told:?}");
}

#[test]
fn going_back_to_an_earlier_version_is_written_down() {
    let mut desk = Desk::new();
    desk.edit(&[("a", Some(prompt("a", "1.0.0", "old")))]);
    desk.edit(&[("a", Some(prompt("a", "1.1.0", "new")))]);
    assert_eq!(desk.edit(&[("a", Some(prompt("a", "1.0.0", "old")))]), ["published a 1.0.0"]);
    let good = desk.catalog.entries[&name("a")].good.clone().expect("good");
    assert_eq!(good.template.published_at, Timestamp::from_micros(1), "the date is that of the first publication");
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
