//! The sled database: opened, recognised, read from, written to in groups.
//!
//! sled's `flush` writes but does not sync; whoever writes a group calls [`Engine::write`] and then the [`SyncStep`], which
//! syncs sled's one data file.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, fdatasync, flock};
use rustix::io::Errno;

use super::fault::Fault;
use super::group::{Entry, Prior, Writes};
use super::mark::Mark;
use super::payload::sync_directory;
use super::{Error, Keyspace, Options, Position, committer, key};

/// The newest stored format that this version reads.
pub(super) const FORMAT_VERSION: u32 = FORMAT_SEALED;
/// The format of a store in which nothing is sealed.
pub(super) const FORMAT_CLEAR: u32 = 1;
/// The format of a store from its first sealed record on.
pub(super) const FORMAT_SEALED: u32 = 2;
/// Begins the format record. It has no envelope, so that every version can read it.
const MAGIC: &[u8; 8] = b"AGFSTORE";

/// Makes what the engine wrote durable.
pub(super) type SyncStep = Box<dyn FnMut() -> io::Result<()> + Send>;

/// The open database. Fields are dropped in order: the lock goes last.
#[derive(Debug)]
pub(super) struct Engine {
    db: sled::Db,
    directory: PathBuf,
    options: Options,
    _lock: File,
}

impl Engine {
    /// Opens or creates the database in `data_dir/store`.
    pub(super) fn open(data_dir: &Path, options: Options) -> Result<Self, Error> {
        let directory = data_dir.join("store");
        let failed = |fault: io::Error| Error::Open(format!("{}: {fault}", directory.display()));
        DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(failed)?;
        let lock = lock(&directory)?;
        refuse_foreign_files(&directory)?;
        let durable = Mark::read(data_dir).map_err(failed)?.unwrap_or_default();
        if durable.0 > 0 && !directory.join("db").exists() {
            return Err(Error::Incomplete { directory, found: 0, durable: durable.0 });
        }
        fs::set_permissions(&directory, Permissions::from_mode(0o700)).map_err(failed)?;
        let db = open_sled(&directory, options)?;
        let engine = Self { db, directory, options, _lock: lock };
        match engine.db.get(key::full(Keyspace::Meta, key::FORMAT)).map_err(|fault| Error::Open(fault.to_string()))? {
            Some(format) => engine.recognise(&format)?,
            // What sled made of a file without an end is not marked as a new store of ours.
            None if durable.0 > 0 => {
                let directory = engine.directory.clone();
                return Err(Error::Incomplete { directory, found: 0, durable: durable.0 });
            }
            None => engine.create(data_dir)?,
        }
        Ok(engine)
    }

    fn recognise(&self, format: &[u8]) -> Result<(), Error> {
        let version = format
            .strip_prefix(MAGIC)
            .and_then(|rest| rest.try_into().ok())
            .map(u32::from_be_bytes)
            .ok_or_else(|| self.not_ours("its format record is not ours"))?;
        if version > FORMAT_VERSION {
            return Err(Error::Newer { directory: self.directory.clone(), found: version, known: FORMAT_VERSION });
        }
        Ok(())
    }

    /// Marks an empty database as ours and makes its files and directories durable.
    fn create(&self, data_dir: &Path) -> Result<(), Error> {
        if !self.db.is_empty() || self.db.tree_names().len() > 1 {
            return Err(self.not_ours("it has records but no format record"));
        }
        let format = format_record(FORMAT_CLEAR);
        let failed = |fault: String| Error::Open(format!("create {}: {fault}", self.directory.display()));
        self.db.insert(key::full(Keyspace::Meta, key::FORMAT), format).map_err(|fault| failed(fault.to_string()))?;
        self.db.flush().map_err(|fault| failed(fault.to_string()))?;
        self.sync_files(data_dir).map_err(|fault| failed(fault.to_string()))
    }

