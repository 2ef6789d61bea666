//! The files that say who is trusted: `ID.pub.pem`, `trust.toml`, `revoked.json` with its signature. Blocks.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::config::settings;
use crate::control_plane::template::signing::SIGNATURE_SUFFIX;
use crate::control_plane::template::source::audit::Audit;
use crate::domain::clock::Timestamp;
use crate::domain::name::KeyId;

use super::PUBLIC_KEY_SUFFIX;
use super::files::Files;
use super::grants::{self, Grant, TRUST_FILE_BYTES_MAX};
use super::memory::{Memory, Remembered};
use super::public::PublicKey;
use super::revocations::{REVOCATIONS_BYTES_MAX, REVOCATIONS_FILE, Revocations, Step};
use super::signature::{Envelope, SIGNATURE_BYTES_MAX, Scheme};
use super::store::{Key, TrustStore};

/// What each key is trusted with, beside the keys.
pub const TRUST_FILE: &str = "trust.toml";
/// The largest key file, in bytes.
const KEY_FILE_BYTES_MAX: usize = 64 * 1024;
/// The most keys that are read from a directory.
const KEYS_MAX: usize = 1_024;

/// What `trust.toml` says, or that there is none.
type Entries = Option<BTreeMap<KeyId, grants::Entry>>;

impl TrustStore {
    /// Reads the keys that the settings name, beside what is remembered of earlier readings.
    pub(in crate::control_plane::template) fn load(
        settings: &settings::Templates,
        memory: Memory,
        now: Timestamp,
    ) -> Self {
        let audit = settings.source_audit.then(|| Audit::for_user(rustix::process::geteuid().as_raw()));
        let (directory, one_more) = (settings.trusted_keys_dir.as_deref(), settings.rsa_public_key_path.as_deref());
        Self::gather((directory, one_more), Files::audited(audit), memory, now)
    }

    /// Reads `ID.pub.pem` from a directory, and one more key from a file, which may sign in the legacy form as well. The list of
    /// revocations is believed as it lies there, because nobody remembers an earlier one.
    #[must_use]
    pub fn read(directory: Option<&Path>, one_more: Option<&Path>) -> Self {
        Self::read_at(directory, one_more, Timestamp::now())
    }

    /// The same, for an instant: a list of revocations must have been signed by a key that is trusted then.
    #[must_use]
    pub fn read_at(directory: Option<&Path>, one_more: Option<&Path>, now: Timestamp) -> Self {
        Self::gather((directory, one_more), Files::default(), Memory::default(), now)
    }

    fn gather(
        (directory, one_more): (Option<&Path>, Option<&Path>),
        mut files: Files,
        memory: Memory,
        now: Timestamp,
    ) -> Self {
        let files = &mut files;
        let mut store = Self { trust_file: memory.trust_file, ..Self::nobody() };
        let mut hash = Sha256::new();
        let entries = directory.map_or(Ok(None), |directory| store.entries(directory, files, &mut hash));
        for path in directory.map(|directory| store.key_files(directory, files)).unwrap_or_default() {
            store.read_key(&path, (files, &mut hash), |id| match &entries {
                Ok(None) => Some(Grant::without_a_file()),
                Ok(Some(entries)) => entries.get(id).map(|entry| entry.grant.clone()),
                Err(()) => None,
            });
        }
        if let Some(path) = one_more {
            hash.update("one more");
            store.read_key(path, (files, &mut hash), |id| match &entries {
                Ok(None) => Some(legacy_as_well(Grant::without_a_file())),
                Ok(Some(entries)) => Some(entries.get(id).map_or_else(
                    || legacy_as_well(Grant::default()),
                    |entry| if entry.names_schemes { entry.grant.clone() } else { legacy_as_well(entry.grant.clone()) },
                )),
                Err(()) => None,
            });
        }
        store.revoke(directory, files, &memory.revocations, now);
        store.interrupted = files.interrupted.take();
        hash.update(store.revocations.as_ref().map_or(&[0_u8; 32], |list| list.digest().as_bytes()));
        hash.update([u8::from(store.revocations.is_some())]);
        store.fingerprint = hash.finalize().into();
        store
    }

