//! Public keys: how they are read, told apart, and what fits them.

use ed25519_dalek::VerifyingKey as Ed25519Key;
use ed25519_dalek::pkcs8::{DecodePublicKey as _, EncodePublicKey as _};
use rsa::RsaPublicKey;
use rsa::pss;
use rsa::signature::Verifier as _;
use rsa::traits::PublicKeyParts as _;
use sha2::{Digest as _, Sha256};

use crate::domain::name::Digest;

use super::signature::Algorithm;

/// The smallest RSA key that is trusted, in bits.
pub const RSA_BITS_MIN: usize = 2_048;
/// The largest RSA key that is trusted, in bits: verification takes time with its square.
pub const RSA_BITS_MAX: usize = RsaPublicKey::MAX_SIZE;
/// What PSS with SHA-256 needs beside its salt: the digest's 32 bytes, a separator and a trailer (RFC 8017, section 9.1.1).
const PSS_OVERHEAD_BYTES: usize = 34;
/// An Ed25519 key, in bits.
const ED25519_BITS: usize = 256;

/// A public key.
#[derive(Debug, Clone)]
pub enum PublicKey {
    /// Ed25519.
    Ed25519(Box<Ed25519Key>),
    /// RSA of at least [`RSA_BITS_MIN`] bits.
    Rsa(Box<RsaKey>),
}

/// An RSA key, ready for the salts that signatures here have.
#[derive(Debug, Clone)]
pub struct RsaKey {
    /// With a salt of 32 bytes, as in form v1.
    short_salt: pss::VerifyingKey<Sha256>,
    /// With the longest salt, as the predecessor signs.
    longest_salt: pss::VerifyingKey<Sha256>,
}

impl RsaKey {
    fn new(key: RsaPublicKey) -> Self {
        // RFC 8017, section 9.1.1: the encoded message has ceil((bits - 1) / 8) bytes, one bit less than the modulus.
        let encoded = key.n().bits().saturating_sub(1).div_ceil(8);
        let longest = encoded.saturating_sub(PSS_OVERHEAD_BYTES);
        Self {
            longest_salt: pss::VerifyingKey::new_with_salt_len(key.clone(), longest),
            short_salt: pss::VerifyingKey::new(key),
        }
    }
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
        let key = RsaPublicKey::from_public_key_pem(pem).map_err(|_| {
            format!("neither an Ed25519 nor an RSA public key of at most {RSA_BITS_MAX} bits (SPKI, PEM)")
        })?;
        let bits = key.n().bits();
        if bits < RSA_BITS_MIN {
            return Err(format!("an RSA key of {bits} bits; at least {RSA_BITS_MIN} are needed"));
        }
        Ok(Self::Rsa(Box::new(RsaKey::new(key))))
    }

    /// The one algorithm of the key.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Ed25519(_) => Algorithm::Ed25519,
            Self::Rsa(_) => Algorithm::RsaPssSha256,
        }
    }

    /// Its size in bits.
    #[must_use]
    pub fn bits(&self) -> usize {
        match self {
            Self::Ed25519(_) => ED25519_BITS,
            Self::Rsa(key) => AsRef::<RsaPublicKey>::as_ref(&key.short_salt).n().bits(),
        }
    }

    /// Its fingerprint: the SHA-256 of its SubjectPublicKeyInfo in DER, which does not depend on what its file is named.
    ///
    /// # Errors
    /// The key cannot be encoded, which no key that was read does.
    pub fn spki_sha256(&self) -> Result<Digest, String> {
        let der = match self {
            Self::Ed25519(key) => key.to_public_key_der(),
            Self::Rsa(key) => AsRef::<RsaPublicKey>::as_ref(&key.short_salt).to_public_key_der(),
        };
        let der = der.map_err(|fault| format!("cannot be encoded: {fault}"))?;
        Ok(Digest::from_bytes(Sha256::digest(der.as_bytes()).into()))
    }

    /// Whether a signature fits a message of form v1: Ed25519 strictly, RSA with a salt of 32 bytes.
    pub(super) fn fits(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            Self::Rsa(key) => fits_pss(&key.short_salt, message, signature),
        }
    }

    /// Whether a signature of the predecessor fits a digest, which it takes for the message: RSA only, with the longest salt,
    /// else with one of 32 bytes.
    pub(super) fn fits_legacy(&self, digest: &Digest, signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(_) => false,
            Self::Rsa(key) => {
                [&key.longest_salt, &key.short_salt].into_iter().any(|key| fits_pss(key, digest.as_bytes(), signature))
            }
        }
    }
}

fn fits_pss(key: &pss::VerifyingKey<Sha256>, message: &[u8], signature: &[u8]) -> bool {
    pss::Signature::try_from(signature).is_ok_and(|signature| key.verify(message, &signature).is_ok())
}
