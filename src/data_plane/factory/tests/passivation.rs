//! Agents that leave memory while tasks come for them. The tasks' deadline has passed, so that an agent ends each as soon as it
//! takes it up.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{join, join_all};
use tokio::time::timeout;

use super::pulse;
use crate::config::settings::Agents;
use crate::control_plane::template::Supervision;
use crate::data_plane::agent::Life;
use crate::data_plane::agent::tests::office::Office;
use crate::data_plane::factory::actor::State;
use crate::data_plane::factory::policy::{self, Reading};
use crate::data_plane::factory::registry::Claim;
use crate::data_plane::factory::state::Waiting;
use crate::data_plane::factory::{Census, Factory};
use crate::domain::clock::Timestamp;
use crate::domain::id::AgentId;
use crate::domain::name::Tenant;
use crate::supervision::{Backoff, NodeState, Strategy, SupervisorHandle, SupervisorSpec, start_root};

/// Less than a hint waits for an agent that is being restarted: whoever waits for one that has left would wait longer.
const AT_ONCE: Duration = Duration::from_secs(4);
/// A task that a lost message delays is not found by a sweep here: it would never end.
const SOON: Duration = Duration::from_secs(20);

struct House {
    office: Office,
    factory: Factory,
    _tree: SupervisorHandle,
}

impl House {
    async fn with_seats(active_max: usize) -> Self {
        let office = Office::open().await;
        let settings = Agents { active_max, ..Agents::default() };
        let (factory, [agents, _]) = Factory::start(office.environment.clone(), &settings, 2, None, Arc::new(|_| {}));
        let spec = SupervisorSpec::new("root", Strategy::OneForOne).child(agents);
        Self { office, factory, _tree: start_root(spec).await.expect("a tree") }
    }

    /// Submits a task to an agent and brings it there.
    async fn bring(&self, agent: AgentId) {
        let order = self.office.submit_to(agent).await;
        let brought = timeout(AT_ONCE, self.factory.assign(&order, Supervision::default())).await;
        brought.expect("nobody waits for an agent that has left").expect("it is activated, or waits");
        let ended = self.office.journal().wait(order.task, SOON).await.expect("read").expect("a task");
        assert!(ended.state.has_ended(), "a task was lost while its agent left");
    }

    /// Does rounds until nobody is in memory.
    async fn empties(&self, janitor: &mut State, reading: Reading, now: Timestamp) {
        let emptied = async {
            while self.seated() != 0 {
                janitor.round(&[reading], now);
                tokio::task::yield_now().await;
            }
        };
        timeout(SOON, emptied).await.expect("agents that are asked to leave do");
    }

    /// Whether an agent of the tests' template is idle and was not asked to leave.
    fn keeps_one(&self) -> bool {
        let template = "worker".parse().expect("a name");
        self.factory.free_agent(&template, &Tenant::default_tenant(), None).is_some()
    }

