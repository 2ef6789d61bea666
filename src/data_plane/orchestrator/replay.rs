//! Whether a task's records are a story of its plan. Pure.

use crate::control_plane::template::plan::{Plan, PlanStep, Work};
use crate::journal::record::StepKind;
use crate::journal::state::Task;

/// What does not fit, if anything: a unit that the plan does not have, of another kind, or with another subtask, tool or signal.
#[must_use]
pub fn divergence(task: &Task, plan: &Plan) -> Option<String> {
    let of_steps = task.steps.iter().find_map(|step| {
        let why = misfit(task, plan, &step.kind)?;
        Some(format!("step {} is {why}", step.number))
    });
    let skipped = || task.skipped.iter().find(|name| planned(plan, name).is_none());
    of_steps.or_else(|| skipped().map(|name| format!("{name} was skipped, and the plan has no such step")))
}

fn misfit(task: &Task, plan: &Plan, kind: &StepKind) -> Option<String> {
    let Some(name) = kind.name() else { return Some("a model's call, which no plan makes".to_owned()) };
    let Some(step) = planned(plan, name) else { return Some(format!("{name}, which the plan does not have")) };
    let fits = match (&step.work, kind) {
        (Work::Delegate(_), StepKind::Delegate { child, .. }) => *child == task.order.task.child(name),
        (Work::Tool(planned), StepKind::Tool { tool, .. }) => planned == tool,
        (Work::Tool(planned), StepKind::Approval { release: Some(release), .. }) => release.to == planned.as_str(),
        (Work::Signal { name: planned, .. }, StepKind::Signal { signal, .. }) => planned == signal,
        (Work::Wait(_), StepKind::Timer { .. }) | (Work::Approve { .. }, StepKind::Approval { release: None, .. }) => {
            true
        }
        (
            Work::Delegate(_) | Work::Tool(_) | Work::Signal { .. } | Work::Wait(_) | Work::Approve { .. },
            StepKind::Model { .. }
            | StepKind::Delegate { .. }
            | StepKind::Tool { .. }
            | StepKind::Timer { .. }
            | StepKind::Approval { .. }
            | StepKind::Signal { .. },
        ) => false,
    };
    (!fits).then(|| format!("{name}, recorded as a {} that is not the plan's", kind.as_str()))
}

/// The plan's step that a unit's name belongs to: `facts[2]#3` to `facts`, where that is mapped.
fn planned<'a>(plan: &'a Plan, name: &str) -> Option<&'a PlanStep> {
    let unit = match name.split_once('#') {
        Some((unit, attempt)) => attempt.parse::<u32>().ok().filter(|attempt| *attempt > 1).map(|_| unit)?,
        None => name,
    };
    let (id, is_item) = match unit.split_once('[') {
        Some((id, rest)) => rest.strip_suffix(']')?.parse::<u32>().ok().map(|_| (id, true))?,
        None => (unit, false),
    };
    plan.step(id).filter(|step| step.map.is_some() == is_item)
}
