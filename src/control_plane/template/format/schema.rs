//! The JSON Schema of a template file, embedded and compiled when first used.

use std::sync::LazyLock;

use jsonschema::{Draft, Validator};
use serde_json::Value;

use super::mistake::{MISTAKES_MAX, Mistake};
use super::words;

/// The schema as text (JSON Schema 2020-12).
pub const SCHEMA: &str = include_str!("schema.json");

struct Compiled {
    schema: Value,
    validator: Validator,
    /// The pointers of fields that hold a whole number.
    integers: Vec<String>,
}

static COMPILED: LazyLock<Result<Compiled, String>> = LazyLock::new(|| {
    let schema: Value = serde_json::from_str(SCHEMA).map_err(|fault| fault.to_string())?;
    let validator =
        jsonschema::options().with_draft(Draft::Draft202012).build(&schema).map_err(|fault| fault.to_string())?;
    let mut integers = Vec::new();
    find_integers(&schema, "", &mut integers);
    Ok(Compiled { validator, integers, schema })
});

/// All ways in which a value breaks the schema. A schema that does not compile refuses everything.
pub(in crate::control_plane::template) fn check(value: &Value) -> Vec<Mistake> {
    match &*COMPILED {
        Ok(compiled) => {
            // One more than is shown, so that it is seen that there are more.
            let most = MISTAKES_MAX.saturating_add(1);
            let errors = compiled.validator.iter_errors(value).take(most);
            let told = errors.flat_map(|error| words::told(&error, &compiled.schema));
            let mut mistakes: Vec<Mistake> = told.take(most).collect();
            mistakes.extend(compiled.integers.iter().filter_map(|pointer| with_a_point(value, pointer)));
            mistakes
        }
        Err(fault) => vec![Mistake::at("", format!("the embedded schema does not compile: {fault}"))],
    }
}

/// JSON Schema takes `5.0` for an integer, and our own types do not.
fn with_a_point(value: &Value, pointer: &str) -> Option<Mistake> {
    let whole =
        value.pointer(pointer)?.as_f64().filter(|number| number.fract() == 0.0 && !number.is_sign_negative())?;
    let written = value.pointer(pointer).is_some_and(Value::is_f64);
    written.then(|| Mistake::at(pointer, format!("must be written without a decimal point: {whole:.0}")))
}

/// No list of the schema holds integers.
fn find_integers(part: &Value, at: &str, found: &mut Vec<String>) {
    for (name, member) in part.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let at = format!("{at}/{name}");
        if member.get("type").is_some_and(|kind| kind == "integer") {
            found.push(at);
        } else {
            find_integers(member, &at, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_part<'a>(part: &'a Value, at: String, see: &mut impl FnMut(&str, &'a Value)) {
        see(&at, part);
        for holder in ["properties", "$defs"] {
            for (name, member) in part.get(holder).and_then(Value::as_object).into_iter().flatten() {
                every_part(member, format!("{at}/{holder}/{name}"), see);
            }
        }
        if let Some(items) = part.get("items") {
            every_part(items, format!("{at}/items"), see);
        }
    }

    #[test]
    fn the_schema_keeps_the_metaschema_and_names_itself() {
        let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
        assert!(jsonschema::draft202012::meta::is_valid(&schema));
        assert!(schema["$id"].as_str().is_some_and(|id| id.contains(':')), "an absolute address");
    }

    #[test]
    fn every_property_is_described_and_every_pattern_says_what_it_asks_for() {
        let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
        let mut missing = Vec::new();
        every_part(&schema, String::new(), &mut |at, part| {
            let parent = at.rsplit('/').nth(1).unwrap_or_default();
            if parent == "properties" && part.get("description").is_none() {
                missing.push(format!("{at}: description"));
            }
            if part.get("pattern").is_some() && part.get("$comment").is_none() {
                missing.push(format!("{at}: $comment"));
            }
            if part.get("required").is_some_and(|required| {
                let names = required.as_array().expect("a list").iter().filter_map(Value::as_str);
                names.into_iter().any(|name| part["properties"][name].get("examples").is_none())
            }) {
                missing.push(format!("{at}: examples of what is required"));
            }
        });
        assert!(missing.is_empty(), "{missing:#?}");
    }

    #[test]
    fn a_whole_number_is_written_without_a_point() {
        let told = check(&serde_json::json!({"name": "a", "version": "1.0.0", "pool": {"max": 5.0}}));
        assert_eq!(
            told.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["/pool/max: must be written without a decimal point: 5"]
        );
    }
}
