//! The handle: reads go to the published snapshot.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::supervision::{Address, ChildSpec};

use super::Policy;
use super::actor::PolicyActor;

/// The policy in force. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Policies(Arc<ArcSwap<Policy>>);

impl Policies {
    /// The shipped policy in force, and the actor that owns it.
    #[must_use]
    pub fn start() -> (Self, ChildSpec) {
        let published = Arc::new(ArcSwap::from_pointee(Policy::shipped()));
        let address = Address::new("policy");
        let for_actor = published.clone();
        let spec = ChildSpec::worker(&address, move || (PolicyActor, for_actor.clone()));
        (Self(published), spec)
    }

    /// The policy in force.
    #[must_use]
    pub fn current(&self) -> Arc<Policy> {
        self.0.load_full()
    }
}
