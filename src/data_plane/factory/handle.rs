//! The factory's handle: creates, finds, activates and stops agents.

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use metrics::histogram;

use super::registry::{Claim, Registry};
use super::{Error, spec};
use crate::control_plane::template::Supervision;
use crate::data_plane::agent::{Environment, Life, Message, Pulse, Resident};
use crate::domain::clock::Timestamp;
use crate::domain::id::{AgentId, TaskId};
use crate::domain::name::{TemplateName, Tenant, User};
use crate::journal::agents::AgentRecord;
use crate::journal::order::Order;
use crate::store::Batch;
use crate::supervision::{Address, CallError, SupervisorHandle};

/// How long a hint may wait for an agent that is being restarted. What it says is in the journal anyway.
const HINT_PATIENCE: Duration = Duration::from_secs(5);

/// What an agent is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Presence {
    /// It works on a task.
    Active,
    /// It is in memory and waits.
    Idle,
    /// It is stored only.
    Passive,
}

/// Makes agents and brings tasks to them. Cheap to clone.
#[derive(Clone)]
pub struct Factory(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) environment: Environment,
    pub(super) living: Registry<AgentId, Message>,
    pub(super) pulses: DashMap<AgentId, Arc<Pulse>>,
    pub(super) shards: Vec<SupervisorHandle>,
}

impl Factory {
    /// Makes a registered agent durable. It is passive until its first task.
    ///
    /// # Errors
    /// The journal failed: there is no such agent.
    pub async fn create(&self, agent: &AgentRecord, with: Batch) -> Result<(), Error> {
        let began = tokio::time::Instant::now();
        self.0.environment.journal.agents().create(agent, with).await?;
        histogram!("factory_agent_creation_seconds").record(began.elapsed().as_secs_f64());
        Ok(())
    }

    /// Stops a registered agent for good; a task at hand is finished first.
    ///
    /// # Errors
    /// The journal failed: the agent is as it was.
    pub async fn stop(&self, agent: &AgentRecord, at: Timestamp, with: Batch) -> Result<(), Error> {
        self.0.environment.journal.agents().stop(agent, at, with).await?;
        if let Some(address) = self.0.living.find(&agent.agent) {
            // One that is not running has nothing to end.
            let _gone = address.cast(Message::Passivate).is_err();
        }
        Ok(())
    }

    /// Brings an open task to its agent, activating it where it is passive, supervised as its template says. Doing so again is
    /// harmless.
    ///
    /// # Errors
    /// The agent's actor did not start. The task is open all the same; whoever dispatches again brings it on.
    pub async fn assign(&self, order: &Order, supervision: Supervision) -> Result<(), Error> {
        let agent = order.agent();
        loop {
            match self.0.living.claim(&agent) {
                // It finds the task in the journal when it starts.
                Claim::Vacant(address) => {
                    let resident = Resident::of(order, supervision);
                    return self.activate(resident, address).await;
                }
                Claim::Served(address) => {
                    match address.call(HINT_PATIENCE, |heard| Message::Run(order.task, heard)).await {
                        // Whatever keeps a living agent from answering, it looks into the journal when it starts anew.
                        Ok(()) | Err(CallError::Interrupted(_) | CallError::TimedOut(_)) => return Ok(()),
                        Err(CallError::NotRunning(_)) => {
                            // It ended without a word, together with its supervisor. Of those who find that out one starts anew.
                            self.0.living.remove(&agent, &address);
                        }
                    }
                }
            }
        }
    }

    /// Whether an agent is in memory, or on its way there.
    #[must_use]
    pub fn knows(&self, agent: AgentId) -> bool {
        self.0.living.find(&agent).is_some()
    }

