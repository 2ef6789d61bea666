//! `factoryctl bench`: measures the daemon at the socket.
//!
//! ```text
//! Work (what is asked for, what counts as an answer) ── load (closed: the next follows the answer; open: at a rate) ──> Samples
//! gateway: private daemon or one with --template ──> full load, then load at a rate, each with the daemon's own figures
//!              └── mock model (a thread of its own), which the same load also meets without the daemon before it
//! ```
//!
//! All connections run on one thread, so that on a small host the load takes as little as possible from what it measures. Only
//! what was asked for counts as a request: an agent made, a task succeeded, an answer that says something.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use clap::{Args, Subcommand};

use self::gateway::Gateway;
use self::load::{Pace, Target};
use self::mock_model::MockModel;
use self::report::Report;
use self::work::Work;
use super::exit::{Error, Exit};
use super::progress::Progress;
use super::session::Session;

mod gateway;
mod load;
mod mock_model;
mod report;
mod work;

const LEAVES: &str = "What it makes stays in the daemon's journal: measure a daemon of its own.";

/// The verbs.
#[derive(Debug, Subcommand)]
#[command(after_help = LEAVES)]
pub(super) enum Bench {
    /// Makes agents.
    #[command(after_help = format!("Example:\n  factoryctl bench agents --connections 64 --count 50000 --json\n\n{LEAVES}"))]
    Agents(Load),
    /// Runs tasks to their end.
    #[command(after_help = format!("Example:\n  factoryctl bench tasks --connections 64 --duration 10s --json\n\n{LEAVES}"))]
    Tasks(Load),
    /// Asks for answers as OpenAI's clients do.
    Gateway(Gateway),
    /// Serves a model that gives every request the same answer at once.
    #[command(hide = true, after_help = "Example:\n  factoryctl bench mock-model --listen 127.0.0.1:9000")]
    MockModel(MockModel),
}

/// How much of what.
#[derive(Debug, Args)]
pub(super) struct Load {
    /// The template of the agents and tasks.
    #[arg(long, value_name = "T", default_value = "documentaliste")]
    template: String,
    #[command(flatten)]
    pace: Pace,
}

impl Bench {
    pub(super) async fn perform(self, session: &Session) -> Result<Exit, Error> {
        match self {
            Self::Agents(load) => load.perform(session, Work::Agents).await,
            Self::Tasks(load) => load.perform(session, Work::Tasks).await,
            Self::Gateway(gateway) => gateway.perform(session).await,
            Self::MockModel(model) => model.perform(session).await,
        }
    }
}

impl Load {
    async fn perform(self, session: &Session, work: Work) -> Result<Exit, Error> {
        let socket = at_socket(session)?;
        // A daemon that cannot be reached, or a template that is not there, is told before and not as a count of errors.
        session.client.template(&self.template).await?;
        let target = Target { work, call: Arc::new(work.call(&self.template)?) };
        let progress = Progress::start(format!("{} connections", self.pace.connections));
        let begun = Instant::now();
        let samples = load::closed(socket, &target, &self.pace).await;
        let elapsed = begun.elapsed();
        drop(progress);
        let report = Report::new(work.name(), &self.template, self.pace.connections, elapsed, samples);
        session.output.show(&report, |paint| report.render(paint))?;
        Ok(if report.requests > 0 { Exit::Done } else { Exit::Failed })
    }
}

/// Errors by code.
type Codes = BTreeMap<String, u64>;

/// The control socket, over which alone is measured.
fn at_socket(session: &Session) -> Result<&Path, Error> {
    let over_tcp = || Error::Usage("bench measures over the control socket: leave --url out".into());
    session.client.place().socket().ok_or_else(over_tcp)
}
