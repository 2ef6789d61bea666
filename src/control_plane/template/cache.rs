//! Compiled templates: what tasks run with, made from what is kept when it is asked for.
//!
//! ```text
//! name --snapshot--> good version --memo--> compiled, verified lately -----------------------------> hit
//!                                  `------> the cache (LRU, TTL) --> compiled, verified lately -----> hit
//!                                                             `----> unpack, verify, type, insert --> miss or expired
//! ```
//!
//! All of it happens on whoever asks, without a lock that others wait for. The cache owns what was compiled; a version's memo
//! only knows where it is, so that a hit touches neither the cache's own structures nor its record of who was asked for, but
//! once in [`TOUCH_EVERY`] times: keeping that record costs more than the look-up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwapWeak;
use moka::notification::RemovalCause;
use tokio::time::Instant;

use crate::domain::clock::Timestamp;
use crate::domain::name::Digest;

use super::good::{Good, Link};
use super::metrics::{self, LookUps};
use super::model::Template;
use super::trust::TrustStore;

/// Among how many hits of all templates one is told to the cache, which keeps what is asked for often. A sample is as good: it
/// is frequencies that are compared.
pub(super) const TOUCH_EVERY: u64 = 16;
/// The cache takes no longer time to live; a verification is never believed that long.
const TTL_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The keys that are trusted at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Authority {
    /// None where signatures are not required.
    pub(super) trust: Option<Arc<TrustStore>>,
    /// Tells these keys from others, so that what was verified against others is not found.
    mark: u64,
}

impl Authority {
    pub(super) fn of(trust: Option<Arc<TrustStore>>) -> Self {
        let mark = trust.as_ref().map_or(0, |trust| trust.mark());
        Self { trust, mark }
    }
}

/// Why a version cannot be activated.
pub(super) enum Unfit {
    /// It is not trusted any more.
    Distrusted(Vec<String>),
    /// It cannot be read.
    Damaged(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    /// A version in force: its content, its signatures, and whom they were verified against.
    InForce { digest: Digest, seal: [u8; 32], mark: u64 },
    /// What a running task began with.
    Pinned(Digest),
}

/// A typed template with its verification.
#[derive(Debug)]
struct Compiled {
    template: Arc<Template>,
    verified: Verification,
    mark: u64,
}

/// A verification that succeeded.
#[derive(Debug, Clone, Copy)]
struct Verification {
    at: Instant,
    /// When the key is not trusted any more.
    until: Option<Timestamp>,
}

/// Where a version's compiled form is, and when it was last verified.
#[derive(Debug)]
pub(super) struct Memo {
    compiled: ArcSwapWeak<Compiled>,
    /// Milliseconds from the cache's beginning to the last verification, and one more; 0 before the first.
    verified_ms: AtomicU64,
}

impl Default for Memo {
    fn default() -> Self {
        Self { compiled: ArcSwapWeak::new(Weak::new()), verified_ms: AtomicU64::new(0) }
    }
}

/// The cache of compiled templates.
pub(super) struct Cache {
    compiled: moka::sync::Cache<Key, Arc<Compiled>>,
    /// Verifications of single files, by file, signature and trusted keys: children share their parents' files.
    verified: moka::sync::Cache<([u8; 32], u64), Verification>,
    believed: Duration,
    began: Instant,
    pub(super) look_ups: LookUps,
}

impl Cache {
    /// A cache that holds this many templates, each verification for so long. Empty, it takes no memory worth telling.
    pub(super) fn new(entries: u64, believed: Duration) -> Self {
        let believed = believed.min(TTL_MAX);
        let removals = metrics::Removals::register();
        let compiled = moka::sync::Cache::builder()
            .max_capacity(entries)
            .time_to_live(believed)
            .eviction_listener(move |_, _, cause| match cause {
                RemovalCause::Expired => removals.expired(),
                RemovalCause::Size => removals.evicted(),
                RemovalCause::Explicit | RemovalCause::Replaced => {}
            })
            .build();
        let verified = moka::sync::Cache::builder().max_capacity(entries).time_to_live(believed).build();
        Self { compiled, verified, believed, began: Instant::now(), look_ups: LookUps::register() }
    }

