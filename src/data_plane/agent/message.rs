//! An agent's mailbox.

use ractor::RpcReplyPort;

use crate::domain::id::TaskId;

/// What an agent hears.
pub enum Message {
    /// From the factory: there is a task for it. A hint only: the task is in the journal, and hearing of it twice is once.
    Run(TaskId, RpcReplyPort<()>),
    /// From its own turn: the task at hand has ended, or cannot go on.
    Done(TaskId, Result<(), String>),
    /// From the factory: nothing has happened for long.
    Passivate,
}
