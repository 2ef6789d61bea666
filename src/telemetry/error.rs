//! What can go wrong while logs and metrics are set up.

use crate::domain::failure::{Class, Failure};

/// A failure to set up logs or metrics. Both are set up once, before anything else runs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The level is not one, nor a list of `MODULE=LEVEL`.
    #[error("read the log level {level:?}: {reason}")]
    Level {
        /// What was given.
        level: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Something else already receives the process's logs or metrics.
    #[error("set up {what}: {reason}")]
    AlreadySet {
        /// `logs` or `metrics`.
        what: &'static str,
        /// What the library says.
        reason: String,
    },
}

impl Failure for Error {
    fn code(&self) -> &'static str {
        "telemetry_setup_failed"
    }

    fn class(&self) -> Class {
        match self {
            Self::Level { .. } => Class::Malformed,
            Self::AlreadySet { .. } => Class::Internal,
        }
    }

    fn detail(&self) -> String {
        "logs or metrics cannot be set up".to_owned()
    }
}
