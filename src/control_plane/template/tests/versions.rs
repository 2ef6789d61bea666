//! Versions only rise, going back sticks, and what serves was published and is allowed: against a model.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::Cause;
use super::super::state::Doubt;
use super::super::version::precedence;
use super::catalog::{Desk, child, prompt};
use super::rig::name;
use crate::domain::name::{Digest, Version};

fn causes(desk: &Desk, file: &str) -> Vec<(String, Cause, Option<String>)> {
    let log = desk.stored.log.iter().filter(|(name, _)| name.as_str() == file);
    log.map(|(_, it)| (it.version.to_string(), it.cause, it.by.told())).collect()
}

#[test]
fn a_file_of_a_lower_version_is_refused_also_after_a_restart_and_a_withdrawal() {
    let mut desk = Desk::new();
    let old = || ("a", Some(prompt("a", "1.0.0", "old")));
    let new = || ("a", Some(prompt("a", "1.10.0", "new")));
    desk.edit(&[old()]);
    desk.edit(&[new()]);
    let refused = "refused a: line 1, column 69: /version: 1.0.0 is lower than 1.10.0, which was published before, and versions never go \
                   backwards; raise the number, or go back with: factoryctl templates rollback a 1.0.0";
    assert_eq!(desk.edit(&[old()]), [refused]);
    assert_eq!(desk.serves("a").as_deref(), Some("1.10.0 new"));
    assert_eq!(
        desk.edit(&[("a", Some(prompt("a", "1.9.0", "never seen")))]).len(),
        1,
        "numbers, not texts, are compared"
    );
    desk.edit(&[("a", None)]);
    assert_eq!(desk.edit(&[old()]), [refused]);
    assert_eq!(desk.serves("a"), None);
    assert_eq!(desk.restart(&[old()]), [refused]);
    assert_eq!(desk.edit(&[new()]), ["published a 1.10.0"]);
    let by = || Some("uid:7".to_owned());
    assert_eq!(
        causes(&desk, "a"),
        [
            ("1.0.0".to_owned(), Cause::Edited, by()),
            ("1.10.0".to_owned(), Cause::Edited, by()),
            ("1.10.0".to_owned(), Cause::Restored, None),
        ]
    );
}

#[test]
fn going_back_sticks_through_edits_and_restarts_until_it_is_lifted() {
    let mut desk = Desk::new();
    desk.edit(&[("a", Some(prompt("a", "1.0.0", "old")))]);
    desk.edit(&[("a", Some(prompt("a", "1.1.0", "new")))]);
    assert_eq!(desk.roll_back("a", "1.0.0"), ["rolled back a to 1.0.0", "published a 1.0.0", "held a 1.1.0"]);
    assert_eq!(desk.serves("a").as_deref(), Some("1.0.0 old"));

    let newer = || ("a", Some(prompt("a", "1.2.0", "newer")));
    assert_eq!(desk.edit(&[newer()]), ["held a 1.2.0"]);
    assert_eq!(desk.edit(&[newer()]), Vec::<String>::new(), "told once");
    assert_eq!(desk.restart(&[newer()]), ["published a 1.0.0 (known)", "held a 1.2.0"]);
    assert_eq!(desk.edit(&[("a", Some(prompt("a", "1.3.0", "denied")))]), ["refused a: policy x: no"]);
    assert_eq!(desk.serves("a").as_deref(), Some("1.0.0 old"));
    assert!(desk.entry("a").pending.is_none());
    desk.edit(&[newer()]);

    assert_eq!(desk.lift("a"), ["lifted a", "published a 1.2.0"]);
    assert_eq!(desk.serves("a").as_deref(), Some("1.2.0 newer"));
    let last: Vec<(String, Cause, Option<String>)> = causes(&desk, "a").split_off(2);
    let ann = || Some("ann".to_owned());
    assert_eq!(last, [("1.0.0".to_owned(), Cause::RolledBack, ann()), ("1.2.0".to_owned(), Cause::Lifted, ann())]);
}

#[test]
fn a_file_that_is_refused_when_going_back_is_lifted_leaves_the_chosen_version_as_the_last_good() {
    let mut desk = Desk::new();
    desk.edit(&[("a", Some(prompt("a", "1.0.0", "old")))]);
    desk.edit(&[("a", Some(prompt("a", "1.1.0", "new")))]);
    desk.roll_back("a", "1.0.0");
    let bad = || ("a", Some(prompt("a", "1.2.0", "denied")));
    desk.edit(&[bad()]);
    assert_eq!(desk.lift("a"), ["lifted a"]);
    assert_eq!(desk.serves("a").as_deref(), Some("1.0.0 old"));
    assert_eq!(desk.entry("a").reasons, ["policy x: no"]);
}

