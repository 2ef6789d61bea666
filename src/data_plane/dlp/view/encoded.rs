//! Segments of base64 and of hexadecimal: what they decode to is looked at, where it is text.
//!
//! A run of the alphabets' characters is read as a whole and, where that is no text, between its `/`, `+`, `-` and `_`: a path
//! may lead to a segment. Most runs are words, paths and keys, whose first characters decode to no text.

use std::ops::Range;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::data_plane::dlp::finding::Finding;

/// The shortest segment that is decoded, in characters.
pub(super) const SEGMENT_MIN: usize = 16;

/// The longest segment that is hidden as a whole where something is found in it, in characters. Of a longer one what is hidden
/// are the groups of characters that spell it.
const WHOLE_MAX: usize = 4 * 1024;

/// How many characters are decoded at once, and by how many these parts overlap: multiples of the group's four.
const PART: usize = 48 * 1024;
const OVERLAP: usize = 4 * 1024;

/// The fewest bytes of decoded text that are looked at.
const TEXT_MIN: usize = 6;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const PLAIN: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const SAFE: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// How a segment is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Hex,
    Plain,
    Safe,
}

impl Coding {
    /// How many characters spell how many bytes.
    fn group(self) -> (usize, usize) {
        match self {
            Self::Hex => (2, 1),
            Self::Plain | Self::Safe => (4, 3),
        }
    }

    fn decode(self, segment: &[u8]) -> Option<Vec<u8>> {
        // A character that is left over spells nothing.
        let left_over = match self {
            Self::Hex => segment.len() % 2,
            Self::Plain | Self::Safe => usize::from(segment.len() % 4 == 1),
        };
        let segment = segment.get(..segment.len().saturating_sub(left_over))?;
        match self {
            Self::Hex => hex::decode(segment).ok(),
            Self::Plain => PLAIN.decode(segment).ok(),
            Self::Safe => SAFE.decode(segment).ok(),
        }
    }

    /// Whether the first characters spell text.
    fn is_text(self, segment: &[u8]) -> bool {
        let Some(start) = segment.get(..SEGMENT_MIN) else { return false };
        let mut decoded = [0_u8; SEGMENT_MIN];
        let len = match self {
            Self::Hex => hex::decode_to_slice(start, decoded.get_mut(..8).unwrap_or_default()).ok().map(|()| 8),
            Self::Plain => PLAIN.decode_slice(start, &mut decoded).ok(),
            Self::Safe => SAFE.decode_slice(start, &mut decoded).ok(),
        };
        let Some(start) = len.and_then(|len| decoded.get(..len)) else { return false };
        let shown = |byte: &u8| *byte >= b' ' || matches!(byte, b'\t' | b'\n' | b'\r');
        let whole = || std::str::from_utf8(start).map_or_else(|error| error.error_len().is_none(), |_| true);
        start.iter().all(shown) && whole()
    }
}

/// Adds what `direct` finds in the segments among the runs of the alphabets' characters in `part` of the text.
pub(super) fn scan(
    text: &str,
    part: Range<usize>,
    direct: &impl Fn(&str) -> Vec<Finding>,
    findings: &mut Vec<Finding>,
) {
    let bytes = text.as_bytes();
    let mut at = part.start;
    while at < part.end {
        let rest = bytes.get(at..part.end).unwrap_or_default();
        let len = rest.iter().position(|byte| !is_coded(*byte)).unwrap_or(rest.len());
        if len >= SEGMENT_MIN {
            run(bytes, at..at.saturating_add(len), direct, findings);
        }
        at = at.saturating_add(len).saturating_add(1);
    }
}

/// Looks into one run.
fn run(bytes: &[u8], run: Range<usize>, direct: &impl Fn(&str) -> Vec<Finding>, findings: &mut Vec<Finding>) {
    if segment(bytes, run.clone(), direct, findings) {
        return;
    }
    let joins = |byte: &u8| matches!(byte, b'/' | b'+' | b'-' | b'_');
    let mut start = run.start;
    for between in bytes.get(run).unwrap_or_default().split(joins) {
        let end = start.saturating_add(between.len());
        if between.len() >= SEGMENT_MIN {
            let _text = segment(bytes, start..end, direct, findings);
        }
        start = end.saturating_add(1);
    }
}

/// Decodes a segment and looks at what it spells; whether that is text.
fn segment(
    bytes: &[u8],
    place: Range<usize>,
    direct: &impl Fn(&str) -> Vec<Finding>,
    findings: &mut Vec<Finding>,
) -> bool {
    let characters = bytes.get(place.clone()).unwrap_or_default();
    let fits = |coding: &Coding| coding.is_text(characters);
    let Some(coding) = [Coding::Hex, Coding::Plain, Coding::Safe].into_iter().find(fits) else { return false };
    let mut from: usize = 0;
    loop {
        let to = from.saturating_add(PART).min(characters.len());
        let decoded = characters.get(from..to).and_then(|part| coding.decode(part)).unwrap_or_default();
        spelt(&decoded, direct, |found, decoded_at| {
            let (start, end) = hidden(coding, characters.len(), from, decoded_at);
            let (start, end) = (place.start.saturating_add(start), place.start.saturating_add(end));
            let padding = bytes.get(end..).unwrap_or_default().iter().take(2).take_while(|byte| **byte == b'=').count();
            let end = if end == place.end { end.saturating_add(padding) } else { end };
            findings.push(Finding { start, end, ..found });
        });
        if to == characters.len() {
            return true;
        }
        from = to.saturating_sub(OVERLAP);
    }
}

/// Tells each finding in what was decoded, and where in it that is.
fn spelt(decoded: &[u8], direct: &impl Fn(&str) -> Vec<Finding>, mut tell: impl FnMut(Finding, Range<usize>)) {
    let mut at: usize = 0;
    for chunk in decoded.utf8_chunks() {
        let valid = chunk.valid();
        if valid.len() >= TEXT_MIN {
            for found in direct(valid) {
                tell(found, at.saturating_add(found.start)..at.saturating_add(found.end));
            }
        }
        at = at.saturating_add(valid.len()).saturating_add(chunk.invalid().len());
    }
}

/// The characters that are hidden for decoded bytes, counted from the segment's first, where the part begins at `from`.
fn hidden(coding: Coding, len: usize, from: usize, decoded: Range<usize>) -> (usize, usize) {
    if len <= WHOLE_MAX {
        return (0, len);
    }
    let (characters, bytes) = coding.group();
    let group = |count: usize| count.saturating_mul(characters).saturating_add(from).min(len);
    (group(decoded.start.checked_div(bytes).unwrap_or(0)), group(decoded.end.div_ceil(bytes)))
}

/// Whether a byte is of one of the alphabets.
pub(in crate::data_plane::dlp) fn is_coded(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}
