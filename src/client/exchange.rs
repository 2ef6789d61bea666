//! The client: a bounded pool of connections, one exchange at a time on each.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::Response;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

use super::call::{Answer, Call};
use super::connection::{BodyError, Connection, SendError};
use super::download::Download;
use super::error::Error;
use super::limits::{ANSWER_BYTES_MAX, ANSWER_TIME_MAX, IDLE_CONNECTIONS_MAX};
use super::place::Place;
use super::stream::EventStream;

const JSON: &str = "application/json";
const EVENT_STREAM: &str = "text/event-stream";
pub(super) const OCTETS: &str = "application/octet-stream";
pub(super) const JSON_LINES: &str = "application/jsonl";
pub(super) const TEXT: &str = "text/plain";

/// A client of one daemon; cheap to clone, and clones share their connections.
///
/// Nothing is opened until the first call. Every method is cancel safe in the sense that a dropped call closes its connection;
/// whether the daemon took the request is then unknown.
#[derive(Clone)]
pub struct Client(Arc<Shared>);

struct Shared {
    place: Place,
    answer_time_max: Duration,
    idle: Mutex<Vec<Connection>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("place", &self.0.place).finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the daemon that listens on this socket.
    #[must_use]
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self::with_answer_time_max(socket, ANSWER_TIME_MAX)
    }

    /// Like [`Self::new`], but gives up an answer after so long beyond the time that a call asks the daemon to wait.
    #[must_use]
    pub fn with_answer_time_max(socket: impl Into<PathBuf>, answer_time_max: Duration) -> Self {
        Self::made(Place::Socket(socket.into()), answer_time_max)
    }

    /// A client of the daemon in this place.
    #[must_use]
    pub fn at(place: Place) -> Self {
        Self::made(place, ANSWER_TIME_MAX)
    }

    fn made(place: Place, answer_time_max: Duration) -> Self {
        Self(Arc::new(Shared { place, answer_time_max, idle: Mutex::new(Vec::new()) }))
    }

    /// Where the daemon is.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.0.place
    }

    /// Sends a call and reads the answer, whatever its status is.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::TimedOut`], and [`Error::Protocol`] where the answer is not HTTP or too large.
    pub async fn exchange(&self, call: &Call) -> Result<Answer, Error> {
        self.within(call, async {
            let (mut connection, response) = self.respond(call, JSON).await?;
            let (head, body) = response.into_parts();
            let body = connection.read(body).await.map_err(|e| self.body_error(call, &e))?;
            self.keep(connection);
            Ok(Answer::new(&head, body))
        })
        .await
    }

    /// Sends a call and reads the answer as its type.
    pub(super) async fn ask<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        self.exchange(&call).await?.read(&call, None)
    }

    /// Sends a call and opens the stream of events that answers it.
    pub(super) async fn listen(&self, call: Call) -> Result<EventStream, Error> {
        let (connection, body) = self.open(&call, EVENT_STREAM).await?;
        Ok(EventStream::new(connection, body, call.doing(), self.0.place.clone()))
    }

    /// Sends a call and opens the long answer, of this media type, that it is answered with.
    pub(super) async fn download(
        &self,
        call: Call,
        accept: &'static str,
        what: &'static str,
    ) -> Result<Download, Error> {
        let opened = self.open(&call, accept).await?;
        Ok(Download::new(opened, call.doing(), what, self.0.place.clone()))
    }

    /// Sends a call and reads the text, of this media type, that it is answered with.
    pub(super) async fn text(&self, call: Call, accept: &'static str) -> Result<String, Error> {
        let (mut connection, body) = self.open(&call, accept).await?;
        let body = self.within(&call, async { connection.read(body).await.map_err(|e| self.body_error(&call, &e)) });
        let text = String::from_utf8(body.await?.to_vec());
        text.map_err(|_| call.not_understood("not UTF-8"))
    }

    /// Sends a call and reads the head of its answer, which must be of this media type.
    async fn open(&self, call: &Call, accept: &'static str) -> Result<(Connection, Incoming), Error> {
        self.within(call, async {
            let (mut connection, response) = self.respond(call, accept).await?;
            let (head, body) = response.into_parts();
            if !head.status.is_success() {
                let body = connection.read(body).await.map_err(|e| self.body_error(call, &e))?;
                return Err(Answer::new(&head, body).problem(call));
            }
            let kind = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
            if !kind.starts_with(accept) {
                return Err(call.not_understood(format!("not {accept} but {kind:?}")));
            }
            Ok((connection, body))
        })
        .await
    }

    async fn within<T>(&self, call: &Call, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let after = self.0.answer_time_max.saturating_add(call.wait());
        match tokio::time::timeout(after, work).await {
            Ok(result) => result,
            Err(_) => Err(Error::TimedOut { doing: call.doing(), after }),
        }
    }

    /// Sends the request on an idle connection if there is one. The daemon may have closed that one a moment ago, so a failure
    /// there is repeated once on a new connection.
    async fn respond(&self, call: &Call, accept: &'static str) -> Result<(Connection, Response<Incoming>), Error> {
        if let Some(mut idle) = self.idle().await {
            match idle.send(self.0.place.addressed(call.request(accept)?)).await {
                Ok(response) => return Ok((idle, response)),
                // INVARIANT 1: only what nobody has seen, or what may be repeated, is sent again.
                Err(SendError::NotSent) => {}
                Err(SendError::Cut(_)) if call.repeatable() => {}
                Err(e) => return Err(self.send_error(call, e)),
            }
        }
        let mut fresh = Connection::open(&self.0.place).await.map_err(|source| self.unreachable(source))?;
        let response =
            fresh.send(self.0.place.addressed(call.request(accept)?)).await.map_err(|e| self.send_error(call, e))?;
        Ok((fresh, response))
    }

    /// An idle connection that still works; those that do not are dropped.
    async fn idle(&self) -> Option<Connection> {
        loop {
            let mut connection = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if connection.usable().await {
                return Some(connection);
            }
        }
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_CONNECTIONS_MAX {
            idle.push(connection);
        }
    }

    fn unreachable(&self, source: io::Error) -> Error {
        Error::Unreachable { place: self.0.place.clone(), source }
    }

    fn send_error(&self, call: &Call, error: SendError) -> Error {
        match error {
            SendError::Cut(Some(reason)) => {
                let reason = format!("the connection was closed before an answer came: {reason}");
                self.unreachable(io::Error::new(io::ErrorKind::ConnectionReset, reason))
            }
            SendError::NotSent | SendError::Cut(None) => self.unreachable(io::Error::new(
                io::ErrorKind::ConnectionReset,
                "the connection was closed before an answer came",
            )),
            SendError::NotHttp(reason) => call.not_understood(reason),
        }
    }

    fn body_error(&self, call: &Call, error: &BodyError) -> Error {
        match error {
            BodyError::TooLarge => call.not_understood(format!("larger than {ANSWER_BYTES_MAX} bytes")),
            BodyError::Cut => self.unreachable(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the connection was closed in the middle of an answer",
            )),
        }
    }
}
