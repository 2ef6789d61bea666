//! JSON among the texts: arguments and results of tools, structured inputs, schemas. Pure.
//!
//! What is hidden in a text of JSON is hidden in its strings, keys included, and in its numbers, and never across them: what was
//! JSON stays JSON. Strings are examined as what they say, not as they are escaped, each in its place, so that a key still tells
//! what its value is. A number that is hidden becomes a string.
//!
//! ```text
//! {"card": 4111111111111111, "to": "jean\u0040example.fr"}
//!   examined as {"card": 4111111111111111, "to": "jean@example.fr"}
//!   leaves as   {"card": "<CREDIT_CARD>",  "to": "<EMAIL_ADDRESS>"}
//! ```

use std::ops::Range;

use serde::de::IgnoredAny;

use super::finding::Finding;
use super::redaction::Examined;
use crate::domain::private::Text;

/// The most strings and numbers of one text of JSON that are treated one by one. A text with more is examined like any other: as it
/// is written.
const LEAVES_MAX: usize = 100_000;

/// A text that was examined.
pub(super) struct Document {
    text: Text,
    /// Where it is JSON: its strings and numbers in which something was found, in order.
    leaves: Vec<Leaf>,
    /// Where it is not: what was found in it.
    findings: Vec<Finding>,
}

/// A string or a number of JSON.
struct Leaf {
    /// Its token in the text, quotes included.
    token: Range<usize>,
    /// What it says.
    says: Text,
    findings: Vec<Finding>,
}

/// A token, and where what it says is in the text that is examined.
struct Place {
    token: Range<usize>,
    says: Range<usize>,
}

impl Document {
    /// Examines a text by `candidates`.
    pub(super) fn examine(text: &Text, candidates: impl Fn(&str) -> Vec<Finding>) -> Self {
        let Some((says, places)) = read(text.expose()) else { return Self::as_written(text, candidates) };
        let findings = candidates(&says);
        Self { text: text.clone(), leaves: leaves(&says, &places, &findings), findings: Vec::new() }
    }

    /// Examines a text as it is written, JSON or not.
    pub(super) fn as_written(text: &Text, candidates: impl Fn(&str) -> Vec<Finding>) -> Self {
        Self { text: text.clone(), leaves: Vec::new(), findings: candidates(text.expose()) }
    }

    /// What is to be redacted of it: the text itself, then its leaves.
    pub(super) fn examined(&self) -> impl Iterator<Item = Examined> + '_ {
        let whole = Examined { text: self.text.clone(), findings: self.findings.clone() };
        let leaf = |leaf: &Leaf| Examined { text: leaf.says.clone(), findings: leaf.findings.clone() };
        std::iter::once(whole).chain(self.leaves.iter().map(leaf))
    }

    /// What was found, where it is not JSON.
    pub(super) fn into_findings(self) -> Vec<Finding> {
        self.findings
    }

    /// The text that leaves, taken of the redacted texts, which are in the order of [`Self::examined`].
    pub(super) fn assemble(&self, redacted: &mut impl Iterator<Item = Text>) -> Option<Text> {
        let whole = redacted.next()?;
        if self.leaves.is_empty() {
            return Some(whole);
        }
        let written = self.text.expose();
        let (mut assembled, mut copied) = (String::with_capacity(written.len()), 0);
        for leaf in &self.leaves {
            let says = redacted.next()?;
            assembled.push_str(written.get(copied..leaf.token.start)?);
            if says == leaf.says {
                assembled.push_str(written.get(leaf.token.clone())?);
            } else {
                assembled.push_str(&serde_json::to_string(says.expose()).ok()?);
            }
            copied = leaf.token.end;
        }
        assembled.push_str(written.get(copied..)?);
        Some(assembled.into())
    }
}

