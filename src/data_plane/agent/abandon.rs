//! Ending a task whose agent or orchestrator will not go on with it, with all that it cost on record.

use super::environment::Environment;
use super::metrics;
use super::pause::transient;
use crate::control_plane::admission::payer_of;
use crate::control_plane::budget::{self, Budget, Key, Reservation};
use crate::domain::clock::Timestamp;
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::journal;
use crate::journal::record::{Ended, Outcome, StepFailed, StepKind, TaskRecord, Then};
use crate::journal::state::{Step, StepStatus, TOOL_IN_DOUBT};
use crate::store::Batch;

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
    drop(environment.first.take(id));
    let task = custody.task();
    let (payer, at) = (payer_of(&task.order), Timestamp::now());
    let (mut records, mut costs, mut cut) = (Vec::new(), Vec::new(), Vec::new());
    for step in task.steps.iter().filter(|step| step.status == StepStatus::Started) {
        let reservation = Reservation::recorded(Key { task: id, step: step.number }, payer.clone(), reserved(step));
        let in_doubt = in_doubt(&environment.budget, &reservation).await;
        records.push(cut_off(step, code, message, in_doubt, at));
        costs.push((reservation, in_doubt));
        cut.push(step.number);
    }
    records.push(TaskRecord::Ended(Ended { outcome: Outcome::failed(code, message), at }));
    let budget = environment.budget.clone();
    let book =
        |batch: Batch, (reservation, in_doubt): &(Reservation, Usd)| batch.and(budget.book(reservation, *in_doubt, at));
    let booked = costs.iter().fold(Batch::new(), book);
    let settle = move |position| {
        costs.iter().for_each(|(reservation, in_doubt)| budget.settle(reservation, *in_doubt, at, position));
        budget.close_task(id);
    };
    environment.journal.append_then(&custody, records, booked, settle).await?;
    let task = custody.task();
    cut.iter().for_each(|step| metrics::step(&task, *step, std::time::Duration::ZERO, None));
    metrics::task(&task);
    Ok(())
}

/// What a call that was cut off is booked with: all that is held for it.
///
/// INVARIANT I19: where nothing is held and there is no room to hold it, nothing is booked. A ledger that starts holds what the
/// records say is under way, and a call is made only once its step is on record and the money confirmed: of a step for which
/// nothing is held, nothing was sent. Its record may have become durable while its agent and the ledger were both ending.
pub(super) async fn in_doubt(budget: &Budget, reservation: &Reservation) -> Usd {
    loop {
        match budget.confirm(reservation, Timestamp::now()).await {
            Ok(held) => return held.amount(),
            Err(budget::Error::Refused(_)) => return Usd::ZERO,
            Err(failure) => match transient(&failure) {
                Some(pause) => tokio::time::sleep(pause).await,
                // What cannot be found out is paid for.
                None => return reservation.amount(),
            },
        }
    }
}

fn reserved(step: &Step) -> Usd {
    match step.kind {
        StepKind::Model { .. } => step.reserved,
        StepKind::Delegate { .. }
        | StepKind::Tool { .. }
        | StepKind::Timer { .. }
        | StepKind::Approval { .. }
        | StepKind::Signal { .. } => Usd::ZERO,
    }
}

fn cut_off(step: &Step, code: &str, message: &str, in_doubt: Usd, at: Timestamp) -> TaskRecord {
    // A tool's call keeps its key when the task is retried only where its record says that nobody knows what became of it.
    let code = if matches!(step.kind, StepKind::Tool { .. }) { TOOL_IN_DOUBT } else { code };
    TaskRecord::StepFailed(StepFailed {
        step: step.number,
        code: code.to_owned(),
        message: message.to_owned(),
        in_doubt,
        then: Then::GiveUp,
        cost: Usd::ZERO,
        at,
        arrived: None,
    })
}
