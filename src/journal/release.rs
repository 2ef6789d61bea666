//! What a step asks a person for that wants to let texts leave as they are.

use minicbor::{Decode, Encode};

use super::record::Decided;
use crate::domain::entity::Kind;

/// The code of a step that asked for leave and got none, and of its task.
pub const DLP_REJECTED: &str = "dlp_rejected";
/// What such a step is called.
pub const RELEASE: &str = "release";
/// The code of a step whose texts, or whose answer, hold what may not pass.
pub const DLP_BLOCKED: &str = "dlp_blocked";

/// What would leave: to whom, which texts, and what was found in them. It holds nothing of the texts.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Release {
    /// The model or tool that would be told.
    #[n(0)]
    pub to: String,
    /// A keyed hash of the texts: leave for them is none for others.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub digest: [u8; 32],
    /// What was found in them that a person is asked about.
    #[n(2)]
    pub found: Vec<Found>,
}

/// How often something was found.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Found {
    /// The name of its kind.
    #[n(0)]
    pub kind: String,
    /// How often.
    #[n(1)]
    pub count: u64,
}

impl Release {
    /// The kinds that would leave. A name that nothing has any more is none: nothing is found by it either.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> + '_ {
        self.found.iter().filter_map(|found| Kind::named(&found.kind).ok())
    }

    /// `2 EMAIL_ADDRESS and 1 CREDIT_CARD`.
    #[must_use]
    pub fn findings(&self) -> String {
        let each: Vec<String> = self.found.iter().map(|found| format!("{} {}", found.count, found.kind)).collect();
        match each.split_last() {
            Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
            Some((only, _)) => only.clone(),
            None => "nothing".to_owned(),
        }
    }

    /// That a person said no.
    #[must_use]
    pub fn rejected(&self, decided: &Decided) -> String {
        let why = decided.comment.as_ref().filter(|comment| !comment.is_empty());
        let why = why.map(|comment| format!(": {comment}")).unwrap_or_default();
        format!("{} may not leave to {}, says {}{why}", self.findings(), self.to, decided.by)
    }

    /// What a person is asked: types and numbers, never a value.
    #[must_use]
    pub fn question(&self) -> String {
        format!("{} would leave to {}", self.findings(), self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_told_types_and_numbers() {
        let found = |kind: &str, count| Found { kind: kind.to_owned(), count };
        let mut release = Release {
            to: "openai/gpt-4.1".to_owned(),
            digest: [1; 32],
            found: vec![found("EMAIL_ADDRESS", 2), found("CREDIT_CARD", 1)],
        };
        assert_eq!(release.question(), "2 EMAIL_ADDRESS and 1 CREDIT_CARD would leave to openai/gpt-4.1");
        release.found.push(found("CUSTOM_BADGE", 3));
        assert_eq!(release.findings(), "2 EMAIL_ADDRESS, 1 CREDIT_CARD and 3 CUSTOM_BADGE");
        assert_eq!(
            minicbor::decode::<Release>(&minicbor::to_vec(&release).expect("encoded")).expect("decoded"),
            release
        );
    }
}
