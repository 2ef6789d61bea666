//! Text that must not reach a log: prompts, answers, documents, secrets.

use std::fmt;
use std::sync::Arc;

/// Text that belongs to a person. `Debug` prints its length, and there is no `Display`; cloning shares it.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Text(Arc<str>);

impl Text {
    /// Takes the text in.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// Gives the text out; the caller must not log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.0.len())
    }
}

/// A key or password. Neither `Debug` nor anything else prints it.
#[derive(Clone)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Takes the secret in.
    pub fn new(secret: impl Into<Arc<str>>) -> Self {
        Self(secret.into())
    }

    /// Gives the secret out, to be sent to whom it is for.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_text_prints_its_length_and_secrets_nothing() {
        assert_eq!(format!("{:?}", Text::from("hunter2")), "<7 bytes>");
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "<secret>");
    }
}
