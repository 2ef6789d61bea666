//! The statistics of the report and of the automatic halt. Pure.
//!
//! Sources: E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22 (1927) 209–212;
//! Student's t as in the NIST/SEMATECH e-Handbook of Statistical Methods, sections 1.3.5.2 and 1.3.6.7.2, and Abramowitz & Stegun,
//! "Handbook of Mathematical Functions", 26.7.5; S. R. Howard, A. Ramdas, J. McAuliffe and J. Sekhon, "Time-uniform,
//! nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49 (2021) 1055–1080, equations (1.2) and (10).

use std::collections::BTreeMap;

use crate::journal::tally::{self, Moments};

/// The confidence of the report's intervals.
pub const CONFIDENCE: f64 = 0.95;
/// The quantile of the standard normal distribution that leaves 2.5 % above it.
const Z: f64 = 1.959_963_984_540_054;
/// The same of Student's t with 1 to 4 degrees of freedom (NIST e-Handbook, table 1.3.6.7.2).
const T_SMALL: [f64; 4] = [12.706_205, 4.302_653, 3.182_446, 2.776_445];
/// Half the range of what is observed, which lies between 0 and 1: so far is it sub-Gaussian, by Hoeffding's lemma.
const SCALE: f64 = 0.5;

/// From where to where.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// A value that was estimated, and the interval around it where there is enough to say so.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// Its interval of 95 % confidence.
    pub interval: Option<Interval>,
}

/// A count as a real number.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a statistic needs no more than 52 bits")]
pub fn real(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "a statistic needs no more than 52 bits")]
fn real_wide(sum: u128) -> f64 {
    sum as f64
}

/// A share of successes among trials with Wilson's score interval; none without trials.
#[must_use]
pub fn proportion(successes: u64, trials: u64) -> Option<Estimate> {
    if trials == 0 {
        return None;
    }
    let (n, p) = (real(trials), real(successes) / real(trials));
    let square = Z * Z;
    let centre = p + square / (2.0 * n);
    let margin = Z * (p * (1.0 - p) / n + square / (4.0 * n * n)).sqrt();
    let within = |end: f64| (end / (1.0 + square / n)).clamp(0.0, 1.0);
    let interval = Interval { low: within(centre - margin), high: within(centre + margin) };
    Some(Estimate { value: p, interval: Some(interval) })
}

/// A mean with Student's interval, which needs two values; none without a value. Values are divided by `unit`.
#[must_use]
pub fn mean(moments: &Moments, unit: f64) -> Option<Estimate> {
    let Moments { count, sum, squares } = *moments;
    if count == 0 {
        return None;
    }
    let value = real(sum) / real(count);
    let scaled = |value: f64| value / unit;
    let Some(freedom) = count.checked_sub(1).filter(|freedom| *freedom > 0) else {
        return Some(Estimate { value: scaled(value), interval: None });
    };
    // n Σx² − (Σx)², in integers, so that nothing cancels out.
    let spread = u128::from(count).saturating_mul(squares).saturating_sub(u128::from(sum).saturating_mul(sum.into()));
    let variance = real_wide(spread) / (real(count) * real(freedom));
    let margin = t(freedom) * (variance / real(count)).sqrt();
    let interval = Interval { low: scaled(value - margin), high: scaled(value + margin) };
    Some(Estimate { value: scaled(value), interval: Some(interval) })
}

