//! `factoryctl tree`: the daemon's actors.

use super::drawing::{self, Node};
use super::exit::{Error, Exit};
use super::output::{Paint, Tone};
use super::session::Session;
use super::words;
use crate::protocol::tree::TreeNode;

pub(super) async fn perform(session: &Session) -> Result<Exit, Error> {
    let tree = session.client.tree().await?;
    session.output.show(&tree, |paint| render(&tree, paint))?;
    Ok(Exit::Done)
}

/// The tree of actors, one a line.
pub(super) fn render(tree: &TreeNode, paint: Paint) -> String {
    drawing::draw(&node(tree), paint)
}

fn node(actor: &TreeNode) -> Node {
    let restarts = match actor.restarts {
        0 => (Tone::Plain, String::new()),
        n => (Tone::Warning, words::count(usize::try_from(n).unwrap_or(usize::MAX), "restart")),
    };
    let exit = actor.last_exit.as_ref().map(|why| format!("last exit: {}", why.escape_debug()));
    let cells = vec![
        (words::tone_of(&actor.state), actor.state.clone()),
        (Tone::Faint, actor.strategy.clone().unwrap_or_default()),
        restarts,
        (Tone::Faint, exit.unwrap_or_default()),
    ];
    let mut children: Vec<Node> = actor.children.iter().map(node).collect();
    let shown = u64::try_from(actor.children.len()).unwrap_or(u64::MAX);
    let hidden = actor.children_total.unwrap_or(shown).saturating_sub(shown);
    if hidden > 0 {
        children.push(Node { name: format!("… {hidden} more"), ..Node::default() });
    }
    Node { name: actor.name.clone(), cells, children }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_their_reason_and_unlisted_children_show() {
        let tree: TreeNode = serde_json::from_value(serde_json::json!({
            "name": "root", "kind": "supervisor", "state": "running", "restarts": 0, "strategy": "one_for_one",
            "children": [{"name": "dlp", "kind": "worker", "state": "restarting", "restarts": 2, "last_exit": "panic"}],
            "children_total": 8
        }))
        .expect("a tree");
        let want = "\
root         running     one_for_one
├─ dlp       restarting               2 restarts  last exit: panic
└─ … 7 more
";
        assert_eq!(render(&tree, Paint::Plain), want);
    }
}
