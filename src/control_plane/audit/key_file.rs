//! Where the key lies: `audit.key` in the data directory, made at the first start, or a file that the operator names. Blocks.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::domain::failure::{Class, Failure};
use crate::domain::key_file::KeyFile;
use crate::store::secret_file::{self, SecretFiles};

use super::key::{AuditKey, PublicKey};

/// The private key in the data directory.
const FILE_NAME: &str = "audit.key";
/// The public key in the data directory, for whoever is to verify.
pub const PUBLIC_FILE_NAME: &str = "audit.pub.pem";
/// What is added to a name while the file is being written.
const NEW: &str = ".new";
/// The longest key file, in bytes.
const FILE_BYTES_MAX: usize = 8 * 1_024;
/// Anyone who may enter the directory reads the public one.
const PUBLIC_MODE: u32 = 0o644;

/// Why there is no key. The daemon does not start without one.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("read or make the audit key {}: {cause}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the host says.
        cause: io::Error,
    },
    /// The file does not hold a key.
    #[error("read the audit key {}: {reason}", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Others than its owner may read or write the file.
    #[error("read the audit key {}: mode {mode:o} lets others at it; make it 600", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

impl Failure for KeyError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unusable { .. } | Self::NotAKey { .. } => "audit_key_unusable",
            Self::Exposed { .. } => "audit_key_exposed",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Unusable { .. } | Self::NotAKey { .. } | Self::Exposed { .. } => Class::Internal,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Unusable { .. } | Self::NotAKey { .. } => "the audit key cannot be read".to_owned(),
            Self::Exposed { .. } => "the audit key is open to others than its owner".to_owned(),
        }
    }
}

/// The key that `named` holds; else the one of the data directory, which is made where there is none and sealed where the store's
/// records are. Either way the public key lies in the data directory afterwards.
///
/// # Errors
/// The disk fails, the file is not a key, a named one is missing, or others than its owner may read or write it.
pub fn load_or_create(data_dir: &Path, named: Option<&KeyFile>, files: &SecretFiles) -> Result<AuditKey, KeyError> {
    let own = data_dir.join(FILE_NAME);
    let path = named.map_or(own.as_path(), KeyFile::path);
    let unusable = |cause: io::Error| KeyError::Unusable { path: path.to_owned(), cause };
    // What the operator keeps elsewhere is left as it is.
    let held = match named {
        Some(named) => SecretFiles::read_key(named, FILE_BYTES_MAX),
        None => files.read(&own, FILE_BYTES_MAX),
    };
    let held = held.map_err(|error| match error {
        secret_file::Error::Io(cause) => unusable(cause),
        secret_file::Error::Exposed(mode) => KeyError::Exposed { path: path.to_owned(), mode },
        error @ (secret_file::Error::TooLong(_) | secret_file::Error::Sealed) => unusable(io::Error::other(error)),
    })?;
    let key = match held {
        Some(pem) => std::str::from_utf8(&pem)
            .map_err(|_| "it is not PEM")
            .and_then(AuditKey::from_pem)
            .map_err(|reason| KeyError::NotAKey { path: path.to_owned(), reason: reason.to_owned() })?,
        None if named.is_none() => create(&own, files)?,
        None => return Err(unusable(ErrorKind::NotFound.into())),
    };
    publish(&data_dir.join(PUBLIC_FILE_NAME), &key.public())?;
    Ok(key)
}

fn create(path: &Path, files: &SecretFiles) -> Result<AuditKey, KeyError> {
    let reasoned = |reason| KeyError::NotAKey { path: path.to_owned(), reason };
    let key = AuditKey::generate().map_err(reasoned)?;
    let pem = key.to_pem().map_err(reasoned)?;
    let unusable = |cause: io::Error| KeyError::Unusable { path: path.to_owned(), cause };
    files.create(path, pem.expose().as_bytes()).map_err(unusable)?;
    Ok(key)
}

/// Lays the public key down, in place of another one.
fn publish(path: &Path, key: &PublicKey) -> Result<(), KeyError> {
    let pem = key.to_pem().map_err(|reason| KeyError::NotAKey { path: path.to_owned(), reason })?;
    match std::fs::read_to_string(path) {
        Ok(there) if there == pem => return Ok(()),
        Ok(_) => tracing::warn!(log = key.log_id(), "the audit log has another key than before"),
        Err(_) => {}
    }
    put(path, pem.as_bytes())
}

