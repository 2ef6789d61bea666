//! Lifecycle hooks: which tool is told when a task starts or ends.

use std::collections::BTreeMap;

use super::name::ToolName;

/// A moment in a task's life that a tool can be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hook {
    /// Its first step starts.
    Start,
    /// It ends with its answer.
    Success,
    /// It ends with an error.
    Failure,
    /// It ends because somebody wanted it to.
    Cancel,
}

impl Hook {
    /// Every hook, with the word that templates, tools and metrics use for it.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Start, "on_start"),
        (Self::Success, "on_success"),
        (Self::Failure, "on_failure"),
        (Self::Cancel, "on_cancel"),
    ];

    /// The word for this hook.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "on_start",
            Self::Success => "on_success",
            Self::Failure => "on_failure",
            Self::Cancel => "on_cancel",
        }
    }

    /// The hook that a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == word).map(|(hook, _)| *hook)
    }
}

/// The tool of each hook that has one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hooks(BTreeMap<Hook, ToolName>);

impl Hooks {
    /// The tool that a hook tells.
    #[must_use]
    pub fn tool(&self, hook: Hook) -> Option<&ToolName> {
        self.0.get(&hook)
    }

    /// Whether nobody is told anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The hooks that have a tool, in the order of a task's life.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Hook, &ToolName)> {
        self.0.iter().map(|(hook, tool)| (*hook, tool))
    }
}

impl FromIterator<(Hook, ToolName)> for Hooks {
    fn from_iter<I: IntoIterator<Item = (Hook, ToolName)>>(hooks: I) -> Self {
        Self(hooks.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hook_has_its_word_and_no_other() {
        for (hook, word) in Hook::ALL {
            assert_eq!((hook.as_str(), Hook::from_word(word)), (word, Some(hook)));
        }
        assert_eq!(Hook::from_word("on_end"), None);
    }
}
