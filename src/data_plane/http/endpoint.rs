//! HTTP to one place, over TCP or a Unix socket: one pooled client each, made when first used.
//!
//! An answer is read whole by [`Endpoint::post`], or as it comes by [`Endpoint::open`].
//!
//! Redirects are not followed and proxies of the environment not used: a text goes where the settings say, or nowhere.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, redirect};
use tokio::sync::OnceCell;

use super::error::Error;
use super::patience::{retry_after, retry_after_ms};
use super::stream::Stream;
use crate::domain::clock::Timestamp;
use crate::domain::private::Secret;

/// How long making a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long an idle connection is kept for the next call.
const IDLE_CONNECTION_KEPT: Duration = Duration::from_secs(90);
/// The most idle connections kept to one place. No more than calls run at once are ever there to be kept.
const IDLE_CONNECTIONS_MAX: usize = 1_024;
/// How much of the body of a failure is read, in bytes; it only helps to tell failures apart.
const FAILURE_BYTES_MAX: usize = 64 * 1024;
/// How long the body of a failure is waited for once its status is known.
const FAILURE_BODY_WITHIN: Duration = Duration::from_secs(1);

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// OpenAI's and Azure's finer word for `Retry-After`.
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// Where somebody listens, and the client that speaks to them.
pub(crate) struct Endpoint {
    base: String,
    socket: Option<PathBuf>,
    idle_max: usize,
    headers: Headers,
    client: OnceCell<Client>,
}

/// The headers that an API wants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Headers {
    /// Which one shows the key.
    pub(crate) key: KeyHeader,
    /// Further ones, always the same; names in lower case.
    pub(crate) fixed: &'static [(&'static str, &'static str)],
}

/// The header that shows a key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum KeyHeader {
    /// `Authorization`, as a bearer token.
    Bearer,
    /// One of this name, in lower case, which holds nothing but the key.
    Named(&'static str),
}

/// A JSON body on its way.
pub(crate) struct Post<'a> {
    /// Shown as the endpoint's [`Headers`] say.
    pub(crate) key: Option<Secret>,
    /// Names the call, so that whoever honours `Idempotency-Key` does a repetition once.
    pub(crate) idempotency_key: &'a str,
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

/// An answer to a request for a stream.
pub(crate) enum Opened {
    /// A failure, or an answer of a server that does not stream: read whole.
    Whole(Answer),
    /// A success that is still being written.
    Stream(Stream),
}

impl Endpoint {
    /// A place behind `base`, which ends without a slash; over a Unix socket where one is given. A key is shown as a bearer token.
    pub(crate) fn new(base: String, socket: Option<PathBuf>, max_concurrency: NonZeroUsize) -> Self {
        let idle_max = max_concurrency.get().min(IDLE_CONNECTIONS_MAX);
        let headers = Headers { key: KeyHeader::Bearer, fixed: &[] };
        Self { base, socket, idle_max, headers, client: OnceCell::new() }
    }