    /// Reads `trust.toml`. A file with a mistake is told, and trusts nobody; so does one that was there before and is gone.
    fn entries(&mut self, directory: &Path, files: &mut Files, hash: &mut Sha256) -> Result<Entries, ()> {
        let path = directory.join(TRUST_FILE);
        let there = path.symlink_metadata();
        let missing = there.as_ref().is_err_and(|fault| fault.kind() == ErrorKind::NotFound);
        let audited = files.faults(directory);
        if !audited.is_empty() {
            // Whoever may write there decides who is trusted.
            hash.update("audit");
            let faults = audited.into_iter().map(|fault| (directory.to_owned(), format!("{fault}; no key is trusted")));
            self.unusable.extend(faults);
            return Err(());
        }
        if missing && !self.trust_file {
            return Ok(None);
        }
        let mut refuse = |reason: String| self.unusable.push((path.clone(), format!("{reason}; no key is trusted")));
        if missing {
            // INVARIANT I60: whoever takes the file away must not widen what it narrowed.
            hash.update("gone");
            refuse("is gone; put it back, or write a new one that says what each key is trusted with".to_owned());
            return Err(());
        }
        self.first_trust_file = there.is_ok() && !self.trust_file;
        self.trust_file |= there.is_ok();
        let bytes = match files.read(&path, TRUST_FILE_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(fault) => {
                hash.update("unreadable");
                refuse(fault);
                return Err(());
            }
        };
        hash.update(Sha256::digest(&bytes));
        let Ok(text) = std::str::from_utf8(&bytes) else {
            refuse("not UTF-8".to_owned());
            return Err(());
        };
        grants::parse(text)
            .map(Some)
            .map_err(|mistakes| mistakes.iter().for_each(|mistake| refuse(mistake.to_string())))
    }

