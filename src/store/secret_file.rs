//! Small secret files of the data directory, such as the key of pseudonyms: sealed where records are, in clear where they are not.
//!
//! ```text
//! magic 8 "AGFSEAL1" │ nonce 12 │ content and tag
//! ```
//! What seals them comes from the root of the keyring, so that they stay as they are when data keys or the master key change. A
//! file that was made before there was a master key is sealed when it is read.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::Store;
use super::keyring::Keyring;
use super::keyring::cipher::{self, NONCE_BYTES, TAG_BYTES};
use super::payload::sync_directory;
use crate::domain::key_file::KeyFile;

const MAGIC: &[u8; 8] = b"AGFSEAL1";
const OVERHEAD_BYTES: usize = MAGIC.len() + NONCE_BYTES + TAG_BYTES;

/// Why a secret file gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk failed, or the file is not to be had.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Others than its owner may read or write it.
    #[error("it is open to others than its owner (mode {0:o})")]
    Exposed(u32),
    /// It is longer than such a file is.
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
    /// It is sealed, and nothing here opens it.
    #[error("it is sealed, and does not open with the keys of this store")]
    Sealed,
}

/// Reads and writes secret files; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct SecretFiles(Option<Arc<Keyring>>);

impl Store {
    /// The secret files beside this store.
    #[must_use]
    pub fn secret_files(&self) -> SecretFiles {
        SecretFiles(self.shared().keys.clone())
    }
}

impl SecretFiles {
    /// Reads a file; none where there is none. One in clear is sealed first where there are keys. Blocks.
    ///
    /// # Errors
    /// [`Error`].
    pub fn read(&self, path: &Path, bytes_max: usize) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        self.read_unless(0o077, path, bytes_max)
    }

    /// Reads a key of the host's, which is never sealed with the store. A credential may have a mode for its group: systemd may give
    /// it to the service's user by an access control list, whose mask stands there (systemd.exec(5), acl(5)). Blocks.
    ///
    /// # Errors
    /// [`Error`].
    pub fn read_key(file: &KeyFile, bytes_max: usize) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let forbidden = match file {
            KeyFile::File(_) => 0o077,
            KeyFile::Credential(_) => 0o037,
        };
        Self::default().read_unless(forbidden, file.path(), bytes_max)
    }

    fn read_unless(&self, forbidden: u32, path: &Path, bytes_max: usize) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(fault) => return Err(fault.into()),
        };
        let mode = file.metadata()?.mode();
        if mode & forbidden != 0 {
            return Err(Error::Exposed(mode & 0o777));
        }
        let stored_max = bytes_max.saturating_add(OVERHEAD_BYTES);
        let limit = u64::try_from(stored_max).unwrap_or(u64::MAX).saturating_add(1);
        let mut stored = Zeroizing::new(Vec::with_capacity(stored_max.saturating_add(1)));
        file.take(limit).read_to_end(&mut stored)?;
        if stored.len() > stored_max {
            return Err(Error::TooLong(bytes_max));
        }
        let is_sealed = stored.starts_with(MAGIC);
        let content = if is_sealed { self.open(path, &stored)? } else { stored };
        if content.len() > bytes_max {
            return Err(Error::TooLong(bytes_max));
        }
        if !is_sealed && self.0.is_some() {
            self.replace(path, &content)?;
            tracing::info!(file = %path.display(), "a secret file that was in clear is sealed from now on");
        }
        Ok(Some(content))
    }

    /// Makes a file, readable by its owner only and durable when this returns. Blocks.
    ///
    /// # Errors
    /// There is such a file, or the disk fails; then there is none under that name, or a whole one.
    pub fn create(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        if let Some(directory) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        let new = self.write_beside(path, content)?;
        // A link, unlike a rename, fails where the name is taken.
        fs::hard_link(&new, path)?;
        fs::remove_file(&new)?;
        path.parent().map_or(Ok(()), sync_directory)
    }

    fn replace(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let before = OpenOptions::new().write(true).open(path)?;
        let new = self.write_beside(path, content)?;
        fs::rename(&new, path)?;
        path.parent().map_or(Ok(()), sync_directory)?;
        wipe(before, content.len())
    }

    /// Writes the whole file under another name, so that a crash leaves no half of one under its own.
    fn write_beside(&self, path: &Path, content: &[u8]) -> io::Result<std::path::PathBuf> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let new = path.with_file_name(name);
        match fs::remove_file(&new) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(&self.stored(path, content))?;
        file.sync_all()?;
        Ok(new)
    }

    fn stored(&self, path: &Path, content: &[u8]) -> Zeroizing<Vec<u8>> {
        let Some(keys) = &self.0 else { return Zeroizing::new(content.to_vec()) };
        let (name, nonce) = (name(path), cipher::new_nonce());
        let mut sealed = content.to_vec();
        keys.file_cipher(&name).seal(&nonce, name.as_bytes(), &mut sealed);
        Zeroizing::new([MAGIC.as_slice(), &nonce, &sealed].concat())
    }

    fn open(&self, path: &Path, stored: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let keys = self.0.as_ref().ok_or(Error::Sealed)?;
        let rest = stored.strip_prefix(MAGIC).ok_or(Error::Sealed)?;
        let (nonce, sealed) = rest.split_first_chunk().ok_or(Error::Sealed)?;
        let name = name(path);
        keys.file_cipher(&name).unwrap(nonce, name.as_bytes(), sealed).map_err(|_| Error::Sealed)
    }
}

/// What a file is bound to: its own name, wherever the data directory is.
fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Overwrites what a file held whose name is gone.
fn wipe(mut file: File, bytes: usize) -> io::Result<()> {
    file.write_all(&vec![0; bytes])?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{MasterKey, Masters, Options};

    #[test]
    fn a_secret_file_is_sealed_with_its_store_and_bound_to_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let (path, other) = (directory.path().join("a.key"), directory.path().join("b.key"));
        let clear = SecretFiles::default();
        assert!(clear.read(&path, 32).unwrap().is_none());
        clear.create(&path, b"a secret of someone's").unwrap();
        assert!(clear.create(&path, b"another").is_err(), "a key is never replaced");
        let masters = Masters { current: Some(MasterKey::generate().unwrap()), previous: None };
        let store = Store::open_with(directory.path(), Options { cache_bytes: 1 << 20 }, &masters).unwrap();
        let sealed = store.secret_files();
        assert_eq!(*sealed.read(&path, 32).unwrap().unwrap(), b"a secret of someone's");
        let stored = fs::read(&path).unwrap();
        assert!(stored.starts_with(MAGIC) && !stored.windows(6).any(|part| part == b"secret"));
        assert_eq!(*sealed.read(&path, 32).unwrap().unwrap(), b"a secret of someone's");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        fs::copy(&path, &other).unwrap();
        assert!(matches!(sealed.read(&other, 32), Err(Error::Sealed)), "moved");
        assert!(matches!(clear.read(&path, 32), Err(Error::Sealed)));
        assert!(matches!(sealed.read(&path, 8), Err(Error::TooLong(8))));
        for at in 8..stored.len() {
            let mut changed = stored.clone();
            changed[at] ^= 1;
            fs::write(&path, changed).unwrap();
            assert!(matches!(sealed.read(&path, 32), Err(Error::Sealed)), "byte {at}");
        }
    }
}
