//! The ledger's mailbox. Every variant is sent by the room's own handle, on behalf of whom its comment names.

use ractor::RpcReplyPort;

use crate::domain::budget::{Limit, Scope};
use crate::domain::clock::{Day, Timestamp};
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::store::Position;

use super::account::{Cost, Known};
use super::payer::{Key, Payer};
use super::state::{Denied, Held, Standing};

/// A reply that may be lost without harm: the sender only waits for the message to have been handled.
pub(super) type Done = Option<RpcReplyPort<()>>;

pub(super) enum Message {
    /// Agents and admission, before a step. Answers the epoch of the incarnation that holds the money.
    Reserve { key: Key, payer: Payer, amount: Usd, at: Timestamp, reply: RpcReplyPort<Result<u64, Denied>> },
    /// Agents, after a step's cost was committed.
    Settle { key: Key, payer: Payer, cost: Cost, done: Done },
    /// Agents, when a step cost nothing.
    Release { key: Key, done: Done },
    /// Agents and orchestrators, when their task has ended.
    CloseTask { task: TaskId, done: Done },
    /// The orchestrator, before a task that had ended is open again: what it has spent.
    ReopenTask { task: TaskId, spent: Usd, reply: RpcReplyPort<Result<(), Denied>> },
    /// The handle, when a bill has settled an amount that was in doubt: the difference, which is durable.
    Correct { payer: Payer, difference: Cost, done: Done },
    /// The handle, when it has read what an answer said is missing.
    Read { scope: Scope, as_of: Position, known: Known },
    /// Operators, before a limit is committed: whether there is room for it.
    Place { scope: Scope, reply: RpcReplyPort<Result<(), Denied>> },
    /// Operators, after the limit was committed.
    Set { scope: Scope, limit: Limit, position: Position, reply: RpcReplyPort<Result<(), Denied>> },
    /// Operators, before a limit is taken away: whether there is one.
    Unplace { scope: Scope, reply: RpcReplyPort<Result<(), Denied>> },
    /// Operators, after it was taken away.
    Unset { scope: Scope, position: Position, reply: RpcReplyPort<Result<(), Denied>> },
    /// Templates and settings, after they declared limits. What they are is read where it is kept.
    Declared,
    /// Whoever asks for one budget.
    Show { scope: Scope, today: Day, reply: RpcReplyPort<Result<Standing, Denied>> },
    /// Whoever asks for all budgets.
    List { today: Day, reply: RpcReplyPort<Result<Vec<Standing>, Denied>> },
    /// Whoever asks for the open reservations: as many as fit, from behind a key on.
    Open { after: Option<Key>, limit: usize, reply: RpcReplyPort<Vec<(Key, Held)>> },
}
