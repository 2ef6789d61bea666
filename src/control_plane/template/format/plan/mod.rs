//! The plan of an orchestrator: steps, what each needs, and how their outputs become one.
//!
//! A [`Plan`] exists only if its graph is sound: ids are unique, every step that is named exists, nothing waits for itself,
//! and a step that reads another's output also needs it, directly or through others. `graph` checks that, `step` reads one step,
//! `input` reads and renders placeholders, `path` walks into values.

mod graph;
mod input;
mod path;
mod step;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::domain::name::{Capability, TemplateName, ToolName};

pub(super) use graph::validate;
pub use input::{InputTemplate, MapSource, Unrendered};

/// The most steps that a plan may have (the schema says the same).
pub const STEPS_MAX: usize = 256;

/// The longest that a step may wait for a time, a person or a signal.
pub const WAIT_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The longest name of a signal, in bytes (the schema says the same).
pub const SIGNAL_NAME_BYTES_MAX: usize = 64;

/// A sound plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The steps, in the order of the file; never empty.
    pub steps: Vec<PlanStep>,
    /// How their outputs become one.
    pub aggregate: Aggregate,
}

impl Plan {
    /// The step of an id.
    #[must_use]
    pub fn step(&self, id: &str) -> Option<&PlanStep> {
        self.steps.iter().find(|step| step.id == id)
    }

    /// The steps that no other step needs, in order: what [`Aggregate::Concat`], `Merge` and `Vote` work on.
    #[must_use]
    pub fn leaves(&self) -> Vec<&PlanStep> {
        let needed = |id: &str| self.steps.iter().any(|step| step.needs.iter().any(|need| need == id));
        self.steps.iter().filter(|step| !needed(&step.id)).collect()
    }
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanStep {
    /// Its name in the plan.
    pub id: String,
    /// What it does.
    pub work: Work,
    /// What the worker or tool is given; of an approval, what is asked.
    pub input: InputTemplate,
    /// The steps that must have ended before.
    pub needs: Vec<String>,
    /// A list for each item of which the step is done once.
    pub map: Option<MapSource>,
    /// What becomes of the task when the step fails.
    pub on_failure: OnFailure,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Has an agent or another plan do a subtask.
    Delegate(Worker),
    /// Calls a tool.
    Tool(ToolName),
    /// Waits for so long.
    Wait(Duration),
    /// Waits for a person's yes.
    Approve {
        /// For so long at most.
        timeout: Option<Duration>,
    },
    /// Waits for word from outside.
    Signal {
        /// What the signal is called.
        name: String,
        /// For so long at most.
        timeout: Option<Duration>,
    },
}

/// Who does a subtask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Worker {
    /// An agent of this template.
    Template(TemplateName),
    /// An agent that can do this.
    Capability(Capability),
}

/// What becomes of the task when a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// It fails.
    Fail,
    /// It goes on; the step's output is empty.
    Skip,
    /// The step is done again, and the task fails if that fails too.
    Retry,
    /// A person is asked: the step is done again, or the task fails.
    Ask,
}

/// How the outputs of the steps become the task's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aggregate {
    /// The output of one step.
    Step(String),
    /// The outputs of the [leaves](Plan::leaves), one after the other.
    Concat,
    /// The leaves' outputs in one object, by step id.
    Merge,
    /// The output that most leaves agree on; the earliest step wins a tie.
    Vote,
}
