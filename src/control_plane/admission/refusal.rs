//! Why a request is not admitted.

use std::time::Duration;

use super::route::PassedOver;
use crate::control_plane::{access, audit, budget, template};
use crate::domain::failure::{Class, Failure, Retry};
use crate::domain::id::{AgentId, TaskId};
use crate::domain::name::{Capability, Digest, RouteName, TemplateName};
use crate::journal;

/// After how long an overloaded daemon may be asked again.
const OVERLOAD_PAUSE: Duration = Duration::from_secs(1);

/// Why a request is not admitted. Nothing has changed then, but that the audit log says so.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refusal {
    /// The principal may not.
    #[error(transparent)]
    Access(#[from] access::Refusal),
    /// The template does not run.
    #[error(transparent)]
    Template(#[from] template::Error),
    /// The worst case does not fit the budget.
    #[error(transparent)]
    Budget(#[from] budget::Error),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The decision cannot be put on record.
    #[error(transparent)]
    Audit(#[from] audit::Error),
    /// There is no such agent, or it is another tenant's.
    #[error("submit to {0}: there is no such agent")]
    UnknownAgent(AgentId),
    /// The agent was stopped for good.
    #[error("submit to {0}: it was stopped")]
    StoppedAgent(AgentId),
    /// The agent failed too often and waits to be released.
    #[error("submit to {0}: it is in quarantine")]
    QuarantinedAgent(AgentId),
    /// No published template has the capability.
    #[error("submit to capability {0}: no published template has it")]
    UnknownCapability(Capability),
    /// An orchestrator is not an agent that can be created or delegated to by name.
    #[error("{0} is an orchestrator: submit a task to it")]
    NotAnAgent(String),
    /// The settings have no such route.
    #[error("route {0} is not in the settings")]
    UnknownRoute(RouteName),
    /// No model of the route can be called.
    #[error("route {route} has no usable provider{}", told(.passed_over))]
    UnusableRoute {
        /// The route.
        route: RouteName,
        /// Its models that did not suit.
        passed_over: Vec<PassedOver>,
        /// When one of its others may be usable, where that is known.
        left: Option<Duration>,
    },
    /// No model of the route has a price.
    #[error("model {0} has no price")]
    Unpriced(String),
    /// The input is longer than any model of the route takes.
    #[error("the input does not fit: {0}")]
    ExceedsContext(PassedOver),
    /// No model of the route suits the call.
    #[error("route {route} has no model that suits{}", told(.passed_over))]
    UnsuitableRoute {
        /// The route.
        route: RouteName,
        /// Its models, and why each does not.
        passed_over: Vec<PassedOver>,
    },
    /// It is longer than it may be.
    #[error("{what} is longer than {limit} bytes")]
    TooLarge {
        /// What is.
        what: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
    /// There are more of them than there may be.
    #[error("more than {limit} {what}")]
    TooMany {
        /// What there is.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The deadline is not in the future.
    #[error("the deadline has passed")]
    TooLate,
    /// The deadline of a task that is to be retried has passed.
    #[error("retry {0}: its deadline has passed")]
    DeadlineOver(TaskId),
    /// The time that its template gives a task, which is to be retried, is over.
    #[error("retry {0}: the time that its template gives a task is over")]
    TimeOver(TaskId),
    /// The key was used for another request.
    #[error("the idempotency key was used for another request, {0}")]
    KeyReused(TaskId),
    /// Orchestrators delegate deeper than their limit.
    #[error("delegation deeper than {0} levels")]
    TooDeep(u32),
    /// There is as much open work as there may be.
    #[error("as much is open as may be: {limit} {what}")]
    Overloaded {
        /// What there is much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The agent has as many open tasks as it may have.
    #[error("{agent} has as many open tasks as it may have: {limit}")]
    QueueFull {
        /// The agent.
        agent: AgentId,
        /// The limit.
        limit: usize,
    },
    /// The operators' rules say that the principal may not use the template.
    #[error("use template {template}: {}", .reasons.join("; "))]
    Use {
        /// Which.
        template: TemplateName,
        /// What the rules say.
        reasons: Vec<String>,
        /// The policy that was asked.
        policy: Digest,
    },
    /// The data of whoever it is for is being erased.
    #[error("the data of this tenant or user is being erased")]
    BeingErased,
    /// The daemon is stopping.
    #[error("the daemon is draining")]
    Draining,
}

/// The models that were passed over, as the end of a sentence.
fn told(passed_over: &[PassedOver]) -> String {
    let reasons: Vec<_> = passed_over.iter().map(ToString::to_string).collect();
    if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join("; ")) }
}

impl Refusal {
    /// Whether the request named what there is not, in a text of its own.
    pub(super) fn names_nothing(&self) -> bool {
        match self {
            Self::UnknownCapability(_) | Self::Template(template::Error::NotFound(_)) => true,
            Self::Template(_)
            | Self::Access(_)
            | Self::Budget(_)
            | Self::Journal(_)
            | Self::Audit(_)
            | Self::UnknownAgent(_)
            | Self::StoppedAgent(_)
            | Self::QuarantinedAgent(_)
            | Self::NotAnAgent(_)
            | Self::UnknownRoute(_)
            | Self::UnusableRoute { .. }
            | Self::Unpriced(_)
            | Self::ExceedsContext(_)
            | Self::UnsuitableRoute { .. }
            | Self::TooLarge { .. }
            | Self::TooMany { .. }
            | Self::TooLate
            | Self::DeadlineOver(_)
            | Self::TimeOver(_)
            | Self::KeyReused(_)
            | Self::TooDeep(_)
            | Self::Overloaded { .. }
            | Self::QueueFull { .. }
            | Self::Use { .. }
            | Self::BeingErased
            | Self::Draining => false,
        }
    }
}

impl Failure for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::Access(refusal) => refusal.code(),
            Self::Template(error) => error.code(),
            Self::Budget(error) => error.code(),
            Self::Journal(error) => error.code(),
            Self::Audit(error) => error.code(),
            Self::UnknownAgent(_) => "agent_not_found",
            Self::StoppedAgent(_) => "agent_stopped",
            Self::QuarantinedAgent(_) => "agent_quarantined",
            Self::UnknownCapability(_) => "capability_not_found",
            Self::NotAnAgent(_) => "template_not_an_agent",
            Self::UnknownRoute(_) => "route_unknown",
            Self::UnusableRoute { .. } => "route_unusable",
            Self::UnsuitableRoute { .. } => "route_unsuitable",
            Self::Unpriced(_) => "model_unpriced",
            Self::ExceedsContext(passed) => passed.code(),
            Self::TooLarge { .. } => "input_too_large",
            Self::TooMany { .. } => "too_many",
            Self::TooLate => "deadline_passed",
            Self::DeadlineOver(_) => "deadline_exceeded",
            Self::TimeOver(_) => "task_time_exceeded",
            Self::KeyReused(_) => "idempotency_key_reused",
            Self::TooDeep(_) => "delegation_too_deep",
            Self::Overloaded { .. } => "overloaded",
            Self::QueueFull { .. } => "agent_queue_full",
            Self::Use { .. } => "template_use_denied",
            Self::BeingErased => "being_erased",
            Self::Draining => "draining",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Access(refusal) => refusal.class(),
            Self::Template(error) => error.class(),
            Self::Budget(error) => error.class(),
            Self::Journal(error) => error.class(),
            Self::Audit(error) => error.class(),
            Self::UnknownAgent(_) | Self::UnknownCapability(_) => Class::NotFound,
            Self::StoppedAgent(_)
            | Self::KeyReused(_)
            | Self::DeadlineOver(_)
            | Self::TimeOver(_)
            | Self::BeingErased => Class::Conflict,
            Self::UnknownRoute(_) | Self::UnusableRoute { .. } | Self::Draining => Class::Unavailable,
            Self::TooLarge { .. } | Self::ExceedsContext(_) => Class::TooLarge,
            Self::Use { .. } => Class::Forbidden,
            Self::QuarantinedAgent(_)
            | Self::NotAnAgent(_)
            | Self::Unpriced(_)
            | Self::UnsuitableRoute { .. }
            | Self::TooMany { .. }
            | Self::TooLate
            | Self::TooDeep(_) => Class::Refused,
            Self::Overloaded { .. } | Self::QueueFull { .. } => Class::Overload,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Access(refusal) => refusal.retry(),
            Self::Template(error) => error.retry(),
            Self::Budget(error) => error.retry(),
            Self::Journal(error) => error.retry(),
            Self::Audit(error) => error.retry(),
            Self::Overloaded { .. } | Self::QueueFull { .. } | Self::Draining | Self::BeingErased => {
                Retry::After(OVERLOAD_PAUSE)
            }
            Self::UnusableRoute { left, .. } => left.map_or(Retry::Never, Retry::After),
            Self::UnknownAgent(_)
            | Self::StoppedAgent(_)
            | Self::QuarantinedAgent(_)
            | Self::UnknownCapability(_)
            | Self::NotAnAgent(_)
            | Self::UnknownRoute(_)
            | Self::UnsuitableRoute { .. }
            | Self::Unpriced(_)
            | Self::ExceedsContext(_)
            | Self::TooLarge { .. }
            | Self::TooMany { .. }
            | Self::TooLate
            | Self::DeadlineOver(_)
            | Self::TimeOver(_)
            | Self::KeyReused(_)
            | Self::Use { .. }
            | Self::TooDeep(_) => Retry::Never,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Access(refusal) => refusal.detail(),
            Self::Template(error) => error.detail(),
            Self::Budget(error) => error.detail(),
            Self::Journal(error) => error.detail(),
            Self::Audit(error) => error.detail(),
            Self::UnknownAgent(_)
            | Self::StoppedAgent(_)
            | Self::QuarantinedAgent(_)
            | Self::UnknownCapability(_)
            | Self::NotAnAgent(_)
            | Self::UnknownRoute(_)
            | Self::UnusableRoute { .. }
            | Self::UnsuitableRoute { .. }
            | Self::Unpriced(_)
            | Self::ExceedsContext(_)
            | Self::TooLarge { .. }
            | Self::TooMany { .. }
            | Self::TooLate
            | Self::DeadlineOver(_)
            | Self::TimeOver(_)
            | Self::KeyReused(_)
            | Self::TooDeep(_)
            | Self::Overloaded { .. }
            | Self::QueueFull { .. }
            | Self::Use { .. }
            | Self::BeingErased
            | Self::Draining => self.to_string(),
        }
    }
}
