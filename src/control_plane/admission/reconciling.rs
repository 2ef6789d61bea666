//! What a provider's bill says about amounts that were booked in doubt.

use super::Refusal;
use super::handle::Admission;
use super::order::payer_of;
use crate::control_plane::access::{self, Permission, Principal};
use crate::control_plane::audit::Entry;
use crate::control_plane::budget::Budget;
use crate::domain::clock::Timestamp;
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::journal::doubts::{Billed, Outcome, Settlement};
use crate::store::Batch;

impl Admission {
    /// Settles what is in doubt of a task with what the provider bills: in the task's record, the counters of everything that paid
    /// for it, on the day on which it was booked, and the audit log, in one batch; then in the ledger. None where the same bill had
    /// settled it before.
    ///
    /// # Errors
    /// Why not; see [`Refusal`]. Nothing was written then.
    pub async fn reconcile(
        &self,
        principal: &Principal,
        id: TaskId,
        billed: Billed,
        bill: Usd,
        now: Timestamp,
    ) -> Result<Option<Vec<Settlement>>, Refusal> {
        access::authorise(principal, Permission::SetBudgets, None)?;
        let mut entry = Entry::allowed(now, principal.into(), "reconcile_budget").on(id);
        let audit = self.means.audit.clone();
        let with = move |task: &crate::journal::state::Task, settlements: &[Settlement]| {
            let payer = payer_of(&task.order);
            let steps: Vec<String> = settlements.iter().map(told).collect();
            entry.reason = Some(steps.join("; ").into());
            settlements.iter().fold(audit.batch(entry), |batch: Batch, settled| {
                batch.and(Budget::correction(&payer, settled.cost.minus(settled.doubt.amount), settled.doubt.since))
            })
        };
        let outcome = self.journal().reconcile(id, billed, bill, principal.name.to_string(), now, with).await?;
        let (task, settlements, position) = match outcome {
            Outcome::Unchanged => return Ok(None),
            Outcome::Settled { task, settlements, position } => (task, settlements, position),
        };
        let payer = payer_of(&task.order);
        for Settlement { doubt, cost } in &settlements {
            self.means.budget.correct(&payer, cost.minus(doubt.amount), doubt.since, position);
        }
        Ok(Some(settlements))
    }
}

fn told(settled: &Settlement) -> String {
    let Settlement { doubt, cost } = settled;
    format!("step {}: {} USD in doubt, {cost} USD billed", doubt.step, doubt.amount)
}
