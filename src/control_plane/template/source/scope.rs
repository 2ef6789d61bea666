//! What is to be looked at, and the wait until editors are done. Pure: time comes as the time since the watch began.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::domain::name::TemplateName;

/// How long a template and its signature must have been left alone: the debounce.
pub const QUIET: Duration = Duration::from_millis(100);
/// The longest wait for a file that is written to without pause.
pub const PATIENCE: Duration = Duration::from_millis(600);
/// The most files that are waited for one by one; beyond it, everything is looked at.
const WAITING_MAX: usize = 4_096;

/// What is to be looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::control_plane::template) struct Scope {
    /// The whole directory, because something in it changed.
    pub(in crate::control_plane::template) everything: bool,
    /// The whole directory and the keys, in case something in them changed and nobody heard of it.
    pub(in crate::control_plane::template) sweep: bool,
    /// The trusted keys.
    pub(in crate::control_plane::template) keys: bool,
    /// The policy.
    pub(in crate::control_plane::template) policy: bool,
    /// These files.
    pub(in crate::control_plane::template) names: BTreeSet<TemplateName>,
    /// These files, which were being changed when they were looked at.
    pub(in crate::control_plane::template) settling: BTreeSet<TemplateName>,
    /// These published versions, whose verification failed when they were to be activated.
    pub(in crate::control_plane::template) doubted: BTreeSet<TemplateName>,
}

impl Scope {
    /// Everything there is.
    pub(in crate::control_plane::template) fn all() -> Self {
        Self { everything: true, keys: true, policy: true, ..Self::default() }
    }

    /// Everything there is, though nothing has told of a change.
    pub(in crate::control_plane::template) fn swept() -> Self {
        Self { sweep: true, ..Self::default() }
    }

    pub(in crate::control_plane::template) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds another scope.
    pub(in crate::control_plane::template) fn add(&mut self, other: Self) {
        self.everything |= other.everything;
        self.sweep |= other.sweep;
        self.keys |= other.keys;
        self.policy |= other.policy;
        self.names.extend(other.names);
        self.settling.extend(other.settling);
        self.doubted.extend(other.doubted);
    }
}

/// Something in the watched directories that changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::control_plane::template) enum Subject {
    /// No one knows what: events were lost, or a directory was replaced.
    Everything,
    /// A key.
    Keys,
    /// A template or its signature.
    Template(TemplateName),
}

/// Changes that wait until editors are done.
#[derive(Debug, Default)]
pub(in crate::control_plane::template) struct Debounce {
    /// When each was first and last changed.
    waiting: BTreeMap<Subject, (Duration, Duration)>,
}

impl Debounce {
    /// Notes a change.
    pub(in crate::control_plane::template) fn note(&mut self, subject: Subject, now: Duration) {
        if self.waiting.len() >= WAITING_MAX && !self.waiting.contains_key(&subject) {
            let first = self.waiting.values().map(|(first, _)| *first).min().unwrap_or(now);
            self.waiting = BTreeMap::from([(Subject::Everything, (first, now)), (Subject::Keys, (first, now))]);
            return;
        }
        self.waiting.entry(subject).or_insert((now, now)).1 = now;
    }

    /// When the next change is due.
    pub(in crate::control_plane::template) fn next(&self) -> Option<Duration> {
        self.waiting.values().map(due_at).min()
    }

    /// Takes what is due.
    pub(in crate::control_plane::template) fn due(&mut self, now: Duration) -> Scope {
        let mut scope = Scope::default();
        self.waiting.retain(|subject, times| {
            let waits = due_at(times) > now;
            if !waits {
                match subject {
                    Subject::Everything => scope.everything = true,
                    Subject::Keys => scope.keys = true,
                    Subject::Template(name) => {
                        scope.names.insert(name.clone());
                    }
                }
            }
            waits
        });
        scope
    }
}

fn due_at((first, last): &(Duration, Duration)) -> Duration {
    last.saturating_add(QUIET).min(first.saturating_add(PATIENCE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(name: &str) -> Subject {
        Subject::Template(name.parse().expect("a name"))
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_wait_counts_from_the_later_of_document_and_signature() {
        let mut debounce = Debounce::default();
        debounce.note(template("a"), ms(0));
        debounce.note(template("a"), ms(80));
        assert_eq!(debounce.next(), Some(ms(180)));
        assert!(debounce.due(ms(179)).is_empty());
        assert_eq!(debounce.due(ms(180)).names.len(), 1);
        assert_eq!(debounce.next(), None);
    }

    #[test]
    fn one_file_does_not_wait_for_another() {
        let mut debounce = Debounce::default();
        debounce.note(template("a"), ms(0));
        debounce.note(template("b"), ms(90));
        let due = debounce.due(ms(100));
        assert_eq!(due.names.iter().map(TemplateName::as_str).collect::<Vec<_>>(), ["a"]);
        assert_eq!(debounce.next(), Some(ms(190)));
    }

    #[test]
    fn a_file_that_is_never_left_alone_is_looked_at_all_the_same() {
        let mut debounce = Debounce::default();
        for at in (0..600).step_by(50) {
            assert!(debounce.due(ms(at)).is_empty());
            debounce.note(template("a"), ms(at));
        }
        assert_eq!(debounce.next(), Some(PATIENCE));
    }

    #[test]
    fn a_flood_becomes_a_look_at_everything() {
        let mut debounce = Debounce::default();
        for n in 0..=WAITING_MAX {
            debounce.note(template(&format!("t{n}")), ms(1));
        }
        let due = debounce.due(ms(101));
        assert!(due.everything && due.keys && due.names.is_empty());
    }
}
