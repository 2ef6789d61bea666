//! Domain values as wire types.

use serde_json::Value;

use crate::control_plane::template::Signer;
use crate::data_plane::factory::Presence;
use crate::domain::money::Usd;
use crate::domain::usage::Usage;
use crate::journal::agents::AgentRecord;
use crate::journal::policy;
use crate::journal::record::StepKind;
use crate::journal::state::{State, Step, StepStatus, Task};
use crate::protocol::agent::{Agent, AgentState};
use crate::protocol::event::Event;
use crate::protocol::task::{self as wire, TaskError, TaskState, TaskStep, TaskUsage, WaitingFor};
use crate::protocol::template::TemplateSignature;

/// A task with its answer.
pub(super) fn task(task: &Task) -> wire::Task {
    let order = &task.order;
    wire::Task {
        task_id: order.task.to_string(),
        agent_id: order.agent().to_string(),
        template_name: order.template.to_string(),
        template_version: order.version.to_string(),
        template_digest: order.digest.to_string(),
        state: task_state(task.state),
        output: task.output.as_ref().map_or(Value::Null, |output| Value::String(output.expose().to_owned())),
        cost_usd: task.cost().to_string(),
        usage: usage(task.usage()),
        steps: task.steps.iter().map(|known| step(known, &task.skipped)).collect(),
        steps_total: task.totals.started,
        waiting_for: waiting_for(task),
        error: task.fault.as_ref().map(|fault| TaskError { code: fault.code.clone(), message: fault.message.clone() }),
        tenant: order.tenant.to_string(),
        user: order.user.as_ref().map(ToString::to_string),
        parent_id: order.parent().map(|parent| parent.to_string()),
        metadata: order.metadata.clone(),
        feedback: task.feedback_per_mille.map(|score| f64::from(score) / 1_000.0),
        created_at: task.created_at.to_string(),
        finished_at: task.finished_at.map(|at| at.to_string()),
    }
}

/// A task of a list, without its answer and what it asks, which may be long.
pub(super) fn listed(known: &Task) -> wire::Task {
    let whole = task(known);
    let waiting_for = whole.waiting_for.map(|waiting| WaitingFor { question: None, ..waiting });
    wire::Task { output: Value::Null, waiting_for, ..whole }
}

pub(super) fn task_state(state: State) -> TaskState {
    match state {
        State::Queued => TaskState::Queued,
        State::Running => TaskState::Running,
        State::WaitingApproval => TaskState::WaitingApproval,
        State::NeedsAttention => TaskState::NeedsAttention,
        State::Succeeded => TaskState::Succeeded,
        State::Failed => TaskState::Failed,
        State::Cancelled => TaskState::Cancelled,
    }
}

/// What a task waits for a person for: what keeps it from going on at all comes first.
fn waiting_for(task: &Task) -> Option<WaitingFor> {
    if let Some(attention) = &task.attention {
        let step = attention.step.and_then(|number| task.open_step(number));
        return Some(WaitingFor {
            kind: "attention".to_owned(),
            step: attention.step,
            name: step.and_then(|step| step.kind.name()).map(ToOwned::to_owned),
            question: None,
            code: Some(attention.fault.code.clone()),
            message: Some(attention.fault.message.clone()),
            until: None,
        });
    }
    let first = policy::undecided(task).into_iter().next()?;
    let step = task.open_step(first)?;
    let StepKind::Approval { name, question, until, .. } = &step.kind else { return None };
    Some(WaitingFor {
        kind: "approval".to_owned(),
        step: Some(first),
        name: Some(name.clone()),
        question: Some(question.expose().to_owned()),
        code: None,
        message: None,
        until: until.map(|until| until.to_string()),
    })
}

