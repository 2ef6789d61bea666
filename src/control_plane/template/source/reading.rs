//! One reading of the directories: of what a scope names, or of all that is not as it was. Blocks.
//!
//! A reading of everything looks at the files' stamps and reads those that changed, so that it costs little however many
//! templates there are. What is being changed at that moment is left for the next reading, and so is what is missing from a
//! directory that is just being filled: an editor in the middle of its work is no reason to take a template away.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tracing::{error, info, warn};

use crate::config::settings;
use crate::domain::clock::Timestamp;
use crate::domain::name::TemplateName;

use super::layers::{Files, Layers, Listed, OpenLayers, Stamps};
use super::look::{self, Beneath, Seen};
use super::scope::{QUIET, Scope};
use super::watch::Targets;
use crate::control_plane::template::parallel;
use crate::control_plane::template::trust::Trust;

/// How long a directory must have been left alone before what is missing from it counts as removed.
pub(in crate::control_plane::template) const SETTLE: Duration = Duration::from_millis(250);
/// How long a directory that took another's place must have been left alone until what is missing from it counts as removed.
const FILLING: Duration = Duration::from_secs(10);
/// The longest that such a directory is waited for while something is put into it all the time.
const FILLING_MAX: Duration = Duration::from_secs(120);
/// A file that was changed less long ago may change again without its stamp showing it: file systems' clocks are coarse, and
/// some are another host's.
const COARSE: Duration = Duration::from_secs(2);

/// The directories, and what is remembered of them.
#[derive(Debug)]
pub(in crate::control_plane::template) struct Source {
    layers: Layers,
    memory: Mutex<Memory>,
}

/// What is remembered between two readings.
#[derive(Debug, Default)]
struct Memory {
    stamps: HashMap<TemplateName, Stamps>,
    directories: Option<Directories>,
    /// When the directories took the place of others.
    replaced_at: Option<Timestamp>,
    /// Whether it was told that those hold nothing.
    told_empty: bool,
    /// What the audit had against the directories: then every file in them is refused, whatever its stamp.
    faults: Vec<String>,
    /// What was said of the directories last, so that a sweep does not say it again.
    said: Vec<String>,
}

/// Which directories they are: device and inode of the base and of the environment's.
type Directories = ((u64, u64), Option<(u64, u64)>);

/// What is to be read.
#[derive(Clone, Copy)]
pub(in crate::control_plane::template) struct Ask<'a> {
    pub(in crate::control_plane::template) scope: &'a Scope,
    /// The keys are others: every file is read and verified again.
    pub(in crate::control_plane::template) all_again: bool,
    pub(in crate::control_plane::template) trust: Option<Trust<'a>>,
    pub(in crate::control_plane::template) now: Timestamp,
}

/// What was read.
#[derive(Debug, Default)]
pub(in crate::control_plane::template) struct Reading {
    /// Files that are others than they were, or were to be verified again.
    pub(in crate::control_plane::template) seen: BTreeMap<TemplateName, Arc<Seen>>,
    pub(in crate::control_plane::template) gone: BTreeSet<TemplateName>,
    /// What is being changed, to be looked at again after [`SETTLE`].
    pub(in crate::control_plane::template) unsettled: Scope,
    /// Nothing could be read: nothing is known about any template.
    pub(in crate::control_plane::template) unread: bool,
    /// All names, where the directories are in order and not empty: what is not among them is not there.
    pub(in crate::control_plane::template) listed: Option<BTreeSet<TemplateName>>,
    /// What is missing from the directories may be on its way to them.
    pub(in crate::control_plane::template) young: bool,
    /// Templates whose change no event has told.
    pub(in crate::control_plane::template) unheard: usize,
}

/// What one template's files turned out to be.
enum Found {
    Same,
    Changing,
    Absent,
    /// Without stamps where something could not be read: that may pass without a trace in them.
    Read {
        stamps: Option<Box<Stamps>>,
        seen: Option<Arc<Seen>>,
    },
}

impl Source {
    pub(in crate::control_plane::template) fn of(directory: &Path, settings: &settings::Templates) -> Self {
        Self { layers: Layers::of(directory, settings), memory: Mutex::default() }
    }

