//! The engine: windows, floods, and what it never does.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::data_plane::dlp::finding::{Kind, Score};

fn rule(id: &str, keywords: &[&str], pattern: &str, reach: Reach) -> Rule {
    Rule {
        id: id.to_owned(),
        kind: Kind::GENERIC_SECRET,
        origin: Origin::Own,
        source: String::new(),
        keywords: keywords.iter().map(|keyword| (*keyword).to_owned()).collect(),
        case_sensitive: false,
        pattern: Pattern::new(pattern.to_owned()),
        reach,
        whole: false,
        score: Score::LIKELY,
        context: None,
        checks: Checks::default(),
    }
}

fn engine(rules: Vec<Rule>) -> Engine {
    Engine::new(rules.into_iter().map(Arc::new).collect()).expect("an engine")
}

const ANCHORED: Reach = Reach::FromKeyword { after: 256 };

/// One rule of each sort, with patterns that see much before they fail.
fn greedy() -> Engine {
    engine(vec![
        rule("anchored", &["key"], "key[a-z= ]*;", ANCHORED),
        rule("around", &["id"], "[a-z]{3}[a-z ]*[0-9]", Reach::Around { before: 64, after: 256 }),
        rule("far", &["far"], "far(?s:.*)!", Reach::FromKeyword { after: 4_096 }),
    ])
}

fn found<'t>(engine: &Engine, text: &'t str) -> Vec<&'t str> {
    let mut findings = Vec::new();
    engine.scan(text, &mut findings);
    // Where regions meet, both may report the same.
    findings.dedup();
    findings.iter().map(|finding| &text[finding.range()]).collect()
}

#[test]
fn a_pattern_stands_at_or_around_its_keyword() {
    let engine = engine(vec![
        rule("anchored", &["key="], "(?i)key=([0-9]+)", ANCHORED),
        rule("around", &["badge"], r"\bE[0-9]{3}\b", Reach::Around { before: 8, after: 8 }),
    ]);
    assert_eq!(found(&engine, "KEY=12 key =3 badge E123"), ["12", "E123"]);
    assert_eq!(found(&engine, "E123 is my badge"), <[&str; 0]>::default());
    assert_eq!(found(&engine, "E123 a badge badge"), ["E123"]);
    assert_eq!(found(&engine, "E123"), <[&str; 0]>::default());
}

#[test]
fn keywords_in_each_other_are_all_met() {
    let engine = engine(vec![
        rule("inner", &["token"], "token [0-9]", ANCHORED),
        rule("outer", &["my token"], "my token [a-z]", ANCHORED),
    ]);
    assert_eq!(found(&engine, "my token 1"), ["token 1"]);
    assert_eq!(found(&engine, "my token a"), ["my token a"]);
}

#[test]
fn case_matters_where_a_rule_says_so() {
    let sensitive = Rule { case_sensitive: true, ..rule("one", &["AKx"], "(?i)akx[0-9]", ANCHORED) };
    let engine = engine(vec![sensitive, rule("two", &["akx"], "(?i)akx[a-z]", ANCHORED)]);
    assert_eq!(found(&engine, "akx1 AKx2 AKXa"), ["AKx2", "AKXa"]);
}

#[test]
fn windows_that_overlap_are_joined_and_lose_nothing_at_their_seams() {
    let engine = engine(vec![rule("around", &["id"], "<[0-9]+>", Reach::Around { before: 16, after: 16 })]);
    let text = "id ".repeat(400) + &"id <7> ".repeat(400);
    assert_eq!(found(&engine, &text).len(), 400);
}

#[test]
fn a_flood_hides_no_secret() {
    let real = Rule {
        checks: Checks { real: true, ..Checks::default() },
        ..rule("anchored", &["key"], "key[a-z= ]*=([0-9]{8})", Reach::FromKeyword { after: 4_096 })
    };
    let text = format!("{}=12345678", "key ".repeat(20_000));
    assert_eq!(found(&engine(vec![real]), &text), ["12345678"]);
}

/// INVARIANT: linear, counted in what patterns are given rather than in time.
#[test]
fn patterns_are_given_each_byte_a_bounded_number_of_times() {
    let engine = greedy();
    for flood in ["key", "key ", "id", "far", "id key far ", "keyid", "k"] {
        let text = flood.repeat(400_000 / flood.len());
        let given = engine.scan(&text, &mut Vec::new());
        let most = (text.len() + 100_000) * engine.rules().len() * (ATTEMPTS_A_BYTE_MAX + 2);
        assert!(given <= most, "{flood}: {given} of {} bytes", text.len());
        let twice = engine.scan(&text.repeat(2), &mut Vec::new());
        assert!(twice <= given * 2 + 100_000, "{flood}: {given}, then {twice}");
    }
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("key".to_owned()),
        Just("id ".to_owned()),
        Just("far".to_owned()),
        Just("=;".to_owned()),
        Just("é".to_owned()),
        "[a-z0-9 !;]{0,12}",
        any::<char>().prop_map(String::from),
    ]
}

proptest! {
    #[test]
    fn any_text_is_scanned_without_panic_and_findings_are_slices(pieces in prop::collection::vec(piece(), 0..60)) {
        let text = pieces.concat();
        let mut findings = Vec::new();
        greedy().scan(&text, &mut findings);
        for finding in findings {
            prop_assert!(!finding.is_empty() && text.get(finding.range()).is_some());
        }
    }
}
