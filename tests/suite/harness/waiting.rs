//! Waiting for conditions.

use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Builder;
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

/// Runs a client on a thread of its own, as other programs run theirs.
pub(crate) fn on_a_thread<T, W>(work: impl FnOnce() -> W + Send + 'static) -> JoinHandle<T>
where
    T: Send + 'static,
    W: Future<Output = T>,
{
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    std::thread::spawn(move || runtime.block_on(work()))
}

/// Waits for the end of a thread, which may wait for others of this test.
pub(crate) async fn joined<T: Send + 'static>(thread: JoinHandle<T>) -> T {
    let ended = tokio::task::spawn_blocking(|| thread.join()).await.expect("waited for");
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Waits for an answer that must come.
pub(crate) async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => panic!("{what}: not within {PATIENCE:?}"),
    }
}
