//! Who is to run a task.

use std::sync::Arc;

use super::room::{Most, Wanted};
use crate::control_plane::template::{Kind, Template};
use crate::domain::id::AgentId;
use crate::journal::order::{Assignment, Registered, Worker};

/// Who is to run a task, and what is known of it.
pub(super) struct Placement {
    pub(super) template: Arc<Template>,
    pub(super) worker: Worker,
    /// The experiment that chose the version, if one did.
    pub(super) experiment: Option<Assignment>,
}

impl Placement {
    /// On an agent of its own, or as an orchestrator.
    pub(super) fn of((template, experiment): (Arc<Template>, Option<Assignment>)) -> Self {
        let worker = match template.kind {
            Kind::Agent => Worker::Own,
            Kind::Orchestrator(_) => Worker::Orchestrator,
        };
        Self { template, worker, experiment }
    }

    /// On a registered agent. It takes no part in experiments: what it remembers would carry over from one version to another.
    pub(super) fn registered(template: Arc<Template>, agent: AgentId) -> Self {
        Self { template, worker: Worker::Registered(Registered(agent)), experiment: None }
    }

    pub(super) fn wants(&self, input_bytes: usize, most: Most) -> Wanted<'_> {
        let agent = match self.worker {
            Worker::Registered(Registered(agent)) => Some(agent),
            Worker::Own | Worker::Orchestrator => None,
        };
        Wanted { template: &self.template.name, agent, input_bytes, most }
    }
}
