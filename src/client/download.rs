//! A long answer as the daemon sends it: a backup, an export.

use std::fmt;
use std::io;

use bytes::Bytes;
use hyper::body::Incoming;

use super::Error;
use super::connection::Connection;
use super::limits::ANSWER_TIME_MAX;
use super::place::Place;

/// A long answer, chunk by chunk. Dropping it closes its connection, which ends the work.
pub struct Download {
    connection: Connection,
    body: Incoming,
    doing: String,
    /// What comes, for messages.
    what: &'static str,
    place: Place,
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").field("doing", &self.doing).finish_non_exhaustive()
    }
}

impl Download {
    pub(super) fn new(
        (connection, body): (Connection, Incoming),
        doing: String,
        what: &'static str,
        place: Place,
    ) -> Self {
        Self { connection, body, doing, what, place }
    }

    /// The next chunk; none when all of it has come.
    ///
    /// # Errors
    /// [`Error::Unreachable`] where the daemon broke off or is gone: what came so far is not whole. [`Error::TimedOut`]
    /// where nothing came for [`ANSWER_TIME_MAX`].
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let frame = self.connection.frame(&mut self.body);
            match tokio::time::timeout(ANSWER_TIME_MAX, frame).await {
                Err(_) => return Err(Error::TimedOut { doing: self.doing.clone(), after: ANSWER_TIME_MAX }),
                Ok(None) => return Ok(None),
                Ok(Some(Err(_))) => {
                    let text = format!("the daemon broke the {} off; its log says why", self.what);
                    let cut = io::Error::new(io::ErrorKind::UnexpectedEof, text);
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
