//! `/factory/templates/{name}/experiment`.

use axum::Json;
use axum::extract::State;

use super::body::{JsonBody, Segment, id, parse, parse_some};
use super::error::Answer;
use super::gate::Caller;
use super::router::Shared;
use crate::control_plane::audit::Entry;
use crate::control_plane::template::experiment::stats::{Estimate, Interval};
use crate::control_plane::template::experiment::{EndReason, Error, Halting, Report, Results, Variant, Wanted};
use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure as _;
use crate::domain::name::TemplateName;
use crate::protocol::experiment::{self as protocol, Experiment, StartExperiment};
use crate::protocol::problem::Problem;

/// Digits behind the point that the report gives, so that the same counts are always told in the same words.
const DIGITS: i32 = 9;

/// Shares the tasks of a template out among published versions of it; an experiment that runs with it ends.
#[utoipa::path(post, path = "/factory/templates/{name}/experiment", tag = "templates", params(("name" = String, Path)),
    request_body = StartExperiment,
    responses((status = 200, body = Experiment), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn start(
    State(rooms): State<Shared>,
    caller: Caller,
    Segment(name): Segment,
    JsonBody(wanted): JsonBody<StartExperiment>,
) -> Answer<Json<Experiment>> {
    let name: TemplateName = id("template", &name)?;
    let version = |(version, share): (&String, &f64)| Ok((parse("versions", version)?, *share));
    let wanted = Wanted {
        versions: wanted.versions.iter().map(version).collect::<Answer<_>>()?,
        control: parse_some("control", wanted.control.as_ref())?,
        halting: if wanted.halt.unwrap_or(true) { Halting::Automatic } else { Halting::Off },
    };
    let entry = Entry::allowed(Timestamp::now(), (&*caller.0).into(), "start_experiment").on(&name);
    let outcome = rooms.experiments.start_with(&name, wanted, caller.0.name.to_string(), entry.clone()).await;
    if let Err(error @ Error::Refused(refused)) = &outcome
        && refused.is_by_rule()
    {
        // A decision too: it is in the audit log before it is told.
        let told = Entry::refused(entry.at, entry.who, &entry.action, error.code(), &error.detail());
        rooms.audit.record(told.on(&name)).await?;
    }
    Ok(Json(rendered(&outcome?)))
}

/// Shows the experiment that runs with a template, or the last one that did, and what it came to. It sums up the tasks of every
/// tenant, as metrics do, and needs their permission.
#[utoipa::path(get, path = "/factory/templates/{name}/experiment", tag = "templates", params(("name" = String, Path)),
    responses((status = 200, body = Experiment), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn show(State(rooms): State<Shared>, Segment(name): Segment) -> Answer<Json<Experiment>> {
    let name: TemplateName = id("template", &name)?;
    Ok(Json(rendered(&rooms.experiments.report(&name).await?)))
}

/// Ends the experiment that runs with a template; all its tasks get the version that is served.
#[utoipa::path(delete, path = "/factory/templates/{name}/experiment", tag = "templates", params(("name" = String, Path)),
    responses((status = 200, body = Experiment), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn end(
    State(rooms): State<Shared>,
    caller: Caller,
    Segment(name): Segment,
) -> Answer<Json<Experiment>> {
    let name: TemplateName = id("template", &name)?;
    let entry = Entry::allowed(Timestamp::now(), (&*caller.0).into(), "end_experiment").on(&name);
    let report = rooms.experiments.end(&name, EndReason::Stopped, caller.0.name.to_string(), entry).await?;
    Ok(Json(rendered(&report)))
}

fn rendered(report: &Report) -> Experiment {
    let experiment = &report.experiment;
    let ended = experiment.ended.as_ref();
    let control = experiment.variants.get(usize::from(experiment.control));
    let variants = experiment.variants.iter().zip(&report.variants);
    Experiment {
        id: experiment.id.to_string(),
        template_name: experiment.template.to_string(),
        state: if ended.is_some() { "ended" } else { "running" }.to_owned(),
        started_at: experiment.started_at.to_string(),
        started_by: experiment.started_by.clone(),
        ended_at: ended.map(|end| end.at.to_string()),
        ended_by: ended.map(|end| end.by.clone()),
        ended_because: ended.map(|end| end.why.as_str().to_owned()),
        control: control.map(|variant| variant.version.to_string()).unwrap_or_default(),
        halt: experiment.halting == Halting::Automatic,
        variants: variants.map(|(variant, results)| self::variant(report, variant, results)).collect(),
    }
}

fn variant(report: &Report, variant: &Variant, results: &Results) -> protocol::Variant {
    let halted = variant.halted.as_ref();
    let state = match (halted, results.not_allowed.is_empty()) {
        (Some(_), _) => "halted",
        (None, false) => "not_allowed",
        (None, true) => "running",
    };
    let why = halted.map(|halt| report.experiment.told(&halt.verdict));
    let tally = &results.tally;
    protocol::Variant {
        version: variant.version.to_string(),
        digest: variant.digest.to_string(),
        share: variant.share,
        state: state.to_owned(),
        reasons: why.into_iter().chain(results.not_allowed.iter().cloned()).collect(),
        halted_at: halted.map(|halt| halt.at.to_string()),
        tasks: tally.assigned,
        in_flight: tally.in_flight(),
        succeeded: tally.succeeded,
        failed: tally.failed,
        cancelled: tally.cancelled,
        success_rate: results.success_rate.map(estimate),
        success_sequence: results.success_sequence.map(interval),
        cost_usd: results.cost_usd.map(estimate),
        latency_ms: results.latency_ms.map(estimate),
        latency_p50_ms: results.latency_p50_ms.map(rounded),
        latency_p95_ms: results.latency_p95_ms.map(rounded),
        judged: tally.feedback_per_mille.count,
        feedback: results.feedback.map(estimate),
        feedback_sequence: results.feedback_sequence.map(interval),
    }
}

fn estimate(estimate: Estimate) -> protocol::Estimate {
    let end = |end: fn(Interval) -> f64| estimate.interval.map(|interval| rounded(end(interval)));
    let (low, high) = (end(|interval| interval.low), end(|interval| interval.high));
    protocol::Estimate { value: rounded(estimate.value), low, high }
}

fn interval(interval: Interval) -> protocol::Interval {
    protocol::Interval { low: rounded(interval.low), high: rounded(interval.high) }
}

fn rounded(value: f64) -> f64 {
    let unit = 10_f64.powi(DIGITS);
    (value * unit).round() / unit
}