    /// What is to be watched.
    pub(in crate::control_plane::template) fn targets(&self, settings: &settings::Templates) -> Targets {
        Targets::of(self.layers.directory(), settings)
    }

    /// Forgets what was read: whoever asked could not keep it.
    pub(in crate::control_plane::template) fn forget(&self) {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).stamps.clear();
    }

    /// Reads what is asked for; `known` is what earlier readings found.
    pub(in crate::control_plane::template) fn read<'k>(
        &self,
        ask: Ask<'_>,
        known: &(impl Fn(&TemplateName) -> Option<&'k Seen> + Sync),
        names: impl Iterator<Item = &'k TemplateName>,
    ) -> Reading {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let unread = || Reading { unread: true, ..Reading::default() };
        let Some(opened) = self.open(&mut memory) else { return unread() };
        memory.meet(&opened, ask.now);
        let whole = ask.all_again || ask.scope.everything || ask.scope.sweep;
        let named: BTreeSet<TemplateName> =
            [&ask.scope.names, &ask.scope.doubted, &ask.scope.settling].into_iter().flatten().cloned().collect();
        let (mut absent, mut all) = (BTreeSet::new(), None);
        let wanted: Vec<TemplateName> = if whole {
            let Some(listed) = self.list(&opened, &mut memory) else { return unread() };
            absent.extend(names.filter(|name| !listed.contains(*name)).cloned());
            let wanted = listed.union(&named).filter(|name| !absent.contains(*name)).cloned().collect();
            all = Some(listed);
            wanted
        } else {
            named.into_iter().collect()
        };
        let one = OneByOne { ask, opened: &opened, stamps: &memory.stamps };
        let found = parallel::map(&wanted, |name| one.find(name, known(name)));
        let mut reading = Reading::default();
        for (name, found) in wanted.into_iter().zip(found) {
            match found {
                Found::Same => {}
                Found::Changing => {
                    reading.unsettled.settling.insert(name);
                }
                Found::Absent if known(&name).is_some() => {
                    absent.insert(name);
                }
                Found::Absent => {}
                Found::Read { stamps, seen } => {
                    memory.keep(&name, stamps.as_deref(), ask.now);
                    if let Some(seen) = seen {
                        reading.unheard = reading.unheard.saturating_add(usize::from(ask.unheard(&name)));
                        reading.seen.insert(name, seen);
                    }
                }
            }
        }
        let filling = memory.filling(&opened, all.as_ref(), ask.now);
        let absent = Absent { names: absent, listed: all, filling };
        memory.take_away(&mut reading, absent, &opened, ask, known);
        reading
    }

    /// Whether a file counts as unchanged while its stamps are.
    #[cfg(test)]
    pub(in crate::control_plane::template) fn remembers(&self, name: &TemplateName) -> bool {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).stamps.contains_key(name)
    }

    fn open(&self, memory: &mut Memory) -> Option<OpenLayers> {
        let directory = self.layers.directory().display();
        match self.layers.open() {
            Err(reason) => {
                // Whoever takes the whole directory away rather wants it back than every template stopped.
                if memory.news(vec![reason.clone()]) {
                    warn!(%directory, reason, "no templates can be read; those that serve go on");
                }
                None
            }
            Ok(opened) => {
                let faults = opened.faults();
                let missing = opened.overlay_missing().map(str::to_owned);
                if memory.news(faults.iter().cloned().chain(missing.clone()).collect()) {
                    if let Some(reason) = missing {
                        warn!(%directory, reason, "the environment has no directory of templates; the others serve");
                    }
                    if faults.is_empty() {
                        info!(%directory, "the templates directory can be read");
                    } else {
                        error!(%directory, ?faults, "no template in such a directory is good; those that serve go on");
                    }
                }
                Some(opened)
            }
        }
    }

    fn list(&self, opened: &OpenLayers, memory: &mut Memory) -> Option<BTreeSet<TemplateName>> {
        let directory = self.layers.directory().display();
        match opened.list() {
            Ok(Listed { names, ignored }) => {
                let said: Vec<String> = opened.faults().into_iter().chain(ignored.iter().cloned()).collect();
                if !ignored.is_empty() && memory.news(said) {
                    warn!(%directory, ?ignored, "ignored in the templates directory");
                }
                Some(names)
            }
            Err(reason) => {
                if memory.news(vec![reason.clone()]) {
                    warn!(%directory, reason, "no templates can be read; those that serve go on");
                }
                None
            }
        }
    }
}