#[test]
fn the_version_that_somebody_went_back_to_is_served_or_none() {
    let mut desk = Desk::new();
    desk.edit(&[("a", Some(prompt("a", "1.0.0", "old")))]);
    desk.edit(&[("a", Some(prompt("a", "1.1.0", "new")))]);
    desk.roll_back("a", "1.0.0");
    assert_eq!(desk.deny(Some("old")), ["refused a: policy y: not now"]);
    assert_eq!(desk.serves("a"), None, "never forward");
    let file = || ("a", Some(prompt("a", "1.1.0", "new")));
    desk.restart(&[file()]);
    assert_eq!(desk.serves("a"), None);
    assert_eq!(desk.deny(None), ["published a 1.0.0"]);
    desk.deny(Some("old"));
    assert_eq!(desk.deny(None), ["published a 1.0.0"]);
    assert_eq!(desk.serves("a").as_deref(), Some("1.0.0 old"));
}

#[test]
fn a_withdrawn_template_is_rolled_back_still_when_its_file_is_back() {
    let mut desk = Desk::new();
    desk.edit(&[("a", Some(prompt("a", "1.0.0", "old")))]);
    desk.edit(&[("a", Some(prompt("a", "1.1.0", "new")))]);
    desk.roll_back("a", "1.0.0");
    assert_eq!(desk.edit(&[("a", None)]), ["withdrawn a"]);
    assert_eq!(desk.serves("a"), None);
    let told = desk.edit(&[("a", Some(prompt("a", "1.1.0", "new")))]);
    assert_eq!(told, ["published a 1.0.0", "held a 1.1.0"]);
}

#[test]
fn descendants_follow_a_parent_that_goes_back_and_one_that_went_back_itself_stays() {
    let mut desk = Desk::new();
    desk.edit(&[("base", Some(prompt("base", "1.0.0", "one"))), ("child", Some(child("1.0.0", "base")))]);
    desk.edit(&[("base", Some(prompt("base", "1.1.0", "two")))]);
    assert_eq!(desk.serves("child").as_deref(), Some("1.0.0 two"));
    let told = desk.roll_back("base", "1.0.0");
    assert_eq!(told, ["rolled back base to 1.0.0", "published base 1.0.0", "held base 1.1.0", "published child 1.0.0"]);
    assert_eq!(desk.serves("child").as_deref(), Some("1.0.0 one"));
    let last = causes(&desk, "child").pop().expect("a publication");
    assert_eq!(last, ("1.0.0".to_owned(), Cause::ParentChanged, Some("ann".to_owned())));

    desk.roll_back("child", "1.0.0");
    assert_eq!(desk.lift("base"), ["lifted base", "published base 1.1.0", "held child 1.0.0"]);
    assert_eq!(desk.serves("child").as_deref(), Some("1.0.0 one"));
    assert_eq!(desk.lift("child"), ["lifted child", "published child 1.0.0"]);
    assert_eq!(desk.serves("child").as_deref(), Some("1.0.0 two"));
    desk.roll_back("base", "1.0.0");
    desk.lift("base");
    let last = causes(&desk, "child").pop().expect("a publication");
    assert_eq!(last, ("1.0.0".to_owned(), Cause::ParentChanged, Some("ann".to_owned())), "who lifted it");
}

