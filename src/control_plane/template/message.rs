//! The mailbox of the actor `templates`.

use ractor::RpcReplyPort;

use crate::domain::name::TemplateName;

use super::error::Error;
use super::orders::Request;
use super::refresh::Looked;
use super::source::scope::Scope;

/// What the actor is told.
pub(super) enum Message {
    /// From the watch: these files were changed and left alone long enough.
    Due(Scope),
    /// From a look-up, once for each snapshot: the version in force could not be verified any more.
    Distrusted(TemplateName),
    /// From the actor's own timer: what was being changed may be done.
    Settle,
    /// From the actor's own timer: a key may begin or cease to be trusted about now.
    Turning,
    /// From the policy's actor: another policy is in force.
    PolicyChanged,
    /// From the API, on behalf of an operator. Answered when what came of it is durable and served.
    Asked(Box<Request>, RpcReplyPort<Result<(), Error>>),
    /// From the actor's own task: a look is over.
    Looked(Box<Result<Looked, Error>>),
}
