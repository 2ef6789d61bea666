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

/// What tokens cost, in dollars by the million of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Each million input tokens that the provider read afresh.
    pub input: Usd,
    /// Each million output tokens.
    pub output: Usd,
    /// Each million input tokens that the provider read from its cache.
    pub cached_input: Usd,
    /// Each million input tokens that the provider read afresh and put into its cache.
    pub cache_write: Usd,
}

impl Rates {
    /// What costs nothing.
    pub const FREE: Self =
        Self { input: Usd::ZERO, output: Usd::ZERO, cached_input: Usd::ZERO, cache_write: Usd::ZERO };

    /// Input and output at these rates; what has to do with a cache costs what any input costs.
    #[must_use]
    pub const fn plain(input: Usd, output: Usd) -> Self {
        Self { input, output, cached_input: input, cache_write: input }
    }

    /// The dearest of what an input token may cost.
    fn dearest_input(&self) -> Usd {
        self.input.max(self.cached_input).max(self.cache_write)
    }
}

/// The rates of a call whose input is long. They are for all of its tokens, not for those above the threshold alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongContext {
    /// An input of more tokens than this is long.
    pub above: Tokens,
    /// What all tokens of the call cost then.
    pub rates: Rates,
}

/// What calls of a model cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// The rates of most calls.
    pub rates: Rates,
    /// Those of calls with a long input, where the vendor has others for them.
    pub long_context: Option<LongContext>,
}

impl Price {
    /// The price of a model that costs nothing.
    pub const FREE: Self = Self::of_rates(Rates::FREE);

    /// The same rates for every call.
    #[must_use]
    pub const fn of_rates(rates: Rates) -> Self {
        Self { rates, long_context: None }
    }

    /// Whether no use of the model can cost anything.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.rates == Rates::FREE && self.long_context.is_none_or(|long| long.rates == Rates::FREE)
    }

    /// The cost of one call, rounded up to the nano-dollar once for the whole, so that it is never below the truth. What a
    /// provider says of its cache beyond the input itself does not count.
    #[must_use]
    pub fn of(&self, usage: &Usage) -> Usd {
        let rates = self.rates_for(usage.input_tokens);
        let cached = usage.cached_input_tokens.min(usage.input_tokens);
        let written = usage.cache_write_tokens.min(usage.input_tokens.minus(cached));
        let fresh = usage.input_tokens.minus(cached).minus(written);
        let parts = [
            (fresh, rates.input),
            (cached, rates.cached_input),
            (written, rates.cache_write),
            (usage.output_tokens, rates.output),
        ];
        rounded_up(&parts)
    }

    /// The most that a call can cost whose input and output have at most so many tokens: each input token at the dearest it may
    /// cost, as the provider alone knows what it has cached or will cache; and at the rates on either side of the threshold
    /// that the input may come to lie on.
    #[must_use]
    pub fn worst(&self, input: Tokens, output: Tokens) -> Usd {
        let at = |rates: &Rates, input: Tokens| rounded_up(&[(input, rates.dearest_input()), (output, rates.output)]);
        match &self.long_context {
            Some(long) if input > long.above => at(&long.rates, input).max(at(&self.rates, long.above)),
            Some(_) | None => at(&self.rates, input),
        }
    }

    fn rates_for(&self, input: Tokens) -> &Rates {
        match &self.long_context {
            Some(long) if input > long.above => &long.rates,
            Some(_) | None => &self.rates,
        }
    }
}

/// The sum of tokens at their rates. An amount beyond all amounts, which no count that a provider may report comes to, is the
/// largest there is.
fn rounded_up(parts: &[(Tokens, Usd)]) -> Usd {
    // A u64 times an i64 fits in 127 bits: four of them overflow nothing that saturating would not set right.
    let exact = parts.iter().fold(0_u128, |sum, &(tokens, rate)| sum.saturating_add(part(tokens, rate)));
    Usd(i64::try_from(exact.div_ceil(1_000_000)).unwrap_or(i64::MAX))
}

