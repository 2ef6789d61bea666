//! What may follow a task's records, and what else is written with it. Pure.

use super::handle::RECORDS_MAX;
use super::reading::{put, put_snapshot};
use super::record::TaskRecord;
use super::snapshot::Snapshot;
use super::state::Task;
use super::{Error, agents, doubts, outbox, stats, tally};
use crate::store::{Batch, Keyspace};

/// Records that are to follow a task's.
#[derive(Clone)]
pub(super) struct Following {
    /// These, all or none.
    pub(super) records: Vec<TaskRecord>,
    /// And the start of a step, where it may follow them.
    pub(super) start: Option<TaskRecord>,
    /// Only behind so many records, where that is said.
    pub(super) behind: Option<u64>,
}

impl Following {
    /// These records, whatever was written since they were decided, as long as they may follow.
    pub(super) fn all(records: Vec<TaskRecord>) -> Self {
        Self { records, start: None, behind: None }
    }
}

/// The task after what follows it, the records of that, and the batch that makes it so.
pub(super) fn after(current: &Task, what: Following, extra: Batch) -> Result<(Task, Vec<TaskRecord>, Batch), Error> {
    let id = current.order.task;
    let Following { mut records, start, behind } = what;
    if behind.is_some_and(|seen| seen != current.records) {
        return Err(Error::Superseded(id));
    }
    let (mut after, owner) = (current.clone(), current.order.owner());
    let mut batch = extra;
    for record in &records {
        if !after.accepts(record) {
            return Err(Error::Superseded(id));
        }
        let sequence = after.records;
        batch = batch.and(put(id, sequence, record, &owner));
        after.evolve(record);
        batch = batch.and(outbox::of(&after, sequence, record)).and(doubts::of(&after, record));
    }
    // A task that is full can still conclude and end.
    let starts = records.iter().any(|record| matches!(record, TaskRecord::StepStarted(_)));
    if starts && after.records > RECORDS_MAX {
        return Err(Error::Full(id));
    }
    if let Some(start) = start.filter(|start| after.accepts(start) && after.records < RECORDS_MAX) {
        let sequence = after.records;
        batch = batch.and(put(id, sequence, &start, &owner));
        after.evolve(&start);
        batch = batch.and(outbox::of(&after, sequence, &start));
        records.push(start);
    }
    if let Some(snapshot) = Snapshot::due(&after, current.records) {
        batch = batch.and(put_snapshot(id, &snapshot, &owner));
    }
    if let Some(TaskRecord::Ended(ended)) = records.last() {
        batch = batch.delete(Keyspace::Open, id.as_bytes().as_slice()).and(stats::of_ended(&after, ended));
        batch = batch.and(tally::of_ended(&after, ended));
        if let Some(agent) = after.order.registered_agent() {
            batch = batch.and(agents::turn(agent, id, &owner));
        }
    }
    Ok((after, records, batch))
}
