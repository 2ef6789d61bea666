//! Room on the disk, looked at before sled is given anything: once a write of its own has failed, sled refuses reads as well, so
//! that writing stops before the disk is full, and goes on by itself when there is room again.

use std::fmt;
use std::path::PathBuf;

use rustix::fs::statvfs;

/// Bytes that stay free on the disk. Below it nothing is acknowledged, and reads go on. sled allocates half a megabyte at a time,
/// the log and other programs may write meanwhile, and an administrator needs room to work in.
pub(super) const SPACE_RESERVED_BYTES: u64 = 16 * 1_024 * 1_024;

/// Tells how many bytes are free; none where nobody knows.
pub(super) type FreeBytes = Box<dyn Fn() -> Option<u64> + Send + Sync>;

/// The disk that the store is on.
pub(super) struct Space(FreeBytes);

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("space")
    }
}

/// There is too little room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoRoom {
    free: u64,
}

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes are free on its disk, and {SPACE_RESERVED_BYTES} are kept free", self.free)
    }
}

impl Space {
    /// The disk that a directory is on.
    pub(super) fn of(directory: PathBuf) -> FreeBytes {
        Box::new(move || {
            let found = statvfs(&directory).ok()?;
            Some(found.f_bavail.saturating_mul(found.f_frsize))
        })
    }

    pub(super) fn new(free: FreeBytes) -> Self {
        Self(free)
    }

    /// Whether so many bytes more can be written. What is stored takes more room than what was given: envelopes, pages, and
    /// pages that are written anew.
    pub(super) fn room_for(&self, bytes: usize) -> Result<(), NoRoom> {
        let wanted = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(2).saturating_add(SPACE_RESERVED_BYTES);
        match (self.0)() {
            Some(free) if free < wanted => Err(NoRoom { free }),
            Some(_) | None => Ok(()),
        }
    }
}
