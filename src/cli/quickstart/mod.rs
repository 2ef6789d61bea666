//! `factoryd quickstart`: the whole path in a few seconds, on a daemon of its own that leaves nothing behind.
//!
//! ```text
//! workshop (directory, key, signed templates, settings) -> daemon (child process) -> task over the socket -> answer, cost, tree
//!     <- removed                                           <- SIGTERM, exit 0
//! ```
//!
//! The daemon is stopped and the directory removed however the tour ends, also after Ctrl-C.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use self::document::Document;
use self::story::Story;
use super::exit::{Error, Exit};
use super::output::Output;
use super::private::{Daemon, Interruption, SHIPPED, Workshop};
use crate::client::Client;
use crate::protocol::task::{SubmitTask, Task, TaskState};
use crate::protocol::tree::TreeNode;

mod document;
mod story;

/// How long the daemon may take to be ready.
const READY_TIME_MAX: Duration = Duration::from_secs(20);
/// How long the task may take.
const TASK_TIME_MAX: Duration = Duration::from_secs(30);
/// The template that reads the document.
const TEMPLATE: &str = "documentaliste";

/// The document of `quickstart --json`.
#[derive(Debug, Serialize)]
struct Tour {
    /// What was read.
    file: String,
    task: Task,
    tree: TreeNode,
    seconds: Seconds,
}

/// How long each part took.
#[derive(Debug, Default, Serialize)]
struct Seconds {
    prepare: f64,
    ready: f64,
    task: f64,
    stop: f64,
    total: f64,
}

/// Shows the main job on a private daemon: `factoryd` is the program to start as that daemon. Prints what it does, or with `json`
/// one document at the end.
pub async fn run(factoryd: &Path, json: bool) -> ExitCode {
    let output = Output::new(json);
    match perform(factoryd, output).await {
        Ok(exit) => exit.into(),
        Err(error) => output.tell_error(&error).into(),
    }
}

async fn perform(factoryd: &Path, output: Output) -> Result<Exit, Error> {
    let begun = Instant::now();
    // First of all: from here on an interruption cleans up instead of ending the program.
    let mut interruption = Interruption::listen()?;
    let story = &Story::new(output);
    story.begin()?;
    let workshop = Workshop::prepare(SHIPPED, "")?;
    let prepare = begun.elapsed();
    story.step(&format!("a private directory, a key, {} signed templates", SHIPPED.len()), prepare)?;

    let mut daemon = Daemon::start(factoryd, &workshop)?;
    let toured = tokio::select! {
        toured = tour(&mut daemon, &workshop, story) => toured,
        interrupted = interruption.comes() => Err(interrupted),
    };

    // However the tour went, the daemon is stopped before its directory goes.
    let stopping = Instant::now();
    let stopped = daemon.stop().await;
    let removed = workshop.remove();
    let mut tour = match (toured, stopped) {
        // A daemon that died is why it did not answer; its log says more.
        (Err(Error::Client(_)), Err(died)) => return Err(died),
        (Err(error), _) | (Ok(_), Err(error)) => return Err(error),
        (Ok(tour), Ok(())) => tour,
    };
    removed?;
    let stop = stopping.elapsed();
    tour.seconds.prepare = prepare.as_secs_f64();
    tour.seconds.stop = stop.as_secs_f64();
    tour.seconds.total = begun.elapsed().as_secs_f64();
    story.end(&tour, stop, begun.elapsed())?;
    output.show(&tour, |_| String::new())?;
    Ok(if tour.task.state == TaskState::Succeeded { Exit::Done } else { Exit::Failed })
}

async fn tour(daemon: &mut Daemon, workshop: &Workshop, story: &Story) -> Result<Tour, Error> {
    let client = Client::new(workshop.socket());
    let starting = Instant::now();
    daemon.ready(&client, READY_TIME_MAX).await?;
    let ready = starting.elapsed();
    story.step("a daemon of its own is ready", ready)?;

    let document = Document::choose(workshop.path())?;
    let work = SubmitTask {
        template_name: Some(TEMPLATE.into()),
        input: document.text.clone().into(),
        ..SubmitTask::default()
    };
    let submitting = Instant::now();
    let task = client.submit(&work, None, TASK_TIME_MAX).await?;
    let took = submitting.elapsed();
    story.step(&format!("{TEMPLATE} read {} ({})", document.name, document.size()), took)?;
    story.answer(&task)?;

    let tree = client.tree().await?;
    story.tree(&tree)?;
    let seconds = Seconds { ready: ready.as_secs_f64(), task: took.as_secs_f64(), ..Seconds::default() };
    Ok(Tour { file: document.name, task, tree, seconds })
}

#[cfg(test)]
mod tests;
