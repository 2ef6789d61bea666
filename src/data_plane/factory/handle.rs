//! The factory's handle: creates, finds, activates and stops agents.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::{counter, histogram};

use super::registry::{Claim, Registry};
use super::state::{Admittance, Census, Residency, Waiting};
use super::{Error, spec};
use crate::config::settings;
use crate::control_plane::template::Supervision;
use crate::data_plane::agent::{Environment, Message, OnChange, Pulse, Resident};
use crate::domain::clock::Timestamp;
use crate::domain::id::AgentId;
use crate::domain::name::{TemplateName, Tenant, User};
use crate::journal::agents::AgentRecord;
use crate::journal::order::Order;
use crate::store::Batch;
use crate::supervision::{Address, CallError, RestartLedger, SupervisorHandle};
use crate::telemetry::names::AGENT_PASSIVATIONS_TOTAL;

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
    /// Held while a seat is given and claimed, or given back, so that both change together.
    pub(super) residency: Mutex<Residency>,
    pub(super) on_change: OnChange,
    pub(super) shards: Vec<SupervisorHandle>,
    pub(super) settings: settings::Agents,
    /// Who remembers which agents were given up; without it none is ever in quarantine.
    pub(super) ledger: Option<Arc<dyn RestartLedger>>,
}

/// How the actor that serves an agent was found.
enum Found {
    /// It is in memory, or on its way there.
    Served(Address<Message>, Option<Arc<Pulse>>),
    /// The caller is to start it.
    Vacant(Address<Message>),
    /// It waits for a seat.
    Waits,
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
    /// harmless. Where as many agents are in memory as may be, the task stays open, and its agent waits for a seat; a task of an
    /// agent in quarantine waits until that is released.
    ///
    /// # Errors
    /// The agent's actor did not start. The task is open all the same; whoever dispatches again brings it on.
    pub async fn assign(&self, order: &Order, supervision: Supervision) -> Result<(), Error> {
        let agent = order.agent();
        if order.registered_agent().is_some() && self.is_quarantined(agent) {
            tracing::debug!(task = %order.task, %agent, "a task waits for its agent's release from quarantine");
            return Ok(());
        }
        let wanted = Waiting { agent, task: order.task, supervision };
        loop {
            match self.find(wanted) {
                Found::Waits => return Ok(()),
                // It finds the task in the journal when it starts.
                Found::Vacant(address) => {
                    let resident = Resident::of(order, supervision);
                    return self.activate(resident, address).await;
                }
                Found::Served(address, pulse) => {
                    let hint = address.call(HINT_PATIENCE, |heard| Message::Run(order.task, heard));
                    tokio::select! {
                        heard = hint => match heard {
                            // Whatever keeps a living agent from answering, it looks into the journal when it starts anew.
                            Ok(()) | Err(CallError::Interrupted(_) | CallError::TimedOut(_)) => return Ok(()),
                            // Its restart is put off for longer than a hint waits; it finds the task when it starts. Another
                            // actor for it would know neither its backoff nor how often it has failed.
                            Err(CallError::NotRunning(_)) if self.is_supervised(agent, &address).await? => return Ok(()),
                            // It ended without a word, together with its supervisor. Of those who find that out one starts anew.
                            Err(CallError::NotRunning(_)) => self.forget(agent, &address),
                        },
                        // The task was open before it left, so that `left` finds it.
                        () = leaves(pulse) => return Ok(()),
                    }
                }
            }
        }
    }

