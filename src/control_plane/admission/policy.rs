//! What a request must be like, whoever makes it. Pure.

use super::Refusal;
use super::submission::{
    IDEMPOTENCY_KEY_BYTES_MAX, INPUT_BYTES_MAX, METADATA_ENTRIES_MAX, METADATA_TEXT_BYTES_MAX, Submission,
};
use crate::domain::clock::Timestamp;
use crate::domain::money::Usd;
use crate::domain::private::Text;

/// Checks the sizes and the deadline of a submission.
///
/// # Errors
/// The first that does not fit.
pub fn check(submission: &Submission, now: Timestamp) -> Result<(), Refusal> {
    bounded("the input", submission.bytes(), INPUT_BYTES_MAX)?;
    let key = submission.idempotency_key.as_ref().map_or(0, String::len);
    bounded("the idempotency key", key, IDEMPOTENCY_KEY_BYTES_MAX)?;
    if submission.metadata.len() > METADATA_ENTRIES_MAX {
        return Err(Refusal::TooMany { what: "entries of metadata", limit: METADATA_ENTRIES_MAX });
    }
    for (name, value) in &submission.metadata {
        bounded("a name in the metadata", name.len(), METADATA_TEXT_BYTES_MAX)?;
        bounded("a value in the metadata", value.len(), METADATA_TEXT_BYTES_MAX)?;
    }
    if submission.deadline.is_some_and(|deadline| deadline <= now) {
        return Err(Refusal::TooLate);
    }
    Ok(())
}

/// Checks the size of an input.
///
/// # Errors
/// It is too long.
pub fn check_input(input: &Text) -> Result<(), Refusal> {
    bounded("the input", input.len(), INPUT_BYTES_MAX)
}

fn bounded(what: &'static str, length: usize, limit: usize) -> Result<(), Refusal> {
    if length > limit { Err(Refusal::TooLarge { what, limit }) } else { Ok(()) }
}

/// The stricter of several limits, where any is set.
#[must_use]
pub fn strictest(limits: impl IntoIterator<Item = Option<Usd>>) -> Option<Usd> {
    limits.into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::control_plane::admission::submission::Target;

    fn submission() -> Submission {
        Submission {
            target: Target::Template("worker".parse().expect("a name")),
            input: Text::from("hello"),
            budget: None,
            deadline: None,
            tenant: None,
            user: None,
            metadata: std::collections::BTreeMap::new(),
            idempotency_key: None,
            dialogue: None,
            streamed: false,
        }
    }

    #[test]
    fn what_exceeds_a_limit_is_refused_by_name() {
        let now = Timestamp::from_micros(1_000_000);
        assert!(check(&submission(), now).is_ok());
        let large = Submission { input: Text::from("x".repeat(INPUT_BYTES_MAX + 1)), ..submission() };
        assert!(matches!(check(&large, now), Err(Refusal::TooLarge { what: "the input", .. })));
        let late = Submission { deadline: Some(now), ..submission() };
        assert!(matches!(check(&late, now), Err(Refusal::TooLate)));
        let timely = Submission { deadline: Some(now.after(Duration::from_secs(1))), ..submission() };
        assert!(check(&timely, now).is_ok());
        let many = (0..=METADATA_ENTRIES_MAX).map(|n| (n.to_string(), String::new())).collect();
        assert!(matches!(check(&Submission { metadata: many, ..submission() }, now), Err(Refusal::TooMany { .. })));
    }

    #[test]
    fn the_strictest_limit_counts() {
        let usd = |nanos| Some(Usd::from_nanos(nanos));
        assert_eq!(strictest([None, usd(3), usd(2)]), usd(2));
        assert_eq!(strictest([None, None]), None);
    }

    #[test]
    fn a_fingerprint_covers_everything_but_the_key() {
        let other = Submission { input: Text::from("other"), ..submission() };
        assert_ne!(submission().fingerprint(), other.fingerprint());
        let keyed = Submission { idempotency_key: Some("k".to_owned()), ..submission() };
        assert_eq!(submission().fingerprint(), keyed.fingerprint());
    }
}
