//! `factoryctl tasks approve|reject|retry|signal`: what people say about a task that waits for them, or that failed.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use crate::cli::exit::Error;
use crate::cli::input;
use crate::cli::run;
use crate::cli::session::Session;
use crate::domain::clock::Timestamp;
use crate::protocol::task::{Decision, Signal, Task};

pub(super) const SIGNAL_EXAMPLES: &str = "\
Examples:
  factoryctl tasks signal task-0193… payment_received
  factoryctl tasks signal task-0193… payment_received 'invoice 1001'
  factoryctl tasks signal task-0193… figures --file figures.json";

/// The arguments of `approve` and `reject`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Decide {
    /// The task's identifier.
    id: String,
    /// Why, in words.
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// The number of the step, where several wait.
    #[arg(long, value_name = "N")]
    step: Option<u32>,
}

impl Decide {
    pub(super) async fn approve(self, session: &Session) -> Result<(), Error> {
        let (id, decision) = self.parts();
        tell(session, &session.client.approve(&id, &decision).await?)
    }

    pub(super) async fn reject(self, session: &Session) -> Result<(), Error> {
        let (id, decision) = self.parts();
        tell(session, &session.client.reject(&id, &decision).await?)
    }

    fn parts(self) -> (String, Decision) {
        (self.id, Decision { comment: self.comment, step: self.step })
    }
}

pub(super) async fn retry(session: &Session, id: &str) -> Result<(), Error> {
    tell(session, &session.client.retry(id).await?)
}

/// The arguments of `signal`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Send {
    /// The task's identifier.
    id: String,
    /// What the signal is called in the plan.
    name: String,
    /// What it brings; `-` reads standard input. Nothing where it is left out.
    #[arg(conflicts_with = "file")]
    payload: Option<String>,
    /// A file that it brings.
    #[arg(long, short, value_name = "F")]
    file: Option<PathBuf>,
}

impl Send {
    pub(super) async fn perform(self, session: &Session) -> Result<(), Error> {
        let text = match (&self.file, self.payload.as_deref()) {
            (Some(path), _) => input::read(path)?,
            (None, Some("-")) => input::read(Path::new("-"))?,
            (None, Some(text)) => text.to_owned(),
            (None, None) => String::new(),
        };
        let signal = Signal { payload: Value::String(text) };
        tell(session, &session.client.signal(&self.id, &self.name, &signal).await?)
    }
}

fn tell(session: &Session, task: &Task) -> Result<(), Error> {
    session.output.show(task, |paint| run::summary(task, Timestamp::now(), paint))
}
