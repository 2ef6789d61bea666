//! The only way in. Cheap to clone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::Semaphore;

use crate::domain::clock::Timestamp;
use crate::domain::name::Digest;
use crate::journal::events::Events;
use crate::protocol::erasure::{Receipt, SignedReceipt};
use crate::store::chain::{FIRST_SEQUENCE, Link32};
use crate::store::{Batch, Keyspace, Link, Store};
use crate::supervision::{Address, ChildSpec};

use super::actor::{Auditor, Start};
use super::checkpoints::Kept;
use super::entry::Entry;
use super::error::Error;
use super::key::{AuditKey, PublicKey, Purpose};
use super::merkle;
use super::message::Message;
use super::receipt;
use super::verify::Verified;

/// The most refusals that wait to become durable. Beyond it the caller is told to come back, so that a flood of refused
/// requests cannot grow memory.
pub const RECORDS_IN_FLIGHT_MAX: usize = 1_024;
/// The most entries that a page holds.
pub const TAIL_ENTRIES_MAX: usize = 1_000;
/// So many entries are followed by a checkpoint, also where its time has not come.
pub const CHECKPOINT_ENTRIES: u64 = 10_000;
/// How long a verification of the whole log may take.
const VERIFIED_WITHIN: Duration = Duration::from_secs(600);
/// How long a checkpoint may take: the first of a log that has none reads all of it.
const CHECKPOINT_WITHIN: Duration = Duration::from_secs(60);

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

/// A checkpoint that is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// When it was made.
    pub at: Timestamp,
    /// Over how many entries.
    pub size: u64,
    /// Their Merkle root, in base64.
    pub root: String,
    /// The signed note.
    pub note: Arc<str>,
}

impl Noted {
    pub(super) fn of(kept: &Kept) -> Self {
        let root = merkle::to_base64(&kept.tree.root());
        Self { at: kept.at, size: kept.tree.size(), root, note: kept.note.as_str().into() }
    }
}

/// Why the log does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The code of `docs/errors.md`.
    pub code: &'static str,
    /// What was found.
    pub reason: String,
}

/// What a log is kept with.
#[derive(Debug, Clone)]
pub struct Means {
    /// Where it is kept.
    pub store: Store,
    /// Where checkpoints and damage are told.
    pub events: Events,
    /// What signs.
    pub key: AuditKey,
    /// How often a checkpoint is made where there are new entries.
    pub checkpoint_every: Duration,
}

/// The audit log.
#[derive(Debug, Clone)]
pub struct Audit {
    address: Address<Message>,
    pub(super) store: Store,
    pub(super) key: AuditKey,
    in_flight: Arc<Semaphore>,
    damage: Arc<ArcSwapOption<Damage>>,
    latest: Arc<ArcSwapOption<Noted>>,
    /// Entries that were made since the daemon started.
    made: Arc<AtomicU64>,
    /// One proof at a time: each reads the whole log.
    pub(super) proving: Arc<Semaphore>,
    /// The policy in force.
    policy: Arc<ArcSwapOption<Digest>>,
}

impl Audit {
    /// Makes the handle and says how its actor is started.
    #[must_use]
    pub fn open(means: Means) -> (Self, ChildSpec) {
        let Means { store, events, key, checkpoint_every: every } = means;
        let address = Address::new("audit");
        let (damage, latest) = (Arc::new(ArcSwapOption::empty()), Arc::new(ArcSwapOption::empty()));
        let (key_too, store_too) = (key.clone(), store.clone());
        let start = Start { store, events, key, every, damage: damage.clone(), latest: latest.clone() };
        let spec = ChildSpec::worker(&address, move || (Auditor, start.clone()));
        let audit = Self {
            address,
            store: store_too,
            key: key_too,
            in_flight: Arc::new(Semaphore::new(RECORDS_IN_FLIGHT_MAX)),
            damage,
            latest,
            made: Arc::default(),
            proving: Arc::new(Semaphore::new(1)),
            policy: Arc::default(),
        };
        (audit, spec)
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
        let made = self.made.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if made.is_multiple_of(CHECKPOINT_ENTRIES) {
            self.sign_soon();
        }
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

    /// The last `limit` entries, oldest first, as [`Audit::tail`].
    ///
    /// # Errors
    /// As [`Audit::tail`].
    pub async fn newest(&self, limit: usize) -> Result<Vec<Recorded>, Error> {
        let limit = limit.min(TAIL_ENTRIES_MAX);
        let (last, _) = self.head().await?;
        self.tail(last.saturating_sub(u64::try_from(limit).unwrap_or(u64::MAX)), limit).await
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

    /// Has a checkpoint made where there are new entries, before its time; nobody waits for it.
    pub fn sign_soon(&self) {
        if self.address.cast(Message::Due).is_err() {
            tracing::debug!("the audit log's actor is away; it signs when it is back");
        }
    }

    /// A checkpoint over all entries that are durable now, made if there is none yet.
    ///
    /// # Errors
    /// The log does not hold, so that nothing is signed any more; or the store failed.
    pub async fn checkpoint(&self) -> Result<Arc<Noted>, Error> {
        self.address.call(CHECKPOINT_WITHIN, |reply| Message::Checkpoint { reply }).await?
    }

    /// The last checkpoint that is known.
    #[must_use]
    pub fn latest(&self) -> Option<Arc<Noted>> {
        self.latest.load_full()
    }

    /// What was found damaged since the daemon started. For the daemon's health.
    #[must_use]
    pub fn damage(&self) -> Option<Arc<Damage>> {
        self.damage.load_full()
    }

    /// The key that whoever verifies is given.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.key.public()
    }

    /// Signs the receipt of an erasure; [`verify_receipt`](super::verify_receipt) verifies it.
    #[must_use]
    pub fn sign_erasure(&self, receipt: Receipt) -> SignedReceipt {
        let signature = self.key.sign(Purpose::Receipt, &receipt::signed_bytes(&receipt)).to_string();
        SignedReceipt { receipt, signature }
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
    /// A log with a key of its own that signs nothing unless asked, for the tests of rooms above.
    #[must_use]
    pub fn start(store: Store, events: Events) -> (Self, ChildSpec) {
        let checkpoint_every = Duration::from_secs(24 * 60 * 60);
        Self::open(Means { store, events, key: AuditKey::from_seed([7; 32]), checkpoint_every })
    }

    pub(super) fn address(&self) -> &Address<Message> {
        &self.address
    }

    pub(super) fn cells(&self) -> (Arc<ArcSwapOption<Damage>>, Arc<ArcSwapOption<Noted>>) {
        (self.damage.clone(), self.latest.clone())
    }

    pub(super) fn in_flight(&self) -> &Semaphore {
        &self.in_flight
    }
}
