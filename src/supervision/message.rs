//! A supervisor's mailbox.

use std::sync::Arc;

use ractor::RpcReplyPort;

use super::child::{Generation, Key};
use super::snapshot::{ChildInfo, Counts, Listing};
use super::{ChildId, ChildSpec, Error, SupervisorHandle};

/// The answer to a call that may be refused.
pub(super) type Reply = RpcReplyPort<Result<(), Error>>;

/// The child at the beginning of a path.
pub(super) struct Found {
    pub(super) child: ChildId,
    /// What of the path is left.
    pub(super) rest: Option<Arc<str>>,
    /// Where to go on, if it is a supervisor.
    pub(super) below: Option<SupervisorHandle>,
}

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
    /// The handle: start a child that is in quarantine; answered when it has started.
    Release(ChildId, Reply),
    /// The handle: the child at the beginning of a path.
    Find(Arc<str>, RpcReplyPort<Option<Found>>),
    /// A timer of the supervisor's own.
    Elapsed(Key, Generation),
    /// Another: look after the children.
    Round,
}
