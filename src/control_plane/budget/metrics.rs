//! What dashboards know of budgets. Names and help are registered by `telemetry` when the daemon starts.
//!
//! What is left of a scope is a series of its own from the moment its limit and its spending are known. A scope without a limit
//! has none: there is no number for it, neither zero nor infinity. Until the first limit, the family shows `telemetry`'s
//! placeholder, without a scope and at zero. A series cannot be taken back: it shows NaN once its scope has lost its limit.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use metrics::{Counter, Gauge, counter, gauge};

use crate::domain::budget::Scope;
use crate::domain::clock::Timestamp;
use crate::domain::money::Usd;
use crate::telemetry::names::{
    BUDGET_OLDEST_RESERVATION_TIMESTAMP_SECONDS, BUDGET_REFUSALS_TOTAL, BUDGET_REMAINING_USD, BUDGET_RESERVATIONS,
};

/// The most scopes that ever get a series while the daemon runs. Limits come and go, series stay.
pub(super) const SERIES_MAX: usize = super::state::LIMITS_MAX;

/// Handles that are looked up once. They outlive the ledger's incarnations, as the series do.
pub(super) struct Metrics {
    refusals: Counter,
    reservations: Gauge,
    oldest: Gauge,
    /// Only the present incarnation takes the lock.
    remaining: Mutex<HashMap<Scope, Gauge>>,
}

impl Metrics {
    pub(super) fn new() -> Self {
        Self {
            refusals: counter!(BUDGET_REFUSALS_TOTAL),
            reservations: gauge!(BUDGET_RESERVATIONS),
            oldest: gauge!(BUDGET_OLDEST_RESERVATION_TIMESTAMP_SECONDS),
            remaining: Mutex::default(),
        }
    }

    pub(super) fn refused(&self) {
        self.refusals.increment(1);
    }

    /// Shows how many reservations are open, and since when the oldest is; zero where none is.
    #[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 52 bits")]
    pub(super) fn open(&self, count: usize, oldest: Option<Timestamp>) {
        self.reservations.set(count as f64);
        self.oldest.set(oldest.map_or(0.0, |since| since.micros() as f64 / 1e6));
    }

    /// Shows what is left of a scope with a limit.
    pub(super) fn remains(&self, scope: &Scope, amount: Usd) {
        let mut known = self.remaining.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gauge) = known.get(scope) {
            gauge.set(amount.as_f64());
        } else if known.len() < SERIES_MAX {
            let gauge = gauge!(BUDGET_REMAINING_USD, "scope" => scope.to_string());
            gauge.set(amount.as_f64());
            known.insert(scope.clone(), gauge);
            if known.len() == SERIES_MAX {
                tracing::warn!(
                    most = SERIES_MAX,
                    "no more scopes show what is left of their limits until the daemon restarts"
                );
            }
        }
    }

    /// Shows that a scope has no limit any more, if it was shown that it had one.
    pub(super) fn unlimited(&self, scope: &Scope) {
        let known = self.remaining.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gauge) = known.get(scope) {
            gauge.set(f64::NAN);
        }
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    /// What a scrape shows after `body`.
    fn scraped(body: impl FnOnce(&Metrics)) -> String {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || body(&Metrics::new()));
        recorder.handle().render()
    }

    #[test]
    fn a_scope_is_shown_only_once_it_has_a_limit() {
        let text = scraped(|metrics| metrics.unlimited(&Scope::Global));
        assert!(!text.contains(BUDGET_REMAINING_USD), "{text}");
        let text = scraped(|metrics| metrics.remains(&Scope::Global, Usd::from_nanos(1_500_000_000)));
        assert!(text.contains("factory_budget_remaining_usd{scope=\"global\"} 1.5\n"), "{text}");
        let text = scraped(|metrics| {
            metrics.remains(&Scope::Global, Usd::ZERO);
            metrics.unlimited(&Scope::Global);
        });
        assert!(text.contains("factory_budget_remaining_usd{scope=\"global\"} NaN\n"), "{text}");
    }

    #[test]
    fn series_are_bounded_however_many_scopes_had_a_limit() {
        let text = scraped(|metrics| {
            for number in 0..SERIES_MAX + 10 {
                let scope = format!("user:u{number}").parse().expect("a scope");
                metrics.remains(&scope, Usd::ZERO);
                metrics.unlimited(&scope);
            }
        });
        assert_eq!(text.matches("factory_budget_remaining_usd{").count(), SERIES_MAX);
    }
}
