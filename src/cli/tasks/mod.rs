//! `factoryctl tasks`: list, show, follow, cancel, decide, retry, signal, judge.

use std::time::Duration;

use clap::{Args, Subcommand};

use self::family::Family;
use super::agents::Paging;
use super::events;
use super::exit::{Error, Exit};
use super::output::Paint;
use super::run;
use super::session::Session;
use super::table::{Table, plain};
use super::words;
use crate::domain::clock::Timestamp;
use crate::protocol::task::{Feedback, Task, TaskState};

mod decisions;
mod family;

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Tasks {
    /// Lists tasks.
    #[command(
        after_help = "Examples:\n  factoryctl tasks ls --state needs_attention\n  factoryctl tasks ls --state failed --json | jq -r '.items[].task_id'"
    )]
    Ls(List),
    /// Shows a task: its steps, what each cost, those of its subtasks, and the answer.
    #[command(after_help = "Example:\n  factoryctl tasks show task-0193…")]
    Show {
        /// The task's identifier.
        id: String,
    },
    /// Shows a task's journal.
    #[command(after_help = "Example:\n  factoryctl tasks events task-0193… -f")]
    Events {
        /// The task's identifier.
        id: String,
        /// Goes on until the task has ended.
        #[arg(long, short)]
        follow: bool,
    },
    /// Cancels a task and what it delegated.
    #[command(after_help = "Example:\n  factoryctl tasks cancel task-0193…")]
    Cancel {
        /// The task's identifier.
        id: String,
    },
    /// Approves what a task waits for a person for; a step whose call is in doubt counts as done.
    #[command(after_help = "Example:\n  factoryctl tasks approve task-0193… --comment 'read it, it is fine'")]
    Approve(decisions::Decide),
    /// Rejects it; the step counts as failed.
    #[command(after_help = "Example:\n  factoryctl tasks reject task-0193… --step 3 --comment 'wrong figures'")]
    Reject(decisions::Decide),
    /// Has a task that failed, or that needs attention, go on. What it finished is not done again.
    #[command(after_help = "Example:\n  factoryctl tasks retry task-0193…")]
    Retry {
        /// The task's identifier.
        id: String,
    },
    /// Sends a task a signal that its plan waits for.
    #[command(after_help = decisions::SIGNAL_EXAMPLES)]
    Signal(decisions::Send),
    /// Says how good a task's answer was.
    #[command(after_help = "Example:\n  factoryctl tasks feedback task-0193… 0.8 --comment 'missed the second table'")]
    Feedback {
        /// The task's identifier.
        id: String,
        /// From 0 (useless) to 1 (perfect).
        #[arg(value_parser = score)]
        score: f64,
        /// In words.
        #[arg(long, value_name = "TEXT")]
        comment: Option<String>,
    },
}

/// Which tasks to show.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Shows only those in this state, such as failed or needs_attention.
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Option<TaskState>,
    #[command(flatten)]
    paging: Paging,
}

/// The states, in the order in which a task may pass them.
const STATES: [TaskState; 7] = [
    TaskState::Queued,
    TaskState::Running,
    TaskState::WaitingApproval,
    TaskState::NeedsAttention,
    TaskState::Succeeded,
    TaskState::Failed,
    TaskState::Cancelled,
];

fn state(text: &str) -> Result<TaskState, String> {
    let words = STATES.map(|state| words::task_state(state).1);
    let found = STATES.into_iter().zip(words).find(|(_, word)| *word == text);
    found.map(|(state, _)| state).ok_or_else(|| format!("one of {}", words.join(", ")))
}

fn score(text: &str) -> Result<f64, String> {
    let score = text.parse().ok().filter(|score| (0.0..=1.0).contains(score));
    score.ok_or_else(|| "a number from 0 to 1".into())
}

impl Tasks {
    pub(super) async fn perform(self, session: &Session) -> Result<Exit, Error> {
        let Session { client, output } = session;
        match self {
            Self::Ls(List { state, paging }) => {
                let (limit, after) = (Some(paging.limit), paging.after.as_deref());
                let page = match state {
                    Some(state) => client.tasks_in(state, limit, after).await?,
                    None => client.tasks(limit, after).await?,
                };
                output.show(&page, |paint| list(&page.items, state, Timestamp::now(), paint))?;
                Paging::remark_next(session, page.next.as_deref());
            }
            Self::Show { id } => show(session, &id).await?,
            Self::Events { id, follow: true } => {
                let mut listening = client.follow_task(&id).await?;
                events::show_all(session, &mut listening).await?;
            }
            Self::Events { id, follow: false } => {
                let page = client.task_events(&id).await?;
                output.show(&page, |paint| {
                    let lines: Vec<String> = page.items.iter().map(|event| events::line(event, paint)).collect();
                    lines.join("\n")
                })?;
            }
            Self::Cancel { id } => {
                let task = client.cancel(&id).await?;
                output.show(&task, |paint| run::summary(&task, Timestamp::now(), paint))?;
            }
            Self::Approve(decide) => decide.approve(session).await?,
            Self::Reject(decide) => decide.reject(session).await?,
            Self::Retry { id } => decisions::retry(session, &id).await?,
            Self::Signal(send) => send.perform(session).await?,
            Self::Feedback { id, score, comment } => {
                let task = client.feedback(&id, &Feedback { score, comment }).await?;
                output.show(&task, |_| format!("{id} is judged {score}"))?;
            }
        }
        Ok(Exit::Done)
    }
}

/// JSON shows the task as it is; people see its subtasks as well.
async fn show(session: &Session, id: &str) -> Result<(), Error> {
    let task = session.client.task(id, Duration::ZERO).await?;
    let family = match session.output.form() {
        super::output::Form::Json => Family::alone(task),
        super::output::Form::Human => Family::gather(&session.client, task).await?,
    };
    session.output.show(&family.task, |paint| family.render(Timestamp::now(), paint))
}

fn list(tasks: &[Task], wanted: Option<TaskState>, now: Timestamp, paint: Paint) -> String {
    let mut table = Table::new(paint, &["TASK", "STATE", "TEMPLATE", "COST", "STEPS", "TIME", "CREATED"]);
    for task in tasks {
        let (tone, state) = words::task_state(task.state);
        table.row([
            plain(&task.task_id),
            (tone, state.into()),
            plain(format!("{} {}", task.template_name, task.template_version)),
            plain(words::usd(&task.cost_usd)),
            plain(task.steps_total.to_string()),
            plain(words::task_duration(task, now).map_or_else(|| "-".into(), words::duration)),
            plain(words::time(&task.created_at)),
        ]);
    }
    match wanted {
        Some(state) => table.render(&format!("no task is {} here", words::task_state(state).1)),
        None => table.render("no tasks; begin with `factoryctl run TEMPLATE TEXT`"),
    }
}
