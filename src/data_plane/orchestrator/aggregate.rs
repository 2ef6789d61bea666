//! How the outputs of a plan's steps become the output of its task. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::control_plane::template::plan::{Aggregate, Plan};
use crate::domain::private::Text;
use crate::journal::record::Outcome;
use crate::journal::state::{StepStatus, Task};

/// The outcome of a plan all of whose steps are done or skipped.
pub(super) fn aggregate(task: &Task, plan: &Plan, outputs: &BTreeMap<String, Value>) -> Outcome {
    let leaves = plan.leaves();
    let output = |id: &str| outputs.get(id).cloned().unwrap_or(Value::Null);
    match &plan.aggregate {
        Aggregate::Step(id) => match answered_by(task, id) {
            Some(step) => Outcome::AnsweredByStep { step },
            None => answered(&output(id)),
        },
        Aggregate::Concat => {
            let texts: Vec<String> =
                leaves.iter().map(|step| text(&output(&step.id))).filter(|t| !t.is_empty()).collect();
            Outcome::Answered { output: Text::from(texts.join("\n\n")) }
        }
        Aggregate::Merge => {
            let merged: Map<String, Value> = leaves.iter().map(|step| (step.id.clone(), output(&step.id))).collect();
            answered(&Value::Object(merged))
        }
        Aggregate::Vote => {
            let answers: Vec<String> = leaves.iter().map(|step| text(&output(&step.id))).collect();
            let votes = |answer: &str| answers.iter().filter(|other| same_answer(other, answer)).count();
            // Of answers with equally many votes the earliest is the last in reverse order, which `max_by_key` takes.
            let winner = answers.iter().rev().filter(|answer| !answer.is_empty()).max_by_key(|answer| votes(answer));
            Outcome::Answered { output: winner.map(|answer| Text::from(answer.as_str())).unwrap_or_default() }
        }
    }
}

/// The step record whose output is that of a plan step which is not mapped.
fn answered_by(task: &Task, id: &str) -> Option<u32> {
    let of_step = |name: &str| name == id || name.strip_prefix(id).is_some_and(|rest| rest.starts_with('#'));
    task.steps.iter().rev().find_map(|step| match (&step.kind, &step.status) {
        (kind, StepStatus::Finished(_)) if kind.name().is_some_and(of_step) => Some(step.number),
        _ => None,
    })
}

fn answered(value: &Value) -> Outcome {
    Outcome::Answered { output: Text::from(text(value)) }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// Two answers are one vote if they differ in nothing but case and white space.
fn same_answer(one: &str, other: &str) -> bool {
    let words = |text: &str| text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>();
    words(one) == words(other)
}
