//! What every verb is given: a client of the daemon, and where its words go.

use super::output::Output;
use crate::client::{Client, Place};

/// One invocation.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) output: Output,
}

impl Session {
    /// Nothing is opened before a verb asks for something.
    pub(super) fn new(place: Place, output: Output) -> Self {
        Self { client: Client::at(place), output }
    }
}
