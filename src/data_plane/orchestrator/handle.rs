//! The orchestrator's handle: submits, dispatches, cancels.

use std::sync::Arc;
use std::time::Duration;

use super::Error;
use super::actor::{PlanActor, PlanArguments, PlanMessage};
use super::front::Message;
use crate::control_plane::access::Principal;
use crate::control_plane::admission::submission::Submission;
use crate::control_plane::admission::{Admitted, Ticket};
use crate::control_plane::template::Supervision;
use crate::data_plane::agent::abandon::abandon;
use crate::data_plane::agent::first::FirstCall;
use crate::data_plane::agent::{Environment, metrics};
use crate::data_plane::factory::registry::{Claim, Registry};
use crate::data_plane::factory::{Factory, borne};
use crate::domain::clock::Timestamp;
use crate::domain::id::TaskId;
use crate::journal::order::{Order, Worker};
use crate::journal::record::{CancelRequested, Ended, Outcome, TaskRecord};
use crate::journal::state::{State, Task};
use crate::journal::{self, Beginning, Journal};
use crate::store::Batch;
use crate::supervision::{Address, CallError, ChildSpec, OnStuck, Restart, SupervisorHandle};

/// How long a plan that is given up waits for its subtasks to end.
const CHILDREN_GRACE: Duration = Duration::from_secs(5);

/// How long a plan may be at one message before it counts as stuck: its handlers hand slow work on.
const STUCK_AFTER: Duration = Duration::from_secs(30);

