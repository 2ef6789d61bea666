//! The watch over the directories of templates and keys.
//!
//! A directory is watched together with the nearest directory above it that exists, so that one that appears later, is renamed
//! or is replaced through a symbolic link is noticed and watched anew. Events that were lost lead to a look at everything.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::warn;

use crate::config::settings;

use super::scope::{Debounce, Scope, Subject};
use crate::control_plane::template::signing::{SIGNATURE_SUFFIX, template_or_signature_stem};
use crate::control_plane::template::trust::revocations::REVOCATIONS_FILE;
use crate::control_plane::template::trust::{PUBLIC_KEY_SUFFIX, TRUST_FILE};

/// Changes that may wait to be noted; beyond it, everything is looked at.
const NOTES_MAX: usize = 1_024;

/// What is watched.
#[derive(Debug, Clone)]
pub(in crate::control_plane::template) struct Targets {
    templates: PathBuf,
    keys: Option<PathBuf>,
    key_file: Option<PathBuf>,
}

/// What one path in an event means.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Note {
    Changed(Subject),
    /// A directory may be another one now.
    Replaced,
}

impl Targets {
    pub(in crate::control_plane::template) fn of(directory: &Path, settings: &settings::Templates) -> Self {
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let validated = settings.enable_signature_validation;
        Self {
            templates: absolute(&directory.to_owned()),
            keys: settings.trusted_keys_dir.as_ref().filter(|_| validated).map(absolute),
            key_file: settings.rsa_public_key_path.as_ref().filter(|_| validated).map(absolute),
        }
    }

    fn note(&self, path: &Path) -> Option<Note> {
        let watched = [Some(&self.templates), self.keys.as_ref()];
        if watched.into_iter().flatten().any(|directory| directory.starts_with(path)) {
            return Some(Note::Replaced);
        }
        if self.key_file.as_deref() == Some(path) {
            return Some(Note::Changed(Subject::Keys));
        }
        if self.key_file.as_ref().is_some_and(|file| file.starts_with(path)) {
            return Some(Note::Replaced);
        }
        let file = path.file_name()?.to_str()?;
        // Orchestrators of containers swap a whole directory through a link named "..data".
        let swapped = file.starts_with("..");
        if path.parent() == Some(&self.templates) {
            let name = template_or_signature_stem(file).and_then(|stem| stem.parse().ok());
            return name.map(Subject::Template).or(swapped.then_some(Subject::Everything)).map(Note::Changed);
        }
        let list = file.strip_suffix(SIGNATURE_SUFFIX).unwrap_or(file) == REVOCATIONS_FILE;
        let key = swapped || list || file.ends_with(PUBLIC_KEY_SUFFIX) || file == TRUST_FILE;
        (key && path.parent() == self.keys.as_deref()).then_some(Note::Changed(Subject::Keys))
    }

    /// The directories to watch: those that exist, and above each the nearest that exists.
    fn directories(&self) -> BTreeSet<PathBuf> {
        let key_directory = self.key_file.as_deref().and_then(Path::parent);
        let wanted = [Some(self.templates.as_path()), self.keys.as_deref(), key_directory];
        let mut directories = BTreeSet::new();
        for directory in wanted.into_iter().flatten() {
            let above = directory.ancestors().skip(1).find(|path| path.is_dir());
            directories.extend(above.map(Path::to_owned));
            if directory.is_dir() {
                directories.insert(directory.to_owned());
            }
        }
        directories
    }
}

/// A running watch; ends when dropped.
pub(in crate::control_plane::template) struct Watch(JoinHandle<()>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Watch {
    /// Watches, and tells what is due once editors have left it alone.
    pub(in crate::control_plane::template) fn start(
        targets: Targets,
        tell: impl Fn(Scope) + Send + 'static,
    ) -> Result<Self, String> {
        let (sender, notes) = mpsc::channel(NOTES_MAX);
        let lost = Arc::new(AtomicBool::new(false));
        let (of_event, overflow) = (targets.clone(), lost.clone());
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            for note in notes_of(&of_event, &event) {
                if sender.try_send(note).is_err() {
                    overflow.store(true, Ordering::Release);
                }
            }
        })
        .map_err(|fault| fault.to_string())?;
        let mut watching = Watching { targets, watcher, watched: BTreeSet::new() };
        watching.renew();
        if !watching.watched.contains(&watching.targets.templates) {
            warn!(directory = %watching.targets.templates.display(), "there is no templates directory; waiting for it");
        }
        Ok(Self(tokio::spawn(watching.run(notes, lost, tell))))
    }
}

