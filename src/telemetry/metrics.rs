//! The recorder behind the `metrics` crate, and the text that Prometheus scrapes.

use metrics::{Label, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::error::Error;
use super::exposition::{Exposition, presented};
use super::names::{COST_USD_TOTAL, FAMILIES, Family, Kind};
use crate::domain::money::Usd;

/// The metrics of this process; cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl Metrics {
    /// Receives the process's metrics from now on, with every name of [`super::names`] at zero. There is no listener: the
    /// API serves [`Metrics::render`].
    ///
    /// # Errors
    /// Something else already receives them.
    pub fn install() -> Result<Self, Error> {
        let refused = |reason: String| Error::AlreadySet { what: "metrics", reason };
        let recorder = recorder().map_err(|error| refused(error.to_string()))?;
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).map_err(|error| refused(error.to_string()))?;
        FAMILIES.iter().for_each(register);
        Ok(Self { handle })
    }

    /// Metrics that nobody counts into, for a daemon beside others in one process.
    #[cfg(test)]
    pub(crate) fn apart() -> Self {
        Self { handle: recorder().expect("a recorder").handle() }
    }

    /// The text that Prometheus scrapes, its families in alphabetical order.
    #[must_use]
    pub fn render(&self) -> String {
        let text = self.handle.render();
        let mut families: Vec<_> = text.split("\n\n").filter(|family| !family.is_empty()).map(shown).collect();
        families.sort_unstable();
        let mut sorted = families.join("\n");
        sorted.push('\n');
        sorted
    }

    /// What is counted now, to be read by the daemon itself.
    #[must_use]
    pub fn read(&self) -> Exposition {
        Exposition::new(self.render())
    }

    /// Folds what histograms gathered into their buckets. Must be called every few seconds: until then, each sample takes
    /// memory, and nobody may be scraping.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }
}

/// Counts money spent, exactly: in nano-dollars, which [`Metrics::render`] shows as dollars.
pub fn count_cost(template: &str, model: &str, cost: Usd) {
    let nanos = u64::try_from(cost.nanos()).unwrap_or(0);
    counter!(COST_USD_TOTAL, "template" => template.to_owned(), "model" => model.to_owned()).increment(nanos);
}

/// The text of a family as it is shown.
fn shown(text: &str) -> String {
    let name = text.lines().find_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).unwrap_or_default();
    let open = FAMILIES.iter().find(|family| family.name == name).map_or(&[][..], |family| family.open);
    presented(text, open)
}

fn recorder() -> Result<PrometheusRecorder, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for family in FAMILIES {
        if let Kind::Histogram(bounds) = family.kind {
            builder = builder.set_buckets_for_metric(Matcher::Full(family.name.to_owned()), bounds)?;
        }
    }
    Ok(builder.build_recorder())
}

