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
    /// The parts of it at which somebody is told.
    pub alert_at: Thresholds,
}

impl Limit {
    /// A limit of which nobody is told before it is reached.
    #[must_use]
    pub const fn new(amount: Usd, window: Window) -> Self {
        Self { amount, window, alert_at: Thresholds::NONE }
    }

    /// Whether `spent` has reached a part of the limit. Nothing has reached no part, also not of a limit of zero.
    #[must_use]
    pub fn is_reached(&self, at: Threshold, spent: Usd) -> bool {
        let hundredfold = |amount: Usd, parts: u8| i128::from(amount.nanos()).saturating_mul(i128::from(parts));
        spent > Usd::ZERO && hundredfold(spent, 100) >= hundredfold(self.amount, at.percent())
    }
}

/// A part of a limit, in whole percent from 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Threshold(u8);

/// A text that is no part of a limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a part of a limit: whole percent from \"1%\" to \"100%\"")]
pub struct InvalidThreshold;

impl Threshold {
    /// So many percent, from 1 to 100.
    #[must_use]
    pub const fn of(percent: u8) -> Option<Self> {
        if percent >= 1 && percent <= 100 { Some(Self(percent)) } else { None }
    }

    /// The percent.
    #[must_use]
    pub const fn percent(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl FromStr for Threshold {
    type Err = InvalidThreshold;

    /// Reads whole percent with their sign: `80%`.
    fn from_str(text: &str) -> Result<Self, InvalidThreshold> {
        let digits = text.strip_suffix('%').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        digits.and_then(|digits| digits.parse().ok()).and_then(Self::of).ok_or(InvalidThreshold)
    }
}

/// A set of thresholds: the bit of each percent.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Thresholds(u128);

impl Thresholds {
    /// None at all.
    pub const NONE: Self = Self(0);

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The thresholds, the lowest first.
    pub fn iter(self) -> impl Iterator<Item = Threshold> {
        (1..=100).filter_map(Threshold::of).filter(move |at| self.0 & bit(*at) != 0)
    }

    /// The set as bits, for what is stored: bit N stands for N percent.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// The set of these bits; none where one of them stands for no threshold.
    #[must_use]
    pub fn from_bits(bits: u128) -> Option<Self> {
        let set: Self = Self(bits).iter().collect();
        (set.0 == bits).then_some(set)
    }
}

impl FromIterator<Threshold> for Thresholds {
    fn from_iter<I: IntoIterator<Item = Threshold>>(thresholds: I) -> Self {
        Self(thresholds.into_iter().fold(0, |bits, at| bits | bit(at)))
    }
}

impl fmt::Debug for Thresholds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Threshold::percent)).finish()
    }
}

fn bit(at: Threshold) -> u128 {
    1_u128.checked_shl(u32::from(at.0)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_whole_percent_from_1_to_100_is_no_threshold() {
        for text in ["", "%", "0%", "101%", "50", "5.5%", "-5%", "+5%", " 5%", "1000%", "ten%"] {
            assert_eq!(text.parse::<Threshold>(), Err(InvalidThreshold), "{text:?}");
        }
        assert_eq!("80%".parse::<Threshold>().map(Threshold::percent), Ok(80));
    }

    #[test]
    fn a_part_is_reached_at_its_very_amount_and_never_by_nothing() {
        let limit = Limit::new(Usd::from_nanos(3), Window::Total);
        let half = Threshold::of(50).expect("a threshold");
        assert!(!limit.is_reached(half, Usd::from_nanos(1)), "a third");
        assert!(limit.is_reached(half, Usd::from_nanos(2)));
        let nothing = Limit::new(Usd::ZERO, Window::Total);
        assert!(!nothing.is_reached(half, Usd::ZERO));
        assert!(nothing.is_reached(half, Usd::from_nanos(1)));
        let most = Limit::new(Usd::from_nanos(i64::MAX), Window::Total);
        assert!(most.is_reached(Threshold(100), Usd::from_nanos(i64::MAX)));
    }

    proptest! {
        #[test]
        fn thresholds_are_a_set_in_order(percents in prop::collection::vec(1_u8..=100, 0..12)) {
            let set: Thresholds = percents.iter().copied().filter_map(Threshold::of).collect();
            let mut expected = percents;
            expected.sort_unstable();
            expected.dedup();
            prop_assert_eq!(set.iter().map(Threshold::percent).collect::<Vec<_>>(), expected);
            prop_assert_eq!(Thresholds::from_bits(set.bits()), Some(set));
            prop_assert_eq!(Thresholds::from_bits(set.bits() | 1), None, "zero percent");
        }
    }
}