impl Ask<'_> {
    /// Whether only a sweep, and no event, led to this template.
    fn unheard(&self, name: &TemplateName) -> bool {
        let Scope { everything, sweep, names, doubted, settling, .. } = self.scope;
        let asked = self.all_again || *everything || names.contains(name) || doubted.contains(name);
        (*sweep || settling.contains(name)) && !asked
    }
}

impl Memory {
    /// Notes what is to be said; whether it is new.
    fn news(&mut self, said: Vec<String>) -> bool {
        let news = self.said != said;
        self.said = said;
        news
    }

    /// Notes which directories these are, and what the audit has against them.
    fn meet(&mut self, opened: &OpenLayers, now: Timestamp) {
        let faults = opened.faults();
        if self.faults != faults {
            self.stamps.clear();
            self.faults = faults;
        }
        let (base, over) = opened.stamps();
        let directories = Some((base.identity(), over.map(|stamp| stamp.identity())));
        if self.directories.is_some() && self.directories != directories {
            self.replaced_at = Some(now);
            self.told_empty = false;
        }
        self.directories = directories;
    }

    /// Remembers a file's stamps, once they can be relied upon.
    fn keep(&mut self, name: &TemplateName, stamps: Option<&Stamps>, now: Timestamp) {
        let settled = |stamps: &&Stamps| {
            stamps.changed_micros().is_some_and(|at| now.since(Timestamp::from_micros(at)) >= COARSE)
        };
        match stamps.filter(settled) {
            Some(stamps) => self.stamps.insert(name.clone(), *stamps),
            None => self.stamps.remove(name),
        };
    }

    /// Whether directories that took others' place are being filled. One that holds nothing is taken for one that something
    /// is to be put into, or to be mounted over, however long that takes.
    fn filling(
        &mut self,
        opened: &OpenLayers,
        listed: Option<&BTreeSet<TemplateName>>,
        now: Timestamp,
    ) -> Option<Filling> {
        let replaced_at = self.replaced_at?;
        let over = !is_any_young(opened, FILLING, now) || now.since(replaced_at) >= FILLING_MAX;
        match listed {
            Some(listed) if listed.is_empty() => Some(Filling::Empty),
            Some(_) if over => {
                self.replaced_at = None;
                None
            }
            Some(_) | None => Some(Filling::Slowly),
        }
    }

    /// Decides which of the absent templates were taken away.
    fn take_away<'k>(
        &mut self,
        reading: &mut Reading,
        absent: Absent,
        opened: &OpenLayers,
        ask: Ask<'_>,
        known: &impl Fn(&TemplateName) -> Option<&'k Seen>,
    ) {
        let Absent { names, listed, filling } = absent;
        // Whoever may write to a directory that fails the audit must not take templates away by it either.
        if !opened.faults().is_empty() {
            return;
        }
        let whole = listed.is_some();
        let young = is_any_young(opened, SETTLE, ask.now);
        reading.young = young || filling.is_some();
        reading.listed = listed.filter(|listed| !listed.is_empty() && opened.overlay_missing().is_none());
        if names.is_empty() {
            return;
        }
        if filling == Some(Filling::Empty) {
            if !std::mem::replace(&mut self.told_empty, true) {
                let templates = names.len();
                error!(templates, "another templates directory is in place and holds none; those that serve go on");
            }
            return;
        }
        let told = |name: &TemplateName| ask.scope.names.contains(name);
        if filling.is_some() || (young && whole && !names.iter().all(told)) {
            reading.unsettled.sweep = true;
            return;
        }
        for name in names {
            let kept =
                opened.overlay_missing().is_some() && known(&name).is_some_and(|seen| seen.environment.is_some());
            if !kept {
                self.stamps.remove(&name);
                reading.gone.insert(name);
            }
        }
    }
}

