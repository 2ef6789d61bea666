//! The text that Prometheus scrapes: how it is shown, and read back for the few figures that the API shows itself. One place
//! counts, so that two never disagree.

use super::names::COST_USD_TOTAL;

/// A snapshot of all metrics.
#[derive(Debug, Clone)]
pub struct Exposition {
    text: String,
}

impl Exposition {
    /// Metrics as a daemon showed them.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self { text }
    }

    /// The sum of a counter or gauge over all series that have these labels.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.samples(name).filter(|sample| sample.has(labels)).map(|sample| sample.value).sum()
    }

    /// A quantile of a histogram over all its series, estimated within its bucket as Prometheus does; none where nothing
    /// was recorded. What lies above the last bound counts as that bound.
    #[must_use]
    pub fn quantile(&self, name: &str, quantile: f64) -> Option<f64> {
        estimate(self.buckets(name), quantile)
    }

    /// The same of what was recorded since an earlier snapshot of the same process.
    #[must_use]
    pub fn quantile_since(&self, earlier: &Self, name: &str, quantile: f64) -> Option<f64> {
        let (mut buckets, before) = (self.buckets(name), earlier.buckets(name));
        for (bound, count) in &mut buckets {
            let known = before.iter().find(|(known, _)| known.total_cmp(bound).is_eq());
            *count -= known.map_or(0.0, |(_, before)| *before);
        }
        estimate(buckets, quantile)
    }

    /// The mean of what a histogram recorded since an earlier snapshot of the same process; none where nothing was.
    #[must_use]
    pub fn mean_since(&self, earlier: &Self, name: &str) -> Option<f64> {
        let grown = |part: &str| {
            let name = format!("{name}_{part}");
            self.sum(&name, &[]) - earlier.sum(&name, &[])
        };
        let count = grown("count");
        (count > 0.0).then(|| grown("sum") / count)
    }

    /// Upper bounds with cumulative counts, summed over all series.
    fn buckets(&self, name: &str) -> Vec<(f64, f64)> {
        let mut buckets: Vec<(f64, f64)> = Vec::new();
        for sample in self.samples(&format!("{name}_bucket")) {
            let Some(bound) = sample.label("le").and_then(|bound| bound.parse::<f64>().ok()) else { continue };
            match buckets.iter_mut().find(|(known, _)| known.total_cmp(&bound).is_eq()) {
                Some((_, count)) => *count += sample.value,
                None => buckets.push((bound, sample.value)),
            }
        }
        buckets.sort_by(|left, right| left.0.total_cmp(&right.0));
        buckets
    }

    fn samples(&self, name: &str) -> impl Iterator<Item = Sample<'_>> {
        self.text.lines().filter_map(Sample::parse).filter(move |sample| sample.name == name)
    }
}

/// A quantile of cumulative counts by upper bound, within its bucket.
fn estimate(buckets: Vec<(f64, f64)>, quantile: f64) -> Option<f64> {
    let total = buckets.last().map(|(_, count)| *count).filter(|&total| total > 0.0)?;
    let rank = quantile.clamp(0.0, 1.0) * total;
    let (mut lower, mut below) = (0.0, 0.0);
    for (bound, count) in buckets {
        if count >= rank && count > below {
            let within = if bound.is_finite() { bound - lower } else { 0.0 };
            return Some(within.mul_add((rank - below) / (count - below), lower));
        }
        (lower, below) = (bound, count);
    }
    None
}

struct Sample<'a> {
    name: &'a str,
    /// What stands between the braces.
    labels: &'a str,
    value: f64,
}

impl<'a> Sample<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        if line.starts_with('#') {
            return None;
        }
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        Some(Self { name, labels: labels.strip_suffix('}').unwrap_or(labels), value: value.parse().ok()? })
    }

    fn has(&self, labels: &[(&str, &str)]) -> bool {
        labels.iter().all(|(label, value)| self.label(label) == Some(value))
    }

    /// A label's value as it is written; the daemon's own labels need no escapes where it asks for them.
    fn label(&self, label: &str) -> Option<&'a str> {
        let mut rest = self.labels;
        loop {
            let (name, after) = rest.split_once("=\"")?;
            let end = end_of_value(after)?;
            let value = after.get(..end)?;
            if name == label {
                return Some(value);
            }
            rest = after.get(end.saturating_add(1)..)?.trim_start_matches(',');
        }
    }
}

