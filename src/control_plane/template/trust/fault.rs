//! Why a signature makes nothing trusted.

use crate::domain::clock::Timestamp;
use crate::domain::name::{KeyId, TemplateName};

use super::signature::{Algorithm, Scheme};

/// Why a signature makes nothing trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is none.
    #[error("has no signature: there is no .sig file beside it")]
    Missing,
    /// The signature file cannot be read as one.
    #[error("its signature file is malformed: {0}")]
    Malformed(String),
    /// It is in the predecessor's form, and there is no key for that form.
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
    /// There is no such key.
    #[error("signed by the key {0}, which is not trusted")]
    UnknownKey(KeyId),
    /// The key is there, but nothing is entrusted to it.
    #[error(
        "signed by the key {0}, which nothing is entrusted to: it is not listed in trust.toml, or a file beside it has a mistake; \"factoryctl keys ls\" tells which"
    )]
    NotListed(KeyId),
    /// The key was revoked.
    #[error("signed by the key {0}, which is revoked")]
    Revoked(KeyId),
    /// The key is not trusted any more.
    #[error("signed by the key {key_id}, which was trusted until {until}")]
    Expired {
        /// The key.
        key_id: KeyId,
        /// Its `not_after`.
        until: Timestamp,
    },
    /// The key is not trusted yet.
    #[error("signed by the key {key_id}, which is trusted from {from} on")]
    NotYetValid {
        /// The key.
        key_id: KeyId,
        /// Its `not_before`.
        from: Timestamp,
    },
    /// The key may not sign in this form.
    #[error("its signature has the form {scheme}, which the key {key_id} may not use")]
    SchemeNotAllowed {
        /// The key.
        key_id: KeyId,
        /// The form.
        scheme: Scheme,
    },
    /// The key may not sign templates of this name.
    #[error("signed by the key {key_id}, which may not sign a template named {name}")]
    TemplateNotAllowed {
        /// The key.
        key_id: KeyId,
        /// The template.
        name: TemplateName,
    },
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
    /// The signature in the predecessor's form fits no key that may use that form.
    #[error(
        "its legacy signature fits no key that may sign in that form: the file or the signature was changed after signing, or another key signed it"
    )]
    LegacyWrong,
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
            Self::NotListed(_) => "not_listed",
            Self::Revoked(_) => "revoked",
            Self::Expired { .. } => "expired",
            Self::NotYetValid { .. } => "not_yet_valid",
            Self::SchemeNotAllowed { .. } => "scheme_not_allowed",
            Self::TemplateNotAllowed { .. } => "template_not_allowed",
            Self::AlgorithmMismatch { .. } => "algorithm_mismatch",
            Self::Wrong(_) | Self::LegacyWrong => "wrong_signature",
        }
    }

    /// Every reason, so that all are counted from zero.
    pub const REASONS: [&'static str; 14] = [
        "missing",
        "malformed",
        "legacy",
        "unknown_scheme",
        "unknown_algorithm",
        "unknown_key",
        "not_listed",
        "revoked",
        "expired",
        "not_yet_valid",
        "scheme_not_allowed",
        "template_not_allowed",
        "algorithm_mismatch",
        "wrong_signature",
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_a_reason_of_the_closed_list() {
        let key_id: KeyId = "k".parse().expect("a key id");
        let key = || key_id.clone();
        let at = Timestamp::from_micros(0);
        let faults = [
            Fault::Missing,
            Fault::Malformed(String::new()),
            Fault::Legacy,
            Fault::UnknownScheme,
            Fault::UnknownAlgorithm,
            Fault::UnknownKey(key()),
            Fault::NotListed(key()),
            Fault::Revoked(key()),
            Fault::Expired { key_id: key(), until: at },
            Fault::NotYetValid { key_id: key(), from: at },
            Fault::SchemeNotAllowed { key_id: key(), scheme: Scheme::Legacy },
            Fault::TemplateNotAllowed { key_id: key(), name: "a".parse().expect("a name") },
            Fault::AlgorithmMismatch { key_id: key(), written: Algorithm::Ed25519, key: Algorithm::RsaPssSha256 },
            Fault::Wrong(key()),
        ];
        assert_eq!(faults.each_ref().map(Fault::reason), Fault::REASONS);
        assert_eq!(Fault::LegacyWrong.reason(), "wrong_signature");
    }
}
