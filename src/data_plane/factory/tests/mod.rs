//! The residency against a small model; passivation with real actors.

mod passivation;
mod quarantine;
mod residency;

use std::sync::Arc;

use crate::control_plane::template::Supervision;
use crate::data_plane::agent::{Life, Pulse, Resident};
use crate::domain::id::AgentId;
use crate::domain::name::Tenant;

/// What is known of an agent of a test.
fn pulse(agent: AgentId, life: Life) -> Arc<Pulse> {
    let resident = Resident {
        agent,
        life,
        template: "worker".parse().expect("a name"),
        tenant: Tenant::default_tenant(),
        user: None,
        supervision: Supervision::default(),
    };
    Pulse::new(resident, Arc::new(|_| {}))
}
