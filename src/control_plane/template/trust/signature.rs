//! Signatures in their two forms, told apart by the file beside the template.
//!
//! **v1** is a JSON document. What is signed is not the file but a message that binds the purpose, the key's id, the algorithm
//! and the digest of the file's canonical form, so that a signature can be moved to no other purpose, key, algorithm or content.
//! **legacy** is the bare base64 of the Python predecessor: RSA-PSS over the 32 bytes of a digest (see [`super::python`]). It
//! names no key, so that it is tried with each key that may sign in this form.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use crate::control_plane::template::model::Signer;
use crate::domain::name::{Digest, KeyId};

use super::fault::Fault;

/// The first line of the signed message.
const PURPOSE: &str = "agent-factory/template/v1";
/// The largest signature file, in bytes: RSA with 8,192 bits needs 1,368.
pub const SIGNATURE_BYTES_MAX: usize = 8 * 1024;

/// A signature algorithm. A key has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// Ed25519 (RFC 8032), verified strictly.
    Ed25519,
    /// RSA-PSS with SHA-256, MGF1-SHA-256 and a salt of 32 bytes.
    RsaPssSha256,
}

impl Algorithm {
    /// The word for it in signatures and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::RsaPssSha256 => "rsa-pss-sha256",
        }
    }

    /// The algorithm that a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Ed25519, Self::RsaPssSha256].into_iter().find(|algorithm| algorithm.as_str() == word)
    }
}

/// The form of a signature: what exactly is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Scheme {
    /// The domain-separated message of this system.
    #[default]
    V1,
    /// The predecessor's digest of its own canonical form. RSA only.
    Legacy,
}

impl Scheme {
    /// The word for it in signatures, `trust.toml` and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "factory-v1",
            Self::Legacy => "legacy",
        }
    }

    /// The scheme that a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::V1, Self::Legacy].into_iter().find(|scheme| scheme.as_str() == word)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A signature as read from its file; nothing is verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Envelope {
    /// Form v1.
    V1 {
        /// Whose signature it claims to be.
        key_id: KeyId,
        /// By which algorithm.
        algorithm: Algorithm,
        /// The signature's bytes.
        signature: Vec<u8>,
    },
    /// The predecessor's form, which names no key.
    Legacy {
        /// The signature's bytes.
        signature: Vec<u8>,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    scheme: String,
    key_id: String,
    algorithm: String,
    signature: String,
}

impl Envelope {
    /// Reads a signature file.
    ///
    /// # Errors
    /// It is neither a v1 signature document nor bare base64.
    pub fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let malformed = |reason: &str| Fault::Malformed(reason.to_owned());
        if bytes.len() > SIGNATURE_BYTES_MAX {
            return Err(Fault::Malformed(format!("larger than {SIGNATURE_BYTES_MAX} bytes")));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| malformed("not UTF-8"))?;
        if let Some(signature) = bare(text) {
            return Ok(Self::Legacy { signature });
        }
        let written: Written = serde_json::from_str(text).map_err(|fault| Fault::Malformed(fault.to_string()))?;
        if written.scheme != Scheme::V1.as_str() {
            return Err(Fault::UnknownScheme);
        }
        let key_id = written.key_id.parse().map_err(|_| malformed("key_id is not a key's name"))?;
        let algorithm = Algorithm::from_word(&written.algorithm).ok_or(Fault::UnknownAlgorithm)?;
        let signature = BASE64.decode(&written.signature).map_err(|_| malformed("signature is not base64"))?;
        Ok(Self::V1 { key_id, algorithm, signature })
    }

    /// The signature file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = match self {
            Self::Legacy { signature } => BASE64.encode(signature),
            Self::V1 { key_id, algorithm, signature } => {
                let written = Written {
                    scheme: Scheme::V1.to_string(),
                    key_id: key_id.to_string(),
                    algorithm: algorithm.to_string(),
                    signature: BASE64.encode(signature),
                };
                serde_json::to_string_pretty(&written).unwrap_or_default()
            }
        };
        text.push('\n');
        text
    }
}

