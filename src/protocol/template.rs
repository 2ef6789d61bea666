//! Templates.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Who signed a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TemplateSignature {
    /// The key's id.
    pub key_id: String,
    /// `ed25519` or `rsa-pss-sha256`.
    pub algorithm: String,
}

/// A template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Template {
    /// Its name.
    pub name: String,
    /// The version that is served.
    pub version: String,
    /// The SHA-256 of its canonical form, in hexadecimal.
    pub digest: String,
    /// `agent` or `orchestrator`.
    pub kind: String,
    /// `published`; `refused` where no version was ever good; `published_with_refused_edit` where the last good version serves.
    pub status: String,
    /// The environment whose file serves, or is refused where none serves; left out where that is the base directory's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What its agents can do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// Who signed it; null where signatures are not required.
    pub signature: Option<TemplateSignature>,
    /// When this version was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_at: Option<String>,
    /// Why the file as it is now is refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// The template with everything that it inherits; in lists it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Value>,
}

/// One published version of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TemplateVersion {
    /// The version.
    pub version: String,
    /// Its digest.
    pub digest: String,
    /// When it was published.
    pub published_at: String,
    /// Who signed it.
    pub signature: Option<TemplateSignature>,
    /// Whether it is served now.
    pub current: bool,
}
