//! Erasures, and exports of what belongs to somebody.

use super::call::Call;
use super::download::Download;
use super::exchange::JSON_LINES;
use super::{Client, Error};
use crate::protocol::erasure::{Erase, Erasure};
use crate::protocol::page::Page;

/// Erasures and exports. Every method fails as [`Error`] says.
impl Client {
    /// Begins to erase what belongs to a tenant or user.
    pub async fn erase(&self, wanted: &Erase) -> Result<Erasure, Error> {
        self.ask(Call::post("/factory/erasures").json(wanted)?).await
    }

    /// One erasure as it is now.
    pub async fn erasure(&self, id: &str) -> Result<Erasure, Error> {
        self.ask(Call::get(format!("/factory/erasures/{}", super::call::segment(id)))).await
    }

    /// Everything of somebody, in the form `agent-factory/export/v1`; it is whole only if its last line is an end.
    pub async fn export(&self, tenant: Option<&str>, user: Option<&str>) -> Result<Download, Error> {
        let named = [("tenant", tenant), ("user", user)].into_iter().filter_map(|(name, value)| Some((name, value?)));
        let call = named.fold(Call::get("/factory/export"), |call, (name, value)| call.parameter(name, value));
        self.download(call, JSON_LINES, "export").await
    }

    /// Erasures, the newest first.
    pub async fn erasures(&self, limit: Option<usize>, after: Option<&str>) -> Result<Page<Erasure>, Error> {
        self.ask(Call::get("/factory/erasures").page(limit, after)).await
    }
}
