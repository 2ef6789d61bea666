//! A provider that speaks Chat Completions and does what the test says, call by call.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

use super::waiting::within;

/// Tokens that every answer says it read and wrote.
const INPUT_TOKENS: u64 = 100;
const OUTPUT_TOKENS: u64 = 20;
/// What such an answer of `mock/priced` costs: 100 tokens at $1.00 and 20 at $4.00 by the million.
pub(crate) const COST: &str = "0.00018";

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

type Body = UnsyncBoxBody<Bytes, io::Error>;
type Script = dyn Fn(&Asked) -> Reply + Send + Sync;

/// A call as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Its number, from 0.
    pub(crate) number: usize,
    /// Its body as text.
    pub(crate) raw: String,
    /// Its body.
    pub(crate) body: Value,
    /// The key that it was made with.
    pub(crate) authorization: Option<String>,
    /// What names the call, the same at every repetition of it.
    pub(crate) idempotency_key: Option<String>,
    /// When.
    pub(crate) at: Instant,
}

impl Asked {
    /// What the model is asked.
    pub(crate) fn prompt(&self) -> &str {
        self.body["messages"]
            .as_array()
            .and_then(|said| said.last())
            .and_then(|last| last["content"].as_str())
            .expect("text")
    }

    /// What the model is told to be.
    pub(crate) fn system(&self) -> &str {
        self.body["messages"][0]["content"].as_str().expect("text")
    }
}

/// What the provider does with a call.
pub(crate) enum Reply {
    /// Answers with what it was asked.
    Echo,
    /// Answers.
    Say(&'static str),
    /// Answers as a tool does: with the input that it was given.
    Return,
    /// Fails, with or without asking for patience.
    Status(u16, Option<Duration>),
    /// Announces an answer and ends the connection in its middle.
    Cut,
    /// Answers with what is no JSON.
    Nonsense,
    /// Never answers.
    Silence,
    /// Waits for the test, then does something else.
    Held(Gate, Box<Self>),
    /// Takes its time, as models do, then does something else.
    After(Duration, Box<Self>),
}

impl Reply {
    /// Answers with what it was asked, once the test says so.
    pub(crate) fn echo_behind(gate: &Gate) -> Self {
        Self::Held(gate.clone(), Box::new(Self::Echo))
    }
}

/// What holds answers back until the test opens it.
#[derive(Clone)]
pub(crate) struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    pub(crate) fn closed() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    pub(crate) fn open(&self) {
        self.0.send_replace(true);
    }

    async fn passed(&self) {
        self.0.subscribe().wait_for(|open| *open).await.expect("the gate is there");
    }
}

/// The provider; it serves until the test ends.
pub(crate) struct Provider {
    port: u16,
    asked: Arc<watch::Sender<Vec<Asked>>>,
    answered: Answers,
}

/// The number of each call that was answered with a completion, and what it says.
type Answers = Arc<Mutex<Vec<(usize, String)>>>;

impl Provider {
    /// A provider that answers every call with what it was asked.
    pub(crate) async fn echo() -> Self {
        Self::start(|_| Reply::Echo).await
    }

    /// A provider that does with each call what the script says.
    pub(crate) async fn start(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let asked = Arc::new(watch::Sender::new(Vec::new()));
        let answered = Answers::default();
        let desk = Desk { asked: asked.clone(), answered: answered.clone(), script: Arc::new(script) };
        tokio::spawn(serve(listener, desk));
        Self { port, asked, answered }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The calls so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.borrow().clone()
    }

    /// How many calls there were.
    pub(crate) fn count(&self) -> usize {
        self.asked.borrow().len()
    }

    /// The completions that it has given, each with the number of its call: what a real provider would bill.
    pub(crate) fn answered(&self) -> Vec<(usize, String)> {
        self.answered.lock().expect("no poison").clone()
    }

    /// Waits until there were so many calls.
    pub(crate) async fn was_asked(&self, count: usize) -> Vec<Asked> {
        let mut asked = self.asked.subscribe();
        let enough = asked.wait_for(|asked| asked.len() >= count);
        within(&format!("{count} calls to the provider"), enough).await.expect("it serves").clone()
    }
}

/// What a connection works with.
#[derive(Clone)]
struct Desk {
    asked: Arc<watch::Sender<Vec<Asked>>>,
    answered: Answers,
    script: Arc<Script>,
}

async fn serve(listener: TcpListener, desk: Desk) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let desk = desk.clone();
        let service = service_fn(move |request| answer(request, desk.clone()));
        tokio::spawn(async move {
            // A connection that the daemon ends, or that the script cuts, is no failure of the provider.
            let _ended =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(request: Request<Incoming>, desk: Desk) -> Result<Response<Body>, hyper::Error> {
    let header = |name| request.headers().get(name).map(|value| value.to_str().expect("text").to_owned());
    let (authorization, idempotency_key) = (header(AUTHORIZATION), header(IDEMPOTENCY_KEY));
    // A daemon that is killed in the middle of a request has not asked.
    let bytes = request.into_body().collect().await?.to_bytes();
    let raw = String::from_utf8(bytes.to_vec()).expect("text");
    let body = serde_json::from_str(&raw).expect("JSON");
    let mut call = Asked { number: 0, raw, body, authorization, idempotency_key, at: Instant::now() };
    desk.asked.send_modify(|all| {
        call.number = all.len();
        all.push(call.clone());
    });
    let mut reply = (desk.script)(&call);
    loop {
        reply = match reply {
            Reply::Held(gate, then) => {
                gate.passed().await;
                *then
            }
            Reply::After(latency, then) => {
                tokio::time::sleep(latency).await;
                *then
            }
            Reply::Echo => break Ok(completion(format!("echo: {}", call.prompt()), &call, &desk)),
            Reply::Say(text) => break Ok(completion(text.to_owned(), &call, &desk)),
            Reply::Return => break Ok(whole(format!("did: {}", call.body["input"].as_str().expect("an input")))),
            Reply::Status(status, retry_after) => break Ok(failed(status, retry_after)),
            Reply::Cut => break Ok(cut()),
            Reply::Nonsense => break Ok(whole("<html>It works!</html>".into())),
            Reply::Silence => std::future::pending().await,
        };
    }
}

/// An answer, which is remembered.
fn completion(text: String, call: &Asked, desk: &Desk) -> Response<Body> {
    let answer = said(&text);
    desk.answered.lock().expect("no poison").push((call.number, text));
    answer
}

fn said(text: &str) -> Response<Body> {
    let answer = json!({
        "id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": INPUT_TOKENS, "completion_tokens": OUTPUT_TOKENS, "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS}
    });
    whole(answer.to_string())
}

fn whole(text: String) -> Response<Body> {
    let body = Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync();
    Response::builder().header(CONTENT_TYPE, "application/json").body(body).expect("a response")
}

fn failed(status: u16, retry_after: Option<Duration>) -> Response<Body> {
    let mut response = whole(json!({"error": {"message": "not now"}}).to_string());
    *response.status_mut() = status.try_into().expect("a status");
    if let Some(pause) = retry_after {
        response.headers_mut().insert("retry-after", pause.as_secs().into());
    }
    response
}

fn cut() -> Response<Body> {
    let begun = Frame::data(Bytes::from_static(b"{\"choices\":["));
    let frames = stream::iter([Ok(begun), Err(io::Error::other("cut off"))]);
    let body = StreamBody::new(frames).boxed_unsync();
    Response::builder().header(CONTENT_LENGTH, 4096).body(body).expect("a response")
}
