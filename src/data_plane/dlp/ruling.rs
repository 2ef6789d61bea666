//! Properties of redaction by rules.

use proptest::prelude::*;

use super::detect::resolve_under;
use super::*;
use crate::domain::entity::Group;
use crate::domain::protection::{Action, Rules, Subject};

const KINDS: [Kind; 4] = [Kind::EMAIL_ADDRESS, Kind::CREDIT_CARD, Kind::IBAN_CODE, Kind::PHONE_NUMBER];

fn pseudonyms() -> Pseudonyms {
    Pseudonyms::new(PseudonymKey::from_bytes([7; PseudonymKey::BYTES]), "acme".parse().expect("a tenant"))
}

fn action() -> impl Strategy<Value = Action> {
    proptest::sample::select(Action::ALL.map(|(action, _)| action).to_vec())
}

fn rules() -> impl Strategy<Value = Rules> {
    let subject = prop_oneof![
        Just(Subject::Group(Group::Personal)),
        Just(Subject::Group(Group::Secret)),
        proptest::sample::select(KINDS.to_vec()).prop_map(Subject::Kind),
    ];
    (action(), proptest::collection::vec((subject, action()), 0..5)).prop_map(|(all, named)| Rules::new(all, named))
}

/// Texts with findings, some of which overlap: what detectors say is made up where they would not.
fn examined() -> impl Strategy<Value = Examined> {
    let finding = (proptest::sample::select(KINDS.to_vec()), 0..36_usize, 1..12_usize, 0..3_u8);
    ("[a-z0-9]{48}", proptest::collection::vec(finding, 0..6)).prop_map(|(text, findings)| {
        let score = |sure: u8| [Score::PLAUSIBLE, Score::LIKELY, Score::HIGH][usize::from(sure)];
        let of = |(kind, start, length, sure)| Finding { kind, start, end: start + length, score: score(sure) };
        Examined { text: text.into(), findings: findings.into_iter().map(of).collect() }
    })
}

/// The bytes of a text that rules hide.
fn hidden(rules: &Rules, examined: &Examined) -> Vec<bool> {
    let mut bytes = vec![false; examined.text.len()];
    for finding in resolve_under(rules, examined.findings.clone()) {
        if rules.action(finding.kind) != Action::Allow {
            bytes[finding.range()].fill(true);
        }
    }
    bytes
}

fn has(rules: &Rules, examined: &[Examined], action: Action) -> bool {
    examined.iter().flat_map(|one| &one.findings).any(|finding| rules.action(finding.kind) == action)
}

proptest! {
    /// INVARIANT I130: whatever lies beside it or over it, a finding is treated no more leniently than its own rule says.
    #[test]
    fn no_kind_is_treated_more_leniently_for_what_overlaps_it(examined in examined(), rules in rules()) {
        for resolved in resolve_under(&rules, examined.findings.clone()) {
            for finding in &examined.findings {
                if finding.start < resolved.end && resolved.start < finding.end {
                    prop_assert!(rules.action(finding.kind) <= rules.action(resolved.kind));
                    prop_assert!(resolved.start <= finding.start && finding.end <= resolved.end);
                }
            }
        }
    }

    /// A stricter rule never hides less.
    #[test]
    fn a_stricter_rule_never_hides_less(examined in examined(), rules in rules(), floor in rules()) {
        let (before, after) = (hidden(&rules, &examined), hidden(&rules.at_least(&floor), &examined));
        prop_assert!(before.iter().zip(&after).all(|(before, after)| !before || *after));
    }

    /// INVARIANT I131: without leave nothing passes that is to be blocked or asked about; with leave for other texts neither.
    #[test]
    fn nothing_passes_without_the_leave_that_it_needs(
        texts in proptest::collection::vec(examined(), 1..3), rules in rules(), other in "[a-z]{1,9}")
    {
        let outcome = redact(&texts, &rules, &[], &pseudonyms());
        let blocks = has(&rules, &texts, Action::Block);
        let asks = has(&rules, &texts, Action::Ask);
        match &outcome {
            Ok(_) => prop_assert!(!blocks && !asks),
            Err(Withheld::Blocked(kinds)) => {
                prop_assert!(blocks && kinds.iter().all(|kind| rules.action(*kind) == Action::Block));
            }
            Err(Withheld::Asked(question)) => {
                prop_assert!(asks && !blocks);
                let kinds: Vec<Kind> = question.counts.iter().map(|(kind, _)| kind).collect();
                prop_assert!(kinds.iter().all(|kind| rules.action(*kind) == Action::Ask));
                let leave = Consent { digest: question.digest.expect("a digest"), kinds: kinds.clone() };
                let given = redact(&texts, &rules, std::slice::from_ref(&leave), &pseudonyms()).expect("it was asked for");
                prop_assert!(!has(&given.rules, &texts, Action::Ask));
                // Leave is for these texts, and for all of the kinds.
                let mut changed = texts.clone();
                changed[0].text = [changed[0].text.expose(), other.as_str()].concat().into();
                prop_assert!(redact(&changed, &rules, std::slice::from_ref(&leave), &pseudonyms()).is_err());
                let fewer = Consent { kinds: kinds[1..].to_vec(), ..leave };
                prop_assert!(redact(&texts, &rules, &[fewer], &pseudonyms()).is_err());
            }
        }
    }

    /// What is hidden is not in the text that passes, in whatever mixture of actions.
    #[test]
    fn what_is_hidden_is_gone(examined in examined(), rules in rules()) {
        if let Ok(redaction) = redact(std::slice::from_ref(&examined), &rules, &[], &pseudonyms()) {
            let told = redaction.texts[0].expose();
            for finding in resolve_under(&rules, examined.findings.clone()).iter().filter(|finding| finding.len() > 7) {
                let value = &examined.text.expose()[finding.range()];
                let elsewhere = examined.text.expose().matches(value).count() > 1;
                prop_assert!(rules.action(finding.kind) == Action::Allow || elsewhere || !told.contains(value));
            }
        }
    }
}
