//! Bodies above 1 MiB: content-addressed files under `payloads/`, `ab/cdef…` by SHA-256.
//!
//! A file is written under a temporary name, synced, renamed, and its directory synced before the record that names it is
//! committed. The committer counts the records that name a file, in the same group as the records; when the last one is gone
//! the file is removed. A crash in between leaves a file that no record names: [`Payloads::sweep`] removes it in the background
//! after the next start, so that a start never waits for a large directory.
//!
//! INVARIANT: a file that a commit under way is about to name (it holds a [`Pin`]) is never removed. While a backup copies files
//! (it holds a [`Hold`]), none is.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};

/// Where files are written before they have their name.
const INCOMING: &str = "incoming";

/// Files whose removal a backup puts off, at most; beyond it they are left to the sweep after the next start.
const PUT_OFF_MAX: usize = 65_536;

/// The SHA-256 of a payload, which names its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(body: &[u8]) -> Self {
        Self(Sha256::digest(body).into())
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// The directory of payload files.
#[derive(Debug, Clone)]
pub(super) struct Payloads {
    directory: PathBuf,
    pins: Arc<Mutex<Pins>>,
    written: Arc<AtomicU64>,
}

/// What must not be removed now.
#[derive(Debug, Default)]
struct Pins {
    /// How many commits under way name each payload.
    counts: HashMap<Digest, usize>,
    /// While a backup copies files: those that would have been removed meanwhile.
    put_off: Option<Vec<Digest>>,
}

/// Keeps a payload's file from being removed.
#[derive(Debug)]
pub(super) struct Pin {
    digest: Digest,
    pins: Arc<Mutex<Pins>>,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pins = lock(&self.pins);
        if let Some(count) = pins.counts.get_mut(&self.digest) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                pins.counts.remove(&self.digest);
            }
        }
    }
}

/// Keeps every payload's file from being removed; there is one at a time. Given free once: from then on the place may be another's.
#[derive(Debug)]
pub(super) struct Hold(Option<Arc<Mutex<Pins>>>);

impl Hold {
    /// Gives the files free, and names those that were to be removed meanwhile; none the second time.
    pub(super) fn release(&mut self) -> Vec<Digest> {
        self.0.take().and_then(|pins| lock(&pins).put_off.take()).unwrap_or_default()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // What was put off and not asked for goes with the sweep after the next start.
        drop(self.release());
    }
}

