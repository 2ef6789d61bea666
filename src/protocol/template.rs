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
    /// The form of the signature: `factory-v1`, or `legacy` for the predecessor's.
    #[serde(default = "factory_v1")]
    pub scheme: String,
}

/// The only form that daemons before this field knew.
fn factory_v1() -> String {
    "factory-v1".to_owned()
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
    /// `published`; `refused` where no version was ever good, or the one in force is no longer allowed;
    /// `published_with_refused_edit` where the last good version serves; `rolled_back` where somebody went back to what serves;
    /// `superseded` of an earlier version that was asked for.
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
    /// That somebody went back to an earlier version, which serves, or is refused, until that is lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back: Option<TemplateRolledBack>,
    /// The good version of the file, which is not served because the template is rolled back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<String>,
    /// The template with everything that it inherits; in lists it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Value>,
}

/// That somebody went back to an earlier version of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TemplateRolledBack {
    /// The version that they chose.
    pub version: String,
    /// Its digest.
    pub digest: String,
    /// The principal's name.
    pub by: String,
    /// When.
    pub at: String,
    /// The version that was served before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// Which version of a template to go back to: one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollBack {
    /// The version's number; it has the content that was last published under it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How its digest begins: 8 to 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// One time that a version came into force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TemplatePublication {
    /// When.
    pub at: String,
    /// `edited`, `parent_changed`, `resigned`, `rolled_back`, `lifted` or `restored`.
    pub cause: String,
    /// The principal, or the owner of the file, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The SHA-256 of the policy that allowed it.
    pub policy_digest: String,
}

/// One published content of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TemplateVersion {
    /// The version.
    pub version: String,
    /// The digest of the content with everything that it inherits: a changed parent gives another under the same version.
    pub digest: String,
    /// The digest of the file as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_digest: Option<String>,
    /// When it was first published.
    pub published_at: String,
    /// Who signed it.
    pub signature: Option<TemplateSignature>,
    /// Whether it is served now.
    pub current: bool,
    /// Why it came into force first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// By whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The SHA-256 of the policy that allowed it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_digest: Option<String>,
    /// Each time that it came into force, the latest first, 100 at most; none where an older release published it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub publications: Vec<TemplatePublication>,
}

/// What is different between two contents of a template, with all that they inherit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TemplateDiff {
    /// The template's name.
    pub name: String,
    /// The first.
    pub from: TemplateSide,
    /// The second.
    pub to: TemplateSide,
    /// The differences.
    pub changes: Vec<TemplateChange>,
}

/// One of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TemplateSide {
    /// Its version.
    pub version: String,
    /// Its digest.
    pub digest: String,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TemplateChange {
    /// Where, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// `added`, `removed` or `changed`.
    pub kind: String,
    /// What was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// What is there now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}
