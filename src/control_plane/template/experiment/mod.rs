//! Experiments: tasks of one template are shared out among published versions of it, and what becomes of them is compared.
//!
//! ```text
//! admission --choose--> live (assign: SHA-256, shares) --> Order.experiment --> journal: counters in the batch of the first end
//!                         ^                                                          |  (journal::tally)
//!   operator --start, end-+-- handle --(durable, audited)                            v
//!                         +-- actor: halts what is clearly worse <--stats-- counters --> report
//! ```
//! | file | holds |
//! |---|---|
//! | `state`, `stats`, `report` | pure: shares, assignment, who is worse; intervals; what is told |
//! | `record` | the stored form |
//! | `live` | running experiments as look-ups see them |
//! | `handle`, `keeping`, `actor` | the only way in; what a start finds; the automatic halt |
//!
//! Invariants:
//! - I80: an experiment is durable, and on record in the audit log, before a task is assigned by it; it outlives the daemon.
//! - I81: a version that is no longer trusted or allowed gets no task, whatever the shares say.
//! - I82: a halted variant is so on record before a task is assigned without it, and its units alone move.
//! - I83: a task counts once: at its first end, and at its first judgement.

mod actor;
mod handle;
mod keeping;
mod live;
mod metrics;
mod record;
mod refusal;
mod report;
mod state;
pub mod stats;
#[cfg(test)]
mod tests;

pub use handle::Experiments;
pub use refusal::{EXPERIMENTS_MAX, Error, Refusal};
pub use report::{Report, Results};
pub use state::{
    ALPHA, End, EndReason, Experiment, HALT_TASKS_MIN, Halt, Halting, Metric, Plan, SHARES_TOLERANCE, Unit,
    VARIANTS_MAX, VARIANTS_MIN, Variant, Wanted, Worse, assign,
};
