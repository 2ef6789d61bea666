//! The only way in. Cheap to clone.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use super::actor::{Courier, Start};
use super::error::Error;
use super::message::Message;
use super::state::{self, Rules};
use crate::data_plane::tool::Tools;
use crate::domain::name::ToolName;
use crate::journal::Journal;
use crate::journal::outbox::Entry;
use crate::supervision::{Address, ChildSpec};

/// The longest that one call may take, whatever the tool's settings say.
const CALL_TIME_MAX: Duration = Duration::from_secs(60);

/// What came of an attempt to tell a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// The tool took it.
    Told,
    /// It was not called: there was no slot for it.
    NoSlot,
}

/// Tells a tool what an entry says. It does not queue: whoever queued would stand before plans.
pub type Teller = Arc<dyn Fn(Arc<Entry>, ToolName) -> BoxFuture<'static, Result<Said, Error>> + Send + Sync>;

/// The delivery of hooks.
#[derive(Debug, Clone)]
pub struct Hooks(Address<Message>);

impl Hooks {
    /// Makes the handle and says how its actor is started. It delivers what the journal's outbox holds to these tools.
    #[must_use]
    pub fn start(journal: &Journal, tools: Tools, rules: Rules) -> (Self, ChildSpec) {
        let teller: Teller = Arc::new(move |entry, tool| {
            let tools = tools.clone();
            Box::pin(async move {
                let Some(slot) = tools.try_slot_behind(&tool) else { return Ok(Said::NoSlot) };
                state::told(tools.tell(&slot, &entry, CALL_TIME_MAX).await).map(|()| Said::Told)
            })
        });
        Self::start_with(journal, teller, rules)
    }

    /// The same with whoever tells the tools.
    #[must_use]
    pub(super) fn start_with(journal: &Journal, teller: Teller, rules: Rules) -> (Self, ChildSpec) {
        let address = Address::new("hooks");
        let start = Start { outbox: journal.outbox().clone(), events: journal.events().clone(), teller, rules };
        let spec = ChildSpec::worker(&address, move || (Courier, start.clone()));
        (Self(address), spec)
    }

    /// Makes no further calls and waits for those under way, at most so long. What is left is delivered when the daemon starts
    /// again.
    pub async fn drain(&self, within: Duration) {
        if let Err(error) = self.0.call(within, Message::Drain).await {
            tracing::info!(%error, "hooks are still under way; they are delivered when the daemon starts again");
        }
    }
}
