//! E-mail addresses, found from their `@`.

use memchr::memchr_iter;

use super::boundary::{before, follows_escape, run_end, run_start, slice};
use crate::data_plane::dlp::finding::{Finding, Kind, Score};

/// The longest local part that is looked at, in bytes: four times RFC 5321's limit, so that one that is too long is still hidden.
const LOCAL_BYTES_MAX: usize = 256;

/// The longest domain, in bytes (RFC 5321).
const DOMAIN_BYTES_MAX: usize = 255;

/// Endings of files that look like top-level domains in names such as `icon@2x.png`.
const IMAGE_ENDINGS: [&[u8]; 6] = [b"png", b"jpg", b"jpeg", b"gif", b"webp", b"svg"];

/// Adds every address in the text.
pub(super) fn scan(text: &str, findings: &mut Vec<Finding>) {
    let bytes = text.as_bytes();
    for at in memchr_iter(b'@', bytes) {
        if let Some((start, end)) = around(text, at) {
            findings.push(Finding { kind: Kind::EMAIL_ADDRESS, start, end, score: Score::HIGH });
        }
    }
}

/// The address around the `@` at `at`.
fn around(text: &str, at: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    // Most stray signs end here, at one look.
    if !before(bytes, at).is_some_and(is_local) {
        return None;
    }
    let domain = at.checked_add(1)?;
    let end = domain_end(text, domain)?;
    let start = local_start(text, at)?;
    Some((start, end))
}

/// Where the local part that ends at `at` begins.
fn local_start(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut start = run_start(bytes, at, LOCAL_BYTES_MAX, is_local);
    while !text.is_char_boundary(start) {
        start = start.saturating_add(1);
    }
    // The bytes were looked at one by one: a character that is no letter after all, or a quotation mark, ends the run.
    let run = text.get(start..at)?;
    let stop = |(place, c): &(usize, char)| match c {
        '\'' => !is_apostrophe(run.as_bytes(), *place),
        c => !c.is_ascii() && !is_letter(*c),
    };
    if let Some((place, c)) = run.char_indices().rev().find(stop) {
        start = start.saturating_add(place).saturating_add(c.len_utf8());
    }
    // In `\nname@host` the `n` is the escape's.
    if before(bytes, start) == Some(b'\\') && follows_escape(bytes, start.saturating_add(1)) {
        start = start.saturating_add(1);
    }
    start = run_end(bytes, start, LOCAL_BYTES_MAX, |byte| matches!(byte, b'.' | b'-' | b'%' | b'+'));
    let local = slice(bytes, start, at);
    (!local.is_empty() && !local.ends_with(b".")).then_some(start)
}

/// Whether the quotation mark at `place` stands inside a name, as in `o'brien`.
fn is_apostrophe(local: &[u8], place: usize) -> bool {
    let letter = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphabetic());
    letter(before(local, place)) && letter(local.get(place.saturating_add(1)).copied())
}

/// Where the domain that begins at `from` ends: after the last label that can be a top-level domain.
fn domain_end(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut limit = run_end(bytes, from, DOMAIN_BYTES_MAX, is_domain);
    while !text.is_char_boundary(limit) {
        limit = limit.saturating_sub(1);
    }
    let run = text.get(from..limit)?;
    let (mut at, mut end, mut previous) = (from, None, "");
    for label in run.split('.') {
        let letters = label.find(|c: char| !is_letter(c)).unwrap_or(label.len());
        let (top, rest) = label.split_at_checked(letters)?;
        let image = IMAGE_ENDINGS.contains(&top.as_bytes()) && previous.strip_suffix('x').is_some_and(is_number);
        if label.is_empty() || label.starts_with('-') || image {
            break;
        }
        let foreign = rest.chars().next().is_some_and(|c| !c.is_ascii());
        if !previous.is_empty() && label.starts_with("xn--") {
            end = Some(at.saturating_add(label.trim_end_matches('-').len()));
        } else if !previous.is_empty()
            && top.chars().count() >= 2
            && (rest.is_empty() || rest.starts_with('-') || foreign)
        {
            end = Some(at.saturating_add(letters));
        }
        if foreign {
            break;
        }
        at = at.saturating_add(label.len()).saturating_add(1);
        previous = label;
    }
    end
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A letter of the scripts that write words apart: before an address in others the sentence runs on without a space.
fn is_letter(c: char) -> bool {
    c.is_alphabetic() && u32::from(c) < 0x590
}

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-' | b'\'') || is_letter_byte(byte)
}

fn is_domain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-') || is_letter_byte(byte)
}

/// Bytes of two-byte characters: whether they are letters is decided on characters.
fn is_letter_byte(byte: u8) -> bool {
    matches!(byte, 0x80..=0xBF | 0xC3..=0xD6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let mut findings = Vec::new();
        scan(text, &mut findings);
        findings.iter().map(|finding| &text[finding.range()]).collect()
    }

    #[test]
    fn addresses_are_found_with_exact_spans() {
        for (text, expected) in [
            ("Write to jean.dupont@example.fr.", "jean.dupont@example.fr"),
            ("é: jean.dupont@example.fr, IBAN", "jean.dupont@example.fr"),
            ("<first.last+tag@sub.example.co.uk>", "first.last+tag@sub.example.co.uk"),
            ("mailto:a_b%c@example.museum?subject=x", "a_b%c@example.museum"),
            ("email='x@example.org'", "x@example.org"),
            ("\"x@example.org\"", "x@example.org"),
            ("o'brien@example.ie", "o'brien@example.ie"),
            ("rené.lévêque@société.fr", "rené.lévêque@société.fr"),
            ("«rené@exemple.fr»", "rené@exemple.fr"),
            ("联系jean@example.cn。", "jean@example.cn"),
            ("日本x@example.jp", "x@example.jp"),
            (r#"{"a":"\njean@example.fr"}"#, "jean@example.fr"),
            ("x@xn--80ak6aa92e.xn--p1ai", "x@xn--80ak6aa92e.xn--p1ai"),
            ("👩jean@example.fr👩", "jean@example.fr"),
            ("иван@почта.рф", "иван@почта.рф"),
            ("x@example.fr...", "x@example.fr"),
            ("x@example.fr-related", "x@example.fr"),
            ("x@example.fr..y", "x@example.fr"),
            ("'d', 'x@example.fr'", "x@example.fr"),
        ] {
            assert_eq!(found(text), [expected], "{text}");
        }
    }

    #[test]
    fn what_only_has_the_sign_is_not_an_address() {
        for text in [
            "@",
            "a@b",
            "user@localhost",
            "@mention",
            "icon@2x.png",
            "pkg@1.2.3",
            "a @ b.fr",
            "x@.fr",
            "x@-a.fr",
            "x@a..fr",
            "x.@a.fr",
            "@@@@",
            "…@example.fr",
        ] {
            assert_eq!(found(text), Vec::<&str>::new(), "{text}");
        }
    }
}
