//! The keys that may sign templates.
//!
//! Each `ID.pub.pem` in the directory of trusted keys (SPKI, PEM) may sign any template in form v1. A file that is not a usable
//! key is told by name and trusts nobody; the others go on. Restrictions written in a `trust.toml` are not read by this
//! version, so that a directory that has one trusts nobody rather than too many.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use ed25519_dalek::VerifyingKey as Ed25519Key;
use ed25519_dalek::pkcs8::DecodePublicKey as _;
use rsa::RsaPublicKey;
use rsa::pss;
use rsa::signature::Verifier as _;
use rsa::traits::PublicKeyParts as _;
use sha2::{Digest as _, Sha256};

use crate::config::settings;
use crate::domain::name::{Digest, KeyId};

use super::signature::{Algorithm, Envelope, Fault};

/// How public key files end.
pub const PUBLIC_KEY_SUFFIX: &str = ".pub.pem";
/// The smallest RSA key that is trusted, in bits.
pub const RSA_BITS_MIN: usize = 2_048;
/// The largest key file, in bytes.
pub(in crate::control_plane::template) const KEY_FILE_BYTES_MAX: u64 = 64 * 1024;
/// The most keys that are read from a directory.
const KEYS_MAX: usize = 1_024;

/// A public key.
#[derive(Debug, Clone)]
pub enum PublicKey {
    /// Ed25519.
    Ed25519(Box<Ed25519Key>),
    /// RSA of at least [`RSA_BITS_MIN`] bits.
    Rsa(Box<pss::VerifyingKey<Sha256>>),
}

impl PublicKey {
    /// Reads a public key in PEM.
    ///
    /// # Errors
    /// Why it is not a usable key.
    pub fn from_pem(pem: &str) -> Result<Self, String> {
        if pem.contains("PRIVATE KEY") {
            return Err("a private key; only public keys belong here".to_owned());
        }
        if let Ok(key) = Ed25519Key::from_public_key_pem(pem) {
            let weak = key.is_weak();
            return if weak {
                Err("an Ed25519 key of small order".to_owned())
            } else {
                Ok(Self::Ed25519(Box::new(key)))
            };
        }
        let key = RsaPublicKey::from_public_key_pem(pem)
            .map_err(|_| "neither an Ed25519 nor an RSA public key (SPKI, PEM)".to_owned())?;
        let bits = key.n().bits();
        if bits < RSA_BITS_MIN {
            return Err(format!("an RSA key of {bits} bits; at least {RSA_BITS_MIN} are needed"));
        }
        Ok(Self::Rsa(Box::new(pss::VerifyingKey::new(key))))
    }

    /// The one algorithm of the key.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Ed25519(_) => Algorithm::Ed25519,
            Self::Rsa(_) => Algorithm::RsaPssSha256,
        }
    }

    /// Whether a signature fits a message.
    fn fits(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            Self::Rsa(key) => {
                pss::Signature::try_from(signature).is_ok_and(|signature| key.verify(message, &signature).is_ok())
            }
        }
    }
}

/// The trusted keys at one moment.
#[derive(Debug, Clone, Default)]
pub struct TrustStore {
    keys: BTreeMap<KeyId, PublicKey>,
    unusable: Vec<(PathBuf, String)>,
    fingerprint: [u8; 32],
}

impl TrustStore {
    /// A store that trusts nobody.
    #[must_use]
    pub fn nobody() -> Self {
        Self::default()
    }

    /// Reads the keys that the settings name. Blocks.
    #[must_use]
    pub fn load(settings: &settings::Templates) -> Self {
        Self::read(settings.trusted_keys_dir.as_deref(), settings.rsa_public_key_path.as_deref())
    }

    /// Reads `ID.pub.pem` from a directory, and one more key from a file. Blocks.
    #[must_use]
    pub fn read(directory: Option<&Path>, one_more: Option<&Path>) -> Self {
        let mut store = Self::nobody();
        let mut hash = Sha256::new();
        let mut paths = directory.map(|directory| store.key_files(directory)).unwrap_or_default();
        let same = |one: &Path, other: &Path| {
            one.canonicalize().ok().is_some_and(|one| other.canonicalize().ok() == Some(one))
        };
        paths.extend(one_more.filter(|more| !paths.iter().any(|path| same(path, more))).map(Path::to_owned));
        for path in paths {
            store.add(&path, &mut hash);
        }
        store.fingerprint = hash.finalize().into();
        store
    }

