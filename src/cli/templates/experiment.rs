//! `templates experiment`: starts, shows and ends an experiment with versions of a template.

use std::collections::BTreeMap;

use clap::Args;

use crate::cli::exit::{Error, Exit};
use crate::cli::output::{Paint, Tone};
use crate::cli::session::Session;
use crate::cli::table::{Table, plain};
use crate::cli::words;
use crate::protocol::experiment::{Estimate, Experiment, StartExperiment, Variant};

/// The arguments.
#[derive(Debug, Args)]
pub(in crate::cli) struct Experimenting {
    /// The template's name.
    name: String,
    /// A published version and the share of tasks that it is to get, from 0 to 1; once for each. Starts an experiment.
    #[arg(long, value_name = "VERSION=SHARE", value_parser = share, conflicts_with = "stop")]
    set: Vec<(String, f64)>,
    /// The version that the others are compared with; the one with the largest share where it is not said.
    #[arg(long, value_name = "VERSION", requires = "set")]
    control: Option<String>,
    /// Does not halt a version that is clearly worse.
    #[arg(long, requires = "set")]
    no_halt: bool,
    /// Ends the experiment that runs.
    #[arg(long)]
    stop: bool,
}

fn share(text: &str) -> Result<(String, f64), String> {
    let (version, share) = text.split_once('=').ok_or("not VERSION=SHARE, such as 1.1.0=0.9")?;
    let share = share.parse().map_err(|_| format!("{share:?} is not a number from 0 to 1"))?;
    Ok((version.to_owned(), share))
}

/// One that is given twice is a slip: which of the two is meant is for the caller to say.
fn each_once(shares: Vec<(String, f64)>) -> Result<BTreeMap<String, f64>, Error> {
    let mut versions = BTreeMap::new();
    for (version, share) in shares {
        if let Some(first) = versions.insert(version.clone(), share) {
            let message = format!("--set gives version {version} twice, {first} and {share}: give each version once");
            return Err(Error::Usage(message));
        }
    }
    Ok(versions)
}

impl Experimenting {
    pub(super) async fn perform(self, session: &Session) -> Result<Exit, Error> {
        let Session { client, output } = session;
        let experiment = if self.stop {
            client.end_experiment(&self.name).await?
        } else if self.set.is_empty() {
            client.experiment(&self.name).await?
        } else {
            let halt = self.no_halt.then_some(false);
            let wanted = StartExperiment { versions: each_once(self.set)?, control: self.control, halt };
            client.start_experiment(&self.name, &wanted).await?
        };
        output.show(&experiment, |paint| drawn(&experiment, paint))?;
        Ok(Exit::Done)
    }
}

fn drawn(experiment: &Experiment, paint: Paint) -> String {
    let mut head = format!(
        "{} · {} · since {} by {}",
        paint.text(Tone::Strong, &experiment.template_name),
        experiment.state,
        words::time(&experiment.started_at),
        experiment.started_by
    );
    if let (Some(at), Some(by)) = (&experiment.ended_at, &experiment.ended_by) {
        let why = experiment.ended_because.as_deref().unwrap_or_default();
        head = format!("{head}, {why} {} by {by}", words::time(at));
    }
    let header = ["VERSION", "SHARE", "STATE", "TASKS", "SUCCESS", "COST USD", "LATENCY MS", "P95 MS", "FEEDBACK"];
    let mut table = Table::new(paint, &header);
    for variant in &experiment.variants {
        table.row(row(experiment, variant));
    }
    let reasons = experiment.variants.iter().flat_map(|variant| {
        variant.reasons.iter().map(|reason| format!("{} {}: {reason}", variant.version, variant.state))
    });
    let mut lines = vec![head, table.render("no versions")];
    lines.extend(reasons.map(|reason| paint.text(Tone::Bad, &reason)));
    lines.push(paint.text(Tone::Faint, "in brackets: 95 % confidence; * is the control"));
    lines.join("\n")
}

fn row(experiment: &Experiment, variant: &Variant) -> Vec<(Tone, String)> {
    let control = if variant.version == experiment.control { " *" } else { "" };
    let tone = match variant.state.as_str() {
        "running" => Tone::Good,
        _ => Tone::Bad,
    };
    vec![
        plain(format!("{}{control}", variant.version)),
        plain(format!("{:.1} %", variant.share * 100.0)),
        (tone, variant.state.clone()),
        plain(format!("{} ({} open)", variant.tasks, variant.in_flight)),
        told(variant.success_rate, 100.0, 1, " %"),
        told(variant.cost_usd, 1.0, 6, ""),
        told(variant.latency_ms, 1.0, 1, ""),
        variant.latency_p95_ms.map_or_else(dash, |p95| plain(format!("{p95:.1}"))),
        told(variant.feedback, 1.0, 2, ""),
    ]
}

fn told(estimate: Option<Estimate>, scale: f64, digits: usize, unit: &str) -> (Tone, String) {
    let Some(Estimate { value, low, high }) = estimate else { return dash() };
    let number = |value: f64| format!("{:.digits$}", value * scale);
    match (low, high) {
        (Some(low), Some(high)) => plain(format!("{}{unit} [{}, {}]", number(value), number(low), number(high))),
        (_, _) => plain(format!("{}{unit}", number(value))),
    }
}

fn dash() -> (Tone, String) {
    (Tone::Faint, "-".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_names_its_version() {
        assert_eq!(share("1.1.0=0.9"), Ok(("1.1.0".to_owned(), 0.9)));
        assert!(share("1.1.0").is_err());
        assert!(share("1.1.0=most").is_err());
    }

    #[test]
    fn an_estimate_is_told_with_its_interval() {
        let estimate = Estimate { value: 0.9, low: Some(0.85), high: Some(0.94) };
        assert_eq!(told(Some(estimate), 100.0, 1, " %").1, "90.0 % [85.0, 94.0]");
        assert_eq!(told(Some(Estimate { low: None, high: None, ..estimate }), 1.0, 2, "").1, "0.90");
        assert_eq!(told(None, 1.0, 2, "").1, "-");
    }
}
