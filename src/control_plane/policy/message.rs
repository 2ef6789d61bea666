//! The mailbox of the actor `policy`.

use super::look::Look;

/// What the actor is told.
#[derive(Debug)]
pub(super) enum Message {
    /// From the watch: the directory may have changed and was left alone long enough, or was not read for long.
    Due,
    /// From the actor's own task: a look is over.
    Looked(Box<Look>),
}
