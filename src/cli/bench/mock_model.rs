//! A model that gives every request the same answer at once, in OpenAI's shape and with fixed usage: what stands behind a
//! gateway that is measured, and takes next to nothing of the host itself.

use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::oneshot;

use crate::cli::exit::{Error, Exit};
use crate::cli::private::Interruption;
use crate::cli::session::Session;

/// The largest request, in bytes.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What it says, and how many tokens it says that it read and wrote.
const ANSWER: &str = concat!(
    r#"{"id":"chatcmpl-fixed","object":"chat.completion","created":1700000000,"model":"fixed","#,
    r#""choices":[{"index":0,"message":{"role":"assistant","content":"The harbour was rebuilt in 1954; 410 people work there."},"#,
    r#""logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":40,"completion_tokens":15,"total_tokens":55}}"#
);

/// The hidden verb that serves it alone.
#[derive(Debug, Args)]
pub(in crate::cli) struct MockModel {
    /// Where to listen; port 0 takes a free one, which is printed.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

impl MockModel {
    /// Serves until it is told to end.
    pub(super) async fn perform(self, session: &Session) -> Result<Exit, Error> {
        let mut interruption = Interruption::listen()?;
        let listener = StdTcpListener::bind(self.listen).map_err(|source| failed(&source))?;
        let address = listener.local_addr().map_err(|source| failed(&source))?;
        session.output.show(&json!({"listening": address}), |_| format!("listening on {address}"))?;
        tokio::select! {
            ended = serve(Listeners { tcp: listener, unix: None }) => ended.map_err(|source| failed(&source))?,
            _asked = interruption.comes() => {}
        }
        Ok(Exit::Done)
    }
}

/// Where it listens.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) tcp: StdTcpListener,
    pub(super) unix: Option<StdUnixListener>,
}

/// The model on a thread of its own; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Running {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub(super) fn start(listeners: Listeners) -> Result<Self, Error> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|source| failed(&source))?;
        let (stop, stopped) = oneshot::channel();
        let work = move || {
            runtime.block_on(async {
                tokio::select! {
                    // Whoever asks a model that has ended is told so by its socket, and counts it.
                    _ended = serve(listeners) => {}
                    _asked = stopped => {}
                }
            });
        };
        let thread = thread::Builder::new().name("mock-model".into()).spawn(work).map_err(|source| failed(&source))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(Err(panicked)) = self.thread.take().map(JoinHandle::join) {
            drop(panicked);
        }
    }
}

fn failed(source: &io::Error) -> Error {
    Error::failed("model_not_served", format!("serve the bench's own model: {source}"))
}

async fn serve(listeners: Listeners) -> io::Result<()> {
    listeners.tcp.set_nonblocking(true)?;
    let tcp = TcpListener::from_std(listeners.tcp)?;
    let Some(unix) = listeners.unix else { return serve_tcp(&tcp).await };
    unix.set_nonblocking(true)?;
    let unix = UnixListener::from_std(unix)?;
    tokio::select! {
        ended = serve_tcp(&tcp) => ended,
        ended = serve_unix(&unix) => ended,
    }
}

async fn serve_tcp(listener: &TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        connected(stream);
    }
}

async fn serve_unix(listener: &UnixListener) -> io::Result<()> {
    loop {
        connected(listener.accept().await?.0);
    }
}

fn connected(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let serving = async move {
        // A connection that the other side ends is no failure of the model.
        let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).await.is_err();
    };
    drop(tokio::spawn(serving));
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let verdict = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(whole) => judge(&head.method, head.uri.path(), &whole.to_bytes()),
        Err(_) => Err((StatusCode::BAD_REQUEST, "the body is cut or too large")),
    };
    let (status, text) = match verdict {
        Ok(()) => (StatusCode::OK, Bytes::from_static(ANSWER.as_bytes())),
        Err((status, why)) => {
            let error =
                json!({"error": {"message": why, "type": "invalid_request_error", "param": null, "code": null}});
            (status, error.to_string().into())
        }
    };
    let mut response = Response::new(Full::new(text));
    *response.status_mut() = status;
    drop(response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json")));
    Ok(response)
}

/// Whether a request is one that a model would answer whole.
fn judge(method: &Method, path: &str, body: &[u8]) -> Result<(), (StatusCode, &'static str)> {
    #[derive(Deserialize)]
    struct Asked {
        #[serde(default)]
        stream: Option<bool>,
    }
    if method != Method::POST || !path.ends_with("/chat/completions") {
        return Err((StatusCode::NOT_FOUND, "there is POST /v1/chat/completions and nothing else"));
    }
    match serde_json::from_slice::<Asked>(body) {
        Ok(Asked { stream: Some(true) }) => Err((StatusCode::BAD_REQUEST, "this model does not stream")),
        Ok(_) => Ok(()),
        Err(_) => Err((StatusCode::BAD_REQUEST, "the body is no request for a completion")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_model_answers_whole_is_answered() {
        let path = "/v1/chat/completions";
        let status =
            |method: Method, path: &str, body: &str| judge(&method, path, body.as_bytes()).err().map(|no| no.0);
        assert_eq!(status(Method::POST, path, r#"{"model":"m","messages":[],"stream":false}"#), None);
        assert_eq!(status(Method::POST, path, r#"{"stream":true}"#), Some(StatusCode::BAD_REQUEST));
        assert_eq!(status(Method::POST, path, "{"), Some(StatusCode::BAD_REQUEST));
        assert_eq!(status(Method::GET, path, "{}"), Some(StatusCode::NOT_FOUND));
        assert_eq!(status(Method::POST, "/v1/embeddings", "{}"), Some(StatusCode::NOT_FOUND));
    }

    #[test]
    fn the_answer_is_json_and_its_usage_adds_up() {
        let answer: serde_json::Value = serde_json::from_str(ANSWER).expect("JSON");
        let tokens = |name: &str| answer["usage"][name].as_u64().expect("a count");
        assert_eq!(tokens("prompt_tokens") + tokens("completion_tokens"), tokens("total_tokens"));
    }
}
