//! Registered agents: durable identities that outlive their tasks. None is kept in memory.

use std::sync::Arc;

use minicbor::{Decode, Encode};

use super::latches::Latches;
use super::{Error, codec, decode, encode};
use crate::domain::clock::Timestamp;
use crate::domain::id::{AgentId, TaskId};
use crate::domain::name::{TemplateName, Tenant, User, Version};
use crate::domain::owner::Owner;
use crate::store::{self, Batch, Direction, Keyspace, Record, Store};

/// The counter of agents that were created.
pub const CREATED_COUNTER: &[u8] = b"stats/agents/created";
/// The counter of agents that were stopped.
pub const STOPPED_COUNTER: &[u8] = b"stats/agents/stopped";

const KIND: u8 = 2;
const VERSION: u8 = 1;
const TURN_KIND: u8 = 3;

/// Stored agents that one page may look at before it ends, found or not. Those of one millisecond are never parted.
const LOOKED_AT_MAX: usize = 10_000;
/// Stored agents that are read together.
const READ_AT_ONCE: usize = 128;

/// An agent as it is stored.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct AgentRecord {
    /// The agent.
    #[cbor(n(0), with = "codec::bytes")]
    pub agent: AgentId,
    /// The template that it was made from.
    #[cbor(n(1), with = "codec::as_text")]
    pub template: TemplateName,
    /// The template's version at that time.
    #[cbor(n(2), with = "codec::as_text")]
    pub version: Version,
    /// A name for people.
    #[n(3)]
    pub name: Option<String>,
    /// Whose it is.
    #[cbor(n(4), with = "codec::as_text")]
    pub tenant: Tenant,
    /// Whom it serves.
    #[cbor(n(5), with = "codec::as_optional_text", has_nil)]
    pub user: Option<User>,
    /// When it was made.
    #[cbor(n(6), with = "codec::time")]
    pub created_at: Timestamp,
    /// When it was stopped for good.
    #[cbor(n(7), with = "codec::optional_time", has_nil)]
    pub stopped_at: Option<Timestamp>,
}

impl AgentRecord {
    /// Whose the agent is, and everything that is stored about it.
    #[must_use]
    pub fn owner(&self) -> Owner {
        Owner::of(&self.tenant, self.user.as_ref())
    }
}

/// A part of the list of agents.
#[derive(Debug, Default)]
pub struct AgentPage {
    /// The agents.
    pub agents: Vec<AgentRecord>,
    /// Where the next page begins, if there is more: the last agent of this page, or a moment that names no agent.
    pub next: Option<AgentId>,
}

/// Reads and writes registered agents.
#[derive(Debug, Clone)]
pub struct Agents {
    store: Store,
    /// Held while it is seen whether an agent is stopped, and written that it is.
    stopping: Arc<Latches>,
}

