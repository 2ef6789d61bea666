//! What breaks the schema, in our words: what is wrong, and what would be right. Values stay out of them, since they may be
//! prompts.
//!
//! The schema itself says what is right: `$comment` beside a text's pattern or bounds says what such a text is ("a name: 1 to
//! 128 …"), beside a number's bounds why they are so; `examples` show what a required member may be.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value;

use super::mistake::{MISTAKES_MAX, Mistake};
use super::nearest::nearest;

/// One more than is shown, so that it is seen that there are more.
const TOLD_MAX: usize = MISTAKES_MAX + 1;

/// What a schema's error comes to; unknown members and repeated items are told one by one.
pub(super) fn told(error: &ValidationError<'_>, schema: &Value) -> Vec<Mistake> {
    let pointer = error.instance_path().as_str();
    let found = error.instance();
    let part = part_of(schema, error.schema_path().as_str());
    let one = |message: String| vec![Mistake::at(pointer, message)];
    match error.kind() {
        Kind::AdditionalProperties { unexpected } => {
            unexpected.iter().take(TOLD_MAX).map(|key| unknown(pointer, key, part, schema)).collect()
        }
        Kind::Required { property } => vec![missing(pointer, property, part)],
        Kind::Type { .. } if part.get("type").is_some_and(|kind| kind == "integer") && found.is_number() => {
            one(format!("must be {}, without a fraction", expected(part, schema)))
        }
        Kind::Type { .. } => one(format!("must be {}{}", expected(part, schema), not(found))),
        Kind::Enum { .. } => {
            one(format!("must be {}{}{}", expected(part, schema), not_text(found), meant(found, part)))
        }
        Kind::MaxItems { limit } => one(format!("has {} items; at most {limit} are allowed", items(found).len())),
        Kind::MinItems { limit } => one(format!("has {} items; at least {limit} must be there", items(found).len())),
        Kind::MaxLength { limit } if part.get("$comment").is_none() => {
            let length = found.as_str().unwrap_or_default().chars().count();
            one(format!("has {length} characters; at most {limit} are allowed"))
        }
        Kind::UniqueItems => repeated(pointer, items(found)),
        Kind::Pattern { .. }
        | Kind::MaxLength { .. }
        | Kind::MinLength { .. }
        | Kind::Minimum { .. }
        | Kind::Maximum { .. } => one(format!("must be {}", expected(part, schema))),
        // The schema has none of these; one that came to use them would be told in general words.
        Kind::AdditionalItems { .. }
        | Kind::AnyOf { .. }
        | Kind::BacktrackLimitExceeded { .. }
        | Kind::RegexEngineFailure { .. }
        | Kind::Constant { .. }
        | Kind::Contains
        | Kind::ContentEncoding { .. }
        | Kind::ContentMediaType { .. }
        | Kind::Custom { .. }
        | Kind::ExclusiveMaximum { .. }
        | Kind::ExclusiveMinimum { .. }
        | Kind::FalseSchema
        | Kind::Format { .. }
        | Kind::FromUtf8 { .. }
        | Kind::MaxProperties { .. }
        | Kind::MinProperties { .. }
        | Kind::MultipleOf { .. }
        | Kind::Not { .. }
        | Kind::OneOfMultipleValid { .. }
        | Kind::OneOfNotValid { .. }
        | Kind::PropertyNames { .. }
        | Kind::UnevaluatedItems { .. }
        | Kind::UnevaluatedProperties { .. }
        | Kind::Referencing(_) => one(error.masked().to_string()),
    }
}

/// The part of the schema that holds the keyword at this path.
fn part_of<'a>(schema: &'a Value, keyword: &str) -> &'a Value {
    let mut part = schema;
    let holder = keyword.rsplit_once('/').map_or("", |(holder, _)| holder);
    for segment in holder.split('/').skip(1) {
        if segment != "$ref" {
            part = resolved(part, schema).get(segment).or_else(|| item(part, segment)).unwrap_or(&Value::Null);
        }
    }
    resolved(part, schema)
}

fn item<'a>(part: &'a Value, segment: &str) -> Option<&'a Value> {
    segment.parse::<usize>().ok().and_then(|index| part.get(index))
}

/// What a reference leads to.
pub(super) fn resolved<'a>(part: &'a Value, schema: &'a Value) -> &'a Value {
    let target = part.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
    target.and_then(|target| schema.pointer(target)).unwrap_or(part)
}

