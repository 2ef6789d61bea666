//! The master key: it wraps the keys of the keyring, and lives outside the data directory.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::cipher::{self, Cipher, KEY_BYTES, KeyBytes};
use super::error::Error;
use super::slot::RingId;
use crate::config::settings::{Encryption, KeyFile};

/// The longest file that may hold one: 64 hexadecimal digits, and a line's end.
const FILE_BYTES_MAX: u64 = 66;

/// A master key: 256 bits. Wiped when it is dropped.
#[derive(Clone)]
pub struct MasterKey(KeyBytes);

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<a master key>")
    }
}

impl PartialEq for MasterKey {
    fn eq(&self, other: &Self) -> bool {
        use subtle::ConstantTimeEq as _;
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

/// The master keys that a store is opened with.
#[derive(Debug, Clone, Default)]
pub struct Masters {
    /// The one in force; without it nothing is encrypted.
    pub current: Option<MasterKey>,
    /// The one before, from which the keys are wrapped anew under the one in force.
    pub previous: Option<MasterKey>,
}

impl Masters {
    /// Reads the master keys that the settings name. Blocks. One of before that is not there any more is not needed any more.
    ///
    /// # Errors
    /// As [`MasterKey::load`].
    pub fn load(told: &Encryption, data_dir: &Path) -> Result<Self, Error> {
        let read = |place: &KeyFile| match place {
            KeyFile::File(path) => MasterKey::load(path, data_dir),
            KeyFile::Credential(path) => MasterKey::load_credential(path, data_dir),
        };
        let is_gone = |place: &KeyFile| match place {
            KeyFile::File(path) | KeyFile::Credential(path) => !path.exists(),
        };
        let current = told.master_key.as_ref().map(read).transpose()?;
        let previous = match &told.previous_master_key {
            Some(place) if is_gone(place) => {
                tracing::warn!(
                    "the previous master key is not there; previous_master_key_file can be taken out of the settings"
                );
                None
            }
            place => place.as_ref().map(read).transpose()?,
        };
        Ok(Self { current, previous })
    }
}

impl MasterKey {
    /// A new one, from the system's generator.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn generate() -> std::io::Result<Self> {
        cipher::new_key().map(Self)
    }

    /// How it is written to a file: 64 hexadecimal digits and a line's end.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(hex::encode(self.0.as_slice()));
        text.push('\n');
        text
    }

    /// Reads one from a file that nobody but its owner may read, outside the data directory. Blocks.
    ///
    /// # Errors
    /// [`Error::MasterUnusable`]: there is no such file, it is open to others, lies in the data directory or holds no key.
    pub fn load(path: &Path, data_dir: &Path) -> Result<Self, Error> {
        Self::read(path, data_dir, 0o077)
    }

    /// The same for a credential: systemd may give it to the service's user by an access control list, whose mask then stands
    /// where the group's permissions do (systemd.exec(5), acl(5)).
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_credential(path: &Path, data_dir: &Path) -> Result<Self, Error> {
        Self::read(path, data_dir, 0o037)
    }

    fn read(path: &Path, data_dir: &Path, forbidden: u32) -> Result<Self, Error> {
        let unusable = |why: String| Error::MasterUnusable { path: path.to_owned(), why };
        let fault = |fault: std::io::Error| unusable(format!("cannot be read: {fault}"));
        let file = File::open(path).map_err(fault)?;
        let about = file.metadata().map_err(fault)?;
        if !about.is_file() {
            return Err(unusable("is no file".to_owned()));
        }
        if about.mode() & forbidden != 0 {
            let mode = about.mode() & 0o777;
            return Err(unusable(format!("is open to others than its owner (mode {mode:o}): chmod 600 it")));
        }
        // A data directory that is not there yet holds nothing.
        let inside = data_dir.canonicalize().and_then(|data_dir| Ok(path.canonicalize()?.starts_with(data_dir)));
        if inside.unwrap_or(false) {
            return Err(unusable("lies in the data directory: who takes that away would have both".to_owned()));
        }
        let mut content = Zeroizing::new(Vec::with_capacity(usize::try_from(FILE_BYTES_MAX).unwrap_or(0)));
        file.take(FILE_BYTES_MAX).read_to_end(&mut content).map_err(fault)?;
        Self::parse(&content).ok_or_else(|| {
            unusable("holds no key: it must be 32 random bytes, in hexadecimal, in base64 or as they are".to_owned())
        })
    }

