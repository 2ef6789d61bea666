//! Dotted paths into JSON values: `items.0.name`.

use std::borrow::Cow;

use serde_json::Value;

/// A path; empty means the value itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Path(Vec<String>);

/// The most segments of a path.
const SEGMENTS_MAX: usize = 16;

impl Path {
    /// Reads the segments behind a root; none may be empty.
    pub(super) fn parse<'a>(segments: impl Iterator<Item = &'a str>) -> Option<Self> {
        let segments: Vec<String> = segments.map(str::to_owned).collect();
        let sound = segments.len() <= SEGMENTS_MAX && segments.iter().all(|segment| !segment.is_empty());
        sound.then_some(Self(segments))
    }

    /// What the path leads to. A text on the way is read as JSON, because models answer in text.
    pub(super) fn find<'a>(&self, value: &'a Value) -> Option<Cow<'a, Value>> {
        let mut at = Cow::Borrowed(value);
        for segment in &self.0 {
            at = match at {
                Cow::Borrowed(value) => enter(value, segment)?,
                Cow::Owned(value) => Cow::Owned(enter(&value, segment)?.into_owned()),
            };
        }
        Some(at)
    }
}

fn enter<'a>(value: &'a Value, segment: &str) -> Option<Cow<'a, Value>> {
    match value {
        Value::Object(members) => members.get(segment).map(Cow::Borrowed),
        Value::Array(items) => items.get(segment.parse::<usize>().ok()?).map(Cow::Borrowed),
        Value::String(text) => {
            let inner: Value = serde_json::from_str(text).ok()?;
            let found = if inner.is_string() { None } else { enter(&inner, segment) };
            found.map(|value| Cow::Owned(value.into_owned()))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}
