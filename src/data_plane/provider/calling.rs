//! Calls of tools on their way from and to a format: limits, arguments, names.

use std::borrow::Cow;

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::error::Error;
use super::exchange::ToolCall;
use crate::domain::private::Text;

/// The most calls of tools in one answer.
pub(super) const CALLS_MAX: usize = 128;
/// The largest arguments of a call, in bytes.
pub(super) const ARGUMENTS_BYTES_MAX: usize = 1024 * 1024;
/// The longest name of a tool or of a call that an answer may give, in bytes.
pub(super) const CALL_NAME_BYTES_MAX: usize = 64 * 1024;
/// How many characters of the digest stand for a name that a format does not take.
pub(super) const DIGEST_CHARS: usize = 24;

const NOT_AN_OBJECT: &str = "arguments of a call that are no JSON object";

/// A call as an answer gives it, once its arguments are whole. A call without arguments has an empty object.
///
/// # Errors
/// [`Error::Nonsense`]: no name, or arguments that are no JSON object.
pub(super) fn whole(id: String, name: String, arguments: &str) -> Result<ToolCall, Error> {
    if id.is_empty() || name.is_empty() {
        return Err(Error::Nonsense { what: "a call of a tool without a name" });
    }
    if id.len() > CALL_NAME_BYTES_MAX || name.len() > CALL_NAME_BYTES_MAX || arguments.len() > ARGUMENTS_BYTES_MAX {
        return Err(Error::Nonsense { what: "a call of a tool over the limit" });
    }
    let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
    object(arguments).ok_or(Error::Nonsense { what: NOT_AN_OBJECT })?;
    Ok(ToolCall { id, name, arguments: Text::from(arguments) })
}

/// The arguments of an earlier call, as part of a body. Of what is no JSON object, formats that hold arguments as such can say
/// nothing.
///
/// # Errors
/// [`Error::Unsupported`].
pub(super) fn arguments(call: &ToolCall) -> Result<Box<RawValue>, Error> {
    let text = call.arguments.expose();
    let text = if text.trim().is_empty() { "{}" } else { text };
    object(text).ok_or(Error::Unsupported { what: NOT_AN_OBJECT })
}

/// JSON that is an object, kept to the letter.
pub(super) fn object(json: &str) -> Option<Box<RawValue>> {
    let raw: Box<RawValue> = serde_json::from_str(json).ok()?;
    raw.get().starts_with('{').then_some(raw)
}

/// The name of a call for a format that takes letters, digits, `-` and `_` alone, and `most` of them: the name itself where it is
/// of that kind, else always the same other one, so that a result still belongs to its call.
pub(super) fn plain_id(id: &str, most: usize) -> String {
    let plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if plain && id.len() <= most { id.to_owned() } else { derived_id(id) }
}

/// The name of a call for a format that takes any characters, but at most so many bytes.
pub(super) fn short_id(id: &str, most: usize) -> Cow<'_, str> {
    if id.len() <= most { Cow::Borrowed(id) } else { Cow::Owned(derived_id(id)) }
}

/// The name of a call for a format that wants exactly so many letters and digits.
pub(super) fn exact_id(id: &str, length: usize) -> Cow<'_, str> {
    if id.len() == length && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Cow::Borrowed(id);
    }
    let digest = hex::encode(Sha256::digest(id.as_bytes()));
    Cow::Owned(digest.get(..length).unwrap_or_default().to_owned())
}

/// A name of a call that follows from a text.
pub(super) fn derived_id(from: &str) -> String {
    let digest = hex::encode(Sha256::digest(from.as_bytes()));
    format!("call_{}", digest.get(..DIGEST_CHARS).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_whole_with_a_name_and_an_object() {
        let call = |arguments: &str| whole("c".to_owned(), "look".to_owned(), arguments);
        for (given, kept) in [("", "{}"), ("{\"a\": 1.10}", "{\"a\": 1.10}"), (" {} ", " {} ")] {
            assert_eq!(call(given).expect("a call").arguments.expose(), kept);
        }
        for bad in ["{", "[]", "1", "\"{}\"", "null", "{} {}"] {
            assert_eq!(call(bad), Err(Error::Nonsense { what: NOT_AN_OBJECT }), "{bad}");
        }
        assert!(
            whole("c".to_owned(), String::new(), "{}").is_err() && whole(String::new(), "x".to_owned(), "{}").is_err()
        );
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(ARGUMENTS_BYTES_MAX));
        assert_eq!(call(&long), Err(Error::Nonsense { what: "a call of a tool over the limit" }));
    }

    #[test]
    fn names_that_a_format_does_not_take_are_told_apart_all_the_same() {
        assert_eq!(plain_id("toolu_01-A", 40), "toolu_01-A");
        for odd in ["call.1", "", "é", "functions.look:0", &"x".repeat(41)] {
            let plain = plain_id(odd, 40);
            assert_eq!(plain, plain_id(odd, 40));
            assert!(
                plain.len() <= 40 && plain.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'),
                "{plain}"
            );
        }
        assert_ne!(plain_id("call.1", 40), plain_id("call.2", 40));
        let long = "x".repeat(41);
        assert_eq!((short_id("functions.look:0", 40).as_ref(), short_id(&long, 40).len()), ("functions.look:0", 29));
        assert_eq!((exact_id("D681PevKs", 9).as_ref(), exact_id("toolu_01A", 9).len()), ("D681PevKs", 9));
        assert_eq!(exact_id(&long, 9), exact_id(&long, 9));
        assert!(exact_id("toolu_01A", 9).bytes().all(|byte| byte.is_ascii_alphanumeric()));
    }
}
