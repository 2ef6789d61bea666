//! Bad files, each with everything that is said about it: place, pointer, and what would be right.

use super::document::Document;
use super::draft::Draft;
use super::mistake::in_order;

/// What is written into an otherwise good template, and below it, indented, each thing that is said about it.
const TABLE: &str = include_str!("mistakes.txt");

/// All that is said about a file that extends nothing.
fn told(text: &str) -> Vec<String> {
    let mistakes = match Document::parse(text.as_bytes()) {
        Ok(document) => Draft::good(&document).mistakes(None, |_| None),
        Err(mistakes) => {
            let later = Draft::of(text.as_bytes()).map(|draft| draft.mistakes(None, |_| None)).unwrap_or_default();
            in_order(mistakes.into_iter().chain(later).collect())
        }
    };
    mistakes.iter().map(ToString::to_string).collect()
}

/// A template that is good but for these members, which stand on the second line.
fn with(members: &str) -> Vec<String> {
    told(&format!("{{\"name\": \"a\", \"version\": \"1.0.0\", \"system_prompt\": \"p\",\n{members}}}"))
}

#[test]
fn every_kind_of_mistake_is_told_with_its_place_and_what_would_be_right() {
    let cases = TABLE.lines().filter(|line| !line.starts_with(' ') && !line.is_empty());
    let said = |members: &str| with(members).iter().map(|line| format!("    {line}\n")).collect::<String>();
    let actual: String = cases.map(|members| format!("{members}\n{}\n", said(members))).collect();
    assert!(actual == TABLE, "the table is now:\n{actual}");
}

#[test]
fn no_text_of_a_prompt_is_ever_repeated() {
    let secret = "hunter2 is the word";
    for text in [
        format!(
            r#"{{"name": "{secret}", "version": "{secret}", "extends": "{secret}", "kind": "{secret}", "system_prompt": ["{secret}"]}}"#
        ),
        format!(
            r#"{{"name": "a", "version": "1.0.0", "system_prompt": {{"text": "{secret}"}}, "refine": {{"passes": "{secret}"}}}}"#
        ),
        format!(
            r#"{{"name": "a", "version": "1.0.0", "system_prompt": "{secret}", "model": "{secret}", "tools": ["{secret}"]}}"#
        ),
        format!(
            r#"{{"name": "a", "version": "1.0.0", "dlp": {{"outbound": "{secret}"}}, "plan": {{"steps": [{{"id": "{secret}", "approve": 7, "map": ["{secret}"]}}]}}}}"#
        ),
        format!("{{\"name\": 'a', \"system_prompt\": \"{secret}\", {}: 1}}", secret.replace(' ', "_")),
        format!(r#"{{"name": "a", "system_prompt": "{secret}", "description": {secret}}}"#),
        format!(r#"{{"name": "a", "version": "1.0.0", "{}": 1}}"#, secret.repeat(4)),
    ] {
        let told = told(&text);
        assert!(!told.is_empty(), "{text}");
        let repeated = told.iter().any(|line| line.contains("hunter2 is"));
        assert!(!repeated, "{told:#?}");
    }
}