/// What this part of the schema asks for, in words.
fn expected(part: &Value, schema: &Value) -> String {
    let number = |name: &str| part.get(name).and_then(Value::as_f64);
    let comment = part.get("$comment").and_then(Value::as_str);
    if let Some(words) = part.get("enum").and_then(Value::as_array) {
        return format!("one of {}", listed(words.iter().filter_map(Value::as_str)));
    }
    match (part.get("type").and_then(Value::as_str).unwrap_or_default(), comment) {
        ("integer" | "number", reason) => {
            let what =
                if part.get("type").is_some_and(|kind| kind == "integer") { "a whole number" } else { "a number" };
            let bounds = match (number("minimum"), number("maximum")) {
                (Some(least), Some(most)) if least >= most => format!("{least}"),
                (Some(least), Some(most)) => format!("{what} from {least} to {most}"),
                (Some(least), None) => format!("{what} of at least {least}"),
                (None, Some(most)) => format!("{what} of at most {most}"),
                (None, None) => what.to_owned(),
            };
            reason.map_or(bounds.clone(), |reason| format!("{bounds}: {reason}"))
        }
        ("string", Some(what)) => what.to_owned(),
        ("string", None) => match (number("minLength"), number("maxLength")) {
            (Some(least), Some(most)) => format!("a text of {least} to {most} characters"),
            (Some(_), None) => "a text that is not empty".to_owned(),
            (None, Some(most)) => format!("a text of at most {most} characters"),
            (None, None) => "a text".to_owned(),
        },
        ("array", _) => match part.get("items") {
            Some(items) => format!("a list, each item {}", expected(resolved(items, schema), schema)),
            None => "a list".to_owned(),
        },
        ("object", _) => "an object".to_owned(),
        (_, _) => "as the schema says".to_owned(),
    }
}

/// `a, b and c`.
pub(super) fn listed<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.collect();
    match words.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        Some((last, _)) => (*last).to_owned(),
        None => String::new(),
    }
}

/// What was found instead.
fn not(found: &Value) -> &'static str {
    match found {
        Value::Null => ", not null; leave the field out where it has nothing to say",
        Value::Bool(_) => ", not true or false",
        Value::Number(_) => ", not a number",
        Value::String(_) => ", not a text",
        Value::Array(_) => ", not a list",
        Value::Object(_) => ", not an object",
    }
}

fn not_text(found: &Value) -> &'static str {
    if found.is_string() { "" } else { not(found) }
}

/// The word of the list that may have been meant.
fn meant(found: &Value, part: &Value) -> String {
    let words = part.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let near = found.as_str().and_then(|written| nearest(written, words));
    near.map(|word| format!("; did you mean {word:?}?")).unwrap_or_default()
}

fn items(found: &Value) -> &[Value] {
    found.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Each item that an earlier one equals.
fn repeated(pointer: &str, items: &[Value]) -> Vec<Mistake> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut mistakes = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match seen.entry(item.to_string()) {
            Entry::Occupied(first) => {
                let message = format!("is the same as item {}; write each once", first.get());
                mistakes.push(Mistake::at(format!("{pointer}/{index}"), message));
                if mistakes.len() == TOLD_MAX {
                    break;
                }
            }
            Entry::Vacant(free) => {
                free.insert(index);
            }
        }
    }
    mistakes
}

fn missing(pointer: &str, property: &Value, part: &Value) -> Mistake {
    let name = property.as_str().unwrap_or_default();
    let example = part.pointer(&format!("/properties/{name}/examples/0"));
    let such = example.map(|example| format!("; write it, such as \"{name}\": {example}")).unwrap_or_default();
    Mistake::at(format!("{pointer}/{name}"), format!("is missing and required{such}"))
}

/// A member that there is not: what was meant, where it belongs, or what there is.
fn unknown(pointer: &str, key: &str, part: &Value, schema: &Value) -> Mistake {
    let at = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
    let fields = || names(part);
    let top = (!pointer.is_empty() && names(schema).any(|name| name == key)).then(|| "the template itself".to_owned());
    let elsewhere = top.or_else(|| homes(schema).into_iter().find(|home| home.rsplit('.').next() == Some(key)));
    let advice = match (nearest(key, fields()), elsewhere) {
        (Some(field), _) => format!("did you mean {field:?}?"),
        (None, Some(home)) => format!("it belongs in {home}"),
        (None, None) => format!("there are {}", listed(fields())),
    };
    Mistake::of_key(at, format!("there is no such field here; {advice}"))
}

fn names(part: &Value) -> impl Iterator<Item = &str> {
    part.get("properties").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.as_str())
}

/// Where fields live that are not at the top: `model.route`.
fn homes(schema: &Value) -> Vec<String> {
    let tops = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let mut homes = Vec::new();
    for (top, part) in tops {
        homes.extend(names(resolved(part, schema)).map(|name| format!("{top}.{name}")));
        let deeper = resolved(part, schema).get("properties").and_then(Value::as_object).into_iter().flatten();
        for (middle, part) in deeper {
            homes.extend(names(resolved(part, schema)).map(|name| format!("{top}.{middle}.{name}")));
        }
    }
    homes
}
