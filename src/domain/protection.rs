//! What is done with personal data and secrets that are found in a text.

/// The action on a finding, from the most lenient to the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Lets it pass.
    Allow,
    /// Puts a pseudonym in its place, and the original back into the answer.
    Pseudonymise,
    /// Puts its type in its place, for good.
    Mask,
    /// Puts a keyed hash in its place, for good.
    Hash,
    /// Refuses the whole text.
    Block,
}

impl Action {
    /// Every action, with the word that templates and metrics use for it.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Allow, "allow"),
        (Self::Pseudonymise, "pseudonymise"),
        (Self::Mask, "mask"),
        (Self::Hash, "hash"),
        (Self::Block, "block"),
    ];

    /// The word for this action.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Pseudonymise => "pseudonymise",
            Self::Mask => "mask",
            Self::Hash => "hash",
            Self::Block => "block",
        }
    }

    /// The action that a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == word).map(|(action, _)| *action)
    }
}

/// What a template asks for, by direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protection {
    /// Towards a provider or a tool.
    pub outbound: Action,
    /// From a provider or a tool.
    pub inbound: Action,
}

impl Default for Protection {
    /// Pseudonymises what leaves and lets answers pass.
    fn default() -> Self {
        Self { outbound: Action::Pseudonymise, inbound: Action::Allow }
    }
}
