//! The way down to a file, one directory at a time, so that each is judged by what was opened and not by what its name meant
//! a moment earlier. Blocks.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::audit::{Audit, Part};

/// The most symbolic links on one way, as the kernel has it (`path_resolution(7)`).
const LINKS_MAX: usize = 40;
/// The most reasons that are told of one way.
const REASONS_MAX: usize = 8;

/// Why a way leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::control_plane::template) enum Astray {
    /// Nothing is there.
    Missing,
    /// It cannot, or must not, be gone.
    Because(String),
}

impl Astray {
    pub(super) fn of(fault: Errno) -> Self {
        if fault == Errno::NOENT { Self::Missing } else { Self::Because(format!("cannot be read: {fault}")) }
    }
}

/// Where a way ended: the directory of the last part, which is no symbolic link, and its name there.
#[derive(Debug)]
pub(super) struct End {
    pub(super) directory: OwnedFd,
    pub(super) name: OsString,
    /// What the audit has against the way.
    pub(super) faults: Vec<String>,
}

/// A way being gone.
pub(super) struct Descent {
    audit: Audit,
    /// Whether links may lead out of where it began.
    confined: bool,
    /// The directories from where it began to where it is.
    stack: Vec<(PathBuf, OwnedFd)>,
    links: usize,
    faults: Vec<String>,
}

impl Descent {
    /// A way from the root of the file system; symbolic links may lead anywhere.
    pub(super) fn from_root(audit: Audit) -> Result<Self, Astray> {
        let root = rustix::fs::openat(CWD, "/", directory_flags(), Mode::empty()).map_err(Astray::of)?;
        let mut descent = Self { audit, confined: false, stack: Vec::new(), links: 0, faults: Vec::new() };
        descent.enter(PathBuf::from("/"), root, Part::Above)?;
        Ok(descent)
    }

    /// A way from a directory, which it must not leave.
    pub(super) fn within(audit: Audit, directory: OwnedFd) -> Self {
        Self { audit, confined: true, stack: vec![(PathBuf::new(), directory)], links: 0, faults: Vec::new() }
    }

    /// Goes a path to its last part, which may be anything but a symbolic link.
    ///
    /// Directories on the way are those above the templates where the way began at the root, and hold templates themselves
    /// where it began with theirs.
    pub(super) fn to(mut self, path: &Path) -> Result<End, Astray> {
        let mut ahead: VecDeque<OsString> = parts(path);
        loop {
            let Some(part) = ahead.pop_front() else { return self.end(OsString::from(".")) };
            if part == ".." {
                self.back()?;
                continue;
            }
            let (place, here) = self.stack.last().ok_or(Astray::Missing)?;
            let facts = rustix::fs::statat(here, &part, AtFlags::SYMLINK_NOFOLLOW).map_err(Astray::of)?;
            let path = place.join(&part);
            if FileType::from_raw_mode(facts.st_mode) == FileType::Symlink {
                let target = rustix::fs::readlinkat(here, &part, Vec::new()).map_err(Astray::of)?;
                self.note(Part::Link, &path, &facts);
                let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                self.follow(&path, &target)?;
                let mut next = parts(&target);
                next.append(&mut ahead);
                ahead = next;
            } else if ahead.is_empty() {
                return self.end(part);
            } else {
                let opened = rustix::fs::openat(here, &part, directory_flags(), Mode::empty()).map_err(Astray::of)?;
                let kind = if self.confined { Part::Directory } else { Part::Above };
                self.enter(path, opened, kind)?;
            }
        }
    }

    fn enter(&mut self, path: PathBuf, directory: OwnedFd, part: Part) -> Result<(), Astray> {
        let facts = rustix::fs::fstat(&directory).map_err(Astray::of)?;
        self.note(part, &path, &facts);
        self.stack.push((path, directory));
        Ok(())
    }

    fn note(&mut self, part: Part, path: &Path, facts: &Stat) {
        if self.faults.len() < REASONS_MAX
            && let Some(fault) = self.audit.fault(part, facts)
        {
            // Where the host keeps its files is nobody's business who may read refusals.
            let told = if self.confined {
                format!("source audit: {} is {fault}", path.display())
            } else {
                tracing::warn!(path = %path.display(), fault, "source audit");
                let what = if matches!(part, Part::Link) { "a symbolic link" } else { "a directory" };
                format!("source audit: {what} on the way to the templates is {fault}; the log has its path")
            };
            self.faults.push(told);
        }
    }

    fn back(&mut self) -> Result<(), Astray> {
        if self.stack.len() > 1 {
            self.stack.truncate(self.stack.len().saturating_sub(1));
            return Ok(());
        }
        if self.confined { Err(leaves("..")) } else { Ok(()) }
    }

    fn follow(&mut self, link: &Path, target: &Path) -> Result<(), Astray> {
        self.links = self.links.saturating_add(1);
        if self.links > LINKS_MAX {
            return Err(Astray::Because("cannot be read: too many symbolic links, or a loop of them".to_owned()));
        }
        if target.is_absolute() {
            if self.confined {
                return Err(leaves(&link.display().to_string()));
            }
            self.stack.truncate(1);
        }
        Ok(())
    }

    fn end(mut self, name: OsString) -> Result<End, Astray> {
        let (_, directory) = self.stack.pop().ok_or(Astray::Missing)?;
        Ok(End { directory, name, faults: self.faults })
    }
}

fn leaves(link: &str) -> Astray {
    let reason = format!("source audit: the symbolic link {link} leads out of the templates directory");
    Astray::Because(reason)
}

/// The parts of a path; where it begins is known to whoever asks.
fn parts(path: &Path) -> VecDeque<OsString> {
    let named = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsStr::new("..").to_owned()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(named).collect()
}

/// Opens a directory only as a place to go on from, and no link in its stead.
fn directory_flags() -> OFlags {
    OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}
