//! Whose money: budget scopes and the windows in which they are counted.

use std::fmt;
use std::str::FromStr;

use super::id::AgentId;
use super::money::Usd;
use super::name::{TemplateName, Tenant, User};

/// What a limit applies to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Everything.
    Global,
    /// One tenant.
    Tenant(Tenant),
    /// One user.
    User(User),
    /// One template.
    Template(TemplateName),
    /// One registered agent.
    Agent(AgentId),
}

/// A text that names no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a budget scope: global, tenant:T, user:U, template:N or agent:ID")]
pub struct InvalidScope;

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Global => f.write_str("global"),
            Self::Tenant(tenant) => write!(f, "tenant:{tenant}"),
            Self::User(user) => write!(f, "user:{user}"),
            Self::Template(name) => write!(f, "template:{name}"),
            Self::Agent(id) => write!(f, "agent:{id}"),
        }
    }
}

impl FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        if text == "global" {
            return Ok(Self::Global);
        }
        let (kind, name) = text.split_once(':').ok_or(InvalidScope)?;
        match kind {
            "tenant" => name.parse().map(Self::Tenant).map_err(|_| InvalidScope),
            "user" => name.parse().map(Self::User).map_err(|_| InvalidScope),
            "template" => name.parse().map(Self::Template).map_err(|_| InvalidScope),
            "agent" => name.parse().map(Self::Agent).map_err(|_| InvalidScope),
            _ => Err(InvalidScope),
        }
    }
}

/// How long spending counts against a limit. Windows are UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Window {
    /// The calendar day.
    Day,
    /// The calendar month.
    Month,
    /// For ever.
    Total,
}

impl Window {
    /// The word that settings and the API use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Total => "total",
        }
    }

    /// The window that a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Day, Self::Month, Self::Total].into_iter().find(|window| window.as_str() == word)
    }
}

/// A limit on the spending of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The most that may be spent in one window.
    pub amount: Usd,
    /// The window.
    pub window: Window,
}
