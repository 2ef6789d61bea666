//! `factoryctl tasks`: list, show, follow, cancel, judge.

use std::time::Duration;

use clap::Subcommand;

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
use crate::protocol::task::{Feedback, Task};

mod family;

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Tasks {
    /// Lists tasks.
    #[command(
        after_help = "Example:\n  factoryctl tasks ls --json | jq -r '.items[] | select(.state == \"failed\") | .task_id'"
    )]
    Ls(Paging),
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

fn score(text: &str) -> Result<f64, String> {
    let score = text.parse().ok().filter(|score| (0.0..=1.0).contains(score));
    score.ok_or_else(|| "a number from 0 to 1".into())
}

impl Tasks {
    pub(super) async fn perform(self, session: &Session) -> Result<Exit, Error> {
        let Session { client, output } = session;
        match self {
            Self::Ls(paging) => {
                let page = client.tasks(Some(paging.limit), paging.after.as_deref()).await?;
                output.show(&page, |paint| list(&page.items, Timestamp::now(), paint))?;
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

fn list(tasks: &[Task], now: Timestamp, paint: Paint) -> String {
    let mut table = Table::new(paint, &["TASK", "STATE", "TEMPLATE", "COST", "STEPS", "TIME", "CREATED"]);
    for task in tasks {
        let (tone, state) = words::task_state(task.state);
        table.row([
            plain(&task.task_id),
            (tone, state.into()),
            plain(format!("{} {}", task.template_name, task.template_version)),
            plain(words::usd(&task.cost_usd)),
            plain(task.steps.len().to_string()),
            plain(words::task_duration(task, now).map_or_else(|| "-".into(), words::duration)),
            plain(words::time(&task.created_at)),
        ]);
    }
    table.render("no tasks; begin with `factoryctl run TEMPLATE TEXT`")
}
