//! The most lenient actions that the host lets templates ask for, as the settings in force say.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::domain::protection::{Floor, Protection};

/// The floor in force. Cheap to clone; every clone sees what is published.
#[derive(Debug, Clone, Default)]
pub struct HostFloor(Arc<ArcSwap<Floor>>);

impl HostFloor {
    /// One that is in force from the start.
    #[must_use]
    pub fn new(floor: Floor) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(floor)))
    }

    /// Puts another one in force, for every text that is filtered from now on.
    pub fn publish(&self, floor: Floor) {
        self.0.store(Arc::new(floor));
    }

    /// What is done where a template asks for this: nothing more lenient than the floor.
    ///
    /// INVARIANT I133: no text is filtered by what a template asks for alone.
    #[must_use]
    pub fn under(&self, asked: &Protection) -> Protection {
        asked.at_least(&self.0.load())
    }
}
