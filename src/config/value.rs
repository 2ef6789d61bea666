//! One value -> its type. Each error says what was expected, never more of the value than its type.

use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::tree::{Node, Value};
use crate::domain::money::Usd;

/// The longest duration that a setting may name: a year.
const DURATION_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

pub(super) fn text(node: &Node) -> Result<String, String> {
    match &node.value {
        Value::Text(text) | Value::Word(text) if !text.is_empty() => Ok(text.clone()),
        Value::Text(_) | Value::Word(_) => Err("expected text, found nothing".to_owned()),
        other @ (Value::Integer(_)
        | Value::Boolean(_)
        | Value::List(_)
        | Value::Table(_)
        | Value::Path(_)
        | Value::Other(_)) => Err(format!("expected text, found {}", other.kind())),
    }
}

/// Text that a domain type understands.
pub(super) fn parsed<T>(node: &Node) -> Result<T, String>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    text(node)?.parse().map_err(|error: T::Err| error.to_string())
}

pub(super) fn boolean(node: &Node) -> Result<bool, String> {
    match &node.value {
        Value::Boolean(truth) => Ok(*truth),
        Value::Word(word) => match word.to_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err("expected true or false".to_owned()),
        },
        other @ (Value::Text(_)
        | Value::Integer(_)
        | Value::List(_)
        | Value::Table(_)
        | Value::Path(_)
        | Value::Other(_)) => Err(format!("expected true or false, found {}", other.kind())),
    }
}

pub(super) fn whole(range: RangeInclusive<u64>) -> impl Fn(&Node) -> Result<u64, String> {
    move |node| {
        let number = match &node.value {
            Value::Integer(number) => u64::try_from(*number).ok(),
            Value::Word(word) => word.parse().ok(),
            Value::Text(_)
            | Value::Boolean(_)
            | Value::List(_)
            | Value::Table(_)
            | Value::Path(_)
            | Value::Other(_) => None,
        };
        number
            .filter(|number| range.contains(number))
            .ok_or_else(|| format!("expected a whole number from {} to {}", range.start(), range.end()))
    }
}

/// A count of at least one.
pub(super) fn count(max: usize) -> impl Fn(&Node) -> Result<NonZeroUsize, String> {
    move |node| {
        let number = whole(1..=u64::try_from(max).unwrap_or(u64::MAX))(node)?;
        usize::try_from(number).ok().and_then(NonZeroUsize::new).ok_or_else(|| format!("expected 1 to {max}"))
    }
}

pub(super) fn duration(node: &Node) -> Result<Duration, String> {
    let expected = || "expected a duration with its unit, such as \"300s\" or \"5m\"".to_owned();
    let duration = humantime::parse_duration(&text(node).map_err(|_| expected())?).map_err(|_| expected())?;
    if duration > DURATION_MAX { Err("expected at most a year".to_owned()) } else { Ok(duration) }
}

/// A duration that is not zero.
pub(super) fn positive_duration(node: &Node) -> Result<Duration, String> {
    duration(node)
        .and_then(|duration| if duration.is_zero() { Err("expected more than zero".to_owned()) } else { Ok(duration) })
}

pub(super) fn usd(node: &Node) -> Result<Usd, String> {
    match &node.value {
        Value::Text(text) | Value::Word(text) => text.parse().map_err(|error| format!("{error}")),
        other @ (Value::Integer(_)
        | Value::Boolean(_)
        | Value::List(_)
        | Value::Table(_)
        | Value::Path(_)
        | Value::Other(_)) => Err(format!("expected an amount as text, such as \"10.00\", found {}", other.kind())),
    }
}

/// A list of what a domain type understands; in the environment its items stand between commas.
pub(super) fn list<T>(node: &Node) -> Result<Vec<T>, String>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    match &node.value {
        Value::List(items) => items.iter().map(parsed).collect(),
        Value::Word(words) => {
            words.split(',').map(|word| word.trim().parse().map_err(|error: T::Err| error.to_string())).collect()
        }
        other @ (Value::Text(_)
        | Value::Integer(_)
        | Value::Boolean(_)
        | Value::Table(_)
        | Value::Path(_)
        | Value::Other(_)) => Err(format!("expected a list, found {}", other.kind())),
    }
}

/// One of the words, with what it stands for.
pub(super) fn one_of<T: Copy>(words: &'static [(&'static str, T)]) -> impl Fn(&Node) -> Result<T, String> {
    move |node| {
        let given = text(node)?;
        words.iter().find(|(word, _)| *word == given).map(|(_, meaning)| *meaning).ok_or_else(|| {
            let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            format!("expected one of {}", known.join(", "))
        })
    }
}
