//! The canonical form of the Python predecessor: what `json.dumps(value, sort_keys=True, separators=(",", ":"))` writes. Pure.
//!
//! It differs from RFC 8785 in four things, each of which changes the bytes that are signed: whatever is not printable ASCII is
//! escaped (`\u00e9`, beyond the BMP as two surrogates, in lower-case hexadecimal, DEL as well), keys are sorted by code point
//! and not by UTF-16 unit, a float keeps its point (`1.0`) and has Python's exponents (`1e-05`, `1e+16`), and integers are
//! written as they are. Source: `Lib/json/encoder.py` (`ESCAPE_ASCII`) and `float.__repr__` (`Python/pystrtod.c`, format `r`).

use std::fmt::Write as _;

use serde_json::{Number, Value};
use sha2::{Digest as _, Sha256};

use crate::domain::name::Digest;

/// Python writes a float with an exponent when its first digit stands left of 10^-4 ...
const FIXED_EXPONENT_MIN: i32 = -4;
/// ... or at 10^16 and beyond.
const FIXED_EXPONENT_MAX: i32 = 15;

/// The SHA-256 of a value's canonical form: these 32 bytes are the message that the predecessor signs.
pub(in crate::control_plane::template) fn digest(value: &Value) -> Digest {
    Digest::from_bytes(Sha256::digest(canonical(value)).into())
}

/// A value as Python writes it.
pub(in crate::control_plane::template) fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_value(&mut text, value);
    text
}

fn write_value(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::Number(number) => text.push_str(&number_text(number)),
        Value::String(string) => write_string(text, string),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_value(text, item);
            }
            text.push(']');
        }
        Value::Object(members) => {
            // UTF-8 keeps the order of code points, which is the order of Python's strings.
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by(|(one, _), (other, _)| one.as_bytes().cmp(other.as_bytes()));
            text.push('{');
            for (index, (key, member)) in members.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_string(text, key);
                text.push(':');
                write_value(text, member);
            }
            text.push('}');
        }
    }
}

fn number_text(number: &Number) -> String {
    if number.is_f64() { number.as_f64().map(float_text).unwrap_or_default() } else { number.to_string() }
}

/// A finite float as `repr` writes it: the fewest digits that read back as the same float.
fn float_text(float: f64) -> String {
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(FIXED_EXPONENT_MIN..=FIXED_EXPONENT_MAX).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    let fixed = float.to_string();
    if fixed.contains('.') { fixed } else { format!("{fixed}.0") }
}

fn write_string(text: &mut String, string: &str) {
    text.push('"');
    for character in string.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            ' '..='~' => text.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _never = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Written by CPython 3.11.
    #[test]
    fn vectors_of_python() {
        for (value, expected) in [
            (json!({"b": 1, "a": [true, false, null], "": {}}), r#"{"":{},"a":[true,false,null],"b":1}"#),
            (json!("é"), r#""\u00e9""#),
            (json!("\u{1f600}"), r#""\ud83d\ude00""#),
            (json!("\u{7f}\u{0}\u{1f}\u{2028}"), r#""\u007f\u0000\u001f\u2028""#),
            (json!("\"\\/\n\r\t\u{8}\u{c}~ "), r#""\"\\/\n\r\t\b\f~ ""#),
            // By code point U+FF61 stands before U+1F600; by UTF-16 unit it is the other way round.
            (json!({"\u{1f600}": 1, "\u{ff61}": 2}), r#"{"\uff61":2,"\ud83d\ude00":1}"#),
            (json!(1.0), "1.0"),
            (json!(0.2), "0.2"),
            (json!(-2.5), "-2.5"),
            (json!(0.0001), "0.0001"),
            (json!(0.00001), "1e-05"),
            (json!(0.000_012_5), "1.25e-05"),
            (json!(1e15), "1000000000000000.0"),
            (json!(1e16), "1e+16"),
            (json!(1.5e22), "1.5e+22"),
            (json!(123_456_789_012_345.0), "123456789012345.0"),
            (json!(5e-324), "5e-324"),
            (json!(f64::MAX), "1.7976931348623157e+308"),
            (json!(9_007_199_254_740_992_u64), "9007199254740992"),
            (json!(-5), "-5"),
        ] {
            assert_eq!(canonical(&value), expected);
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_filter("finite", |float| float.is_finite()).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Nothing is lost, so that two different values never have one form.
        #[test]
        fn what_is_written_reads_back(value in any_value()) {
            let text = canonical(&value);
            prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{text}");
            let back: Value = serde_json::from_str(&text).expect("JSON");
            // The parser may be off by a digit where a float has seventeen; the form of what it read is compared then.
            prop_assert_eq!(strip_floats(&back), strip_floats(&value));
        }

        #[test]
        fn a_float_reads_back_exactly_and_is_told_from_an_integer(float in any::<f64>().prop_filter("finite", |f| f.is_finite())) {
            let text = float_text(float);
            prop_assert_eq!(text.parse::<f64>().expect("a float").to_bits(), float.to_bits());
            prop_assert!(text.contains(['.', 'e']), "{}", text);
        }
    }

    fn strip_floats(value: &Value) -> Value {
        match value {
            Value::Number(number) if number.is_f64() => Value::from("a float"),
            Value::Array(items) => items.iter().map(strip_floats).collect(),
            Value::Object(members) => {
                Value::Object(members.iter().map(|(key, member)| (key.clone(), strip_floats(member))).collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        }
    }
}
