//! What is counted here. Every name is registered when the room is built, so that dashboards find it at zero; the recorder must
//! be installed before.

use std::sync::atomic::{AtomicU64, Ordering};

use std::time::Instant;

use metrics::{Counter, counter, describe_counter, describe_gauge, gauge, histogram};

use crate::domain::clock::Timestamp;
use crate::telemetry::names;

use super::trust::fault::Fault;
use super::trust::signature::Algorithm;
use super::trust::{KeyStatus, TrustStore};

const LOADS: &str = "factory_template_loads_total";
const SIGNATURE_FAILURES: &str = "factory_template_signature_failures_total";
const SWEEPS: &str = "factory_template_sweeps_total";
const KEYS: &str = "factory_template_keys";
const REVOCATIONS_VERSION: &str = "factory_template_revocations_version";
const CACHE_REQUESTS: &str = "factory_template_cache_requests_total";
const CACHE_EXPIRIES: &str = names::TEMPLATE_CACHE_EXPIRIES_TOTAL;
const CACHE_EVICTIONS: &str = names::TEMPLATE_CACHE_EVICTIONS_TOTAL;

const QUIET: &str = "quiet";
const FOUND: &str = "found";

/// What came of looking at a template file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Load {
    Published,
    Refused,
    Withdrawn,
}

impl Load {
    fn outcome(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// Registers every name of the room.
pub(super) fn register() {
    describe_counter!(LOADS, "Template files looked at, by what came of it.");
    describe_counter!(SIGNATURE_FAILURES, "Templates refused for their signature, by reason.");
    describe_counter!(SWEEPS, "Sweeps of the template directories: quiet, or found changes that no event had told.");
    describe_counter!(
        CACHE_REQUESTS,
        "Template look-ups: hit, miss, or expired (verified again before it was served)."
    );
    describe_counter!(CACHE_EXPIRIES, "Compiled templates that left the cache because their verification was too old.");
    describe_counter!(CACHE_EVICTIONS, "Compiled templates that left the cache because it was full.");
    describe_gauge!(
        KEYS,
        "Keys for templates, by how they stand: trusted, expired, not_yet_valid, revoked, not_listed."
    );
    describe_gauge!(REVOCATIONS_VERSION, "Version of the list of revoked keys in force; 0 before the first.");
    for standing in KeyStatus::ALL {
        gauge!(KEYS, "status" => standing.as_str()).increment(0.0);
    }
    gauge!(REVOCATIONS_VERSION).increment(0.0);
    for load in [Load::Published, Load::Refused, Load::Withdrawn] {
        counter!(LOADS, "outcome" => load.outcome()).increment(0);
    }
    for outcome in [QUIET, FOUND] {
        counter!(SWEEPS, "outcome" => outcome).increment(0);
    }
    for reason in Fault::REASONS {
        counter!(SIGNATURE_FAILURES, "reason" => reason).increment(0);
    }
}

pub(super) fn loaded(load: Load) {
    counter!(LOADS, "outcome" => load.outcome()).increment(1);
}

/// Counts a sweep by the templates that it found changed.
pub(super) fn swept(found: usize) {
    counter!(SWEEPS, "outcome" => if found == 0 { QUIET } else { FOUND }).increment(1);
}

/// Tells how the keys stand.
#[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 52 bits")]
pub(super) fn trusted(trust: &TrustStore, now: Timestamp) {
    for standing in KeyStatus::ALL {
        let count = trust.views(now).filter(|key| key.standing == standing).count();
        gauge!(KEYS, "status" => standing.as_str()).set(count as f64);
    }
    gauge!(REVOCATIONS_VERSION).set(trust.revocations().map_or(0, |list| list.version()) as f64);
}

pub(super) fn signature_failed(fault: &Fault) {
    counter!(SIGNATURE_FAILURES, "reason" => fault.reason()).increment(1);
}

/// Times a verification, also one that fails.
pub(super) fn verified<T>(algorithm: Algorithm, verify: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let outcome = verify();
    let seconds = began.elapsed().as_secs_f64();
    histogram!(names::TEMPLATE_VERIFICATION_SECONDS, "algorithm" => algorithm.as_str()).record(seconds);
    outcome
}

/// What leaves the cache, counted without looking up the counters.
pub(super) struct Removals {
    expired: Counter,
    evicted: Counter,
}

impl Removals {
    pub(super) fn register() -> Self {
        Self { expired: counter!(CACHE_EXPIRIES), evicted: counter!(CACHE_EVICTIONS) }
    }

    pub(super) fn expired(&self) {
        self.expired.increment(1);
    }

    pub(super) fn evicted(&self) {
        self.evicted.increment(1);
    }
}

/// Look-ups, counted without looking up the counters.
pub(super) struct LookUps {
    hits: AtomicU64,
    others: AtomicU64,
    hit: Counter,
    miss: Counter,
    expired: Counter,
}

impl LookUps {
    pub(super) fn register() -> Self {
        Self {
            hits: AtomicU64::new(0),
            others: AtomicU64::new(0),
            hit: counter!(CACHE_REQUESTS, "outcome" => "hit"),
            miss: counter!(CACHE_REQUESTS, "outcome" => "miss"),
            expired: counter!(CACHE_REQUESTS, "outcome" => "expired"),
        }
    }

    /// Counts a hit; returns how many there were before.
    pub(super) fn hit(&self) -> u64 {
        self.hit.increment(1);
        self.hits.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn miss(&self) {
        self.others.fetch_add(1, Ordering::Relaxed);
        self.miss.increment(1);
    }

    pub(super) fn expired(&self) {
        self.others.fetch_add(1, Ordering::Relaxed);
        self.expired.increment(1);
    }

    /// Hits among all look-ups, from 0 to 1; 1 before the first.
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
    pub(super) fn hit_rate(&self) -> f64 {
        let (hits, others) = (self.hits.load(Ordering::Relaxed), self.others.load(Ordering::Relaxed));
        let all = hits.saturating_add(others);
        if all == 0 { 1.0 } else { hits as f64 / all as f64 }
    }
}
