//! Backups.

use super::call::Call;
use super::download::Download;
use super::exchange::OCTETS;
use super::{Client, Error};

impl Client {
    /// Begins a backup of everything that the daemon keeps. Chunks must be taken promptly: who takes none for half a minute gets
    /// no more.
    ///
    /// # Errors
    /// As [`Error`] says: among others `backup_running` while another one is being taken.
    pub async fn backup(&self) -> Result<Download, Error> {
        self.download(Call::post("/factory/backup"), OCTETS, "backup").await
    }
}
