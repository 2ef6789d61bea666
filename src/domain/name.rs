//! Names that people choose, parsed once: templates, tenants, users, keys, providers, models, routes, versions.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 128;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a {kind}: 1 to 128 ASCII letters, digits and {punctuation:?}, beginning with a letter or digit")]
pub struct InvalidName {
    kind: &'static str,
    punctuation: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $punctuation:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let allowed = |c: char| c.is_ascii_alphanumeric() || $punctuation.contains(c);
                let first = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
                if first && text.len() <= NAME_BYTES_MAX && text.chars().all(allowed) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidName { kind: $kind, punctuation: $punctuation })
                }
            }
        }
    };
}

name!(
    /// A template's name; also its file's stem.
    TemplateName,
    "template name",
    "-_."
);
name!(
    /// An environment: the directory whose templates take the place of those of the base.
    Environment,
    "environment",
    "-_"
);
name!(
    /// A tenant.
    Tenant,
    "tenant",
    "-_."
);
name!(
    /// A user: the host's user name, or one that a submitter names.
    User,
    "user",
    "-_.@+"
);
name!(
    /// A signing key's name; also its file's stem.
    KeyId,
    "key id",
    "-_."
);
name!(
    /// A provider's name in the settings.
    ProviderName,
    "provider name",
    "-_."
);
name!(
    /// A route's name in the settings.
    RouteName,
    "route name",
    "-_."
);
name!(
    /// A capability by which an agent is found.
    Capability,
    "capability",
    "-_."
);
name!(
    /// A tool's name, as templates grant it.
    ToolName,
    "tool name",
    "-_./:"
);
name!(
    /// A signal that a plan waits for.
    SignalName,
    "signal name",
    "-_."
);
name!(
    /// A template's version (Semantic Versioning 2.0.0 is checked where templates are parsed).
    Version,
    "version",
    "-.+"
);

impl Tenant {
    /// The tenant of whoever names none.
    #[must_use]
    pub fn default_tenant() -> Self {
        Self("default".into())
    }
}

/// A model of a provider, written `provider/model`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelRef {
    provider: ProviderName,
    model: Arc<str>,
}

impl ModelRef {
    /// The provider.
    #[must_use]
    pub fn provider(&self) -> &ProviderName {
        &self.provider
    }

    /// The model's own name, as its provider knows it.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }
}

/// A text that names no model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a model: expected provider/model")]
pub struct InvalidModelRef;

impl FromStr for ModelRef {
    type Err = InvalidModelRef;

    fn from_str(text: &str) -> Result<Self, InvalidModelRef> {
        let (provider, model) = text.split_once('/').ok_or(InvalidModelRef)?;
        let plain = |c: char| !c.is_control() && !c.is_whitespace();
        if model.is_empty() || model.len() > NAME_BYTES_MAX || !model.chars().all(plain) {
            return Err(InvalidModelRef);
        }
        let provider = provider.parse().map_err(|_| InvalidModelRef)?;
        Ok(Self { provider, model: model.into() })
    }
}

impl fmt::Display for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}

impl fmt::Debug for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The SHA-256 of a template's canonical form.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// A digest from its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    /// Writes lowercase hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_plain() {
        assert!("code_reviewer".parse::<TemplateName>().is_ok());
        for bad in ["", ".hidden", "../etc", "a b", "é", &"x".repeat(129)] {
            assert!(bad.parse::<TemplateName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_model_may_have_slashes_of_its_own() {
        let model: ModelRef = "router/meta/llama-3:8b".parse().expect("a model");
        assert_eq!((model.provider().as_str(), model.model()), ("router", "meta/llama-3:8b"));
        assert!("nomodel".parse::<ModelRef>().is_err());
    }
}
