//! Child specs of the factory: its own actor, the shards, each agent.

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use super::actor::{Janitor, Message as JanitorMessage};
use super::handle::{Factory, Inner};
use super::quarantine;
use super::registry::Registry;
use super::state::Residency;
use crate::config::settings;
use crate::control_plane::template::Supervision;
use crate::data_plane::agent::abandon::abandon;
use crate::data_plane::agent::{Agent, Arguments, Environment, Life, Message, OnChange, Pulse, Resident};
use crate::domain::id::{AgentId, TaskId};
use crate::journal::state::State;
use crate::supervision::{
    Address, ChildSpec, Exit, Intensity, OnStuck, Restart, RestartLedger, Shutdown, Strategy, SupervisorHandle,
    SupervisorSpec,
};

/// Told when the supervisor of a shard, named by its number, has started.
pub type OnShard = Arc<dyn Fn(usize) + Send + Sync>;

/// How long an agent may be at one message before it counts as stuck: its handlers hand slow work on.
const STUCK_AFTER: Duration = Duration::from_secs(30);

/// Restarts of the shards' supervisor, and of each shard, that are borne.
const SHARD_INTENSITY: Intensity = Intensity { restarts: 10, period: Duration::from_secs(10) };

impl Factory {
    /// Makes the factory: its handle, the spec of its own actor, and the spec of the supervisor of all agents, under which
    /// each of `shards` shards supervises its part of them. `ledger` remembers which agents are in quarantine. `on_shard` is told
    /// whenever a shard has started.
    #[must_use]
    pub fn start(
        environment: Environment,
        settings: &settings::Agents,
        shards: usize,
        ledger: Option<Arc<dyn RestartLedger>>,
        on_shard: OnShard,
    ) -> (Self, [ChildSpec; 2]) {
        let handles: Vec<_> = (0..shards.max(1)).map(|n| SupervisorHandle::new(format!("agents/{n}"))).collect();
        let factory = Self(Arc::new_cyclic(|weak: &Weak<Inner>| {
            let weak = Weak::clone(weak);
            let on_change: OnChange = Arc::new(move |pulse| {
                if let Some(inner) = weak.upgrade() {
                    Self(inner).changed(pulse);
                }
            });
            let residency = Mutex::new(Residency::new(settings.active_max));
            let (living, shards, settings) = (Registry::new(), handles.clone(), settings.clone());
            Inner { environment, living, residency, on_change, shards, settings, ledger }
        }));
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

/// The restarts of an agent or plan that its template lets it have.
///
/// Whatever runs a task is started again after an abnormal end and not after a normal one, when its work is done: started
/// again all the same, as `permanent` says, it would find nothing to do. What `temporary` forbids to start again is given up at
/// its first abnormal end, so that its task fails instead of waiting for ever.
#[must_use]
pub fn borne(supervision: &Supervision) -> Intensity {
    match supervision.restart {
        Restart::Permanent | Restart::Transient => supervision.intensity,
        Restart::Temporary => Intensity { restarts: 0, ..supervision.intensity },
    }
}

/// How one agent is started, restarted, and given up.
pub(super) fn agent(factory: &Factory, pulse: Arc<Pulse>, address: &Address<Message>) -> ChildSpec {
    let environment = factory.0.environment.clone();
    let (agent, supervision) = (pulse.resident().agent, pulse.resident().supervision);
    // An actor that held the factory would keep itself alive through it.
    let weak = Arc::downgrade(&factory.0);
    let on_leave = {
        let (weak, address) = (Weak::clone(&weak), address.clone());
        Arc::new(move |resident: &Resident| {
            if let Some(inner) = weak.upgrade() {
                Factory(inner).left(resident, &address);
            }
        })
    };
    let given_up = (Arc::clone(&pulse), address.clone());
    let arguments = Arguments { environment, pulse, on_leave };
    ChildSpec::worker(address, move || (Agent, arguments.clone()))
        .restart(Restart::Transient)
        .shutdown(Shutdown::Timeout(Duration::from_secs(1)))
        .intensity(borne(&supervision))
        .backoff(supervision.backoff)
        .group("agents")
        .ledger_key(quarantine::ledger_key(agent))
        .stuck_after(STUCK_AFTER, OnStuck::Report)
        .on_give_up(Arc::new(move |fact| {
            if let Some(inner) = weak.upgrade() {
                let ((pulse, address), exit) = (given_up.clone(), fact.exit.clone());
                tokio::spawn(async move { give_up(&Factory(inner), &pulse, &address, &exit).await });
            }
        }))
}

/// Ends the task at hand of an agent that ended too often, so that a poisonous task does not loop for ever; the tasks behind it
/// get an agent anew, unless that was once too often: then they wait for its release.
pub(super) async fn give_up(factory: &Factory, pulse: &Pulse, address: &Address<Message>, exit: &Exit) {
    let resident = pulse.resident();
    // Before the task at hand ends, so that whoever hears of that and submits the next meets the quarantine.
    let is_quarantined = resident.life == Life::Registered && factory.quarantine_if_due(resident.agent, exit);
    let journal = &factory.0.environment.journal;
    let open = journal.open_tasks_of(resident.agent);
    let begun = |task: &&TaskId| journal.watch(**task).is_some_and(|open| open.borrow().state != State::Queued);
    // A task that was retried has begun too while it waits behind the one that ends the agent.
    let known = pulse.at_hand().filter(|task| open.contains(task));
    let at_hand = known.or_else(|| open.iter().find(begun).or(open.first()).copied());
    let message = "its agent ended abnormally more often than its supervision allows";
    if let Some(task) = at_hand
        && let Err(error) = abandon(&factory.0.environment, task, "agent_given_up", message).await
    {
        // Whatever the journal cannot take now is swept up when it can.
        tracing::error!(%task, %error, "a task of an agent that was given up could not be ended");
        factory.forget(resident.agent, address);
        return;
    }
    if is_quarantined {
        factory.forget(resident.agent, address);
    } else {
        factory.left(resident, address);
    }
}
