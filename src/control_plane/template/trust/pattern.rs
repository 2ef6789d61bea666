//! Patterns of template names: `*` stands for any run of characters, also none. Pure.

use std::fmt;
use std::str::FromStr;

use crate::domain::name::{NAME_BYTES_MAX, TemplateName};

/// A pattern such as `*` or `team-a-*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// The pattern that every name fits.
    #[must_use]
    pub fn any() -> Self {
        Self("*".to_owned())
    }

    /// Whether a name fits the whole pattern.
    #[must_use]
    pub fn fits(&self, name: &TemplateName) -> bool {
        let name = name.as_str();
        let Some((head, rest)) = self.0.split_once('*') else { return self.0 == name };
        let Some(mut name) = name.strip_prefix(head) else { return false };
        let mut parts: Vec<&str> = rest.split('*').collect();
        let tail = parts.pop().unwrap_or("");
        // The leftmost place is the best one for every part but the last: it leaves the most behind it.
        for part in parts {
            match name.find(part) {
                Some(at) => name = name.get(at.saturating_add(part.len())..).unwrap_or(""),
                None => return false,
            }
        }
        name.ends_with(tail)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that no template's name could fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a pattern of template names: 1 to {NAME_BYTES_MAX} ASCII letters, digits, \"-_.\" and \"*\"")]
pub struct InvalidPattern;

impl FromStr for Pattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.*".contains(c);
        let fits = !text.is_empty() && text.len() <= NAME_BYTES_MAX && text.chars().all(allowed);
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidPattern) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fits(pattern: &str, name: &str) -> bool {
        pattern.parse::<Pattern>().expect("a pattern").fits(&name.parse().expect("a name"))
    }

    #[test]
    fn the_whole_name_must_fit() {
        for (pattern, name, expected) in [
            ("*", "a", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "a", true),
            ("a*", "ba", false),
            ("*a", "ba", true),
            ("*a", "ab", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "a.b.b.c", true),
            ("a*bc*c", "abcbc", true),
            ("a**c", "abc", true),
            ("A*", "abc", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
        for bad in ["", "a/b", "é", "a b", &"*".repeat(129)] {
            assert!(bad.parse::<Pattern>().is_err(), "{bad:?}");
        }
    }

    /// The definition, however slow.
    fn slowly(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), None) => slowly(rest, name),
            (Some((b'*', rest)), Some((_, shorter))) => slowly(rest, name) || slowly(pattern, shorter),
            (Some((one, rest)), Some((other, shorter))) => one == other && slowly(rest, shorter),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    proptest! {
        #[test]
        fn a_pattern_means_what_its_definition_says(pattern in "[ab*]{1,8}", name in "[ab]{1,8}") {
            prop_assert_eq!(fits(&pattern, &name), slowly(pattern.as_bytes(), name.as_bytes()));
        }
    }
}
