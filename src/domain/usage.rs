//! How much of a model was used.

use std::fmt;

/// A number of tokens.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Tokens(u64);

impl Tokens {
    /// So many tokens.
    #[must_use]
    pub const fn new(count: u64) -> Self {
        Self(count)
    }

    /// How many.
    #[must_use]
    pub const fn count(self) -> u64 {
        self.0
    }

    /// The sum, saturating.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, not below zero.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tokens", self.0)
    }
}

/// The tokens of one model call, or the sum of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// All that the model read, cached or not.
    pub input_tokens: Tokens,
    /// All that the model wrote, reasoning included.
    pub output_tokens: Tokens,
    /// Of the input, what came from the provider's cache.
    pub cached_input_tokens: Tokens,
    /// Of the output, what was reasoning.
    pub reasoning_tokens: Tokens,
    /// Of the input, what the provider put into its cache.
    pub cache_write_tokens: Tokens,
}

impl Usage {
    /// The sum of two usages.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.plus(other.input_tokens),
            output_tokens: self.output_tokens.plus(other.output_tokens),
            cached_input_tokens: self.cached_input_tokens.plus(other.cached_input_tokens),
            reasoning_tokens: self.reasoning_tokens.plus(other.reasoning_tokens),
            cache_write_tokens: self.cache_write_tokens.plus(other.cache_write_tokens),
        }
    }
}
