//! Signatures, form v1: a detached JSON document beside the template.
//!
//! What is signed is not the file but a message that binds the purpose, the key's id, the algorithm and the digest of the
//! file's canonical form, so that a signature can be moved to no other purpose, key, algorithm or content. The form is told
//! by the file itself; the second form, the bare base64 of the Python predecessor, is recognised and refused by name.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use crate::domain::name::{Digest, KeyId};

/// The scheme's name in the document.
const SCHEME: &str = "factory-v1";
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

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a signature makes nothing trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is none.
    #[error("has no signature: there is no .sig file beside it")]
    Missing,
    /// The signature file cannot be read as one.
    #[error("its signature file is malformed: {0}")]
    Malformed(String),
    /// It is in the predecessor's form.
    #[error(
        "its signature has the legacy form, which no key is trusted for; sign it with \"factoryctl templates sign\""
    )]
    Legacy,
    /// The scheme is not known.
    #[error("its signature has an unknown scheme; expected \"factory-v1\"")]
    UnknownScheme,
    /// The algorithm is not known.
    #[error("its signature has an unknown algorithm; expected \"ed25519\" or \"rsa-pss-sha256\"")]
    UnknownAlgorithm,
    /// The key is not trusted.
    #[error("signed by the key {0}, which is not trusted")]
    UnknownKey(KeyId),
    /// The key has another algorithm.
    #[error("its signature says {written}, but the key {key_id} is {key}")]
    AlgorithmMismatch {
        /// The key.
        key_id: KeyId,
        /// What the signature says.
        written: Algorithm,
        /// What the key is.
        key: Algorithm,
    },
    /// The signature does not fit the content.
    #[error(
        "its signature by the key {0} does not fit the content: the file or the signature was changed after signing"
    )]
    Wrong(KeyId),
}

impl Fault {
    /// The reason as metrics name it: a closed list.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed(_) => "malformed",
            Self::Legacy => "legacy",
            Self::UnknownScheme => "unknown_scheme",
            Self::UnknownAlgorithm => "unknown_algorithm",
            Self::UnknownKey(_) => "unknown_key",
            Self::AlgorithmMismatch { .. } => "algorithm_mismatch",
            Self::Wrong(_) => "wrong_signature",
        }
    }

    /// Every reason, so that all are counted from zero.
    pub const REASONS: [&'static str; 8] = [
        "missing",
        "malformed",
        "legacy",
        "unknown_scheme",
        "unknown_algorithm",
        "unknown_key",
        "algorithm_mismatch",
        "wrong_signature",
    ];
}

/// A signature as read from its file; nothing is verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    pub(in crate::control_plane::template) key_id: KeyId,
    pub(in crate::control_plane::template) algorithm: Algorithm,
    pub(in crate::control_plane::template) signature: Vec<u8>,
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
    /// It is not a v1 signature document.
    pub fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let malformed = |reason: &str| Fault::Malformed(reason.to_owned());
        if bytes.len() > SIGNATURE_BYTES_MAX {
            return Err(Fault::Malformed(format!("larger than {SIGNATURE_BYTES_MAX} bytes")));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| malformed("not UTF-8"))?;
        if is_legacy(text) {
            return Err(Fault::Legacy);
        }
        let written: Written = serde_json::from_str(text).map_err(|fault| Fault::Malformed(fault.to_string()))?;
        if written.scheme != SCHEME {
            return Err(Fault::UnknownScheme);
        }
        let key_id = written.key_id.parse().map_err(|_| malformed("key_id is not a key's name"))?;
        let algorithm = Algorithm::from_word(&written.algorithm).ok_or(Fault::UnknownAlgorithm)?;
        let signature = BASE64.decode(&written.signature).map_err(|_| malformed("signature is not base64"))?;
        Ok(Self { key_id, algorithm, signature })
    }

    /// The signature file.
    #[must_use]
    pub fn to_json(&self) -> String {
        let written = Written {
            scheme: SCHEME.to_owned(),
            key_id: self.key_id.to_string(),
            algorithm: self.algorithm.to_string(),
            signature: BASE64.encode(&self.signature),
        };
        let mut text = serde_json::to_string_pretty(&written).unwrap_or_default();
        text.push('\n');
        text
    }

    /// The message that this signature must fit, for a content of this digest.
    #[must_use]
    pub fn message(&self, digest: &Digest) -> Vec<u8> {
        message(&self.key_id, self.algorithm, digest)
    }
}

/// The message that is signed: four lines that bind purpose, key, algorithm and content.
#[must_use]
pub fn message(key_id: &KeyId, algorithm: Algorithm, digest: &Digest) -> Vec<u8> {
    format!("{PURPOSE}\n{key_id}\n{algorithm}\n{digest}").into_bytes()
}

/// Whether a signature file is in the predecessor's form: bare base64.
fn is_legacy(text: &str) -> bool {
    let bare = text.trim();
    !bare.is_empty() && BASE64.decode(bare).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> &'static str {
        Envelope::parse(text.as_bytes()).expect_err("a fault").reason()
    }

    #[test]
    fn an_envelope_reads_back() {
        let envelope = Envelope {
            key_id: "ops-2026".parse().expect("a key id"),
            algorithm: Algorithm::Ed25519,
            signature: vec![7; 64],
        };
        assert_eq!(Envelope::parse(envelope.to_json().as_bytes()), Ok(envelope));
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
        assert_eq!(told("AAAABBBBCCCC\n"), "legacy");
        assert_eq!(told(&"A".repeat(SIGNATURE_BYTES_MAX + 4)), "malformed");
    }

    #[test]
    fn the_message_is_the_one_of_the_contract() {
        let digest = Digest::from_bytes([0xab; 32]);
        let message = message(&"ops".parse().expect("a key id"), Algorithm::RsaPssSha256, &digest);
        let expected = format!("agent-factory/template/v1\nops\nrsa-pss-sha256\n{}", "ab".repeat(32));
        assert_eq!(message, expected.into_bytes());
    }

    #[test]
    fn every_fault_has_a_reason_of_the_closed_list() {
        let key: KeyId = "k".parse().expect("a key id");
        let mismatch =
            Fault::AlgorithmMismatch { key_id: key.clone(), written: Algorithm::Ed25519, key: Algorithm::RsaPssSha256 };
        let faults = [
            Fault::Missing,
            Fault::Malformed(String::new()),
            Fault::Legacy,
            Fault::UnknownScheme,
            Fault::UnknownAlgorithm,
            Fault::UnknownKey(key.clone()),
            mismatch,
            Fault::Wrong(key),
        ];
        assert_eq!(faults.each_ref().map(Fault::reason), Fault::REASONS);
    }
}
