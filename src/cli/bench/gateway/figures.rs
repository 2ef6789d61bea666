//! What a bench of the gateway tells.

use std::time::Duration;

use serde::Serialize;

use super::process::Taken;
use crate::cli::bench::report::{Report, Samples, rounded};
use crate::cli::output::Paint;
use crate::telemetry::Exposition;
use crate::telemetry::names::STORE_COMMIT_SECONDS;

/// One part of the run: what clients met, and what the daemon took for it.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) samples: Samples,
    pub(super) elapsed: Duration,
    pub(super) cost: Cost,
}

/// The daemon's figures of one part. Those of its process are there where the system says which one it is.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Cost {
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_us_per_request: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resident_before_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resident_after_bytes: Option<u64>,
    /// Synced groups of commits, estimated within the buckets of `factory_store_commit_seconds`; the mean is exact.
    #[serde(skip_serializing_if = "Option::is_none")]
    commit_p50_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit_p99_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit_mean_ms: Option<f64>,
}

impl Cost {
    /// What lies between two readings, by request.
    pub(super) fn between(
        before: (&Exposition, Option<Taken>),
        after: (&Exposition, Option<Taken>),
        requests: u64,
    ) -> Self {
        let cpu = after.1.zip(before.1).map(|(after, before)| after.cpu.saturating_sub(before.cpu));
        let commit_ms = |quantile| {
            let seconds = after.0.quantile_since(before.0, STORE_COMMIT_SECONDS, quantile);
            seconds.map(|seconds| rounded(seconds * 1e3))
        };
        Self {
            cpu_us_per_request: cpu.filter(|_| requests > 0).map(|cpu| by_request(cpu, requests)),
            resident_before_bytes: before.1.map(|taken| taken.resident),
            resident_after_bytes: after.1.map(|taken| taken.resident),
            commit_p50_ms: commit_ms(0.5),
            commit_p99_ms: commit_ms(0.99),
            commit_mean_ms: after.0.mean_since(before.0, STORE_COMMIT_SECONDS).map(|seconds| rounded(seconds * 1e3)),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "of a count only the leading digits are told")]
fn by_request(cpu: Duration, requests: u64) -> f64 {
    rounded(cpu.as_secs_f64() * 1e6 / requests as f64)
}

/// The same load at the model itself, without the daemon.
#[derive(Debug, Serialize)]
pub(super) struct Direct {
    mock_direct_per_second: f64,
    mock_direct_p50_ms: f64,
    mock_direct_p99_ms: f64,
    /// At the rate.
    mock_direct_at_rate_p50_ms: f64,
    /// What the daemon adds to the model's median at the rate.
    added_p50_ms: f64,
}

/// The second part of the run.
#[derive(Debug, Serialize)]
pub(super) struct AtRate {
    /// Requests a second, as they were due; times count from then.
    rate: u32,
    requests: usize,
    errors: u64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    #[serde(flatten)]
    cost: Cost,
}

/// The document of `bench gateway --json`.
#[derive(Debug, Serialize)]
pub(super) struct Document {
    #[serde(flatten)]
    pub(super) report: Report,
    #[serde(flatten)]
    cost: Cost,
    at_rate: AtRate,
    #[serde(flatten)]
    direct: Option<Direct>,
}

/// Whom a run asked, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) template: &'a str,
    pub(super) connections: usize,
    pub(super) rate: u32,
}

impl Terms<'_> {
    fn report(self, part: Part) -> (Report, Cost) {
        let Part { samples, elapsed, cost } = part;
        (Report::new("gateway", self.template, self.connections, elapsed, samples), cost)
    }

    /// The document of both parts, and of those at the model itself where it is the bench's own.
    pub(super) fn document(self, full: Part, at_rate: Part, direct: Option<(Part, Part)>) -> Document {
        let (report, cost) = self.report(full);
        let (paced, paced_cost) = self.report(at_rate);
        let direct = direct.map(|(full, at_rate)| {
            let (full, at_rate) = (self.report(full).0, self.report(at_rate).0);
            Direct {
                mock_direct_per_second: full.per_second,
                mock_direct_p50_ms: full.p50_ms,
                mock_direct_p99_ms: full.p99_ms,
                mock_direct_at_rate_p50_ms: at_rate.p50_ms,
                added_p50_ms: rounded(paced.p50_ms - at_rate.p50_ms),
            }
        });
        let at_rate = AtRate {
            rate: self.rate,
            requests: paced.requests,
            errors: paced.errors,
            p50_ms: paced.p50_ms,
            p99_ms: paced.p99_ms,
            max_ms: paced.max_ms,
            cost: paced_cost,
        };
        Document { report, cost, at_rate, direct }
    }
}