/// What a content comes to in the canonical forms that signatures are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digests {
    /// The digest of the RFC 8785 form, by which everything here names a content.
    pub own: Digest,
    /// The digest of the predecessor's form, where a signature of that form is to be verified.
    pub legacy: Option<Digest>,
}

/// A signature that was verified: what must be kept to verify it again without the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::control_plane::template) struct Signed {
    pub(in crate::control_plane::template) signer: Signer,
    pub(in crate::control_plane::template) signature: Vec<u8>,
    /// The digest that a legacy signature is about.
    pub(in crate::control_plane::template) legacy: Option<Digest>,
}

/// The message that is signed: four lines that bind purpose, key, algorithm and content.
#[must_use]
pub fn message(key_id: &KeyId, algorithm: Algorithm, digest: &Digest) -> Vec<u8> {
    format!("{PURPOSE}\n{key_id}\n{algorithm}\n{digest}").into_bytes()
}

/// The bytes of a signature file that is bare base64, the predecessor's form.
fn bare(text: &str) -> Option<Vec<u8>> {
    let bare = text.trim_matches(|c: char| c.is_ascii_whitespace());
    if bare.is_empty() { None } else { BASE64.decode(bare).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> &'static str {
        Envelope::parse(text.as_bytes()).expect_err("a fault").reason()
    }

    #[test]
    fn an_envelope_reads_back() {
        let key_id = "ops-2026".parse().expect("a key id");
        let v1 = Envelope::V1 { key_id, algorithm: Algorithm::Ed25519, signature: vec![7; 64] };
        for envelope in [v1, Envelope::Legacy { signature: vec![7; 256] }] {
            assert_eq!(Envelope::parse(envelope.to_text().as_bytes()), Ok(envelope));
        }
    }

    #[test]
    fn whatever_is_not_exactly_an_envelope_is_refused_with_its_reason() {
        let good = r#"{"scheme":"factory-v1","key_id":"k","algorithm":"ed25519","signature":"AAAA"}"#;
        assert!(Envelope::parse(good.as_bytes()).is_ok());
        for (from, to, reason) in [
            ("factory-v1", "factory-v2", "unknown_scheme"),
            ("ed25519", "none", "unknown_algorithm"),
            ("ed25519", "ED25519", "unknown_algorithm"),
            ("\"k\"", "\"../k\"", "malformed"),
            ("AAAA", "AAA", "malformed"),
            ("AAAA", "AAAB=", "malformed"),
            ("{\"scheme\"", "{\"x\":1,\"scheme\"", "malformed"),
            ("{\"scheme\"", "{\"scheme\":\"factory-v1\",\"scheme\"", "malformed"),
            (",\"signature\":\"AAAA\"", "", "malformed"),
            ("}", "} {", "malformed"),
        ] {
            assert_eq!(told(&good.replacen(from, to, 1)), reason, "{from} -> {to}");
        }
        assert_eq!(told(""), "malformed");
        for near in ["AAAAB", "AAAAA===", "AAAB=", "AAAA\nBBBB", "AAA\u{a0}", "\"AAAA\"", "-_-_"] {
            assert_eq!(told(near), "malformed", "{near:?}");
        }
        // A base64 text of which the last bits are not zero says the same as another text: refused.
        assert_eq!(told("AAAABB=="), "malformed");
        assert_eq!(told(&"A".repeat(SIGNATURE_BYTES_MAX + 4)), "malformed");
    }

    #[test]
    fn the_message_is_the_one_of_the_contract() {
        let digest = Digest::from_bytes([0xab; 32]);
        let message = message(&"ops".parse().expect("a key id"), Algorithm::RsaPssSha256, &digest);
        let expected = format!("agent-factory/template/v1\nops\nrsa-pss-sha256\n{}", "ab".repeat(32));
        assert_eq!(message, expected.into_bytes());
    }
}
