//! Scanning a text for personal data and secrets.

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
