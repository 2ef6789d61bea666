//! What rules are told of the files that a template was made from, and of who signed them.

use serde_json::{Value, json};

use crate::domain::name::{Environment, KeyId, TemplateName, Version};

/// One file that a template was made from.
#[derive(Debug, Clone, Copy)]
pub struct MadeFrom<'a> {
    /// The template whose file it is: the template itself, or one that it inherits from.
    pub name: &'a TemplateName,
    /// The version that the file names.
    pub version: &'a Version,
    /// The environment whose file it is; none of the base.
    pub environment: Option<&'a Environment>,
    /// Whose signature fits; none where signatures are not required.
    pub signer: Option<SignedBy<'a>>,
}

/// Whose signature it is.
#[derive(Debug, Clone, Copy)]
pub struct SignedBy<'a> {
    /// The key.
    pub key_id: &'a KeyId,
    /// Its algorithm.
    pub algorithm: &'a str,
    /// The form of the signature.
    pub scheme: &'a str,
}

impl MadeFrom<'_> {
    /// As an element of `input.lineage`.
    pub(super) fn told(&self) -> Value {
        json!({
            "name": self.name.as_str(),
            "version": self.version.as_str(),
            "environment": self.environment.map(Environment::as_str),
            "key_id": self.signer.map(|signer| signer.key_id.as_str()),
            "algorithm": self.signer.map(|signer| signer.algorithm),
            "scheme": self.signer.map(|signer| signer.scheme),
        })
    }
}

impl SignedBy<'_> {
    /// As `input.signer`.
    pub(super) fn told(&self) -> Value {
        json!({"key_id": self.key_id.as_str(), "algorithm": self.algorithm, "scheme": self.scheme})
    }
}
