//! The mailbox.

use ractor::RpcReplyPort;

use super::error::Error;
use super::handle::Said;
use crate::domain::name::ToolName;
use crate::journal::outbox::{Key, Page};

pub(super) enum Message {
    /// The actor's own watch on the outbox: tools have got entries.
    Announced,
    /// The actor's own read at its start: tools that have entries; none where the store failed.
    Began(Option<Vec<ToolName>>),
    /// The actor's own read: entries of a tool; none where the store failed.
    Found(ToolName, Option<Page>),
    /// The actor's own call.
    Returned(Key, Result<Said, Error>),
    /// The actor's own removal of an entry: whether it is gone.
    Concluded(Key, bool),
    /// The actor's own removal of entries that are too many: whether they are gone.
    Dropped(ToolName, Vec<Key>, bool),
    /// The actor's own timer.
    Due,
    /// The handle, when the daemon stops: answered when nothing is under way.
    Drain(RpcReplyPort<()>),
}
