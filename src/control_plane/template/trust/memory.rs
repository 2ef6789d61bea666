//! What a daemon remembers of its keys' files across restarts, so that nobody widens trust by taking a file away. Pure.

use std::sync::Arc;

use super::revocations::Revocations;

/// What is remembered of the list of revocations.
#[derive(Debug, Clone, Default)]
pub(in crate::control_plane::template) enum Remembered {
    /// There never was one.
    #[default]
    Nothing,
    /// The list that was accepted last, which may be the empty one.
    List(Arc<Revocations>),
    /// There was one, and its record is damaged: nobody knows who is revoked.
    Lost,
}

/// What is remembered when the keys are read.
#[derive(Debug, Clone, Default)]
pub(in crate::control_plane::template) struct Memory {
    pub(in crate::control_plane::template) revocations: Remembered,
    /// Whether there ever was a `trust.toml`.
    pub(in crate::control_plane::template) trust_file: bool,
}

impl Memory {
    /// That of a daemon in whose store nothing about trust files is written yet.
    #[cfg(test)]
    pub(in crate::control_plane::template) fn of(in_force: Option<Arc<Revocations>>) -> Self {
        Self { revocations: in_force.map_or(Remembered::Nothing, Remembered::List), trust_file: false }
    }
}
