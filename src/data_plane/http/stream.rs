//! An answer that is read while it is written.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;

use super::endpoint::chain;
use super::error::Error;

/// How long a server may be silent between two pieces. Models that reason first can be silent for minutes; the caller's own
/// limit on the whole call binds as well.
const QUIET_MAX: Duration = Duration::from_secs(5 * 60);
/// How long the end of a body is waited for after all that counts has been read.
const END_WITHIN: Duration = Duration::from_secs(1);
/// How much of a body is read after all that counts, in bytes.
const END_BYTES_MAX: usize = 16 * 1024;

/// The body of an answer, piece by piece. Dropping it closes the connection, which tells the server to stop working.
pub(crate) struct Stream {
    response: Response,
    /// How many bytes more are read.
    left: usize,
}

impl Stream {
    pub(super) fn new(response: Response, answer_bytes_max: usize) -> Self {
        Self { response, left: answer_bytes_max }
    }

    /// The next piece; none after the last.
    ///
    /// # Errors
    /// [`Error::Cut`], [`Error::Quiet`], and [`Error::TooLarge`] where all pieces are larger than the request allowed.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let next = tokio::time::timeout(QUIET_MAX, self.response.chunk()).await.map_err(|_| Error::Quiet)?;
        let Some(chunk) = next.map_err(|fault| Error::Cut(chain(&fault.without_url())))? else { return Ok(None) };
        self.left = self.left.checked_sub(chunk.len()).ok_or(Error::TooLarge)?;
        Ok(Some(chunk))
    }

    /// Lets the connection be used again when the body ends soon, as it does after an end marker. Nobody waits for that.
    pub(crate) fn end(mut self) {
        self.left = self.left.min(END_BYTES_MAX);
        tokio::spawn(tokio::time::timeout(END_WITHIN, async move { while let Ok(Some(_)) = self.chunk().await {} }));
    }
}
