//! A stream of events.

use std::collections::VecDeque;
use std::fmt;
use std::io;

use hyper::body::Incoming;

use super::connection::Connection;
use super::error::Error;
use super::place::Place;
use super::sse::Parser;
use crate::protocol::event::Event;

/// Events as the daemon sends them. Dropping it closes its connection.
pub struct EventStream {
    connection: Connection,
    body: Incoming,
    parser: Parser,
    complete: VecDeque<Vec<u8>>,
    doing: String,
    place: Place,
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").field("doing", &self.doing).finish_non_exhaustive()
    }
}

impl EventStream {
    pub(super) fn new(connection: Connection, body: Incoming, doing: String, place: Place) -> Self {
        Self { connection, body, parser: Parser::default(), complete: VecDeque::new(), doing, place }
    }

    /// The next event; none when the daemon has ended the stream. Cancel safe.
    ///
    /// # Errors
    /// [`Error::Unreachable`] where the connection was cut, [`Error::Protocol`] where an event cannot be read.
    pub async fn next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            if let Some(data) = self.complete.pop_front() {
                return serde_json::from_slice(&data).map(Some).map_err(|e| self.not_understood(e.to_string()));
            }
            let frame = match self.connection.frame(&mut self.body).await {
                None => return Ok(None),
                Some(Ok(frame)) => frame,
                Some(Err(_)) => return Err(self.cut()),
            };
            let Ok(chunk) = frame.into_data() else { continue };
            let complete = &mut self.complete;
            let pushed = self.parser.push(&chunk, |data| complete.push_back(data));
            pushed.map_err(|e| self.not_understood(e.to_string()))?;
        }
    }

    fn not_understood(&self, reason: String) -> Error {
        Error::Protocol { doing: self.doing.clone(), reason }
    }

    fn cut(&self) -> Error {
        let source = io::Error::new(io::ErrorKind::UnexpectedEof, "the stream of events was cut");
        Error::Unreachable { place: self.place.clone(), source }
    }
}