/// One step of a random story.
#[derive(Debug, Clone)]
enum Step {
    Edit { file: usize, version: u32, text: &'static str, parent: bool },
    Damage { file: usize },
    Delete { file: usize },
    RollBack { file: usize, version: u32 },
    Lift { file: usize },
    Restart,
    Deny(Option<&'static str>),
}

fn step() -> impl Strategy<Value = Step> {
    let text = prop_oneof![Just("x"), Just("y"), Just("z"), Just("denied")];
    let deny = prop_oneof![Just(None), Just(Some("x")), Just(Some("y"))];
    prop_oneof![
        6 => (0_usize..3, 0_u32..5, text, any::<bool>())
            .prop_map(|(file, version, text, parent)| Step::Edit { file, version, text, parent }),
        1 => (0_usize..3).prop_map(|file| Step::Damage { file }),
        1 => (0_usize..3).prop_map(|file| Step::Delete { file }),
        3 => (0_usize..3, 0_u32..5).prop_map(|(file, version)| Step::RollBack { file, version }),
        2 => (0_usize..3).prop_map(|file| Step::Lift { file }),
        1 => Just(Step::Restart),
        1 => deny.prop_map(Step::Deny),
    ]
}

fn served(desk: &Desk, file: &str) -> Option<(Version, Digest, String)> {
    let template = desk.catalog.entries.get(&name(file))?.good.as_ref()?.compile().expect("typed");
    Some((template.version.clone(), template.digest, template.system_prompt.expose().to_owned()))
}

proptest! {
    /// INVARIANT: what is served was published and is allowed; while somebody went back it is what they chose; else its version
    /// never falls.
    #[test]
    fn whatever_happens_what_serves_is_published_allowed_chosen_or_rising(steps in proptest::collection::vec(step(), 1..40)) {
        let mut desk = Desk::new();
        let mut files: BTreeMap<String, Value> = BTreeMap::new();
        let mut chosen: BTreeMap<String, Digest> = BTreeMap::new();
        let mut last: BTreeMap<String, Version> = BTreeMap::new();
        let mut denied = None;
        for step in steps {
            match step {
                Step::Edit { file, version, text, parent } => {
                    let file = format!("t{file}");
                    let mut value = prompt(&file, &format!("1.{version}.0"), text);
                    if parent && file != "t0" {
                        value = child(&format!("1.{version}.0"), "t0");
                        value["name"] = json!(file);
                    }
                    files.insert(file.clone(), value.clone());
                    desk.edit(&[(&file, Some(value))]);
                }
                Step::Damage { file } => {
                    let file = format!("t{file}");
                    let value = json!({"name": "not this", "version": 1});
                    files.insert(file.clone(), value.clone());
                    desk.edit(&[(&file, Some(value))]);
                }
                Step::Delete { file } => {
                    let file = format!("t{file}");
                    files.remove(&file);
                    desk.edit(&[(&file, None)]);
                }
                Step::RollBack { file, version } => {
                    let (file, version) = (format!("t{file}"), format!("1.{version}.0"));
                    let known = desk.stored.versions.get(&(name(&file), version.parse().expect("a version"))).cloned();
                    let Some(known) = known.filter(|_| files.contains_key(&file)) else { continue };
                    let text = desk.stored.contents[&known.resolved].compile().expect("typed").system_prompt.expose().to_owned();
                    // What is denied is refused before anything is decided.
                    if Some(text.as_str()) == denied { continue }
                    desk.roll_back(&file, &version);
                    chosen.insert(file.clone(), known.resolved);
                    last.insert(file, version.parse().expect("a version"));
                }
                Step::Lift { file } => {
                    let file = format!("t{file}");
                    if files.contains_key(&file) {
                        desk.lift(&file);
                        chosen.remove(&file);
                    }
                }
                Step::Restart => {
                    let all: Vec<(&str, Option<Value>)> = files.iter().map(|(file, value)| (file.as_str(), Some(value.clone()))).collect();
                    desk.restart(&all);
                }
                Step::Deny(prompt) => {
                    denied = prompt;
                    desk.deny(prompt);
                    let all: Vec<(&str, Option<Value>)> = files.iter().map(|(file, value)| (file.as_str(), Some(value.clone()))).collect();
                    desk.look(&all, None, Doubt::None);
                }
            }
            for file in ["t0", "t1", "t2"] {
                let Some((version, digest, text)) = served(&desk, file) else { continue };
                prop_assert!(files.contains_key(file), "{} is withdrawn", file);
                prop_assert!(desk.stored.contents.contains_key(&digest), "{} was never published", file);
                prop_assert_eq!(desk.stored.current.get(&name(file)), Some(&digest));
                prop_assert!(text != "denied" && Some(text.as_str()) != denied, "{} is denied", file);
                match chosen.get(file) {
                    Some(chosen) => prop_assert_eq!(&digest, chosen),
                    None => {
                        let before = last.get(file).unwrap_or(&version);
                        prop_assert!(precedence(before, &version).is_le(), "{} fell from {} to {}", file, before, version);
                    }
                }
                last.insert(file.to_owned(), version);
            }
        }
    }
}
