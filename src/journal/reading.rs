//! Reading records back from the store. Everything here blocks.

use super::record::{self, TaskRecord};
use super::snapshot::{self, Snapshot};
use super::state::Task;
use super::{Error, decode, encode};
use crate::domain::id::TaskId;
use crate::domain::owner::Owner;
use crate::store::{Batch, Direction, Keyspace, Record, Store};

/// The key of one record of a task.
pub(super) fn key(id: TaskId, sequence: u64) -> Vec<u8> {
    [id.as_bytes().as_slice(), &sequence.to_be_bytes()].concat()
}

/// The change that writes one record.
pub(super) fn put(id: TaskId, sequence: u64, record: &TaskRecord, owner: &Owner) -> Batch {
    let record = Record { kind: record::KIND, version: record::VERSION, body: encode(record) };
    Batch::new().put_of(Keyspace::Task, key(id, sequence), record, owner)
}

/// The change that names a task as open.
pub(super) fn listed_open(id: TaskId, owner: &Owner) -> Batch {
    let listed = Record { kind: record::KIND, version: record::VERSION, body: Vec::new() };
    Batch::new().put_of(Keyspace::Open, id.as_bytes().as_slice(), listed, owner)
}

/// The change that writes a task's snapshot.
pub(super) fn put_snapshot(id: TaskId, snapshot: &Snapshot, owner: &Owner) -> Batch {
    let record = Record { kind: snapshot::KIND, version: snapshot::VERSION, body: encode(snapshot) };
    Batch::new().put_of(Keyspace::Snapshot, id.as_bytes().as_slice(), record, owner)
}

/// All records of a task, in order.
pub(super) fn records(store: &Store, id: TaskId) -> Result<Vec<TaskRecord>, Error> {
    records_from(store, id, 0)
}

/// Up to `limit` records of a task from this sequence on; whoever reads a page needs no more of them in memory.
pub(super) fn page(store: &Store, id: TaskId, first: u64, limit: usize) -> Result<Vec<TaskRecord>, Error> {
    records_within(store, id, first, limit)
}

/// The records of a task from this sequence on.
fn records_from(store: &Store, id: TaskId, first: u64) -> Result<Vec<TaskRecord>, Error> {
    records_within(store, id, first, usize::MAX)
}

fn records_within(store: &Store, id: TaskId, first: u64, limit: usize) -> Result<Vec<TaskRecord>, Error> {
    let after = first.checked_sub(1).map(|before| key(id, before));
    let found = store.range(Keyspace::Task, id.as_bytes(), after.as_deref(), Direction::Ascending, limit)?;
    let mut records = Vec::with_capacity(found.len());
    for (sequence, (found, record)) in (first..).zip(&found) {
        if *found != key(id, sequence) {
            return Err(Error::Hole { task: id, sequence });
        }
        if record.version > record::VERSION {
            return Err(Error::Newer { task: id, sequence, version: record.version });
        }
        records.push(decode(record, &id, sequence)?);
    }
    Ok(records)
}

/// A task as its records tell it; none where there are none.
pub(super) fn task(store: &Store, id: TaskId) -> Result<Option<Task>, Error> {
    match snapshot(store, id) {
        Ok(Some(snapshot)) => {
            if let Some(task) = replay_from(store, id, snapshot)? {
                return Ok(Some(task));
            }
            tracing::warn!(task = %id, "a snapshot is ahead of its task's records; all of them are replayed");
        }
        Ok(None) => {}
        Err(error) => tracing::warn!(task = %id, %error, "a snapshot cannot be read; all records are replayed"),
    }
    let records = records(store, id)?;
    if records.is_empty() {
        return Ok(None);
    }
    Task::replay(&records).map(Some).ok_or(Error::Hole { task: id, sequence: 0 })
}

fn snapshot(store: &Store, id: TaskId) -> Result<Option<Snapshot>, Error> {
    match store.find(Keyspace::Snapshot, id.as_bytes())? {
        Some(record) => decode(&record, &id, 0).map(Some),
        None => Ok(None),
    }
}

fn replay_from(store: &Store, id: TaskId, snapshot: Snapshot) -> Result<Option<Task>, Error> {
    let Some(first) = store.find(Keyspace::Task, &key(id, 0))? else { return Ok(None) };
    let TaskRecord::Submitted(submitted) = decode(&first, &id, 0)? else { return Ok(None) };
    let records = records_from(store, id, snapshot.first())?;
    Ok(snapshot.replay(&submitted, &records))
}

/// Every task that had not ended; and those of them whose records cannot be read.
pub(super) fn open_tasks(store: &Store) -> Result<(Vec<Task>, Vec<TaskId>), Error> {
    let (mut open, mut unreadable) = (Vec::new(), Vec::new());
    for (key, _) in store.range(Keyspace::Open, &[], None, Direction::Ascending, usize::MAX)? {
        let Ok(id) = <[u8; 16]>::try_from(key.as_slice()).map(TaskId::from_bytes) else { continue };
        match task(store, id) {
            Ok(found) => open.extend(found),
            Err(error) => {
                tracing::error!(task = %id, %error, "an open task cannot be read; it does not go on, and the rest does");
                unreadable.push(id);
            }
        }
    }
    Ok((open, unreadable))
}

/// The newest task that is older than `cursor`.
pub(super) fn previous_task(store: &Store, cursor: Option<TaskId>) -> Result<Option<TaskId>, Error> {
    let bound = cursor.map(|id| key(id, 0));
    let found = store.survey(Keyspace::Task, &[], bound.as_deref(), Direction::Descending, 1)?;
    let id = found.first().and_then(|(key, _)| key.get(..16)).and_then(|bytes| bytes.try_into().ok());
    Ok(id.map(TaskId::from_bytes))
}
