//! `/health`, `/ready`, `/metrics` and `/factory/metrics`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::error::{Answer, RETRY_AFTER_DEFAULT, seconds};
use super::render;
use super::router::Shared;
use crate::domain::clock::Timestamp;
use crate::domain::money::Usd;
use crate::journal::state::State as Standing;
use crate::journal::{agents, stats};
use crate::protocol::problem::Problem;
use crate::protocol::status::{Health, Metrics, Ready};
use crate::telemetry::names;

/// The media type of the Prometheus text format, version 0.0.4.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Says whether the daemon is well.
#[utoipa::path(get, path = "/health", tag = "status",
    responses((status = 200, body = Health), (status = "4XX", body = Problem)))]
pub(super) async fn health(State(rooms): State<Shared>) -> Json<Health> {
    let codes: Vec<_> = rooms.audit.damage().iter().map(|damage| damage.code.to_owned()).collect();
    let well = (rooms.readiness)().is_empty() && rooms.journal.unreadable().is_empty() && codes.is_empty();
    Json(Health {
        status: if well { "healthy" } else { "degraded" }.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_seconds: Timestamp::now().since(rooms.started_at).as_secs_f64(),
        codes,
    })
}

/// Says whether requests are served.
#[utoipa::path(get, path = "/ready", tag = "status",
    responses((status = 200, body = Ready), (status = 503, body = Ready), (status = "4XX", body = Problem)))]
pub(super) async fn ready(State(rooms): State<Shared>) -> Response {
    let reasons = (rooms.readiness)();
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut response = (status, Json(Ready { ready: reasons.is_empty(), reasons })).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, seconds(RETRY_AFTER_DEFAULT));
    }
    response
}

/// Gives all metrics in the Prometheus text format.
#[utoipa::path(get, path = "/metrics", tag = "status",
    responses((status = 200, content_type = "text/plain", body = String), (status = "4XX", body = Problem),
        (status = "5XX", body = Problem)))]
pub(super) async fn prometheus(State(rooms): State<Shared>) -> Response {
    rooms.factory.count();
    // Mailbox depths are gauged as the tree is looked at.
    let _tree = rooms.root.snapshot().await;
    ([(header::CONTENT_TYPE, PROMETHEUS_TEXT)], rooms.metrics.render()).into_response()
}

/// Sums the daemon up.
#[utoipa::path(get, path = "/factory/metrics", tag = "status",
    responses((status = 200, body = Metrics), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn metrics(State(rooms): State<Shared>) -> Answer<Json<Metrics>> {
    let (_, counters) = rooms.journal.store().counters(stats::PREFIX).await.map_err(crate::journal::Error::from)?;
    let counters: BTreeMap<Vec<u8>, i64> = counters.into_iter().collect();
    let count = |key: &[u8]| u64::try_from(counters.get(key).copied().unwrap_or(0)).unwrap_or(0);
    let (succeeded, failed, cancelled) = (count(stats::SUCCEEDED), count(stats::FAILED), count(stats::CANCELLED));
    let mut tasks: BTreeMap<String, u64> =
        [Standing::Queued, Standing::Running, Standing::WaitingApproval, Standing::NeedsAttention]
            .iter()
            .map(|state| (state.as_str().to_owned(), 0))
            .chain([
                ("succeeded".to_owned(), succeeded),
                ("failed".to_owned(), failed),
                ("cancelled".to_owned(), cancelled),
            ])
            .collect();
    for open in rooms.journal.open_tasks() {
        let known = tasks.entry(open.state.as_str().to_owned()).or_default();
        *known = known.saturating_add(1);
    }
    let cost = Usd::from_nanos(counters.get(stats::COST_NANOS).copied().unwrap_or(0)).as_f64();
    let registered = count(agents::CREATED_COUNTER).saturating_sub(count(agents::STOPPED_COUNTER));
    let agents_ever = count(agents::CREATED_COUNTER).saturating_add(count(stats::OWN_AGENTS));
    let active = rooms.factory.census().at_work;
    let counted = rooms.metrics.read();
    let recalled = |outcome| counted.sum(names::RESULT_CACHE_REQUESTS_TOTAL, &[("outcome", outcome)]);
    let (hits, misses) = (recalled("hit"), recalled("miss"));
    Ok(Json(Metrics {
        templates_loaded: u64::try_from(rooms.templates.templates_loaded()).unwrap_or(u64::MAX),
        cache_hit_rate: Some(rooms.templates.cache_hit_rate()),
        creation_time_p95: counted.quantile(names::AGENT_CREATION_SECONDS, 0.95),
        result_cache_hit_rate: (hits + misses > 0.0).then(|| hits / (hits + misses)),
        active_agents: u64::try_from(active).unwrap_or(u64::MAX),
        registered_agents: registered,
        tasks,
        cost_per_task: mean(cost, count(stats::WHOLE_TASKS)),
        cost_per_agent: mean(cost, agents_ever),
        success_rate: mean(render::to_f64(succeeded), succeeded.saturating_add(failed)),
        satisfaction: mean(
            render::to_f64(count(stats::FEEDBACK_SUM_PER_MILLE)) / 1_000.0,
            count(stats::FEEDBACK_COUNT),
        ),
    }))
}

/// The mean of what sums to `sum`; of nothing there is none.
fn mean(sum: f64, count: u64) -> Option<f64> {
    (count > 0).then(|| sum / render::to_f64(count))
}
