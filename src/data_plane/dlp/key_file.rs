//! The file that holds the pseudonym key: made once, never replaced, for without it the pseudonyms of before mean nothing.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rand::RngCore;
use rand::rngs::OsRng;

use super::error::KeyError;
use super::pseudonym::PseudonymKey;

/// The file's name in the data directory.
const FILE_NAME: &str = "dlp.key";

/// Where a new key is written before it has its name.
const NEW_FILE_NAME: &str = "dlp.key.new";

impl PseudonymKey {
    /// Reads the key of a data directory; makes one, and the directory, where there is none. The file is readable by its owner
    /// only, and durable before this returns. Blocks.
    ///
    /// # Errors
    /// The disk fails, the file is not a key, or others than its owner may read or write it.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, KeyError> {
        let path = data_dir.join(FILE_NAME);
        let fault = |cause: io::Error| KeyError::Unusable { path: path.clone(), cause };
        match File::open(&path) {
            Ok(file) => read(file, &path),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => create(data_dir, &path).map_err(fault),
            Err(cause) => Err(fault(cause)),
        }
    }
}

fn read(file: File, path: &Path) -> Result<PseudonymKey, KeyError> {
    let fault = |cause: io::Error| KeyError::Unusable { path: path.to_owned(), cause };
    let metadata = file.metadata().map_err(fault)?;
    if metadata.mode() & 0o077 != 0 {
        return Err(KeyError::Exposed { path: path.to_owned(), mode: metadata.mode() & 0o777 });
    }
    let mut held = Vec::with_capacity(PseudonymKey::BYTES);
    let limit = u64::try_from(PseudonymKey::BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let length = file.take(limit).read_to_end(&mut held).map_err(fault)?;
    held.try_into()
        .map(PseudonymKey::from_bytes)
        .map_err(|_| KeyError::NotAKey { path: path.to_owned(), bytes: length })
}

/// Makes a key and gives it its name only once it is whole on the disk: a crash leaves no half of a key under that name.
fn create(data_dir: &Path, path: &Path) -> io::Result<PseudonymKey> {
    DirBuilder::new().recursive(true).mode(0o700).create(data_dir)?;
    let new = data_dir.join(NEW_FILE_NAME);
    match std::fs::remove_file(&new) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
        Ok(()) | Err(_) => {}
    }
    let mut bytes = [0; PseudonymKey::BYTES];
    OsRng.try_fill_bytes(&mut bytes).map_err(io::Error::other)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    // A link, unlike a rename, fails where the name is taken.
    std::fs::hard_link(&new, path)?;
    std::fs::remove_file(&new)?;
    File::open(data_dir)?.sync_all()?;
    Ok(PseudonymKey::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_only() {
        let directory = tempfile::tempdir().expect("a directory");
        let data_dir = directory.path().join("data");
        let made = PseudonymKey::load_or_create(&data_dir).expect("a new key");
        let read = PseudonymKey::load_or_create(&data_dir).expect("the same key");
        assert_eq!(made.as_bytes(), read.as_bytes());
        assert_ne!(made.as_bytes(), &[0; 32]);
        let mode = std::fs::metadata(data_dir.join(FILE_NAME)).expect("the file").mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!data_dir.join(NEW_FILE_NAME).exists());
    }

    #[test]
    fn what_a_crash_left_behind_is_no_hindrance() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join(NEW_FILE_NAME), b"half").expect("a file");
        assert!(PseudonymKey::load_or_create(directory.path()).is_ok());
    }

    #[test]
    fn a_file_that_is_no_key_or_is_open_to_others_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(FILE_NAME);
        for (bytes, mode, code) in
            [(31, 0o600, "dlp_key_unusable"), (33, 0o600, "dlp_key_unusable"), (32, 0o644, "dlp_key_exposed")]
        {
            std::fs::write(&path, vec![1; bytes]).expect("a file");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("permissions");
            let error = PseudonymKey::load_or_create(directory.path()).expect_err("no key");
            assert_eq!(crate::domain::failure::Failure::code(&error), code, "{bytes} bytes, {mode:o}");
        }
    }
}