struct Watching {
    targets: Targets,
    watcher: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
}

impl Watching {
    async fn run(mut self, mut notes: mpsc::Receiver<Note>, lost: Arc<AtomicBool>, tell: impl Fn(Scope)) {
        let began = Instant::now();
        let mut debounce = Debounce::default();
        loop {
            let due = debounce.next().and_then(|due| began.checked_add(due));
            let woken = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            let note = tokio::select! {
                note = notes.recv() => match note {
                    Some(note) => Some(note),
                    None => return,
                },
                () = woken => None,
            };
            let now = began.elapsed();
            if lost.swap(false, Ordering::AcqRel) {
                debounce.note(Subject::Everything, now);
                debounce.note(Subject::Keys, now);
            }
            match note {
                Some(Note::Changed(subject)) => debounce.note(subject, now),
                Some(Note::Replaced) => {
                    self.renew();
                    debounce.note(Subject::Everything, now);
                    debounce.note(Subject::Keys, now);
                }
                None => {}
            }
            let scope = debounce.due(now);
            if !scope.is_empty() {
                tell(scope);
            }
        }
    }

    /// Watches what there is now in place of what there was.
    fn renew(&mut self) {
        for directory in std::mem::take(&mut self.watched) {
            // One that is gone is not watched any more anyway.
            let _gone = self.watcher.unwatch(&directory).is_err();
        }
        for directory in self.targets.directories() {
            match self.watcher.watch(&directory, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(directory);
                }
                Err(fault) => warn!(directory = %directory.display(), %fault, "cannot watch; edits in it are not seen"),
            }
        }
    }
}

/// What an event means. Looking at a file makes events as well, so that only changes count.
fn notes_of(targets: &Targets, event: &notify::Result<Event>) -> Vec<Note> {
    let everything = || vec![Note::Replaced];
    match event {
        Err(_) => everything(),
        Ok(event) if event.need_rescan() => everything(),
        Ok(event) => match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Any
            | EventKind::Other
            | EventKind::Create(_)
            | EventKind::Modify(_)
            | EventKind::Remove(_) => event.paths.iter().filter_map(|path| targets.note(path)).collect(),
            EventKind::Access(_) => Vec::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_means_what_it_is() {
        let targets = Targets {
            templates: "/f/templates".into(),
            keys: Some("/f/keys".into()),
            key_file: Some("/k/old.pem".into()),
        };
        let template = |name: &str| Some(Note::Changed(Subject::Template(name.parse().expect("a name"))));
        let keys = Some(Note::Changed(Subject::Keys));
        for (path, note) in [
            ("/f/templates/a.json", template("a")),
            ("/f/templates/a.json.sig", template("a")),
            ("/f/templates/a.json.zst", template("a")),
            ("/f/templates/a.zst", None),
            ("/f/templates/a.json.zst.sig", None),
            ("/f/templates/.a.json.swp", None),
            ("/f/templates/a.json~", None),
            ("/f/templates/..data", Some(Note::Changed(Subject::Everything))),
            ("/f/templates", Some(Note::Replaced)),
            ("/f", Some(Note::Replaced)),
            ("/f/keys", Some(Note::Replaced)),
            ("/f/keys/ops.pub.pem", keys.clone()),
            ("/f/keys/ops.pem", None),
            ("/f/keys/trust.toml", keys.clone()),
            ("/f/other/a.json", None),
            ("/k/old.pem", keys),
            ("/k", Some(Note::Replaced)),
        ] {
            assert_eq!(targets.note(Path::new(path)), note, "{path}");
        }
    }

    #[test]
    fn reading_a_file_is_no_change() {
        let targets = Targets { templates: "/f/t".into(), keys: None, key_file: None };
        let event = |kind| Ok(Event::new(kind).add_path("/f/t/a.json".into()));
        assert!(notes_of(&targets, &event(EventKind::Access(AccessKind::Open(AccessMode::Any)))).is_empty());
        assert_eq!(notes_of(&targets, &event(EventKind::Access(AccessKind::Close(AccessMode::Write)))).len(), 1);
    }
}
