//! The predecessor's routes, kept for its callers: the same as `/factory/agents` and `/factory/tasks` in other words.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

use super::body::{JsonBody, WAIT_MAX, id};
use super::error::{Answer, ApiError};
use super::gate::Caller;
use super::router::Shared;
use super::{agents, tasks};
use crate::control_plane::admission::submission::{Submission, Target};
use crate::protocol::agent::{Agent, CreateAgent, CreateAgentCompat};
use crate::protocol::problem::Problem;
use crate::protocol::task::{ExecuteTask, Task};

/// Creates an agent; `config` may name it, its tenant and its user.
#[utoipa::path(post, path = "/factory/create_agent", tag = "predecessor", request_body = CreateAgentCompat,
    responses((status = 200, body = Agent), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn create_agent(
    rooms: State<Shared>,
    caller: Caller,
    JsonBody(wanted): JsonBody<CreateAgentCompat>,
) -> Answer<Json<Agent>> {
    let (config, template_name) = (wanted.config, wanted.agent_type);
    let wanted = CreateAgent { template_name, name: config.name, tenant: config.tenant, user: config.user };
    agents::create(rooms, caller, JsonBody(wanted)).await
}

/// Runs a task on an agent and waits for its end.
#[utoipa::path(post, path = "/factory/execute_task", tag = "predecessor", request_body = ExecuteTask,
    responses((status = 200, body = Task), (status = 202, description = "it goes on after ten minutes", body = Task),
        (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn execute_task(
    State(rooms): State<Shared>,
    caller: Caller,
    JsonBody(wanted): JsonBody<ExecuteTask>,
) -> Answer<Response> {
    let input = match wanted.task {
        Value::Object(mut fields) if fields.len() == 1 => match fields.remove("input") {
            Some(input) => input,
            None => return Err(ApiError::malformed("task is neither text nor {\"input\": …}")),
        },
        other @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_)) => other,
    };
    let submission = Submission {
        target: Target::Agent(id("agent", &wanted.agent_id)?),
        input: tasks::input(input)?,
        budget: None,
        deadline: None,
        tenant: None,
        user: None,
        metadata: std::collections::BTreeMap::new(),
        idempotency_key: None,
        dialogue: None,
        streamed: false,
    };
    let task = rooms.orchestrator.accept(std::sync::Arc::clone(&caller.0), submission).await?;
    tasks::answer(&rooms, task, WAIT_MAX).await
}
