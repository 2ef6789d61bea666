//! Revoking a key: the list beside the keys is raised by one version and signed. Command line only; needs a private key.

use std::path::{Path, PathBuf};

use crate::control_plane::template::error::Error;
use crate::control_plane::template::signing::{SIGNATURE_SUFFIX, replace};
use crate::domain::clock::Timestamp;
use crate::domain::name::KeyId;

use super::PUBLIC_KEY_SUFFIX;
use super::keys::PrivateKey;
use super::reading::named_key;
use super::revocations::{REVOCATIONS_BYTES_MAX, REVOCATIONS_FILE, Revocation, Revocations};
use super::signature::Envelope;
use super::store::TrustStore;

/// What is to be revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A key by its id, and by its fingerprint as well where its file lies beside the list.
    Id(KeyId),
    /// The key in a public key file, by its fingerprint alone: it is trusted under no name, and its name may be used again.
    File(PathBuf),
}

/// The list after a key was revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// The list's file.
    pub path: PathBuf,
    /// Its new version.
    pub version: u64,
    /// What was added.
    pub revocation: Revocation,
    /// Who signed it.
    pub signed_by: KeyId,
}

/// Adds a key to the list of revocations in a directory of keys, and signs the list with a private key, whose public half
/// lies in the directory and may revoke.
///
/// # Errors
/// The list that is there cannot be believed, the key is revoked already, or the signature would not be accepted.
pub fn revoke(
    subject: &Subject,
    directory: &Path,
    private_key: &Path,
    reason: Option<String>,
    now: Timestamp,
) -> Result<Raised, Error> {
    let path = directory.join(REVOCATIONS_FILE);
    let refuse = |reason: String| Error::Revocations { path: path.clone(), reason };
    let trust = TrustStore::read_at(Some(directory), None, now);
    let in_force = trust.revocations().ok_or_else(|| {
        let about_list = trust.unusable().iter().find(|(unusable, _)| *unusable == path);
        refuse(about_list.map_or_else(|| "cannot be read".to_owned(), |(_, reason)| reason.clone()))
    })?;
    let revocation = revocation(subject, directory, reason, now)?;
    let known = in_force.entries().iter().any(|entry| {
        (entry.key_id.as_ref(), entry.spki_sha256) == (revocation.key_id.as_ref(), revocation.spki_sha256)
    });
    if known {
        return Err(refuse("the key is revoked already".to_owned()));
    }
    let text = in_force.with(revocation.clone()).map_err(refuse)?;
    let list = Revocations::parse(text.as_bytes()).map_err(refuse)?;
    let key = PrivateKey::read(private_key)?;
    let (key_id, algorithm) = (key.id.clone(), key.algorithm());
    let signature = key.sign(&list.message(&key_id, algorithm));
    let envelope = Envelope::V1 { key_id: key_id.clone(), algorithm, signature };
    // Nothing is written that the daemon would not accept.
    trust.verify_list(&list, &envelope, Some(now)).map_err(refuse)?;
    if text.len() > REVOCATIONS_BYTES_MAX {
        return Err(refuse(format!("would be larger than {REVOCATIONS_BYTES_MAX} bytes")));
    }
    replace(&directory.join(format!("{REVOCATIONS_FILE}{SIGNATURE_SUFFIX}")), envelope.to_text().as_bytes())?;
    replace(&path, text.as_bytes())?;
    Ok(Raised { path, version: list.version(), revocation, signed_by: key_id })
}

fn revocation(
    subject: &Subject,
    directory: &Path,
    reason: Option<String>,
    revoked_at: Timestamp,
) -> Result<Revocation, Error> {
    let fingerprint = |path: &Path| {
        let unusable = |reason| Error::KeyUnusable { path: path.to_owned(), reason };
        named_key(path).and_then(|(_, key)| key.spki_sha256()).map(Some).map_err(unusable)
    };
    match subject {
        Subject::File(path) => Ok(Revocation { key_id: None, spki_sha256: fingerprint(path)?, revoked_at, reason }),
        Subject::Id(id) => {
            let file = directory.join(format!("{id}{PUBLIC_KEY_SUFFIX}"));
            let spki_sha256 = if file.exists() { fingerprint(&file)? } else { None };
            Ok(Revocation { key_id: Some(id.clone()), spki_sha256, revoked_at, reason })
        }
    }
}
