//! What people and programs outside say about a task that waits for them, or that failed: decisions, retries, signals.
//!
//! Each is written beside the story, with its audit entry in the same batch; whoever holds the task hears of it.

use std::sync::Arc;

use super::Error;
use super::handle::Orchestrator;
use crate::control_plane::access::Principal;
use crate::data_plane::agent::metrics;
use crate::domain::clock::Timestamp;
use crate::domain::id::TaskId;
use crate::journal;
use crate::journal::policy::{self, REJECTED, Subject};
use crate::journal::record::{Decided, Ended, Outcome, RetryRequested, Signalled, TaskRecord, Verdict};
use crate::journal::state::Task;
use crate::store::{Batch, Position};

/// How often somebody else may get in between before one who asks is refused.
const TURNS_MAX: usize = 16;

/// A decision as a person makes it.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Yes or no.
    pub verdict: Verdict,
    /// About which step; where none is named, about the one that waits.
    pub step: Option<u32>,
    /// In words.
    pub comment: Option<String>,
    /// Who decides.
    pub by: String,
}

impl Orchestrator {
    /// Writes down what a person decided about a task, with whatever must become durable with it.
    ///
    /// # Errors
    /// The task has ended, nothing of it waits for this decision, or the journal failed: nothing was written.
    pub async fn decide(&self, id: TaskId, decision: &Decision, with: Batch) -> Result<Arc<Task>, Error> {
        let at = Timestamp::now();
        for _ in 0..TURNS_MAX {
            let open = self.journal().watch(id).ok_or(journal::Error::NotOpen(id))?;
            let task = Arc::clone(&open.borrow());
            if task.state.has_ended() {
                return Err(journal::Error::NotOpen(id).into());
            }
            let subject = policy::decide(&task, decision.step, decision.verdict).map_err(journal::Error::from)?;
            let (record, ends) = match subject {
                Subject::Step(step) => (decided(step, decision, at), false),
                Subject::Whole => (rejected(decision, at), true),
            };
            let budget = self.environment().budget.clone();
            let then = move |_: Position| {
                if ends {
                    budget.close_task(id);
                }
            };
            match self.journal().interject(id, vec![record], with.clone(), then).await {
                Ok(_) => {
                    let task = Arc::clone(&open.borrow());
                    if ends {
                        metrics::task(&task);
                    } else {
                        self.hint(&task);
                    }
                    return Ok(task);
                }
                // Somebody was there first: look again.
                Err(journal::Error::Superseded(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(journal::Error::Superseded(id).into())
    }

    /// Has a task go on that needs attention, or reopens one that failed, with whatever must become durable with that. What it
    /// finished stays finished. Of several who ask at once, one has it retried.
    ///
    /// # Errors
    /// The task is neither, it is not admitted again, or the journal failed: nothing was written.
    pub async fn retry(&self, principal: &Principal, id: TaskId, with: Batch) -> Result<Arc<Task>, Error> {
        let at = Timestamp::now();
        let request = RetryRequested { by: principal.name.to_string(), at };
        for _ in 0..TURNS_MAX {
            let open = self.journal().watch(id).filter(|open| !open.borrow().state.has_ended());
            let retried = match open {
                Some(open) => {
                    policy::retry(&open.borrow(), 0).map_err(journal::Error::from)?;
                    let retries = self.journal().retries(id).await?;
                    policy::retry(&open.borrow(), retries).map_err(journal::Error::from)?;
                    let record = TaskRecord::RetryRequested(request.clone());
                    let written = self.journal().interject(id, vec![record], with.clone(), |_| {}).await;
                    written.map(|_| Arc::clone(&open.borrow())).map_err(Error::from)
                }
                None => self.reopen(principal, id, request.clone(), with.clone()).await,
            };
            match retried {
                Ok(task) => {
                    self.hint(&task);
                    return Ok(task);
                }
                // It ended, or somebody else wrote, at this moment: look again.
                Err(Error::Journal(journal::Error::Superseded(_))) => {}
                Err(error) => return Err(error),
            }
        }
        Err(journal::Error::Superseded(id).into())
    }

    async fn reopen(
        &self,
        principal: &Principal,
        id: TaskId,
        request: RetryRequested,
        with: Batch,
    ) -> Result<Arc<Task>, Error> {
        let known = self.journal().task(id).await?.ok_or(journal::Error::NotOpen(id))?;
        policy::retry(&known, 0).map_err(journal::Error::from)?;
        let admission = &self.environment().admission;
        let readmitted = admission.readmit(principal, &known.order, Timestamp::now()).await?;
        let budget = self.environment().budget.clone();
        let told = move |task: Arc<Task>| async move {
            budget.reopen_task(id, task.cost()).await.map_err(|error| Error::Refused(error.into()))
        };
        let reopened = self.journal().reopen(id, request, with, told).await;
        readmitted.conclude();
        if reopened.is_err() {
            // The ledger may have been told of a task that stays ended.
            self.journal().while_ended(id, || self.environment().budget.close_task(id)).await;
        }
        reopened
    }

    /// Sends a task word that its plan may wait for, with whatever must become durable with it.
    ///
    /// # Errors
    /// The task has ended, takes no signals or no more of them, or the journal failed: nothing was written.
    pub async fn signal(&self, id: TaskId, signalled: Signalled, with: Batch) -> Result<Arc<Task>, Error> {
        let record = TaskRecord::Signalled(signalled);
        for _ in 0..TURNS_MAX {
            let open = self.journal().watch(id).ok_or(journal::Error::NotOpen(id))?;
            policy::signal(&open.borrow()).map_err(journal::Error::from)?;
            match self.journal().interject(id, vec![record.clone()], with.clone(), |_| {}).await {
                Ok(_) => {
                    let task = Arc::clone(&open.borrow());
                    self.hint(&task);
                    return Ok(task);
                }
                Err(journal::Error::Superseded(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(journal::Error::Superseded(id).into())
    }

    /// Has a task dispatched again without anybody waiting for it: whoever holds it has heard, and where nobody does, somebody
    /// takes it up.
    fn hint(&self, task: &Task) {
        let (orchestrator, order) = (self.clone(), Arc::clone(&task.order));
        tokio::spawn(async move { orchestrator.dispatch_again(order).await });
    }
}

fn decided(step: u32, decision: &Decision, at: Timestamp) -> TaskRecord {
    let Decision { verdict, comment, by, .. } = decision.clone();
    TaskRecord::Decided(Decided { step, verdict, comment, by, at })
}

/// The end of a task that needed attention as a whole.
fn rejected(decision: &Decision, at: Timestamp) -> TaskRecord {
    let why = decision.comment.as_deref().map(|comment| format!(": {comment}")).unwrap_or_default();
    let message = format!("{} rejected it when it needed attention{why}", decision.by);
    TaskRecord::Ended(Ended { outcome: Outcome::failed(REJECTED, &message), at })
}
