//! Numbers of tokens as providers write them.

use serde_json::Value;

use super::error::Error;

/// The most tokens that one call can be said to have used; more is nonsense.
pub(super) const TOKENS_MAX: u64 = 1 << 40;

/// A number of tokens; none where nothing is said. Whole numbers that are written with a fraction are numbers too.
///
/// # Errors
/// [`Error::Nonsense`]: below zero, broken, absurdly large, or no number.
pub(super) fn count(value: Option<&Value>) -> Result<Option<u64>, Error> {
    let absurd = Error::Nonsense { what: "an absurd usage" };
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => {
            let whole = number.as_u64().or_else(|| number.to_string().strip_suffix(".0")?.parse().ok());
            whole.filter(|count| *count <= TOKENS_MAX).map(Some).ok_or(absurd)
        }
        Some(Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => Err(absurd),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_count_is_believed_unless_absurd() {
        for (value, expected) in [(json!(null), None), (json!(0), Some(0)), (json!(7.0), Some(7)), (json!(9), Some(9))]
        {
            assert_eq!(count(Some(&value)), Ok(expected), "{value}");
        }
        for value in
            [json!(-1), json!(1.5), json!(1e30), json!(TOKENS_MAX + 1), json!("9"), json!(true), json!([]), json!({})]
        {
            assert_eq!(count(Some(&value)), Err(Error::Nonsense { what: "an absurd usage" }), "{value}");
        }
        assert_eq!(count(None), Ok(None));
    }
}