    fn seated(&self) -> usize {
        let Census { at_work, idle, .. } = self.factory.census();
        at_work + idle
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_comes_while_its_agent_leaves_is_done_at_once() {
    let house = Arc::new(House::with_seats(10).await);
    let agent = AgentId::generate();
    let leaver = {
        let house = Arc::clone(&house);
        tokio::spawn(async move {
            loop {
                house.factory.passivate_idle(Timestamp::now(), 1, "idle");
                tokio::task::yield_now().await;
            }
        })
    };
    let clients = (0..4).map(|_| async {
        for _ in 0..100 {
            house.bring(agent).await;
        }
    });
    join_all(clients).await;
    leaver.abort();
    assert!(house.seated() <= 1, "one agent, one seat");
}

#[tokio::test]
async fn whoever_brings_a_task_to_an_agent_that_leaves_does_not_wait_for_another_life_of_it() {
    let house = House::with_seats(10).await;
    let agent = AgentId::generate();
    let order = house.office.submit_to(agent).await;
    // The agent has closed its mailbox and not yet given its address back.
    let pulse = pulse(agent, Life::Registered);
    let Claim::Vacant(address) = house.factory.0.living.claim(&agent) else { unreachable!("nobody serves it") };
    let supervision = Supervision::default();
    house.factory.residency().enter(Waiting { agent, task: order.task, supervision });
    house.factory.residency().settle(agent, Arc::clone(&pulse));
    let bringing = house.factory.assign(&order, supervision);
    let leaving = async { pulse.leave() };
    let (brought, ()) = timeout(AT_ONCE, join(bringing, leaving)).await.expect("it is not waited for");
    brought.expect("the task is open");
    house.factory.left(pulse.resident(), &address);
    let ended = house.office.journal().wait(order.task, SOON).await.expect("read").expect("a task");
    assert!(ended.state.has_ended(), "the factory looks for open tasks when an agent has left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_agents_leave_when_they_were_idle_for_long_and_sooner_while_memory_is_pressed() {
    let house = House::with_seats(10).await;
    let mut janitor = State::new(house.factory.clone());
    let agent = AgentId::generate();
    let rests = async || {
        house.bring(agent).await;
        let rested = async {
            while !house.keeps_one() {
                tokio::task::yield_now().await;
            }
        };
        timeout(SOON, rested).await.expect("its task has ended");
    };
    let limit = 1 << 30;
    let roomy = Reading::Used { bytes: 1 << 20, limit };
    let between_the_marks = Reading::Used { bytes: limit / 100 * (policy::LOW_MARK_PER_CENT + 1), limit };
    let full = Reading::Used { bytes: limit, limit };

    rests().await;
    for calm in [roomy, between_the_marks] {
        janitor.round(&[calm], Timestamp::now());
        assert!(house.keeps_one(), "it was not idle for long, and {calm:?} does not press");
    }
    house.empties(&mut janitor, full, Timestamp::now()).await;

    rests().await;
    house.empties(&mut janitor, between_the_marks, Timestamp::now()).await;
    janitor.round(&[roomy], Timestamp::now());

    rests().await;
    janitor.round(&[between_the_marks], Timestamp::now());
    assert!(house.keeps_one(), "memory is relaxed again");
    let long_after = Timestamp::now().after(Agents::default().idle_max);
    house.empties(&mut janitor, roomy, long_after).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_agents_than_seats_are_all_served_and_no_more_are_in_memory_than_may_be() {
    let house = House::with_seats(2).await;
    let clients = (0..8).map(|_| async {
        let agents: Vec<_> = (0..3).map(|_| AgentId::generate()).collect();
        for round in 0..30 {
            house.bring(agents[round % 3]).await;
            assert!(house.seated() <= 2, "{:?}", house.factory.census());
        }
    });
    join_all(clients).await;
    assert_eq!(house.factory.census().waiting, 0);
}

/// How the shards' children are: their names, and whether each runs.
async fn supervised(house: &House) -> Vec<(Arc<str>, NodeState)> {
    let children = house.factory.0.shards.iter().map(SupervisorHandle::which_children);
    let children = join_all(children).await.into_iter().flat_map(|children| children.expect("an answer"));
    children.map(|child| (child.id, child.state)).collect()
}

#[tokio::test]
async fn an_agent_whose_restart_is_put_off_for_long_gets_no_second_actor_beside_it() {
    let house = House::with_seats(10).await;
    let agent = AgentId::generate();
    let far = Duration::from_secs(600);
    let backoff = Backoff { initial: far, max: far };
    let supervision = Supervision { backoff, ..Supervision::default() };
    let first = house.office.submit_to(agent).await;
    house.factory.assign(&first, supervision).await.expect("activated");
    house.office.journal().wait(first.task, SOON).await.expect("read").expect("a task");

    // It is started again at once after its first crash, and put off after the second.
    let address = house.factory.0.living.find(&agent).expect("it is in memory");
    let put_off = async {
        loop {
            match supervised(&house).await.as_slice() {
                [(_, NodeState::Running)] => address.current().into_iter().for_each(|actor| actor.kill()),
                [(_, NodeState::Restarting)] if house.factory.restarts(agent) == 1 => return,
                _ => {}
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, put_off).await.expect("its restart is put off");
    let second = house.office.submit_to(agent).await;
    tokio::time::pause();
    house.factory.assign(&second, supervision).await.expect("the task is open");
    assert_eq!(supervised(&house).await, [(address.name().clone(), NodeState::Restarting)]);
    tokio::time::advance(far).await;
    tokio::time::resume();
    let ended = house.office.journal().wait(second.task, SOON).await.expect("read").expect("a task");
    assert!(ended.state.has_ended(), "it finds the task when it starts");
    assert_eq!((house.seated(), supervised(&house).await.len()), (1, 1));
}
