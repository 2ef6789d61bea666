//! Agents that leave memory while tasks come for them. The tasks' deadline has passed, so that an agent ends each as soon as it
//! takes it up.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::timeout;

use crate::config::settings::Agents;
use crate::control_plane::template::Supervision;
use crate::data_plane::agent::tests::office::Office;
use crate::data_plane::factory::{Census, Factory};
use crate::domain::clock::Timestamp;
use crate::domain::id::AgentId;
use crate::supervision::{Strategy, SupervisorHandle, SupervisorSpec, start_root};

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
        let (factory, [agents, _]) = Factory::start(office.environment.clone(), &settings, 2, Arc::new(|_| {}));
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
