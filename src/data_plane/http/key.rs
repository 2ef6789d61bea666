//! A key, read anew at each use, so that a key that is put in place or changed needs no restart.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwapOption;

use super::error::Error;
use crate::config::settings::KeySource;
use crate::domain::private::Secret;

/// The longest key, in bytes.
const KEY_BYTES_MAX: usize = 8 * 1024;

/// Where a key comes from, and the last one read from a file.
pub(crate) struct Key {
    source: KeySource,
    cached: ArcSwapOption<Cached>,
}

struct Cached {
    modified: Option<SystemTime>,
    len: u64,
    secret: Secret,
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
            KeySource::File(path) => self.in_file(path).map(Some),
            KeySource::Env(name) => in_variable(name).map(Some),
        }
    }

    /// A file that is as old and as long as when it was last read is not read again.
    fn in_file(&self, path: &Path) -> Result<Secret, Error> {
        let unreadable = |fault: std::io::Error| {
            let why = if fault.kind() == ErrorKind::NotFound { "does not exist" } else { "cannot be read" };
            Error::MissingKey(format!("the file {} {why}", path.display()))
        };
        let about = std::fs::metadata(path).map_err(unreadable)?;
        let cached = self.cached.load();
        if let Some(cached) = cached.as_ref().filter(|cached| cached.fits(&about)) {
            return Ok(cached.secret.clone());
        }
        let limit = u64::try_from(KEY_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
        let mut bytes = Vec::new();
        File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(unreadable)?;
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let secret = checked(line).map_err(|why| Error::MissingKey(format!("the file {} {why}", path.display())))?;
        let fresh = Cached { modified: about.modified().ok(), len: about.len(), secret: secret.clone() };
        self.cached.store(Some(Arc::new(fresh)));
        Ok(secret)
    }
}

impl Cached {
    fn fits(&self, about: &Metadata) -> bool {
        self.modified.is_some() && self.modified == about.modified().ok() && self.len == about.len()
    }
}

#[expect(clippy::disallowed_methods, reason = "the one reader of keys, at each use; settings hold only the name")]
fn in_variable(name: &str) -> Result<Secret, Error> {
    let missing = || Error::MissingKey(format!("the variable {name} is not set"));
    let value = std::env::var_os(name).ok_or_else(missing)?;
    checked(value.as_encoded_bytes()).map_err(|why| Error::MissingKey(format!("the variable {name} {why}")))
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
