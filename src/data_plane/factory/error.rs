//! What the factory cannot do.

use crate::domain::failure::{Class, Failure, Retry};
use crate::domain::id::AgentId;
use crate::{journal, supervision};

/// A failure or refusal of the factory.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The agent's actor did not start.
    #[error("activate {agent}: {fault}")]
    Activate {
        /// The agent.
        agent: AgentId,
        /// Why.
        fault: supervision::Error,
    },
    /// Only an agent in quarantine can be released.
    #[error("{0} is not in quarantine")]
    NotQuarantined(AgentId),
    /// There is no such agent.
    #[error("there is no agent {0}")]
    Unknown(AgentId),
}

impl Failure for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Journal(error) => error.code(),
            Self::Activate { .. } => "agent_not_activated",
            Self::NotQuarantined(_) => "agent_not_quarantined",
            Self::Unknown(_) => "agent_not_found",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Journal(error) => error.class(),
            Self::Activate { .. } => Class::Unavailable,
            Self::NotQuarantined(_) => Class::Conflict,
            Self::Unknown(_) => Class::NotFound,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Journal(error) => error.retry(),
            Self::Activate { fault, .. } => fault.retry(),
            Self::NotQuarantined(_) | Self::Unknown(_) => Retry::Never,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Journal(error) => error.detail(),
            Self::Activate { agent, .. } => format!("{agent} could not be activated; the task waits for it"),
            Self::NotQuarantined(_) => self.to_string(),
            Self::Unknown(agent) => format!("there is no agent {agent}"),
        }
    }
}
