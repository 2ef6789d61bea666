//! Erasures, and exports of what belongs to somebody.

use super::call::Call;
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

    /// Erasures, the newest first.
    pub async fn erasures(&self, limit: Option<usize>, after: Option<&str>) -> Result<Page<Erasure>, Error> {
        self.ask(Call::get("/factory/erasures").page(limit, after)).await
    }
}