    fn sync_files(&self, data_dir: &Path) -> io::Result<()> {
        // sled syncs neither: without `conf` the database does not open again.
        for name in ["db", "conf"] {
            let file = File::open(self.directory.join(name))?;
            file.set_permissions(Permissions::from_mode(0o600))?;
            file.sync_all()?;
        }
        sync_directory(&self.directory)?;
        sync_directory(data_dir)?;
        match data_dir.canonicalize()?.parent() {
            Some(parent) => sync_directory(parent),
            None => Ok(()),
        }
    }

    fn not_ours(&self, why: &str) -> Error {
        Error::Foreign { directory: self.directory.clone(), why: why.to_owned() }
    }

    /// Whether sled still answers: once a write of its own failed, it refuses reads as well.
    pub(super) fn answers(&self) -> bool {
        self.get(&key::full(Keyspace::Meta, key::FORMAT)).is_ok()
    }

    /// Opens anew what is on the disk; the directory stays ours meanwhile.
    pub(super) fn reopen(self) -> Result<Self, Error> {
        let Self { db, directory, options, _lock } = self;
        if catch_unwind(AssertUnwindSafe(|| drop(db))).is_err() {
            tracing::warn!("sled panicked when it was closed");
        }
        let db = open_sled(&directory, options)?;
        Ok(Self { db, directory, options, _lock })
    }

    /// The data directory that the database is in.
    pub(super) fn data_dir(&self) -> &Path {
        self.directory.parent().unwrap_or(&self.directory)
    }

    /// Compares what is there with what was durable; the mark is told from then on how far the store is.
    pub(super) fn mark(&self) -> Result<Mark, Error> {
        let data_dir = self.data_dir();
        let failed = |fault: io::Error| Error::Open(format!("{}: {fault}", Mark::path(data_dir).display()));
        let found = committer::last_position(self)?;
        let Position(durable) = Mark::read(data_dir).map_err(failed)?.unwrap_or_default();
        if found.0 < durable {
            return Err(Error::Incomplete { directory: self.directory.clone(), found: found.0, durable });
        }
        // A process that was killed may have left a group that is read back and that no sync ever covered. From here on it is
        // told to whoever asks, and the mark tells of it, so that it has to be on the disk before.
        self.flush().map_err(|fault| Error::Open(fault.to_string()))?;
        (self.sync_step()?)().map_err(failed)?;
        Mark::open(data_dir, found).map_err(failed)
    }

    /// The step that makes written groups durable. The descriptor is of the file that sled has open.
    pub(super) fn sync_step(&self) -> Result<SyncStep, Error> {
        let path = self.directory.join("db");
        let file = File::open(&path).map_err(|fault| Error::Open(format!("{}: {fault}", path.display())))?;
        Ok(Box::new(move || fdatasync(&file).map_err(io::Error::from)))
    }

    /// Writes a group: all of it is found after a crash, or nothing. Not durable before the [`SyncStep`]. A panic of sled, which
    /// it prefers to an error on some failures of the disk, is an error.
    pub(super) fn write(&self, writes: Writes) -> Result<(), Fault> {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut batch = sled::Batch::default();
            for (key, value) in writes.entries {
                match value {
                    Some(value) => batch.insert(key, value),
                    None => batch.remove(key),
                }
            }
            self.db.apply_batch(batch)
        }));
        settle("write", outcome).map(drop)
    }

    /// Hands everything written so far to the operating system.
    pub(super) fn flush(&self) -> Result<(), Fault> {
        settle("flush", catch_unwind(AssertUnwindSafe(|| self.db.flush()))).map(drop)
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<sled::IVec>, Error> {
        self.db.get(key).map_err(|fault| Error::Read(fault.to_string()))
    }

    pub(super) fn contains(&self, key: &[u8]) -> Result<bool, Error> {
        self.db.contains_key(key).map_err(|fault| Error::Read(fault.to_string()))
    }

    /// The entries from `from` (or behind it) to before `to`.
    pub(super) fn entries(&self, bounds: (std::ops::Bound<Vec<u8>>, std::ops::Bound<Vec<u8>>)) -> sled::Iter {
        self.db.range(bounds)
    }
}

