//! The only way in. Cheap to clone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::actor::{Eraser, Message};
use super::error::Error;
use super::record::Stored;
use crate::control_plane::access::Principal;
use crate::control_plane::admission::Admission;
use crate::control_plane::audit::{Audit, Entry};
use crate::data_plane::agent::cache::ResultCache;
use crate::data_plane::factory::Factory;
use crate::data_plane::orchestrator::Orchestrator;
use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure as _;
use crate::domain::id::ErasureId;
use crate::domain::owner::Selector;
use crate::journal::Journal;
use crate::journal::erasing::{Deleted, Tally};
use crate::protocol::erasure::{self as wire, Erasure};
use crate::store::reencryption::OwnerOf;
use crate::store::{self, Direction, Keyspace, Store};
use crate::supervision::{Address, ChildSpec};

/// The most erasures that may be unfinished.
pub const UNFINISHED_MAX: usize = 64;
/// How long what was admitted before may take to become durable.
const SETTLED_WITHIN: Duration = Duration::from_secs(30);
/// Erasures that are read together.
const READ_AT_ONCE: usize = 256;

/// What an erasure needs.
#[derive(Clone)]
pub struct Means {
    /// Where everything is.
    pub journal: Journal,
    /// Who signs, and keeps who asked.
    pub audit: Audit,
    /// Who lets nothing more in.
    pub admission: Admission,
    /// Who ends tasks.
    pub orchestrator: Orchestrator,
    /// Who has agents leave memory.
    pub factory: Factory,
    /// Answers that were given before.
    pub results: ResultCache,
    /// Tells whose a record is.
    pub owner_of: OwnerOf,
}

/// Erases what belongs to somebody.
#[derive(Clone)]
pub struct Erasures(Arc<Inner>);

struct Inner {
    means: Means,
    address: Address<Message>,
    /// Those without a receipt, and the code of why the last attempt at each failed. What else is known of them the store knows alone.
    unfinished: Mutex<BTreeMap<ErasureId, Option<&'static str>>>,
}

impl Erasures {
    /// Finds what is unfinished, closes admission to whom it concerns, and says how the actor is started that goes on with it. An
    /// erasure that cannot be read is told loudly; the rest goes on.
    ///
    /// # Errors
    /// The store failed.
    pub async fn open(means: Means) -> Result<(Self, ChildSpec), Error> {
        let found = means.journal.store().read(|store| Ok(unfinished(store))).await??;
        for whose in found.values().filter_map(Stored::whose) {
            means.admission.closed().close(whose);
        }
        if !found.is_empty() {
            tracing::info!(unfinished = found.len(), "erasures that were begun before go on");
        }
        let address = Address::new("erasures");
        let unfinished = found.into_keys().map(|id| (id, None)).collect();
        let inner = Inner { means, address: address.clone(), unfinished: Mutex::new(unfinished) };
        let erasures = Self(Arc::new(inner));
        let start = erasures.clone();
        Ok((erasures, ChildSpec::worker(&address, move || (Eraser, start.clone()))))
    }

    pub(super) fn means(&self) -> &Means {
        &self.0.means
    }

