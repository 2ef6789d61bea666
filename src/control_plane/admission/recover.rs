//! What the open tasks hold and have spent, read from the journal for a ledger that starts.

use std::collections::{HashMap, HashSet};

use super::order::payer_of;
use crate::control_plane::budget::{Key, Recover, Recovered};
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::journal::Journal;
use crate::journal::record::StepKind;
use crate::journal::state::{Step, StepStatus, Task};

impl Recover for Journal {
    fn open(&self) -> Recovered {
        // First those that are being reopened: they become open before they are no longer named here.
        let reopening = self.reopening();
        let open = self.open_tasks();
        let known: HashSet<TaskId> = open.iter().map(|task| task.order.task).collect();
        let open: Vec<_> = reopening.into_iter().filter(|task| !known.contains(&task.order.task)).chain(open).collect();
        let mut spent: HashMap<TaskId, Usd> = HashMap::new();
        for task in &open {
            // A subtask that has ended and is not yet on its parent's record is nowhere else in memory.
            let unrecorded: Usd =
                task.steps.iter().filter_map(|step| ended_child(self, step)).map(|child| child.cost()).sum();
            let cost = task.cost().plus(unrecorded);
            let chain = std::iter::once(task.order.task).chain(task.order.ancestors.iter().map(|above| above.task));
            for id in chain {
                let sum = spent.entry(id).or_default();
                *sum = sum.plus(cost);
            }
        }
        let reservations = open.iter().filter_map(|task| {
            let (step, amount, since) = held(task)?;
            Some((Key { task: task.order.task, step }, payer_of(&task.order), amount, since))
        });
        Recovered { reservations: reservations.collect(), spent_by_task: spent.into_iter().collect() }
    }
}

/// The step that holds money: the call under way, or the first one, for which admission reserved.
fn held(task: &Task) -> Option<(u32, Usd, crate::domain::clock::Timestamp)> {
    if task.state.has_ended() {
        // It is being reopened, and reserves when it goes on.
        return None;
    }
    let held = match task.open_call() {
        Some(step) => (step.number, step.reserved, step.started_at),
        None if task.steps.is_empty() => (0, task.reserved, task.created_at),
        None => return None,
    };
    (held.1 > Usd::ZERO).then_some(held)
}

fn ended_child(journal: &Journal, step: &Step) -> Option<std::sync::Arc<Task>> {
    let (StepStatus::Started, StepKind::Delegate { child, .. }) = (&step.status, &step.kind) else { return None };
    match journal.read(*child) {
        Ok(task) => task.filter(|task| task.state.has_ended()),
        Err(error) => {
            tracing::error!(task = %child, %error, "what a subtask cost cannot be read; its parent's budget is short of it");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::journal::Error;
    use crate::journal::record::{Ended, Outcome, RetryRequested, StepFailed, StepStarted, TaskRecord, Then};
    use crate::journal::tests::Desk;
    use crate::store::Batch;

    #[tokio::test]
    async fn a_ledger_that_starts_while_a_task_is_reopened_learns_what_it_has_spent() {
        let (desk, at, spent) = (Desk::open(), Timestamp::from_micros(1), Usd::from_nanos(7));
        let id = desk.open_task("acme").await;
        let holder = desk.journal.take_up(id).expect("open");
        let kind = StepKind::Model { model: "mock/a".parse().expect("a model") };
        let (code, message) = ("provider_cut".to_owned(), String::new());
        let (then, cost) = (Then::GiveUp, Usd::ZERO);
        let records = vec![
            TaskRecord::StepStarted(StepStarted { step: 0, kind, reserved: spent, at }),
            TaskRecord::StepFailed(StepFailed {
                step: 0,
                code,
                message,
                in_doubt: spent,
                then,
                cost,
                at,
                arrived: None,
            }),
            TaskRecord::Ended(Ended { outcome: Outcome::failed("provider_cut", "cut off"), at }),
        ];
        desk.journal.append(&holder, records, Batch::new()).await.expect("failed");
        assert!(Recover::open(&desk.journal).spent_by_task.is_empty(), "it has ended");

        let starting = desk.journal.clone();
        let ready = move |_: Arc<Task>| async move {
            let Recovered { reservations, spent_by_task } = Recover::open(&starting);
            assert_eq!((reservations.len(), spent_by_task), (0, vec![(id, spent)]), "before it is open");
            Ok::<(), Error>(())
        };
        let request = RetryRequested { by: "root".to_owned(), at };
        desk.journal.reopen(id, request, Batch::new(), ready).await.expect("reopened");
        assert_eq!(Recover::open(&desk.journal).spent_by_task, [(id, spent)]);
        assert!(desk.journal.reopening().is_empty());
    }
}
