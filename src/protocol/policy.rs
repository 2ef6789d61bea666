//! The policy in force.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The policy in force, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Policy {
    /// The SHA-256 over the shipped rules and every file of the operators: what audit entries name.
    pub digest: String,
    /// `published`; `published_with_refused_edit` where the files are refused and the last good policy goes on; `refused` where
    /// there is none to go on with, and everything is denied.
    pub status: String,
    /// Since when it is in force.
    pub since: String,
    /// The operators' files in it.
    pub files: Vec<String>,
    /// Why the files as they are now are refused.
    pub reasons: Vec<String>,
    /// Tools that are granted in spite of the shipped rules, each with the patterns of the templates that may have it.
    pub grants: BTreeMap<String, Vec<String>>,
    /// Whether a rule of the operators says who may use which template.
    pub judges_use: bool,
}
