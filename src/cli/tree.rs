//! `factoryctl tree`: the daemon's actors, and the release of one from quarantine.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::drawing::{self, Node};
use super::exit::{Error, Exit};
use super::output::{Paint, Tone};
use super::session::Session;
use super::words;
use crate::protocol::tree::TreeNode;

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Tree {
    #[command(subcommand)]
    verb: Option<Change>,
}

/// What can be done about an actor.
#[derive(Debug, Subcommand)]
pub(super) enum Change {
    /// Ends the quarantine of an actor that failed too often, and starts it.
    #[command(after_help = "Example:\n  factoryctl tree release root/core/data/dlp/dlp/0")]
    Release {
        /// Where it is in the tree, names parted by slashes.
        path: String,
    },
}

impl Tree {
    pub(super) async fn perform(self, session: &Session) -> Result<Exit, Error> {
        let Session { client, output } = session;
        match self.verb {
            None => {
                let tree = client.tree().await?;
                output.show(&tree, |paint| render(&tree, paint))?;
            }
            Some(Change::Release { path }) => {
                client.release_actor(&path).await?;
                output.show(&json!({"path": path, "released": true}), |_| format!("{path} is released"))?;
            }
        }
        Ok(Exit::Done)
    }
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
        activity(actor),
        (Tone::Faint, actor.mailbox.filter(|&n| n > 0).map(|n| format!("{n} waiting")).unwrap_or_default()),
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

/// What it is doing, and for how long.
fn activity(actor: &TreeNode) -> (Tone, String) {
    let Some(word) = &actor.activity else { return (Tone::Plain, String::new()) };
    let tone = if word == "stuck" { Tone::Bad } else { Tone::Faint };
    match actor.busy_ms {
        Some(ms) => (tone, format!("{word} {}", words::duration(Duration::from_millis(ms)))),
        None => (tone, word.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_their_reason_what_is_done_and_unlisted_children_show() {
        let tree: TreeNode = serde_json::from_value(serde_json::json!({
            "name": "root", "kind": "supervisor", "state": "running", "restarts": 0, "strategy": "one_for_one",
            "children": [
                {"name": "dlp", "kind": "worker", "state": "restarting", "restarts": 2, "last_exit": "panic"},
                {"name": "api", "kind": "worker", "state": "running", "restarts": 0, "activity": "idle", "mailbox": 0},
                {"name": "audit", "kind": "worker", "state": "running", "restarts": 0, "activity": "stuck",
                    "mailbox": 7, "busy_ms": 31_000}
            ],
            "children_total": 8
        }))
        .expect("a tree");
        let want = "\
root         running                              one_for_one
├─ dlp       restarting                                        2 restarts  last exit: panic
├─ api       running     idle
├─ audit     running     stuck 31.0 s  7 waiting
└─ … 5 more
";
        assert_eq!(render(&tree, Paint::Plain), want);
    }
}