    /// Reads 32 bytes that are written in hexadecimal, in base64 or as they are. A text of 32 letters is none of them: it would
    /// be a password, or half a key in hexadecimal.
    #[must_use]
    pub fn parse(content: &[u8]) -> Option<Self> {
        if content.len() == KEY_BYTES && !content.iter().all(u8::is_ascii) {
            return Self::of(content);
        }
        let text = content.trim_ascii();
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        if text.len() == 64 {
            hex::decode_to_slice(text, &mut *key).ok()?;
            return Self::of(&*key);
        }
        if !matches!(text.len(), 43 | 44) {
            return None;
        }
        let read = [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD]
            .into_iter()
            .find_map(|form| form.decode(text).ok().map(Zeroizing::new))?;
        Self::of(&read)
    }

    /// A key that is one byte over and over is somebody's placeholder.
    fn of(bytes: &[u8]) -> Option<Self> {
        let key: [u8; KEY_BYTES] = bytes.try_into().ok()?;
        let key = Zeroizing::new(key);
        let is_plain = key.windows(2).all(|pair| pair.first() == pair.last());
        (!is_plain).then_some(Self(key))
    }

    /// What wraps the keys of a ring.
    pub(super) fn wrap(&self, ring: &RingId) -> Cipher {
        Cipher::new(&cipher::derived(&self.0, b"agent-factory/keyring", ring))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_read_in_every_form_that_people_make_one() {
        let key = MasterKey::generate().unwrap();
        let raw = key.0.to_vec();
        let hexadecimal = hex::encode(&raw);
        let forms: [Vec<u8>; 7] = [
            raw.clone(),
            hexadecimal.clone().into_bytes(),
            format!("{}\n", hexadecimal.to_uppercase()).into_bytes(),
            STANDARD.encode(&raw).into_bytes(),
            format!("{}\n", STANDARD.encode(&raw)).into_bytes(),
            URL_SAFE_NO_PAD.encode(&raw).into_bytes(),
            key.to_text().as_bytes().to_vec(),
        ];
        for form in forms {
            assert_eq!(MasterKey::parse(&form), Some(key.clone()), "{} bytes", form.len());
        }
        assert_eq!(format!("{key:?}"), "<a master key>");
    }

    #[test]
    fn what_is_no_key_is_none() {
        let hexadecimal = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        for text in [
            "",
            "password",
            &hexadecimal[..32],
            &hexadecimal[..63],
            &format!("{hexadecimal}0"),
            &"00".repeat(32),
            &"z".repeat(64),
            &"!".repeat(44),
        ] {
            assert_eq!(MasterKey::parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(MasterKey::parse(&[0; 32]), None);
        assert_eq!(MasterKey::parse(&[200; 33]), None);
    }

    #[test]
    fn a_file_that_others_may_read_or_that_lies_with_the_data_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = directory.path().join("data");
        std::fs::create_dir(&data_dir).unwrap();
        let write = |path: &Path, text: &[u8], mode| {
            std::fs::write(path, text).unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let key = MasterKey::generate().unwrap();
        let good = directory.path().join("master.key");
        write(&good, key.to_text().as_bytes(), 0o600);
        assert_eq!(MasterKey::load(&good, &data_dir).unwrap(), key);
        let why = |path: &Path| MasterKey::load(path, &data_dir).unwrap_err().to_string();
        write(&good, key.to_text().as_bytes(), 0o640);
        assert!(why(&good).contains("open to others"), "{}", why(&good));
        write(&good, b"secret", 0o600);
        assert!(why(&good).contains("holds no key") && !why(&good).contains("secret"));
        let inside = data_dir.join("master.key");
        write(&inside, key.to_text().as_bytes(), 0o600);
        assert!(why(&inside).contains("in the data directory"));
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&inside, &link).unwrap();
        assert!(why(&link).contains("in the data directory"));
        assert!(why(&data_dir.join("nothing")).contains("cannot be read"));
        assert!(why(directory.path()).contains("is no file"));
    }
}