/// Whether a text is one value of JSON, and not a mere word or number.
pub(super) fn is_json(text: &str) -> bool {
    may_be_json(text) && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

fn may_be_json(text: &str) -> bool {
    text.trim_ascii_start().starts_with(['{', '[', '"'])
}

/// The text with what its strings say in the place of how they are escaped, its numbers apart, and where its strings and numbers are; nothing where
/// it is not JSON, or has more of them than are treated one by one.
fn read(text: &str) -> Option<(String, Vec<Place>)> {
    if !is_json(text) {
        return None;
    }
    let (mut says, mut places, mut copied, mut at) = (String::with_capacity(text.len()), Vec::new(), 0, 0);
    while let Some(token) = next_token(text.as_bytes(), at) {
        at = token.end;
        if places.len() == LEAVES_MAX {
            return None;
        }
        says.push_str(text.get(copied..token.start)?);
        let raw = text.get(token.clone())?;
        // A number in a list is not one with its neighbours.
        let (quote, said) = match raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) {
            None => (" ", raw.to_owned()),
            Some(inner) if !inner.contains('\\') => ("\"", inner.to_owned()),
            Some(_) => ("\"", serde_json::from_str(raw).ok()?),
        };
        says.push_str(quote);
        let start = says.len();
        says.push_str(&said);
        places.push(Place { token: token.clone(), says: start..says.len() });
        says.push_str(quote);
        copied = token.end;
    }
    says.push_str(text.get(copied..)?);
    Some((says, places))
}

/// The next string or number of JSON from `at` on.
fn next_token(json: &[u8], at: usize) -> Option<Range<usize>> {
    let rest = json.get(at..)?;
    let begins = |byte: &u8| *byte == b'"' || *byte == b'-' || byte.is_ascii_digit();
    let start = at.saturating_add(rest.iter().position(begins)?);
    let mut after = json.get(start..)?.iter().skip(1);
    let length = if json.get(start) == Some(&b'"') {
        let mut is_escaped = false;
        let mut closes = |byte: &u8| {
            let closes = *byte == b'"' && !is_escaped;
            is_escaped = *byte == b'\\' && !is_escaped;
            closes
        };
        after.position(|byte| closes(byte))?.saturating_add(2)
    } else {
        let of_number = |byte: &&u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
        after.take_while(of_number).count().saturating_add(1)
    };
    Some(start..start.saturating_add(length))
}

