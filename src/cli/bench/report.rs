//! What a bench measured.

use std::time::Duration;

use serde::Serialize;

use super::Codes;
use crate::cli::output::{Paint, Tone};
use crate::cli::words;

/// The times of one or more connections, and their errors by code.
#[derive(Debug, Default)]
pub(super) struct Samples {
    micros: Vec<u32>,
    steps: u64,
    errors: Codes,
}

impl Samples {
    pub(super) fn succeeded(&mut self, elapsed: Duration, steps: u32) {
        self.steps = self.steps.saturating_add(steps.into());
        self.micros.push(u32::try_from(elapsed.as_micros()).unwrap_or(u32::MAX));
    }

    pub(super) fn failed(&mut self, code: String) {
        self.count(code, 1);
    }

    /// How many there were.
    pub(super) fn successes(&self) -> u64 {
        u64::try_from(self.micros.len()).unwrap_or(u64::MAX)
    }

    /// How many there were, whatever their code.
    pub(super) fn errors(&self) -> u64 {
        self.errors.values().fold(0, |sum, number| sum.saturating_add(*number))
    }

    /// All requests that were answered or refused.
    pub(super) fn all(&self) -> u64 {
        self.successes().saturating_add(self.errors())
    }

    pub(super) fn add(&mut self, other: Self) {
        self.micros.extend(other.micros);
        self.steps = self.steps.saturating_add(other.steps);
        for (code, number) in other.errors {
            self.count(code, number);
        }
    }

    fn count(&mut self, code: String, number: u64) {
        let entry = self.errors.entry(code).or_default();
        *entry = entry.saturating_add(number);
    }
}

/// The document of `bench --json`. Times are of successes, from the first byte sent to the last one read.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    bench: &'static str,
    template: String,
    connections: usize,
    /// Successes.
    pub(super) requests: usize,
    pub(super) errors: u64,
    seconds: f64,
    /// Successes by the second.
    pub(super) per_second: f64,
    /// Steps of these tasks by the second; none where no tasks were run.
    #[serde(skip_serializing_if = "Option::is_none")]
    steps_per_second: Option<f64>,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
    error_codes: Codes,
}

impl Report {
    pub(super) fn new(
        bench: &'static str,
        template: &str,
        connections: usize,
        elapsed: Duration,
        samples: Samples,
    ) -> Self {
        let number_of_errors = samples.errors();
        let Samples { mut micros, steps, errors } = samples;
        micros.sort_unstable();
        let seconds = elapsed.as_secs_f64();
        let requests = micros.len();
        #[expect(clippy::cast_precision_loss, reason = "of a count only the leading digits are told")]
        let rate = |count: u64| if seconds > 0.0 { rounded(count as f64 / seconds) } else { 0.0 };
        let per_second = rate(u64::try_from(requests).unwrap_or(u64::MAX));
        Self {
            bench,
            template: template.to_owned(),
            connections,
            requests,
            errors: number_of_errors,
            seconds: rounded(seconds),
            per_second,
            steps_per_second: (steps > 0).then(|| rate(steps)),
            p50_ms: percentile_ms(&micros, 50),
            p99_ms: percentile_ms(&micros, 99),
            max_ms: percentile_ms(&micros, 100),
            error_codes: errors,
        }
    }

    pub(super) fn render(&self, paint: Paint) -> String {
        let mut lines = vec![
            format!(
                "{} {} in {:.2} s over {} connections",
                paint.text(Tone::Strong, &self.requests.to_string()),
                self.bench,
                self.seconds,
                self.connections
            ),
            format!("{} by the second", paint.text(Tone::Good, &format!("{:.0}", self.per_second))),
            format!("p50 {:.2} ms · p99 {:.2} ms · max {:.2} ms", self.p50_ms, self.p99_ms, self.max_ms),
        ];
        if self.errors > 0 {
            let number = usize::try_from(self.errors).unwrap_or(usize::MAX);
            lines.push(paint.text(Tone::Bad, &words::count(number, "error")));
            lines.extend(self.error_codes.iter().map(|(code, number)| format!("  {number} {code}")));
        }
        lines.join("\n")
    }
}

/// The smallest value that so many in a hundred do not exceed, in milliseconds; 0 of nothing.
fn percentile_ms(sorted_micros: &[u32], percent: usize) -> f64 {
    let rank = sorted_micros.len().saturating_mul(percent).div_ceil(100);
    let micros = sorted_micros.get(rank.saturating_sub(1)).copied().unwrap_or(0);
    rounded(f64::from(micros) / 1e3)
}

/// Three decimal places: more would be noise.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let hundred: Vec<u32> = (1..=100).map(|ms| ms * 1_000).collect();
        let got = [50, 99, 100].map(|percent| percentile_ms(&hundred, percent));
        assert_eq!(got, [50.0, 99.0, 100.0]);
        assert_eq!((percentile_ms(&[7_000], 50), percentile_ms(&[], 99)), (7.0, 0.0));
    }

    #[test]
    fn the_document_has_the_names_of_the_contract() {
        let mut samples = Samples::default();
        samples.succeeded(Duration::from_millis(2), 1);
        samples.failed("busy".into());
        samples.failed("busy".into());
        let report = Report::new("tasks", "documentaliste", 64, Duration::from_secs(2), samples);
        let document = serde_json::to_value(&report).expect("JSON");
        assert_eq!(
            document,
            serde_json::json!({
                "bench": "tasks", "template": "documentaliste", "connections": 64, "requests": 1, "errors": 2, "seconds": 2.0,
                "per_second": 0.5, "steps_per_second": 0.5, "p50_ms": 2.0, "p99_ms": 2.0, "max_ms": 2.0, "error_codes": {"busy": 2}
            })
        );
        assert!(report.render(Paint::Plain).ends_with("2 errors\n  2 busy"));
    }
}
