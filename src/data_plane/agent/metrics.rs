//! What agents count.

use std::time::Duration;

use metrics::{counter, histogram};

use crate::journal::record::StepKind;
use crate::journal::state::{StepStatus, Task};
use crate::telemetry::metrics::count_cost;

/// Counts a step that has concluded: `elapsed` in all, of which the provider took `provider`.
pub(crate) fn step(task: &Task, number: u32, elapsed: Duration, provider: Option<Duration>) {
    let Some(step) = task.steps.iter().rev().find(|step| step.number == number) else { return };
    let (outcome, usage) = match &step.status {
        StepStatus::Started => return,
        StepStatus::Finished(finished) => ("finished", Some(finished.usage)),
        // What arrived before the answer broke off was read and written all the same.
        StepStatus::Failed(failed) => ("failed", failed.arrived.as_ref().map(|arrived| arrived.usage)),
    };
    counter!("factory_steps_total", "kind" => step.kind.as_str(), "outcome" => outcome).increment(1);
    let StepKind::Model { model } = &step.kind else { return };
    if let Some(provider) = provider {
        histogram!("factory_overhead_seconds").record(elapsed.saturating_sub(provider).as_secs_f64());
    }
    // The model as the route names it: what a provider claims to be would make labels without bound.
    let model = model.to_string();
    let usage = usage.unwrap_or_default();
    for (direction, tokens) in [
        ("input", usage.input_tokens),
        ("output", usage.output_tokens),
        ("cached", usage.cached_input_tokens),
        ("reasoning", usage.reasoning_tokens),
    ] {
        counter!("factory_tokens_total", "direction" => direction, "model" => model.clone()).increment(tokens.count());
    }
    count_cost(&task.order.template.to_string(), &model, step.cost());
}

/// Counts a task that has ended.
pub(crate) fn task(task: &Task) {
    let template = task.order.template.to_string();
    counter!("factory_tasks_total", "template" => template, "state" => task.state.as_str()).increment(1);
    if let Some(finished) = task.finished_at {
        histogram!("factory_task_seconds").record(finished.since(task.created_at).as_secs_f64());
    }
}
