//! A supervisor's mailbox.

use ractor::RpcReplyPort;

use super::child::{Generation, Key};
use super::snapshot::{ChildInfo, Counts, Listing};
use super::{ChildId, ChildSpec, Error};

/// The answer to a call that may be refused.
pub(super) type Reply = RpcReplyPort<Result<(), Error>>;

/// What a supervisor is told; exits come as ractor's supervision events.
pub(super) enum Message {
    /// The handle: a new child; answered when it has started.
    StartChild(Box<ChildSpec>, Reply),
    /// The handle: end a child for good; answered when its exit is confirmed.
    TerminateChild(ChildId, Reply),
    /// The handle: start a stopped child; answered when it has started.
    RestartChild(ChildId, Reply),
    /// The handle: forget a stopped child.
    DeleteChild(ChildId, Reply),
    /// The handle: kill a child as a crash would.
    KillChild(ChildId, Reply),
    /// The handle: how many children there are.
    Count(RpcReplyPort<Counts>),
    /// The handle: which children there are.
    Which(RpcReplyPort<Vec<ChildInfo>>),
    /// The handle: this level of the tree.
    List(RpcReplyPort<Listing>),
    /// A timer of the supervisor's own.
    Elapsed(Key, Generation),
}
