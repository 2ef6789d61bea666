//! The handle: reads go to the published snapshot.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::domain::clock::Timestamp;
use crate::journal::events::Events;
use crate::store::Store;
use crate::supervision::{Address, ChildSpec};

use super::Policy;
use super::actor::{Arguments, PolicyActor};
use super::message::Message;
use super::metrics;

/// Is told of each policy that comes into force, the one now in force included.
pub type OnChange = Arc<dyn Fn(&Policy) + Send + Sync>;

/// How the policy stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The files are what is in force.
    Published,
    /// The files are refused; the last good policy is in force.
    PublishedWithRefusedEdit,
    /// The files are refused and there is no good policy: everything is denied.
    Refused,
}

impl Status {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Refused => "refused",
            Self::PublishedWithRefusedEdit => "published_with_refused_edit",
        }
    }
}

/// The policy in force, and how it came to be.
#[derive(Debug, Clone)]
pub struct InForce {
    /// The policy.
    pub policy: Arc<Policy>,
    /// How it stands.
    pub status: Status,
    /// Why the files as they are now are refused.
    pub reasons: Vec<String>,
    /// Since when it is in force.
    pub since: Timestamp,
}

/// The policy in force. Cheap to clone.
#[derive(Clone)]
pub struct Policies(Arc<Shared>);

pub(super) struct Shared {
    pub(super) in_force: ArcSwap<InForce>,
    pub(super) listeners: ArcSwap<Vec<OnChange>>,
    pub(super) directory: Option<PathBuf>,
    pub(super) environment: Option<String>,
}

impl Policies {
    /// The handle, and the actor `policy` that reads and watches the directory. Without one the shipped rules are in force;
    /// with one, everything is denied until the actor has read it, which it has when it has started.
    #[must_use]
    pub fn start(
        directory: Option<PathBuf>,
        environment: Option<String>,
        store: Store,
        events: Events,
    ) -> (Self, ChildSpec) {
        let (policies, address, make) = Self::wire(directory, environment, store, events);
        (policies, ChildSpec::worker(&address, make))
    }

    pub(super) fn wire(
        directory: Option<PathBuf>,
        environment: Option<String>,
        store: Store,
        events: Events,
    ) -> (Self, Address<Message>, impl Fn() -> (PolicyActor, Arguments) + Send + Sync + use<>) {
        metrics::register();
        let first = match &directory {
            None => Policy::shipped(),
            Some(_) => Policy::closed(vec!["the policy directory was not read yet".to_owned()]),
        };
        let policies = Self::over(first, directory, environment);
        let address = Address::new("policy");
        let shared = policies.0.clone();
        let make = move || {
            let arguments = Arguments { shared: shared.clone(), store: store.clone(), events: events.clone() };
            (PolicyActor, arguments)
        };
        (policies, address, make)
    }

    /// A policy that nothing watches.
    #[must_use]
    pub fn fixed(policy: Policy) -> Self {
        Self::over(policy, None, None)
    }

    fn over(policy: Policy, directory: Option<PathBuf>, environment: Option<String>) -> Self {
        let status = if policy.is_closed() { Status::Refused } else { Status::Published };
        let in_force = InForce { policy: Arc::new(policy), status, reasons: Vec::new(), since: Timestamp::now() };
        let in_force = ArcSwap::from_pointee(in_force);
        Self(Arc::new(Shared { in_force, listeners: ArcSwap::default(), directory, environment }))
    }

    /// The policy in force.
    #[must_use]
    pub fn current(&self) -> Arc<Policy> {
        self.0.in_force.load().policy.clone()
    }

    /// The policy in force, with why the files are refused if they are.
    #[must_use]
    pub fn in_force(&self) -> Arc<InForce> {
        self.0.in_force.load_full()
    }

    /// Has a function told of the policy in force, now and whenever another takes its place. It must be quick; it runs in the
    /// actor.
    pub fn on_change(&self, tell: OnChange) {
        self.0.listeners.rcu(|before| {
            let mut all = Vec::clone(before);
            all.push(tell.clone());
            all
        });
        tell(&self.current());
    }
}

#[cfg(test)]
impl Policies {
    /// Puts another policy in the place of a fixed one.
    pub(crate) fn replace(&self, policy: Policy) {
        let policy = Arc::new(policy);
        let in_force = InForce { policy: policy.clone(), ..InForce::clone(&self.in_force()) };
        self.0.in_force.store(Arc::new(in_force));
        self.0.listeners.load().iter().for_each(|tell| tell(&policy));
    }
}

impl std::fmt::Debug for Policies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.current())
    }
}