impl Prior for Engine {
    type Error = Error;

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Ok(Self::get(self, key)?.map(|value| value.to_vec()))
    }

    fn last(&self, keyspace: Keyspace) -> Result<Option<Entry>, Error> {
        let found = self.db.scan_prefix([keyspace as u8]).next_back().transpose();
        let found = found.map_err(|fault| Error::Read(fault.to_string()))?;
        Ok(found.map(|(key, value)| (key.to_vec(), value.to_vec())))
    }
}

/// The record that names a stored format.
pub(super) fn format_record(version: u32) -> Vec<u8> {
    [MAGIC.as_slice(), &version.to_be_bytes()].concat()
}

fn settle<T>(doing: &str, outcome: std::thread::Result<sled::Result<T>>) -> Result<T, Fault> {
    match outcome {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(sled::Error::Io(fault))) => Err(Fault::io(doing, &fault)),
        Ok(Err(fault)) => Err(Fault::other(format!("{doing}: {fault}"))),
        Err(_) => Err(Fault::other(format!("{doing}: sled panicked"))),
    }
}

fn open_sled(directory: &Path, options: Options) -> Result<sled::Db, Error> {
    remove_unfinished(directory).map_err(|fault| Error::Open(format!("{}: {fault}", directory.display())))?;
    // The committer flushes; a background flusher would only wake an idle daemon.
    let config = sled::Config::new().path(directory).cache_capacity(options.cache_bytes).flush_every_ms(None);
    match catch_unwind(AssertUnwindSafe(|| config.open())) {
        Ok(Ok(db)) => Ok(db),
        Ok(Err(sled::Error::Io(fault))) => Err(Error::Open(format!("{}: {fault}", directory.display()))),
        // sled panics over some kinds of damage; no other panic of an opening is known.
        Ok(Err(fault)) => Err(Error::Corrupt { directory: directory.to_owned(), reason: fault.to_string() }),
        Err(_) => Err(Error::Corrupt { directory: directory.to_owned(), reason: "sled panicked".to_owned() }),
    }
}

/// Removes what sled had not finished writing when the last process ended, and would not open with.
///
/// It writes a snapshot of its page table under a name of its own and renames it, but takes the unfinished one for the newest
/// all the same; the one before is there until the rename. It writes `conf` once, in two parts and without a sync; what stands
/// in it is the same for every store of ours, so that sled can write it again.
fn remove_unfinished(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let unfinished_snapshot = name.starts_with("snap.") && name.ends_with(".generating");
        if unfinished_snapshot || name == "conf" && !ends_in_its_checksum(&fs::read(entry.path())?) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Whether the last four bytes are the CRC-32 of those before.
fn ends_in_its_checksum(content: &[u8]) -> bool {
    content.split_last_chunk().is_some_and(|(body, sum)| crc32fast::hash(body) == u32::from_le_bytes(*sum))
}

/// Takes the directory for this process. The lock is on the directory itself, and goes with the process.
pub(super) fn lock(directory: &Path) -> Result<File, Error> {
    let failed = |fault: io::Error| Error::Open(format!("lock {}: {fault}", directory.display()));
    let file = OpenOptions::new().read(true).mode(0o700).open(directory).map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(Errno::WOULDBLOCK) => Err(Error::InUse(directory.to_owned())),
        Err(fault) => Err(failed(fault.into())),
    }
}

fn refuse_foreign_files(directory: &Path) -> Result<(), Error> {
    let failed = |fault: io::Error| Error::Open(format!("{}: {fault}", directory.display()));
    for entry in fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let name = name.to_string_lossy();
        let ours = matches!(&*name, "db" | "conf" | "blobs") || name.starts_with("snap.");
        if !ours {
            return Err(Error::Foreign { directory: directory.to_owned(), why: format!("it holds a file {name:?}") });
        }
    }
    Ok(())
}