    fn unfinished(&self) -> MutexGuard<'_, BTreeMap<ErasureId, Option<&'static str>>> {
        self.0.unfinished.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to erase what belongs to somebody. When this returns, that it will be is durable and in the audit log, and no work of
    /// theirs is admitted.
    ///
    /// # Errors
    /// Why not: nothing has changed then.
    pub async fn begin(&self, principal: &Principal, whose: Selector, at: Timestamp) -> Result<Erasure, Error> {
        let (erasures, principal) = (self.clone(), principal.clone());
        // Detached, so that a caller who goes away leaves admission neither closed for ever nor open too early.
        let begun = tokio::spawn(async move {
            erasures.means().admission.closed().close(whose.clone());
            let begun = erasures.begin_closed(&principal, &whose, at).await;
            if begun.is_err() {
                erasures.means().admission.closed().open(&whose);
            }
            begun
        });
        begun.await.map_err(|_| Error::Interrupted)?
    }

    async fn begin_closed(&self, principal: &Principal, whose: &Selector, at: Timestamp) -> Result<Erasure, Error> {
        let Means { journal, audit, admission, .. } = self.means();
        if self.unfinished().len() >= UNFINISHED_MAX {
            return Err(Error::Full(UNFINISHED_MAX));
        }
        let settled = admission.closed().settled(whose);
        tokio::time::timeout(SETTLED_WITHIN, settled).await.map_err(|_| Error::Unsettled)?;
        let (last, _) = audit.head().await?;
        let stored = Stored {
            id: ErasureId::generate(),
            tenant: whose.tenant().cloned(),
            user: whose.user().cloned(),
            by: principal.name.to_string(),
            at,
            audit_from: last.saturating_add(1),
            key_ids: Vec::new(),
            receipt: None,
        };
        let entry = Entry::allowed(at, principal.into(), "erase_data").on(scope(whose)).because(stored.id);
        journal.store().commit(stored.put().and(audit.batch(entry))).await?;
        self.unfinished().insert(stored.id, None);
        if self.0.address.cast(Message::Work).is_err() {
            tracing::debug!("the actor of erasures is away; it begins when it is back");
        }
        Ok(told(&stored, Deleted::default(), None))
    }

    /// One erasure as it is now.
    ///
    /// # Errors
    /// The store failed.
    pub async fn find(&self, id: ErasureId) -> Result<Option<Erasure>, Error> {
        let read = move |store: &Store| store.find(Keyspace::Erasure, id.as_bytes());
        match self.means().journal.store().read(read).await? {
            Some(record) => Ok(Some(self.tell(Stored::read(&record)?).await?)),
            None => Ok(None),
        }
    }

    /// Up to `limit` erasures, the newest first, beyond `after`; and where to go on, if there is more.
    ///
    /// # Errors
    /// The store failed.
    pub async fn list(
        &self,
        after: Option<ErasureId>,
        limit: usize,
    ) -> Result<(Vec<Erasure>, Option<ErasureId>), Error> {
        let read = move |store: &Store| {
            let after = after.map(|after| *after.as_bytes());
            let after = after.as_ref().map(<[u8; 16]>::as_slice);
            store.range(Keyspace::Erasure, &[], after, Direction::Descending, limit.saturating_add(1))
        };
        let found = self.means().journal.store().read(read).await?;
        let more = found.len() > limit;
        let mut erasures = Vec::new();
        let mut last = None;
        for (_, record) in found.iter().take(limit) {
            let stored = Stored::read(record)?;
            last = Some(stored.id);
            erasures.push(self.tell(stored).await?);
        }
        Ok((erasures, last.filter(|_| more)))
    }

    async fn tell(&self, stored: Stored) -> Result<Erasure, Error> {
        let deleted = self.means().journal.deleted(Tally(stored.id)).await?;
        let failed = self.unfinished().get(&stored.id).copied().flatten();
        Ok(told(&stored, deleted, failed))
    }

    /// Tries each of those that are unfinished once; says whether something is left.
    ///
    /// INVARIANT: one that cannot be finished holds up none of the others.
    pub(super) async fn carry_out(&self) -> bool {
        let mut tried = BTreeSet::new();
        loop {
            let next = self.unfinished().keys().find(|id| !tried.contains(*id)).copied();
            let Some(id) = next else { return !self.unfinished().is_empty() };
            tried.insert(id);
            match self.attempt(id).await {
                Ok(()) => drop(self.unfinished().remove(&id)),
                Err(error) => {
                    tracing::warn!(erasure = %id, %error, code = error.code(), "an erasure is unfinished; it is tried again");
                    self.unfinished().insert(id, Some(error.code()));
                }
            }
        }
    }

    /// INVARIANT: each attempt begins with what is durable, so that what an earlier one noted is in the receipt.
    async fn attempt(&self, id: ErasureId) -> Result<(), Error> {
        let read = move |store: &Store| store.find(Keyspace::Erasure, id.as_bytes());
        let record = self.means().journal.store().read(read).await?;
        let missing = || store::Error::Read(format!("the record of {id} is not there"));
        let stored = Stored::read(&record.ok_or_else(missing)?)?;
        if stored.receipt.is_none() {
            return self.erase(stored).await;
        }
        // The receipt is durable, and whoever waited for that was cut off.
        if let Some(whose) = stored.whose() {
            self.means().admission.closed().open(&whose);
        }
        Ok(())
    }
}

/// Whose data, as the audit log says it: `tenant:acme`, `user:ann`, `tenant:acme user:ann`.
#[must_use]
pub fn scope(whose: &Selector) -> String {
    let tenant = whose.tenant().map(|tenant| format!("tenant:{tenant}"));
    let user = whose.user().map(|user| format!("user:{user}"));
    tenant.into_iter().chain(user).collect::<Vec<_>>().join(" ")
}

fn unfinished(store: &Store) -> Result<BTreeMap<ErasureId, Stored>, Error> {
    let (mut found, mut after) = (BTreeMap::new(), None::<Vec<u8>>);
    loop {
        let page = store.survey(Keyspace::Erasure, &[], after.as_deref(), Direction::Ascending, READ_AT_ONCE)?;
        let Some((last, _)) = page.last() else { return Ok(found) };
        after = Some(last.clone());
        for (key, record) in page {
            match record.map_err(Error::from).and_then(|record| Ok(Stored::read(&record)?)) {
                Ok(stored) if stored.receipt.is_none() => drop(found.insert(stored.id, stored)),
                Ok(_) => {}
                Err(error) => {
                    let key = hex::encode(key);
                    tracing::error!(key, %error, "an erasure cannot be read: if it is unfinished, ask for it again");
                }
            }
        }
    }
}

fn told(stored: &Stored, deleted: Deleted, failed: Option<&str>) -> Erasure {
    let receipt = stored.signed();
    Erasure {
        erasure_id: stored.id.to_string(),
        state: if stored.receipt.is_some() { "done" } else { "running" }.to_owned(),
        tenant: stored.tenant.as_ref().map(ToString::to_string),
        user: stored.user.as_ref().map(ToString::to_string),
        asked_by: stored.by.clone(),
        asked_at: stored.at.to_string(),
        deleted: counted(deleted),
        last_error: failed.filter(|_| stored.receipt.is_none()).map(str::to_owned),
        receipt,
    }
}

pub(super) fn counted(deleted: Deleted) -> wire::Deleted {
    let Deleted { tasks, records, agents, memory, hooks, idempotency_keys, remnants } = deleted;
    wire::Deleted { tasks, records, agents, memory, hooks, idempotency_keys, remnants }
}
