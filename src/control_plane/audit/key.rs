//! The key that signs for the log (pure): Ed25519, strictly verified. Each kind of thing that is signed begins with words of its
//! own, so that a signature of one kind never fits another.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{
    DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _, KeypairBytes,
};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use rand::RngCore as _;
use rand::rngs::OsRng;
use sha2::{Digest as _, Sha256};

use crate::domain::private::Secret;

/// The length of a signature, in bytes.
pub const SIGNATURE_BYTES: usize = 64;
/// The length of a public key, in bytes.
const PUBLIC_BYTES: usize = 32;
/// Bytes of the hash that a log's id shows.
const LOG_ID_BYTES: usize = 16;
/// Before the key, in what a log's id is the hash of.
const LOG_ID: &str = "agent-factory/audit/log\n";

/// What a signature is for. Checkpoints are signed as notes, which begin with the name of the log instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The end of an export.
    Export,
    /// A receipt of something that was done, such as an erasure.
    Receipt,
    /// The link up to which a checkpoint was made.
    Link,
}

impl Purpose {
    /// What stands before what is signed.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Export => "agent-factory/audit-export/v1\n",
            Self::Receipt => "agent-factory/receipt/v1\n",
            Self::Link => "agent-factory/audit-link/v1\n",
        }
    }
}

/// The private key of the log. It prints nothing of itself.
#[derive(Clone)]
pub struct AuditKey(SigningKey);

/// The public key of a log.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// A signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; SIGNATURE_BYTES]);

impl AuditKey {
    /// A new key from the system's random numbers.
    ///
    /// # Errors
    /// The system has none.
    pub fn generate() -> Result<Self, String> {
        let mut seed = [0; 32];
        OsRng.try_fill_bytes(&mut seed).map_err(|fault| fault.to_string())?;
        Ok(Self::from_seed(seed))
    }

    /// The key of a seed.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&seed))
    }

    /// Reads a private key in PEM (PKCS#8).
    ///
    /// # Errors
    /// It is not one of Ed25519. The text is not repeated.
    pub fn from_pem(pem: &str) -> Result<Self, &'static str> {
        SigningKey::from_pkcs8_pem(pem).map(Self).map_err(|_| "not an Ed25519 private key (PKCS#8, PEM)")
    }

    /// The key in PEM (PKCS#8).
    ///
    /// # Errors
    /// The key cannot be encoded, which no key that there is does.
    pub fn to_pem(&self) -> Result<Secret, String> {
        // Without the public half: OpenSSL 1.1 and 3.0 read only the first version of PKCS#8.
        let bytes = KeypairBytes { secret_key: self.0.to_bytes(), public_key: None };
        let pem = bytes.to_pkcs8_pem(LineEnding::LF).map_err(|fault| fault.to_string())?;
        Ok(Secret::new(pem.as_str()))
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs bytes for a purpose.
    #[must_use]
    pub fn sign(&self, purpose: Purpose, bytes: &[u8]) -> Signature {
        Signature(self.0.sign(&[purpose.words().as_bytes(), bytes].concat()).to_bytes())
    }

    /// Signs the text of a note, which begins with the name of the log.
    #[must_use]
    pub(super) fn sign_note(&self, text: &str) -> Signature {
        Signature(self.0.sign(text.as_bytes()).to_bytes())
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "audit key of {:?}", self.public())
    }
}

