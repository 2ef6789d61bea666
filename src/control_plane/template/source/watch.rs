//! The watch over the directories of templates and keys.
//!
//! A directory is watched together with the nearest directory above it that exists, so that one that appears later, is renamed
//! or is replaced through a symbolic link is noticed and watched anew. Events that were lost lead to a look at everything.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{error, info, warn};

use crate::config::settings;

use super::scope::{Debounce, Scope, Subject};
use crate::control_plane::template::signing::{SIGNATURE_SUFFIX, template_or_signature_stem};
use crate::control_plane::template::trust::revocations::REVOCATIONS_FILE;
use crate::control_plane::template::trust::{PUBLIC_KEY_SUFFIX, TRUST_FILE};

/// Changes that may wait to be noted; beyond it, everything is looked at.
const NOTES_MAX: usize = 1_024;
/// How often the watched paths are asked which directories they mean, and everything is looked at while no events come.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// What is watched.
#[derive(Debug, Clone)]
pub(in crate::control_plane::template) struct Targets {
    templates: PathBuf,
    overlay: Option<PathBuf>,
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
        let templates = absolute(&directory.to_owned());
        Self {
            overlay: settings.environment.as_ref().map(|environment| templates.join(environment.as_str())),
            templates,
            keys: settings.trusted_keys_dir.as_ref().filter(|_| validated).map(absolute),
            key_file: settings.rsa_public_key_path.as_ref().filter(|_| validated).map(absolute),
        }
    }

    fn note(&self, path: &Path) -> Option<Note> {
        let watched = [Some(&self.templates), self.overlay.as_ref(), self.keys.as_ref()];
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
        if path.parent() == Some(&self.templates) || path.parent() == self.overlay.as_deref() {
            let name = template_or_signature_stem(file).and_then(|stem| stem.parse().ok());
            let name = name.map(|name| Note::Changed(Subject::Template(name)));
            return name.or(swapped.then_some(Note::Replaced));
        }
        let list = file.strip_suffix(SIGNATURE_SUFFIX).unwrap_or(file) == REVOCATIONS_FILE;
        let key = swapped || list || file.ends_with(PUBLIC_KEY_SUFFIX) || file == TRUST_FILE;
        (key && path.parent() == self.keys.as_deref()).then_some(Note::Changed(Subject::Keys))
    }

    /// The directories to watch, and which they are: those that exist, and above each the nearest that exists.
    fn directories(&self) -> BTreeMap<PathBuf, Identity> {
        let key_directory = self.key_file.as_deref().and_then(Path::parent);
        let wanted = [Some(self.templates.as_path()), self.overlay.as_deref(), self.keys.as_deref(), key_directory];
        let identity = |path: &Path| {
            let found = std::fs::metadata(path).ok().filter(Metadata::is_dir)?;
            Some((path.to_owned(), (found.dev(), found.ino())))
        };
        let mut directories = BTreeMap::new();
        for directory in wanted.into_iter().flatten() {
            directories.extend(directory.ancestors().skip(1).find_map(identity));
            directories.extend(identity(directory));
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

/// Makes what the kernel's events come from, and hands them to a function.
type Make = Box<dyn Fn(OnEvent) -> notify::Result<Box<dyn Watcher + Send>> + Send>;
type OnEvent = Box<dyn FnMut(notify::Result<Event>) + Send>;

impl Watch {
    /// Watches and sweeps, and tells what is due once editors have left it alone.
    pub(in crate::control_plane::template) fn start(
        targets: Targets,
        rescan_every: Duration,
        tell: impl Fn(Scope) + Send + 'static,
    ) -> Self {
        let inotify: Make = Box::new(|on_event| {
            let watcher = notify::recommended_watcher(on_event)?;
            Ok(Box::new(watcher))
        });
        Self::start_with(inotify, targets, rescan_every, tell)
    }

    fn start_with(make: Make, targets: Targets, rescan_every: Duration, tell: impl Fn(Scope) + Send + 'static) -> Self {
        let (sender, notes) = mpsc::channel(NOTES_MAX);
        let lost = Arc::new(AtomicBool::new(false));
        let watching = Watching {
            make,
            targets,
            sender,
            lost,
            watcher: None,
            watched: BTreeMap::new(),
            deaf: None,
            rescan_every,
            swept: Duration::ZERO,
        };
        Self(tokio::spawn(watching.begun().run(notes, tell)))
    }
}

/// Which directory a path means: device and inode.
type Identity = (u64, u64);

struct Watching {
    make: Make,
    targets: Targets,
    sender: mpsc::Sender<Note>,
    /// Notes were lost because too many waited.
    lost: Arc<AtomicBool>,
    watcher: Option<Box<dyn Watcher + Send>>,
    /// The directories that are watched, and which each was then.
    watched: BTreeMap<PathBuf, Identity>,
    /// Why events of some directories do not come.
    deaf: Option<String>,
    rescan_every: Duration,
    /// When the last sweep was told.
    swept: Duration,
}

impl Watching {
    fn begun(mut self) -> Self {
        self.renew();
        if !self.watched.contains_key(&self.targets.templates) && self.deaf.is_none() {
            warn!(directory = %self.targets.templates.display(), "there is no templates directory; waiting for it");
        }
        self
    }

    async fn run(mut self, mut notes: mpsc::Receiver<Note>, tell: impl Fn(Scope)) {
        let began = Instant::now();
        let mut debounce = Debounce::default();
        let mut checks = tokio::time::interval(CHECK_EVERY);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = debounce.next().and_then(|due| began.checked_add(due));
            let woken = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            let (note, check) = tokio::select! {
                note = notes.recv() => (note, false),
                _ = checks.tick() => (None, true),
                () = woken => (None, false),
            };
            let now = began.elapsed();
            if self.lost.swap(false, Ordering::AcqRel) {
                warn!("more changes at once than are noted one by one; everything is looked at");
                debounce.note(Subject::Everything, now);
                debounce.note(Subject::Keys, now);
            }
            match note {
                Some(Note::Changed(subject)) => debounce.note(subject, now),
                Some(Note::Replaced) => self.replaced(&mut debounce, now),
                None if check && self.is_stale() => self.replaced(&mut debounce, now),
                None => {}
            }
            let mut scope = debounce.due(now);
            if check && self.sweep_is_due(now) {
                scope.add(Scope::swept());
            }
            if !scope.is_empty() {
                tell(scope);
            }
        }
    }

    fn replaced(&mut self, debounce: &mut Debounce, now: Duration) {
        self.renew();
        debounce.note(Subject::Everything, now);
        debounce.note(Subject::Keys, now);
    }

    /// Whether a sweep is due: at every check while events do not come, else now and then.
    fn sweep_is_due(&mut self, now: Duration) -> bool {
        let was_deaf = self.deaf.is_some();
        if was_deaf {
            self.renew();
        }
        let every = if was_deaf { CHECK_EVERY } else { self.rescan_every };
        let due = now.saturating_sub(self.swept) >= every;
        if due {
            self.swept = now;
        }
        due
    }

    /// Whether some directory is not the one that is watched under its path: one above it was renamed, or a link replaced.
    fn is_stale(&self) -> bool {
        self.deaf.is_none() && self.targets.directories() != self.watched
    }

    /// Watches what there is now in place of what there was.
    fn renew(&mut self) {
        let was_deaf = self.deaf.take();
        self.watched.clear();
        // Made anew and not told to forget: a path may mean another directory by now, and its old watch would stay.
        self.watcher = None;
        match (self.make)(self.on_event()) {
            Ok(watcher) => self.watcher = Some(watcher),
            Err(fault) => self.deaf = Some(format!("no watch can be had: {fault}")),
        }
        for (directory, identity) in self.targets.directories() {
            match self.watcher.as_mut().map(|watcher| watcher.watch(&directory, RecursiveMode::NonRecursive)) {
                None => {}
                Some(Ok(())) => {
                    self.watched.insert(directory, identity);
                }
                // It went away meanwhile; the next check sees what has come in its place.
                Some(Err(_)) if !directory.is_dir() => {}
                Some(Err(fault)) => self.deaf = Some(format!("{}: {fault}", directory.display())),
            }
        }
        match (&was_deaf, &self.deaf) {
            (None, Some(reason)) => error!(
                reason,
                "changes of templates and keys are not told by the kernel; they are looked for every second instead (are \
                 fs.inotify.max_user_watches and max_user_instances too low?)"
            ),
            (Some(_), None) => info!("changes of templates and keys are told by the kernel again"),
            (None, None) | (Some(_), Some(_)) => {}
        }
    }

    fn on_event(&self) -> OnEvent {
        let (targets, sender, lost) = (self.targets.clone(), self.sender.clone(), self.lost.clone());
        Box::new(move |event| {
            for note in notes_of(&targets, &event) {
                if sender.try_send(note).is_err() {
                    lost.store(true, Ordering::Release);
                }
            }
        })
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
            overlay: Some("/f/templates/production".into()),
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
            ("/f/templates/production/a.json", template("a")),
            ("/f/templates/production/a.json.sig", template("a")),
            ("/f/templates/production", Some(Note::Replaced)),
            ("/f/templates/staging", None),
            ("/f/templates/..data", Some(Note::Replaced)),
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
        let targets = Targets { templates: "/f/t".into(), overlay: None, keys: None, key_file: None };
        let event = |kind| Ok(Event::new(kind).add_path("/f/t/a.json".into()));
        assert!(notes_of(&targets, &event(EventKind::Access(AccessKind::Open(AccessMode::Any)))).is_empty());
        assert_eq!(notes_of(&targets, &event(EventKind::Access(AccessKind::Close(AccessMode::Write)))).len(), 1);
    }

    /// What a watch tells, one after the other.
    fn watch(make: Make, directory: &Path) -> (Watch, mpsc::UnboundedReceiver<Scope>) {
        let targets = Targets { templates: directory.to_owned(), overlay: None, keys: None, key_file: None };
        let (told, scopes) = mpsc::unbounded_channel();
        let watch = Watch::start_with(make, targets, Duration::from_secs(60), move |scope| {
            told.send(scope).expect("the test listens");
        });
        (watch, scopes)
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_is_refused_becomes_a_sweep_every_second() {
        let directory = tempfile::tempdir().expect("a directory");
        let refused: Make = Box::new(|_| Err(notify::Error::new(notify::ErrorKind::MaxFilesWatch)));
        let (_watch, mut scopes) = watch(refused, directory.path());
        let mut last = Instant::now();
        for _ in 0..5 {
            assert_eq!(scopes.recv().await, Some(Scope::swept()));
            assert!(last.elapsed() <= CHECK_EVERY, "{:?}", last.elapsed());
            last = Instant::now();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_kernel_that_tells_nothing_is_swept_after_when_it_is_due() {
        let directory = tempfile::tempdir().expect("a directory");
        let silent: Make = Box::new(|_| Ok(Box::new(notify::NullWatcher)));
        let began = Instant::now();
        let (_watch, mut scopes) = watch(silent, directory.path());
        for number in 1..=3 {
            assert_eq!(scopes.recv().await, Some(Scope::swept()));
            let due = Duration::from_secs(60).saturating_mul(number);
            assert!(began.elapsed() >= due && began.elapsed() < due + CHECK_EVERY * 2, "{:?}", began.elapsed());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn notes_that_are_lost_lead_to_a_look_at_everything() {
        let directory = tempfile::tempdir().expect("a directory");
        let flood: Make = Box::new(|mut on_event| {
            for number in 0..=NOTES_MAX {
                let path = PathBuf::from(format!("/none/t{number}.json"));
                on_event(Ok(Event::new(EventKind::Create(notify::event::CreateKind::File)).add_path(path)));
            }
            on_event(Ok(Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan)));
            Ok(Box::new(notify::NullWatcher))
        });
        let targets = Targets { templates: "/none".into(), overlay: None, keys: None, key_file: None };
        drop(directory);
        let (told, mut scopes) = mpsc::unbounded_channel();
        let _watch = Watch::start_with(flood, targets, Duration::from_secs(60), move |scope| {
            told.send(scope).expect("the test listens");
        });
        let mut all = Scope::default();
        while !all.everything {
            all.add(scopes.recv().await.expect("told"));
        }
        assert!(all.keys);
    }
}
