//! Bad files, each with everything that is said about it: place, pointer, and what would be right.

use super::document::Document;
use super::draft::Draft;
use super::mistake::in_order;

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
    for members in [
        r#""colour": 1"#, r#""capabilites": []"#, r#""max_output_tokens": 5"#, r#""model": {"name": "x"}"#, r#""model": {"maxTokens": 5}"#,
        r#""model": "gpt""#, r#""model": null"#, r#""model": {"route": ""}"#, r#""model": {"route": "a b"}"#, r#""model": {"route": 7}"#,
        r#""model": {"max_output_tokens": 0}"#, r#""model": {"max_output_tokens": 1000000}"#, r#""model": {"max_output_tokens": 5.0}"#, r#""model": {"max_output_tokens": 5.5}"#, r#""model": {"max_output_tokens": "5"}"#,
        r#""model": {"temperature": 3}"#, r#""kind": "orchestrater""#, r#""kind": 3"#, r#""tools": ["a", "b", "a"]"#, r#""tools": "a""#, r#""tools": [1]"#, r#""tools": ["-"]"#,
        r#""budget": {"per_task_usd": 0.05}"#, r#""budget": {"per_task_usd": "0,05"}"#, r#""budget": {"per_task_usd": "1000000001"}"#,
        r#""dlp": {"outbound": "pseudonymize"}"#, r#""supervision": {"period": "1 minute"}"#, r#""supervision": {"period": "0s"}"#, r#""supervision": {"intensity": 0}"#, r#""supervision": {"backoff": {"initial": "31s"}}"#,
        r#""refine": {"prompt": ""}"#, r#""pool": {"warm": 1}"#, r#""pool": {"max": 0}"#, r#""memory": {"history": 201}"#, r#""extends": "../base""#,
        r#""plan": {"steps": [{"id": "a", "template": "b"}]}"#, r#""kind": "orchestrator""#,
        r#""kind": "orchestrator", "plan": {"steps": []}"#, r#""kind": "orchestrator", "plan": {"steps": [{"template": "b"}]}"#,
        r#""kind": "orchestrator", "plan": {"steps": [{"id": "x", "template": "b", "need": ["y"]}]}"#,
        r#""kind": "orchestrator", "plan": {"steps": [{"id": "x", "template": "b", "needs": ["y"]}, {"id": "x", "tool": "t"}]}"#,
        r#""kind": "orchestrator", "plan": {"steps": [{"id": "x", "template": "b"}], "aggregate": {}}"#,
        r#""kind": "orchestrator", "plan": {"by": "model"}"#,
        r#""a": 1, "a": 2, "b": 2e1, "c": 9007199254740993"#,
        r#""supervision": {"period": "0s"}, "pool": {"max": 0}"#,
    ] {
        println!("        (\n            r#\"{members}\"#,\n            &{:?},\n        ),", with(members));
    }
}
