//! Waiting for conditions.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

/// How long anything may take before the test fails. Far more than is needed: the host may be busy with other builds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// How often a condition is looked at that nobody announces.
const TICK: Duration = Duration::from_millis(5);

/// Waits until a probe finds something.
pub(crate) async fn until<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        sleep(TICK).await;
    }
}

/// Waits for an answer that must come.
pub(crate) async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => panic!("{what}: not within {PATIENCE:?}"),
    }
}
