//! What is wrong with a body, without what stands in it (pure): a value that does not belong where it is may be a secret.

use std::fmt::Display;

/// How serde tells a value that is not what is expected: what it is, then what was expected.
const UNEXPECTED: [&str; 2] = ["invalid type: ", "invalid value: "];
/// Between the two.
const EXPECTED: &str = ", expected ";
/// How it tells a word that is none of those which are known.
const VARIANT: &str = "unknown variant `";

/// The fault in words that repeat no value. Names of members stay: they are told back to whoever wrote them.
pub(super) fn without_values(fault: &impl Display) -> String {
    let text = fault.to_string();
    for prefix in UNEXPECTED {
        // The last one: a value may hold the same words.
        if let Some((value, expected)) = text.strip_prefix(prefix).and_then(|rest| rest.rsplit_once(EXPECTED)) {
            let kind = value.split(['"', '`']).next().unwrap_or_default().trim_end();
            return format!("{prefix}{kind}{EXPECTED}{expected}");
        }
    }
    match text.strip_prefix(VARIANT).and_then(|rest| rest.rsplit_once(EXPECTED)) {
        Some((_, expected)) => format!("unknown variant{EXPECTED}{expected}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its faults are looked at")]
    struct Wanted {
        count: u64,
        word: Word,
        list: Vec<bool>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Word {
        Yes,
        No,
    }

    #[test]
    fn values_are_not_repeated_and_what_is_expected_is() {
        for (body, told) in [
            (r#"{"count": "s3cret"}"#, "invalid type: string, expected u64 at line 1 column 18"),
            (r#"{"count": "s3cret, expected x"}"#, "invalid type: string, expected u64 at line 1 column 30"),
            (r#"{"count": "s3cret \" ` x"}"#, "invalid type: string, expected u64 at line 1 column 25"),
            (r#"{"count": 4111111111111111.5}"#, "invalid type: floating point, expected u64 at line 1 column 28"),
            (r#"{"count": -4111111111111111}"#, "invalid value: integer, expected u64 at line 1 column 27"),
            (r#"{"word": "s3cret"}"#, "unknown variant, expected `yes` or `no` at line 1 column 17"),
            (r#"{"list": ["s3cret"]}"#, "invalid type: string, expected a boolean at line 1 column 18"),
            (r#"{"list": {"s3cret": 1}}"#, "invalid type: map, expected a sequence at line 1 column 9"),
            (r#""s3cret""#, "invalid type: string, expected struct Wanted at line 1 column 8"),
            (
                r#"{"count": 1, "other": 1}"#,
                "unknown field `other`, expected one of `count`, `word`, `list` at line 1 column 20",
            ),
        ] {
            let fault = serde_json::from_str::<Wanted>(body).expect_err("not what is expected");
            assert_eq!(without_values(&fault), told, "{body}: {fault}");
        }
    }
}
