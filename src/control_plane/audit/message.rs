//! The mailbox of the audit log.

use ractor::RpcReplyPort;

use super::error::Error;
use super::verify::Verified;

pub(super) enum Message {
    /// The handle, for whoever wants the whole log verified.
    Verify { reply: RpcReplyPort<Result<Verified, Error>> },
    /// The actor's own verification, when it has ended.
    Ended { outcome: Result<Verified, Error>, replies: Vec<RpcReplyPort<Result<Verified, Error>>> },
}
