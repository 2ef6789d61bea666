//! Where words begin and end, on bytes.
//!
//! Bytes of characters beyond ASCII bound words: an address may follow a CJK character or a guillemet directly. So do JSON's
//! and the URL's escapes: in `\nAKIA…` the `n` is no part of the key.

/// The byte before `at`.
pub(super) fn before(bytes: &[u8], at: usize) -> Option<u8> {
    back(bytes, at, 1)
}

/// The byte `steps` before `at`.
pub(super) fn back(bytes: &[u8], at: usize, steps: usize) -> Option<u8> {
    at.checked_sub(steps).and_then(|index| bytes.get(index)).copied()
}

/// The bytes from `from` up to `to`, clipped to the text.
pub(super) fn slice(bytes: &[u8], from: usize, to: usize) -> &[u8] {
    bytes.get(from..to.min(bytes.len())).unwrap_or_default()
}

/// The end of the run of bytes from `from` that are in the class, looking at `most` bytes at the most.
pub(super) fn run_end(bytes: &[u8], from: usize, most: usize, class: impl Fn(u8) -> bool) -> usize {
    let run = slice(bytes, from, from.saturating_add(most));
    from.saturating_add(run.iter().position(|byte| !class(*byte)).unwrap_or(run.len()))
}

/// The start of the run of bytes up to `to` that are in the class, looking at `most` bytes at the most.
pub(super) fn run_start(bytes: &[u8], to: usize, most: usize, class: impl Fn(u8) -> bool) -> usize {
    let run = slice(bytes, to.saturating_sub(most), to);
    to.saturating_sub(run.iter().rev().position(|byte| !class(*byte)).unwrap_or(run.len()))
}

/// Whether a byte belongs to a word.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether a word can begin at `at`.
pub(super) fn begins_word(bytes: &[u8], at: usize) -> bool {
    before(bytes, at).is_none_or(|byte| !is_word(byte)) || follows_escape(bytes, at)
}

/// Whether a word can end at `at`.
pub(super) fn ends_word(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_none_or(|byte| !is_word(*byte))
}

/// Whether `at` follows `\n`, `\r`, `\t` spelt out, or a percent escape.
pub(super) fn follows_escape(bytes: &[u8], at: usize) -> bool {
    match (back(bytes, at, 3), back(bytes, at, 2), before(bytes, at)) {
        (_, Some(b'\\'), Some(b'n' | b'r' | b't')) => true,
        (Some(b'%'), Some(high), Some(low)) => high.is_ascii_hexdigit() && low.is_ascii_hexdigit(),
        _ => false,
    }
}

/// The length of the blank at `at`: a space, or a space that does not break (U+00A0, U+2007, U+2009, U+202F).
pub(super) fn blank_len(bytes: &[u8], at: usize) -> Option<usize> {
    match slice(bytes, at, at.saturating_add(3)) {
        [b' ', ..] => Some(1),
        [0xC2, 0xA0, ..] => Some(2),
        [0xE2, 0x80, 0x87 | 0x89 | 0xAF] => Some(3),
        _ => None,
    }
}

/// The length of the hyphen at `at`: the ASCII one, or U+2010 to U+2013.
pub(super) fn hyphen_len(bytes: &[u8], at: usize) -> Option<usize> {
    match slice(bytes, at, at.saturating_add(3)) {
        [b'-', ..] => Some(1),
        [0xE2, 0x80, 0x90..=0x93] => Some(3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_bound_words() {
        assert!(begins_word(br"\nAKIA", 2));
        assert!(begins_word(b"%3DAKIA", 3));
        assert!(begins_word("é1".as_bytes(), 2));
        assert!(!begins_word(b"xAKIA", 1));
        assert!(!begins_word(b"_1", 1));
    }
}
