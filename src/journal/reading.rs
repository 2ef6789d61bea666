//! Reading records back from the store. Everything here blocks.

use super::record::{self, TaskRecord};
use super::state::Task;
use super::{Error, decode, encode};
use crate::domain::id::TaskId;
use crate::store::{Batch, Direction, Keyspace, Record, Store};

/// The key of one record of a task.
pub(super) fn key(id: TaskId, sequence: u64) -> Vec<u8> {
    [id.as_bytes().as_slice(), &sequence.to_be_bytes()].concat()
}

/// The change that writes one record.
pub(super) fn put(id: TaskId, sequence: u64, record: &TaskRecord) -> Batch {
    let record = Record { kind: record::KIND, version: record::VERSION, body: encode(record) };
    Batch::new().put(Keyspace::Task, key(id, sequence), record)
}

/// All records of a task, in order.
pub(super) fn records(store: &Store, id: TaskId) -> Result<Vec<TaskRecord>, Error> {
    let found = store.range(Keyspace::Task, id.as_bytes(), None, Direction::Ascending, usize::MAX)?;
    (0..).zip(&found).map(|(sequence, (_, record))| decode(record, &id, sequence)).collect()
}

/// A task as its records tell it; none where there are none.
pub(super) fn task(store: &Store, id: TaskId) -> Result<Option<Task>, Error> {
    Ok(Task::replay(&records(store, id)?))
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
