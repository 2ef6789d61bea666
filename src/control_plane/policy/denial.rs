//! What a rule says no with.

use std::fmt;

use regorus::Value as RegoValue;

/// The longest text of a denial that is told, in bytes; a longer one is cut.
pub const DENIAL_BYTES_MAX: usize = 512;

/// Why the policy does not let a template run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Denial {
    /// The rule.
    pub rule: String,
    /// What it says.
    pub message: String,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "policy {}: {}", self.rule, self.message)
    }
}

impl Denial {
    /// The rules could not be asked, so that they deny.
    pub(super) fn unanswered(reason: impl Into<String>) -> Self {
        Self { rule: "evaluation".to_owned(), message: reason.into() }
    }

    /// Reads `{"rule", "message"}`.
    pub(super) fn read(value: &RegoValue) -> Option<Self> {
        let fields = value.as_object().ok()?;
        let field = |name: &str| Some(cut(fields.get(&RegoValue::from(name))?.as_string().ok()?));
        Some(Self { rule: field("rule")?, message: field("message")? })
    }
}

fn cut(text: &str) -> String {
    text.get(..text.floor_char_boundary(DENIAL_BYTES_MAX)).unwrap_or(text).to_owned()
}
