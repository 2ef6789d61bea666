//! What is counted about providers.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use super::error::Error;
use super::exchange::Completion;
use crate::domain::failure::Failure;
use crate::domain::name::{ModelRef, ProviderName};

const REQUESTS: &str = "factory_provider_requests_total";
const SECONDS: &str = "factory_provider_seconds";
const BREAKER_OPEN: &str = "factory_provider_breaker_open";
const CONCURRENCY_LIMIT: &str = "factory_provider_concurrency_limit";

/// The outcome of a call whose caller had gone before it ended.
pub(super) const ABANDONED: &str = "abandoned";

/// Says what the metrics mean, and shows this provider at zero.
pub(super) fn introduce(provider: &ProviderName) {
    describe_counter!(REQUESTS, "Model calls by provider, model and outcome (ok, or the error's code)");
    describe_histogram!(SECONDS, Unit::Seconds, "Time that a provider took for a call, answered or not");
    describe_gauge!(BREAKER_OPEN, "1 where a provider's circuit breaker keeps calls away, else 0");
    describe_gauge!(CONCURRENCY_LIMIT, "The most calls at once that a provider gets, as it has answered so far");
    breaker_closed(provider);
}

/// Shows that calls are kept away.
pub(super) fn breaker_opened(provider: &ProviderName) {
    gauge!(BREAKER_OPEN, "provider" => provider.to_string()).set(1.0);
}

/// Shows that calls are let through.
pub(super) fn breaker_closed(provider: &ProviderName) {
    gauge!(BREAKER_OPEN, "provider" => provider.to_string()).set(0.0);
}

/// Shows the most calls at once.
pub(super) fn limit(provider: &ProviderName, most: u32) {
    gauge!(CONCURRENCY_LIMIT, "provider" => provider.to_string()).set(f64::from(most));
}

/// The metric's word for how a call ended.
pub(super) fn outcome(result: &Result<Completion, Error>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(error) => error.code(),
    }
}

/// Counts one call.
pub(super) fn count(model: &ModelRef, outcome: &'static str) {
    let (provider, model) = (model.provider().to_string(), model.model().to_owned());
    counter!(REQUESTS, "provider" => provider, "model" => model, "outcome" => outcome).increment(1);
}

/// Notes how long the provider took.
pub(super) fn took(provider: &ProviderName, elapsed: Duration) {
    histogram!(SECONDS, "provider" => provider.to_string()).record(elapsed.as_secs_f64());
}
