//! Idempotency keys: a submission under a key that was used before is answered with the task of that time.

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use minicbor::{Decode, Encode};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::Refusal;
use crate::control_plane::access::Principal;
use crate::domain::clock::Timestamp;
use crate::domain::id::TaskId;
use crate::domain::name::Tenant;
use crate::domain::owner::Owner;
use crate::journal::{self, codec, decode, encode};
use crate::store::{self, Batch, Direction, Keyspace, Record, Store};

/// How long a key is remembered; Stripe's API, from which the header comes, promises the same.
pub const KEY_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// Keys that one sweep looks at.
const SWEEP_KEYS_MAX: usize = 10_000;

const KIND: u8 = 4;
const VERSION: u8 = 1;

#[derive(Encode, Decode)]
struct Remembered {
    #[cbor(n(0), with = "codec::bytes")]
    task: TaskId,
    #[cbor(n(1), with = "minicbor::bytes")]
    fingerprint: [u8; 32],
    #[cbor(n(2), with = "codec::time")]
    at: Timestamp,
}

/// The keys that are being used at this moment. Submissions under one key go one after the other.
#[derive(Clone, Default)]
pub(super) struct Keys {
    in_use: Arc<DashMap<Vec<u8>, Arc<Mutex<()>>>>,
}

/// The right to submit under a key, until it is dropped.
pub(super) struct Claim {
    keys: Keys,
    key: Vec<u8>,
    held: Option<OwnedMutexGuard<()>>,
}

impl Keys {
    /// Waits until nobody else submits under this key of this principal. Principals of different tenants are different
    /// principals, whatever their names.
    pub(super) async fn claim(&self, principal: &Principal, key: &str) -> Claim {
        let tenant = principal.tenant.as_ref().map_or("", Tenant::as_str);
        let key = [principal.name.as_bytes(), &[0], tenant.as_bytes(), &[0], key.as_bytes()].concat();
        let turn = self.in_use.entry(key.clone()).or_default().value().clone();
        let held = turn.lock_owned().await;
        Claim { keys: self.clone(), key, held: Some(held) }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.held = None;
        // Whoever waits holds a second reference; the last to go takes the entry away.
        self.keys.in_use.remove_if(&self.key, |_, turn| Arc::strong_count(turn) == 1);
    }
}

impl Claim {
    /// The task that the key stands for, if it was used within [`KEY_LIFETIME`].
    pub(super) async fn earlier(
        &self,
        store: &Store,
        fingerprint: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<TaskId>, Refusal> {
        let (store, key, stored) = (store.clone(), self.key.clone(), stored(&self.key));
        // On a thread that may block. Whoever used the key before has given it free, so that what it wrote is durable.
        let found = tokio::task::spawn_blocking(move || match store.find(Keyspace::Idempotency, &stored)? {
            // Earlier releases stored the key itself.
            None => store.find(Keyspace::Idempotency, &key),
            found => Ok(found),
        })
        .await;
        let found = found.unwrap_or_else(|fault| Err(store::Error::Read(fault.to_string())));
        let found = found.map_err(journal::Error::from)?;
        let Some(record) = found else { return Ok(None) };
        let remembered: Remembered = decode(&record, &"an idempotency key", 0)?;
        if now.since(remembered.at) >= KEY_LIFETIME {
            Ok(None)
        } else if remembered.fingerprint == fingerprint {
            Ok(Some(remembered.task))
        } else {
            Err(Refusal::KeyReused(remembered.task))
        }
    }

    /// The entry that makes the key stand for a task.
    pub(super) fn remember(&self, task: TaskId, fingerprint: [u8; 32], at: Timestamp, owner: &Owner) -> Batch {
        let record = Record { kind: KIND, version: VERSION, body: encode(&Remembered { task, fingerprint, at }) };
        Batch::new().put_of(Keyspace::Idempotency, stored(&self.key), record, owner)
    }
}

/// What a key is stored under: what stands in keys of the store is never encrypted, and nobody knows what people put into theirs.
fn stored(key: &[u8]) -> [u8; 32] {
    Sha256::digest(key).into()
}

/// The task that a remembered key stands for.
#[must_use]
pub fn task_of(record: &Record) -> Option<TaskId> {
    decode::<Remembered>(record, &"an idempotency key", 0).ok().map(|remembered| remembered.task)
}

/// Forgets keys that are past their lifetime, a bounded number at a time; returns where to go on, or none at the end.
pub(super) async fn sweep(
    store: &Store,
    after: Option<Vec<u8>>,
    now: Timestamp,
) -> Result<Option<Vec<u8>>, store::Error> {
    let found = store
        .read(move |store| {
            store.range(Keyspace::Idempotency, &[], after.as_deref(), Direction::Ascending, SWEEP_KEYS_MAX)
        })
        .await?;
    let next = (found.len() == SWEEP_KEYS_MAX).then(|| found.last().map(|(key, _)| key.clone())).flatten();
    let mut batch = Batch::new();
    let mut expired = 0_usize;
    for (key, record) in found {
        let at = decode::<Remembered>(&record, &"an idempotency key", 0).map(|remembered| remembered.at);
        if at.is_ok_and(|at| now.since(at) >= KEY_LIFETIME) {
            batch = batch.delete(Keyspace::Idempotency, key);
            expired = expired.saturating_add(1);
        }
    }
    if expired > 0 {
        store.commit(batch).await?;
    }
    Ok(next)
}
