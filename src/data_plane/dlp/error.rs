//! Why a text was not examined, or does not pass.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::finding::Kind;
use super::redaction::{Question, Withheld};
use crate::domain::failure::{Class, Failure, Retry};

/// How long a caller should wait when the pool is full or being restarted.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why a text was not examined, or does not pass. None of them lets the text through.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A rule says that texts with these do not pass.
    #[error("text blocked: it holds {}", names(.kinds))]
    Blocked {
        /// What was found; never the values.
        kinds: Vec<Kind>,
    },
    /// A rule says that a person is asked first, and nobody has given leave.
    #[error("text kept back: a person must be asked about {}", counted(.0.counts.iter()))]
    ConsentNeeded(Question),
    /// There is a picture, and nothing says that pictures may leave.
    #[error("picture kept back: nobody can tell what is in it")]
    Image,
    /// The texts are larger than what is examined at once.
    #[error("examine {bytes} bytes of text: at most {limit} are examined at once")]
    TooLarge {
        /// How large they are together.
        bytes: usize,
        /// How large they may be.
        limit: usize,
    },
    /// Too many texts are being examined.
    #[error("examine text: the pool is full")]
    Overloaded,
    /// No worker was there in time.
    #[error("examine text: no worker is running")]
    Unavailable,
    /// The text broke a worker before; it is given to none again.
    #[error("examine text: it broke a worker, and no other is given it")]
    Quarantined,
    /// The workers that held the text ended.
    #[error("examine text: {reason}")]
    Failed {
        /// What happened to the last worker.
        reason: String,
    },
    /// The worker that holds the text gave no answer in time; it may be at it still.
    #[error("examine text: no answer in time")]
    TimedOut,
}

impl Error {
    /// The codes of what keeps a text back for what it holds, or because nobody can tell what it holds: what else is in the way is
    /// no refusal.
    const REFUSALS: [&'static str; 4] = ["dlp_blocked", "dlp_consent_needed", "dlp_image_blocked", "dlp_quarantined"];

    /// Whether a record's code says that the filter kept something back.
    #[must_use]
    pub fn is_refusal(code: &str) -> bool {
        Self::REFUSALS.contains(&code)
    }
}

fn names(kinds: &[Kind]) -> String {
    kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ")
}

/// `2 EMAIL_ADDRESS and 1 CREDIT_CARD`: how often what was found, never a value.
pub(crate) fn counted(counts: impl Iterator<Item = (Kind, u64)>) -> String {
    let each: Vec<String> = counts.map(|(kind, count)| format!("{count} {kind}")).collect();
    match each.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        Some((only, _)) => only.clone(),
        None => "nothing".to_owned(),
    }
}

impl From<Withheld> for Error {
    fn from(withheld: Withheld) -> Self {
        match withheld {
            Withheld::Blocked(kinds) => Self::Blocked { kinds },
            Withheld::Asked(question) => Self::ConsentNeeded(question),
        }
    }
}

impl Failure for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Blocked { .. } => "dlp_blocked",
            Self::ConsentNeeded(_) => "dlp_consent_needed",
            Self::Image => "dlp_image_blocked",
            Self::TooLarge { .. } => "dlp_text_too_large",
            Self::Overloaded => "dlp_overloaded",
            Self::Unavailable => "dlp_unavailable",
            Self::Quarantined => "dlp_quarantined",
            Self::Failed { .. } => "dlp_failed",
            Self::TimedOut => "dlp_timed_out",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Blocked { .. } | Self::ConsentNeeded(_) | Self::Image | Self::Quarantined => Class::Refused,
            Self::TooLarge { .. } => Class::TooLarge,
            Self::Overloaded => Class::Overload,
            Self::Unavailable => Class::Unavailable,
            Self::Failed { .. } | Self::TimedOut => Class::Internal,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Overloaded | Self::Unavailable => Retry::After(RETRY_AFTER),
            Self::Blocked { .. }
            | Self::ConsentNeeded(_)
            | Self::Image
            | Self::TooLarge { .. }
            | Self::Quarantined
            | Self::Failed { .. }
            | Self::TimedOut => Retry::Never,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Blocked { kinds } => format!("the text holds what may not pass: {}", names(kinds)),
            Self::ConsentNeeded(Question { counts, .. }) => {
                format!(
                    "a person must be asked about what the text holds, and cannot be here: {}",
                    counted(counts.iter())
                )
            }
            Self::Image => "pictures are not looked into, and the template does not say that they may leave".to_owned(),
            Self::TooLarge { limit, .. } => {
                format!("the text is larger than the {limit} bytes that are examined at once")
            }
            Self::Overloaded => "too many texts are being examined".to_owned(),
            Self::Unavailable => "texts cannot be examined at the moment".to_owned(),
            Self::Quarantined => {
                "the text cannot be examined: it broke what examines texts, and does not pass".to_owned()
            }
            Self::Failed { .. } => "the text could not be examined, and does not pass unexamined".to_owned(),
            Self::TimedOut => "the text was not examined in time, and does not pass unexamined".to_owned(),
        }
    }
}

/// Why there is no pseudonym key. The daemon does not start without one.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("read or make the pseudonym key {}: {cause}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the host says.
        cause: io::Error,
    },
    /// The file does not hold a key.
    #[error("read the pseudonym key {}: {bytes} bytes or more where 32 are expected", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// How many bytes were read.
        bytes: usize,
    },
    /// Others than its owner may read or write the file.
    #[error("read the pseudonym key {}: mode {mode:o} lets others at it; make it 600, or remove it for a new one", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

impl Failure for KeyError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unusable { .. } | Self::NotAKey { .. } => "dlp_key_unusable",
            Self::Exposed { .. } => "dlp_key_exposed",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Unusable { .. } | Self::NotAKey { .. } | Self::Exposed { .. } => Class::Internal,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Unusable { .. } | Self::NotAKey { .. } => "the pseudonym key cannot be read".to_owned(),
            Self::Exposed { .. } => "the pseudonym key is open to others than its owner".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Counts;
    use super::*;

    #[test]
    fn what_keeps_a_text_back_is_known_by_its_code() {
        let question = Question { counts: Counts::default(), digest: None };
        for error in [
            Error::Blocked { kinds: Vec::new() },
            Error::ConsentNeeded(question),
            Error::Image,
            Error::TooLarge { bytes: 2, limit: 1 },
            Error::Overloaded,
            Error::Unavailable,
            Error::Quarantined,
            Error::Failed { reason: String::new() },
            Error::TimedOut,
        ] {
            assert_eq!(Error::is_refusal(error.code()), error.class() == Class::Refused, "{error:?}");
        }
    }
}
