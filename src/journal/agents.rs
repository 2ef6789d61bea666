//! Registered agents: durable identities that outlive their tasks. None is kept in memory.

use minicbor::{Decode, Encode};

use super::{Error, codec, decode, encode};
use crate::domain::clock::Timestamp;
use crate::domain::id::{AgentId, TaskId};
use crate::domain::name::{TemplateName, Tenant, User, Version};
use crate::store::{Batch, Direction, Keyspace, Record, Store};

/// The counter of agents that were created.
pub const CREATED_COUNTER: &[u8] = b"stats/agents/created";
/// The counter of agents that were stopped.
pub const STOPPED_COUNTER: &[u8] = b"stats/agents/stopped";

const KIND: u8 = 2;
const VERSION: u8 = 1;
const TURN_KIND: u8 = 3;

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

/// Reads and writes registered agents.
#[derive(Debug, Clone)]
pub struct Agents {
    store: Store,
}

impl Agents {
    /// The agents of a store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Writes a new agent, with whatever must become durable with it.
    ///
    /// # Errors
    /// The store failed: there is no such agent.
    pub async fn create(&self, agent: &AgentRecord, extra: Batch) -> Result<(), Error> {
        self.store.commit(put(agent).add(CREATED_COUNTER, 1).and(extra)).await?;
        Ok(())
    }

    /// Writes that an agent is stopped for good.
    ///
    /// # Errors
    /// The store failed: the agent is as it was.
    pub async fn stop(&self, agent: &AgentRecord, at: Timestamp, extra: Batch) -> Result<(), Error> {
        let stopped = AgentRecord { stopped_at: Some(at), ..agent.clone() };
        self.store.commit(put(&stopped).add(STOPPED_COUNTER, 1).and(extra)).await?;
        Ok(())
    }

    /// Reads one agent.
    ///
    /// # Errors
    /// The store failed or the record is damaged.
    pub fn get(&self, agent: AgentId) -> Result<Option<AgentRecord>, Error> {
        match self.store.get(Keyspace::Agent, agent.as_bytes())? {
            Some(record) => decode(&record, &agent, 0).map(Some),
            None => Ok(None),
        }
    }

    /// Reads up to `limit` agents, the newest first, beyond `after`.
    ///
    /// # Errors
    /// The store failed or a record is damaged.
    pub async fn list(&self, after: Option<AgentId>, limit: usize) -> Result<Vec<AgentRecord>, Error> {
        let found = self
            .store
            .read(move |store| {
                let after = after.map(|agent| *agent.as_bytes());
                let after = after.as_ref().map(<[u8; 16]>::as_slice);
                store.range(Keyspace::Agent, &[], after, Direction::Descending, limit)
            })
            .await?;
        found.iter().map(|(_, record)| decode(record, &"an agent", 0)).collect()
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

/// The entry that makes an ended task part of its agent's memory.
pub(super) fn turn(agent: AgentId, task: TaskId) -> Batch {
    let key = [agent.as_bytes().as_slice(), task.as_bytes().as_slice()].concat();
    Batch::new().put(Keyspace::Turn, key, Record { kind: TURN_KIND, version: VERSION, body: Vec::new() })
}

fn put(agent: &AgentRecord) -> Batch {
    let record = Record { kind: KIND, version: VERSION, body: encode(agent) };
    Batch::new().put(Keyspace::Agent, agent.agent.as_bytes().as_slice(), record)
}
