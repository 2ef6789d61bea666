//! The file that holds the pseudonym key: made once, never replaced, for without it the pseudonyms of before mean nothing.

use std::io;
use std::path::Path;

use rand::RngCore;
use rand::rngs::OsRng;
use zeroize::Zeroizing;

use super::error::KeyError;
use super::pseudonym::PseudonymKey;
use crate::store::secret_file::{Error, SecretFiles};

/// The file's name in the data directory.
const FILE_NAME: &str = "dlp.key";

impl PseudonymKey {
    /// Reads the key of a data directory; makes one, and the directory, where there is none. The file is readable by its owner
    /// only, durable before this returns, and sealed where the store's records are. Blocks.
    ///
    /// # Errors
    /// The disk fails, the file is not a key, or others than its owner may read or write it.
    pub fn load_or_create(data_dir: &Path, files: &SecretFiles) -> Result<Self, KeyError> {
        let path = data_dir.join(FILE_NAME);
        let unusable = |cause: io::Error| KeyError::Unusable { path: path.clone(), cause };
        let held = files.read(&path, Self::BYTES).map_err(|error| match error {
            Error::Io(cause) => unusable(cause),
            Error::Exposed(mode) => KeyError::Exposed { path: path.clone(), mode },
            Error::TooLong(bytes) => KeyError::NotAKey { path: path.clone(), bytes: bytes.saturating_add(1) },
            error @ Error::Sealed => unusable(io::Error::other(error)),
        })?;
        match held {
            Some(held) => match <[u8; Self::BYTES]>::try_from(held.as_slice()) {
                Ok(key) => Ok(Self::from_bytes(key)),
                Err(_) => Err(KeyError::NotAKey { path: path.clone(), bytes: held.len() }),
            },
            None => {
                let mut key = Zeroizing::new([0; Self::BYTES]);
                OsRng.try_fill_bytes(&mut *key).map_err(|fault| unusable(io::Error::other(fault)))?;
                files.create(&path, &*key).map_err(unusable)?;
                Ok(Self::from_bytes(*key))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_only() {
        let directory = tempfile::tempdir().expect("a directory");
        let data_dir = directory.path().join("data");
        let made = PseudonymKey::load_or_create(&data_dir, &SecretFiles::default()).expect("a new key");
        let read = PseudonymKey::load_or_create(&data_dir, &SecretFiles::default()).expect("the same key");
        assert_eq!(made.as_bytes(), read.as_bytes());
        assert_ne!(made.as_bytes(), &[0; 32]);
        let mode = std::fs::metadata(data_dir.join(FILE_NAME)).expect("the file").mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!data_dir.join("dlp.key.new").exists());
    }

    #[test]
    fn what_a_crash_left_behind_is_no_hindrance() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("dlp.key.new"), b"half").expect("a file");
        assert!(PseudonymKey::load_or_create(directory.path(), &SecretFiles::default()).is_ok());
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
            let error = PseudonymKey::load_or_create(directory.path(), &SecretFiles::default()).expect_err("no key");
            assert_eq!(crate::domain::failure::Failure::code(&error), code, "{bytes} bytes, {mode:o}");
        }
    }
}
