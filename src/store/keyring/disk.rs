//! The keyring's file. A key is appended and synced before it is used, overwritten in its place when it is destroyed, and all are
//! written anew, into a file that then takes the name, when the master key changes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rand::RngCore as _;
use rand::rngs::OsRng;
use rustix::fs::fdatasync;

use super::cipher::{self, Cipher, KeyBytes};
use super::error::Error;
use super::master::MasterKey;
use super::slot::{HEADER_BYTES, Header, Live, RingId, Root, SLOT_BYTES, Slot, SlotFlaw, Tags};
use super::{FILE_NAME, KEYS_MAX, NoKey};
use crate::store::payload::sync_directory;

/// Where a keyring is written before it has its name.
const NEW_FILE_NAME: &str = "keyring.new";

/// The slots of a file, each with what is wrong with it.
type Slots = Vec<Result<Slot, SlotFlaw>>;

/// The open file.
pub(super) struct Disk {
    path: PathBuf,
    file: File,
    header: Header,
    wrap: Cipher,
    /// Once a write or a sync failed, nobody knows what is on the disk: no key is added until one could be overwritten again.
    failed: Option<String>,
    /// The file under the master key of before, where the directory that no longer names it could not be synced.
    before: Option<File>,
    /// Makes a file or a directory durable.
    pub(super) sync: fn(&File) -> io::Result<()>,
}

/// The header of a keyring; none where there is no such file.
pub(super) fn header(path: &Path) -> Result<Option<Header>, Error> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(fault) => return Err(unreadable(path, &fault)),
    };
    read_header(path, &mut file).map(Some)
}

fn read_header(path: &Path, file: &mut File) -> Result<Header, Error> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES);
    let limit = u64::try_from(HEADER_BYTES).unwrap_or(u64::MAX);
    io::Read::by_ref(file).take(limit).read_to_end(&mut bytes).map_err(|fault| unreadable(path, &fault))?;
    Header::parse(&bytes).map_err(|flaw| unreadable(path, &flaw))
}

fn unreadable(path: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::RingUnreadable { keyring: path.to_owned(), why: why.to_string() }
}

/// Where the slot of a key begins.
fn place(id: u32) -> u64 {
    let slot = u64::try_from(SLOT_BYTES).unwrap_or(u64::MAX);
    let header = u64::try_from(HEADER_BYTES).unwrap_or(u64::MAX);
    u64::from(id).saturating_sub(1).saturating_mul(slot).saturating_add(header)
}