fn usage(usage: Usage) -> TaskUsage {
    TaskUsage {
        input_tokens: usage.input_tokens.count(),
        output_tokens: usage.output_tokens.count(),
        cached_input_tokens: usage.cached_input_tokens.count(),
        reasoning_tokens: usage.reasoning_tokens.count(),
        cache_write_tokens: usage.cache_write_tokens.count(),
    }
}

fn step(step: &Step, skipped: &[String]) -> TaskStep {
    let (name, child) = match &step.kind {
        StepKind::Model { model } => (model.to_string(), None),
        StepKind::Delegate { name, child } => (name.clone(), Some(child.to_string())),
        StepKind::Tool { name, .. }
        | StepKind::Timer { name, .. }
        | StepKind::Approval { name, .. }
        | StepKind::Signal { name, .. } => (name.clone(), None),
    };
    let (state, ended_at, error) = match &step.status {
        StepStatus::Started => ("started", None, None),
        StepStatus::Finished(finished) => ("finished", Some(finished.at), None),
        StepStatus::Failed(failed) => {
            let state = match (failed.in_doubt > Usd::ZERO, skipped.contains(&name)) {
                (true, _) => "in_doubt",
                (false, true) => "skipped",
                (false, false) => "failed",
            };
            (state, Some(failed.at), Some(TaskError { code: failed.code.clone(), message: failed.message.clone() }))
        }
    };
    TaskStep {
        number: step.number,
        kind: step.kind.as_str().to_owned(),
        name,
        state: state.to_owned(),
        task_id: child,
        cost_usd: step.cost().to_string(),
        elapsed_ms: ended_at.map(|at| at.since(step.started_at).as_secs_f64() * 1_000.0),
        error,
    }
}

/// A registered agent.
pub(super) fn agent(agent: &AgentRecord, presence: Presence, restarts: u32) -> Agent {
    let state = match (agent.stopped_at, presence) {
        (Some(_), _) => AgentState::Stopped,
        (None, presence) => agent_state(presence),
    };
    Agent {
        agent_id: agent.agent.to_string(),
        template_name: agent.template.to_string(),
        template_version: agent.version.to_string(),
        name: agent.name.clone(),
        tenant: agent.tenant.to_string(),
        user: agent.user.as_ref().map(ToString::to_string),
        state,
        restarts,
        quarantined: false,
        created_at: agent.created_at.to_string(),
    }
}

/// The agent of one task, which ends with it.
pub(super) fn agent_of_task(task: &Task, presence: Presence) -> Agent {
    let state = if task.state.has_ended() { AgentState::Stopped } else { agent_state(presence) };
    Agent {
        agent_id: task.order.agent().to_string(),
        template_name: task.order.template.to_string(),
        template_version: task.order.version.to_string(),
        name: None,
        tenant: task.order.tenant.to_string(),
        user: task.order.user.as_ref().map(ToString::to_string),
        state,
        restarts: 0,
        quarantined: false,
        created_at: task.created_at.to_string(),
    }
}

fn agent_state(presence: Presence) -> AgentState {
    match presence {
        Presence::Active => AgentState::Active,
        Presence::Idle => AgentState::Idle,
        Presence::Passive => AgentState::Passive,
    }
}

pub(super) fn signature(signer: &Signer) -> TemplateSignature {
    TemplateSignature {
        key_id: signer.key_id.to_string(),
        algorithm: signer.algorithm.to_string(),
        scheme: signer.scheme.to_string(),
    }
}

pub(super) fn event(event: &crate::journal::events::Event) -> Event {
    Event {
        kind: event.kind.to_owned(),
        at: event.at.to_string(),
        task_id: event.task.map(|task| task.to_string()),
        sequence: event.sequence,
        details: event.details.iter().map(|(name, value)| ((*name).to_owned(), Value::String(value.clone()))).collect(),
    }
}

/// A count as a number of JSON.
#[expect(clippy::cast_precision_loss, reason = "averages need no more than 52 bits")]
pub(super) fn to_f64(count: u64) -> f64 {
    count as f64
}
