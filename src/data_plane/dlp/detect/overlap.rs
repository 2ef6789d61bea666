//! Findings that overlap become one.
//!
//! The longest names the union, then the surest, then the first kind. The union, not the winner's own span, is what is
//! reported: nothing that any detector found may stay in the text because another one won. Where kinds are treated differently
//! the strictest action comes before all that, so that no lenient kind's name makes little of a stricter one.

use crate::data_plane::dlp::finding::Finding;
use crate::domain::protection::{Action, Rules};

/// Sorts the findings by place and merges those that overlap.
pub(in crate::data_plane::dlp) fn resolve(findings: Vec<Finding>) -> Vec<Finding> {
    resolve_under(&Rules::all(Action::Allow), findings)
}

/// As [`resolve`], where each finding is to be treated as `rules` say.
///
/// INVARIANT I130: the action on what findings became is the strictest of the actions on any of them.
pub(in crate::data_plane::dlp) fn resolve_under(rules: &Rules, mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_unstable_by_key(|finding| (finding.start, finding.end, finding.kind, finding.score));
    let mut resolved: Vec<Finding> = Vec::with_capacity(findings.len());
    // The length of the finding that names the last of `resolved`, which may span more than that by now.
    let mut winner = 0;
    for finding in findings {
        match resolved.last_mut() {
            Some(last) if finding.start < last.end => {
                let challenger = (rules.action(finding.kind), finding.len(), finding.score);
                let champion = (rules.action(last.kind), winner, last.score);
                if challenger > champion || (challenger == champion && finding.kind < last.kind) {
                    winner = finding.len();
                    last.kind = finding.kind;
                    last.score = finding.score;
                }
                last.end = last.end.max(finding.end);
            }
            Some(_) | None => {
                winner = finding.len();
                resolved.push(finding);
            }
        }
    }
    resolved
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_plane::dlp::finding::{Kind, Score};

    fn finding(kind: Kind, start: usize, end: usize, score: Score) -> Finding {
        Finding { kind, start, end, score }
    }

    #[test]
    fn the_longest_names_the_union() {
        let merged = resolve(vec![
            finding(Kind::EMAIL_ADDRESS, 8, 30, Score::HIGH),
            finding(Kind::PHONE_NUMBER, 40, 50, Score::PLAUSIBLE),
            finding(Kind::URL_CREDENTIALS, 0, 28, Score::HIGH),
        ]);
        assert_eq!(
            merged,
            [finding(Kind::URL_CREDENTIALS, 0, 30, Score::HIGH), finding(Kind::PHONE_NUMBER, 40, 50, Score::PLAUSIBLE),]
        );
    }

    #[test]
    fn order_of_discovery_does_not_matter() {
        let a = finding(Kind::CREDIT_CARD, 0, 16, Score::LIKELY);
        let b = finding(Kind::PHONE_NUMBER, 0, 16, Score::LIKELY);
        let c = finding(Kind::IBAN_CODE, 10, 26, Score::CERTAIN);
        assert_eq!(resolve(vec![a, b, c]), resolve(vec![c, b, a]));
        assert_eq!(resolve(vec![a, b, c]), [finding(Kind::IBAN_CODE, 0, 26, Score::CERTAIN)]);
    }
}
