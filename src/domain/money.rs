//! Money as integer nano-dollars, and prices by the million tokens. No floating point touches an amount.

use std::fmt;
use std::str::FromStr;

use super::usage::{Tokens, Usage};

const NANO_PER_USD: i64 = 1_000_000_000;
const NANO_PER_USD_UNSIGNED: u64 = 1_000_000_000;

/// The largest amount that settings, requests and prices may name: a billion dollars. Sums stay far from overflow.
pub const USD_MAX: Usd = Usd(1_000_000_000 * NANO_PER_USD);

/// An amount of US dollars, exact to the nano-dollar, never negative where it names a limit or a price.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Usd(i64);

/// Why a text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUsd {
    /// It is not a plain decimal number.
    #[error("not a decimal amount such as \"0.05\"")]
    Malformed,
    /// It has more than nine decimal places.
    #[error("finer than a nano-dollar (nine decimal places)")]
    TooFine,
    /// It is above [`USD_MAX`].
    #[error("above one billion dollars")]
    TooLarge,
}

impl Usd {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// An amount from its nano-dollars.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The nano-dollars of this amount.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// The sum; an overflow, which limits make impossible, saturates.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, which may be negative.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The amount as a floating-point number, for metrics only.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 52 bits")]
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl std::iter::Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::plus)
    }
}

impl fmt::Display for Usd {
    /// Writes a decimal number with at least two places and no superfluous zeros after them: `0.05`, `0.0000123`, `12.00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let nanos = self.0.unsigned_abs();
        let (whole, part) = (nanos / NANO_PER_USD_UNSIGNED, nanos % NANO_PER_USD_UNSIGNED);
        let digits = format!("{part:09}");
        let kept = digits.trim_end_matches('0').len().max(2);
        write!(f, "{sign}{whole}.{}", digits.get(..kept).unwrap_or(&digits))
    }
}

impl fmt::Debug for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${self}")
    }
}

impl FromStr for Usd {
    type Err = InvalidUsd;

    /// Reads a plain, unsigned decimal number.
    fn from_str(text: &str) -> Result<Self, InvalidUsd> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(part) || text.ends_with('.') {
            return Err(InvalidUsd::Malformed);
        }
        if part.len() > 9 {
            return Err(InvalidUsd::TooFine);
        }
        let whole: i64 = whole.parse().map_err(|_| InvalidUsd::TooLarge)?;
        let part: i64 = format!("{part:0<9}").parse().map_err(|_| InvalidUsd::Malformed)?;
        let nanos = whole.checked_mul(NANO_PER_USD).and_then(|n| n.checked_add(part)).ok_or(InvalidUsd::TooLarge)?;
        if nanos > USD_MAX.0 { Err(InvalidUsd::TooLarge) } else { Ok(Self(nanos)) }
    }
}

/// What a model costs, in dollars by the million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// Each million input tokens.
    pub input: Usd,
    /// Each million output tokens.
    pub output: Usd,
    /// Each million input tokens that the provider read from its cache.
    pub cached_input: Usd,
}

impl Price {
    /// The price of a model that costs nothing.
    pub const FREE: Self = Self { input: Usd::ZERO, output: Usd::ZERO, cached_input: Usd::ZERO };

    /// Whether no use of the model can cost anything.
    #[must_use]
    pub fn is_free(&self) -> bool {
        *self == Self::FREE
    }

    /// The cost of a usage, rounded up to the nano-dollar once for the whole, so that the sum is never below the truth.
    #[must_use]
    pub fn of(&self, usage: &Usage) -> Usd {
        let cached = usage.cached_input_tokens.min(usage.input_tokens);
        let fresh = usage.input_tokens.minus(cached);
        let exact = part(fresh, self.input)
            .saturating_add(part(cached, self.cached_input))
            .saturating_add(part(usage.output_tokens, self.output));
        Usd(i64::try_from(exact.div_ceil(1_000_000)).unwrap_or(i64::MAX))
    }
}

/// Nano-dollars times a million, which only the final division brings back.
fn part(tokens: Tokens, per_million: Usd) -> u128 {
    u128::from(tokens.count()).saturating_mul(u128::from(per_million.0.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_back() {
        for text in ["0.00", "0.05", "12.00", "0.0000123", "1000000000.00", "0.000000001"] {
            assert_eq!(text.parse::<Usd>().map(|usd| usd.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("3".parse::<Usd>().map(|usd| usd.to_string()), Ok("3.00".to_owned()));
    }

    #[test]
    fn what_is_not_an_amount_is_refused() {
        for text in ["", ".", "1.", ".5", "-1", "+1", "1e3", "NaN", "1_000", " 1"] {
            assert_eq!(text.parse::<Usd>(), Err(InvalidUsd::Malformed), "{text:?}");
        }
        assert_eq!("0.0000000001".parse::<Usd>(), Err(InvalidUsd::TooFine));
        assert_eq!("1000000000.01".parse::<Usd>(), Err(InvalidUsd::TooLarge));
        assert_eq!("99999999999999999999".parse::<Usd>(), Err(InvalidUsd::TooLarge));
    }

    #[test]
    fn a_cost_is_tokens_times_price_rounded_up_once() {
        let price = Price { input: Usd(10_000_000_000), output: Usd(100_000_000_000), cached_input: Usd(1) };
        let usage = Usage { input_tokens: Tokens::new(14), output_tokens: Tokens::new(20), ..Usage::default() };
        assert_eq!(price.of(&usage).to_string(), "0.00214");
        let one_cached =
            Usage { input_tokens: Tokens::new(1), cached_input_tokens: Tokens::new(1), ..Usage::default() };
        assert_eq!(price.of(&one_cached), Usd(1), "a fraction of a nano-dollar is a whole one");
    }
}
