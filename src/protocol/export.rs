//! An export of somebody's data: the lines that frame it. What is between them is told by their first member: `task`, `record`,
//! `agent`, `memory`, `budget`, `audit`, `unreadable`.

use serde::{Deserialize, Serialize};

/// The name of the form.
pub const FORMAT: &str = "agent-factory/export/v1";
/// How the last line begins.
pub const END: &str = "{\"end\":";

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// The tenant whose data it is.
    pub tenant: Option<String>,
    /// The user whose data it is.
    pub user: Option<String>,
    /// When (RFC 3339).
    pub exported_at: String,
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndLine {
    /// What it says.
    pub end: End,
}

/// What the last line says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// How many lines there are of each kind.
    #[serde(flatten)]
    pub counts: Counts,
    /// The SHA-256 of every byte before this line, in hexadecimal.
    pub sha256: String,
}

/// How much there is of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Tasks.
    pub tasks: u64,
    /// Records of tasks.
    pub records: u64,
    /// Registered agents.
    pub agents: u64,
    /// Tasks that agents remember.
    pub memory: u64,
    /// Budgets.
    pub budgets: u64,
    /// Entries of the audit log.
    pub audit_entries: u64,
    /// Tasks that could not be read.
    pub unreadable: u64,
}