/// How long a plan that is being restarted may take to answer that it is there.
const PING_PATIENCE: Duration = Duration::from_secs(5);

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
    /// What its agents work with.
    pub(crate) fn environment(&self) -> &Environment {
        &self.0.environment
    }

    pub(super) fn journal(&self) -> &Journal {
        &self.0.environment.journal
    }

    /// Admits a request, makes it durable and sets it going. When this returns, the task is acknowledged. All of it happens
    /// whether or not the caller stays to hear: a caller who goes away leaves neither half a task nor a held reservation.
    ///
    /// # Errors
    /// Why it is not admitted, or the journal failed: there is no such task, and nothing is held for it.
    pub async fn accept(&self, principal: Arc<Principal>, submission: Submission) -> Result<TaskId, Error> {
        self.accept_as(principal, submission, |task| task).await
    }

    /// As [`Self::accept`], for a caller who is given what `made` makes of the task. Where the caller has gone by then, it is
    /// dropped at once: what must happen if nobody stays to hear belongs into its `Drop`.
    ///
    /// # Errors
    /// As [`Self::accept`].
    pub async fn accept_as<T: Send + 'static>(
        &self,
        principal: Arc<Principal>,
        submission: Submission,
        made: impl FnOnce(TaskId) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let orchestrator = self.clone();
        let accepted = tokio::spawn(async move {
            match orchestrator.environment().admission.admit(&principal, submission, Timestamp::now()).await? {
                Admitted::New(ticket) => orchestrator.submit(*ticket).await.map(made),
                Admitted::Repeated(task) => Ok(made(task)),
            }
        });
        accepted.await.map_err(|_| Error::Interrupted)?
    }

    /// Makes an admitted task durable and sets it going. When this returns, the task is acknowledged.
    ///
    /// # Errors
    /// The journal failed: there is no such task, and nothing is held for it.
    pub async fn submit(&self, mut ticket: Ticket) -> Result<TaskId, Error> {
        let (order, supervision) = (Arc::clone(ticket.order.order()), ticket.order.template().supervision);
        let at = Timestamp::now();
        let first = self.first_call(&ticket, at).await;
        let reservation = first.as_ref().map_or(&ticket.reservation, FirstCall::reservation).clone();
        let (with, started) = (ticket.with.clone(), first.as_ref().map(|first| first.started(at)));
        if let Some(first) = first {
            self.environment().first.put(order.task, first);
        }
        let reserved = reservation.amount();
        let beginning = Beginning { order: Order::clone(&order), reserved, at, first: started, with };
        let submitted = self.journal().submit_through(beginning, ticket.opening()).await;
        ticket.conclude();
        if submitted.is_err() {
            drop(self.environment().first.take(order.task));
        }
        match submitted {
            Ok(()) => {
                self.dispatch(&order, supervision).await;
                Ok(order.task)
            }
            // The task and what is held for it are the earlier submission's.
            Err(error @ journal::Error::Exists(_)) => {
                if self.journal().watch(order.task).is_none() {
                    self.environment().budget.close_task(order.task);
                }
                Err(error.into())
            }
            Err(error) => {
                self.environment().budget.release(&reservation);
                Err(error.into())
            }
        }
    }

    /// A task's first call, where an agent of its own will make it as soon as the task is durable.
    async fn first_call(&self, ticket: &Ticket, at: Timestamp) -> Option<FirstCall> {
        // Where two models may be asked, the agent prepares both.
        let is_plain = ticket.order.order().worker == Worker::Own && ticket.order.hedge_after().is_none();
        if !is_plain || !self.0.factory.has_room() {
            return None;
        }
        FirstCall::prepare(self.environment(), ticket, at).await
    }

    /// Brings an open task to whoever does it. Doing so again is harmless; what fails here is done again by the next sweep.
    async fn dispatch(&self, order: &Order, supervision: Supervision) {
        let brought = match order.worker {
            Worker::Own | Worker::Registered(_) => {
                self.0.factory.assign(order, supervision).await.map_err(|error| error.to_string())
            }
            Worker::Orchestrator => self.run_plan(order.task, supervision).await.map_err(|error| error.to_string()),
        };
        if let Err(error) = brought {
            tracing::warn!(task = %order.task, error, "a task waits to be dispatched again");
        }
    }

    /// Dispatches a task that is known from the journal alone.
    pub(super) async fn dispatch_again(&self, order: Arc<Order>) {
        // What is in memory is supervised already. Where the template cannot be read now, whoever takes the task up says so.
        let supervision = if self.0.factory.knows(order.agent()) || self.0.plans.find(&order.task).is_some() {
            Supervision::default()
        } else {
            let restored = self.environment().admission.restore(Arc::clone(&order)).await;
            restored.map(|order| order.template().supervision).unwrap_or_default()
        };
        self.dispatch(&order, supervision).await;
    }

    /// Asks for the end of a task, with whatever must become durable with that. One whose work has not begun ends at once; of
    /// one whose end was asked for before, nothing more is written.
    ///
    /// # Errors
    /// The journal failed, or the task has ended.
    pub async fn cancel(&self, id: TaskId, by: &str, with: Batch) -> Result<Arc<Task>, Error> {
        let at = Timestamp::now();
        let open = self.journal().watch(id).ok_or(journal::Error::NotOpen(id))?;
        let request = TaskRecord::CancelRequested(CancelRequested { by: by.to_owned(), at });
        if open.borrow().cancel_requested_by.is_some() {
            return Ok(open.borrow().clone());
        }
        if open.borrow().state == State::Queued {
            let ended = TaskRecord::Ended(Ended { outcome: Outcome::Cancelled, at });
            let budget = self.environment().budget.clone();
            let close = move |_| budget.close_task(id);
            match self.journal().interject(id, vec![request.clone(), ended], with.clone(), close).await {
                Ok(_) => {
                    metrics::task(&open.borrow());
                    return Ok(open.borrow().clone());
                }
                // Its work began at this moment: whoever does it hears of the request and ends it.
                Err(journal::Error::Superseded(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        match self.journal().interject(id, vec![request], with, |_| {}).await {
            // Somebody else asked for the same at this moment.
            Err(journal::Error::Superseded(_)) if open.borrow().cancel_requested_by.is_some() => {}
            written => drop(written?),
        }
        Ok(open.borrow().clone())
    }

    /// Asks for the end of a subtask, if it has not ended.
    pub(super) async fn cancel_child(&self, child: TaskId) -> Result<(), Error> {
        match self.cancel(child, "its parent", Batch::new()).await {
            Ok(_) | Err(Error::Journal(journal::Error::NotOpen(_) | journal::Error::Superseded(_))) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Ends a plan that nobody goes on with: its subtasks are cancelled, and it fails with this code.
    pub(super) async fn abandon(&self, id: TaskId, code: &str, message: &str) -> Result<(), Error> {
        let children = self.journal().watch(id).map(|open| open.borrow().open_children()).unwrap_or_default();
        for child in &children {
            self.cancel_child(*child).await?;
        }
        // A subtask that takes its time ends by itself; what it costs is booked with it all the same.
        let ends = children.iter().map(|child| self.journal().wait(*child, CHILDREN_GRACE));
        futures::future::try_join_all(ends).await?;
        for child in &children {
            // One whose submission was cut off never was: nobody else knows what is held for it.
            if self.journal().task(*child).await?.is_none() {
                drop(self.environment().first.take(*child));
                self.environment().budget.close_task(*child);
            }
        }
        abandon(self.environment(), id, code, message).await?;
        Ok(())
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

    async fn run_plan(&self, task: TaskId, supervision: Supervision) -> Result<(), crate::supervision::Error> {
        let address = loop {
            match self.0.plans.claim(&task) {
                Claim::Vacant(address) => break address,
                Claim::Served(address) => match address.call(PING_PATIENCE, PlanMessage::Ping).await {
                    Ok(()) | Err(CallError::Interrupted(_) | CallError::TimedOut(_)) => return Ok(()),
                    // Its restart is put off for longer than a question waits.
                    Err(CallError::NotRunning(_)) if self.0.supervisor.has_child(address.name()).await? => {
                        return Ok(());
                    }
                    // It ended without a word, together with its supervisor.
                    Err(CallError::NotRunning(_)) => drop(self.0.plans.remove(&task, &address)),
                },
            }
        };
        let arguments = PlanArguments { task, orchestrator: Arc::downgrade(&self.0), address: address.clone() };
        let given_up = (Arc::downgrade(&self.0), address.clone());
        let spec = ChildSpec::worker(&address, move || (PlanActor, arguments.clone()))
            .restart(Restart::Transient)
            .intensity(borne(&supervision))
            .backoff(supervision.backoff)
            .group("orchestrators")
            .ledger_key(format!("plans/{task}"))
            .stuck_after(STUCK_AFTER, OnStuck::Report)
            .on_give_up(Arc::new(move |_| {
                if let Some(inner) = given_up.0.upgrade() {
                    inner.plans.remove(&task, &given_up.1);
                    tokio::spawn(async move { Orchestrator(inner).give_up(task).await });
                }
            }));
        let started = self.0.supervisor.start_child(spec).await;
        match &started {
            Ok(()) => self.0.plans.started(&task, &address),
            Err(_) => drop(self.0.plans.remove(&task, &address)),
        }
        started
    }

    async fn give_up(&self, task: TaskId) {
        let message = "its orchestrator ended abnormally more often than its supervision allows";
        if let Err(error) = self.abandon(task, "orchestrator_given_up", message).await {
            // Whatever the journal cannot take now is swept up when it can.
            tracing::error!(%task, %error, "a task whose orchestrator was given up could not be ended");
        }
    }
}