impl Disk {
    /// Opens a keyring, or makes one; wraps it anew where `previous` is the master key that fits.
    pub(super) fn open_or_create(
        path: &Path,
        master: &MasterKey,
        previous: Option<&MasterKey>,
    ) -> Result<(Self, Root, Slots), Error> {
        let options = OpenOptions::new().read(true).write(true).open(path);
        let mut file = match options {
            Ok(file) => file,
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
                let (disk, root) = Self::create(path, master)?;
                return Ok((disk, root, Vec::new()));
            }
            Err(fault) => return Err(unreadable(path, &fault)),
        };
        let header = read_header(path, &mut file)?;
        let wrap = master.wrap(&header.ring);
        if let Ok(root) = header.open(&wrap) {
            let mut disk = Self::new(path, file, header, wrap);
            let slots = disk.read_slots()?;
            remove_unfinished(path)?;
            return Ok((disk, root, slots));
        }
        let old = previous.map(|previous| previous.wrap(&header.ring));
        let fitting = old.and_then(|old| header.open(&old).ok().map(|root| (root, old)));
        let Some((root, old)) = fitting else { return Err(Error::MasterWrong { keyring: path.to_owned() }) };
        let mut disk = Self::new(path, file, header, old);
        let slots = disk.read_slots()?;
        disk.wrap_under(master)?;
        tracing::info!(
            "the keys are wrapped under the new master key; the one before is needed only for older backups"
        );
        Ok((disk, root, slots))
    }

    fn create(path: &Path, master: &MasterKey) -> Result<(Self, Root), Error> {
        let failed = |fault: io::Error| Error::Failed(fault.to_string());
        let mut ring = RingId::default();
        OsRng.try_fill_bytes(&mut ring).map_err(|fault| Error::Failed(fault.to_string()))?;
        let root = Root::generate().map_err(failed)?;
        let wrap = master.wrap(&ring);
        let header = Header::seal(ring, 0, &root, &wrap);
        let file = write_whole(path, &header.to_bytes()).map_err(failed)?;
        Ok((Self::new(path, file, header, wrap), root))
    }

    fn new(path: &Path, file: File, header: Header, wrap: Cipher) -> Self {
        Self { path: path.to_owned(), file, header, wrap, failed: None, before: None, sync }
    }

    /// Reads all slots, and drops what a crash left behind the last one.
    fn read_slots(&mut self) -> Result<Slots, Error> {
        let mut bytes = self.to_bytes()?;
        let slots_at = HEADER_BYTES.min(bytes.len());
        let body = bytes.split_off(slots_at);
        let (slots, rest) = body.as_chunks::<SLOT_BYTES>();
        let mut found: Slots = (1..).zip(slots).map(|(id, slot)| Slot::parse(slot, id)).collect();
        let mut dropped = usize::from(!rest.is_empty());
        while found.last() == Some(&Err(SlotFlaw::Empty)) {
            found.pop();
            dropped = dropped.saturating_add(1);
        }
        let last = u32::try_from(found.len()).unwrap_or(u32::MAX);
        if last > KEYS_MAX {
            return Err(unreadable(&self.path, &"it has more keys than it may have"));
        }
        if dropped > 0 {
            tracing::warn!(
                dropped,
                "keys that were being made when the last process ended were never used; they are dropped"
            );
            self.file.set_len(place(last.saturating_add(1))).map_err(|fault| unreadable(&self.path, &fault))?;
        }
        let damaged = found.iter().filter(|slot| slot.is_err()).count();
        if damaged > 0 {
            tracing::error!(
                damaged,
                "keys of the keyring are damaged: what they sealed cannot be read; restore a backup"
            );
        }
        Ok(found)
    }

    /// Appends keys for owners, synced; returns their ids.
    pub(super) fn append(&mut self, first: u32, generation: u32, owners: &[Tags]) -> Result<Vec<(u32, Tags)>, Error> {
        self.usable()?;
        let added: Vec<(u32, Tags)> = (first..=KEYS_MAX).zip(owners.iter().copied()).collect();
        if added.len() < owners.len() {
            return Err(Error::Full(KEYS_MAX));
        }
        let mut bytes = Vec::with_capacity(added.len().saturating_mul(SLOT_BYTES));
        for (id, tags) in &added {
            let key = cipher::new_key().map_err(|fault| Error::Failed(fault.to_string()))?;
            let live = Live::seal(&self.header.ring, *id, generation, *tags, &key, &self.wrap);
            bytes.extend_from_slice(&Slot::Live(Box::new(live)).to_bytes(*id));
        }
        let written = self.file.write_all_at(&bytes, place(first)).and_then(|()| (self.sync)(&self.file));
        self.settle(written)?;
        Ok(added)
    }

    /// Overwrites the slots of keys, synced. It may be asked for again when it failed, and is tried also when another write did:
    /// the same bytes in the same places do no harm, and what is not overwritten can be read.
    pub(super) fn overwrite(&mut self, ids: &[u32], with: &Slot) -> Result<(), Error> {
        let written = self.overwrite_all(ids, with);
        self.settle(written)?;
        // Whatever else failed was told to whoever asked, and is written anew in the same place when it is asked for again.
        if self.failed.take().is_some() {
            tracing::info!("the keyring could be written again");
        }
        Ok(())
    }

    fn overwrite_all(&mut self, ids: &[u32], with: &Slot) -> io::Result<()> {
        if self.failed.is_some() {
            self.reopen()?;
        }
        ids.iter().try_for_each(|id| self.file.write_all_at(&with.to_bytes(*id), place(*id)))?;
        (self.sync)(&self.file)
    }

    /// Opens anew the file that has the name, and makes sure that it keeps it.
    fn reopen(&mut self) -> io::Result<()> {
        let mut file = OpenOptions::new().read(true).write(true).open(&self.path)?;
        let header = read_header(&self.path, &mut file).map_err(io::Error::other)?;
        if header.ring != self.header.ring {
            return Err(io::Error::other("another keyring has its name"));
        }
        self.sync_directory()?;
        self.file = file;
        if let Some(before) = self.before.take() {
            self.wipe(&before);
        }
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.path.parent().map_or(Ok(()), |directory| (self.sync)(&File::open(directory)?))
    }

    /// Reads and unwraps a key.
    pub(super) fn key(&self, id: u32) -> Result<KeyBytes, NoKey> {
        let mut bytes = [0; SLOT_BYTES];
        match self.file.read_exact_at(&mut bytes, place(id)) {
            Ok(()) => {}
            Err(fault) if fault.kind() == io::ErrorKind::UnexpectedEof => return Err(NoKey::Damaged),
            Err(fault) => {
                tracing::error!(%fault, id, "a key cannot be read from the keyring");
                return Err(NoKey::Failed);
            }
        }
        match Slot::parse(&bytes, id) {
            Ok(Slot::Live(live)) => live.open(&self.header.ring, id, &self.wrap).map_err(|_| NoKey::Damaged),
            Ok(Slot::Erased | Slot::Replaced) | Err(_) => Err(NoKey::Damaged),
        }
    }

    /// Writes all keys anew under another master key, and overwrites the file that held them under the one before; says whether it
    /// was another one.
    pub(super) fn wrap_under(&mut self, master: &MasterKey) -> Result<bool, Error> {
        self.usable()?;
        let wrap = master.wrap(&self.header.ring);
        if self.header.open(&wrap).is_ok() {
            return Ok(false);
        }
        let wrong = || Error::MasterWrong { keyring: self.path.clone() };
        let root = self.header.open(&self.wrap).map_err(|_| wrong())?;
        let ring = self.header.ring;
        let header = Header::seal(ring, self.header.wraps.saturating_add(1), &root, &wrap);
        let old = self.to_bytes()?;
        let mut bytes = header.to_bytes();
        for (id, slot) in (1..).zip(old.get(HEADER_BYTES..).unwrap_or_default().as_chunks::<SLOT_BYTES>().0) {
            match Slot::parse(slot, id) {
                Ok(Slot::Live(live)) => match live.open(&ring, id, &self.wrap) {
                    Ok(key) => {
                        let live = Live::seal(&ring, id, live.generation, live.tags, &key, &wrap);
                        bytes.extend_from_slice(&Slot::Live(Box::new(live)).to_bytes(id));
                    }
                    Err(_) => bytes.extend_from_slice(slot),
                },
                Ok(destroyed @ (Slot::Erased | Slot::Replaced)) => bytes.extend_from_slice(&destroyed.to_bytes(id)),
                // Kept as it is: it may say more to whoever looks at it than nothing does.
                Err(_) => bytes.extend_from_slice(slot),
            }
        }
        let file = write_beside(&self.path, &bytes).map_err(|fault| Error::Failed(fault.to_string()))?;
        let renamed = take_name(&self.path);
        self.settle(renamed)?;
        // From here on the new file has the name, and is the one to write to, even if a loss of power may bring the old one back.
        let before = std::mem::replace(&mut self.file, file);
        (self.header, self.wrap) = (header, wrap);
        let synced = self.sync_directory();
        if synced.is_err() {
            self.before = Some(before);
            self.settle(synced)?;
            return Ok(true);
        }
        self.wipe(&before);
        Ok(true)
    }

    /// Overwrites a file whose name is gone: whoever finds its blocks finds nothing.
    fn wipe(&self, before: &File) {
        let zeros = |bytes: u64| vec![0; usize::try_from(bytes).unwrap_or(0)];
        let wiped = before
            .metadata()
            .and_then(|about| before.write_all_at(&zeros(about.len()), 0))
            .and_then(|()| (self.sync)(before));
        if let Err(fault) = wiped {
            tracing::warn!(%fault, "the keyring under the master key of before could not be overwritten");
        }
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let mut file = File::open(&self.path).map_err(|fault| unreadable(&self.path, &fault))?;
        file.read_to_end(&mut bytes).map_err(|fault| unreadable(&self.path, &fault))?;
        Ok(bytes)
    }

    pub(super) fn ring(&self) -> RingId {
        self.header.ring
    }

    pub(super) fn wraps(&self) -> u32 {
        self.header.wraps
    }

    fn usable(&self) -> Result<(), Error> {
        match &self.failed {
            None => Ok(()),
            Some(fault) => Err(Error::Failed(format!("not since an earlier write failed: {fault}"))),
        }
    }

    fn settle(&mut self, written: io::Result<()>) -> Result<(), Error> {
        written.map_err(|fault| {
            tracing::error!(%fault, "the keyring takes no more keys until it could be written again or the daemon is started again");
            self.failed = Some(fault.to_string());
            Error::Failed(fault.to_string())
        })
    }
}

