//! Supervision of actors: child specs, strategies, restart intensity, addresses that outlive restarts, a snapshot of the tree.
//!
//! ```text
//!  SupervisorSpec ──start_root──▶ actor ──Start, Stop──▶ roster ──spawns──▶ Incarnation<A> ──publishes──▶ Address
//!                                  │ ▲                                         │
//!                          events  ▼ │ actions                                 │ exit event
//!                                 state (pure) ◀───────────────────────────────┘
//! ```
//!
//! Knows no agent, and names nothing of the factory but its failure classes. The semantics are OTP's; beyond OTP, restarts are
//! spaced by a backoff that blocks no sibling, and a dynamic supervisor gives each child an intensity of its own.
//! A supervisor that gives up has failed; in OTP it exits with `shutdown`, and a transient one stays down, here it is started again.
//!
//! Invariants, each with a test that names it:
//! - S1 Children start in order, and stop in reverse order, each after the confirmed exit of the one before.
//! - S2 A first start that fails stops what had been started and returns the error.
//! - S3 More restarts than the intensity bears end the supervisor, or, under `Dynamic`, that child alone.
//! - S4 A timer or an exit of an earlier generation changes nothing.
//! - S5 A bad call is refused and changes nothing.
//! - S6 A new incarnation starts when nothing is left of the former one and its descendants.
//! - S7 A child that waits or stops slowly does not keep its supervisor from others.
//! - S8 A significant child that ends by itself ends its supervisor as that one's `auto_shutdown` says; nothing else does.
//! - S9 A spec that contradicts itself is refused by name, and nothing of it is started.
//! - S10 The restarts that an earlier process noted count in this one; the end of that process does not.
//! - S11 A child in quarantine stays there, whatever is restarted around it, until it is released.
//! - S12 A child is stuck when it has been at one message for longer than its spec allows; one that is idle never is.

mod account;
mod actor;
mod address;
mod alarm;
mod backoff;
mod child;
mod contradiction;
mod error;
mod exit;
mod handle;
mod incarnation;
mod intensity;
mod ledger;
mod memory;
mod message;
mod metrics;
mod requests;
mod roster;
mod snapshot;
mod spec;
mod state;
mod supervisor_spec;
#[cfg(test)]
mod tests;
mod watch;

pub use address::{Address, CallError, Load};
pub use alarm::{Alarm, AlarmHook, Matter, OnStuck, StuckRule};
pub use backoff::Backoff;
pub use contradiction::{INTENSITY_RESTARTS_MAX, SpecError};
pub use error::Error;
pub use exit::{Exit, GiveUp, RestartNotice};
pub use handle::{SupervisorHandle, start_root};
pub use intensity::Intensity;
pub use ledger::{History, Micros, Note, Quarantine, RestartLedger};
pub use metrics::{ACTORS_STUCK, MAILBOX_DEPTH, QUARANTINED_TOTAL, RESTARTS_TOTAL};
pub use snapshot::{Activity, ChildInfo, Counts, LISTED_MAX, Node, NodeKind, NodeState};
pub use spec::{ChildId, ChildSpec, Restart, SHUTDOWN_DEFAULT, Shutdown, StartError, Strategy};
pub use supervisor_spec::{AutoShutdown, CHILDREN_MAX_DEFAULT, Observer, StartHook, SupervisorSpec};