impl Agents {
    /// The agents of a store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, stopping: Arc::new(Latches::new()) }
    }

    /// Writes a new agent, with whatever must become durable with it.
    ///
    /// # Errors
    /// The store failed: there is no such agent.
    pub async fn create(&self, agent: &AgentRecord, extra: Batch) -> Result<(), Error> {
        self.store.commit(put(agent).add(CREATED_COUNTER, 1).and(extra)).await?;
        Ok(())
    }

    /// Writes that an agent is stopped for good. Of several who ask at once, one is answered that it did.
    ///
    /// # Errors
    /// There is no such agent, it was stopped before, or the store failed: nothing was written.
    pub async fn stop(&self, agent: &AgentRecord, at: Timestamp, extra: Batch) -> Result<(), Error> {
        let (agents, id) = (self.clone(), agent.agent);
        // Detached, so that a caller who is cut off does not let the next one look before the stop is durable.
        let stopped = tokio::spawn(async move { agents.stop_once(id, at, extra).await });
        stopped.await.map_err(|fault| store::Error::Commit(format!("stop {id}: {fault}")))?
    }

    async fn stop_once(&self, id: AgentId, at: Timestamp, extra: Batch) -> Result<(), Error> {
        let _stopping = self.stopping.hold(id.as_bytes()).await;
        let agent = self.find(id).await?.ok_or(Error::NoAgent(id))?;
        if agent.stopped_at.is_some() {
            return Err(Error::AgentStopped(id));
        }
        let stopped = AgentRecord { stopped_at: Some(at), ..agent };
        self.store.commit(put(&stopped).add(STOPPED_COUNTER, 1).and(extra)).await?;
        Ok(())
    }

    /// Reads one agent on a thread that may block. What is found may be ahead of what is durable by the group that is being
    /// written, of which nobody was told yet.
    ///
    /// # Errors
    /// The store failed or the record is damaged.
    pub async fn find(&self, agent: AgentId) -> Result<Option<AgentRecord>, Error> {
        let agents = self.clone();
        let found = tokio::task::spawn_blocking(move || agents.get(agent)).await;
        found.map_err(|fault| store::Error::Read(format!("{agent}: {fault}")))?
    }

    /// As [`Self::find`], on the thread of the caller. Blocks.
    ///
    /// # Errors
    /// The store failed or the record is damaged.
    pub fn get(&self, agent: AgentId) -> Result<Option<AgentRecord>, Error> {
        match self.store.find(Keyspace::Agent, agent.as_bytes())? {
            Some(record) => decode(&record, &agent, 0).map(Some),
            None => Ok(None),
        }
    }

    /// Up to `limit` agents that `wanted` takes, the newest first, beyond `after`; and where to go on, if there is more.
    ///
    /// # Errors
    /// The store failed or a record is damaged.
    pub async fn list<F>(&self, after: Option<AgentId>, limit: usize, wanted: F) -> Result<AgentPage, Error>
    where
        F: Fn(&AgentRecord) -> bool + Send + 'static,
    {
        self.store.read(move |store| Ok(read_page(store, after, limit, LOOKED_AT_MAX, &wanted))).await?
    }

    /// The last `limit` tasks that a registered agent ended, the oldest first.
    ///
    /// # Errors
    /// The store failed.
    pub async fn turns(&self, agent: AgentId, limit: usize) -> Result<Vec<TaskId>, Error> {
        let found = self
            .store
            .read(move |store| store.range(Keyspace::Turn, agent.as_bytes(), None, Direction::Descending, limit))
            .await?;
        let task = |key: &[u8]| key.get(16..).and_then(|rest| rest.try_into().ok()).map(TaskId::from_bytes);
        Ok(found.iter().rev().filter_map(|(key, _)| task(key)).collect())
    }
}

pub(super) fn read_page(
    store: &Store,
    after: Option<AgentId>,
    limit: usize,
    looked_at_max: usize,
    wanted: &dyn Fn(&AgentRecord) -> bool,
) -> Result<AgentPage, Error> {
    let (mut page, mut cursor, mut looked_at) = (AgentPage::default(), after, 0_usize);
    loop {
        let bound = cursor.map(|agent| *agent.as_bytes());
        let bound = bound.as_ref().map(<[u8; 16]>::as_slice);
        let found = store.range(Keyspace::Agent, &[], bound, Direction::Descending, READ_AT_ONCE)?;
        if found.is_empty() {
            return Ok(page);
        }
        for (_, record) in found {
            let agent: AgentRecord = decode(&record, &"an agent", 0)?;
            // INVARIANT: where the next page begins names no agent that `wanted` refused.
            let passed = cursor.map(moment).filter(|passed| *passed != moment(agent.agent));
            if looked_at >= looked_at_max && passed.is_some() {
                page.next = passed;
                return Ok(page);
            }
            looked_at = looked_at.saturating_add(1);
            cursor = Some(agent.agent);
            if !wanted(&agent) {
                continue;
            }
            if page.agents.len() >= limit {
                page.next = page.agents.last().map(|last| last.agent);
                return Ok(page);
            }
            page.agents.push(agent);
        }
    }
}

/// The millisecond in which an identifier was made, as one that sorts before all that were made in it: of a UUIDv7 (RFC 9562,
/// section 5.7) the first 48 bits are the time.
fn moment(agent: AgentId) -> AgentId {
    let [a, b, c, d, e, f, ..] = *agent.as_bytes();
    AgentId::from_bytes([a, b, c, d, e, f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
}

/// The entry that makes an ended task part of its agent's memory.
pub(super) fn turn(agent: AgentId, task: TaskId, owner: &Owner) -> Batch {
    let record = Record { kind: TURN_KIND, version: VERSION, body: Vec::new() };
    Batch::new().put_of(Keyspace::Turn, turn_key(agent, task), record, owner)
}

/// Takes that entry back, of a task that is reopened.
pub(super) fn no_turn(agent: AgentId, task: TaskId) -> Batch {
    Batch::new().delete(Keyspace::Turn, turn_key(agent, task))
}

pub(super) fn turn_key(agent: AgentId, task: TaskId) -> Vec<u8> {
    [agent.as_bytes().as_slice(), task.as_bytes().as_slice()].concat()
}

fn put(agent: &AgentRecord) -> Batch {
    let record = Record { kind: KIND, version: VERSION, body: encode(agent) };
    Batch::new().put_of(Keyspace::Agent, agent.agent.as_bytes().as_slice(), record, &agent.owner())
}
