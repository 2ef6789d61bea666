//! Agents.

use super::call::{Call, segment};
use super::{Client, Error};
use crate::protocol::agent::{Agent, CreateAgent};
use crate::protocol::page::Page;

/// Agents. Every method fails as [`Error`] says.
impl Client {
    /// Creates an agent. Not repeated where the connection is cut: it would make a second one.
    pub async fn create_agent(&self, agent: &CreateAgent) -> Result<Agent, Error> {
        self.ask(Call::post("/factory/agents").json(agent)?).await
    }

    /// A page of agents.
    pub async fn agents(&self, limit: Option<usize>, after: Option<&str>) -> Result<Page<Agent>, Error> {
        self.ask(Call::get("/factory/agents").page(limit, after)).await
    }

    /// One agent.
    pub async fn agent(&self, id: &str) -> Result<Agent, Error> {
        self.ask(Call::get(format!("/factory/agents/{}", segment(id)))).await
    }

    /// Ends an agent's quarantine.
    pub async fn release_agent(&self, id: &str) -> Result<Agent, Error> {
        self.ask(Call::post(format!("/factory/agents/{}/release", segment(id)))).await
    }

    /// Stops an agent for good.
    pub async fn stop_agent(&self, id: &str) -> Result<(), Error> {
        let call = Call::delete(format!("/factory/agents/{}", segment(id)));
        self.exchange(&call).await?.done(&call)
    }
}
