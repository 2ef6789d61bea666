//! What is known of an agent in memory without asking it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};

use crate::control_plane::template::Supervision;
use crate::domain::clock::Timestamp;
use crate::domain::id::AgentId;
use crate::domain::name::{TemplateName, Tenant, User};
use crate::journal::order::Order;

/// Who an agent in memory is.
#[derive(Debug, Clone)]
pub struct Resident {
    /// Which agent.
    pub agent: AgentId,
    /// How long it lives.
    pub life: Life,
    /// Its template.
    pub template: TemplateName,
    /// Whose it is.
    pub tenant: Tenant,
    /// Whom it serves.
    pub user: Option<User>,
    /// How it is supervised.
    pub supervision: Supervision,
}

impl Resident {
    /// The agent that runs an order.
    #[must_use]
    pub fn of(order: &Order, supervision: Supervision) -> Self {
        Self {
            agent: order.agent(),
            life: order.registered_agent().map_or(Life::OneTask, |_| Life::Registered),
            template: order.template.clone(),
            tenant: order.tenant.clone(),
            user: order.user.clone(),
            supervision,
        }
    }
}

/// How long an agent lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// As long as its one task.
    OneTask,
    /// Until it is passivated.
    Registered,
}

/// What others may see of an agent in memory without asking it; it outlives the actor's incarnations.
#[derive(Debug)]
pub struct Pulse {
    resident: Resident,
    active: AtomicBool,
    idle_since_micros: AtomicI64,
    starts: AtomicU32,
}

impl Pulse {
    /// The pulse of an agent that is about to start.
    #[must_use]
    pub fn new(resident: Resident) -> Arc<Self> {
        let now = AtomicI64::new(Timestamp::now().micros());
        Arc::new(Self { resident, active: AtomicBool::new(false), idle_since_micros: now, starts: AtomicU32::new(0) })
    }

    /// Who it is.
    #[must_use]
    pub fn resident(&self) -> &Resident {
        &self.resident
    }

    /// Whether it works on a task.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    /// Since when it does not, if it does not.
    #[must_use]
    pub fn idle_since(&self) -> Option<Timestamp> {
        let since = self.idle_since_micros.load(Ordering::Relaxed);
        (!self.is_active()).then_some(Timestamp::from_micros(since))
    }

    /// How often it was restarted.
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.starts.load(Ordering::Relaxed).saturating_sub(1)
    }

    /// Counts a start.
    pub(super) fn start(&self) {
        self.starts.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn set(&self, active: bool) {
        self.idle_since_micros.store(Timestamp::now().micros(), Ordering::Relaxed);
        self.active.store(active, Ordering::Relaxed);
    }
}
