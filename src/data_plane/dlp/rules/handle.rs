//! The way to the actor that reads the operator's rules.

use std::path::PathBuf;
use std::time::Duration;

use super::actor::{Librarian, Means, Message};
use crate::data_plane::dlp::detectors::InForce;
use crate::journal::events::Events;
use crate::supervision::{Address, CallError, ChildSpec};

/// How long a reading of the file is waited for.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// Has the operator's rules read again. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RuleReader(Address<Message>);

impl RuleReader {
    /// The actor `dlp_rules` for a file, and the spec by which a supervisor starts it.
    pub(in crate::data_plane::dlp) fn start(file: PathBuf, in_force: InForce, events: Events) -> (Self, ChildSpec) {
        let address = Address::new("dlp_rules");
        let means = Means { file, in_force, events };
        let spec = ChildSpec::worker(&address, move || (Librarian, means.clone()));
        (Self(address), spec)
    }

    /// Reads the file now. Rules that are refused are no error of this: they are told, and what was goes on.
    ///
    /// # Errors
    /// The actor is not there, or does not answer in time.
    pub async fn reload(&self) -> Result<(), CallError> {
        self.0.call(READ_WITHIN, Message::Reload).await
    }
}
