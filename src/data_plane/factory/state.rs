//! Who is in memory, who waits for a place there, and who leaves to make room. Pure.
//!
//! ```text
//!            a seat is free            begins a task
//! (stored) ─────────────────> seated ─────────────────> at work
//!    │ all are taken             ^ │                       │ has no task any more
//!    v                           │ └ asked ─> leaving <─ asked ─ idle
//! waits ──────a seat is left─────┘                 └──────> (stored)
//! ```
//! Whoever is idle for longest is asked to leave first. An agent that was asked and finds a task for it stays.
//!
//! INVARIANT: there are never more seats taken than there are.
//! INVARIANT: nobody waits while a seat is free.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use crate::control_plane::template::Supervision;
use crate::data_plane::agent::{Life, Pulse, Resident};
use crate::domain::clock::Timestamp;
use crate::domain::id::{AgentId, TaskId};
use crate::domain::name::{TemplateName, Tenant, User};

/// The most agents that wait in line for a seat. The task of one more is found by the next sweep of open tasks.
pub(super) const LINE_MAX: usize = 65_536;

/// An agent at rest, and since when.
type Rest = (Timestamp, AgentId);

/// A task whose agent waits for a seat.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Waiting {
    pub(super) agent: AgentId,
    pub(super) task: TaskId,
    pub(super) supervision: Supervision,
}

/// How many agents there are, but for those that are only stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// They work on a task.
    pub at_work: usize,
    /// They are in memory and have none.
    pub idle: usize,
    /// They wait for a seat in memory.
    pub waiting: usize,
}

/// Whether an agent may be in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admittance {
    /// It has a seat.
    Seated,
    /// All are taken; this one is to be asked to leave.
    Waits(Option<AgentId>),
}

/// What an agent in memory is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Starting,
    AtWork,
    Idle(Timestamp),
    /// It was asked to leave, or leaves by itself.
    Leaving,
}

#[derive(Debug)]
struct Seat {
    /// None before its actor is made.
    pulse: Option<Arc<Pulse>>,
    standing: Standing,
}

/// Whose work an agent may do: its memory is theirs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Serves {
    template: TemplateName,
    tenant: Tenant,
    user: Option<User>,
}

impl From<&Resident> for Serves {
    fn from(resident: &Resident) -> Self {
        let Resident { template, tenant, user, .. } = resident;
        Self { template: template.clone(), tenant: tenant.clone(), user: user.clone() }
    }
}

/// The agents in memory and those that wait for a seat.
#[derive(Debug)]
pub(super) struct Residency {
    seats_max: usize,
    seats: HashMap<AgentId, Seat>,
    at_work: usize,
    leaving: usize,
    /// Registered agents without a task, who rests longest first.
    idle: BTreeSet<Rest>,
    /// The same by whom they serve.
    free: HashMap<Serves, BTreeSet<Rest>>,
    line: VecDeque<Waiting>,
    in_line: HashSet<AgentId>,
}

impl Residency {
    pub(super) fn new(seats_max: usize) -> Self {
        Self {
            seats_max,
            seats: HashMap::new(),
            at_work: 0,
            leaving: 0,
            idle: BTreeSet::new(),
            free: HashMap::new(),
            line: VecDeque::new(),
            in_line: HashSet::new(),
        }
    }

    /// An agent is wanted in memory. Asking again changes nothing.
    pub(super) fn enter(&mut self, wanted: Waiting) -> Admittance {
        if self.seats.contains_key(&wanted.agent) {
            return Admittance::Seated;
        }
        if self.seats.len() < self.seats_max {
            self.seat(wanted.agent);
            return Admittance::Seated;
        }
        if self.line.len() < LINE_MAX && self.in_line.insert(wanted.agent) {
            self.line.push_back(wanted);
        }
        Admittance::Waits(self.make_room())
    }

    /// The actor of an agent that has a seat is made.
    /// Whether an agent that is not in memory finds a seat.
    pub(super) fn has_room(&self) -> bool {
        self.seats.len() < self.seats_max
    }

    pub(super) fn settle(&mut self, agent: AgentId, pulse: Arc<Pulse>) {
        if let Some(seat) = self.seats.get_mut(&agent) {
            seat.pulse = Some(pulse);
        }
    }

    /// An agent works on a task.
    pub(super) fn works(&mut self, agent: AgentId) {
        self.stand(agent, Standing::AtWork);
    }

    /// An agent has no task; returns who is to be asked to leave, because somebody waits.
    pub(super) fn rests(&mut self, agent: AgentId, now: Timestamp) -> Option<AgentId> {
        let life = self.pulse(agent)?.resident().life;
        self.stand(
            agent,
            match life {
                Life::Registered => Standing::Idle(now),
                Life::OneTask => Standing::Leaving,
            },
        );
        self.make_room()
    }

