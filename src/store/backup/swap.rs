//! The directory that is being made beside the old one, and the rename that puts it in its place.
//!
//! ```text
//! data.restoring-T   being filled; removed by the next restore if this one is killed
//! data.before-restore-T ⇄ data   exchanged by one renameat2(2): each name always has a whole directory
//! ```

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FlockOperation, RenameFlags, StatxAttributes, StatxFlags, flock, renameat_with, statx};

use super::restore::failed;
use crate::domain::clock::Timestamp;
use crate::store::Error;
use crate::store::payload::sync_directory;

/// What a data directory may hold; one that holds none of it is somebody else's.
const OURS: [&str; 7] = ["store", "store.position", "payloads", "keyring", "dlp.key", "audit.key", "audit.pub.pem"];

/// The directory that is to be replaced, without links; need not be there.
///
/// # Errors
/// It could not be exchanged when the new one is ready, or it is no data directory.
pub(super) fn replaceable(data_dir: &Path) -> Result<PathBuf, Error> {
    let refused = |why: &str| Error::Restore(format!("{} {why}; nothing was touched", data_dir.display()));
    if !data_dir.exists() {
        let is_there = fs::symlink_metadata(data_dir).is_ok();
        return if is_there { Err(refused("is a link to nothing")) } else { Ok(data_dir.to_owned()) };
    }
    let data_dir = failed(data_dir, data_dir.canonicalize())?;
    let mut entries = failed(&data_dir, fs::read_dir(&data_dir))?;
    if entries.next().is_some() && !OURS.iter().any(|name| data_dir.join(name).exists()) {
        return Err(refused("is no data directory: there is something in it, and nothing of a daemon's"));
    }
    if is_mount_point(&data_dir) { Err(refused(MOUNT_POINT)) } else { Ok(data_dir) }
}

/// Whether the host says so; where it does not say, the exchange will.
fn is_mount_point(directory: &Path) -> bool {
    let found = statx(CWD, directory, AtFlags::empty(), StatxFlags::empty());
    found.is_ok_and(|found| {
        found.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT)
            && found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)
    })
}

/// Why a mount point is not replaced.
const MOUNT_POINT: &str = "is a mount point, which cannot be exchanged with another directory: restore to one below it with --data-dir, and set data_dir to that";

/// A new directory, locked so that no other restore takes it for a leftover.
pub(super) struct Place {
    data_dir: PathBuf,
    directory: PathBuf,
    before: PathBuf,
    _lock: File,
}

impl Place {
    /// Makes an empty directory beside `data_dir`, and removes those that killed restores left.
    pub(super) fn beside(data_dir: &Path, at: Timestamp) -> Result<Self, Error> {
        let name = data_dir.file_name().ok_or_else(|| {
            Error::Restore(format!("{} has no name that another directory could take", data_dir.display()))
        })?;
        let name = name.to_string_lossy().into_owned();
        let parent = match data_dir.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            Some(_) | None => PathBuf::from("."),
        };
        failed(&parent, fs::create_dir_all(&parent))?;
        failed(&parent, remove_leftovers(&parent, &format!("{name}.restoring-")))?;
        let stamp: String = at.to_string().chars().filter(|c| !matches!(c, '-' | ':')).collect();
        let directory = parent.join(format!("{name}.restoring-{stamp}"));
        let before = parent.join(format!("{name}.before-restore-{stamp}"));
        if before.exists() {
            return Err(Error::Restore(format!("{} is there already", before.display())));
        }
        failed(&directory, DirBuilder::new().mode(0o700).create(&directory))?;
        let lock = failed(&directory, File::open(&directory))?;
        failed(&directory, flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(io::Error::from))?;
        Ok(Self { data_dir: data_dir.to_owned(), directory, before, _lock: lock })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Puts the directory in the place of the old one; returns where the old one is kept.
    pub(super) fn take(&self) -> Result<Option<PathBuf>, Error> {
        let kept = match self.exchange() {
            // Also one that is mounted from the same file system.
            Err(fault) if matches!(fault.kind(), io::ErrorKind::ResourceBusy | io::ErrorKind::CrossesDevices) => {
                return Err(Error::Restore(format!("{} {MOUNT_POINT}: {fault}", self.data_dir.display())));
            }
            exchanged => failed(&self.data_dir, exchanged)?,
        };
        if let Some(parent) = self.directory.parent() {
            failed(parent, sync_directory(parent))?;
        }
        Ok(kept)
    }

    fn exchange(&self) -> io::Result<Option<PathBuf>> {
        let old = match fs::symlink_metadata(&self.data_dir) {
            Ok(old) => old,
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
                fs::rename(&self.directory, &self.data_dir)?;
                return Ok(None);
            }
            Err(fault) => return Err(fault),
        };
        inherit(&self.directory, &old)?;
        if fs::read_dir(&self.data_dir)?.next().is_none() {
            // An empty directory is replaced by a rename.
            fs::rename(&self.directory, &self.data_dir)?;
            return Ok(None);
        }
        renameat_with(CWD, &self.directory, CWD, &self.before, RenameFlags::NOREPLACE)?;
        match renameat_with(CWD, &self.before, CWD, &self.data_dir, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(Some(self.before.clone())),
            Err(fault) => {
                // Back under the name that is cleaned up.
                fs::rename(&self.before, &self.directory)?;
                Err(fault.into())
            }
        }
    }

    /// Removes what was made so far.
    pub(super) fn give_up(&self) {
        if let Err(fault) = fs::remove_dir_all(&self.directory)
            && fault.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%fault, directory = %self.directory.display(), "a restore that failed left a directory behind");
        }
    }
}

/// Removes directories that a restore made and nobody fills any more.
fn remove_leftovers(parent: &Path, prefix: &str) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(prefix) || !entry.file_type()?.is_dir() {
            continue;
        }
        let is_left = flock(File::open(entry.path())?, FlockOperation::NonBlockingLockExclusive).is_ok();
        if is_left {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Gives a tree the owner and the mode of the directory that it replaces: an administrator restores, and the daemon is another user.
fn inherit(directory: &Path, old: &fs::Metadata) -> io::Result<()> {
    fs::set_permissions(directory, Permissions::from_mode(old.mode() & 0o7777))?;
    each(directory, &mut |path| {
        let own = fs::symlink_metadata(path)?;
        let same = own.uid() == old.uid() && own.gid() == old.gid();
        if same { Ok(()) } else { chown(path, Some(old.uid()), Some(old.gid())) }
    })
}

/// Syncs every file and directory of a tree, and the directory that names it.
pub(super) fn sync_all(directory: &Path) -> io::Result<()> {
    each(directory, &mut |path| File::open(path)?.sync_all())?;
    directory.parent().map_or(Ok(()), sync_directory)
}

/// Does something to everything in a tree, the tree itself last.
fn each(directory: &Path, act: &mut impl FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            each(&entry.path(), act)?;
        } else {
            act(&entry.path())?;
        }
    }
    act(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_says_what_is_a_mount_point() {
        let directory = tempfile::tempdir().unwrap();
        assert!(is_mount_point(Path::new("/proc")) && !is_mount_point(directory.path()));
    }
}
