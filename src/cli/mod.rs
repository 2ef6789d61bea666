//! `factoryctl`, and the quickstart of `factoryd`: what people and scripts see.
//!
//! Each noun or verb has a file: its arguments (clap), what it asks of [`crate::client`], and how the answer reads. Rendering is
//! pure and returns text; `output` alone writes to standard output.
//!
//! # Invariants
//! 1. With `--json` standard output holds JSON documents only: one, or for streams one per line. A failure is a document too.
//! 2. Standard output carries what was asked for; progress, summaries and errors go to standard error.
//! 3. Escape codes are written only to a terminal, and never where `NO_COLOR` is set.
//! 4. The exit code says how it went: 0 done, 1 failed, 2 usage, 3 refused by a rule, 4 daemon not reachable, 5 timed out
//!    (`exit`).

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use self::arguments::{Arguments, Verb};
use self::exit::{Error, Exit};
use self::output::Output;
use self::session::Session;

mod agents;
mod arguments;
mod audit;
mod backup;
mod bench;
mod bill;
mod budgets;
mod dlp;
mod drawing;
mod erase;
mod events;
mod exit;
mod export;
mod input;
mod keys;
mod master_key;
mod output;
mod policy;
mod private;
mod progress;
pub mod quickstart;
mod remote;
mod run;
mod session;
mod shell;
mod socket;
mod spending;
mod status;
mod table;
mod tasks;
mod templates;
mod tree;
mod waiting;
mod words;

/// Runs `factoryctl` with these arguments, the program's name first.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are such "errors" too; they go to standard output and are no failure.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            return if error.print().is_ok() { exit.into() } else { Exit::Failed.into() };
        }
    };
    let output = Output::new(arguments.json);
    let result = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(perform(arguments, &output)),
        Err(source) => Err(Error::failed("no_runtime", format!("start the runtime: {source}"))),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(error) => output.tell_error(&error).into(),
    }
}

async fn perform(arguments: Arguments, output: &Output) -> Result<Exit, Error> {
    let session = Session::new(arguments.remote.place(arguments.socket)?, *output);
    match arguments.verb {
        Verb::Run(verb) => verb.perform(&session).await,
        Verb::Status => status::perform(&session).await,
        Verb::Tree(verb) => verb.perform(&session).await,
        Verb::Events(verb) => verb.perform(&session).await,
        Verb::Agents(verb) => verb.perform(&session).await,
        Verb::Tasks(verb) => verb.perform(&session).await,
        Verb::Templates(verb) => verb.perform(&session).await,
        Verb::Policy(verb) => verb.perform(&session).await,
        Verb::Keys(verb) => verb.perform(&session, output).await,
        Verb::Budgets(verb) => verb.perform(&session).await,
        Verb::Dlp(verb) => verb.perform(&session).await,
        Verb::Audit(verb) => verb.perform(&session).await,
        Verb::Erase(verb) => verb.perform(&session).await,
        Verb::Export(verb) => verb.perform(&session).await,
        Verb::Backup(verb) => verb.perform(&session).await,
        Verb::Restore(verb) => verb.perform(output),
        Verb::Bench(verb) => verb.perform(&session).await,
        Verb::Completions(verb) => verb.perform(output),
        Verb::Man(verb) => verb.perform(output),
    }
}

#[cfg(test)]
mod tests;
