//! Room for one more task. What is open and what is on its way there count together, so that submissions at the same moment
//! cannot all pass through the last free place.
//!
//! INVARIANT: a task is counted once, from the moment it is let in until it ends: it becomes open, and stops being on its way, in
//! one step.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Refusal;
use crate::domain::id::AgentId;
use crate::domain::name::TemplateName;
use crate::journal::Journal;

/// The most bytes that the inputs of all open tasks may have together; they are held in memory.
pub const OPEN_INPUT_BYTES_MAX: usize = 512 * 1024 * 1024;

/// The tasks that were let in and are not open yet.
#[derive(Clone, Default)]
pub(super) struct Entrance(Arc<Mutex<Entering>>);

#[derive(Default)]
struct Entering {
    tasks: usize,
    input_bytes: usize,
    of_templates: HashMap<TemplateName, usize>,
    of_agents: HashMap<AgentId, usize>,
}

/// Who wants to come in, and how many may be there.
pub(super) struct Wanted<'a> {
    pub(super) template: &'a TemplateName,
    /// The registered agent that is to do it, if it is one.
    pub(super) agent: Option<AgentId>,
    pub(super) input_bytes: usize,
    pub(super) most: Most,
}

/// How many open tasks there may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    /// In all.
    pub(super) tasks: usize,
    /// Of this template, where it says so.
    pub(super) of_template: Option<usize>,
    /// Of one registered agent.
    pub(super) of_agent: usize,
}

/// The place of a task that is not open yet; free again when this is dropped.
pub(super) struct Place {
    /// None once it has been given back.
    entrance: Option<Entrance>,
    template: TemplateName,
    agent: Option<AgentId>,
    input_bytes: usize,
}

impl Entrance {
    /// Lets a task in where there is room.
    ///
    /// # Errors
    /// [`Refusal::Overloaded`] or [`Refusal::QueueFull`]: as much is open as may be.
    pub(super) fn enter(&self, journal: &Journal, wanted: &Wanted<'_>) -> Result<Place, Refusal> {
        let Wanted { template, agent, input_bytes, most } = *wanted;
        let mut entering = self.entering();
        if journal.open_count().saturating_add(entering.tasks) >= most.tasks {
            return Err(Refusal::Overloaded { what: "open tasks", limit: most.tasks });
        }
        let bytes = journal.open_input_bytes().saturating_add(entering.input_bytes);
        if bytes.saturating_add(input_bytes) > OPEN_INPUT_BYTES_MAX {
            return Err(Refusal::Overloaded { what: "bytes of input of open tasks", limit: OPEN_INPUT_BYTES_MAX });
        }
        let of_template = entering.of_templates.get(template).copied().unwrap_or_default();
        if let Some(limit) = most.of_template
            && journal.open_count_of(template).saturating_add(of_template) >= limit
        {
            return Err(Refusal::Overloaded { what: "open tasks of this template", limit });
        }
        if let Some(agent) = agent {
            let of_agent = entering.of_agents.get(&agent).copied().unwrap_or_default();
            if journal.open_count_of_agent(agent).saturating_add(of_agent) >= most.of_agent {
                return Err(Refusal::QueueFull { agent, limit: most.of_agent });
            }
            entering.of_agents.insert(agent, of_agent.saturating_add(1));
        }
        entering.tasks = entering.tasks.saturating_add(1);
        entering.input_bytes = entering.input_bytes.saturating_add(input_bytes);
        entering.of_templates.insert(template.clone(), of_template.saturating_add(1));
        drop(entering);
        Ok(Place { entrance: Some(self.clone()), template: template.clone(), agent, input_bytes })
    }

    fn entering(&self) -> MutexGuard<'_, Entering> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entering {
    fn leave(&mut self, place: &Place) {
        self.tasks = self.tasks.saturating_sub(1);
        self.input_bytes = self.input_bytes.saturating_sub(place.input_bytes);
        one_less(&mut self.of_templates, &place.template);
        if let Some(agent) = &place.agent {
            one_less(&mut self.of_agents, agent);
        }
    }
}

fn one_less<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

impl Place {
    /// The task becomes open by `open`, and gives its place back in the same step, so that nobody counts it twice or not at all.
    pub(super) fn open(mut self, open: &mut dyn FnMut()) {
        let Some(entrance) = self.entrance.take() else { return open() };
        let mut entering = entrance.entering();
        open();
        entering.leave(&self);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(entrance) = self.entrance.take() {
            entrance.entering().leave(self);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::domain::money::Usd;
    use crate::journal::Beginning;
    use crate::journal::order::{Order, Registered, Worker};
    use crate::journal::tests::Desk;
    use crate::store::Batch;

    const MOST: Most = Most { tasks: 3, of_template: Some(2), of_agent: 2 };

    fn beginning(order: Order) -> Beginning {
        Beginning { order, reserved: Usd::ZERO, at: Timestamp::now(), first: None, with: Batch::new() }
    }

    fn wanted(template: &TemplateName, input_bytes: usize) -> Wanted<'_> {
        Wanted { template, agent: None, input_bytes, most: MOST }
    }

    fn refused(answer: Result<Place, Refusal>) -> &'static str {
        match answer.map(drop) {
            Err(Refusal::Overloaded { what, .. }) => what,
            Err(Refusal::QueueFull { .. }) => "open tasks of this agent",
            other => panic!("not refused: {other:?}"),
        }
    }

