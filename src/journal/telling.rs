//! What the latest steps of an agent's task tell about how it goes on. Pure.

use super::record::{StepFailed, StepKind, Then};
use super::state::{Step, StepStatus, Task};
use crate::domain::money::Usd;
use crate::domain::name::ModelRef;
use crate::domain::private::Text;

impl Task {
    /// The number that names the next call of `model` to its provider: that of its first step. A step that repeats a call of
    /// which nobody knows what became makes the same call once more, under the same name.
    #[must_use]
    pub fn call_of(&self, model: &ModelRef) -> u32 {
        let repeats = match self.last_told().map(|step| &step.status) {
            Some(StepStatus::Failed(failed)) => {
                // A call that goes on from where an answer broke off asks something else.
                let is_repeated =
                    matches!(failed.then, Then::Again { .. } | Then::Elsewhere { .. }) || failed.in_doubt > Usd::ZERO;
                is_repeated && failed.arrived.is_none()
            }
            Some(StepStatus::Started | StepStatus::Finished(_)) | None => false,
        };
        if repeats && self.last_model() == Some(model) { self.totals.call } else { self.totals.started }
    }

    /// The result of the last step that has finished, if it is still known.
    #[must_use]
    pub fn last_answer(&self) -> Option<&Text> {
        self.steps.iter().rev().filter(|step| step.release().is_none()).find_map(|step| match &step.status {
            StepStatus::Finished(finished) => Some(&finished.output),
            StepStatus::Started | StepStatus::Failed(_) => None,
        })
    }

    /// The last step that tells how the story goes on: one that asked a person what may leave, and heard yes, tells nothing more.
    #[must_use]
    pub fn last_told(&self) -> Option<&Step> {
        self.steps.iter().rev().find(|step| step.granted().is_none())
    }

    /// The step that asks a person what may leave, while it is open.
    #[must_use]
    pub fn open_release(&self) -> Option<&Step> {
        self.steps.last().filter(|step| step.status == StepStatus::Started && step.release().is_some())
    }

    /// The model that the last call was of.
    #[must_use]
    pub fn last_model(&self) -> Option<&ModelRef> {
        match &self.steps.iter().rev().find(|step| step.release().is_none())?.kind {
            StepKind::Model { model } => Some(model),
            StepKind::Delegate { .. }
            | StepKind::Tool { .. }
            | StepKind::Timer { .. }
            | StepKind::Approval { .. }
            | StepKind::Signal { .. } => None,
        }
    }

    /// The model call that has started and not concluded, if there is one.
    #[must_use]
    pub fn open_call(&self) -> Option<&Step> {
        self.steps
            .last()
            .filter(|step| matches!((&step.status, &step.kind), (StepStatus::Started, StepKind::Model { .. })))
    }

    /// What may follow the last step, if it failed and the task was not retried since.
    #[must_use]
    pub fn after_failure(&self) -> Option<(&StepFailed, Then)> {
        match &self.last_told().filter(|step| step.number >= self.retried_from)?.status {
            StepStatus::Failed(failed) => Some((failed, failed.then)),
            StepStatus::Started | StepStatus::Finished(_) => None,
        }
    }
}
