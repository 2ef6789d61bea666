//! HTTP to one place, over TCP or a Unix socket: one pooled client each, made when first used.
//!
//! Redirects are not followed and proxies of the environment not used: a text goes where the settings say, or nowhere.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, redirect};
use tokio::sync::OnceCell;

use super::error::Error;
use super::patience::retry_after;
use crate::domain::clock::Timestamp;
use crate::domain::private::Secret;

/// How long making a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long an idle connection is kept for the next call.
const IDLE_CONNECTION_KEPT: Duration = Duration::from_secs(90);
/// The most idle connections kept to one place.
const IDLE_CONNECTIONS_MAX: usize = 64;
/// How much of the body of a failure is read, in bytes; it only helps to tell failures apart.
const FAILURE_BYTES_MAX: usize = 64 * 1024;
/// How long the body of a failure is waited for once its status is known.
const FAILURE_BODY_WITHIN: Duration = Duration::from_secs(1);

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Where somebody listens, and the client that speaks to them.
pub(crate) struct Endpoint {
    base: String,
    socket: Option<PathBuf>,
    idle_max: usize,
    client: OnceCell<Client>,
}

/// A JSON body on its way.
pub(crate) struct Post {
    /// Sent as a bearer token.
    pub(crate) key: Option<Secret>,
    /// Names the call, so that whoever honours `Idempotency-Key` does a repetition once.
    pub(crate) idempotency_key: String,
    pub(crate) body: Vec<u8>,
    /// The largest answer that is read, in bytes.
    pub(crate) answer_bytes_max: usize,
}

/// An answer, read whole.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Bytes,
}

impl Endpoint {
    /// A place behind `base`, which ends without a slash; over a Unix socket where one is given.
    pub(crate) fn new(base: String, socket: Option<PathBuf>, max_concurrency: NonZeroUsize) -> Self {
        let idle_max = max_concurrency.get().min(IDLE_CONNECTIONS_MAX);
        Self { base, socket, idle_max, client: OnceCell::new() }
    }

    /// The host's name as the settings write it.
    pub(crate) fn host(&self) -> &str {
        let rest = self.base.split_once("://").map_or(self.base.as_str(), |(_, rest)| rest);
        let authority = rest.split('/').next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        host.split(':').next().unwrap_or_default()
    }

    /// Posts a JSON body and reads the answer, whatever its status.
    ///
    /// # Errors
    /// [`Error::Unreachable`] and [`Error::MissingKey`] where nothing was sent; [`Error::Cut`] and [`Error::TooLarge`] where
    /// something was.
    pub(crate) async fn post(&self, path: &str, post: Post) -> Result<Answer, Error> {
        let headers = headers(post.key, &post.idempotency_key)?;
        let client = self.client.get_or_try_init(|| self.connect_lazily()).await?;
        let request = client.post(format!("{}{path}", self.base)).headers(headers).body(post.body);
        let response = request.send().await.map_err(not_answered)?;
        let status = response.status();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| retry_after(value, Timestamp::now()));
        let body = if status.is_success() {
            read(response, post.answer_bytes_max).await?
        } else {
            let some = tokio::time::timeout(FAILURE_BODY_WITHIN, read(response, FAILURE_BYTES_MAX));
            some.await.ok().and_then(Result::ok).unwrap_or_default()
        };
        Ok(Answer { status: status.as_u16(), retry_after, body })
    }

    /// Reading the host's certificates takes milliseconds of disk and processor: not on a thread that runs tasks.
    async fn connect_lazily(&self) -> Result<Client, Error> {
        let (tls, socket, idle_max) = (self.base.starts_with("https://"), self.socket.clone(), self.idle_max);
        let built = tokio::task::spawn_blocking(move || build(Transport { tls, socket, idle_max })).await;
        let fault = match built {
            Ok(Ok(client)) => return Ok(client),
            Ok(Err(fault)) => chain(&fault),
            Err(fault) => fault.to_string(),
        };
        Err(Error::Unreachable(format!("make a client: {fault}")))
    }
}

/// Of the idempotency key only what a header can carry is sent.
fn headers(key: Option<Secret>, idempotency_key: &str) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let printable: String = idempotency_key.chars().filter(char::is_ascii_graphic).collect();
    if let (false, Ok(value)) = (printable.is_empty(), HeaderValue::try_from(printable)) {
        headers.insert(IDEMPOTENCY_KEY, value);
    }
    if let Some(key) = key {
        let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose()))
            .map_err(|_| Error::MissingKey("it does not fit into a header".to_owned()))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

struct Transport {
    tls: bool,
    socket: Option<PathBuf>,
    idle_max: usize,
}

fn build(transport: Transport) -> reqwest::Result<Client> {
    // A second installation fails because there is one already, which is all that is wanted.
    rustls::crypto::ring::default_provider().install_default().ok();
    let mut builder = Client::builder()
        .user_agent(concat!("agent-factory/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_WITHIN)
        .pool_idle_timeout(IDLE_CONNECTION_KEPT)
        .pool_max_idle_per_host(transport.idle_max);
    if !transport.tls {
        // Without TLS the host's certificates are not needed, and a host without any is no fault.
        builder = builder.tls_certs_only(std::iter::empty());
    }
    if let Some(socket) = transport.socket {
        builder = builder.unix_socket(socket);
    }
    builder.build()
}

async fn read(mut response: Response, limit: usize) -> Result<Bytes, Error> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|fault| Error::Cut(chain(&fault.without_url())))? {
        if body.len().saturating_add(chunk.len()) > limit {
            return Err(Error::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Only a failure to connect is certain to have sent nothing.
fn not_answered(fault: reqwest::Error) -> Error {
    let unsent = fault.is_connect() || fault.is_builder();
    let why = chain(&fault.without_url());
    if unsent { Error::Unreachable(why) } else { Error::Cut(why) }
}

/// An error with what caused it, in one line.
fn chain(fault: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(fault.source(), |cause| cause.source());
    causes.take(4).fold(fault.to_string(), |line, cause| format!("{line}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_read_from_the_address() {
        let table = [
            ("https://api.openai.com/v1", "api.openai.com"),
            ("http://127.0.0.1:11434/v1", "127.0.0.1"),
            ("https://user:pass@example.org", "example.org"),
        ];
        for (base, host) in table {
            assert_eq!(Endpoint::new(base.to_owned(), None, NonZeroUsize::MIN).host(), host);
        }
    }
}
