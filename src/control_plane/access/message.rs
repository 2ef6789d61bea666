//! The mailbox of access.

use ractor::RpcReplyPort;

use super::error::Error;
use super::snapshot::Rules;
use super::table::{Identity, Table};
use super::tokens::{Tokens, Unusable};

pub(super) enum Message {
    /// The handle, for a peer whose groups decide.
    LookUp { uid: u32, reply: RpcReplyPort<Result<Identity, Error>> },
    /// The actor's own look-up, when it has ended.
    LookedUp { uid: u32, found: Result<Identity, String> },
    /// The watcher of the tokens file's directory.
    DirectoryChanged,
    /// The actor's own reading of the tokens file, when it has ended.
    TokensRead { tokens: Result<Tokens, Unusable> },
    /// Whoever re-read the settings.
    Reload { rules: Rules, reply: RpcReplyPort<()> },
    /// The actor's own resolving of new rules, when it has ended.
    Reloaded { generation: u64, table: Table, tokens: Result<Tokens, Unusable>, reply: RpcReplyPort<()> },
}