    /// A registered agent of a template that is in memory and waits, and that serves this tenant and user: its memory is theirs.
    #[must_use]
    pub fn free_agent(&self, template: &TemplateName, tenant: &Tenant, user: Option<&User>) -> Option<AgentId> {
        let fits = |pulse: &Pulse| {
            let resident = pulse.resident();
            resident.life == Life::Registered
                && resident.template == *template
                && resident.tenant == *tenant
                && resident.user.as_ref() == user
        };
        self.0.pulses.iter().find(|pulse| !pulse.is_active() && fits(pulse)).map(|pulse| *pulse.key())
    }

    /// How often an agent in memory was restarted.
    #[must_use]
    pub fn restarts(&self, agent: AgentId) -> u32 {
        self.0.pulses.get(&agent).map_or(0, |pulse| pulse.restarts())
    }

    /// What an agent is doing.
    #[must_use]
    pub fn presence(&self, agent: AgentId) -> Presence {
        match self.0.pulses.get(&agent) {
            Some(pulse) if pulse.is_active() => Presence::Active,
            Some(_) => Presence::Idle,
            None => Presence::Passive,
        }
    }

    /// How many agents work on a task, and how many are in memory and wait.
    #[must_use]
    pub fn census(&self) -> (usize, usize) {
        let active = self.0.pulses.iter().filter(|pulse| pulse.is_active()).count();
        (active, self.0.pulses.len().saturating_sub(active))
    }

    /// Forgets the agents of a shard whose supervisor was started anew: they ended with its predecessor.
    pub fn forget_shard(&self, shard: usize) {
        let count = self.0.shards.len();
        self.0.living.forget(|agent| spec::shard_of(*agent, count) == shard);
        self.0.pulses.retain(|agent, _| spec::shard_of(*agent, count) != shard || self.0.living.find(agent).is_some());
    }

    /// Passivates registered agents that have been idle for longer than `limit`.
    pub(super) fn passivate_idle(&self, limit: Duration, now: Timestamp) {
        for entry in &self.0.pulses {
            let idle = entry.value().idle_since().is_some_and(|since| now.since(since) > limit);
            if idle && let Some(address) = self.0.living.find(entry.key()) {
                // One that has just ended needs no asking.
                let _gone = address.cast(Message::Passivate).is_err();
            }
        }
    }

    async fn activate(&self, resident: Resident, address: Address<Message>) -> Result<(), Error> {
        let agent = resident.agent;
        let pulse = Pulse::new(resident);
        self.0.pulses.insert(agent, Arc::clone(&pulse));
        let shard = spec::shard_of(agent, self.0.shards.len());
        let child = spec::agent(self, pulse, &address);
        let Some(supervisor) = self.0.shards.get(shard) else { return Err(Error::Unknown(agent)) };
        match supervisor.start_child(child).await {
            Ok(()) => {
                self.0.living.started(&agent, &address);
                Ok(())
            }
            Err(fault) => {
                self.forget(agent, &address);
                Err(Error::Activate { agent, fault })
            }
        }
    }

    pub(super) fn forget(&self, agent: AgentId, address: &Address<Message>) {
        if self.0.living.remove(&agent, address) {
            self.0.pulses.remove(&agent);
        }
    }

    /// Forgets an agent that has left in good order; if a task came for it at the last moment, or its own was reopened, it is
    /// activated again.
    pub(super) fn left(&self, resident: &Resident, address: &Address<Message>) {
        self.forget(resident.agent, address);
        for task in self.0.environment.journal.open_tasks_of(resident.agent) {
            self.reassign(task, resident.supervision);
        }
    }

    /// Brings an open task to its agent without anybody waiting for it.
    pub(super) fn reassign(&self, task: TaskId, supervision: Supervision) {
        let Some(open) = self.0.environment.journal.watch(task) else { return };
        let (factory, order) = (self.clone(), open.borrow().order.clone());
        tokio::spawn(async move {
            if let Err(error) = factory.assign(&order, supervision).await {
                tracing::warn!(%task, %error, "a task could not be brought to its agent; the next sweep does");
            }
        });
    }
}
