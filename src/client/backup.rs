//! A backup as the daemon sends it.

use std::fmt;
use std::io;

use bytes::Bytes;
use hyper::body::Incoming;

use super::call::Call;
use super::connection::Connection;
use super::limits::ANSWER_TIME_MAX;
use super::place::Place;
use super::{Client, Error};

/// An archive, chunk by chunk. Dropping it closes its connection, which ends the backup.
pub struct BackupStream {
    connection: Connection,
    body: Incoming,
    doing: String,
    place: Place,
}

impl fmt::Debug for BackupStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackupStream").field("doing", &self.doing).finish_non_exhaustive()
    }
}

impl Client {
    /// Begins a backup of everything that the daemon keeps. Chunks must be taken promptly: who takes none for half a minute gets
    /// no more.
    ///
    /// # Errors
    /// As [`Error`] says: among others `backup_running` while another one is being taken.
    pub async fn backup(&self) -> Result<BackupStream, Error> {
        self.download(Call::post("/factory/backup")).await
    }
}

impl BackupStream {
    pub(super) fn new(connection: Connection, body: Incoming, doing: String, place: Place) -> Self {
        Self { connection, body, doing, place }
    }

    /// The next chunk; none when the archive is whole.
    ///
    /// # Errors
    /// [`Error::Unreachable`] where the daemon gave the backup up or is gone: what came so far is no archive. [`Error::TimedOut`]
    /// where nothing came for [`ANSWER_TIME_MAX`].
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let frame = self.connection.frame(&mut self.body);
            match tokio::time::timeout(ANSWER_TIME_MAX, frame).await {
                Err(_) => return Err(Error::TimedOut { doing: self.doing.clone(), after: ANSWER_TIME_MAX }),
                Ok(None) => return Ok(None),
                Ok(Some(Err(_))) => {
                    let cut = io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the daemon broke the backup off; its log says why",
                    );
                    return Err(Error::Unreachable { place: self.place.clone(), source: cut });
                }
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(chunk) => return Ok(Some(chunk)),
                    Err(_) => continue,
                },
            }
        }
    }
}
