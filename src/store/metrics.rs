//! What the store counts.

use std::time::Duration;

const COMMIT_SECONDS: &str = "factory_store_commit_seconds";
const COMMIT_RECORDS: &str = "factory_store_commit_records";

/// Describes the metrics, so that they are there from the start.
pub(super) fn describe() {
    metrics::describe_histogram!(
        COMMIT_SECONDS,
        metrics::Unit::Seconds,
        "Time from the writing of a group of commits until it is durable"
    );
    metrics::describe_histogram!(COMMIT_RECORDS, metrics::Unit::Count, "Records written in one group of commits");
    // Naming them registers them at zero.
    drop((metrics::histogram!(COMMIT_SECONDS), metrics::histogram!(COMMIT_RECORDS)));
}

/// Counts a group that has become durable.
pub(super) fn committed(took: Duration, records: usize) {
    metrics::histogram!(COMMIT_SECONDS).record(took.as_secs_f64());
    metrics::histogram!(COMMIT_RECORDS).record(u32::try_from(records).unwrap_or(u32::MAX));
}
