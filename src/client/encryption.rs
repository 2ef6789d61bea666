//! Encryption at rest.

use super::call::Call;
use super::{Client, Error};
use crate::protocol::encryption::Encryption;

/// Encryption at rest. Every method fails as [`Error`] says.
impl Client {
    /// How it is.
    pub async fn encryption(&self) -> Result<Encryption, Error> {
        self.ask(Call::get("/factory/encryption")).await
    }

    /// Exchanges the keys.
    pub async fn rotate_keys(&self) -> Result<Encryption, Error> {
        self.ask(Call::post("/factory/encryption/rotate")).await
    }
}
