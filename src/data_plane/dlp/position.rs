//! Byte offsets to offsets in Unicode code points, which the API counts. Pure.

use super::finding::{Finding, Kind, Score};

/// A finding whose place is told in code points: what a client in any language can slice by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Located {
    /// What it is.
    pub kind: Kind,
    /// Its first code point.
    pub start: usize,
    /// Beyond its last code point.
    pub end: usize,
    /// How sure the detector is.
    pub score: Score,
}

/// Tells the findings' places in code points, in one pass over the text. The findings are in order and apart.
#[must_use]
pub fn locate(text: &str, findings: &[Finding]) -> Vec<Located> {
    let (mut byte, mut point) = (0, 0);
    let mut advance = |to: usize| {
        let passed = text.get(byte..to).map_or(0, |part| part.chars().count());
        point = usize::saturating_add(point, passed);
        byte = to;
        point
    };
    findings
        .iter()
        .map(|finding| Located {
            kind: finding.kind,
            start: advance(finding.start),
            end: advance(finding.end),
            score: finding.score,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_plane::dlp::detect;

    #[test]
    fn places_are_counted_in_code_points() {
        for text in [
            "é: jean.dupont@example.fr, IBAN FR7630006000011234567890189",
            "👩‍👩‍👧 écrit à x@example.org 🎉 et à y@example.org",
            "日本 x@example.org e\u{301} y@example.org",
        ] {
            let points: Vec<char> = text.chars().collect();
            let findings = detect(text);
            let located = locate(text, &findings);
            assert_eq!(located.len(), 2, "{text}");
            for (finding, located) in findings.iter().zip(located) {
                let sliced: String = points[located.start..located.end].iter().collect();
                assert_eq!(sliced, text[finding.range()]);
            }
        }
    }
}