    /// An agent has left; returns who got a seat by that, and must be activated or leave in turn.
    pub(super) fn leaves(&mut self, agent: AgentId) -> Vec<Waiting> {
        self.stand(agent, Standing::Starting);
        self.seats.remove(&agent);
        self.invite()
    }

    /// Drops every agent that `lost` takes, because its actor ended without a word; returns who got a seat by that.
    pub(super) fn lose(&mut self, lost: impl Fn(AgentId) -> bool) -> Vec<Waiting> {
        let gone: Vec<AgentId> = self.seats.keys().copied().filter(|agent| lost(*agent)).collect();
        for agent in gone {
            self.stand(agent, Standing::Starting);
            self.seats.remove(&agent);
        }
        self.invite()
    }

    /// Asks up to `most` agents to leave, those first that are idle for longest, and none that is idle since later than `until`.
    pub(super) fn dismiss(&mut self, until: Timestamp, most: usize) -> Vec<AgentId> {
        let longest = self.idle.iter().take(most).take_while(|(since, _)| *since <= until);
        let asked: Vec<AgentId> = longest.map(|(_, agent)| *agent).collect();
        for agent in &asked {
            self.stand(*agent, Standing::Leaving);
        }
        asked
    }

    /// A registered agent that is idle and serves just these, of several the one that has rested least.
    pub(super) fn free(&self, template: &TemplateName, tenant: &Tenant, user: Option<&User>) -> Option<AgentId> {
        let serves = Serves { template: template.clone(), tenant: tenant.clone(), user: user.cloned() };
        self.free.get(&serves)?.last().map(|(_, agent)| *agent)
    }

    /// What is known of an agent in memory.
    pub(super) fn pulse(&self, agent: AgentId) -> Option<&Arc<Pulse>> {
        self.seats.get(&agent)?.pulse.as_ref()
    }

    pub(super) fn census(&self) -> Census {
        let (at_work, waiting) = (self.at_work, self.line.len());
        Census { at_work, idle: self.seats.len().saturating_sub(at_work), waiting }
    }

    fn seat(&mut self, agent: AgentId) {
        self.seats.insert(agent, Seat { pulse: None, standing: Standing::Starting });
    }

    /// Gives free seats to those who wait.
    fn invite(&mut self) -> Vec<Waiting> {
        let mut invited = Vec::new();
        while self.seats.len() < self.seats_max
            && let Some(next) = self.line.pop_front()
        {
            self.in_line.remove(&next.agent);
            self.seat(next.agent);
            invited.push(next);
        }
        invited
    }

    /// Asks one agent to leave where more wait than leave.
    fn make_room(&mut self) -> Option<AgentId> {
        if self.leaving >= self.line.len() {
            return None;
        }
        let (_, agent) = *self.idle.first()?;
        self.stand(agent, Standing::Leaving);
        Some(agent)
    }

    fn stand(&mut self, agent: AgentId, standing: Standing) {
        let Some(seat) = self.seats.get_mut(&agent) else { return };
        let before = std::mem::replace(&mut seat.standing, standing);
        match before {
            Standing::Starting => {}
            Standing::AtWork => self.at_work = self.at_work.saturating_sub(1),
            Standing::Leaving => self.leaving = self.leaving.saturating_sub(1),
            Standing::Idle(since) => self.take_from_rest(agent, since),
        }
        match standing {
            Standing::Starting => {}
            Standing::AtWork => self.at_work = self.at_work.saturating_add(1),
            Standing::Leaving => self.leaving = self.leaving.saturating_add(1),
            Standing::Idle(since) => self.put_to_rest(agent, since),
        }
    }

    fn put_to_rest(&mut self, agent: AgentId, since: Timestamp) {
        self.idle.insert((since, agent));
        if let Some(serves) = self.serves(agent) {
            self.free.entry(serves).or_default().insert((since, agent));
        }
    }

    fn take_from_rest(&mut self, agent: AgentId, since: Timestamp) {
        self.idle.remove(&(since, agent));
        let Some(Entry::Occupied(mut group)) = self.serves(agent).map(|serves| self.free.entry(serves)) else { return };
        group.get_mut().remove(&(since, agent));
        if group.get().is_empty() {
            group.remove();
        }
    }

    fn serves(&self, agent: AgentId) -> Option<Serves> {
        self.pulse(agent).map(|pulse| Serves::from(pulse.resident()))
    }
}
