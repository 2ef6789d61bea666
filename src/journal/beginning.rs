//! How a task begins: what is written when it is submitted, the start of its first step among it where its agent is free. Pure.

use super::order::Order;
use super::reading::{listed_open, put};
use super::record::{StepStarted, Submitted, TaskRecord};
use super::state::Task;
use super::{outbox, tally};
use crate::domain::clock::Timestamp;
use crate::domain::money::Usd;
use crate::store::Batch;

/// A task that is to be.
pub struct Beginning {
    /// What was decided.
    pub order: Order,
    /// What was reserved for its first step.
    pub reserved: Usd,
    /// When.
    pub at: Timestamp,
    /// The start of its first step, where nothing keeps its agent from making the call as soon as all this is durable: one commit
    /// for both. Whoever takes the task up first knows that nothing of the step was done ([`Custody::starts`](super::Custody)).
    pub first: Option<StepStarted>,
    /// What must become durable with it.
    pub with: Batch,
}

impl Beginning {
    /// The task, its records, and the batch that makes it so.
    pub(super) fn written(self) -> (Task, Vec<TaskRecord>, Batch) {
        let Self { order, reserved, at, first, with } = self;
        let (id, submitted) = (order.task, Submitted { order, reserved, at });
        let mut task = Task::begin(&submitted);
        let owner = task.order.owner();
        let mut batch = listed_open(id, &owner).and(tally::of_submitted(&task)).and(with);
        let records: Vec<TaskRecord> =
            std::iter::once(TaskRecord::Submitted(submitted)).chain(first.map(TaskRecord::StepStarted)).collect();
        for (sequence, record) in (0..).zip(&records) {
            batch = batch.and(put(id, sequence, record, &owner));
            if sequence > 0 {
                task.evolve(record);
                batch = batch.and(outbox::of(&task, sequence, record));
            }
        }
        (task, records, batch)
    }
}