    fn left(entrance: &Entrance) -> (usize, usize, usize, usize) {
        let left = entrance.entering();
        (left.tasks, left.input_bytes, left.of_templates.len(), left.of_agents.len())
    }

    #[tokio::test]
    async fn who_is_on_the_way_in_counts_as_who_is_in_and_whoever_turns_back_does_not() {
        let (desk, entrance) = (Desk::open(), Entrance::default());
        // The desk's own tasks are of this template.
        let (worker, other): (TemplateName, TemplateName) = ("worker".parse().unwrap(), "other".parse().unwrap());
        desk.open_task("acme").await;
        let second = entrance.enter(&desk.journal, &wanted(&worker, 0)).expect("one is open");
        assert_eq!(refused(entrance.enter(&desk.journal, &wanted(&worker, 0))), "open tasks of this template");
        let third = entrance.enter(&desk.journal, &wanted(&other, OPEN_INPUT_BYTES_MAX - 5)).expect("just fits");
        assert_eq!(refused(entrance.enter(&desk.journal, &wanted(&other, 0))), "open tasks");
        drop(second);
        assert_eq!(refused(entrance.enter(&desk.journal, &wanted(&other, 1))), "bytes of input of open tasks");
        drop(third);
        drop(entrance.enter(&desk.journal, &wanted(&worker, OPEN_INPUT_BYTES_MAX - 5)).expect("there is room again"));
        assert_eq!(left(&entrance), (0, 0, 0, 0));
    }

    #[tokio::test]
    async fn a_task_that_becomes_open_is_counted_once_at_every_moment() {
        let (desk, entrance) = (Desk::open(), Entrance::default());
        let worker: TemplateName = "worker".parse().unwrap();
        let roomy = Most { of_template: None, ..MOST };
        let enter =
            || entrance.enter(&desk.journal, &Wanted { template: &worker, agent: None, input_bytes: 0, most: roomy });
        desk.open_task("acme").await;
        let place = enter().expect("the second of three");
        let order = desk.order("acme");
        let (opened, entrance_of_another) = (Arc::new(Mutex::new(None)), entrance.clone());
        let (seen, journal) = (Arc::clone(&opened), desk.journal.clone());
        let opening = move |open: &mut dyn FnMut()| {
            place.open(open);
            // Before the submission has returned, and so before its ticket is concluded.
            let most = Most { of_template: None, ..MOST };
            let template: TemplateName = "worker".parse().unwrap();
            let third = Wanted { template: &template, agent: None, input_bytes: 0, most };
            *seen.lock().unwrap() = Some(entrance_of_another.enter(&journal, &third));
        };
        let submitted = desk.journal.submit_through(beginning(order), opening);
        submitted.await.expect("durable");
        let third = opened.lock().unwrap().take().expect("called").expect("two are open, and no more are on their way");
        assert_eq!(refused(enter()), "open tasks");
        drop(third);
        assert_eq!((desk.journal.open_count(), left(&entrance)), (2, (0, 0, 0, 0)));
    }

    #[tokio::test]
    async fn a_submission_that_fails_gives_its_place_back() {
        let (desk, entrance) = (Desk::open(), Entrance::default());
        let template: TemplateName = "worker".parse().unwrap();
        let order = desk.order("acme");
        desk.journal.submit(order.clone(), Usd::ZERO, Timestamp::now(), Batch::new()).await.expect("submitted");
        let place = entrance.enter(&desk.journal, &wanted(&template, 1)).expect("one of two");
        let again = desk.journal.submit_through(beginning(order), |open| place.open(open));
        assert!(again.await.is_err(), "a task of that identifier is open");
        assert_eq!(left(&entrance), (0, 0, 0, 0));
    }

    #[tokio::test]
    async fn the_open_tasks_of_one_agent_are_bounded_and_those_of_another_are_not_in_their_way() {
        let (desk, entrance) = (Desk::open(), Entrance::default());
        let template: TemplateName = "worker".parse().unwrap();
        let (busy, other) = (AgentId::generate(), AgentId::generate());
        let of = |agent| {
            let most = Most { tasks: 10, of_template: None, of_agent: 2 };
            entrance.enter(&desk.journal, &Wanted { template: &template, agent: Some(agent), input_bytes: 0, most })
        };
        let mut order = desk.order("acme");
        order.worker = Worker::Registered(Registered(busy));
        order.metadata = BTreeMap::new();
        desk.journal.submit(order, Usd::ZERO, Timestamp::now(), Batch::new()).await.expect("submitted");
        let second = of(busy).expect("one of two is open");
        assert_eq!(refused(of(busy)), "open tasks of this agent");
        drop(of(other).expect("another agent has a queue of its own"));
        drop(second);
        drop(of(busy).expect("there is room again"));
        assert_eq!(left(&entrance), (0, 0, 0, 0));
    }
}
