//! A provider that does what the test says, call by call, in whichever of the three wire formats it is asked.
//!
//! ```text
//! call ─ path ─> Format ──> script ─> Reply ──> document or pieces (openai, anthropic, gemini) ──> delivery: pace, fault
//!                                       └──────> Meter: what this provider would bill, by its own arithmetic
//! ```
//!
//! It listens on one port: `/v1/chat/completions`, `/v1/messages`, `/v1beta/models/{model}:generateContent` and
//! `…:streamGenerateContent?alt=sse`; whatever else is posted to it, it takes for a call of the first kind, or of a tool.

mod anthropic;
mod asked;
mod connection;
mod delivery;
mod gemini;
mod meter;
mod openai;
mod reply;
mod wire;

use std::sync::{Arc, Mutex};

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;

use self::connection::{Connection, Reset};
use self::delivery::{Body, Work};
use super::waiting::within;

pub(crate) use self::asked::Asked;
pub(crate) use self::meter::{Billed, Meter, Tariff};
pub(crate) use self::reply::{Answer, Counts, Cut, Fault, Gate, Reply, Reported, ToolCall};
pub(crate) use self::wire::Format;

/// Tokens that an echo says it read and wrote, and bills.
const ECHOED: Counts = Counts { input: 100, output: 20, cached: 0, reasoning: 0 };
/// What such an answer of `mock/priced` costs: 100 tokens at $1.00 and 20 at $4.00 by the million.
pub(crate) const COST: &str = "0.00018";

type Script = dyn Fn(&Asked) -> Reply + Send + Sync;

/// The provider; it serves until the test ends.
pub(crate) struct Provider {
    port: u16,
    asked: Arc<watch::Sender<Vec<Asked>>>,
    answered: Answers,
    meter: Meter,
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
        let (answered, meter) = (Answers::default(), Meter::new());
        let desk =
            Desk { asked: asked.clone(), answered: answered.clone(), meter: meter.clone(), script: Arc::new(script) };
        tokio::spawn(serve(listener, desk));
        Self { port, asked, answered, meter }
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

    /// The completions that it has given, each with the number of its call.
    pub(crate) fn answered(&self) -> Vec<(usize, String)> {
        self.answered.lock().expect("no poison").clone()
    }

    /// What it would bill.
    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
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
    meter: Meter,
    script: Arc<Script>,
}

async fn serve(listener: TcpListener, desk: Desk) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        // Pieces leave when they are written.
        stream.set_nodelay(true).expect("an open socket");
        let (desk, reset) = (desk.clone(), Reset::default());
        let connection = TokioIo::new(Connection::new(stream, reset.clone()));
        let service = service_fn(move |request| answer(request, desk.clone(), reset.clone()));
        tokio::spawn(async move {
            // A connection that the daemon ends, or that the script cuts, is no failure of the provider.
            let _ended = hyper::server::conn::http1::Builder::new().serve_connection(connection, service).await;
        });
    }
}

async fn answer(request: Request<Incoming>, desk: Desk, reset: Reset) -> Result<Response<Body>, hyper::Error> {
    let (head, body) = request.into_parts();
    // A daemon that is killed in the middle of a request has not asked.
    let bytes = body.collect().await?.to_bytes();
    let raw = String::from_utf8(bytes.to_vec()).expect("text");
    let mut call = Asked::new(head.uri.to_string(), &head.headers, raw);
    desk.asked.send_modify(|all| {
        call.number = all.len();
        all.push(call.clone());
    });
    let mut reply = desk.prepared((desk.script)(&call), &call);
    loop {
        reply = match reply {
            Prepared::Held(gate, then) => {
                gate.passed().await;
                *then
            }
            Prepared::After(latency, then) => {
                tokio::time::sleep(latency).await;
                *then
            }
            Prepared::Answer(work, text) => {
                desk.answered.lock().expect("no poison").push((call.number, text));
                return Ok(work.respond(&call, reset));
            }
            Prepared::Done(response) => return Ok(*response),
            Prepared::Silence => std::future::pending().await,
        };
    }
}

/// A reply whose model, if it has one, is at work: a bill does not wait until somebody hears the answer.
enum Prepared {
    Held(Gate, Box<Self>),
    After(std::time::Duration, Box<Self>),
    Answer(Box<Work>, String),
    Done(Box<Response<Body>>),
    Silence,
}

impl Desk {
    fn prepared(&self, reply: Reply, call: &Asked) -> Prepared {
        let echoed = |text: String| Answer::text(text).reporting(Reported::Exactly(ECHOED));
        let done = |response| Prepared::Done(Box::new(response));
        match reply {
            Reply::Held(gate, then) => Prepared::Held(gate, Box::new(self.prepared(*then, call))),
            Reply::After(latency, then) => Prepared::After(latency, Box::new(self.prepared(*then, call))),
            Reply::Echo => self.working(call, echoed(format!("echo: {}", call.prompt()))),
            Reply::Say(text) => self.working(call, echoed(text.to_owned())),
            Reply::Answer(answer) => self.working(call, answer),
            Reply::Return => done(delivery::whole(format!("did: {}", call.body["input"].as_str().expect("an input")))),
            Reply::Status(status, retry_after) => {
                done(failed(call, status, retry_after.map(|pause| pause.as_secs().to_string())))
            }
            Reply::StatusUntil(status, date) => done(failed(call, status, Some(date))),
            Reply::Cut => done(delivery::cut()),
            Reply::Nonsense => done(delivery::whole("<html>It works!</html>".into())),
            Reply::Silence => Prepared::Silence,
        }
    }

    fn working(&self, call: &Asked, answer: Answer) -> Prepared {
        let text = answer.text.clone();
        Prepared::Answer(Box::new(Work::begin(call, answer, &self.meter)), text)
    }
}

fn failed(call: &Asked, status: u16, retry_after: Option<String>) -> Response<Body> {
    let mut response = delivery::failed(status, &call.format.failure(status));
    if let Some(pause) = retry_after {
        response.headers_mut().insert("retry-after", pause.try_into().expect("a header"));
    }
    response
}
