//! Whether a value is one that somebody uses, or one that shows where the real one goes.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

/// What stands in values that documentation and templates show in place of secrets; case does not matter. Long enough that keys
/// made at random do not hold them: the shortest would be in one of some hundred thousand keys of forty characters.
const MADE_UP: &[&str] = &[
    "example",
    "changeme",
    "change_me",
    "change-me",
    "placeholder",
    "redacted",
    "yourkey",
    "your_",
    "your-",
    "yourtoken",
    "insert",
    "replace",
    "xxxx",
    "****",
    "....",
    "----",
    "____",
    "00000000",
    "abcdefgh",
    "1234567890123456",
    "deadbeef",
    "${",
    "{{",
    "}}",
    "$(",
    "%s",
    "dummy",
    "fake_",
    "fake-",
    "sample",
    "remplacer",
    "a_changer",
    "exemple",
    "votre_",
    "votre-",
];

/// What a name of a value is wrapped in where the value itself is meant.
const WRAPPED: &[(u8, u8)] = &[(b'<', b'>'), (b'{', b'}'), (b'[', b']'), (b'%', b'%'), (b'(', b')')];

/// The fewest different characters of a key.
const DISTINCT_MIN: usize = 5;

static WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let kind = Some(AhoCorasickKind::DFA);
    AhoCorasick::builder().ascii_case_insensitive(true).kind(kind).build(MADE_UP).ok()
});

/// Whether a value holds what stands for a value: `EXAMPLE`, `<key>`, `${KEY}`, a row of `x`.
pub(in crate::data_plane::dlp::detect) fn is_made_up(value: &[u8]) -> bool {
    let wrapped = |(open, close): &(u8, u8)| value.first() == Some(open) && value.last() == Some(close);
    WRAPPED.iter().any(wrapped) || WORDS.as_ref().is_some_and(|words| words.is_match(value))
}

/// Whether the characters vary as those of a key do: a row of hyphens or one letter repeated is no key.
pub(super) fn varies(value: &[u8]) -> bool {
    distinct(value) >= DISTINCT_MIN
}

/// How many different bytes a value has.
fn distinct(value: &[u8]) -> usize {
    let mut seen = [false; 256];
    for byte in value {
        if let Some(mark) = seen.get_mut(usize::from(*byte)) {
            *mark = true;
        }
    }
    seen.iter().filter(|mark| **mark).count()
}

/// Shannon's entropy of a value's bytes, in bits for each: 0 where all are alike, 4 for a long number in hexadecimal, 6 for one
/// in base64.
pub(in crate::data_plane::dlp::detect) fn entropy(value: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in value {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count = count.saturating_add(1);
        }
    }
    let length = f64::from(u32::try_from(value.len()).unwrap_or(u32::MAX));
    let share = |count: &u32| f64::from(*count) / length;
    counts.iter().filter(|count| **count > 0).map(share).map(|share| -share * share.log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_stand_for_others_are_made_up() {
        for value in ["AKIAIOSFODNN7EXAMPLE", "<your key>", "${TOKEN}", "xxxxxxxxxxxx", "YOUR_API_KEY"] {
            assert!(is_made_up(value.as_bytes()), "{value}");
        }
        let key = b"aB3dE5fG7hJ9kL2mN4pQ6rS8tU";
        assert!(!is_made_up(key) && varies(key));
        assert!(!varies(b"aaaaaaaaaaaa") && !varies(b""));
    }

    #[test]
    fn entropy_is_that_of_the_definition() {
        assert!(entropy(b"aaaa").abs() < 1e-9);
        assert!((entropy(b"abab") - 1.0).abs() < 1e-9);
        assert!((entropy(b"0123456789abcdef") - 4.0).abs() < 1e-9);
        assert!(entropy(b"").abs() < 1e-9);
    }
}