/// The quantile of Student's t that leaves 2.5 % above it.
#[must_use]
fn t(freedom: u64) -> f64 {
    let small = usize::try_from(freedom).ok().and_then(|freedom| T_SMALL.get(freedom.checked_sub(1)?));
    if let Some(known) = small {
        return *known;
    }
    let (z, v) = (Z, real(freedom));
    let terms = [
        (z.powi(3) + z) / 4.0,
        (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0,
        (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0,
        (79.0 * z.powi(9) + 776.0 * z.powi(7) + 1_482.0 * z.powi(5) - 1_920.0 * z.powi(3) - 945.0 * z) / 92_160.0,
    ];
    terms.iter().rev().fold(0.0, |sum, term| (sum + term) / v) + z
}

/// The value below which a share `q` of all lies, from buckets: their middle, known to a sixteenth; none without values.
#[must_use]
pub fn quantile(buckets: &BTreeMap<u32, u64>, q: f64) -> Option<f64> {
    let all: u64 = buckets.values().fold(0, |all, count| all.saturating_add(*count));
    let wanted = (q * real(all)).ceil().max(1.0);
    let mut below = 0_u64;
    let found = buckets.iter().find(|(_, count)| {
        below = below.saturating_add(**count);
        real(below) >= wanted
    });
    found.map(|(bucket, _)| {
        let (low, high) = tally::bounds(*bucket);
        // The last value of the bucket is one less than the next one's first.
        (real(low) + real(high.saturating_sub(1))) / 2.0
    })
}

/// The confidence sequence of a mean of values between 0 and 1: with probability 1 − `alpha` it holds the true mean at **every**
/// number of values from `from` on, so that one may look after each task. None before.
///
/// Howard et al., equation (10) with η = 2, s = 1.4 and m = `from`, both sides, for values that are sub-Gaussian with scale ½:
/// mean ± ½ · 1.7 √((ln ln(2n/m) + 0.72 ln(10.4/α)) / n).
#[must_use]
pub fn sequence(count: u64, mean: f64, from: u64, alpha: f64) -> Option<Interval> {
    if count < from.max(1) {
        return None;
    }
    let (n, m) = (real(count), real(from.max(1)));
    let iterated = (2.0 * n / m).ln().ln() + 0.72 * (10.4 / alpha).ln();
    let radius = SCALE * 1.7 * (iterated / n).sqrt();
    Some(Interval { low: (mean - radius).max(0.0), high: (mean + radius).min(1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, wanted: f64, within: f64) {
        assert!((found - wanted).abs() <= within, "{found} is not {wanted}");
    }

    #[test]
    fn wilsons_interval_is_as_published() {
        // Newcombe, Statistics in Medicine 17 (1998) 857–872, table I, method 3 (score): 81/263, 15/148, 0/20, 1/29.
        for (successes, trials, low, high) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
        {
            let interval = proportion(successes, trials).and_then(|found| found.interval).expect("trials");
            near(interval.low, low, 0.000_05);
            near(interval.high, high, 0.000_05);
        }
        assert_eq!(proportion(0, 0), None);
    }

    #[test]
    fn students_quantiles_are_those_of_the_table() {
        for (freedom, wanted) in [
            (1, 12.706),
            (2, 4.303),
            (3, 3.182),
            (4, 2.776),
            (5, 2.571),
            (6, 2.447),
            (10, 2.228),
            (30, 2.042),
            (100, 1.984),
            (1_000_000, 1.960),
        ] {
            near(t(freedom), wanted, 0.001);
        }
    }

    #[test]
    fn a_mean_has_students_interval() {
        let of = |values: &[u64]| Moments {
            count: values.len().try_into().expect("few"),
            sum: values.iter().sum(),
            squares: values.iter().map(|value| u128::from(*value).pow(2)).sum(),
        };
        // 1, 2, 3, 4: mean 2.5, standard deviation 1.29099, so 2.5 ± 3.18245 · 1.29099 / 2.
        let found = mean(&of(&[1, 2, 3, 4]), 1.0).expect("values");
        let interval = found.interval.expect("four values");
        near(found.value, 2.5, 1e-12);
        near(interval.low, 0.445_74, 0.000_01);
        near(interval.high, 4.554_26, 0.000_01);
        assert_eq!(mean(&of(&[7]), 2.0), Some(Estimate { value: 3.5, interval: None }));
        assert_eq!(mean(&of(&[]), 1.0), None);
        let large = tally::VALUE_MAX;
        let equal = mean(&of(&[large, large, large]), 1.0).and_then(|found| found.interval).expect("three values");
        near(equal.high - equal.low, 0.0, 1e-9);
    }

    #[test]
    fn the_constants_of_the_sequence_follow_from_the_stitched_boundary() {
        // Equation (10): k₁ = (η^¼ + η^−¼)/√2; ℓ(v) = s ln ln(ηv/m) + ln(ζ(s) / (α ln^s η)); u(v) = k₁ √(v ℓ(v)).
        let (eta, s): (f64, f64) = (2.0, 1.4);
        // Terms to ten thousand, and the integral of the rest.
        let zeta: f64 = (1..10_000).map(|k| f64::from(k).powf(-s)).sum::<f64>() + 10_000_f64.powf(1.0 - s) / (s - 1.0);
        let k1 = (eta.powf(0.25) + eta.powf(-0.25)) / 2.0_f64.sqrt();
        near(k1 * s.sqrt(), 1.7, 0.005);
        near(1.0 / s, 0.72, 0.01);
        near(zeta / eta.ln().powf(s), 5.2, 0.02);
        for (n, alpha) in [(50_u64, 0.05), (1_000, 0.0125), (1_000_000, 0.001)] {
            let v = real(n);
            let exact =
                k1 * ((s * (eta * v / 50.0).ln().ln() + (zeta / (alpha / 2.0 * eta.ln().powf(s))).ln()) / v).sqrt();
            let interval = sequence(n, 0.5, 50, alpha).expect("enough");
            near((interval.high - interval.low).min(1.0), (2.0 * SCALE * exact).min(1.0), 0.01 * exact);
        }
        assert_eq!(sequence(49, 0.5, 50, 0.05), None);
    }

    #[test]
    fn quantiles_are_read_from_buckets() {
        let mut buckets = BTreeMap::new();
        for value in 1..=1_000_u64 {
            *buckets.entry(tally::bucket(value)).or_insert(0) += 1;
        }
        near(quantile(&buckets, 0.5).expect("values"), 500.0, 500.0 / 16.0);
        near(quantile(&buckets, 0.95).expect("values"), 950.0, 950.0 / 16.0);
        assert_eq!(quantile(&BTreeMap::new(), 0.5), None);
        assert_eq!(quantile(&BTreeMap::from([(tally::bucket(3), 1)]), 0.95), Some(3.0));
    }
}
