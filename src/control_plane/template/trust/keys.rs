//! Key pairs: made and read on the command line; private keys never enter the daemon.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, EncodePublicKey as _, KeypairBytes};
use rand::rngs::OsRng;
use rsa::RsaPrivateKey;
use rsa::pss;
use rsa::signature::{RandomizedSigner as _, SignatureEncoding as _, Signer as _};
use rsa::traits::PublicKeyParts as _;
use sha2::Sha256;

use crate::domain::name::KeyId;

use super::signature::Algorithm;
use crate::control_plane::template::error::Error;
use crate::control_plane::template::trust::{PUBLIC_KEY_SUFFIX, RSA_BITS_MIN};

/// The size of RSA keys that are made here, in bits. Larger ones are verified as well, at a price in time.
pub const RSA_BITS: usize = 2_048;
/// How private key files end.
const PRIVATE_KEY_SUFFIX: &str = ".pem";
/// Only the owner reads a private key.
const PRIVATE_MODE: u32 = 0o600;
/// Anyone may read a public key.
const PUBLIC_MODE: u32 = 0o644;

/// Where a new key pair lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPaths {
    /// `ID.pem`: PKCS#8, mode 600.
    pub private: PathBuf,
    /// `ID.pub.pem`: SPKI.
    pub public: PathBuf,
}

/// Makes a key pair in a directory, which is created where it is missing.
///
/// # Errors
/// A file of that name exists, or the directory cannot be written.
pub fn generate(id: &KeyId, algorithm: Algorithm, directory: &Path) -> Result<KeyPaths, Error> {
    std::fs::create_dir_all(directory).map_err(|fault| file("create the directory", directory, &fault))?;
    let paths = KeyPaths {
        private: directory.join(format!("{id}{PRIVATE_KEY_SUFFIX}")),
        public: directory.join(format!("{id}{PUBLIC_KEY_SUFFIX}")),
    };
    if paths.public.exists() {
        return Err(Error::KeyExists(paths.public));
    }
    let unusable = |reason: String| Error::KeyUnusable { path: paths.private.clone(), reason };
    let (private, public) = match algorithm {
        Algorithm::Ed25519 => {
            let key = SigningKey::generate(&mut OsRng);
            // Without the public half: OpenSSL 1.1 and 3.0 read only the first version of PKCS#8.
            let bytes = KeypairBytes { secret_key: key.to_bytes(), public_key: None };
            let private = bytes.to_pkcs8_pem(LineEnding::LF).map_err(|fault| unusable(fault.to_string()))?;
            let public = key.verifying_key().to_public_key_pem(LineEnding::LF);
            (private, public.map_err(|fault| unusable(fault.to_string()))?)
        }
        Algorithm::RsaPssSha256 => {
            let key = RsaPrivateKey::new(&mut OsRng, RSA_BITS).map_err(|fault| unusable(fault.to_string()))?;
            let private = key.to_pkcs8_pem(LineEnding::LF).map_err(|fault| unusable(fault.to_string()))?;
            let public = key.to_public_key().to_public_key_pem(LineEnding::LF);
            (private, public.map_err(|fault| unusable(fault.to_string()))?)
        }
    };
    write_new(&paths.private, private.as_bytes(), PRIVATE_MODE)?;
    write_new(&paths.public, public.as_bytes(), PUBLIC_MODE)?;
    Ok(paths)
}

/// A private key with the id that its file's name gives it.
pub(in crate::control_plane::template) struct PrivateKey {
    pub(in crate::control_plane::template) id: KeyId,
    secret: Secret,
}

enum Secret {
    Ed25519(Box<SigningKey>),
    Rsa(Box<pss::BlindedSigningKey<Sha256>>),
}

impl PrivateKey {
    /// Reads `ID.pem`.
    pub(in crate::control_plane::template) fn read(path: &Path) -> Result<Self, Error> {
        let unusable = |reason: &str| Error::KeyUnusable { path: path.to_owned(), reason: reason.to_owned() };
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        if name.ends_with(PUBLIC_KEY_SUFFIX) {
            return Err(unusable("a public key does not sign; name the private one, ID.pem"));
        }
        let stem = name.strip_suffix(PRIVATE_KEY_SUFFIX).unwrap_or(name);
        let id = stem.parse().map_err(|_| unusable("its name is not a key id"))?;
        let pem = std::fs::read_to_string(path).map_err(|fault| file("read the key", path, &fault))?;
        if let Ok(key) = SigningKey::from_pkcs8_pem(&pem) {
            return Ok(Self { id, secret: Secret::Ed25519(Box::new(key)) });
        }
        let key = RsaPrivateKey::from_pkcs8_pem(&pem)
            .map_err(|_| unusable("neither an Ed25519 nor an RSA private key (PKCS#8, PEM)"))?;
        if key.n().bits() < RSA_BITS_MIN {
            return Err(unusable("an RSA key of less than 2048 bits"));
        }
        Ok(Self { id, secret: Secret::Rsa(Box::new(pss::BlindedSigningKey::new(key))) })
    }

    /// Its one algorithm.
    pub(in crate::control_plane::template) fn algorithm(&self) -> Algorithm {
        match &self.secret {
            Secret::Ed25519(_) => Algorithm::Ed25519,
            Secret::Rsa(_) => Algorithm::RsaPssSha256,
        }
    }

    /// Signs a message.
    pub(in crate::control_plane::template) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.secret {
            Secret::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Secret::Rsa(key) => key.sign_with_rng(&mut OsRng, message).to_vec(),
        }
    }
}

/// Writes a file that must not exist yet.
fn write_new(path: &Path, content: &[u8], mode: u32) -> Result<(), Error> {
    let mut created = match OpenOptions::new().write(true).create_new(true).mode(mode).open(path) {
        Ok(created) => created,
        Err(fault) if fault.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(Error::KeyExists(path.to_owned()));
        }
        Err(fault) => return Err(file("create the key", path, &fault)),
    };
    created.write_all(content).and_then(|()| created.sync_all()).map_err(|fault| file("write the key", path, &fault))
}

pub(in crate::control_plane::template) fn file(action: &'static str, path: &Path, fault: &std::io::Error) -> Error {
    Error::File { action, path: path.to_owned(), reason: fault.to_string() }
}
