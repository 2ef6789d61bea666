//! Scanning a text for personal data and secrets, and the rules by which that is done.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /factory/dlp/scan`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScanRequest {
    /// The text.
    pub text: String,
    /// The tenant whose pseudonyms are used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

/// One finding; offsets count Unicode code points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScanFinding {
    /// What it is, by Presidio's entity names.
    #[serde(rename = "type")]
    pub kind: String,
    /// The first code point.
    pub start: usize,
    /// Beyond the last code point.
    pub end: usize,
    /// How sure the detector is, 0 to 1.
    pub score: f64,
}

/// What was found.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ScanAnswer {
    /// The findings, in order, without overlap.
    pub findings: Vec<ScanFinding>,
    /// The text with each finding replaced by its pseudonym.
    pub redacted: String,
}

/// The rules in force that are data, and how they stand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Rules {
    /// `shipped` where there is no file; `published` where the file is in force as it is; `published_with_refused_edit` where the
    /// file as it is now is refused and the rules before go on.
    pub status: String,
    /// The SHA-256 of the file in force.
    pub digest: Option<String>,
    /// Since when it is in force.
    pub since: Option<String>,
    /// Why the file as it is now is refused: every mistake with its place.
    pub reasons: Vec<String>,
    /// Shipped rules that the file switches off.
    pub disabled_rules: Vec<String>,
    /// Types of which the file has the shipped detectors report nothing.
    pub disabled_types: Vec<String>,
    /// Types for which the file names values that are no findings.
    pub allowed_types: Vec<String>,
    /// The rules.
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Rule {
    /// Its name.
    pub id: String,
    /// What it finds.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it is the operator's.
    pub own: bool,
    /// The score of a finding, 0 to 1.
    pub score: f64,
    /// Without one of these there is none of it.
    pub keywords: Vec<String>,
    /// The vendor's page on its form.
    pub source: Option<String>,
}
