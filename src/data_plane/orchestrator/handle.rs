//! The orchestrator's handle: submits, dispatches, cancels.

use std::sync::Arc;
use std::time::Duration;

use super::Error;
use super::actor::{PlanActor, PlanArguments, PlanMessage};
use super::front::Message;
use crate::control_plane::admission::Ticket;
use crate::data_plane::agent::{Environment, metrics};
use crate::data_plane::factory::Factory;
use crate::data_plane::factory::registry::{Claim, Registry};
use crate::domain::clock::Timestamp;
use crate::domain::id::TaskId;
use crate::journal::Journal;
use crate::journal::order::{Order, Worker};
use crate::journal::record::{CancelRequested, Ended, Outcome, TaskRecord};
use crate::journal::state::{State, Task};
use crate::store::Batch;
use crate::supervision::{Address, ChildSpec, Restart, SupervisorHandle};

/// How long a task that could not be dispatched waits for the next sweep.
const DISPATCH_PAUSE: Duration = Duration::from_secs(1);

/// Brings admitted tasks to whoever does them. Cheap to clone.
#[derive(Clone)]
pub struct Orchestrator(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) environment: Environment,
    pub(super) factory: Factory,
    pub(super) plans: Registry<TaskId, PlanMessage>,
    pub(super) supervisor: SupervisorHandle,
    pub(super) front: Address<Message>,
}

impl Orchestrator {
    pub(super) fn environment(&self) -> &Environment {
        &self.0.environment
    }

    pub(super) fn journal(&self) -> &Journal {
        &self.0.environment.journal
    }

    /// Makes an admitted task durable and sets it going. When this returns, the task is acknowledged.
    ///
    /// # Errors
    /// The journal failed: there is no such task, and nothing is held for it.
    pub async fn submit(&self, ticket: Ticket) -> Result<TaskId, Error> {
        let order = Arc::clone(ticket.order.order());
        let (reservation, with) = (ticket.reservation.clone(), ticket.with.clone());
        let stored = Order::clone(&order);
        let submitted = self.journal().submit(stored, reservation.amount(), Timestamp::now(), with).await;
        ticket.conclude();
        if let Err(error) = submitted {
            self.environment().budget.release(&reservation);
            return Err(error.into());
        }
        self.dispatch(&order).await;
        Ok(order.task)
    }

    /// Brings an open task to whoever does it. Doing so again is harmless; what fails here is done again by the next sweep.
    pub(super) async fn dispatch(&self, order: &Order) {
        let brought = match order.worker {
            Worker::Own | Worker::Registered(_) => {
                self.0.factory.assign(order).await.map_err(|error| error.to_string())
            }
            Worker::Orchestrator => self.run_plan(order.task).await.map_err(|error| error.to_string()),
        };
        if let Err(error) = brought {
            tracing::warn!(task = %order.task, error, "a task waits to be dispatched again");
            let orchestrator = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(DISPATCH_PAUSE).await;
                orchestrator.sweep_later();
            });
        }
    }

    /// Asks for the end of a task. One whose work has not begun ends at once.
    ///
    /// # Errors
    /// The journal failed, or the task has ended.
    pub async fn cancel(&self, id: TaskId, by: &str) -> Result<Arc<Task>, Error> {
        let at = Timestamp::now();
        let open = self.journal().watch(id).ok_or(crate::journal::Error::NotOpen(id))?;
        let task = open.borrow().clone();
        let request = TaskRecord::CancelRequested(CancelRequested { by: by.to_owned(), at });
        let mut records = vec![request];
        if task.state == State::Queued {
            records.push(TaskRecord::Ended(Ended { outcome: Outcome::Cancelled, at }));
        }
        let (own, unbegun) = (self.clone(), task.state == State::Queued);
        let release = move |_| {
            if unbegun {
                own.settle_unbegun(&task);
            }
        };
        self.journal().append_then(id, records, Batch::new(), release).await?;
        let task = open.borrow().clone();
        if task.state.has_ended() {
            metrics::task(&task);
        }
        Ok(task)
    }

    /// Gives back what admission held for a task none of whose steps started.
    fn settle_unbegun(&self, task: &Task) {
        use crate::control_plane::admission::payer_of;
        use crate::control_plane::budget::{Key, Reservation};
        if task.steps.is_empty() {
            let key = Key { task: task.order.task, step: 0 };
            self.environment().budget.release(&Reservation::recorded(key, payer_of(&task.order), task.reserved));
        }
        self.environment().budget.close_task(task.order.task);
    }

    /// Has every open task dispatched again, because part of the tree below has started anew.
    pub fn sweep_later(&self) {
        // If the front actor is not there, it sweeps when it starts.
        let _starting = self.0.front.cast(Message::Sweep).is_err();
    }

    /// Forgets the plans that ran under the supervisor's predecessor.
    pub(super) fn forget_plans(&self) {
        self.0.plans.forget(|_| true);
    }

    /// How many plans run.
    #[must_use]
    pub fn plans_running(&self) -> usize {
        self.0.plans.len()
    }

    async fn run_plan(&self, task: TaskId) -> Result<(), crate::supervision::Error> {
        let address = match self.0.plans.claim(&task) {
            Claim::Served(_) => return Ok(()),
            Claim::Vacant(address) => address,
        };
        let arguments = PlanArguments { task, orchestrator: Arc::downgrade(&self.0), address: address.clone() };
        let spec = ChildSpec::worker(&address, move || (PlanActor, arguments.clone()))
            .restart(Restart::Transient)
            .intensity(super::PLAN_INTENSITY)
            .backoff(super::PLAN_BACKOFF)
            .group("orchestrators")
            .on_give_up(self.give_up_hook(task, address.clone()));
        let started = self.0.supervisor.start_child(spec).await;
        if started.is_err() {
            self.0.plans.remove(&task, &address);
        }
        started
    }

    fn give_up_hook(
        &self,
        task: TaskId,
        address: Address<PlanMessage>,
    ) -> Arc<dyn Fn(&crate::supervision::GiveUp) + Send + Sync> {
        let weak = Arc::downgrade(&self.0);
        Arc::new(move |_| {
            let Some(inner) = weak.upgrade() else { return };
            inner.plans.remove(&task, &address);
            tokio::spawn(async move {
                let message = "its orchestrator ended abnormally more often than its supervision allows".to_owned();
                let outcome = Outcome::Failed { code: "orchestrator_given_up".to_owned(), message };
                let ended = TaskRecord::Ended(Ended { outcome, at: Timestamp::now() });
                if let Err(error) = inner.environment.journal.append(task, vec![ended], Batch::new()).await {
                    tracing::error!(%task, %error, "a task whose orchestrator was given up could not be ended");
                }
            });
        })
    }
}
