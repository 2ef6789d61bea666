//! What a supervisor refuses, and what fails in it.

use std::sync::Arc;
use std::time::Duration;

use super::{CallError, ChildId, SpecError, StartError};
use crate::domain::failure::{Class, Failure, Retry};

/// Why a supervisor did not do what it was asked. None of these ends or changes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It has no such child.
    #[error("{supervisor} has no child {child}")]
    UnknownChild {
        /// The supervisor.
        supervisor: Arc<str>,
        /// The child.
        child: ChildId,
    },
    /// It has a child of that id already.
    #[error("{supervisor} already has a child {child}")]
    DuplicateChild {
        /// The supervisor.
        supervisor: Arc<str>,
        /// The child.
        child: ChildId,
    },
    /// It has as many children as it may have.
    #[error("{supervisor} has all the {limit} children that it may have")]
    Full {
        /// The supervisor.
        supervisor: Arc<str>,
        /// The limit.
        limit: usize,
    },
    /// The child must be stopped first.
    #[error("{child} of {supervisor} is running")]
    Running {
        /// The supervisor.
        supervisor: Arc<str>,
        /// The child.
        child: ChildId,
    },
    /// The child, or the group it belongs to, is being stopped or restarted.
    #[error("{child} of {supervisor} is between two states")]
    Restarting {
        /// The supervisor.
        supervisor: Arc<str>,
        /// The child.
        child: ChildId,
    },
    /// The child failed too often, and waits to be released.
    #[error("{child} of {supervisor} is in quarantine")]
    Quarantined {
        /// The supervisor.
        supervisor: Arc<str>,
        /// The child.
        child: ChildId,
    },
    /// Only a child in quarantine can be released.
    #[error("{child} of {supervisor} is not in quarantine")]
    NotQuarantined {
        /// The supervisor.
        supervisor: Arc<str>,
        /// The child.
        child: ChildId,
    },
    /// The child's spec contradicts itself, or what its supervisor's says.
    #[error("{supervisor} refuses the spec of {child}: {fault}")]
    BadSpec {
        /// The supervisor.
        supervisor: Arc<str>,
        /// The child.
        child: ChildId,
        /// How.
        fault: SpecError,
    },
    /// The child's start failed.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The supervisor did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// After how long a refusal that a restart causes may be over.
const RESTART_RETRY: Duration = Duration::from_secs(1);

impl Failure for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownChild { .. } => "child_unknown",
            Self::DuplicateChild { .. } => "child_duplicate",
            Self::Full { .. } => "children_full",
            Self::Running { .. } => "child_running",
            Self::Restarting { .. } => "child_restarting",
            Self::Quarantined { .. } => "child_quarantined",
            Self::NotQuarantined { .. } => "child_not_quarantined",
            Self::BadSpec { .. } => "child_spec_refused",
            Self::Start(error) => error.code(),
            Self::Call(error) => error.code(),
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::UnknownChild { .. } => Class::NotFound,
            Self::DuplicateChild { .. }
            | Self::Running { .. }
            | Self::Quarantined { .. }
            | Self::NotQuarantined { .. } => Class::Conflict,
            Self::Full { .. } => Class::Overload,
            Self::Restarting { .. } => Class::Unavailable,
            // No request says a spec: whoever wrote this one is a part of the daemon.
            Self::BadSpec { .. } => Class::Internal,
            Self::Start(error) => error.class(),
            Self::Call(error) => error.class(),
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::UnknownChild { .. }
            | Self::DuplicateChild { .. }
            | Self::Running { .. }
            | Self::Quarantined { .. }
            | Self::NotQuarantined { .. }
            | Self::BadSpec { .. } => Retry::Never,
            Self::Full { .. } | Self::Restarting { .. } => Retry::After(RESTART_RETRY),
            Self::Start(error) => error.retry(),
            Self::Call(error) => error.retry(),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::UnknownChild { .. }
            | Self::DuplicateChild { .. }
            | Self::Full { .. }
            | Self::Running { .. }
            | Self::Restarting { .. }
            | Self::Quarantined { .. }
            | Self::NotQuarantined { .. }
            | Self::BadSpec { .. } => self.to_string(),
            Self::Start(error) => error.detail(),
            Self::Call(error) => error.detail(),
        }
    }
}

impl Failure for StartError {
    fn code(&self) -> &'static str {
        if self.contradiction.is_some() { "child_spec_refused" } else { "child_start_failed" }
    }

    fn class(&self) -> Class {
        Class::Internal
    }

    fn detail(&self) -> String {
        format!("{} could not be started", self.child)
    }
}

impl Failure for CallError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotRunning(_) => "actor_not_running",
            Self::Interrupted(_) => "actor_interrupted",
            Self::TimedOut(_) => "actor_timed_out",
        }
    }

    fn class(&self) -> Class {
        Class::Unavailable
    }

    fn retry(&self) -> Retry {
        Retry::After(RESTART_RETRY)
    }

    fn detail(&self) -> String {
        self.to_string()
    }
}