fn lock(pins: &Mutex<Pins>) -> MutexGuard<'_, Pins> {
    pins.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Payloads {
    /// The payloads under `directory`, which need not exist. Removes what was being written when the last process ended.
    pub(super) fn open(directory: PathBuf) -> io::Result<Self> {
        match fs::remove_dir_all(directory.join(INCOMING)) {
            Ok(()) => {}
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {}
            Err(fault) => return Err(fault),
        }
        Ok(Self { directory, pins: Arc::default(), written: Arc::default() })
    }

    /// Whether there ever was a payload.
    pub(super) fn any(&self) -> bool {
        self.directory.exists()
    }

    /// Makes a body durable under its digest. Blocks.
    pub(super) fn write(&self, body: &[u8]) -> io::Result<(Digest, Pin)> {
        let digest = Digest::of(body);
        let pin = self.pin(digest);
        let path = self.path(&digest);
        let shelf = path.parent().unwrap_or(&self.directory);
        create(shelf)?;
        let holds_it = fs::metadata(&path).is_ok_and(|found| Ok(found.len()) == u64::try_from(body.len()));
        if !holds_it {
            let incoming = self.directory.join(INCOMING);
            create(&incoming)?;
            let temporary = incoming.join(self.written.fetch_add(1, Ordering::Relaxed).to_string());
            let outcome = write_new(&temporary, body).and_then(|()| fs::rename(&temporary, &path));
            if let Err(fault) = outcome {
                remove(&temporary);
                return Err(fault);
            }
        }
        // Also for a file that was there: whoever renamed it may have been killed before this.
        for directory in shelf.ancestors().take(3) {
            sync_directory(directory)?; // the shelf, the directory of payloads, the data directory
        }
        Ok((digest, pin))
    }

    /// The body with this digest; none if its file is not there or holds something else. Blocks.
    pub(super) fn read(&self, digest: &Digest, bytes: u64) -> io::Result<Option<Vec<u8>>> {
        let mut file = match File::open(self.path(digest)) {
            Ok(file) => file,
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(fault) => return Err(fault),
        };
        if file.metadata()?.len() != bytes {
            return Ok(None);
        }
        let mut body = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
        file.read_to_end(&mut body)?;
        Ok(Some(body).filter(|body| Digest::of(body) == *digest))
    }

    /// As [`Self::read`], where nobody knows the length.
    pub(super) fn load(&self, digest: &Digest) -> io::Result<Option<Vec<u8>>> {
        match fs::metadata(self.path(digest)) {
            Ok(found) => self.read(digest, found.len()),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Keeps all files where they are, for as long as what is returned lives; none if somebody does already.
    pub(super) fn hold(&self) -> Option<Hold> {
        let mut pins = lock(&self.pins);
        if pins.put_off.is_some() {
            return None;
        }
        pins.put_off = Some(Vec::new());
        Some(Hold(Some(self.pins.clone())))
    }

    /// Removes a file unless a commit under way is about to name it, or `named` says that a record does.
    pub(super) fn discard(&self, digest: &Digest, named: impl FnOnce() -> bool) {
        // Held until the file is gone, so that nobody pins it in between and finds it still there.
        let mut pins = lock(&self.pins);
        if let Some(put_off) = &mut pins.put_off {
            if put_off.len() < PUT_OFF_MAX {
                put_off.push(*digest);
            }
            return;
        }
        if !pins.counts.contains_key(digest) && !named() {
            remove(&self.path(digest));
        }
    }

    /// Removes files that no record names, while `go_on`. Blocks for as long as the directory is large.
    pub(super) fn sweep(&self, named: impl Fn(&Digest) -> bool, go_on: impl Fn() -> bool) -> io::Result<()> {
        for shelf in entries(&self.directory)? {
            let shelf = shelf?;
            let Some(head) = shelf.file_name().to_str().filter(|name| name.len() == 2).map(str::to_owned) else {
                continue;
            };
            for file in entries(&shelf.path())? {
                if !go_on() {
                    return Ok(());
                }
                let name = file?.file_name();
                let mut bytes = [0; 32];
                if hex::decode_to_slice(format!("{head}{}", name.to_string_lossy()), &mut bytes).is_ok() {
                    let digest = Digest::from(bytes);
                    self.discard(&digest, || named(&digest));
                }
            }
        }
        Ok(())
    }

    fn pin(&self, digest: Digest) -> Pin {
        let mut pins = lock(&self.pins);
        let count = pins.counts.entry(digest).or_insert(0);
        *count = count.saturating_add(1);
        Pin { digest, pins: self.pins.clone() }
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        let name = hex::encode(digest.bytes());
        let (head, tail) = name.split_at(2);
        self.directory.join(head).join(tail)
    }
}

fn entries(directory: &Path) -> io::Result<Box<dyn Iterator<Item = io::Result<fs::DirEntry>>>> {
    match fs::read_dir(directory) {
        Ok(found) => Ok(Box::new(found)),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(Box::new(std::iter::empty())),
        Err(fault) => Err(fault),
    }
}

fn write_new(path: &Path, body: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(body)?;
    file.sync_all()
}

fn remove(path: &Path) {
    if let Err(fault) = fs::remove_file(path)
        && fault.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%fault, "a payload file that no record names could not be removed");
    }
}

fn create(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_gave_the_files_free_takes_them_from_nobody_who_came_later() {
        let directory = tempfile::tempdir().unwrap();
        let payloads = Payloads::open(directory.path().join("payloads")).unwrap();
        let (digest, pin) = payloads.write(b"body").unwrap();
        drop(pin);
        let mut first = payloads.hold().unwrap();
        assert!(payloads.hold().is_none());
        assert!(first.release().is_empty());
        let mut second = payloads.hold().expect("the first has given them free");
        drop(first);
        assert!(payloads.hold().is_none(), "the second still holds them");
        payloads.discard(&digest, || false);
        assert_eq!(payloads.load(&digest).unwrap(), Some(b"body".to_vec()));
        assert_eq!(second.release(), [digest]);
    }
}
