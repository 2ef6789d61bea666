//! One connection, driven by whoever waits for it.
//!
//! Hyper's usual way spawns a task for each connection; then a request costs two wake-ups more. Here the same task polls the
//! request and the connection, which also means that a dropped request takes its connection with it.

use std::future::{Future, poll_fn};
use std::io;
use std::path::Path;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::limits::ANSWER_BYTES_MAX;

type Driver = Pin<Box<http1::Connection<TokioIo<UnixStream>, Full<Bytes>>>>;

/// A connection to the daemon.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// None once the connection has ended; a finished driver must not be polled.
    driver: Option<Driver>,
}

/// Why a request has no answer.
pub(super) enum SendError {
    /// It was not sent: nobody has seen it.
    NotSent,
    /// The connection ended; the request may have been taken.
    Cut,
    /// What came back is not HTTP.
    NotHttp(String),
}

/// Why a body could not be read.
pub(super) enum BodyError {
    /// It is larger than [`ANSWER_BYTES_MAX`].
    TooLarge,
    /// It ended too soon.
    Cut,
}

impl Connection {
    pub(super) async fn open(socket: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(socket).await?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        Ok(Self { sender, driver: Some(Box::pin(driver)) })
    }

    /// Whether it can take another request now.
    pub(super) async fn usable(&mut self) -> bool {
        let ready = driving(&mut self.driver, self.sender.ready()).await.is_ok();
        // A close that arrived meanwhile shows only when the connection is polled.
        let cx = &mut Context::from_waker(std::task::Waker::noop());
        self.poll_driver(cx);
        ready && self.driver.is_some() && !self.sender.is_closed()
    }

    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, SendError> {
        let answer = self.sender.try_send_request(request);
        driving(&mut self.driver, answer).await.map_err(|mut error| {
            if error.take_message().is_some() {
                SendError::NotSent
            } else if error.error().is_parse() {
                SendError::NotHttp(error.error().to_string())
            } else {
                SendError::Cut
            }
        })
    }

    pub(super) async fn read(&mut self, body: Incoming) -> Result<Bytes, BodyError> {
        let whole = Limited::new(body, ANSWER_BYTES_MAX).collect();
        match driving(&mut self.driver, whole).await {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(e) if e.is::<http_body_util::LengthLimitError>() => Err(BodyError::TooLarge),
            Err(_) => Err(BodyError::Cut),
        }
    }

    /// The next frame of a streamed body; none at its end.
    pub(super) async fn frame(&mut self, body: &mut Incoming) -> Option<Result<Frame<Bytes>, BodyError>> {
        let next = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx));
        driving(&mut self.driver, next).await.map(|frame| frame.map_err(|_| BodyError::Cut))
    }

    fn poll_driver(&mut self, cx: &mut Context<'_>) {
        if self.driver.as_mut().is_some_and(|driver| driver.as_mut().poll(cx).is_ready()) {
            self.driver = None;
        }
    }
}

/// Awaits `work` and drives the connection meanwhile. A connection that ends makes `work` end too, so its own result is dropped.
async fn driving<F: Future>(driver: &mut Option<Driver>, work: F) -> F::Output {
    let mut work = pin!(work);
    poll_fn(|cx| {
        if let Poll::Ready(output) = work.as_mut().poll(cx) {
            return Poll::Ready(output);
        }
        if driver.as_mut().is_some_and(|driver| driver.as_mut().poll(cx).is_ready()) {
            *driver = None;
        }
        work.as_mut().poll(cx)
    })
    .await
}
