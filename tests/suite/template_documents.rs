//! docs/templates.md says of every field what the schema says, and of no other.

use std::collections::{BTreeMap, BTreeSet};

use agent_factory::control_plane::template::SCHEMA;
use serde_json::Value;

const DOCUMENT: &str = include_str!("../../docs/templates.md");

/// One row of a table of fields.
#[derive(Debug)]
struct Row {
    bounds: String,
    default: String,
}

/// The rows of the tables whose first column begins with these words, by field.
fn rows(document: &str, heading: &str) -> BTreeMap<String, Row> {
    let table = document.lines().skip_while(|line| !line.starts_with(&format!("| {heading} |"))).skip(2);
    let mut rows = BTreeMap::new();
    for line in table.take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(|cell| cell.trim_matches(['|', ' '])).collect();
        let (bounds, default) = (cells[1].to_owned(), cells.get(2).copied().unwrap_or_default().to_owned());
        for field in quoted(cells[0]) {
            // A row for several fields together is followed by their own.
            rows.insert(field, Row { bounds: bounds.clone(), default: default.clone() });
        }
    }
    rows
}

/// The words in backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn resolved<'a>(part: &'a Value, schema: &'a Value) -> &'a Value {
    let target = part["$ref"].as_str().and_then(|target| target.strip_prefix('#'));
    target.map_or(part, |target| schema.pointer(target).expect("what a reference leads to"))
}

/// Every field with its part of the schema: `model.route`. Lists are not entered.
fn fields<'a>(part: &'a Value, at: &str, schema: &'a Value, found: &mut BTreeMap<String, &'a Value>) {
    for (name, member) in part["properties"].as_object().into_iter().flatten() {
        let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        let inside = resolved(member, schema);
        if inside["properties"].is_object() {
            fields(inside, &at, schema, found);
        } else {
            found.insert(at, member);
        }
    }
}

/// The numbers of a text: `65,536` is one.
fn numbers(text: &str) -> BTreeSet<u64> {
    let plain = text.replace(',', "");
    plain.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

/// What the document says wrong of a field.
fn wrong(field: &str, part: &Value, row: &Row) -> Vec<String> {
    let mut wrong = Vec::new();
    let number = |name: &str| part[name].as_u64();
    let most = ["maximum", "maxItems", "maxLength"].into_iter().filter_map(number).collect::<BTreeSet<_>>();
    let least = ["minimum", "minItems", "minLength"].into_iter().filter_map(number).collect::<BTreeSet<_>>();
    let said = numbers(&row.bounds);
    if !most.is_subset(&said) {
        wrong.push(format!("{field}: the schema's {most:?} is not in {:?}", row.bounds));
    }
    let own_bounds = !most.is_empty() && part["pattern"].is_null();
    if own_bounds && !said.iter().all(|number| most.contains(number) || least.contains(number)) {
        wrong.push(format!("{field}: {:?} has bounds that the schema does not have", row.bounds));
    }
    if let Some(words) = part["enum"].as_array() {
        let words: Vec<String> = words.iter().map(|word| word.as_str().expect("a word").to_owned()).collect();
        let refused = ["model".to_owned()];
        let said: Vec<String> = quoted(&row.bounds);
        if said != words.iter().filter(|word| !refused.contains(word)).cloned().collect::<Vec<_>>() {
            wrong.push(format!("{field}: the words are {words:?}, not {said:?}"));
        }
    }
    let default =
        part["default"].as_str().map(str::to_owned).or_else(|| part["default"].as_u64().map(|n| n.to_string()));
    let written = row.default.trim_matches('`');
    match default {
        Some(default) if default != written => wrong.push(format!("{field}: the default is {default}, not {written}")),
        None if written.starts_with(|c: char| c.is_ascii_digit()) || row.default.starts_with('`') => {
            let is_sentence = row.default.contains(' ');
            if !is_sentence {
                wrong.push(format!("{field}: the schema has no default {written}"));
            }
        }
        Some(_) | None => {}
    }
    wrong
}

/// Holds two of the document's tables to parts of the schema.
fn differences(document: &str) -> Vec<String> {
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    let mut template = BTreeMap::new();
    fields(&schema, "", &schema, &mut template);
    let mut step = BTreeMap::new();
    fields(&schema["$defs"]["step"], "", &schema, &mut step);
    let mut documented = rows(document, "field");
    documented.extend(rows(document, "field of the plan"));
    let mut differences = Vec::new();
    // `plan` itself has a row that leads to its own table.
    documented.remove("plan");
    for (fields, rows) in [(template, documented), (step, rows(document, "field of a step"))] {
        let known: BTreeSet<&String> = fields.keys().collect();
        let told: BTreeSet<&String> = rows.keys().collect();
        differences.extend(known.difference(&told).map(|field| format!("{field} is not in the document")));
        differences.extend(told.difference(&known).map(|field| format!("{field} is not in the schema")));
        for (field, row) in &rows {
            if let Some(part) = fields.get(field).filter(|_| !row.bounds.is_empty()) {
                differences.extend(wrong(field, part, row));
            }
        }
    }
    differences
}

#[test]
fn every_field_is_documented_with_the_bounds_of_the_schema_and_no_other() {
    let differences = differences(DOCUMENT);
    assert!(differences.is_empty(), "{differences:#?}");
}

#[test]
fn the_actions_that_are_documented_are_those_of_the_schema() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    let words = schema["$defs"]["action"]["enum"].as_array().expect("words").iter();
    let words: BTreeSet<String> = words.map(|word| word.as_str().expect("a word").to_owned()).collect();
    let told: BTreeSet<String> = rows(DOCUMENT, "action").into_keys().collect();
    assert_eq!(told, words);
}

#[test]
fn a_document_that_differs_is_told() {
    for (right, wrong, part) in [
        ("1 to 65,536 |", "1 to 65,537 |", "model.max_output_tokens"),
        ("| `tools` |", "| `tool_list` |", "tool_list is not in the schema"),
        ("| `memory.history` | 0 to 200 | 20 |", "| `memory.history` | 0 to 200 | 10 |", "the default is 20"),
        ("`fail`, `skip`, `retry`, `ask`", "`fail`, `skip`, `retry`", "on_failure: the words"),
    ] {
        assert!(DOCUMENT.contains(right), "{right}");
        let told = differences(&DOCUMENT.replace(right, wrong));
        assert!(told.iter().any(|line| line.contains(part)), "{part}: {told:#?}");
    }
}
