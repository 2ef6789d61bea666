//! A batch on its way to the committer: measured, sealed, large bodies put into files; all of that where it is asked for, so that
//! the one thread that writes is left with writing.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::group::Change;
use super::keyring::{Gate, Keyring};
use super::payload::Pin;
use super::queue::Pending;
use super::{Batch, Error, Position, Store, key, keyring, sealing};
use crate::domain::owner::Owner;

/// Bytes that are sealed on the thread of whoever commits: some hundred microseconds. More is sealed where blocking is allowed.
const SEALED_HERE_MAX: usize = 256 * 1_024;

impl Store {
    /// Makes a batch durable; returns once it is. Waits while the queue is full, or while no committer runs. A caller that stops
    /// waiting does not take the batch back.
    ///
    /// # Errors
    /// The batch is beyond a limit, or the disk failed: nothing of the batch may be acknowledged.
    pub async fn commit(&self, batch: Batch) -> Result<Position, Error> {
        let bytes = batch.measure()?;
        self.commit_behind(batch.changes, bytes, None).await
    }

    /// As [`Self::commit`], of changes that the store itself makes; behind a gate that was passed before, if one was.
    pub(super) async fn commit_behind(
        &self,
        changes: Vec<Change>,
        bytes: usize,
        passed: Option<Gate>,
    ) -> Result<Position, Error> {
        let shared = self.shared();
        if let Some(reason) = shared.unwell() {
            return Err(Error::Unwell(reason.to_owned()));
        }
        if changes.iter().any(|change| change.as_payload().is_some()) {
            // Its file is written before the committer sees it.
            shared.room_for(bytes).map_err(|no_room| Error::NoRoom(no_room.to_string()))?;
        }
        let closed = |_| Error::Unwell("the store is closed".to_owned());
        // The gate before the place, always: whoever closes the gate waits for those behind it, who may wait for a place, and places
        // are held by nobody who waits for the gate.
        let gate = match (&shared.keys, passed) {
            (Some(_), Some(gate)) => Some(gate),
            (Some(keys), None) => Some(keys.gate().await),
            (None, _) => None,
        };
        let place = shared.queue.place(bytes).await.map_err(closed)?;
        let changes = match &shared.keys {
            Some(keys) => sealed(keys, changes, bytes).await?,
            None => changes,
        };
        let (changes, pins) = self.filed(changes).await?;
        let (answer, answered) = oneshot::channel();
        shared.queue.push(Pending { changes, bytes, pins, gate, answer, place }).map_err(closed)?;
        answered.await.map_err(|_| Error::Commit("the committer ended while it wrote".to_owned()))?
    }

    /// Writes large bodies to their files.
    async fn filed(&self, changes: Vec<Change>) -> Result<(Vec<Change>, Vec<Pin>), Error> {
        if changes.iter().all(|change| change.as_payload().is_none()) {
            return Ok((changes, Vec::new()));
        }
        let shared = self.shared().clone();
        let write = move || {
            let mut pins = Vec::new();
            let mut ready = Vec::with_capacity(changes.len());
            for change in changes {
                let Some(body) = change.as_payload() else {
                    ready.push(change);
                    continue;
                };
                let (digest, pin) = shared.payloads.write(body)?;
                pins.push(pin);
                let bytes = u64::try_from(body.len()).unwrap_or(u64::MAX);
                ready.push(change.in_file(digest, bytes));
            }
            Ok((ready, pins))
        };
        let failed = |fault: std::io::Error| Error::Commit(format!("write a payload file: {fault}"));
        spawn_blocking(write).await.map_err(|fault| Error::Commit(fault.to_string()))?.map_err(failed)
    }
}

/// Seals the records of a batch, each with its owner's key; owners that have none yet get one first.
///
/// INVARIANT: called behind the gate, so that the keys stay in force until what they seal is written.
async fn sealed(keys: &Arc<Keyring>, changes: Vec<Change>, bytes: usize) -> Result<Vec<Change>, Error> {
    let missing: HashSet<Owner> = owners(&changes).filter(|owner| keys.sealing(owner).is_none()).cloned().collect();
    if !missing.is_empty() {
        let keys = Arc::clone(keys);
        let made = spawn_blocking(move || keys.make(missing)).await;
        made.map_err(|fault| keyring::Error::Failed(fault.to_string()))??;
    }
    if bytes <= SEALED_HERE_MAX {
        return seal_all(keys, changes);
    }
    let keys = Arc::clone(keys);
    spawn_blocking(move || seal_all(&keys, changes)).await.map_err(|fault| Error::Commit(fault.to_string()))?
}

fn owners(changes: &[Change]) -> impl Iterator<Item = &Owner> {
    changes.iter().filter_map(|change| match change {
        Change::Put { keyspace, owner, .. } if sealing::is_sealed(*keyspace) => Some(owner),
        Change::Put { .. }
        | Change::PutFile { .. }
        | Change::Delete { .. }
        | Change::Add { .. }
        | Change::Chain { .. }
        | Change::Replace(_) => None,
    })
}

fn seal_all(keys: &Keyring, mut changes: Vec<Change>) -> Result<Vec<Change>, Error> {
    for change in &mut changes {
        if let Change::Put { keyspace, key, record, owner, seal } = change
            && sealing::is_sealed(*keyspace)
        {
            let unreadable = || keyring::Error::Failed("the key that was just made cannot be read".to_owned());
            let with = keys.sealing(owner).ok_or_else(unreadable)?;
            let key = key::full(*keyspace, key);
            let label = sealing::seal(&with, &key, record.kind, record.version, None, &mut record.body);
            *seal = label.seal;
        }
    }
    Ok(changes)
}
