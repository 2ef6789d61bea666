//! A task with the tasks that it delegated, drawn as a tree of costs.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use crate::cli::drawing::{self, Node};
use crate::cli::exit::Error;
use crate::cli::output::{Paint, Tone};
use crate::cli::{run, words};
use crate::client::Client;
use crate::domain::clock::Timestamp;
use crate::domain::failure::{Class, Failure};
use crate::protocol::task::{Task, TaskError, TaskStep};

/// The most subtasks that are fetched; further ones are drawn without what is below them.
const SUBTASKS_MAX: usize = 500;

/// A task and its descendants by identifier.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) task: Task,
    subtasks: HashMap<String, Task>,
}

impl Family {
    /// Without looking for subtasks.
    pub(super) fn alone(task: Task) -> Self {
        Self { task, subtasks: HashMap::new() }
    }

    /// With every subtask that it names, level by level. One that was never submitted, or that was deleted since, is left out:
    /// its step says what became of it.
    pub(super) async fn gather(client: &Client, task: Task) -> Result<Self, Error> {
        let mut family = Self::alone(task);
        let mut wanted = delegated(&family.task);
        while let Some(id) = wanted.pop() {
            if family.subtasks.len() >= SUBTASKS_MAX {
                break;
            }
            if let Entry::Vacant(place) = family.subtasks.entry(id) {
                match client.task(place.key(), Duration::ZERO).await {
                    Ok(subtask) => {
                        wanted.extend(delegated(&subtask));
                        let _subtask = place.insert(subtask);
                    }
                    Err(missing) if missing.class() == Class::NotFound => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(family)
    }

    /// How it went, the tree of steps, and the answer.
    pub(super) fn render(&self, now: Timestamp, paint: Paint) -> String {
        let root = Node {
            name: format!("{} {}", self.task.template_name, self.task.template_version),
            cells: self.task_cells(&self.task, now),
            children: self.steps(&self.task, now, 0),
        };
        let mut text = format!("{}\n\n{}", run::summary(&self.task, now, paint), drawing::draw(&root, paint));
        let answer = run::answer(&self.task);
        if !answer.is_empty() {
            text.push('\n');
            text.push_str(&answer);
        }
        text
    }

    /// The nodes of a task's steps. A task cannot be its own ancestor, but an answer could say so: the depth is bounded by the
    /// number of known tasks.
    fn steps(&self, task: &Task, now: Timestamp, depth: usize) -> Vec<Node> {
        if depth > self.subtasks.len() {
            return Vec::new();
        }
        let step_node = |step: &TaskStep| {
            let subtask = step.task_id.as_ref().and_then(|id| self.subtasks.get(id));
            match subtask {
                Some(subtask) => Node {
                    name: format!("{} → {} {}", step.name, subtask.template_name, subtask.template_version),
                    cells: self.task_cells(subtask, now),
                    children: self.steps(subtask, now, depth.saturating_add(1)),
                },
                None => Node {
                    name: step.name.clone(),
                    cells: cells(
                        (words::tone_of(&step.state), &step.state),
                        &step.cost_usd,
                        words::milliseconds(step.elapsed_ms),
                        step.error.as_ref(),
                    ),
                    children: Vec::new(),
                },
            }
        };
        task.steps.iter().map(step_node).collect()
    }

    fn task_cells(&self, task: &Task, now: Timestamp) -> Vec<(Tone, String)> {
        let time = words::task_duration(task, now).map_or_else(|| "-".into(), words::duration);
        cells(words::task_state(task.state), &task.cost_usd, time, task.error.as_ref())
    }
}

fn cells(state: (Tone, &str), cost_usd: &str, time: String, error: Option<&TaskError>) -> Vec<(Tone, String)> {
    let why = error.map(|error| error.code.clone()).unwrap_or_default();
    vec![(state.0, state.1.to_owned()), (Tone::Plain, words::usd(cost_usd)), (Tone::Faint, time), (Tone::Bad, why)]
}

/// The tasks that a task names as delegated.
fn delegated(task: &Task) -> Vec<String> {
    task.steps.iter().filter_map(|step| step.task_id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn task(id: &str, template: &str, steps: serde_json::Value) -> Task {
        serde_json::from_value(json!({
            "task_id": id, "agent_id": "a", "template_name": template, "template_version": "1.0.0", "template_digest": "d",
            "state": "succeeded", "output": "Done.", "cost_usd": "0.03", "usage": {"input_tokens": 1, "output_tokens": 1},
            "steps": steps, "tenant": "default",
            "created_at": "2026-11-20T10:00:00Z", "finished_at": "2026-11-20T10:00:01.500Z"
        }))
        .expect("a task")
    }

    fn delegate(name: &str, id: &str) -> serde_json::Value {
        json!({"number": 0, "kind": "delegate", "name": name, "state": "finished", "task_id": id, "cost_usd": "0.01"})
    }

    #[test]
    fn costs_of_subtasks_are_drawn_below_their_step() {
        let model = json!([{"number": 0, "kind": "model", "name": "builtin/extractive", "state": "failed", "cost_usd": "0.00",
            "elapsed_ms": 12.0, "error": {"code": "provider_timeout", "message": "…"}}]);
        let boss = task("t0", "boss", json!([delegate("facts", "t1"), delegate("gone", "t9")]));
        let mut family = Family::alone(boss);
        family.subtasks.insert("t1".into(), task("t1", "analyst", model));
        let want = "\
succeeded · 1.5 s · $0.03 · 2 steps · t0

boss 1.0.0                succeeded  $0.03  1.5 s
├─ facts → analyst 1.0.0  succeeded  $0.03  1.5 s
│  └─ builtin/extractive  failed     $0.00  12 ms  provider_timeout
└─ gone                   finished   $0.01  -

Done.";
        assert_eq!(family.render(Timestamp::now(), Paint::Plain), want);
    }

    #[test]
    fn tasks_that_name_each_other_do_not_recurse_for_ever() {
        let mut family = Family::alone(task("t0", "boss", json!([delegate("a", "t1")])));
        family.subtasks.insert("t1".into(), task("t1", "boss", json!([delegate("a", "t1")])));
        assert!(family.render(Timestamp::now(), Paint::Plain).lines().count() < 10);
    }
}
