//! A key, read anew at each use, so that a key that is put in place or changed needs no restart.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::error::Error;
use crate::config::settings::KeySource;
use crate::domain::private::Secret;

/// The longest key, in bytes.
const KEY_BYTES_MAX: usize = 8 * 1024;

/// The variable in which systemd names the directory with a service's credentials (systemd.exec(5)).
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// Where a key comes from, and the last one read from a file.
pub(crate) struct Key {
    source: KeySource,
    cached: ArcSwapOption<Cached>,
}

struct Cached {
    file: Stamp,
    secret: Secret,
    version: u64,
}

/// What changes with a file, also where one is put in the place of another that is as old and as long.
#[derive(PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Key {
    pub(crate) fn new(source: KeySource) -> Self {
        Self { source, cached: ArcSwapOption::empty() }
    }

    /// The key as it is now; none where none is needed.
    ///
    /// # Errors
    /// [`Error::MissingKey`], naming the variable or the file: there is none, it is empty, too long, or not printable ASCII.
    pub(crate) fn current(&self) -> Result<Option<Secret>, Error> {
        match &self.source {
            KeySource::None => Ok(None),
            KeySource::Env(name) => in_variable(name).map(Some),
            KeySource::File(_) | KeySource::Credential(_) => self.read().map(|read| Some(read.secret.clone())),
        }
    }

    /// A number that is another one as soon as the key's file is another one; the same for as long as it cannot be read.
    pub(crate) fn version(&self) -> u64 {
        match &self.source {
            // The environment of a process does not change.
            KeySource::None | KeySource::Env(_) => 0,
            KeySource::File(_) | KeySource::Credential(_) => match self.read() {
                Ok(read) => read.version,
                Err(_) => self.cached.load().as_ref().map_or(0, |cached| cached.version),
            },
        }
    }

    fn read(&self) -> Result<Arc<Cached>, Error> {
        match &self.source {
            KeySource::File(path) => self.in_file(path, &format!("the file {}", path.display())),
            KeySource::Credential(name) => {
                let what = format!("the credential {name}");
                let none = || Error::MissingKey(format!("{what} cannot be read: systemd has passed no credentials"));
                let directory = variable(CREDENTIALS_DIRECTORY).map(PathBuf::from).ok_or_else(none)?;
                self.in_file(&directory.join(name), &what)
            }
            KeySource::None | KeySource::Env(_) => Err(Error::MissingKey("it is in no file".to_owned())),
        }
    }

    /// A file that is the same as when it was last read is not read again.
    fn in_file(&self, path: &Path, what: &str) -> Result<Arc<Cached>, Error> {
        let unreadable = |fault: std::io::Error| {
            let why = if fault.kind() == ErrorKind::NotFound { "does not exist" } else { "cannot be read" };
            Error::MissingKey(format!("{what} {why}"))
        };
        let stamp = Stamp::of(&std::fs::metadata(path).map_err(unreadable)?);
        let cached = self.cached.load_full();
        if let Some(cached) = cached.as_ref().filter(|cached| cached.file == stamp) {
            return Ok(cached.clone());
        }
        let limit = u64::try_from(KEY_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
        let mut bytes = Vec::new();
        File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(unreadable)?;
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let secret = checked(line).map_err(|why| Error::MissingKey(format!("{what} {why}")))?;
        let version = cached.map_or(0, |cached| cached.version).saturating_add(1);
        let fresh = Arc::new(Cached { file: stamp, secret, version });
        self.cached.store(Some(fresh.clone()));
        Ok(fresh)
    }
}

impl Stamp {
    fn of(about: &Metadata) -> Self {
        Self {
            device: about.dev(),
            inode: about.ino(),
            len: about.len(),
            modified: (about.mtime(), about.mtime_nsec()),
            changed: (about.ctime(), about.ctime_nsec()),
        }
    }
}