impl Document {
    pub(super) fn render(&self, paint: Paint) -> String {
        let mut lines = vec![self.report.render(paint)];
        if let (Some(cpu), Some(before), Some(after)) =
            (self.cost.cpu_us_per_request, self.cost.resident_before_bytes, self.cost.resident_after_bytes)
        {
            let megabytes = |bytes: u64| bytes.div_ceil(1_000_000);
            lines.push(format!(
                "daemon: {cpu:.0} µs of processor by request, memory {} -> {} MB",
                megabytes(before),
                megabytes(after)
            ));
        }
        let at = &self.at_rate;
        lines.push(format!(
            "at {} a second: p50 {:.2} ms · p99 {:.2} ms · max {:.2} ms · {} errors",
            at.rate, at.p50_ms, at.p99_ms, at.max_ms, at.errors
        ));
        if let (Some(p50), Some(mean)) = (at.cost.commit_p50_ms, at.cost.commit_mean_ms) {
            lines.push(format!("  a synced commit there: p50 {p50:.2} ms · mean {mean:.2} ms"));
        }
        if let Some(direct) = &self.direct {
            lines.push(format!("  added to the model's own p50: {:.2} ms", direct.added_p50_ms));
            lines.push(format!("the model alone: {:.0} by the second", direct.mock_direct_per_second));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn part(ms: u64, cost: Cost) -> Part {
        let mut samples = Samples::default();
        samples.succeeded(Duration::from_millis(ms), 0);
        Part { samples, elapsed: Duration::from_secs(1), cost }
    }

    fn commits(count: u32, sum: f64) -> Exposition {
        let name = STORE_COMMIT_SECONDS;
        Exposition::new(format!(
            "{name}_bucket{{le=\"0.0005\"}} {count}\n{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {sum}\n{name}_count {count}\n"
        ))
    }

    #[test]
    fn costs_are_those_of_the_part_alone() {
        let taken = |ms, resident| Some(Taken { cpu: Duration::from_millis(ms), resident });
        let cost = Cost::between((&commits(10, 1.0), taken(500, 100)), (&commits(20, 1.004), taken(700, 120)), 1_000);
        let told = serde_json::to_value(&cost).expect("JSON");
        assert_eq!(
            told,
            json!({
                "cpu_us_per_request": 200.0, "resident_before_bytes": 100, "resident_after_bytes": 120,
                "commit_p50_ms": 0.25, "commit_p99_ms": 0.495, "commit_mean_ms": 0.4
            })
        );
        let nothing = Cost::between((&commits(10, 1.0), None), (&commits(10, 1.0), None), 0);
        assert_eq!(serde_json::to_value(&nothing).expect("JSON"), json!({}));
    }

    #[test]
    fn what_the_daemon_adds_is_told_where_the_model_is_known() {
        let terms = Terms { template: "t", connections: 2, rate: 500 };
        let direct = Some((part(1, Cost::default()), part(1, Cost::default())));
        let document = terms.document(part(5, Cost::default()), part(3, Cost::default()), direct);
        let told: Value = serde_json::to_value(&document).expect("JSON");
        assert_eq!(
            (&told["bench"], &told["p50_ms"], &told["added_p50_ms"]),
            (&json!("gateway"), &json!(5.0), &json!(2.0))
        );
        assert_eq!((&told["at_rate"]["rate"], &told["at_rate"]["p50_ms"]), (&json!(500), &json!(3.0)));
        let alone = terms.document(part(5, Cost::default()), part(3, Cost::default()), None);
        assert_eq!(serde_json::to_value(&alone).expect("JSON")["added_p50_ms"], Value::Null);
        assert!(document.render(Paint::Plain).contains("at 500 a second: p50 3.00 ms"));
    }
}
