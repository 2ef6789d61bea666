//! `/factory/policy`.

use axum::Json;
use axum::extract::State;

use super::router::Shared;
use crate::protocol::policy::Policy;
use crate::protocol::problem::Problem;

/// Shows the policy in force.
#[utoipa::path(get, path = "/factory/policy", tag = "policy",
    responses((status = 200, body = Policy), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn show(State(rooms): State<Shared>) -> Json<Policy> {
    let in_force = rooms.policies.in_force();
    let policy = &in_force.policy;
    Json(Policy {
        digest: policy.digest().to_string(),
        status: in_force.status.as_str().to_owned(),
        since: in_force.since.to_string(),
        files: policy.source().names().map(str::to_owned).collect(),
        reasons: in_force.reasons.clone(),
        grants: policy.grants().tools().map(|(tool, patterns)| (tool.to_string(), patterns.to_vec())).collect(),
        judges_use: policy.judges_use(),
    })
}