/// What was looked for and is not there.
struct Absent {
    names: BTreeSet<TemplateName>,
    /// All that is there, where everything was listed.
    listed: Option<BTreeSet<TemplateName>>,
    filling: Option<Filling>,
}

/// How far directories are that took the place of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filling {
    /// They hold nothing.
    Empty,
    /// Something was put into them a short while ago.
    Slowly,
}

/// Whether one of the directories was changed just now.
fn is_any_young(opened: &OpenLayers, than: Duration, now: Timestamp) -> bool {
    let (base, over) = opened.stamps();
    [Some(base), over].into_iter().flatten().any(|stamp| is_young(stamp.changed_micros(), than, now))
}

/// Whether something was changed just now. What was changed in the future was not: clocks differ.
fn is_young(changed_micros: i64, than: Duration, now: Timestamp) -> bool {
    let changed = Timestamp::from_micros(changed_micros);
    changed <= now && now.since(changed) < than
}

/// What reads one template's files.
struct OneByOne<'a> {
    ask: Ask<'a>,
    opened: &'a OpenLayers,
    stamps: &'a HashMap<TemplateName, Stamps>,
}

impl OneByOne<'_> {
    fn find(&self, name: &TemplateName, known: Option<&Seen>) -> Found {
        let Ask { scope, all_again, trust, now } = self.ask;
        let again = all_again || scope.doubted.contains(name);
        if self.opened.overlay_missing().is_some() && known.is_some_and(|seen| seen.environment.is_some()) {
            // The environment's directory is away: what serves from it goes on, as where the base directory is.
            return Found::Same;
        }
        if let Some(known) = known.filter(|_| !again && !scope.names.contains(name)) {
            let stamps = self.opened.stamps_of(name);
            if self.stamps.get(name) == Some(&stamps) {
                return Found::Same;
            }
            if stamps.changed_micros().is_some_and(|at| is_young(at, QUIET, now)) {
                return Found::Changing;
            }
            return self.read(name, Some(known), again, trust);
        }
        self.read(name, known, again, trust)
    }

    fn read(&self, name: &TemplateName, known: Option<&Seen>, again: bool, trust: Option<Trust<'_>>) -> Found {
        let Some(files) = self.opened.read(name) else { return Found::Absent };
        let fingerprint = fingerprint(&files);
        let stamps = whole(&files).then(|| Box::new(files.stamps));
        let same = known.is_some_and(|seen| seen.fingerprint == fingerprint);
        let seen = (again || !same).then(|| Arc::new(Seen { fingerprint, ..seen(name, &files, trust) }));
        Found::Read { stamps, seen }
    }
}

/// Whether all that is there could be read.
fn whole(files: &Files) -> bool {
    let read = |bytes: &look::Bytes| bytes.document.is_ok() && bytes.signature.is_ok();
    read(&files.bytes) && files.beneath.as_ref().is_none_or(read)
}

/// Tells one content of a template's files from another.
fn fingerprint(files: &Files) -> [u8; 32] {
    let Some(environment) = &files.environment else { return files.bytes.fingerprint() };
    let mut hash = Sha256::new();
    hash.update(files.bytes.fingerprint());
    hash.update(files.beneath.as_ref().map_or([0; 32], look::Bytes::fingerprint));
    hash.update(environment.as_str());
    hash.finalize().into()
}

/// Looks at a template's file, and where it extends its own name at the one beneath.
fn seen(name: &TemplateName, files: &Files, trust: Option<Trust<'_>>) -> Seen {
    let mut seen = look::look(name, &files.bytes, trust);
    seen.environment.clone_from(&files.environment);
    let extends_itself = seen.outcome.as_ref().is_ok_and(|checked| checked.document.extends() == Some(name));
    if files.environment.is_some() && extends_itself {
        let beneath = files.beneath.as_ref().map(|bytes| look::look(name, bytes, trust));
        seen.beneath = Some(beneath.map_or(Beneath::Missing, |beneath| Beneath::There(Box::new(beneath.outcome))));
    }
    seen
}
