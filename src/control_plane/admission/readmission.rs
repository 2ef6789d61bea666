//! Whether a task that failed may be open again.

use std::sync::Arc;

use super::Refusal;
use super::closed::Standing;
use super::handle::Admission;
use super::placement::Placement;
use super::room::Place;
use crate::control_plane::access::Principal;
use crate::domain::clock::Timestamp;
use crate::journal::order::Order;

/// The place of a task that is reopened, held until it is open.
pub struct Readmitted(Place, Standing);

impl Readmitted {
    /// The task is open, or was given up.
    pub fn conclude(self) {
        drop((self.0, self.1));
    }
}

impl Admission {
    /// Decides whether a task that failed may be open again. What was decided when it was submitted stands, its template's
    /// version too; there must be room for it, and somebody to do it. The decision is on record when this refuses.
    ///
    /// # Errors
    /// Why not; see [`Refusal`].
    pub async fn readmit(
        &self,
        principal: &Principal,
        order: &Arc<Order>,
        now: Timestamp,
    ) -> Result<Readmitted, Refusal> {
        let decided = self.decide_again(principal, order, now).await;
        if let Err(refusal) = &decided {
            self.put_on_record(principal, "retry_task", &order.task.to_string(), refusal, now).await?;
        }
        decided
    }

    async fn decide_again(
        &self,
        principal: &Principal,
        order: &Arc<Order>,
        now: Timestamp,
    ) -> Result<Readmitted, Refusal> {
        if self.is_draining() {
            return Err(Refusal::Draining);
        }
        let standing = self.closed().enter(order.owner())?;
        if order.deadline.is_some_and(|deadline| deadline <= now) {
            return Err(Refusal::DeadlineOver(order.task));
        }
        if order.must_end_by.is_some_and(|end| end <= now) {
            return Err(Refusal::TimeOver(order.task));
        }
        if let Some(agent) = order.registered_agent() {
            let found = self.means.journal.agents().find(agent).await?;
            let stays = found.is_some_and(|agent| agent.stopped_at.is_none());
            if !stays {
                return Err(Refusal::StoppedAgent(agent));
            }
            if (self.means.quarantined)(agent) {
                return Err(Refusal::QuarantinedAgent(agent));
            }
        }
        // What is no longer trusted or was withdrawn does not run again, also where its content is kept.
        self.means.templates.allowed(&order.template, &order.digest).await?;
        let restored = self.restore(Arc::clone(order)).await?;
        let template = Arc::clone(restored.template());
        let placement = Placement { template, worker: order.worker, experiment: order.experiment };
        self.may_use(&placement.template, principal, &order.tenant, order.user.as_ref()).await?;
        let place = self.enter(&placement, order.bytes())?;
        Ok(Readmitted(place, standing))
    }
}
