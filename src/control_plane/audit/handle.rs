//! The only way in. Cheap to clone.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::Semaphore;

use crate::domain::name::Digest;
use crate::journal::events::Events;
use crate::store::chain::{FIRST_SEQUENCE, Link32};
use crate::store::{Batch, Keyspace, Link, Store};
use crate::supervision::{Address, ChildSpec};

use super::actor::{Auditor, Start};
use super::entry::Entry;
use super::error::Error;
use super::message::Message;
use super::verify::Verified;

/// The most refusals that wait to become durable. Beyond it the caller is told to come back, so that a flood of refused
/// requests cannot grow memory.
pub const RECORDS_IN_FLIGHT_MAX: usize = 1_024;
/// The most entries that a page holds.
pub const TAIL_ENTRIES_MAX: usize = 1_000;
/// How long a verification of the whole log may take.
const VERIFIED_WITHIN: Duration = Duration::from_secs(600);

/// An entry in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its place, from 1.
    pub sequence: u64,
    /// The entry.
    pub entry: Entry,
    /// The link that binds it to all before it.
    pub link: Link32,
}

/// The audit log.
#[derive(Debug, Clone)]
pub struct Audit {
    address: Address<Message>,
    store: Store,
    in_flight: Arc<Semaphore>,
    damage: Arc<ArcSwapOption<String>>,
    /// The policy in force.
    policy: Arc<ArcSwapOption<Digest>>,
}

impl Audit {
    /// Makes the handle and says how its actor is started.
    #[must_use]
    pub fn start(store: Store, events: Events) -> (Self, ChildSpec) {
        let address = Address::new("audit");
        let damage = Arc::new(ArcSwapOption::empty());
        let start = Start { store: store.clone(), events, damage: damage.clone() };
        let spec = ChildSpec::worker(&address, move || (Auditor, start.clone()));
        let in_flight = Arc::new(Semaphore::new(RECORDS_IN_FLIGHT_MAX));
        (Self { address, store, in_flight, damage, policy: Arc::default() }, spec)
    }

    /// From now on entries are made under this policy.
    pub fn decide_under(&self, policy: Digest) {
        self.policy.store(Some(Arc::new(policy)));
    }

    /// The change that appends an entry to the log. Commit it together with what was decided.
    // INVARIANT I67: no entry becomes a batch without a policy, so that every entry names the one in force.
    #[must_use]
    pub fn batch(&self, entry: Entry) -> Batch {
        let policy = entry.policy.or_else(|| self.policy.load().as_deref().copied());
        Entry { policy, ..entry }.into_batch()
    }

    /// Records a decision that changes nothing else: a refusal. It is durable when this returns. What does change something
    /// commits [`Audit::batch`] together with its change instead.
    ///
    /// # Errors
    /// [`Error::Busy`], or the store failed; the decision must not be told as if it were on record.
    pub async fn record(&self, entry: Entry) -> Result<(), Error> {
        let _place = self.in_flight.try_acquire().map_err(|_| Error::Busy)?;
        let _position = self.store.commit(self.batch(entry)).await?;
        Ok(())
    }

    /// Up to `limit` entries after sequence number `after`, oldest first. A page ends before an entry that cannot be read; the
    /// page that would begin with it is the error.
    ///
    /// # Errors
    /// The first entry of the page cannot be read, or the store failed.
    pub async fn tail(&self, after: u64, limit: usize) -> Result<Vec<Recorded>, Error> {
        let limit = limit.min(TAIL_ENTRIES_MAX);
        self.store.read(move |store| Ok(page(store, after.saturating_add(1), limit))).await?
    }

    /// The sequence number of the last entry and its link; 0 for an empty log.
    ///
    /// # Errors
    /// The store failed or the last entry is damaged.
    pub async fn head(&self) -> Result<(u64, Link32), Error> {
        let (next, link) = self.store.read(|store| store.chain_head(Keyspace::Audit)).await?;
        Ok((next.saturating_sub(FIRST_SEQUENCE), link))
    }

    /// Verifies the whole log, link by link.
    ///
    /// # Errors
    /// Where it does not hold, or why that cannot be said.
    pub async fn verify(&self) -> Result<Verified, Error> {
        self.address.call(VERIFIED_WITHIN, |reply| Message::Verify { reply }).await?
    }

    /// What a verification found damaged since the daemon started. For the daemon's health.
    #[must_use]
    pub fn damage(&self) -> Option<Arc<String>> {
        self.damage.load_full()
    }
}

fn page(store: &Store, from: u64, limit: usize) -> Result<Vec<Recorded>, Error> {
    if let Ok(links) = store.chain_range(Keyspace::Audit, from, limit) {
        return readable(links);
    }
    let mut links = Vec::new();
    for sequence in (from..).take(limit) {
        match store.chain_range(Keyspace::Audit, sequence, 1) {
            Ok(one) if one.is_empty() => break,
            Ok(one) => links.extend(one),
            Err(fault) if links.is_empty() => return Err(fault.into()),
            Err(_) => break,
        }
    }
    readable(links)
}

fn readable(links: Vec<Link>) -> Result<Vec<Recorded>, Error> {
    let mut recorded = Vec::with_capacity(links.len());
    for Link { sequence, record, link } in links {
        match Entry::decode(&record) {
            Ok(entry) => recorded.push(Recorded { sequence, entry, link }),
            Err(reason) if recorded.is_empty() => return Err(Error::Unreadable { sequence, reason }),
            Err(_) => break,
        }
    }
    Ok(recorded)
}

#[cfg(test)]
impl Audit {
    pub(super) fn address(&self) -> &Address<Message> {
        &self.address
    }

    pub(super) fn damage_cell(&self) -> Arc<ArcSwapOption<String>> {
        self.damage.clone()
    }

    pub(super) fn in_flight(&self) -> &Semaphore {
        &self.in_flight
    }
}