    /// The same place, with the headers of the API that listens there.
    pub(crate) fn with_headers(self, headers: Headers) -> Self {
        Self { headers, ..self }
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
    pub(crate) async fn post(&self, path: &str, post: Post<'_>) -> Result<Answer, Error> {
        let limit = post.answer_bytes_max;
        let response = self.send(path, post, "application/json").await?;
        whole(response, limit).await
    }

    /// Posts a JSON body that asks for a stream of events. A status that tells no success, and a media type that is no stream's,
    /// make the answer one that is read whole.
    ///
    /// # Errors
    /// As [`Endpoint::post`]; those of the stream come from [`Stream::chunk`].
    pub(crate) async fn open(&self, path: &str, post: Post<'_>) -> Result<Opened, Error> {
        let limit = post.answer_bytes_max;
        let response = self.send(path, post, "text/event-stream").await?;
        if response.status().is_success() && may_be_stream(response.headers().get(CONTENT_TYPE)) {
            return Ok(Opened::Stream(Stream::new(response, limit)));
        }
        whole(response, limit).await.map(Opened::Whole)
    }

    async fn send(&self, path: &str, post: Post<'_>, accept: &'static str) -> Result<Response, Error> {
        let mut headers = headers(self.headers, post.key, post.idempotency_key)?;
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        let client = self.client.get_or_try_init(|| self.connect_lazily()).await?;
        let request = client.post(format!("{}{path}", self.base)).headers(headers).body(post.body);
        request.send().await.map_err(not_answered)
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
fn headers(wanted: Headers, key: Option<Secret>, idempotency_key: &str) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::with_capacity(wanted.fixed.len().saturating_add(4));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in wanted.fixed {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let printable: String = idempotency_key.chars().filter(char::is_ascii_graphic).collect();
    if let (false, Ok(value)) = (printable.is_empty(), HeaderValue::try_from(printable)) {
        headers.insert(IDEMPOTENCY_KEY, value);
    }
    if let Some(key) = key {
        let (name, shown) = match wanted.key {
            KeyHeader::Bearer => (AUTHORIZATION, HeaderValue::try_from(format!("Bearer {}", key.expose()))),
            KeyHeader::Named(name) => (HeaderName::from_static(name), HeaderValue::try_from(key.expose())),
        };
        let mut value = shown.map_err(|_| Error::MissingKey("it does not fit into a header".to_owned()))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// Servers that stream say many things of it; what is certainly none is a document.
fn may_be_stream(media_type: Option<&HeaderValue>) -> bool {
    let named = media_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = named.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence != "application/json" && essence != "text/html"
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

/// Reads an answer, of a failure only as much as helps.
async fn whole(response: Response, limit: usize) -> Result<Answer, Error> {
    let status = response.status();
    let said = |name: HeaderName| response.headers().get(name)?.to_str().ok();
    let exact = said(RETRY_AFTER_MS).and_then(retry_after_ms);
    let retry_after = exact.or_else(|| said(RETRY_AFTER).and_then(|value| retry_after(value, Timestamp::now())));
    let body = if status.is_success() {
        read(response, limit).await?
    } else {
        let some = tokio::time::timeout(FAILURE_BODY_WITHIN, read(response, FAILURE_BYTES_MAX));
        some.await.ok().and_then(Result::ok).unwrap_or_default()
    };
    Ok(Answer { status: status.as_u16(), retry_after, body })
}

/// An answer that comes in one piece, as most do, is not copied.
async fn read(mut response: Response, limit: usize) -> Result<Bytes, Error> {
    let mut first = Bytes::new();
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|fault| Error::Cut(chain(&fault.without_url())))? {
        let so_far = first.len().saturating_add(body.len());
        if so_far.saturating_add(chunk.len()) > limit {
            return Err(Error::TooLarge);
        }
        if so_far == 0 {
            first = chunk;
            continue;
        }
        body.extend_from_slice(&std::mem::take(&mut first));
        body.extend_from_slice(&chunk);
    }
    Ok(if body.is_empty() { first } else { body.freeze() })
}

/// Only a failure to connect is certain to have sent nothing.
fn not_answered(fault: reqwest::Error) -> Error {
    let unsent = fault.is_connect() || fault.is_builder();
    let why = chain(&fault.without_url());
    if unsent { Error::Unreachable(why) } else { Error::Cut(why) }
}

/// An error with what caused it, in one line.
pub(super) fn chain(fault: &dyn std::error::Error) -> String {
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

    #[test]
    fn a_key_is_shown_in_the_header_that_the_api_wants() {
        let shown = |wanted: Headers| headers(wanted, Some(Secret::new("sk-1")), "a\nb").expect("headers");
        let bearer = shown(Headers { key: KeyHeader::Bearer, fixed: &[] });
        assert_eq!(bearer.get("authorization").map(HeaderValue::as_bytes), Some(b"Bearer sk-1".as_slice()));
        assert_eq!(bearer.get("idempotency-key").map(HeaderValue::as_bytes), Some(b"ab".as_slice()));
        let named = shown(Headers { key: KeyHeader::Named("x-api-key"), fixed: &[("x-version", "2023-06-01")] });
        assert_eq!(named.get("x-api-key").map(HeaderValue::as_bytes), Some(b"sk-1".as_slice()));
        assert_eq!(named.get("x-version").map(HeaderValue::as_bytes), Some(b"2023-06-01".as_slice()));
        assert!(named.get("authorization").is_none() && !format!("{named:?}{bearer:?}").contains("sk-1"));
        let unfit = headers(Headers { key: KeyHeader::Bearer, fixed: &[] }, Some(Secret::new("a\u{7}b")), "");
        assert!(matches!(unfit, Err(Error::MissingKey(why)) if !why.contains('\u{7}')));
    }

    #[test]
    fn a_document_is_no_stream() {
        let table = [
            (None, true),
            (Some("text/event-stream"), true),
            (Some("Text/Event-Stream; charset=utf-8"), true),
            (Some("text/plain"), true),
            (Some("application/json; charset=utf-8"), false),
            (Some("Application/JSON"), false),
            (Some("text/html"), false),
        ];
        for (named, expected) in table {
            assert_eq!(may_be_stream(named.map(HeaderValue::from_static).as_ref()), expected, "{named:?}");
        }
    }
}