/// Nano-dollars times a million, which only the final division brings back.
fn part(tokens: Tokens, per_million: Usd) -> u128 {
    u128::from(tokens.count()).saturating_mul(u128::from(per_million.0.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    fn usage(input: u64, cached: u64, written: u64, output: u64) -> Usage {
        Usage {
            input_tokens: Tokens::new(input),
            cached_input_tokens: Tokens::new(cached),
            cache_write_tokens: Tokens::new(written),
            output_tokens: Tokens::new(output),
            ..Usage::default()
        }
    }

    #[test]
    fn a_cost_is_tokens_times_price_rounded_up_once() {
        let rates = Rates { cached_input: Usd(1), ..Rates::plain(Usd(10_000_000_000), Usd(100_000_000_000)) };
        let price = Price::of_rates(rates);
        assert_eq!(price.of(&usage(14, 0, 0, 20)).to_string(), "0.00214");
        assert_eq!(price.of(&usage(1, 1, 0, 0)), Usd(1), "a fraction of a nano-dollar is a whole one");
    }

    #[test]
    fn input_costs_what_the_cache_makes_of_it() {
        let rates =
            Rates { input: Usd(3_000_000), output: Usd(0), cached_input: Usd(300_000), cache_write: Usd(6_000_000) };
        let price = Price::of_rates(rates);
        // Of ten tokens four come from the cache, five go into it, and one does neither.
        assert_eq!(price.of(&usage(10, 4, 5, 0)), Usd(2 + 30 + 3));
        // What is said of the cache beyond the input is nobody's cost: ten from the cache, and none left to be written.
        assert_eq!(price.of(&usage(10, 99, 99, 0)), Usd(3));
    }

    #[test]
    fn a_long_input_costs_its_own_rates_for_all_of_the_call() {
        let (short, long) =
            (Rates::plain(Usd(1_000_000), Usd(2_000_000)), Rates::plain(Usd(2_000_000), Usd(3_000_000)));
        let price = Price { rates: short, long_context: Some(LongContext { above: Tokens::new(100), rates: long }) };
        assert_eq!(price.of(&usage(100, 0, 0, 10)), Usd(120), "not above it");
        assert_eq!(price.of(&usage(101, 0, 0, 10)), Usd(232));
        assert_eq!(price.worst(Tokens::new(101), Tokens::new(10)), Usd(232));
        let cheaper = Price { rates: long, long_context: Some(LongContext { above: Tokens::new(100), rates: short }) };
        assert_eq!(cheaper.worst(Tokens::new(101), Tokens::new(10)), Usd(230), "as it may stay under the threshold");
    }

    #[test]
    fn a_price_is_free_only_where_nothing_of_it_costs_anything() {
        let costs = |rates| LongContext { above: Tokens::new(1), rates };
        assert!(Price::FREE.is_free());
        let writes = Rates { cache_write: Usd(1), ..Rates::FREE };
        assert!(!Price::of_rates(writes).is_free());
        assert!(!Price { rates: Rates::FREE, long_context: Some(costs(writes)) }.is_free());
        assert!(Price { rates: Rates::FREE, long_context: Some(costs(Rates::FREE)) }.is_free());
    }

    #[test]
    fn absurd_counts_cost_the_largest_amount_and_never_wrap() {
        let price = Price::of_rates(Rates::plain(USD_MAX, USD_MAX));
        assert_eq!(price.of(&usage(u64::MAX, 0, u64::MAX, u64::MAX)), Usd(i64::MAX));
        assert_eq!(price.worst(Tokens::new(u64::MAX), Tokens::new(u64::MAX)), Usd(i64::MAX));
    }

    fn rates() -> impl Strategy<Value = Rates> {
        let rate = || prop_oneof![Just(0_i64), 0_i64..1_000, 0_i64..USD_MAX.0].prop_map(Usd);
        (rate(), rate(), rate(), rate()).prop_map(|(input, output, cached_input, cache_write)| Rates {
            input,
            output,
            cached_input,
            cache_write,
        })
    }

    fn price() -> impl Strategy<Value = Price> {
        let long =
            (0_u64..400_000, rates()).prop_map(|(above, rates)| LongContext { above: Tokens::new(above), rates });
        (rates(), proptest::option::of(long)).prop_map(|(rates, long_context)| Price { rates, long_context })
    }

    proptest! {
        #[test]
        fn no_usage_within_the_counted_tokens_costs_more_than_the_worst_case(
            price in price(),
            (counted, output_max) in (0_u64..800_000, 0_u64..200_000),
            (input, output) in (0_u64..800_000, 0_u64..200_000),
            (cached, written, reasoning) in (any::<u64>(), 0_u64..1_000_000, any::<u64>()),
        ) {
            let used = Usage {
                reasoning_tokens: Tokens::new(reasoning),
                ..usage(input.min(counted), cached % (input + 2), written, output.min(output_max))
            };
            prop_assert!(price.of(&used) <= price.worst(Tokens::new(counted), Tokens::new(output_max)));
        }

        #[test]
        fn a_larger_bound_is_never_cheaper(
            price in price(),
            (input, more) in (0_u64..800_000, 0_u64..800_000),
            (output, longer) in (0_u64..200_000, 0_u64..200_000),
        ) {
            let smaller = price.worst(Tokens::new(input), Tokens::new(output));
            prop_assert!(smaller <= price.worst(Tokens::new(input + more), Tokens::new(output + longer)));
        }

        #[test]
        fn a_cost_is_the_exact_sum_rounded_up(rates in rates(), (input, output) in (0_u64..1_000_000, 0_u64..1_000_000)) {
            let exact = u128::from(input) * u128::from(rates.input.0.unsigned_abs())
                + u128::from(output) * u128::from(rates.output.0.unsigned_abs());
            let cost = u128::from(Price::of_rates(rates).of(&usage(input, 0, 0, output)).0.unsigned_abs());
            let rounded = exact.div_ceil(1_000_000).min(i64::MAX as u128);
            prop_assert_eq!(cost, rounded);
        }
    }
}
