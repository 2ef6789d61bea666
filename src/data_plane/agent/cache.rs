//! Answers that were given before. A step of a template with `cache` that asks exactly what another step of its tenant asked is
//! answered without a call.
//!
//! ```text
//! tenant, rules in force, template's digest, model, protection, conversation ─ SHA-256 ─> Key ─┬─ hit ──> the step's result, at no cost
//!                                                                              └─ miss ─> call ─ whole and fit ─> kept for `ttl`
//! ```
//!
//! It is in memory alone, and shared by all agents. What is asked passes the outbound filter before it is looked up, as before
//! every call; what is kept is what the inbound filter let through for that tenant.
//!
//! INVARIANTS
//! - The tenant is in the key beside the digest: no answer is ever told to another tenant.
//! - So are the DLP rules in force: an answer that was let through under other rules is not told, and one during which they changed
//!   is not kept.
//! - Only an answer that ended by itself is kept: none that failed, was cut off, reached its limit, or was kept back by a filter.
//! - What continues an answer that broke off is neither looked up nor kept.

use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use moka::Expiry;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::prompt::Draft;
use crate::control_plane::admission::WorkOrder;
use crate::data_plane::dlp::Taken;
use crate::data_plane::provider::{Stop, ToolCall};
use crate::domain::name::{ModelRef, Tenant};
use crate::domain::owner::Selector;
use crate::domain::private::Text;
use crate::domain::protection::{Protection, Rules};
use crate::telemetry::names::RESULT_CACHE_REQUESTS_TOTAL;

/// What an answer counts beside its texts, in bytes. So the cache's size bounds its entries too: 1,024 for each MiB.
pub const ENTRY_BYTES: usize = 1_024;
/// What the digest begins with, so that a later form of it never meets this one.
const DOMAIN: &[u8] = b"agent-factory/result/v1\n";

/// The answers; cheap to clone.
#[derive(Debug, Clone)]
pub struct ResultCache(moka::sync::Cache<Key, Arc<Kept>>);

/// What was asked, and whose.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    tenant: Tenant,
    /// The file of DLP rules in force when it was asked; none where the shipped rules are used as they are.
    rules: Option<Taken>,
    digest: [u8; 32],
}

/// An answer, its personal data restored.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) output: Text,
    pub(super) calls: Vec<ToolCall>,
    pub(super) notes: Vec<(String, String)>,
    ttl: Duration,
    until: Instant,
}

/// What the cache has to do with a call.
#[derive(Debug)]
pub(super) enum Recall {
    /// Nothing: the template asks for none, or the call goes on with an answer that broke off.
    Off,
    /// Its answer is to be kept.
    Miss(Key, Duration),
    /// There is an answer.
    Hit(Arc<Kept>),
}

impl ResultCache {
    /// A cache that takes so many bytes.
    #[must_use]
    pub fn new(bytes_max: u64) -> Self {
        let cache = moka::sync::Cache::builder()
            .max_capacity(bytes_max)
            .weigher(|_: &Key, kept: &Arc<Kept>| u32::try_from(kept.bytes()).unwrap_or(u32::MAX))
            .expire_after(Lives)
            .support_invalidation_closures()
            .build();
        Self(cache)
    }

    /// What is known of a call; `rules` is the file of DLP rules in force before any of its texts is filtered.
    pub(super) fn recall(
        &self,
        order: &WorkOrder,
        rules: Option<&Taken>,
        protection: &Protection,
        model: &ModelRef,
        draft: &Draft,
    ) -> Recall {
        let Some(ttl) = order.template().cache.filter(|_| !draft.goes_on()) else { return Recall::Off };
        let (tenant, digest) = (order.order().tenant.clone(), digest(order, protection, model, draft));
        let key = Key { tenant, rules: rules.cloned(), digest };
        match self.0.get(&key).filter(|kept| Instant::now() < kept.until) {
            Some(kept) => Recall::Hit(kept),
            None => Recall::Miss(key, ttl),
        }
    }

    /// Keeps an answer that was whole, where the call's is to be kept; `rules` is the file of DLP rules in force after the answer
    /// was filtered.
    pub(super) fn keep(
        &self,
        recall: &Recall,
        rules: Option<&Taken>,
        stop: Stop,
        output: &Text,
        calls: &[ToolCall],
        notes: &[(String, String)],
    ) {
        let Recall::Miss(key, ttl) = recall else { return };
        if key.rules.as_ref() != rules {
            return;
        }
        match stop {
            Stop::End | Stop::Sequence | Stop::Calls => {}
            Stop::Length | Stop::Filtered | Stop::Other => return,
        }
        let Some(until) = Instant::now().checked_add(*ttl) else { return };
        let kept = Kept { output: output.clone(), calls: calls.to_vec(), notes: notes.to_vec(), ttl: *ttl, until };
        self.0.insert(key.clone(), Arc::new(kept));
    }

    /// Forgets everything that was kept of somebody until now. Which user was given an answer is not known: all of the tenant's go,
    /// and where no tenant is named, all. What running tasks are told afterwards is kept again.
    pub fn forget(&self, whose: &Selector) {
        let Some(tenant) = whose.tenant().cloned() else { return self.0.invalidate_all() };
        let forgotten = self.0.invalidate_entries_if(move |key, _| key.tenant == tenant);
        debug_assert!(forgotten.is_ok(), "the cache was built for it");
    }
}

impl Recall {
    /// Counts a call that is made, or spared.
    pub(super) fn count(&self) {
        let outcome = match self {
            Self::Off => return,
            Self::Miss(..) => "miss",
            Self::Hit(_) => "hit",
        };
        counter!(RESULT_CACHE_REQUESTS_TOTAL, "outcome" => outcome).increment(1);
    }
}

impl Kept {
    fn bytes(&self) -> usize {
        let calls = self.calls.iter().map(|call| [call.id.len(), call.name.len(), call.arguments.len()]);
        let notes = self.notes.iter().map(|(name, value)| [name.len(), value.len(), 0]);
        let sizes = calls.chain(notes).flatten().chain([self.output.len(), ENTRY_BYTES]);
        sizes.fold(0, usize::saturating_add)
    }
}

/// Each answer lives as long as its template says.
struct Lives;

impl Expiry<Key, Arc<Kept>> for Lives {
    fn expire_after_create(&self, _: &Key, kept: &Arc<Kept>, _: std::time::Instant) -> Option<Duration> {
        Some(kept.ttl)
    }

    fn expire_after_update(
        &self,
        _: &Key,
        kept: &Arc<Kept>,
        _: std::time::Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(kept.ttl)
    }
}

/// Everything that decides an answer. Each part has its length before it, so that no two questions are one.
fn digest(order: &WorkOrder, protection: &Protection, model: &ModelRef, draft: &Draft) -> [u8; 32] {
    let model = model.to_string();
    let words = |rules: &Rules| {
        rules.iter().flat_map(|(subject, action)| [subject.as_str(), action.as_str()]).collect::<Vec<_>>().join(" ")
    };
    let (outbound, inbound) = (words(&protection.outbound), words(&protection.inbound));
    let parts: [&[u8]; 6] = [
        order.order().tenant.as_str().as_bytes(),
        order.template().digest.as_bytes(),
        model.as_bytes(),
        outbound.as_bytes(),
        inbound.as_bytes(),
        &draft.encoded(),
    ];
    let mut hash = Sha256::new_with_prefix(DOMAIN);
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
