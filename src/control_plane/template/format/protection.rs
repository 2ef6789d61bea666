//! `dlp`: what is done with what is found in texts, by direction and by type.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::mistake::Mistake;
use super::nearest::nearest;
use super::words::listed;
use crate::domain::entity::{CUSTOM_PREFIX, Group, Kind, NameError};
use crate::domain::protection::{Action, DEFAULT, Images, Protection, Rules, Subject};

/// The most rules that one direction has.
const RULES_MAX: usize = 256;
/// The shortest time that a person may be given.
const ASK_WITHIN_MIN: Duration = Duration::from_secs(1);
/// The longest.
const ASK_WITHIN_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Protection as written.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Wire {
    outbound: Option<RulesWire>,
    inbound: Option<RulesWire>,
    images: Option<String>,
    ask_within: Option<String>,
}

/// One action for everything, or an action by type.
#[derive(Deserialize)]
#[serde(untagged)]
enum RulesWire {
    All(String),
    ByType(BTreeMap<String, String>),
}

/// Reads what a template asks for.
///
/// # Errors
/// All mistakes at once.
pub(super) fn read(written: &Wire) -> Result<Protection, Vec<Mistake>> {
    let (default, mut mistakes) = (Protection::default(), Vec::new());
    let outbound = rules("/dlp/outbound", written.outbound.as_ref(), default.outbound, &mut mistakes);
    let inbound = rules("/dlp/inbound", written.inbound.as_ref(), default.inbound, &mut mistakes);
    if inbound.has(Action::Ask) {
        let message = "nobody can be asked about an answer: it is there already, and paid for; mask, hash or block what may not \
                       be heard";
        mistakes.push(Mistake::at("/dlp/inbound", message));
    }
    let images = match written.images.as_deref() {
        None => Images::ByRules,
        Some(word) => Images::from_word(word).unwrap_or_else(|| {
            mistakes.push(Mistake::at("/dlp/images", "one of allow and block"));
            Images::Block
        }),
    };
    let ask_within = match written.ask_within.as_deref() {
        None => default.ask_within,
        Some(text) => humantime::parse_duration(text)
            .ok()
            .filter(|time| (ASK_WITHIN_MIN..=ASK_WITHIN_MAX).contains(time))
            .unwrap_or_else(|| {
                mistakes.push(Mistake::at("/dlp/ask_within", "must be from 1s to 366d"));
                default.ask_within
            }),
    };
    if mistakes.is_empty() { Ok(Protection { outbound, inbound, images, ask_within }) } else { Err(mistakes) }
}

fn rules(pointer: &str, written: Option<&RulesWire>, default: Rules, mistakes: &mut Vec<Mistake>) -> Rules {
    let by_type = match written {
        None => return default,
        Some(RulesWire::All(word)) => return action(pointer, word, mistakes).map_or(default, Rules::all),
        Some(RulesWire::ByType(by_type)) => by_type,
    };
    if by_type.len() > RULES_MAX {
        mistakes.push(Mistake::at(pointer, format!("has {} rules; at most {RULES_MAX} are allowed", by_type.len())));
        return default;
    }
    let mut named = Vec::with_capacity(by_type.len());
    for (name, word) in by_type {
        let at = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
        let subject = subject(name).map_err(|message| mistakes.push(Mistake::of_key(at.clone(), message))).ok();
        named.extend(subject.zip(action(&at, word, mistakes)));
    }
    let Some(all) = default.uniform() else { return default };
    Rules::new(all, named)
}

fn action(pointer: &str, word: &str, mistakes: &mut Vec<Mistake>) -> Option<Action> {
    let action = Action::from_word(word);
    if action.is_none() {
        let words = Action::ALL.iter().map(|(_, word)| *word);
        mistakes.push(Mistake::at(pointer, format!("must be one of {}", listed(words))));
    }
    action
}

/// What a rule of this name is about; why nothing, where nothing has it.
fn subject(name: &str) -> Result<Subject, String> {
    Subject::named(name).map_err(|fault| match fault {
        NameError::TooMany => fault.to_string(),
        NameError::Unknown(_) => {
            let groups = Group::ALL.iter().map(|(_, name)| *name);
            let known = Kind::ALL.iter().map(|kind| kind.as_str()).chain(groups).chain([DEFAULT]);
            let advice = match nearest(name, known) {
                Some(meant) => format!("did you mean {meant:?}?"),
                None => "docs/dlp.md lists them.".to_owned(),
            };
            format!("no type of finding is called that; {advice} Those of your own begin with {CUSTOM_PREFIX}")
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read_json(written: Value) -> Result<Protection, Vec<String>> {
        let wire = Wire::deserialize(written).map_err(|fault| vec![fault.to_string()])?;
        read(&wire).map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn one_word_is_for_all_and_an_object_is_by_type() {
        let plain = read_json(json!({"outbound": "mask"})).expect("good");
        assert_eq!(plain, Protection::simple(Action::Mask, Action::Allow));
        let by_type = read_json(json!({
            "outbound": {"SECRETS": "block", "CREDIT_CARD": "ask", "CUSTOM_BADGE": "hash"},
            "inbound": {"default": "mask", "PERSON": "allow"}, "images": "block", "ask_within": "10m"
        }))
        .expect("good");
        for (kind, action) in [
            (Kind::GITHUB_TOKEN, Action::Block),
            (Kind::CREDIT_CARD, Action::Ask),
            (Kind::named("CUSTOM_BADGE").expect("a kind"), Action::Hash),
            (Kind::EMAIL_ADDRESS, Action::Pseudonymise),
        ] {
            assert_eq!(by_type.outbound.action(kind), action, "{kind}");
        }
        let inbound = &by_type.inbound;
        assert_eq!((inbound.action(Kind::PERSON), inbound.action(Kind::IBAN_CODE)), (Action::Allow, Action::Mask));
        assert_eq!((by_type.images, by_type.ask_within), (Images::Block, Duration::from_secs(600)));
    }

    #[test]
    fn a_name_that_nothing_has_is_a_mistake_with_what_was_meant() {
        let mistakes = read_json(json!({"outbound": {"CREDITCARD": "mask", "SECRET": "block", "CUSTOM_a": "hash"}}));
        let mistakes = mistakes.expect_err("mistakes");
        assert_eq!(mistakes.len(), 3, "{mistakes:?}");
        assert!(mistakes[0].starts_with("/dlp/outbound/CREDITCARD: ") && mistakes[0].contains("\"CREDIT_CARD\""));
        assert!(mistakes[2].contains("\"SECRETS\""), "{mistakes:?}");
    }

    #[test]
    fn nobody_is_asked_about_answers() {
        for inbound in [json!("ask"), json!({"CREDIT_CARD": "ask"})] {
            let mistakes = read_json(json!({"inbound": inbound})).expect_err("a mistake");
            assert!(mistakes[0].starts_with("/dlp/inbound: nobody can be asked"), "{mistakes:?}");
        }
    }

    #[test]
    fn a_person_has_a_second_at_least() {
        for ask_within in ["0s", "999ms", "367d"] {
            read_json(json!({"ask_within": ask_within})).expect_err(ask_within);
        }
    }
}