/// Describes a family and lets it be there at zero, once for each known value of its label.
fn register(family: &Family) {
    let name = family.name;
    match family.kind {
        Kind::Counter => describe_counter!(name, family.help),
        Kind::Gauge => describe_gauge!(name, family.help),
        Kind::Histogram(_) => describe_histogram!(name, family.help),
    }
    let open: Vec<Label> = family.open.iter().map(|label| Label::new(*label, "")).collect();
    let with = |label: &'static str, value: &'static str| {
        let mut labels = open.clone();
        labels.push(Label::new(label, value));
        labels
    };
    let series = match family.known {
        Some((label, values)) => values.iter().map(|value| with(label, value)).collect(),
        None => vec![open.clone()],
    };
    for labels in series {
        match family.kind {
            Kind::Counter => counter!(name, labels).absolute(0),
            Kind::Gauge => gauge!(name, labels).set(0.0),
            Kind::Histogram(_) => drop(histogram!(name, labels)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::names::{self, AGENT_CREATION_SECONDS, TASKS_TOTAL};
    use super::*;

    /// Runs `body` with metrics of its own.
    fn with_metrics<T>(body: impl FnOnce(&Metrics) -> T) -> T {
        let recorder = recorder().expect("a recorder");
        let metrics = Metrics { handle: recorder.handle() };
        metrics::with_local_recorder(&recorder, || {
            FAMILIES.iter().for_each(register);
            body(&metrics)
        })
    }

    #[test]
    fn every_name_is_there_from_the_start_with_help_at_zero() {
        let text = with_metrics(Metrics::render);
        for family in FAMILIES {
            let kind = match family.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram(_) => "histogram",
            };
            assert!(text.contains(&format!("# HELP {} {}\n", family.name, family.help)), "{} in {text}", family.name);
            assert!(text.contains(&format!("# TYPE {} {kind}\n", family.name)), "{} in {text}", family.name);
        }
        let samples = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        for line in samples {
            assert!(line.ends_with(" 0"), "{line}");
        }
        assert!(text.contains("factory_agents{state=\"idle\"} 0\n"), "{text}");
        assert!(text.contains("factory_tasks_total{template=\"\",state=\"succeeded\"} 0\n"), "{text}");
    }

    #[test]
    fn every_name_of_the_contract_has_a_family() {
        let source = include_str!("names.rs");
        let declared = source.lines().filter(|line| line.starts_with("pub const ") && line.contains(": &str")).count();
        assert_eq!(declared, FAMILIES.len());
    }

    #[test]
    fn families_are_in_order_and_render_the_same_twice() {
        with_metrics(|metrics| {
            let text = metrics.render();
            let families: Vec<_> = text.lines().filter(|line| line.starts_with("# HELP")).collect();
            assert!(families.is_sorted(), "{families:?}");
            assert_eq!(families, metrics.render().lines().filter(|l| l.starts_with("# HELP")).collect::<Vec<_>>());
        });
    }

    #[test]
    fn costs_add_up_to_the_nano_dollar() {
        with_metrics(|metrics| {
            for _ in 0..10 {
                count_cost("t", "local/qwen", "0.100000001".parse().expect("an amount"));
            }
            count_cost("t", "free", Usd::ZERO);
            let text = metrics.render();
            assert!(
                text.contains("factory_cost_usd_total{template=\"t\",model=\"local/qwen\"} 1.00000001\n"),
                "{text}"
            );
            assert!(text.contains("factory_cost_usd_total{template=\"t\",model=\"free\"} 0\n"), "{text}");
            assert!((metrics.read().sum(COST_USD_TOTAL, &[]) - 1.000_000_01).abs() < 1e-12);
        });
    }

    #[test]
    fn counts_and_quantiles_can_be_read_back() {
        with_metrics(|metrics| {
            counter!(TASKS_TOTAL, "template" => "a", "state" => "succeeded").increment(3);
            counter!(TASKS_TOTAL, "template" => "b", "state" => "succeeded").increment(1);
            counter!(TASKS_TOTAL, "template" => "a", "state" => "failed").increment(1);
            let read = metrics.read();
            assert!((read.sum(TASKS_TOTAL, &[("state", "succeeded")]) - 4.0).abs() < f64::EPSILON);
            assert_eq!(read.quantile(AGENT_CREATION_SECONDS, 0.95), None, "of nothing");
            for _ in 0..100 {
                histogram!(AGENT_CREATION_SECONDS).record(0.0007);
            }
            let p95 = metrics.read().quantile(AGENT_CREATION_SECONDS, 0.95).expect("a quantile");
            assert!((0.0005..=0.001).contains(&p95), "{p95}");
        });
    }

    #[test]
    fn upkeep_takes_samples_out_of_memory_without_losing_them() {
        with_metrics(|metrics| {
            histogram!(names::OVERHEAD_SECONDS).record(0.5);
            metrics.upkeep();
            metrics.upkeep();
            assert!(metrics.render().contains("factory_overhead_seconds_count 1\n"));
        });
    }
}
