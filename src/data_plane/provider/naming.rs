//! Whether the model that answered is the one that was asked.

use crate::domain::name::NAME_BYTES_MAX;

/// The note that names a model other than the one asked.
pub(super) const ANSWERED_BY: &str = "answered_by";

/// The name of the model that answered, and the note where that is another than the one asked.
///
/// The call is billed as of the model asked, which is what the provider sells; a provider that puts another in its place, perhaps
/// a dearer one, is told of in the log and in the answer's metadata.
pub(super) fn answered(asked: &str, named: Option<String>) -> (String, Option<(&'static str, String)>) {
    let plain = |name: &String| !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.chars().any(char::is_control);
    let Some(named) = named.filter(plain) else { return (asked.to_owned(), None) };
    if is_same(asked, &named) {
        return (named, None);
    }
    tracing::warn!(asked, answered = named, "another model than the one asked has answered");
    let note = (ANSWERED_BY, named.clone());
    (named, Some(note))
}

/// Whether a name is that of the model asked, or of one of its dated versions.
fn is_same(asked: &str, named: &str) -> bool {
    let (asked, named) = (bare(asked), bare(named));
    let Some(rest) = named.strip_prefix(asked.strip_suffix("-latest").unwrap_or(&asked)) else { return false };
    let Some(version) = rest.strip_prefix(['-', '@', ':']) else { return rest.is_empty() };
    // A short number is the next model's (`-4` and `-4-1`), unless a date or the word for a trial goes before it.
    let mut dated = false;
    version.split('-').all(|part| match part {
        "latest" => true,
        "preview" | "exp" => {
            dated = true;
            true
        }
        number => {
            let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            let fits = is_number && (dated || number.len() >= 3);
            dated |= fits;
            fits
        }
    })
}

/// The name without the path before it: `models/gemini-2.5-pro`.
fn bare(name: &str) -> String {
    name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dated_version_is_the_model_and_a_sibling_is_not() {
        let same = [
            ("gpt-4o", "gpt-4o"),
            ("gpt-4o", "gpt-4o-2024-08-06"),
            ("gpt-4", "gpt-4-0613"),
            ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
            ("claude-3-5-haiku-latest", "claude-3-5-haiku-20241022"),
            ("claude-sonnet-4-5", "claude-sonnet-4-5@20250929"),
            ("gemini-2.5-flash", "models/gemini-2.5-flash-preview-05-20"),
            ("models/gemini-2.0-flash", "gemini-2.0-flash-001"),
            ("qwen", "Qwen:latest"),
        ];
        for (asked, named) in same {
            assert_eq!(answered(asked, Some(named.to_owned())), (named.to_owned(), None), "{asked} {named}");
        }
        let other = [
            ("gpt-4o", "gpt-4o-mini"),
            ("gpt-4", "gpt-4-32k"),
            ("claude-opus-4", "claude-opus-4-1"),
            ("claude-opus-4", "claude-opus-4-1-20250805"),
            ("gpt-4o", "gpt-3.5-turbo"),
            ("gpt-4o-mini", "gpt-4o"),
            ("gpt-4o", "gpt-4o-"),
        ];
        for (asked, named) in other {
            let note = Some((ANSWERED_BY, named.to_owned()));
            assert_eq!(answered(asked, Some(named.to_owned())), (named.to_owned(), note), "{asked} {named}");
        }
    }

    #[test]
    fn a_name_that_cannot_be_one_is_not_kept() {
        for bad in [String::new(), "a\nb".to_owned(), "x".repeat(NAME_BYTES_MAX + 1)] {
            assert_eq!(answered("gpt-4o", Some(bad)), ("gpt-4o".to_owned(), None));
        }
        assert_eq!(answered("gpt-4o", None), ("gpt-4o".to_owned(), None));
    }
}