    fn key_files(&mut self, directory: &Path, files: &mut Files) -> Vec<PathBuf> {
        let entries = match std::fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(fault) => {
                files.note(directory, &fault);
                self.unusable.push((directory.to_owned(), format!("cannot be read: {fault}")));
                return Vec::new();
            }
        };
        let mut paths: Vec<PathBuf> = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => paths.push(entry.path()),
                Err(fault) => {
                    files.note(directory, &fault);
                    self.unusable.push((directory.to_owned(), format!("cannot be listed: {fault}")));
                }
            }
        }
        paths.retain(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
            name.ends_with(PUBLIC_KEY_SUFFIX) && !name.starts_with('.')
        });
        paths.sort();
        if paths.len() > KEYS_MAX {
            self.unusable.push((directory.to_owned(), format!("only the first {KEYS_MAX} keys are read")));
            paths.truncate(KEYS_MAX);
        }
        paths
    }

    fn read_key(
        &mut self,
        path: &Path,
        (files, hash): (&mut Files, &mut Sha256),
        grant: impl Fn(&KeyId) -> Option<Grant>,
    ) {
        let read = key_of(path, files).and_then(|(id, public)| {
            let spki_sha256 = public.spki_sha256()?;
            let grant = grant(&id);
            if grant.as_ref().is_some_and(|grant| grant.schemes == [Scheme::Legacy].into())
                && matches!(public, PublicKey::Ed25519(_))
            {
                return Err("an Ed25519 key cannot sign in the legacy form, the only one that it may use".to_owned());
            }
            Ok((id, Key { public, spki_sha256, grant }))
        });
        match read {
            Ok((id, key)) => {
                hash.update(id.as_str());
                hash.update([0]);
                hash.update(key.spki_sha256.as_bytes());
                self.add(path.to_owned(), id, key);
            }
            Err(reason) => self.unusable.push((path.to_owned(), reason)),
        }
    }

    /// Puts the list of revocations in force: the one of the file if it may take the earlier one's place, else the earlier one.
    fn revoke(&mut self, directory: Option<&Path>, files: &mut Files, remembered: &Remembered, now: Timestamp) {
        let in_force = match remembered {
            Remembered::List(list) => Some(list.clone()),
            Remembered::Nothing | Remembered::Lost => None,
        };
        let earlier = in_force.clone().unwrap_or_else(|| Arc::new(Revocations::none()));
        let path = directory.unwrap_or(Path::new("")).join(REVOCATIONS_FILE);
        // Only a file that certainly is not there counts as none; another error is one that cannot be believed.
        let missing = path.symlink_metadata().is_err_and(|fault| fault.kind() == ErrorKind::NotFound);
        if directory.is_none() || missing {
            match remembered {
                Remembered::Lost => {
                    let reason = "is gone, and the record of the list in force is damaged, so that nobody knows who is \
                                  revoked; put it back with its signature; no key is trusted until then";
                    self.unusable.push((path, reason.to_owned()));
                }
                Remembered::List(list) if list.version() > 0 => {
                    self.unusable.push((path, format!("is gone; its {list} stays in force")));
                    self.revocations = in_force;
                }
                Remembered::List(_) | Remembered::Nothing => self.revocations = Some(earlier),
            }
            return;
        }
        self.revocations = Some(earlier.clone());
        // A list takes trust away and gives none: where none is remembered, one by a key whose time is over is better than none.
        match self.candidate((&path, files), &earlier, in_force.as_ref().map(|_| now)) {
            Ok(None) => {}
            Ok(Some((list, bytes))) => {
                if matches!(remembered, Remembered::Lost) {
                    let reason = "the record of the list in force is damaged; this file is believed in its place";
                    self.unusable.push((path, format!("{reason}: make sure that {list} is the latest")));
                }
                self.revocations = Some(Arc::new(list));
                self.accepted = Some(Arc::new(bytes));
            }
            Err(reason) => {
                // INVARIANT I61: a list that cannot be believed takes nothing back. Where there was none before, nobody
                // knows what it would have revoked.
                let stays = match &in_force {
                    Some(list) if list.version() > 0 => format!("{list} stays in force"),
                    Some(_) => "no key is revoked by it".to_owned(),
                    None => "no key is trusted until it is put right".to_owned(),
                };
                self.unusable.push((path, format!("{reason}; {stays}")));
                self.revocations = in_force;
            }
        }
    }

    /// The list of the file, where it is to take the earlier one's place.
    fn candidate(
        &self,
        (path, files): (&Path, &mut Files),
        earlier: &Revocations,
        now: Option<Timestamp>,
    ) -> Result<Option<(Revocations, Vec<u8>)>, String> {
        let bytes = files.read(path, REVOCATIONS_BYTES_MAX)?;
        let list = Revocations::parse(&bytes)?;
        if list.step(earlier)? == Step::Same {
            return Ok(None);
        }
        let signature = path.with_file_name(format!("{REVOCATIONS_FILE}{SIGNATURE_SUFFIX}"));
        let signature = files.read(&signature, SIGNATURE_BYTES_MAX)?;
        let envelope = Envelope::parse(&signature).map_err(|fault| fault.to_string())?;
        self.verify_list(&list, &envelope, now)?;
        Ok(Some((list, bytes)))
    }
}

fn legacy_as_well(mut grant: Grant) -> Grant {
    grant.schemes.insert(Scheme::Legacy);
    grant
}

/// The id of a public key file: what stands before `.pub.pem`, or `.pem`.
fn key_id(path: &Path) -> Option<KeyId> {
    let name = path.file_name()?.to_str()?;
    let stem = name.strip_suffix(PUBLIC_KEY_SUFFIX).or_else(|| name.strip_suffix(".pem")).unwrap_or(name);
    stem.parse().ok()
}

/// Reads a public key file.
pub(super) fn named_key(path: &Path) -> Result<(KeyId, PublicKey), String> {
    key_of(path, &mut Files::default())
}

fn key_of(path: &Path, files: &mut Files) -> Result<(KeyId, PublicKey), String> {
    let id = key_id(path).ok_or("its name is not a key id")?;
    let bytes = files.read(path, KEY_FILE_BYTES_MAX)?;
    if bytes.len() > KEY_FILE_BYTES_MAX {
        return Err(format!("larger than {KEY_FILE_BYTES_MAX} bytes"));
    }
    let pem = String::from_utf8(bytes).map_err(|_| "not text".to_owned())?;
    Ok((id, PublicKey::from_pem(&pem)?))
}
