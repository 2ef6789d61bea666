//! Why a write did not reach the disk, in words for a log and as a cause that an operator can act upon.

use std::fmt;
use std::io;
use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statvfs};

/// A write, flush or sync that failed.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    text: String,
    kind: Option<io::ErrorKind>,
}

/// What keeps the store from writing. Outward: it names no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// No space is left, or a quota or a limit on the size of files is reached.
    DiskFull,
    /// So little space is left that nothing is written, so that reading can go on.
    NoRoom,
    /// The file system does not take writes.
    ReadOnly,
    /// The disk or the database failed otherwise; the log says how.
    Failed,
}

impl Cause {
    /// What it is and what to do, for whoever asks why nothing is acknowledged.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::DiskFull => "the disk is full: free space, then restart the daemon",
            Self::NoRoom => "the disk is nearly full: free space, and it goes on by itself",
            Self::ReadOnly => "the file system is read-only: make it writable, then restart the daemon",
            Self::Failed => {
                "the disk failed: see the log, check the disk, then restart the daemon, or restore a backup"
            }
        }
    }
}

impl Fault {
    /// A failure that is no answer of the host's.
    pub(super) fn other(text: impl fmt::Display) -> Self {
        Self { text: text.to_string(), kind: None }
    }

    /// A failure that the host reported.
    pub(super) fn io(doing: &str, fault: &io::Error) -> Self {
        Self { text: format!("{doing}: {fault}"), kind: Some(fault.kind()) }
    }

    /// What kept the write from the disk that `data_dir` is on. Where sled swallowed what the host said, the file system is asked.
    pub(super) fn cause(&self, data_dir: Option<&Path>) -> Cause {
        match self.kind {
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge) => {
                return Cause::DiskFull;
            }
            Some(io::ErrorKind::ReadOnlyFilesystem) => return Cause::ReadOnly,
            Some(_) | None => {}
        }
        match data_dir.map(statvfs) {
            Some(Ok(found)) if found.f_flag.contains(StatVfsMountFlags::RDONLY) => Cause::ReadOnly,
            Some(Ok(found)) if found.f_bavail == 0 => Cause::DiskFull,
            Some(Ok(_) | Err(_)) | None => Cause::Failed,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_says_becomes_a_cause() {
        for (errno, cause) in [
            (28, Cause::DiskFull),
            (122, Cause::DiskFull),
            (27, Cause::DiskFull),
            (30, Cause::ReadOnly),
            (5, Cause::Failed),
        ] {
            let fault = Fault::io("sync", &io::Error::from_raw_os_error(errno));
            assert_eq!(fault.cause(None), cause, "{fault}");
        }
        assert_eq!(Fault::other("sled panicked").cause(None), Cause::Failed);
    }
}
