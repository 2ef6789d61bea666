//! Counters that the committer keeps beside the records, so that averages over all time cost nothing to read.

use super::record::{Ended, Outcome};
use super::state::Task;
use crate::store::Batch;

/// What every counter of this room begins with.
pub const PREFIX: &[u8] = b"stats/";
/// Tasks that succeeded.
pub const SUCCEEDED: &[u8] = b"stats/tasks/succeeded";
/// Tasks that failed.
pub const FAILED: &[u8] = b"stats/tasks/failed";
/// Tasks that were cancelled.
pub const CANCELLED: &[u8] = b"stats/tasks/cancelled";
/// Nano-dollars that ended tasks of their own, not subtasks, cost.
pub const COST_NANOS: &[u8] = b"stats/tasks/cost_nanos";
/// Ended tasks that no other task delegated.
pub const WHOLE_TASKS: &[u8] = b"stats/tasks/whole";
/// Judgements.
pub const FEEDBACK_COUNT: &[u8] = b"stats/feedback/count";
/// The sum of their scores, in thousandths.
pub const FEEDBACK_SUM_PER_MILLE: &[u8] = b"stats/feedback/sum_per_mille";

/// Ended tasks that had an agent of their own, subtasks included.
pub const OWN_AGENTS: &[u8] = b"stats/tasks/own_agents";

pub(super) fn of_ended(task: &Task, ended: &Ended) -> Batch {
    let state = match ended.outcome {
        Outcome::Answered { .. } | Outcome::AnsweredByStep { .. } => SUCCEEDED,
        Outcome::Failed { .. } => FAILED,
        Outcome::Cancelled => CANCELLED,
    };
    let batch = Batch::new().add(state, 1).add(OWN_AGENTS, own_agents(task));
    if task.order.parent().is_some() {
        return batch;
    }
    batch.add(WHOLE_TASKS, 1).add(COST_NANOS, task.cost().nanos())
}

/// How many agents came with the task.
fn own_agents(task: &Task) -> i64 {
    i64::from(task.order.registered_agent().is_none())
}

/// Takes back what [`of_ended`] added for the failure of a task that is reopened: what it cost so far counts with its next end.
pub(super) fn of_reopened(failed: &Task) -> Batch {
    let batch = Batch::new().add(FAILED, -1).add(OWN_AGENTS, own_agents(failed).saturating_neg());
    if failed.order.parent().is_some() {
        return batch;
    }
    batch.add(WHOLE_TASKS, -1).add(COST_NANOS, failed.cost().nanos().saturating_neg())
}
