//! A directory that is open, and the files in it: what is judged and read is what the descriptor holds, whatever its name comes
//! to mean meanwhile. Blocks.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::audit::{self, Audit, Part};
use super::descent::{Astray, Descent};

/// How files are opened: one that is a pipe or a device does not block, and no terminal becomes the daemon's.
const FILE: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// An open directory.
#[derive(Debug)]
pub(in crate::control_plane::template) struct Opened {
    directory: OwnedFd,
    audit: Option<Audit>,
    /// What the audit has against the directory or the way to it; then no file in it is good.
    pub(in crate::control_plane::template) faults: Vec<String>,
    facts: Stat,
}

/// Tells one state of a file from another without reading it: any change moves the change time, which nobody can set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::control_plane::template) struct Stamp {
    device: u64,
    inode: u64,
    size: i64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(facts: &Stat) -> Self {
        Self {
            device: facts.st_dev,
            inode: facts.st_ino,
            size: facts.st_size,
            modified: (facts.st_mtime, i64::try_from(facts.st_mtime_nsec).unwrap_or_default()),
            changed: (facts.st_ctime, i64::try_from(facts.st_ctime_nsec).unwrap_or_default()),
        }
    }

    /// When the file was last changed in any way, in microseconds since 1970.
    pub(in crate::control_plane::template) fn changed_micros(&self) -> i64 {
        let (seconds, nanos) = self.changed;
        seconds.saturating_mul(1_000_000).saturating_add(nanos.checked_div(1_000).unwrap_or_default())
    }

    /// Which file or directory it is, whatever is in it.
    pub(in crate::control_plane::template) fn identity(&self) -> (u64, u64) {
        (self.device, self.inode)
    }
}

/// A file that was read.
#[derive(Debug)]
pub(in crate::control_plane::template) struct ReadFile {
    pub(in crate::control_plane::template) content: Result<Vec<u8>, String>,
    /// None where the file could not even be opened.
    pub(in crate::control_plane::template) stamp: Option<Stamp>,
    /// Whose it is, by number.
    pub(in crate::control_plane::template) owner: Option<u32>,
}

impl ReadFile {
    fn refused(reason: impl Into<String>) -> Self {
        Self { content: Err(reason.into()), stamp: None, owner: None }
    }
}

