//! The daemon as a whole: health, metrics, the supervision tree, events, scans.

use hyper::StatusCode;
use serde_json::Value;

use super::call::Call;
use super::{Client, Error, EventStream};
use crate::protocol::dlp::{Rules, ScanAnswer, ScanRequest};
use crate::protocol::policy::Policy;
use crate::protocol::status::{Health, Metrics, Ready};
use crate::protocol::tree::{ReleaseActor, TreeNode};

/// The daemon as a whole. Every method fails as [`Error`] says.
impl Client {
    /// Whether the daemon is well.
    pub async fn health(&self) -> Result<Health, Error> {
        self.ask(Call::get("/health")).await
    }

    /// Whether requests are served; a daemon that is not ready is an answer, not an error.
    pub async fn ready(&self) -> Result<Ready, Error> {
        let call = Call::get("/ready");
        self.exchange(&call).await?.read(&call, Some(StatusCode::SERVICE_UNAVAILABLE))
    }

    /// The summary of metrics.
    pub async fn metrics(&self) -> Result<Metrics, Error> {
        self.ask(Call::get("/factory/metrics")).await
    }

    /// The policy in force.
    pub async fn policy(&self) -> Result<Policy, Error> {
        self.ask(Call::get("/factory/policy")).await
    }

    /// The supervision tree.
    pub async fn tree(&self) -> Result<TreeNode, Error> {
        self.ask(Call::get("/factory/tree")).await
    }

    /// Ends the quarantine of the actor at a path of the tree, and starts it.
    pub async fn release_actor(&self, path: &str) -> Result<(), Error> {
        let call = Call::post("/factory/tree/release").json(&ReleaseActor { path: path.to_owned() })?;
        self.exchange(&call).await?.done(&call)
    }

    /// Everything that happens from now on.
    pub async fn events(&self) -> Result<EventStream, Error> {
        self.listen(Call::get("/factory/events")).await
    }

    /// Looks for personal data and secrets in a text.
    pub async fn scan(&self, text: &ScanRequest) -> Result<ScanAnswer, Error> {
        self.ask(Call::post("/factory/dlp/scan").json(text)?).await
    }

    /// The rules by which texts are examined.
    pub async fn dlp_rules(&self) -> Result<Rules, Error> {
        self.ask(Call::get("/factory/dlp/rules")).await
    }

    /// The description of the API.
    pub async fn openapi(&self) -> Result<Value, Error> {
        self.ask(Call::get("/openapi.json")).await
    }
}