fn sync(file: &File) -> io::Result<()> {
    fdatasync(file).map_err(io::Error::from)
}

/// Writes a file that is there as a whole or, after a crash, as it was before.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let file = write_beside(path, bytes)?;
    take_name(path)?;
    path.parent().map_or(Ok(()), sync_directory)?;
    Ok(file)
}

/// Writes a file, synced, beside the one whose name it is to take.
fn write_beside(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let new = path.with_file_name(NEW_FILE_NAME);
    match fs::remove_file(&new) {
        Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
        Ok(()) | Err(_) => {}
    }
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all_at(bytes, 0)?;
    file.sync_all()?;
    Ok(file)
}

/// Gives the file that was written beside it the name.
fn take_name(path: &Path) -> io::Result<()> {
    fs::rename(path.with_file_name(NEW_FILE_NAME), path)
}

/// Removes what a crash left of a file that was being written anew.
fn remove_unfinished(path: &Path) -> Result<(), Error> {
    debug_assert!(path.ends_with(FILE_NAME), "the keyring has its name");
    match fs::remove_file(path.with_file_name(NEW_FILE_NAME)) {
        Err(fault) if fault.kind() != io::ErrorKind::NotFound => Err(unreadable(path, &fault)),
        Ok(()) | Err(_) => Ok(()),
    }
}
