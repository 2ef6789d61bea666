//! Ending a task whose agent or orchestrator will not go on with it, with all that it cost on record.

use super::environment::Environment;
use super::metrics;
use crate::control_plane::admission::payer_of;
use crate::control_plane::budget::{Budget, Key, Reservation};
use crate::domain::clock::Timestamp;
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::journal;
use crate::journal::record::{Ended, Outcome, StepFailed, StepKind, TaskRecord, Then};
use crate::journal::state::{Step, StepStatus};

/// Takes a task up only to end it: a call under way is booked in doubt, a subtask under way is left to be cancelled by the
/// caller, and what was held is settled.
///
/// # Errors
/// The journal failed: the task is still open.
pub(crate) async fn abandon(
    environment: &Environment,
    id: TaskId,
    code: &str,
    message: &str,
) -> Result<(), journal::Error> {
    let Some(custody) = environment.journal.take_up(id) else { return Ok(()) };
    let task = custody.task();
    let (payer, at) = (payer_of(&task.order), Timestamp::now());
    let open: Vec<&Step> = task.steps.iter().filter(|step| step.status == StepStatus::Started).collect();
    let mut records: Vec<TaskRecord> = open.iter().map(|step| cut_off(step, code, message, at)).collect();
    records.push(TaskRecord::Ended(Ended { outcome: Outcome::failed(code, message), at }));
    let doubtful: Usd = open.iter().map(|step| in_doubt(step)).sum();
    let booked = Budget::book(&payer, doubtful, at);
    let held: Vec<Reservation> = open
        .iter()
        .map(|step| Reservation::recorded(Key { task: id, step: step.number }, payer.clone(), in_doubt(step)))
        .collect();
    let budget = environment.budget.clone();
    let settle = move |position| {
        held.iter().for_each(|reservation| budget.settle(reservation, reservation.amount(), at, position));
        budget.close_task(id);
    };
    environment.journal.append_then(&custody, records, booked, settle).await?;
    metrics::task(&custody.task());
    Ok(())
}

fn in_doubt(step: &Step) -> Usd {
    match step.kind {
        StepKind::Model { .. } => step.reserved,
        StepKind::Delegate { .. }
        | StepKind::Tool { .. }
        | StepKind::Timer { .. }
        | StepKind::Approval { .. }
        | StepKind::Signal { .. } => Usd::ZERO,
    }
}

fn cut_off(step: &Step, code: &str, message: &str, at: Timestamp) -> TaskRecord {
    TaskRecord::StepFailed(StepFailed {
        step: step.number,
        code: code.to_owned(),
        message: message.to_owned(),
        in_doubt: in_doubt(step),
        then: Then::GiveUp,
        cost: Usd::ZERO,
        at,
    })
}
