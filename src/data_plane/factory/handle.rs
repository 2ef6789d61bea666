//! The factory's handle: creates, finds, activates and stops agents.

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use metrics::histogram;

use super::registry::{Claim, Registry};
use super::{Error, spec};
use crate::data_plane::agent::{Environment, Life, Message, Pulse};
use crate::domain::clock::Timestamp;
use crate::domain::id::{AgentId, TaskId};
use crate::journal::agents::AgentRecord;
use crate::journal::order::Order;
use crate::store::Batch;
use crate::supervision::{Address, SupervisorHandle};

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

    /// Brings an open task to its agent, activating it where it is passive. Doing so again is harmless.
    ///
    /// # Errors
    /// The agent's actor did not start. The task is open all the same; whoever dispatches again brings it on.
    pub async fn assign(&self, order: &Order) -> Result<(), Error> {
        let agent = order.agent();
        match self.0.living.claim(&agent) {
            // It finds the task in the journal when it starts.
            Claim::Vacant(address) => {
                let life = order.registered_agent().map_or(Life::OneTask, |_| Life::Registered);
                self.activate(agent, life, address).await
            }
            Claim::Served(address) => {
                self.hint(agent, &address, order.task).await;
                Ok(())
            }
        }
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
        self.0.pulses.retain(|agent, _| spec::shard_of(*agent, count) != shard);
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

    async fn activate(&self, agent: AgentId, life: Life, address: Address<Message>) -> Result<(), Error> {
        let pulse = Pulse::new();
        self.0.pulses.insert(agent, Arc::clone(&pulse));
        let shard = spec::shard_of(agent, self.0.shards.len());
        let child = spec::agent(self, agent, life, pulse, &address);
        let Some(supervisor) = self.0.shards.get(shard) else { return Err(Error::Unknown(agent)) };
        supervisor.start_child(child).await.map_err(|fault| {
            self.ended(agent, &address);
            Error::Activate { agent, fault }
        })
    }

    async fn hint(&self, agent: AgentId, address: &Address<Message>, task: TaskId) {
        if let Err(fault) = address.call(HINT_PATIENCE, |heard| Message::Run(task, heard)).await {
            // The agent ends or is restarted at this moment; it looks into the journal when it is there again.
            tracing::debug!(%agent, %task, %fault, "the agent did not hear of its task");
        }
    }

    /// Forgets an agent that has ended; if a task came for it at the last moment, it is activated again.
    pub(super) fn ended(&self, agent: AgentId, address: &Address<Message>) {
        self.0.living.remove(&agent, address);
        if self.0.living.find(&agent).is_none() {
            self.0.pulses.remove(&agent);
        }
        for task in self.0.environment.journal.open_tasks_of(agent) {
            if let Some(open) = self.0.environment.journal.watch(task) {
                let (factory, order) = (self.clone(), open.borrow().order.clone());
                tokio::spawn(async move {
                    if let Err(error) = factory.assign(&order).await {
                        tracing::warn!(%agent, %task, %error, "a task could not be brought to its agent");
                    }
                });
            }
        }
    }
}
