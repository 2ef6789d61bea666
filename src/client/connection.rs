//! One connection, driven by whoever waits for it.
//!
//! Hyper's usual way spawns a task for each connection; then a request costs two wake-ups more. Here the same task polls the
//! request and the connection, which also means that a dropped request takes its connection with it.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::limits::ANSWER_BYTES_MAX;
use super::place::Place;

/// What HTTP is spoken over.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

type Driver = Pin<Box<http1::Connection<TokioIo<Box<dyn Wire>>, Full<Bytes>>>>;

/// A connection to the daemon.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: Drive,
}

/// What drives a connection, until it has ended; a finished driver must not be polled.
enum Drive {
    Goes(Driver),
    /// It has ended, for a reason where it did not end in good order.
    Ended(Option<String>),
}

impl Drive {
    /// Drives the connection as far as it goes now.
    fn poll(&mut self, cx: &mut Context<'_>) {
        if let Self::Goes(driver) = self
            && let Poll::Ready(ended) = driver.as_mut().poll(cx)
        {
            // Hyper's own words come first, then those of what it is spoken over, which know more.
            let reason = |error: hyper::Error| std::error::Error::source(&error).map(ToString::to_string);
            *self = Self::Ended(ended.err().and_then(reason));
        }
    }
}

/// Why a request has no answer.
pub(super) enum SendError {
    /// It was not sent: nobody has seen it.
    NotSent,
    /// The connection ended, perhaps for a known reason; the request may have been taken.
    Cut(Option<String>),
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
    pub(super) async fn open(place: &Place) -> io::Result<Self> {
        let wire: Box<dyn Wire> = match place {
            Place::Socket(path) => Box::new(UnixStream::connect(path).await?),
            Place::Remote(remote) => {
                let stream = TcpStream::connect((remote.host.as_str(), remote.port)).await?;
                stream.set_nodelay(true)?;
                match &remote.tls {
                    None => Box::new(stream),
                    Some((connector, name)) => Box::new(connector.connect(name.clone(), stream).await?),
                }
            }
        };
        let (sender, driver) = http1::handshake(TokioIo::new(wire)).await.map_err(io::Error::other)?;
        Ok(Self { sender, driver: Drive::Goes(Box::pin(driver)) })
    }

    /// Whether it can take another request now.
    pub(super) async fn usable(&mut self) -> bool {
        let ready = driving(&mut self.driver, self.sender.ready()).await.is_ok();
        // A close that arrived meanwhile shows only when the connection is polled.
        self.driver.poll(&mut Context::from_waker(std::task::Waker::noop()));
        ready && matches!(self.driver, Drive::Goes(_)) && !self.sender.is_closed()
    }

    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, SendError> {
        let answer = self.sender.try_send_request(request);
        let answered = driving(&mut self.driver, answer).await;
        answered.map_err(|mut error| {
            if error.take_message().is_some() {
                SendError::NotSent
            } else if error.error().is_parse() {
                SendError::NotHttp(error.error().to_string())
            } else {
                SendError::Cut(self.reason())
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

    /// Why the connection has ended, where that is known: TLS tells a client only then that its certificate is refused.
    fn reason(&mut self) -> Option<String> {
        self.driver.poll(&mut Context::from_waker(std::task::Waker::noop()));
        match &self.driver {
            Drive::Goes(_) => None,
            Drive::Ended(reason) => reason.clone(),
        }
    }
}

/// Awaits `work` and drives the connection meanwhile. A connection that ends makes `work` end too.
async fn driving<F: Future>(driver: &mut Drive, work: F) -> F::Output {
    let mut work = pin!(work);
    poll_fn(|cx| {
        if let Poll::Ready(output) = work.as_mut().poll(cx) {
            return Poll::Ready(output);
        }
        driver.poll(cx);
        work.as_mut().poll(cx)
    })
    .await
}
