//! What is remembered of children beyond the end of the process, by whom a supervisor is given for that.
//!
//! Supervision knows no store: it notes what happened, at moments that the ledger's own clock tells, and never waits for it. The
//! death of the process is not noted, so that it does not count as the child's.

use std::sync::Arc;
use std::time::Duration;

use super::Exit;

/// A moment, in microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Micros(pub u64);

impl Micros {
    /// How long ago an earlier moment was; nothing where the clock was set back.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// Why and since when a child is in quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantine {
    /// Since when.
    pub since: Micros,
    /// How its last incarnation ended, as it is told.
    pub exit: Arc<str>,
}

/// What a ledger knows of one child.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// All its restarts.
    pub total: u32,
    /// When it was given up, in order.
    pub given_up: Vec<Micros>,
    /// Whether it is in quarantine.
    pub quarantine: Option<Quarantine>,
}

/// Something that happened to a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// It is restarted.
    Restarted,
    /// It exceeded its intensity and was dropped.
    GivenUp,
    /// It exceeded its intensity and is started no more, until somebody releases it.
    Quarantined {
        /// How it ended last.
        exit: Exit,
    },
    /// What it did counts no more against any intensity, and a quarantine is over: it was released, or its supervisor gave up
    /// and begins anew.
    Forgiven,
    /// It ended for good.
    Ended,
}

/// Remembers restarts. Called in the course of restarts: no call may block or wait.
pub trait RestartLedger: Send + Sync {
    /// What time it is.
    fn now(&self) -> Micros;

    /// What is known of a child.
    fn history(&self, key: &str) -> History;

    /// The last restarts of a child that an earlier process noted, in order. They are told once: a supervisor that is started
    /// anew within a process counts from nothing, as OTP's does.
    fn take_restarts(&self, key: &str) -> Vec<Micros>;

    /// Notes what happened now.
    fn note(&self, key: &str, note: Note);
}
