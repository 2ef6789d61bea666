//! The plan of an orchestrator: steps, what each needs, and how their outputs become one.
//!
//! A [`Plan`] exists only if its graph is sound: ids are unique, every step that is named exists, nothing waits for itself,
//! and a step that reads another's output also needs it, directly or through others. `graph` checks that, `input` reads and
//! renders placeholders, `path` walks into values.

mod graph;
mod input;
mod path;
#[cfg(test)]
mod tests;

use crate::domain::name::{Capability, TemplateName};

pub(super) use graph::validate;
pub use input::{InputTemplate, MapSource, Unrendered};

/// The most steps that a plan may have (the schema says the same).
pub const STEPS_MAX: usize = 256;

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

/// One step of a plan: a subtask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanStep {
    /// Its name in the plan.
    pub id: String,
    /// Who does it.
    pub worker: Worker,
    /// What the worker is given.
    pub input: InputTemplate,
    /// The steps that must have ended before.
    pub needs: Vec<String>,
    /// A list for each item of which the step is done once.
    pub map: Option<MapSource>,
    /// What becomes of the task when the step fails.
    pub on_failure: OnFailure,
}

/// Who does a step.
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
