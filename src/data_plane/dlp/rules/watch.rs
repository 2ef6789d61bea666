//! Notices when the rule file may have changed.

use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use ractor::ActorRef;

use super::actor::Message;

/// Watches the directory that holds `file`, because editors put a new file in the old one's place.
pub(super) fn watch(file: &Path, actor: ActorRef<Message>) -> notify::Result<RecommendedWatcher> {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = parent.map_or_else(|| PathBuf::from("."), Path::to_path_buf);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // What cannot be told may have been a change. An actor that has ended is watched for no longer.
        if event.as_ref().map_or(true, |event| is_change(event.kind)) && actor.cast(Message::Changed).is_err() {
            tracing::debug!("the file of DLP rules changed while its actor is being restarted");
        }
    })?;
    watcher.watch(&directory, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

/// Reading the file is not a change of it: otherwise each reading would bring the next.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => true,
    }
}
