//! `/factory/tree`.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::body::JsonBody;
use super::error::{Answer, ApiError};
use super::gate::Caller;
use super::router::Shared;
use crate::control_plane::audit::Entry;
use crate::domain::clock::Timestamp;
use crate::protocol::problem::Problem;
use crate::protocol::tree::{ReleaseActor, TreeNode};
use crate::supervision::Node;

/// The longest path of an actor, in bytes.
const PATH_BYTES_MAX: usize = 1_024;

/// Shows the supervision tree.
#[utoipa::path(get, path = "/factory/tree", tag = "tree",
    responses((status = 200, body = TreeNode), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn show(State(rooms): State<Shared>) -> Json<TreeNode> {
    Json(rendered(rooms.root.snapshot().await))
}

/// Ends the quarantine of an actor and starts it.
#[utoipa::path(post, path = "/factory/tree/release", tag = "tree", request_body = ReleaseActor,
    responses((status = 204), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn release(
    State(rooms): State<Shared>,
    caller: Caller,
    JsonBody(wanted): JsonBody<ReleaseActor>,
) -> Answer<StatusCode> {
    if wanted.path.len() > PATH_BYTES_MAX {
        return Err(ApiError::malformed(format!("path is longer than {PATH_BYTES_MAX} bytes")));
    }
    let entry = Entry::allowed(Timestamp::now(), (&*caller.0).into(), "release_actor").on(&wanted.path);
    rooms.audit.record(entry).await?;
    rooms.root.release(&wanted.path).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn rendered(node: Node) -> TreeNode {
    let milliseconds = |elapsed: Duration| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    TreeNode {
        name: node.name.to_string(),
        kind: node.kind.as_str().to_owned(),
        state: node.state.as_str().to_owned(),
        restarts: node.restarts,
        activity: node.activity.map(|activity| activity.as_str().to_owned()),
        mailbox: node.load.map(|load| u64::try_from(load.queued).unwrap_or(u64::MAX)),
        busy_ms: node.load.and_then(|load| load.busy_for).map(milliseconds),
        last_exit: node.last_exit.map(|exit| exit.to_string()),
        strategy: node.strategy.map(|strategy| strategy.as_str().to_owned()),
        children_total: node.children_total.map(|total| u64::try_from(total).unwrap_or(u64::MAX)),
        children: node.children.into_iter().map(rendered).collect(),
    }
}
