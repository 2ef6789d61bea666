//! The mailbox of the audit log.

use std::sync::Arc;

use ractor::RpcReplyPort;

use super::checkpoints::Kept;
use super::error::Error;
use super::handle::Noted;
use super::keeper::{Keeper, Restored};
use super::verify::Verified;

/// Who waits for a verification.
pub(super) type Verifying = RpcReplyPort<Result<Verified, Error>>;
/// Who waits for a checkpoint.
pub(super) type Signing = RpcReplyPort<Result<Arc<Noted>, Error>>;

pub(super) enum Message {
    /// The handle, for whoever wants the whole log verified.
    Verify { reply: Verifying },
    /// The actor's own verification, when it has ended.
    Verified { outcome: Result<Verified, Error>, replies: Vec<Verifying> },
    /// The actor to itself, some time after its look at the log failed.
    Look,
    /// The actor's look at the log when it started: where the tree goes on from, and whether the end of the log holds.
    Restored { restored: Box<Restored>, end: Result<u64, Error> },
    /// The handle, for whoever wants a checkpoint over all that is in the log.
    Checkpoint { reply: Signing },
    /// The clock, and the handle when many entries were made.
    Due,
    /// The actor's own work on a checkpoint, when it has ended: how far it came, and the checkpoint if there was anything new.
    Made { keeper: Box<Keeper>, outcome: Box<Result<Option<Kept>, Error>> },
}