    /// Whether an agent that is not in memory would find a seat at this moment.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.residency().has_room()
    }

    /// Whether an agent is in memory, or on its way there.
    #[must_use]
    pub fn knows(&self, agent: AgentId) -> bool {
        self.0.living.find(&agent).is_some()
    }

    /// A registered agent of a template that is in memory and waits, and that serves this tenant and user: its memory is theirs.
    #[must_use]
    pub fn free_agent(&self, template: &TemplateName, tenant: &Tenant, user: Option<&User>) -> Option<AgentId> {
        self.residency().free(template, tenant, user)
    }

    /// How often an agent in memory was restarted.
    #[must_use]
    pub fn restarts(&self, agent: AgentId) -> u32 {
        self.residency().pulse(agent).map_or(0, |pulse| pulse.restarts())
    }

    /// What an agent is doing.
    #[must_use]
    pub fn presence(&self, agent: AgentId) -> Presence {
        match self.residency().pulse(agent) {
            Some(pulse) if pulse.is_active() => Presence::Active,
            Some(_) => Presence::Idle,
            None => Presence::Passive,
        }
    }

    /// How many agents there are in memory.
    #[must_use]
    pub fn census(&self) -> Census {
        self.residency().census()
    }

    /// Forgets the agents of a shard whose supervisor was started anew: they ended with its predecessor.
    pub fn forget_shard(&self, shard: usize) {
        let count = self.0.shards.len();
        let of_shard = |agent: AgentId| spec::shard_of(agent, count) == shard;
        let invited = {
            let mut residency = self.residency();
            self.0.living.forget(|agent| of_shard(*agent));
            residency.lose(|agent| of_shard(agent) && self.0.living.find(&agent).is_none())
        };
        self.invite(invited);
    }

    /// Asks these agents to leave memory. One that has a task by now stays.
    pub fn ask_to_leave(&self, agents: impl IntoIterator<Item = AgentId>) {
        for agent in agents {
            if let Some(address) = self.0.living.find(&agent) {
                // One that has just ended needs no asking, and one that is being restarted tells that it is idle.
                let _gone = address.cast(Message::Passivate).is_err();
            }
        }
    }

    pub(super) fn residency(&self) -> MutexGuard<'_, Residency> {
        self.0.residency.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An agent works now, or has nothing to do.
    pub(super) fn changed(&self, pulse: &Pulse) {
        let agent = pulse.resident().agent;
        let asked = {
            let mut residency = self.residency();
            if !residency.pulse(agent).is_some_and(|known| std::ptr::eq(Arc::as_ptr(known), pulse)) {
                // A former life of the agent.
                return;
            }
            if pulse.is_active() {
                residency.works(agent);
                None
            } else {
                residency.rests(agent, Timestamp::now())
            }
        };
        self.make_room(asked);
    }

    /// INVARIANT: whoever has an address in the registry has a seat.
    fn find(&self, wanted: Waiting) -> Found {
        let agent = wanted.agent;
        let asked = {
            let mut residency = self.residency();
            if let Some(address) = self.0.living.find(&agent) {
                return Found::Served(address, residency.pulse(agent).cloned());
            }
            match residency.enter(wanted) {
                Admittance::Seated => match self.0.living.claim(&agent) {
                    Claim::Vacant(address) => return Found::Vacant(address),
                    Claim::Served(address) => return Found::Served(address, None),
                },
                Admittance::Waits(asked) => asked,
            }
        };
        self.make_room(asked);
        Found::Waits
    }

    fn make_room(&self, asked: Option<AgentId>) {
        if asked.is_some() {
            counter!(AGENT_PASSIVATIONS_TOTAL, "reason" => "room").increment(1);
            self.ask_to_leave(asked);
        }
    }

    async fn activate(&self, resident: Resident, address: Address<Message>) -> Result<(), Error> {
        let agent = resident.agent;
        let pulse = Pulse::new(resident, Arc::clone(&self.0.on_change));
        self.residency().settle(agent, Arc::clone(&pulse));
        let shard = spec::shard_of(agent, self.0.shards.len());
        let child = spec::agent(self, pulse, &address);
        let started = match self.0.shards.get(shard) {
            Some(supervisor) => supervisor.start_child(child).await.map_err(|fault| Error::Activate { agent, fault }),
            None => Err(Error::Unknown(agent)),
        };
        match started {
            Ok(()) => self.0.living.started(&agent, &address),
            Err(_) => self.forget(agent, &address),
        }
        started
    }

    /// Whether the actor at this address is a child of its shard, which starts it again if it does not run.
    async fn is_supervised(&self, agent: AgentId, address: &Address<Message>) -> Result<bool, Error> {
        let supervisor = self.0.shards.get(spec::shard_of(agent, self.0.shards.len())).ok_or(Error::Unknown(agent))?;
        supervisor.has_child(address.name()).await.map_err(|fault| Error::Activate { agent, fault })
    }

    pub(super) fn forget(&self, agent: AgentId, address: &Address<Message>) {
        let invited = {
            let mut residency = self.residency();
            if self.0.living.remove(&agent, address) { residency.leaves(agent) } else { Vec::new() }
        };
        self.invite(invited);
    }

    /// Activates those who waited for a seat and have one now; who has no open task any more gives it to the next.
    fn invite(&self, invited: Vec<Waiting>) {
        let mut invited = VecDeque::from(invited);
        while let Some(Waiting { agent, supervision, .. }) = invited.pop_front() {
            match self.open_order(agent) {
                Some(order) => self.reassign(order, supervision),
                None => invited.extend(self.residency().leaves(agent)),
            }
        }
    }

    /// Forgets an agent that has left in good order; if a task came for it at the last moment, or its own was reopened, it is
    /// activated again.
    pub(super) fn left(&self, resident: &Resident, address: &Address<Message>) {
        self.forget(resident.agent, address);
        if let Some(order) = self.open_order(resident.agent) {
            self.reassign(order, resident.supervision);
        }
    }

    /// An open task of an agent. One is enough to activate it: when it starts it looks for all of them.
    fn open_order(&self, agent: AgentId) -> Option<Arc<Order>> {
        let journal = &self.0.environment.journal;
        journal.open_tasks_of(agent).into_iter().find_map(|task| Some(journal.watch(task)?.borrow().order.clone()))
    }

    /// Brings an open task to its agent without anybody waiting for it.
    fn reassign(&self, order: Arc<Order>, supervision: Supervision) {
        let factory = self.clone();
        tokio::spawn(async move {
            if let Err(error) = factory.assign(&order, supervision).await {
                tracing::warn!(task = %order.task, %error, "a task could not be brought to its agent; the next sweep does");
            }
            factory.vacate(order.agent());
        });
    }

    /// Gives the seat of an agent on that nobody is starting: whoever was to do so did not want it after all.
    fn vacate(&self, agent: AgentId) {
        let invited = {
            let mut residency = self.residency();
            match self.0.living.find(&agent) {
                Some(_) => return,
                None => residency.leaves(agent),
            }
        };
        self.invite(invited);
    }
}

async fn leaves(pulse: Option<Arc<Pulse>>) {
    match pulse {
        Some(pulse) => pulse.leaves().await,
        None => std::future::pending().await,
    }
}