impl Opened {
    /// Opens a directory that the settings name.
    pub(in crate::control_plane::template) fn root(path: &Path, audit: Option<Audit>) -> Result<Self, Astray> {
        let Some(audit) = audit else {
            let directory = rustix::fs::openat(CWD, path, DIRECTORY, Mode::empty()).map_err(Astray::of)?;
            return Self::of(directory, None, Vec::new());
        };
        let absolute =
            std::path::absolute(path).map_err(|fault| Astray::Because(format!("cannot be read: {fault}")))?;
        let end = Descent::from_root(audit)?.to(&absolute)?;
        let directory = rustix::fs::openat(&end.directory, &end.name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
        Self::of(directory.map_err(Astray::of)?, Some(audit), end.faults)?.judged("the templates directory")
    }

    /// Opens a directory in this one.
    pub(in crate::control_plane::template) fn within(&self, name: &str) -> Result<Self, Astray> {
        let Some(audit) = self.audit else {
            let directory = rustix::fs::openat(&self.directory, name, DIRECTORY, Mode::empty()).map_err(Astray::of)?;
            return Self::of(directory, None, Vec::new());
        };
        let end = self.descent(audit)?.to(Path::new(name))?;
        let directory = rustix::fs::openat(&end.directory, &end.name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
        let faults = self.faults.iter().cloned().chain(end.faults).collect();
        Self::of(directory.map_err(Astray::of)?, Some(audit), faults)?.judged(name)
    }

    fn of(directory: OwnedFd, audit: Option<Audit>, faults: Vec<String>) -> Result<Self, Astray> {
        let facts = rustix::fs::fstat(&directory).map_err(Astray::of)?;
        Ok(Self { directory, audit, faults, facts })
    }

    fn judged(mut self, told: &str) -> Result<Self, Astray> {
        let fault = self.audit.and_then(|audit| audit.fault(Part::Directory, &self.facts));
        self.faults.extend(fault.map(|fault| format!("source audit: {told} is {fault}")));
        Ok(self)
    }

    fn descent(&self, audit: Audit) -> Result<Descent, Astray> {
        let again = self.directory.try_clone().map_err(|fault| Astray::Because(format!("cannot be read: {fault}")))?;
        Ok(Descent::within(audit, again))
    }

    /// The directory's own stamp: which it is, and when a file in it was last made, renamed or removed.
    pub(in crate::control_plane::template) fn stamp(&self) -> Stamp {
        Stamp::of(&self.facts)
    }

    /// The names of the files in it that are text.
    pub(in crate::control_plane::template) fn names(&self) -> Result<Vec<String>, String> {
        let told = |fault: Errno| format!("cannot be listed: {fault}");
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.directory).map_err(told)? {
            let entry = entry.map_err(told)?;
            names.extend(entry.file_name().to_str().ok().map(str::to_owned));
        }
        Ok(names)
    }

    /// The stamp of a file, through symbolic links; none if it is not there.
    pub(in crate::control_plane::template) fn stamp_of(&self, name: &str) -> Option<Stamp> {
        rustix::fs::statat(&self.directory, name, AtFlags::empty()).ok().map(|facts| Stamp::of(&facts))
    }

    /// Reads a regular file of at most so many bytes; none if it is not there. A larger one is not read.
    pub(in crate::control_plane::template) fn read(&self, name: &str, bytes_max: usize) -> Option<ReadFile> {
        match self.open(name) {
            Ok((file, faults)) => Some(self.take(name, file, faults, bytes_max)),
            Err(Astray::Missing) => None,
            Err(Astray::Because(reason)) => Some(ReadFile { stamp: self.stamp_of(name), ..ReadFile::refused(reason) }),
        }
    }

    /// Opens a file, and says what the audit has against the way to it.
    fn open(&self, name: &str) -> Result<(OwnedFd, Vec<String>), Astray> {
        // Opening a device may have effects, and a pipe's other end would see somebody come.
        let facts = rustix::fs::statat(&self.directory, name, AtFlags::empty()).map_err(Astray::of)?;
        if !audit::is_regular(&facts) {
            return Err(irregular());
        }
        let Some(audit) = self.audit else {
            let file = rustix::fs::openat(&self.directory, name, FILE, Mode::empty()).map_err(Astray::of)?;
            return Ok((file, self.faults.clone()));
        };
        match rustix::fs::openat(&self.directory, name, FILE | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(file) => Ok((file, self.faults.clone())),
            Err(Errno::LOOP) => {
                let end = self.descent(audit)?.to(Path::new(name))?;
                let file = rustix::fs::openat(&end.directory, &end.name, FILE | OFlags::NOFOLLOW, Mode::empty());
                Ok((file.map_err(Astray::of)?, self.faults.iter().cloned().chain(end.faults).collect()))
            }
            Err(fault) => Err(Astray::of(fault)),
        }
    }

    fn take(&self, name: &str, file: OwnedFd, mut faults: Vec<String>, bytes_max: usize) -> ReadFile {
        let facts = match rustix::fs::fstat(&file) {
            Ok(facts) if audit::is_regular(&facts) => facts,
            Ok(_) => return ReadFile::refused(NOT_REGULAR),
            Err(fault) => return ReadFile::refused(format!("cannot be read: {fault}")),
        };
        let (stamp, owner) = (Some(Stamp::of(&facts)), Some(facts.st_uid));
        let fault = self.audit.and_then(|audit| audit.fault(Part::File, &facts));
        faults.extend(fault.map(|fault| format!("source audit: {name} is {fault}")));
        if !faults.is_empty() {
            return ReadFile { content: Err(faults.join("; ")), stamp, owner };
        }
        ReadFile { content: content(file, &facts, bytes_max), stamp, owner }
    }
}

const NOT_REGULAR: &str = "cannot be read: not a regular file";

fn irregular() -> Astray {
    Astray::Because(NOT_REGULAR.to_owned())
}

/// One byte more than the limit is read, because a file may grow between the look at its size and the reading.
fn content(file: OwnedFd, facts: &Stat, bytes_max: usize) -> Result<Vec<u8>, String> {
    let size = usize::try_from(facts.st_size).unwrap_or(usize::MAX);
    let too_large = |size: String| format!("larger than {bytes_max} bytes: it has {size}");
    if size > bytes_max {
        return Err(too_large(size.to_string()));
    }
    let limit = bytes_max.saturating_add(1);
    let mut content = Vec::with_capacity(size.saturating_add(1));
    let limited = u64::try_from(limit).unwrap_or(u64::MAX);
    match File::from(file).take(limited).read_to_end(&mut content) {
        Ok(read) if read > bytes_max => Err(too_large(format!("more than {bytes_max}"))),
        Ok(_) => Ok(content),
        Err(fault) => Err(format!("cannot be read: {fault}")),
    }
}