/// Writes a file and gives it its name once it is whole on the disk: a crash leaves no half of a key under that name.
fn put(path: &Path, content: &[u8]) -> Result<(), KeyError> {
    let unusable = |cause: io::Error| KeyError::Unusable { path: path.to_owned(), cause };
    let mut new = path.as_os_str().to_owned();
    new.push(NEW);
    let new = PathBuf::from(new);
    match std::fs::remove_file(&new) {
        Err(cause) if cause.kind() != ErrorKind::NotFound => return Err(unusable(cause)),
        Ok(()) | Err(_) => {}
    }
    let written = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(PUBLIC_MODE).open(&new)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&new, path)?;
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    written().map_err(unusable)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).expect("the file").mode() & 0o777
    }

    #[test]
    fn a_key_is_made_once_for_its_owner_only_and_its_public_half_for_all() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("audit.key.new"), b"half").expect("what a crash left behind");
        let made = load_or_create(directory.path(), None, &SecretFiles::default()).expect("a new key");
        let read = load_or_create(directory.path(), None, &SecretFiles::default()).expect("the same key");
        assert_eq!(made.public(), read.public());
        assert_eq!(mode(&directory.path().join(FILE_NAME)), 0o600);
        let public = std::fs::read_to_string(directory.path().join(PUBLIC_FILE_NAME)).expect("the public key");
        assert_eq!(PublicKey::from_pem(&public), Ok(made.public()));
    }

    #[test]
    fn a_named_key_is_never_made() {
        let directory = tempfile::tempdir().expect("a directory");
        let named = directory.path().join("elsewhere.pem");
        let file = KeyFile::File(named.clone());
        let missing = load_or_create(directory.path(), Some(&file), &SecretFiles::default()).expect_err("missing");
        assert_eq!(missing.code(), "audit_key_unusable");
        assert!(!named.exists() && !directory.path().join(FILE_NAME).exists());
        let other = tempfile::tempdir().expect("a directory");
        let key = load_or_create(other.path(), None, &SecretFiles::default()).expect("a key");
        let _bytes = std::fs::copy(other.path().join(FILE_NAME), &named).expect("copied");
        assert_eq!(
            load_or_create(directory.path(), Some(&file), &SecretFiles::default()).expect("named").public(),
            key.public()
        );
        assert!(!directory.path().join(FILE_NAME).exists());
    }

    #[test]
    fn a_credential_may_be_read_by_its_group_and_a_named_file_may_not() {
        let (directory, other) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("another"));
        let key = load_or_create(other.path(), None, &SecretFiles::default()).expect("a key");
        let path = other.path().join(FILE_NAME);
        let (file, credential) = (KeyFile::File(path.clone()), KeyFile::Credential(path.clone()));
        let load = |named| load_or_create(directory.path(), Some(named), &SecretFiles::default());
        for bits in [0o440, 0o640] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(bits)).expect("permissions");
            assert_eq!(load(&credential).expect("by an access control list").public(), key.public(), "{bits:o}");
            assert_eq!(load(&file).expect_err("exposed").code(), "audit_key_exposed", "{bits:o}");
        }
        for bits in [0o460, 0o450, 0o444] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(bits)).expect("permissions");
            assert_eq!(load(&credential).expect_err("exposed").code(), "audit_key_exposed", "{bits:o}");
        }
    }

    #[test]
    fn a_file_that_is_no_key_or_is_open_to_others_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let _key = load_or_create(directory.path(), None, &SecretFiles::default()).expect("a key");
        let path = directory.path().join(FILE_NAME);
        let open = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("permissions");
        for bits in [0o640, 0o604, 0o620] {
            open(bits);
            let refused = load_or_create(directory.path(), None, &SecretFiles::default()).expect_err("exposed");
            assert_eq!(refused.code(), "audit_key_exposed", "{bits:o}");
        }
        open(0o600);
        for text in ["", "junk", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"] {
            std::fs::write(&path, text).expect("written");
            let refused = load_or_create(directory.path(), None, &SecretFiles::default()).expect_err("no key");
            assert_eq!(refused.code(), "audit_key_unusable", "{text:?}");
        }
    }
}
