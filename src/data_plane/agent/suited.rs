//! Which model of the route a step asks: the planned one, or the first after it that suits what the task has grown to.

use super::call::{self, Asked, Prepared};
use super::memory::Memory;
use super::state;
use super::turn::{Planned, Turn};
use super::unprepared::Unprepared;
use crate::control_plane::admission::WorkOrder;
use crate::domain::name::ModelRef;
use crate::journal::state::Task;

impl Turn {
    /// The call of the first model, from the planned one on, that suits it; where none does, why the planned one does not; where something else
    /// is in the way, with the model that would have been called.
    pub(super) async fn suited(
        &self,
        order: &WorkOrder,
        memory: &Memory,
        task: &Task,
        planned: Planned,
    ) -> Result<(u32, Asked, ModelRef, Prepared), (Unprepared, ModelRef)> {
        let Planned { step, mut model } = planned;
        let route = self.route(order, task);
        let mut unsuitable = None;
        loop {
            let failed_attempts = if task.last_model() == Some(&model) { task.totals.attempts } else { 0 };
            let asked = Asked { failed_attempts, ..self.asked(task, task.call_of(&model)) };
            match call::prepare(&self.environment, order, memory, asked.clone(), &model).await {
                Ok(prepared) => return Ok((step, asked, model, prepared)),
                Err(Unprepared::Unsuitable(passed)) => {
                    let first = unsuitable.unwrap_or(Unprepared::Unsuitable(passed));
                    let Some(next) = state::following(&route, &model) else { return Err((first, model)) };
                    (model, unsuitable) = (next.clone(), Some(first));
                }
                Err(refusal) => return Err((refusal, model)),
            }
        }
    }
}
