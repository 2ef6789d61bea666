//! A look at the directory: what stands there, read until it stands still where it may be being filled, and judged against the
//! policy that it would take the place of.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tracing::error;

use crate::domain::name::Digest;
use crate::store::Store;

use super::Policy;
use super::archive;
use super::source::Source;

/// How long a directory that took another's place, or lost files, must stand still: it may be being filled.
const STILL: Duration = Duration::from_millis(250);
/// The most reads of one look at a directory that does not stand still.
const READS_MAX: usize = 20;
/// Why a directory without modules is refused after one with modules.
const GONE: &str = "all modules are gone; to go on without rules leave one with: deny contains x if { x := 0; false }";

/// What came of a look.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) looked: Looked,
    pub(super) place: Place,
}

impl Look {
    /// It did not come to an end.
    pub(super) fn failed(fault: &tokio::task::JoinError) -> Self {
        Self { looked: Looked::Bad(vec![format!("read the policy: {fault}")]), place: Place(None) }
    }
}

/// What is to be done about it.
#[derive(Debug)]
pub(super) enum Looked {
    /// The files are what is in force.
    Same,
    /// They are another policy, and a good one.
    Good(Arc<Policy>),
    /// They cannot be used.
    Bad(Vec<String>),
}

/// Which directory was read, by device and inode; nothing where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(Option<(u64, u64)>);

/// What a look is judged against.
pub(super) struct Before {
    /// The policy in force, unless that denies everything because there is none.
    digest: Option<Digest>,
    /// The files of the last good policy.
    names: BTreeSet<String>,
    /// Whether it had rules, or may have had.
    had_modules: bool,
    /// Where the directory was at the last look, if there was one.
    place: Option<Place>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    source: Result<Source, Vec<String>>,
    place: Place,
}

impl Before {
    /// After the policy in force; where there is none, after the last good one that the store knows of. Blocks.
    pub(super) fn of(in_force: &Policy, place: Option<Place>, store: &Store, directory: &Path) -> Self {
        if !in_force.is_closed() {
            return Self::after(in_force.source(), Some(in_force.digest()), place);
        }
        match archive::last_good(store, directory) {
            Ok(kept) => Self::after(&kept.unwrap_or_default(), None, place),
            Err(fault) => {
                error!(fault, "the last good policy cannot be read; a directory without modules is not believed");
                Self { had_modules: true, ..Self::after(&Source::default(), None, place) }
            }
        }
    }

    fn after(source: &Source, digest: Option<Digest>, place: Option<Place>) -> Self {
        let names = source.names().map(str::to_owned).collect();
        Self { digest, names, had_modules: source.modules().next().is_some(), place }
    }

    /// Whether the directory may be one that is being filled: it took another's place, or files are missing.
    fn doubts(&self, seen: &Seen) -> bool {
        let lacks = |source: &Source| {
            let there: BTreeSet<&str> = source.names().collect();
            self.names.iter().any(|name| !there.contains(name.as_str()))
        };
        self.place.is_some_and(|place| place != seen.place) || seen.source.as_ref().is_ok_and(lacks)
    }
}

/// Reads and judges the directory.
pub(super) async fn look(directory: PathBuf, environment: Option<String>, before: Before) -> Look {
    let Seen { source, place } = settled(&before, || read(directory.clone())).await;
    let looked = match source {
        Err(mistakes) => Looked::Bad(mistakes),
        Ok(source) if before.digest == Some(source.digest()) => Looked::Same,
        Ok(source) if before.had_modules && source.modules().next().is_none() => Looked::Bad(vec![GONE.to_owned()]),
        Ok(source) => match tokio::task::spawn_blocking(move || Policy::load(source, environment)).await {
            Ok(Ok(policy)) => Looked::Good(Arc::new(policy)),
            Ok(Err(mistakes)) => Looked::Bad(mistakes),
            Err(fault) => Looked::Bad(vec![format!("load the policy: {fault}")]),
        },
    };
    Look { looked, place }
}

async fn read(directory: PathBuf) -> Seen {
    let read = tokio::task::spawn_blocking(move || {
        let place = Place(std::fs::metadata(&directory).ok().map(|about| (about.dev(), about.ino())));
        Seen { source: Source::read(&directory), place }
    });
    let failed = |fault| Seen { source: Err(vec![format!("read the policy: {fault}")]), place: Place(None) };
    read.await.unwrap_or_else(failed)
}

/// What is read, twice the same with a pause between where the first read is doubted.
async fn settled<R: Future<Output = Seen>>(before: &Before, read: impl Fn() -> R) -> Seen {
    let mut seen = read().await;
    if !before.doubts(&seen) {
        return seen;
    }
    for _ in 1..READS_MAX {
        tokio::time::sleep(STILL).await;
        let again = read().await;
        if again == seen {
            return seen;
        }
        seen = again;
    }
    Seen { source: Err(vec!["the policy directory does not stand still".to_owned()]), ..seen }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::control_plane::policy::source::File;

    const HERE: Place = Place(Some((1, 1)));
    const ELSEWHERE: Place = Place(Some((1, 2)));

    fn source(names: &[&str]) -> Source {
        let file = |name: &&str| File { name: (*name).to_owned(), text: format!("# {name}") };
        Source::of(names.iter().map(file).collect()).expect("small")
    }

    async fn reads(before: &Before, sequence: &[(&[&str], Place)]) -> (Seen, usize) {
        let count = Cell::new(0);
        let read = || {
            let (names, place) = sequence[count.get().min(sequence.len() - 1)];
            count.set(count.get() + 1);
            std::future::ready(Seen { source: Ok(source(names)), place })
        };
        let seen = settled(before, read).await;
        (seen, count.get())
    }

    #[tokio::test(start_paused = true)]
    async fn a_directory_that_is_being_filled_is_believed_when_it_stands_still() {
        let before = Before::after(&source(&["a.rego", "b.rego"]), None, Some(HERE));
        let (whole, half, none): (&[&str], &[&str], &[&str]) = (&["a.rego", "b.rego"], &["a.rego"], &[]);
        let (seen, count) = reads(&before, &[(whole, HERE)]).await;
        assert_eq!((seen.source, count), (Ok(source(whole)), 1), "what lacks nothing is believed at once");
        let (seen, count) = reads(&before, &[(none, HERE), (half, HERE), (whole, HERE)]).await;
        assert_eq!((seen.source, count), (Ok(source(whole)), 4));
        let (seen, count) = reads(&before, &[(whole, ELSEWHERE)]).await;
        assert_eq!((seen.place, count), (ELSEWHERE, 2), "another directory is read twice");
        let (seen, count) = reads(&before, &[(half, HERE)]).await;
        assert_eq!((seen.source, count), (Ok(source(half)), 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_directory_that_never_stands_still_is_not_believed() {
        let before = Before::after(&source(&["a.rego"]), None, Some(HERE));
        let count = Cell::new(0);
        let read = || {
            count.set(count.get() + 1);
            let seen = Seen { source: Ok(source(&[&format!("{}.rego", count.get())])), place: ELSEWHERE };
            std::future::ready(seen)
        };
        assert!(settled(&before, read).await.source.is_err());
        assert_eq!(count.get(), READS_MAX);
    }
}
