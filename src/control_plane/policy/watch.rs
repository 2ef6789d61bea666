//! Notices when the policy directory may have changed: it is watched together with what is above it, so that a directory that
//! appears later or is replaced through a link is noticed; and it is read again now and then, in case that events were lost.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{debug, error};

/// How long the directory must have been left alone: the debounce.
const QUIET: Duration = Duration::from_millis(100);
/// The longest wait for files that are written to without pause.
const PATIENCE: Duration = Duration::from_millis(600);
/// How often the directory is read even if nothing was noticed.
const RESCAN_EVERY: Duration = Duration::from_secs(10);
/// Notes that may wait; they all say the same.
const NOTES_MAX: usize = 1;

/// A running watch; ends when dropped.
pub(super) struct Watch(JoinHandle<()>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Watch {
    /// Watches, and tells when the directory is to be read.
    pub(super) fn start(directory: &Path, tell: impl Fn() + Send + 'static) -> Self {
        let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
        let (sender, notes) = mpsc::channel(NOTES_MAX);
        let of_event = directory.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // A note that waits already says it.
            if concerns(&of_event, &event) && sender.try_send(()).is_err() {
                debug!("the policy directory changed again");
            }
        });
        let mut watcher = match watcher {
            Ok(watcher) => Some(watcher),
            Err(fault) => {
                error!(%fault, "cannot watch the policy directory; it is read every {} seconds", RESCAN_EVERY.as_secs());
                None
            }
        };
        renew(watcher.as_mut(), &directory);
        Self(tokio::spawn(run(watcher, directory, notes, tell)))
    }
}

async fn run(
    mut watcher: Option<RecommendedWatcher>,
    directory: PathBuf,
    mut notes: mpsc::Receiver<()>,
    tell: impl Fn() + Send + 'static,
) {
    loop {
        match tokio::time::timeout(RESCAN_EVERY, note(&mut notes)).await {
            Ok(()) => settle(&mut notes).await,
            Err(_nothing_noticed) => {}
        }
        renew(watcher.as_mut(), &directory);
        tell();
    }
}

/// Without a watcher nothing is ever noticed.
async fn note(notes: &mut mpsc::Receiver<()>) {
    if notes.recv().await.is_none() {
        std::future::pending().await
    }
}

/// Waits until editors have left the directory alone.
async fn settle(notes: &mut mpsc::Receiver<()>) {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if tokio::time::timeout(QUIET, note(notes)).await.is_err() {
            return;
        }
    }
}

/// Watches what there is now in place of what there was.
fn renew(watcher: Option<&mut RecommendedWatcher>, directory: &Path) {
    let Some(watcher) = watcher else { return };
    let above = directory.ancestors().skip(1).find(|path| path.is_dir());
    for path in above.into_iter().chain(Some(directory)) {
        // One that is not watched, or is not there, is no failure.
        let _gone = watcher.unwatch(path).is_err();
        if path.is_dir()
            && let Err(fault) = watcher.watch(path, RecursiveMode::NonRecursive)
        {
            error!(directory = %path.display(), %fault, "cannot watch; edits of the policy are seen late");
        }
    }
}

/// Reading a file is no change of it; what cannot be told may be one.
fn concerns(directory: &Path, event: &notify::Result<Event>) -> bool {
    let Ok(event) = event else { return true };
    let is_change = match event.kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => true,
    };
    let near = |path: &PathBuf| directory.starts_with(path) || path.parent() == Some(directory);
    event.need_rescan() || is_change && event.paths.iter().any(near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_of_the_directory_count() {
        let event = |kind, path: &str| Ok(Event::new(kind).add_path(path.into()));
        let directory = Path::new("/etc/factory/policy");
        let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
        for (path, counts) in [
            ("/etc/factory/policy/a.rego", true),
            ("/etc/factory/policy/..data", true),
            ("/etc/factory/policy", true),
            ("/etc/factory", true),
            ("/etc/factory/other", false),
            ("/etc/factory/policy/deeper/a.rego", false),
        ] {
            assert_eq!(concerns(directory, &event(written, path)), counts, "{path}");
        }
        let read = EventKind::Access(AccessKind::Open(AccessMode::Any));
        assert!(!concerns(directory, &event(read, "/etc/factory/policy/a.rego")));
    }
}