fn in_variable(name: &str) -> Result<Secret, Error> {
    let missing = || Error::MissingKey(format!("the variable {name} is not set"));
    let value = variable(name).ok_or_else(missing)?;
    checked(value.as_encoded_bytes()).map_err(|why| Error::MissingKey(format!("the variable {name} {why}")))
}

#[expect(clippy::disallowed_methods, reason = "the one reader of keys, at each use; settings hold only the name")]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// A key must fit into a header.
fn checked(line: &[u8]) -> Result<Secret, &'static str> {
    let line = line.trim_ascii();
    if line.is_empty() {
        return Err("is empty");
    }
    if line.len() > KEY_BYTES_MAX {
        return Err("holds more than a key");
    }
    if !line.iter().all(|byte| byte.is_ascii_graphic()) {
        return Err("holds no key: only printable ASCII without spaces is one");
    }
    std::str::from_utf8(line).map(Secret::new).map_err(|_| "is not text")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(key: &Key) -> Result<String, Error> {
        key.current().map(|secret| secret.expect("a key").expose().to_owned())
    }

    #[test]
    fn a_changed_file_is_read_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("key");
        let key = Key::new(KeySource::File(path.clone()));
        assert!(matches!(key.current(), Err(Error::MissingKey(what)) if what.contains("does not exist")));
        std::fs::write(&path, "sk-one\nsecond line\n").expect("written");
        assert_eq!(text(&key), Ok("sk-one".to_owned()));
        std::fs::write(&path, "sk-three\n").expect("written");
        assert_eq!(text(&key), Ok("sk-three".to_owned()));
        std::fs::remove_file(&path).expect("removed");
        assert!(key.current().is_err());
    }

    #[test]
    fn another_file_in_the_place_of_the_key_is_another_version_however_much_alike() {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, other) = (dir.path().join("key"), dir.path().join("other"));
        let key = Key::new(KeySource::File(path.clone()));
        assert_eq!(key.version(), 0, "there is none yet");
        std::fs::write(&path, "sk-one").expect("written");
        let first = key.version();
        assert_eq!((first, key.version()), (1, 1));
        std::fs::write(&other, "sk-two").expect("written");
        let as_old = std::fs::metadata(&path).expect("there").modified().expect("a time");
        File::options().write(true).open(&other).expect("open").set_modified(as_old).expect("set");
        std::fs::rename(&other, &path).expect("renamed");
        assert_eq!((key.version(), text(&key)), (2, Ok("sk-two".to_owned())));
        std::fs::remove_file(&path).expect("removed");
        assert_eq!(key.version(), 2, "nothing is not another key");
        assert_eq!(Key::new(KeySource::None).version(), 0);
    }

    #[test]
    fn a_credential_without_a_directory_of_them_is_named() {
        let key = Key::new(KeySource::Credential("openai".to_owned()));
        // The tests' own environment has no credentials; a service's would have.
        assert!(matches!(key.current(), Err(Error::MissingKey(what)) if what.contains("the credential openai")));
    }

    /// INVARIANT P4.
    #[test]
    fn what_cannot_be_a_key_is_said_without_being_shown() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("key");
        for bad in ["", "\n", "two words", "clé", &"k".repeat(KEY_BYTES_MAX + 1)] {
            std::fs::write(&path, bad).expect("written");
            let fault = Key::new(KeySource::File(path.clone())).current().expect_err("no key").to_string();
            assert!(bad.trim().is_empty() || !fault.contains(bad.trim()), "{fault}");
        }
    }

    #[test]
    fn a_missing_variable_is_named() {
        let key = Key::new(KeySource::Env("NG_TEST_NO_SUCH_KEY".to_owned()));
        assert!(matches!(key.current(), Err(Error::MissingKey(what)) if what.contains("NG_TEST_NO_SUCH_KEY")));
        assert!(matches!(Key::new(KeySource::None).current(), Ok(None)));
    }
}
