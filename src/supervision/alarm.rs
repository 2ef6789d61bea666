//! What a person should hear of: children that are stuck, and those that are in quarantine.

use std::sync::Arc;
use std::time::Duration;

use super::{ChildId, Exit};

/// What becomes of a child that is stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnStuck {
    /// It is reported, and left alone.
    Report,
    /// It is reported and killed, which counts as a restart. A kill takes effect at the next `await`: code that never awaits
    /// cannot be ended, and its replacement waits until it is gone.
    Replace,
}

/// When a child is stuck: it has been at one message for longer than `limit`. One that waits for messages never is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StuckRule {
    /// How long a message may take.
    pub limit: Duration,
    /// What follows.
    pub then: OnStuck,
}

/// What a person should hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// The supervisor.
    pub supervisor: Arc<str>,
    /// Its child.
    pub child: ChildId,
    /// What is the matter.
    pub matter: Matter,
}

/// What is the matter with a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matter {
    /// It has been at one message for so long.
    Stuck {
        /// How long.
        busy_for: Duration,
        /// What is done about it.
        then: OnStuck,
    },
    /// It failed too often and is started no more.
    Quarantined {
        /// How it ended last.
        exit: Exit,
    },
    /// Its quarantine is over.
    Released,
}

/// Told of every alarm. It must be short.
pub type AlarmHook = Arc<dyn Fn(&Alarm) + Send + Sync>;