    /// A version in force, verified lately by the keys of now. Counts the look-up.
    pub(super) fn get(&self, good: &Good, memo: &Memo, authority: &Authority) -> Result<Arc<Template>, Unfit> {
        let key = Key::InForce { digest: good.template.digest, seal: good.seal, mark: authority.mark };
        let remembered = memo.compiled.load().upgrade().filter(|compiled| compiled.mark == authority.mark);
        let known = match remembered {
            Some(compiled) => Some((compiled, true)),
            None => self.compiled.get(&key).map(|compiled| (compiled, false)),
        };
        if let Some((compiled, remembered)) = known.filter(|(compiled, _)| self.is_fresh(&compiled.verified)) {
            let hits = self.look_ups.hit();
            if !remembered {
                memo.compiled.store(Arc::downgrade(&compiled));
            } else if hits.is_multiple_of(TOUCH_EVERY) {
                drop(self.compiled.get(&key));
            }
            return Ok(compiled.template.clone());
        }
        if self.has_expired(memo) {
            self.look_ups.expired()
        } else {
            self.look_ups.miss()
        }
        // INVARIANT I69: nothing is served on a verification that is older than `cache_ttl`, or by keys of before.
        let verified = self.verify(&good.lineage, authority)?;
        let template = Arc::new(good.compile().map_err(Unfit::Damaged)?);
        let compiled = Arc::new(Compiled { template: template.clone(), verified, mark: authority.mark });
        self.compiled.insert(key, compiled.clone());
        memo.compiled.store(Arc::downgrade(&compiled));
        let since = u64::try_from(verified.at.duration_since(self.began).as_millis()).unwrap_or(u64::MAX);
        memo.verified_ms.store(since.saturating_add(1), Ordering::Relaxed);
        Ok(template)
    }

    /// What a running task began with, if it is here. It was verified when it was published, and is not verified again.
    pub(super) fn pinned(&self, digest: Digest, in_force: Option<&Memo>) -> Option<Arc<Template>> {
        let remembered = in_force.and_then(|memo| memo.compiled.load().upgrade());
        let compiled = remembered.filter(|compiled| compiled.template.digest == digest);
        compiled.or_else(|| self.compiled.get(&Key::Pinned(digest))).map(|compiled| compiled.template.clone())
    }

    /// Keeps what a running task began with for the next that began with it.
    pub(super) fn pin(&self, template: &Arc<Template>) {
        let verified = Verification { at: Instant::now(), until: None };
        let compiled = Compiled { template: template.clone(), verified, mark: 0 };
        self.compiled.insert(Key::Pinned(template.digest), Arc::new(compiled));
    }

    /// Lets go of what was verified against other keys. It is not found any more anyway.
    pub(super) fn clear(&self) {
        self.compiled.invalidate_all();
        self.verified.invalidate_all();
    }

    fn is_fresh(&self, verified: &Verification) -> bool {
        verified.at.elapsed() < self.believed && verified.until.is_none_or(|until| Timestamp::now() < until)
    }

    fn has_expired(&self, memo: &Memo) -> bool {
        let verified = memo.verified_ms.load(Ordering::Relaxed).checked_sub(1).map(Duration::from_millis);
        verified.is_some_and(|verified| self.began.elapsed().saturating_sub(verified) >= self.believed)
    }

    /// Verifies what a template was made from; the verification is as old as its oldest part.
    fn verify(&self, lineage: &[Link], authority: &Authority) -> Result<Verification, Unfit> {
        let mut whole = Verification { at: Instant::now(), until: None };
        let Some(trust) = &authority.trust else { return Ok(whole) };
        let mut faults = Vec::new();
        for link in lineage {
            match self.verify_link(link, trust, authority.mark) {
                Ok(part) => {
                    whole.at = whole.at.min(part.at);
                    whole.until = whole.until.into_iter().chain(part.until).min();
                }
                Err(reason) => faults.push(reason),
            }
        }
        if faults.is_empty() { Ok(whole) } else { Err(Unfit::Distrusted(faults)) }
    }

    fn verify_link(&self, link: &Link, trust: &TrustStore, mark: u64) -> Result<Verification, String> {
        let key = (link.seal(), mark);
        if let Some(known) = self.verified.get(&key).filter(|known| self.is_fresh(known)) {
            return Ok(known);
        }
        let verified = Verification { until: link.verify(trust.at(Timestamp::now()))?, at: Instant::now() };
        self.verified.insert(key, verified);
        Ok(verified)
    }

    /// Files whose verification is remembered.
    #[cfg(test)]
    pub(super) fn verifications(&self) -> u64 {
        self.verified.run_pending_tasks();
        self.verified.entry_count()
    }

    /// Does now what the cache puts off.
    #[cfg(test)]
    pub(super) fn settle(&self) -> u64 {
        self.compiled.run_pending_tasks();
        self.compiled.entry_count()
    }
}