/// The leaves in which something was found. What reaches over the end of one is cut there: its parts are hidden, each in its leaf.
fn leaves(says: &str, places: &[Place], findings: &[Finding]) -> Vec<Leaf> {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_unstable_by_key(|finding| finding.start);
    let mut leaves = Vec::new();
    // Findings that begin before a place's end, and may still reach into the next one.
    let (mut reaching, mut ahead): (Vec<&Finding>, _) = (Vec::new(), sorted.into_iter().peekable());
    for place in places {
        while let Some(finding) = ahead.next_if(|finding| finding.start < place.says.end) {
            reaching.push(finding);
        }
        reaching.retain(|finding| finding.end > place.says.start);
        let within = |finding: &&Finding| {
            let (start, end) = (finding.start.max(place.says.start), finding.end.min(place.says.end));
            let relative = |at: usize| at.saturating_sub(place.says.start);
            (start < end).then(|| Finding { start: relative(start), end: relative(end), ..**finding })
        };
        let findings: Vec<Finding> = reaching.iter().filter_map(within).collect();
        if let Some(said) = says.get(place.says.clone()).filter(|_| !findings.is_empty()) {
            leaves.push(Leaf { token: place.token.clone(), says: said.into(), findings });
        }
    }
    leaves
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::detectors::Detectors;
    use super::super::{PseudonymKey, Pseudonyms, Vault, redact};
    use super::*;
    use crate::domain::protection::Action;

    const MAIL: &str = "jean.dupont@example.fr";

    fn protected(text: &str, action: Action) -> (Text, Vault) {
        let document = Document::examine(&text.into(), |text| Detectors::shipped().candidates(text));
        let examined: Vec<Examined> = document.examined().collect();
        let tenant = "acme".parse().expect("a tenant");
        let pseudonyms = Pseudonyms::new(PseudonymKey::from_bytes([7; PseudonymKey::BYTES]), tenant);
        let redaction = redact(&examined, &action.into(), &[], &pseudonyms).expect("not blocked");
        let mut texts = redaction.texts.into_iter();
        let assembled = document.assemble(&mut texts).expect("assembled");
        assert_eq!(texts.next(), None, "every text is taken");
        (assembled, redaction.vault)
    }

    #[test]
    fn keys_values_and_numbers_are_hidden_and_the_rest_stays_as_it_is() {
        for (text, expected) in [
            (r#"{ "a": "jean.dupont@example.fr" , "b":1.50}"#, r#"{ "a": "<EMAIL_ADDRESS>" , "b":1.50}"#),
            (r#"{"jean.dupont@example.fr": [true, "x"]}"#, r#"{"<EMAIL_ADDRESS>": [true, "x"]}"#),
            (r#"{"card": 4111111111111111, "n": -1e3}"#, r#"{"card": "<CREDIT_CARD>", "n": -1e3}"#),
            (r#"{"a":"jean.dupont\u0040example.fr\n\"","b":"\u00e9"}"#, r#"{"a":"<EMAIL_ADDRESS>\n\"","b":"\u00e9"}"#),
            (r#"{"a":"line\njean.dupont@example.fr"}"#, r#"{"a":"line\n<EMAIL_ADDRESS>"}"#),
            (r#"{"a":"nothing\n"}"#, r#"{"a":"nothing\n"}"#),
            (r#"{"a": jean.dupont@example.fr"#, r#"{"a": <EMAIL_ADDRESS>"#),
        ] {
            assert_eq!(protected(text, Action::Mask).0.expose(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_restored_into_json_is_escaped_for_it() {
        let original = "say \"hi\"\n\\ to jean.dupont@example.fr";
        let mut vault = Vault::default();
        vault.keep("NOTE_00000000".to_owned(), original);
        let restored = vault.restore_json(&r#"{"a": "<NOTE_00000000>", "b": ["note_00000000"]}"#.into());
        let value: Value = serde_json::from_str(restored.expose()).expect("still JSON");
        assert_eq!((&value["a"], &value["b"][0]), (&Value::from(original), &Value::from(original)));
        assert_eq!(vault.restore_json(&"{<NOTE_00000000>".into()).expose(), format!("{{{original}"), "no JSON");
    }

    fn value() -> impl Strategy<Value = Value> {
        let words = prop_oneof![
            "[a-z \\PC]{0,12}".prop_map(Value::from),
            Just(Value::from(MAIL)),
            "[\"\\\\\n\t é]{0,4}".prop_map(|around| Value::from(format!("{around} {MAIL} {around}"))),
            Just(Value::from(4_111_111_111_111_111_u64)),
            any::<i32>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
        ];
        words.prop_recursive(3, 24, 4, |inner| {
            let key = prop_oneof!["[a-z\"\\\\]{0,6}", Just(MAIL.to_owned())];
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(key, inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// What was JSON stays JSON, says nothing that was to be hidden, and is the same again when it is restored.
        #[test]
        fn json_stays_json_and_comes_back(value in value(), is_pretty in any::<bool>()) {
            // A lone number is a text like any other.
            let value = Value::from(vec![value]);
            let text = if is_pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            let text = text.expect("JSON");
            let (hidden, vault) = protected(&text, Action::Pseudonymise);
            let said = serde_json::from_str::<Value>(hidden.expose()).expect("still JSON").to_string();
            prop_assert!(!said.contains(MAIL) && !said.contains("4111111111111111"), "{}", said);
            let restored: Value = serde_json::from_str(vault.restore_json(&hidden).expose()).expect("still JSON");
            // A number that was hidden is a string since.
            let as_strings = |value: &Value| value.to_string().replace("\"4111111111111111\"", "4111111111111111");
            prop_assert_eq!(as_strings(&restored), as_strings(&value));
        }

        #[test]
        fn any_text_is_examined_whole(text in "[\\[{\"]{1}\\PC{0,40}") {
            let (assembled, vault) = protected(&text, Action::Pseudonymise);
            prop_assert!(is_json(assembled.expose()) || vault.restore(&assembled).expose() == text);
        }
    }
}
