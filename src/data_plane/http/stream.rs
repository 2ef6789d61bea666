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

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use futures::stream;
    use reqwest::Body;

    use super::*;

    fn body(
        pieces: &[&'static str],
    ) -> impl futures::Stream<Item = Result<&'static str, std::io::Error>> + Send + 'static {
        stream::iter(pieces.iter().map(|piece| Ok(*piece)).collect::<Vec<_>>())
    }

    fn opened(body: Body, answer_bytes_max: usize) -> Stream {
        Stream::new(Response::from(hyper::Response::new(body)), answer_bytes_max)
    }

    #[tokio::test]
    async fn pieces_come_until_the_end_or_the_limit() {
        let mut fits = opened(Body::wrap_stream(body(&["abc", "de"])), 5);
        let mut read = Vec::new();
        while let Some(piece) = fits.chunk().await.expect("a piece") {
            read.extend_from_slice(&piece);
        }
        assert_eq!(read, b"abcde");
        let mut larger = opened(Body::wrap_stream(body(&["abc", "de"])), 4);
        assert_eq!(larger.chunk().await.expect("a piece").as_deref(), Some(b"abc".as_slice()));
        assert_eq!(larger.chunk().await, Err(Error::TooLarge));
    }

    #[tokio::test]
    async fn a_body_that_breaks_is_cut() {
        let broken = stream::iter([Ok("a"), Err(std::io::Error::other("gone"))]);
        let mut stream = opened(Body::wrap_stream(broken), 100);
        assert!(matches!(stream.chunk().await, Ok(Some(_))));
        assert!(matches!(stream.chunk().await, Err(Error::Cut(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_borne_so_long_and_no_longer() {
        let began = tokio::time::Instant::now();
        let mut stream = opened(Body::wrap_stream(body(&["a"]).chain(stream::pending())), 100);
        assert!(matches!(stream.chunk().await, Ok(Some(_))));
        assert_eq!(stream.chunk().await, Err(Error::Quiet));
        assert_eq!(began.elapsed().as_secs(), QUIET_MAX.as_secs());
    }
}
