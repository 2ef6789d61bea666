//! `/factory/agents`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::body::{JsonBody, PageQuery, Parameters, Segment, id, parse, parse_some};
use super::error::{Answer, ApiError};
use super::gate::Caller;
use super::render;
use super::router::Shared;
use crate::control_plane::admission::NewAgent;
use crate::control_plane::audit::Entry;
use crate::data_plane::factory;
use crate::domain::clock::Timestamp;
use crate::domain::id::AgentId;
use crate::journal::agents::AgentRecord;
use crate::protocol::agent::{Agent, CreateAgent};
use crate::protocol::page::Page;
use crate::protocol::problem::Problem;

/// The longest name of an agent, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// Creates an agent.
#[utoipa::path(post, path = "/factory/agents", tag = "agents", request_body = CreateAgent,
    responses((status = 200, body = Agent), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn create(
    State(rooms): State<Shared>,
    caller: Caller,
    JsonBody(wanted): JsonBody<CreateAgent>,
) -> Answer<Json<Agent>> {
    if wanted.name.as_ref().is_some_and(|name| name.len() > NAME_BYTES_MAX) {
        return Err(ApiError::malformed(format!("name is longer than {NAME_BYTES_MAX} bytes")));
    }
    let wanted = NewAgent {
        template: parse("template_name", &wanted.template_name)?,
        name: wanted.name,
        tenant: parse_some("tenant", wanted.tenant.as_ref())?,
        user: parse_some("user", wanted.user.as_ref())?,
    };
    let (agent, with, _standing) = rooms.admission.admit_agent(&caller.0, wanted, Timestamp::now()).await?;
    rooms.factory.create(&agent, with).await?;
    Ok(Json(rendered(&rooms, &agent)))
}

/// Lists registered agents, the newest first.
#[utoipa::path(get, path = "/factory/agents", tag = "agents", params(PageQuery),
    responses((status = 200, body = Page<Agent>), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn list(
    State(rooms): State<Shared>,
    caller: Caller,
    Parameters(page): Parameters<PageQuery>,
) -> Answer<Json<Page<Agent>>> {
    let owned = move |agent: &AgentRecord| caller.owns(&agent.tenant);
    let found = rooms.journal.agents().list(page.after()?, page.limit()?, owned).await?;
    let items = found.agents.iter().map(|agent| rendered(&rooms, agent)).collect();
    Ok(Json(Page { items, next: found.next.map(|next| next.to_string()) }))
}

/// Shows an agent.
#[utoipa::path(get, path = "/factory/agents/{id}", tag = "agents", params(("id" = String, Path)),
    responses((status = 200, body = Agent), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn show(State(rooms): State<Shared>, caller: Caller, Segment(agent): Segment) -> Answer<Json<Agent>> {
    let id: AgentId = id("agent", &agent)?;
    if let Some(agent) = rooms.journal.agents().find(id).await?.filter(|agent| caller.owns(&agent.tenant)) {
        return Ok(Json(rendered(&rooms, &agent)));
    }
    let task = rooms.journal.task(id.own_task()).await?.filter(|task| caller.owns(&task.order.tenant));
    let task = task.ok_or_else(|| ApiError::not_found("agent"))?;
    Ok(Json(render::agent_of_task(&task, rooms.factory.presence(id))))
}

/// Stops an agent for good. Its tasks and its memory stay on record.
#[utoipa::path(delete, path = "/factory/agents/{id}", tag = "agents", params(("id" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn stop(State(rooms): State<Shared>, caller: Caller, Segment(agent): Segment) -> Answer<StatusCode> {
    let id: AgentId = id("agent", &agent)?;
    let agent = rooms.journal.agents().find(id).await?.filter(|agent| caller.owns(&agent.tenant));
    let agent = agent.ok_or_else(|| ApiError::not_found("agent"))?;
    let now = Timestamp::now();
    let entry = Entry::allowed(now, (&*caller.0).into(), "stop_agent").on(id);
    rooms.factory.stop(&agent, now, rooms.audit.batch(entry)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends an agent's quarantine; its open tasks go on.
#[utoipa::path(post, path = "/factory/agents/{id}/release", tag = "agents", params(("id" = String, Path)),
    responses((status = 200, body = Agent), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn release(
    State(rooms): State<Shared>,
    caller: Caller,
    Segment(agent): Segment,
) -> Answer<Json<Agent>> {
    let id: AgentId = id("agent", &agent)?;
    let agent = rooms.journal.agents().find(id).await?.filter(|agent| caller.owns(&agent.tenant));
    let agent = agent.ok_or_else(|| ApiError::not_found("agent"))?;
    if !rooms.factory.is_quarantined(id) {
        return Err(factory::Error::NotQuarantined(id).into());
    }
    let entry = Entry::allowed(Timestamp::now(), (&*caller.0).into(), "release_agent").on(id);
    rooms.audit.record(entry).await?;
    rooms.factory.release(id);
    rooms.orchestrator.sweep_later();
    Ok(Json(rendered(&rooms, &agent)))
}

pub(super) fn rendered(rooms: &Shared, agent: &AgentRecord) -> Agent {
    let factory = &rooms.factory;
    let known = render::agent(agent, factory.presence(agent.agent), factory.restarts(agent.agent));
    Agent { quarantined: factory.is_quarantined(agent.agent), ..known }
}
