//! What dashboards know of budgets.

use std::collections::HashMap;

use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

use crate::domain::budget::Scope;
use crate::domain::money::Usd;

const REMAINING: &str = "factory_budget_remaining_usd";
const REFUSALS: &str = "factory_budget_refusals_total";

/// Handles that are looked up once.
pub(super) struct Metrics {
    refusals: Counter,
    remaining: HashMap<Scope, Gauge>,
}

impl Metrics {
    pub(super) fn new() -> Self {
        describe_gauge!(
            REMAINING,
            Unit::Count,
            "What may still be reserved in the current window, in USD, by scope with a limit."
        );
        describe_counter!(REFUSALS, Unit::Count, "Reservations that a limit did not allow.");
        let refusals = counter!(REFUSALS);
        refusals.absolute(0);
        // A limit on everything shows what is left of it; without one, what is left has no bound.
        let global = gauge!(REMAINING, "scope" => Scope::Global.to_string());
        global.set(f64::INFINITY);
        Self { refusals, remaining: HashMap::from([(Scope::Global, global)]) }
    }

    pub(super) fn refused(&self) {
        self.refusals.increment(1);
    }

    pub(super) fn remains(&mut self, scope: &Scope, amount: Usd) {
        match self.remaining.get(scope) {
            Some(gauge) => gauge.set(amount.as_f64()),
            None => {
                let gauge = gauge!(REMAINING, "scope" => scope.to_string());
                gauge.set(amount.as_f64());
                self.remaining.insert(scope.clone(), gauge);
            }
        }
    }
}
