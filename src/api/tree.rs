//! `/factory/tree`.

use axum::Json;
use axum::extract::State;

use super::router::Shared;
use crate::protocol::problem::Problem;
use crate::protocol::tree::TreeNode;
use crate::supervision::Node;

/// Shows the supervision tree.
#[utoipa::path(get, path = "/factory/tree", tag = "tree",
    responses((status = 200, body = TreeNode), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn show(State(rooms): State<Shared>) -> Json<TreeNode> {
    Json(rendered(rooms.root.snapshot().await))
}

fn rendered(node: Node) -> TreeNode {
    TreeNode {
        name: node.name.to_string(),
        kind: node.kind.as_str().to_owned(),
        state: node.state.as_str().to_owned(),
        restarts: node.restarts,
        last_exit: node.last_exit.map(|exit| exit.to_string()),
        strategy: node.strategy.map(|strategy| strategy.as_str().to_owned()),
        children_total: node.children_total.map(|total| u64::try_from(total).unwrap_or(u64::MAX)),
        children: node.children.into_iter().map(rendered).collect(),
    }
}
