//! What is known of an agent in memory without asking it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::control_plane::template::Supervision;
use crate::domain::id::{AgentId, TaskId};
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

/// Told when an agent begins to work on tasks, or has none any more.
pub type OnChange = Arc<dyn Fn(&Pulse) + Send + Sync>;

/// What others may see of an agent in memory without asking it; it outlives the actor's incarnations.
pub struct Pulse {
    resident: Resident,
    active: AtomicBool,
    at_hand: Mutex<Option<TaskId>>,
    leaving: AtomicBool,
    left: Notify,
    starts: AtomicU32,
    on_change: OnChange,
}

impl Pulse {
    /// The pulse of an agent that is about to start.
    #[must_use]
    pub fn new(resident: Resident, on_change: OnChange) -> Arc<Self> {
        Arc::new(Self {
            resident,
            active: AtomicBool::new(false),
            at_hand: Mutex::new(None),
            leaving: AtomicBool::new(false),
            left: Notify::new(),
            starts: AtomicU32::new(0),
            on_change,
        })
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

    /// How often it was restarted.
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.starts.load(Ordering::Relaxed).saturating_sub(1)
    }

    /// Returns once it has decided to leave: it takes no message any more, and whoever it tells looks for its open tasks once more.
    pub async fn leaves(&self) {
        loop {
            let left = self.left.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            if self.leaving.load(Ordering::Acquire) {
                return;
            }
            left.await;
        }
    }

    /// Counts a start.
    pub(super) fn start(&self) {
        self.leaving.store(false, Ordering::Release);
        self.starts.fetch_add(1, Ordering::Relaxed);
    }

    /// The task that it works on or, where it has ended abnormally, worked on at that moment.
    #[must_use]
    pub fn at_hand(&self) -> Option<TaskId> {
        *self.at_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, at_hand: Option<TaskId>) {
        *self.at_hand.lock().unwrap_or_else(PoisonError::into_inner) = at_hand;
        self.active.store(at_hand.is_some(), Ordering::Relaxed);
        (self.on_change)(self);
    }

    /// It takes no message any more.
    pub(crate) fn leave(&self) {
        self.leaving.store(true, Ordering::Release);
        self.left.notify_waiters();
    }
}

impl std::fmt::Debug for Pulse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "pulse of {}", self.resident.agent)
    }
}
