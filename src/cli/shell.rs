//! `factoryctl completions` and `factoryctl man`.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use serde_json::json;

use super::arguments::Arguments;
use super::exit::{Error, Exit};
use super::output::Output;

/// The arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  factoryctl completions bash > /etc/bash_completion.d/factoryctl")]
pub(super) struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    pub(super) fn perform(self, output: &Output) -> Result<Exit, Error> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "factoryctl", &mut script);
        output.raw(&script)?;
        Ok(Exit::Done)
    }
}

/// The arguments of `man`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  factoryctl man /usr/local/share/man/man1")]
pub(super) struct Man {
    /// The directory; it is made if it is not there.
    dir: PathBuf,
}

impl Man {
    pub(super) fn perform(self, output: &Output) -> Result<Exit, Error> {
        let failed = |source| {
            Error::failed("man_not_written", format!("write manual pages to {}: {source}", self.dir.display()))
        };
        std::fs::create_dir_all(&self.dir).map_err(failed)?;
        // `help` repeats every other page.
        let command = Arguments::command().disable_help_subcommand(true);
        clap_mangen::generate_to(command, &self.dir).map_err(failed)?;
        let dir = self.dir.display().to_string();
        output.show(&json!({"dir": dir}), |_| {
            format!("manual pages are in {dir}; read them with `man -l {dir}/factoryctl.1`")
        })?;
        Ok(Exit::Done)
    }
}
