//! What every verb is given: a client of the daemon, and where its words go.

use std::path::PathBuf;

use super::output::Output;
use super::socket;
use crate::client::Client;

/// One invocation.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) output: Output,
}

impl Session {
    /// Nothing is opened before a verb asks for something.
    pub(super) fn new(named: Option<PathBuf>, output: Output) -> Self {
        Self { client: Client::new(socket::find(named)), output }
    }
}
