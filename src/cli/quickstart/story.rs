//! What the quickstart tells while it goes on.

use std::io;
use std::time::Duration;

use super::Tour;
use crate::cli::exit::Error;
use crate::cli::output::{Form, Output, Paint, Tone};
use crate::cli::{run, tree, words};
use crate::domain::clock::Timestamp;
use crate::protocol::task::Task;
use crate::protocol::tree::TreeNode;

/// The column in which times stand.
const TIME_COLUMN: usize = 58;

/// The teller; with `--json` it is silent.
#[derive(Debug)]
pub(super) struct Story {
    output: Output,
    paint: Paint,
}

impl Story {
    pub(super) fn new(output: Output) -> Self {
        Self { output, paint: Paint::of(&io::stdout()) }
    }

    pub(super) fn begin(&self) -> Result<(), Error> {
        let title = format!("Agent Factory {} quickstart", env!("CARGO_PKG_VERSION"));
        self.say(&format!("{}\n", self.paint.text(Tone::Strong, &title)))
    }

    /// Something that is done, and how long it took.
    pub(super) fn step(&self, what: &str, took: Duration) -> Result<(), Error> {
        let tick = self.paint.text(Tone::Good, "✓");
        let pad = " ".repeat(TIME_COLUMN.saturating_sub(what.chars().count()));
        self.say(&format!("  {tick} {what}{pad}{}", self.paint.text(Tone::Faint, &words::duration(took))))
    }

    pub(super) fn answer(&self, task: &Task) -> Result<(), Error> {
        let models: Vec<&str> =
            task.steps.iter().filter(|step| step.kind == "model").map(|step| step.name.as_str()).collect();
        self.heading("The answer")?;
        self.say(run::answer(task).trim_end())?;
        let by = if models.is_empty() { String::new() } else { format!("\nby {}", models.join(", ")) };
        self.say(&format!(
            "\n{}{}",
            run::summary(task, Timestamp::now(), self.paint),
            self.paint.text(Tone::Faint, &by)
        ))
    }

    pub(super) fn tree(&self, actors: &TreeNode) -> Result<(), Error> {
        self.heading("The actors that served it")?;
        self.say(&tree::render(actors, self.paint))
    }

    pub(super) fn end(&self, tour: &Tour, stop: Duration, total: Duration) -> Result<(), Error> {
        self.step("daemon stopped, directory removed: nothing is left", stop)?;
        let next = format!(
            "\n{} · {} · {}\n\nNext: give the daemon a settings file and keep it (`factoryd --config FILE`), then\n  \
             factoryctl run coordinateur --file FILE   three specialists, one report\n  \
             factoryctl --help                         everything else",
            self.paint.text(Tone::Strong, &format!("done in {}", words::duration(total))),
            words::usd(&tour.task.cost_usd),
            words::count(tour.task.steps.len(), "step"),
        );
        self.say(&next)
    }

    fn heading(&self, text: &str) -> Result<(), Error> {
        self.say(&format!("\n{}\n", self.paint.text(Tone::Strong, text)))
    }

    fn say(&self, text: &str) -> Result<(), Error> {
        match self.output.form() {
            Form::Json => Ok(()),
            Form::Human => self.output.raw(format!("{text}\n").as_bytes()),
        }
    }
}
