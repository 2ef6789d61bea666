//! Child specs of the factory: its own actor, the shards, each agent.

use std::sync::{Arc, Weak};
use std::time::Duration;

use dashmap::DashMap;

use super::actor::{Janitor, Message as JanitorMessage};
use super::handle::{Factory, Inner};
use super::registry::Registry;
use crate::data_plane::agent::{Agent, Arguments, Environment, Life, Message, Pulse};
use crate::domain::clock::Timestamp;
use crate::domain::id::AgentId;
use crate::journal::record::{Ended, Outcome, TaskRecord};
use crate::store::Batch;
use crate::supervision::{
    Address, Backoff, ChildSpec, Intensity, Restart, Shutdown, Strategy, SupervisorHandle, SupervisorSpec,
};

/// Told when the supervisor of a shard, named by its number, has started.
pub type OnShard = Arc<dyn Fn(usize) + Send + Sync>;

/// Restarts of one agent that are borne, unless its template says otherwise.
const AGENT_INTENSITY: Intensity = Intensity { restarts: 5, period: Duration::from_secs(60) };
/// The spacing of an agent's restarts, unless its template says otherwise.
const AGENT_BACKOFF: Backoff = Backoff { initial: Duration::from_millis(200), max: Duration::from_secs(30) };
/// Restarts of the shards' supervisor, and of each shard, that are borne.
const SHARD_INTENSITY: Intensity = Intensity { restarts: 10, period: Duration::from_secs(10) };

impl Factory {
    /// Makes the factory: its handle, the spec of its own actor, and the spec of the supervisor of all agents, under which
    /// each of `shards` shards supervises its part of them. `on_shard` is told whenever a shard has started.
    #[must_use]
    pub fn start(environment: Environment, shards: usize, on_shard: OnShard) -> (Self, [ChildSpec; 2]) {
        let handles: Vec<_> = (0..shards.max(1)).map(|n| SupervisorHandle::new(format!("agents/{n}"))).collect();
        let inner = Inner { environment, living: Registry::new(), pulses: DashMap::new(), shards: handles.clone() };
        let factory = Self(Arc::new(inner));
        let all = SupervisorHandle::new("agents");
        let agents = ChildSpec::supervisor(&all, move || {
            let spec = SupervisorSpec::new("agents", Strategy::OneForOne).intensity(SHARD_INTENSITY);
            handles.iter().enumerate().fold(spec, |spec, (number, handle)| {
                let on_shard = Arc::clone(&on_shard);
                spec.child(ChildSpec::supervisor(handle, move || shard(number, &on_shard)))
            })
        });
        let address: Address<JanitorMessage> = Address::new("factory");
        let own = factory.clone();
        let janitor = ChildSpec::worker(&address, move || (Janitor, own.clone()));
        (factory, [agents, janitor])
    }
}

fn shard(number: usize, on_shard: &OnShard) -> SupervisorSpec {
    let on_shard = Arc::clone(on_shard);
    SupervisorSpec::new(format!("agents/{number}"), Strategy::Dynamic).on_start(Arc::new(move || on_shard(number)))
}

/// The shard that an agent belongs to.
pub(super) fn shard_of(agent: AgentId, shards: usize) -> usize {
    let last = agent.as_bytes().last().copied().unwrap_or_default();
    usize::from(last).checked_rem(shards).unwrap_or_default()
}

/// How one agent is started, restarted, and given up.
pub(super) fn agent(
    factory: &Factory,
    agent: AgentId,
    life: Life,
    pulse: Arc<Pulse>,
    address: &Address<Message>,
) -> ChildSpec {
    let environment = factory.0.environment.clone();
    // An actor that held the factory would keep itself alive through it.
    let weak = Arc::downgrade(&factory.0);
    let on_end = {
        let (weak, address) = (Weak::clone(&weak), address.clone());
        Arc::new(move |agent| {
            if let Some(inner) = weak.upgrade() {
                Factory(inner).ended(agent, &address);
            }
        })
    };
    let arguments = Arguments { agent, life, environment, pulse, on_end };
    let given_up = address.clone();
    ChildSpec::worker(address, move || (Agent, arguments.clone()))
        .restart(Restart::Transient)
        .shutdown(Shutdown::Timeout(Duration::from_secs(1)))
        .intensity(AGENT_INTENSITY)
        .backoff(AGENT_BACKOFF)
        .group("agents")
        .on_give_up(Arc::new(move |_| {
            if let Some(inner) = weak.upgrade() {
                give_up(Factory(inner), agent, given_up.clone());
            }
        }))
}

/// Ends the tasks of an agent that ended too often, so that a poisonous task does not loop for ever.
fn give_up(factory: Factory, agent: AgentId, address: Address<Message>) {
    tokio::spawn(async move {
        let journal = &factory.0.environment.journal;
        for task in journal.open_tasks_of(agent) {
            let message = "its agent ended abnormally more often than its supervision allows".to_owned();
            let outcome = Outcome::Failed { code: "agent_given_up".to_owned(), message };
            let ended = TaskRecord::Ended(Ended { outcome, at: Timestamp::now() });
            if let Err(error) = journal.append(task, vec![ended], Batch::new()).await {
                tracing::error!(%agent, %task, %error, "a task of an agent that was given up could not be ended");
            }
        }
        factory.ended(agent, &address);
    });
}
