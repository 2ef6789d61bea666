//! `/factory/chaos/kill`: faults on request, where the settings allow it.

use axum::Json;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::StatusCode;

use super::body::{self, JsonBody};
use super::error::{Answer, ApiError};
use super::gate::Caller;
use super::router::{self, Shared};
use super::tree;
use crate::control_plane::audit::Entry;
use crate::domain::clock::Timestamp;
use crate::domain::failure::Class;
use crate::protocol::chaos::KillActor;
use crate::protocol::problem::Problem;
use crate::protocol::tree::TreeNode;
use crate::supervision::ChildId;

/// Kills an actor, as a crash would. There is no such route unless `chaos.enabled` says so.
#[utoipa::path(post, path = "/factory/chaos/kill", tag = "tree", request_body = KillActor,
    responses((status = 204, description = "it is killed; its supervisor does the rest"),
        (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn kill(State(rooms): State<Shared>, caller: Caller, request: Request) -> Answer<StatusCode> {
    if !rooms.chaos {
        body::discard(request).await;
        return Err(router::not_served());
    }
    let JsonBody(wanted) = JsonBody::<KillActor>::from_request(request, &rooms).await?;
    let Json(root) = tree::show(State(rooms.clone())).await;
    let unknown = || ApiError::new(Class::NotFound, "child_unknown", "no actor below the root has this path");
    let path = path_to(&root, &wanted.path).ok_or_else(unknown)?;
    let entry = Entry::allowed(Timestamp::now(), (&*caller.0).into(), "kill_actor").on(&wanted.path);
    rooms.audit.record(entry).await?;
    rooms.root.kill(&path).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The children from the root down to the actor that a path names, such as `root/core/data/dlp/dlp/0`. Names may hold slashes
/// themselves, so the tree decides where one ends. The root itself cannot be named: nobody would start it again.
fn path_to(node: &TreeNode, path: &str) -> Option<Vec<ChildId>> {
    let below = path.strip_prefix(&node.name)?.strip_prefix('/')?;
    node.children.iter().find_map(|child| {
        let rest = if below == child.name { Some(Vec::new()) } else { path_to(child, below) };
        rest.map(|rest| std::iter::once(ChildId::from(child.name.as_str())).chain(rest).collect())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn node(name: &str, children: &[Value]) -> Value {
        json!({"name": name, "kind": "worker", "state": "running", "restarts": 0, "children": children})
    }

    #[test]
    fn a_path_is_followed_by_the_names_that_are_there() {
        let agents = node("agents", &[node("agents/1", &[node("a#1", &[])]), node("agents", &[])]);
        let dlp = node("dlp", &[node("dlp/0", &[]), node("dlp/01", &[])]);
        let root = node("root", &[node("core", &[agents, dlp])]);
        let root: TreeNode = serde_json::from_value(root).expect("a tree");
        for (path, expected) in [
            ("root/core", Some(vec!["core"])),
            ("root/core/dlp", Some(vec!["core", "dlp"])),
            ("root/core/dlp/dlp/0", Some(vec!["core", "dlp", "dlp/0"])),
            ("root/core/dlp/dlp/01", Some(vec!["core", "dlp", "dlp/01"])),
            ("root/core/agents/agents", Some(vec!["core", "agents", "agents"])),
            ("root/core/agents/agents/1/a#1", Some(vec!["core", "agents", "agents/1", "a#1"])),
            ("root", None),
            ("root/", None),
            ("core", None),
            ("root/core/", None),
            ("root/core/dlp/dlp/2", None),
            ("root/core/dlp/0", None),
            ("", None),
        ] {
            let expected = expected.map(|names| names.into_iter().map(ChildId::from).collect::<Vec<_>>());
            assert_eq!(path_to(&root, path), expected, "{path}");
        }
    }
}
