//! `factoryctl templates rollback`: going back to a version, and letting the file speak again.

use clap::Args;

use crate::cli::exit::Error;
use crate::cli::output::Tone;
use crate::cli::session::Session;
use crate::cli::words;
use crate::protocol::template::{RollBack, Template, TemplateRolledBack};

/// The arguments.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("target").required(true).args(["version", "digest", "lift"]))]
pub(in crate::cli) struct Rollback {
    /// The template's name.
    name: String,
    /// The version to go back to; `factoryctl templates history NAME` lists them.
    version: Option<String>,
    /// The version whose digest begins so, with 8 digits at least: for the form that a version had with earlier parents.
    #[arg(long, value_name = "HEX")]
    digest: Option<String>,
    /// Serve what the file says again.
    #[arg(long)]
    lift: bool,
}

impl Rollback {
    pub(super) async fn perform(self, session: &Session) -> Result<(), Error> {
        let Session { client, output } = session;
        let template = if self.lift {
            client.lift_rollback(&self.name).await?
        } else {
            client.roll_back(&self.name, &RollBack { version: self.version, digest: self.digest }).await?
        };
        output.show(&template, |paint| {
            let mut lines = vec![format!(
                "{} serves {} · {}",
                paint.text(Tone::Strong, &template.name),
                template.version,
                paint.text(words::tone_of(&template.status), &template.status),
            )];
            lines.extend(next(&template));
            lines.join("\n")
        })
    }
}

/// What follows from it.
fn next(template: &Template) -> Option<String> {
    match (&template.rolled_back, template.reasons.is_empty()) {
        (Some(_), _) => Some(format!(
            "edits wait from now on; to serve the file again: factoryctl templates rollback {} --lift",
            template.name
        )),
        (None, false) => Some(format!("the file is refused: {}", template.reasons.join("; "))),
        (None, true) => None,
    }
}

/// Who went back, in a line.
pub(super) fn told(mark: &TemplateRolledBack) -> String {
    let from = mark.from.as_ref().map(|from| format!(" from {from}")).unwrap_or_default();
    format!("rolled back{from} to {} by {} at {}", mark.version, mark.by, words::time(&mark.at))
}
