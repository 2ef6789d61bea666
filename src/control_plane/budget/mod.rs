//! Money is reserved before it is spent and settled after; no concurrency and no crash overspends a limit.
//!
//! ```text
//! reserve ──> [StepStarted durable] ──> confirm ──> effect ──> [StepFinished + book durable] ──> settle
//!    │ refused: 402                        │ refused: no effect          │ cost nothing: release
//! ```
//!
//! The truth is the store: counters by scope and day ([`Budget::book`]), limits that operators set, and the records of open tasks.
//! The ledger (`state`) is a projection of it that one actor keeps, so that reserving is one message. It can be killed at
//! any instant: it comes back from the records ([`Recover`]) and the counters, and reservations are named by [`Key`].
//!
//! INVARIANTS
//! - Money is held on every scope and task of a payer, or on none.
//! - spent + reserved never exceeds a limit, as long as no cost exceeds its reservation. A cost that does is booked whole and
//!   stops every scope of its payer that has a limit, until the window ends or the limit is set again.
//! - A cost counts once: the ledger adds it only where its commit came after the counters were read.
//! - A clock that goes back gives no money back.
//! - Every reservation ends: settled, released, closed with its task, or taken back where whoever asked never heard of it.
//! - A limit that was declared binds from the next message on, in this incarnation of the ledger and in all later ones.
//! - A stored limit that cannot be read, or kept, lets nothing be spent on its scope; it never keeps the ledger from starting.
//! - Deliberately absent: waiting for money. What does not fit is refused.

mod account;
mod actor;
mod barred;
mod crier;
mod declared;
mod durable;
mod error;
mod handle;
pub mod history;
mod limits;
mod marks;
mod message;
mod metrics;
mod news;
mod payer;
pub mod price;
mod refusal;
mod spending;
mod state;
pub mod tokens;
mod unanswered;
mod verdicts;

pub use declared::DECLARED_MAX;
pub use error::Error;
pub use handle::{Budget, Recover, Recovered};
pub use limits::Source;
pub use payer::{Key, Payer, Reservation};
pub use refusal::{Overrun, Refusal, Subject, Why};
pub use state::{Held, LIMITS_MAX, RESERVATIONS_MAX, SCOPES_MAX, Standing, TASKS_MAX};

#[cfg(test)]
mod tests;