    fn key_files(&mut self, directory: &Path) -> Vec<PathBuf> {
        let entries = match std::fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(fault) => {
                self.unusable.push((directory.to_owned(), format!("cannot be read: {fault}")));
                return Vec::new();
            }
        };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
        if let Some(restrictions) = paths.iter().find(|path| path.file_name().is_some_and(|name| name == "trust.toml"))
        {
            let reason = "restricts the keys beside it, which this version cannot do; none of them is trusted";
            self.unusable.push((restrictions.clone(), reason.to_owned()));
            return Vec::new();
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

    fn add(&mut self, path: &Path, hash: &mut Sha256) {
        match read_key(path) {
            Ok((id, key, pem)) => {
                for part in [id.as_str().as_bytes(), &[0], pem.as_bytes(), &[0]] {
                    hash.update(part);
                }
                match self.keys.entry(id) {
                    Entry::Vacant(place) => {
                        place.insert(key);
                    }
                    Entry::Occupied(earlier) => {
                        let reason = format!("there is another key named {}; the first is kept", earlier.key());
                        self.unusable.push((path.to_owned(), reason));
                    }
                }
            }
            Err(reason) => self.unusable.push((path.to_owned(), reason)),
        }
    }

    /// The trusted keys.
    pub fn keys(&self) -> impl Iterator<Item = (&KeyId, &PublicKey)> {
        self.keys.iter()
    }

    /// The files that trust nobody, each with the reason.
    #[must_use]
    pub fn unusable(&self) -> &[(PathBuf, String)] {
        &self.unusable
    }

    /// Tells these keys, and whatever else [`Self::verify`] goes by, from others.
    pub(in crate::control_plane::template) fn mark(&self) -> u64 {
        let (mark, _) = self.fingerprint.split_first_chunk().unwrap_or((&[0; 8], &[]));
        u64::from_be_bytes(*mark)
    }

    /// Whether another reading found the same keys.
    pub(in crate::control_plane::template) fn same_as(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint && self.keys.len() == other.keys.len()
    }

    /// Verifies a signature over a content of this digest.
    ///
    /// # Errors
    /// The key is not trusted, is of another algorithm, or the signature does not fit.
    pub fn verify(&self, envelope: &Envelope, digest: &Digest) -> Result<(), Fault> {
        let key = self.keys.get(&envelope.key_id).ok_or_else(|| Fault::UnknownKey(envelope.key_id.clone()))?;
        if key.algorithm() != envelope.algorithm {
            return Err(Fault::AlgorithmMismatch {
                key_id: envelope.key_id.clone(),
                written: envelope.algorithm,
                key: key.algorithm(),
            });
        }
        let fits = key.fits(&envelope.message(digest), &envelope.signature);
        if fits { Ok(()) } else { Err(Fault::Wrong(envelope.key_id.clone())) }
    }
}

/// The id of a public key file: what stands before `.pub.pem`, or `.pem`.
fn key_id(path: &Path) -> Option<KeyId> {
    let name = path.file_name()?.to_str()?;
    let stem = name.strip_suffix(PUBLIC_KEY_SUFFIX).or_else(|| name.strip_suffix(".pem")).unwrap_or(name);
    stem.parse().ok()
}

fn read_key(path: &Path) -> Result<(KeyId, PublicKey, String), String> {
    let id = key_id(path).ok_or("its name is not a key id")?;
    let size = std::fs::metadata(path).map_err(|fault| format!("cannot be read: {fault}"))?.len();
    if size > KEY_FILE_BYTES_MAX {
        return Err(format!("larger than {KEY_FILE_BYTES_MAX} bytes"));
    }
    let pem = std::fs::read_to_string(path).map_err(|fault| format!("cannot be read: {fault}"))?;
    let key = PublicKey::from_pem(&pem)?;
    Ok((id, key, pem))
}