/// Where the closing quote stands.
fn end_of_value(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let closes = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes.then_some(at)
    })
}

/// A family's text as it is shown: dollars where nano-dollars were counted, and without the placeholder that stands for
/// series whose labels (`open`) are not known beforehand, once there is such a series.
pub(super) fn presented(family: &str, open: &[&str]) -> String {
    let is_sample = |line: &str| !line.is_empty() && !line.starts_with('#');
    let is_placeholder =
        |line: &str| !open.is_empty() && open.iter().all(|label| line.contains(&format!("{label}=\"\"")));
    let occurred = family.lines().any(|line| is_sample(line) && !is_placeholder(line));
    let mut shown = String::with_capacity(family.len().saturating_add(1));
    for line in family.lines().filter(|line| !(occurred && is_sample(line) && is_placeholder(line))) {
        shown.push_str(&in_dollars(line).unwrap_or_else(|| line.to_owned()));
        shown.push('\n');
    }
    shown
}

/// A sample of the cost in dollars; none for any other line.
fn in_dollars(line: &str) -> Option<String> {
    line.strip_prefix(COST_USD_TOTAL)?;
    let (series, nanos) = line.rsplit_once(' ')?;
    Some(format!("{series} {}", dollars(nanos.parse().ok()?)))
}

fn dollars(nanos: u64) -> String {
    let text = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_found_behind_awkward_values() {
        let text = "m{a=\"x,b=\\\"y\\\"\",b=\"z\"} 2\nm{a=\"\",b=\"z\"} 3\nm_more 9\n";
        let read = Exposition::new(text.to_owned());
        assert!((read.sum("m", &[("b", "z")]) - 5.0).abs() < f64::EPSILON);
        assert!((read.sum("m", &[("b", "y")])).abs() < f64::EPSILON);
        assert!((read.sum("m", &[("a", "")]) - 3.0).abs() < f64::EPSILON);
    }

    #[test]
    fn quantiles_are_estimated_within_their_bucket() {
        let text = "h_bucket{le=\"1\"} 0\nh_bucket{le=\"2\"} 10\nh_bucket{le=\"4\"} 20\nh_bucket{le=\"+Inf\"} 20\n";
        let read = Exposition::new(text.to_owned());
        for (quantile, expected) in [(0.5, 2.0), (0.75, 3.0), (1.0, 4.0), (0.05, 1.1)] {
            let got = read.quantile("h", quantile).expect("a quantile");
            assert!((got - expected).abs() < 1e-9, "{quantile}: {got}");
        }
        let beyond = Exposition::new("h_bucket{le=\"1\"} 0\nh_bucket{le=\"+Inf\"} 4\n".to_owned());
        assert_eq!(beyond.quantile("h", 0.95), Some(1.0), "the last bound");
    }

    #[test]
    fn what_was_recorded_before_does_not_count() {
        let text = |low, high, sum| {
            Exposition::new(format!(
                "h_bucket{{le=\"1\"}} {low}\nh_bucket{{le=\"2\"}} {high}\nh_bucket{{le=\"+Inf\"}} {high}\nh_sum {sum}\nh_count {high}\n"
            ))
        };
        let (before, after) = (text(100, 100, 50), text(100, 110, 65));
        let close = |got: Option<f64>, expected: f64| got.is_some_and(|got| (got - expected).abs() < 1e-9);
        assert!(close(after.quantile_since(&before, "h", 0.5), 1.5));
        assert!(close(after.mean_since(&before, "h"), 1.5));
        assert_eq!((after.quantile_since(&after, "h", 0.5), after.mean_since(&after, "h")), (None, None));
    }

    #[test]
    fn a_placeholder_stands_until_a_series_occurs() {
        let help = "# HELP m What it is.\n# TYPE m gauge\n";
        let only = format!("{help}m{{scope=\"\"}} 0\n");
        assert_eq!(presented(&only, &["scope"]), only);
        let both = format!("{only}m{{scope=\"global\"}} 3\n");
        assert_eq!(presented(&both, &["scope"]), format!("{help}m{{scope=\"global\"}} 3\n"));
        assert_eq!(presented(&both, &[]), both, "nothing stands for anything");
    }

    #[test]
    fn nano_dollars_are_shown_as_dollars() {
        for (nanos, shown) in [(0, "0"), (1, "0.000000001"), (1_500_000_000, "1.5"), (20_000_000_000, "20")] {
            assert_eq!(dollars(nanos), shown);
        }
    }
}
