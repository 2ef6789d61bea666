//! What can go wrong between a caller and the daemon.

use std::io;
use std::time::Duration;

use super::place::Place;
use crate::domain::failure::{Class, Failure, Retry};
use crate::protocol::problem::Problem;

/// How soon to try again where the daemon is away or did not say.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(1);

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No daemon can be there.
    #[error("ask the daemon at {url}: {reason}")]
    Address {
        /// What was named.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody answers there, or the connection was cut before an answer came.
    #[error("reach the daemon at {place}: {source}")]
    Unreachable {
        /// Where.
        place: Place,
        /// What the host said.
        source: io::Error,
    },
    /// The daemon refused the request or failed at it, and says why.
    #[error("{} ({})", problem.detail, problem.code)]
    Problem {
        /// What it says.
        problem: Box<Problem>,
        /// When to try again, from `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// What answers is not a daemon of this kind, or its answer exceeds a limit.
    #[error("understand the answer to {doing}: {reason}")]
    Protocol {
        /// The request: method and path.
        doing: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// No answer came in time.
    #[error("wait for the answer to {doing}: none within {after:?}")]
    TimedOut {
        /// The request: method and path.
        doing: String,
        /// How long it was waited for.
        after: Duration,
    },
}

impl Failure for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Address { .. } => "daemon_address_invalid",
            Self::Unreachable { .. } => "daemon_unreachable",
            Self::Problem { .. } => "daemon_answered_problem",
            Self::Protocol { .. } => "daemon_not_understood",
            Self::TimedOut { .. } => "daemon_timed_out",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Address { .. } => Class::Malformed,
            Self::Unreachable { .. } | Self::TimedOut { .. } => Class::Unavailable,
            Self::Problem { problem, .. } => class_of_status(problem.status),
            Self::Protocol { .. } => Class::Upstream,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } => Retry::After(RETRY_AFTER_DEFAULT),
            Self::Problem { problem, retry_after } => match (retry_after, class_of_status(problem.status)) {
                (Some(after), _) => Retry::After(*after),
                (None, Class::Overload | Class::Unavailable) => Retry::After(RETRY_AFTER_DEFAULT),
                (None, _) => Retry::Never,
            },
            Self::Address { .. } | Self::Protocol { .. } => Retry::Never,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Address { .. } => "the daemon's address is wrong".into(),
            Self::Unreachable { .. } => "the daemon cannot be reached".into(),
            Self::Problem { problem, .. } => problem.detail.clone(),
            Self::Protocol { .. } => "the daemon's answer cannot be understood".into(),
            Self::TimedOut { .. } => "the daemon did not answer in time".into(),
        }
    }
}

/// What a problem's status says, for callers that decide by class.
fn class_of_status(status: u16) -> Class {
    match status {
        401 => Class::Unauthenticated,
        402 => Class::Budget,
        403 => Class::Forbidden,
        404 => Class::NotFound,
        409 => Class::Conflict,
        413 => Class::TooLarge,
        422 => Class::Refused,
        429 => Class::Overload,
        400..500 => Class::Malformed,
        502 | 504 => Class::Upstream,
        503 => Class::Unavailable,
        _ => Class::Internal,
    }
}