impl PublicKey {
    /// Reads a public key in PEM (SPKI).
    ///
    /// # Errors
    /// It is not a usable key of Ed25519.
    pub fn from_pem(pem: &str) -> Result<Self, &'static str> {
        if pem.contains("PRIVATE KEY") {
            return Err("a private key; the public one is asked for");
        }
        let key = VerifyingKey::from_public_key_pem(pem.trim()).map_err(|_| "not an Ed25519 public key (SPKI, PEM)")?;
        Self::strong(key)
    }

    /// Reads a public key as exports write it; nothing where it is not one in its only form.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        let bytes: [u8; PUBLIC_BYTES] = BASE64.decode(text).ok()?.try_into().ok()?;
        Self::strong(VerifyingKey::from_bytes(&bytes).ok()?).ok()
    }

    fn strong(key: VerifyingKey) -> Result<Self, &'static str> {
        if key.is_weak() { Err("an Ed25519 key of small order") } else { Ok(Self(key)) }
    }

    /// The key in PEM (SPKI).
    ///
    /// # Errors
    /// The key cannot be encoded, which no key that there is does.
    pub fn to_pem(&self) -> Result<String, String> {
        self.0.to_public_key_pem(LineEnding::LF).map_err(|fault| fault.to_string())
    }

    /// The key as exports write it: 32 bytes in base64.
    #[must_use]
    pub fn to_base64(&self) -> String {
        BASE64.encode(self.as_bytes())
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; PUBLIC_BYTES] {
        self.0.as_bytes()
    }

    /// The id of its log: the first 16 bytes of `SHA-256("agent-factory/audit/log\n" ‖ key)`, in hexadecimal. As random as the
    /// key.
    #[must_use]
    pub fn log_id(&self) -> String {
        let hash: [u8; 32] = Sha256::new().chain_update(LOG_ID).chain_update(self.as_bytes()).finalize().into();
        hex::encode(hash.get(..LOG_ID_BYTES).unwrap_or(&hash))
    }

    /// Whether a signature for this purpose fits these bytes, strictly: in its only form, and not of a weak key.
    #[must_use]
    pub fn fits(&self, purpose: Purpose, bytes: &[u8], signature: &Signature) -> bool {
        self.fits_bytes(&[purpose.words().as_bytes(), bytes].concat(), signature)
    }

    /// Whether a signature fits the text of a note.
    #[must_use]
    pub(super) fn fits_note(&self, text: &str, signature: &Signature) -> bool {
        self.fits_bytes(text.as_bytes(), signature)
    }

    fn fits_bytes(&self, bytes: &[u8], signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.0.verify_strict(bytes, &signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_base64())
    }
}

impl Signature {
    /// A signature from its bytes; nothing where there are more or fewer.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Reads a signature in base64; nothing where it is not one in its only form.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        Self::from_slice(&BASE64.decode(text).ok()?)
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; SIGNATURE_BYTES] {
        &self.0
    }
}

impl fmt::Display for Signature {
    /// Writes base64.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(self.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_and_has_one_log() {
        let key = AuditKey::generate().expect("random numbers");
        let again = AuditKey::from_pem(key.to_pem().expect("encodes").expose()).expect("a key");
        assert_eq!(again.public(), key.public());
        let public = PublicKey::from_pem(&key.public().to_pem().expect("encodes")).expect("a key");
        assert_eq!(public, key.public());
        assert_eq!(PublicKey::from_base64(&public.to_base64()), Some(public.clone()));
        assert_eq!(public.log_id().len(), 32);
        assert_ne!(public.log_id(), AuditKey::from_seed([1; 32]).public().log_id());
    }

    #[test]
    fn a_signature_fits_its_purpose_and_its_bytes_only() {
        let (key, other) = (AuditKey::from_seed([1; 32]), AuditKey::from_seed([2; 32]));
        let signature = key.sign(Purpose::Receipt, b"gone");
        assert!(key.public().fits(Purpose::Receipt, b"gone", &signature));
        for purpose in [Purpose::Export, Purpose::Link] {
            assert!(!key.public().fits(purpose, b"gone", &signature));
        }
        assert!(!key.public().fits(Purpose::Receipt, b"gone ", &signature));
        assert!(!other.public().fits(Purpose::Receipt, b"gone", &signature));
        assert_eq!(Signature::from_base64(&signature.to_string()), Some(signature));
    }

    #[test]
    fn a_private_key_is_never_printed_nor_taken_for_a_public_one() {
        let key = AuditKey::from_seed([1; 32]);
        let pem = key.to_pem().expect("encodes");
        assert!(PublicKey::from_pem(pem.expose()).expect_err("private").contains("private"));
        assert!(!format!("{key:?}").contains(&hex::encode([1; 32])) && format!("{key:?}").starts_with("audit key of"));
        assert!(AuditKey::from_pem("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").is_err());
    }

    /// The neutral element: everything it signs fits everything.
    #[test]
    fn a_weak_key_is_refused() {
        let mut neutral = [0; 32];
        neutral[0] = 1;
        assert_eq!(PublicKey::from_base64(&BASE64.encode(neutral)), None);
    }
}
