//! The listener's actor: accepts connections and serves each with the router. The sockets outlive it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::counter;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;
use tower::ServiceExt;

use super::gate::Origin;
use super::rooms::Rooms;
use super::router;
use super::tls::{Crowd, Tls};
use crate::control_plane::access::Peer;
use crate::supervision::{Address, ChildSpec};
use crate::telemetry::names;

/// How long a client may take to send the head of a request.
const HEAD_TIME_MAX: Duration = Duration::from_secs(30);
/// How long accepting pauses when the process has no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The sockets that are listened on; bound before the tree starts, so that a restart of the listener refuses nobody.
pub struct Sockets {
    /// The control socket.
    pub unix: UnixListener,
    /// The TCP listener, where it is on.
    pub tcp: Option<TcpListener>,
    /// What it shows and believes, where it speaks TLS.
    pub tls: Option<Tls>,
}

/// The listener's handle.
#[derive(Clone)]
pub struct Listener {
    draining: Arc<watch::Sender<bool>>,
    places: Places,
    connections_max: usize,
    handshakes: Crowd,
    tls: Option<Tls>,
}

/// Connections that may still be made. Each listener has its own, so that a crowd on the network keeps nobody from the socket.
#[derive(Clone)]
struct Places {
    unix: Arc<Semaphore>,
    tcp: Arc<Semaphore>,
}

impl Places {
    fn new(each: usize) -> Self {
        Self { unix: Arc::new(Semaphore::new(each)), tcp: Arc::new(Semaphore::new(each)) }
    }
}

impl Listener {
    /// Makes the listener and the spec of its actor.
    #[must_use]
    pub fn start(sockets: Sockets, rooms: Arc<Rooms>) -> (Self, ChildSpec) {
        let connections_max = rooms.settings.connections_max;
        let handle = Self {
            draining: Arc::clone(&rooms.draining),
            places: Places::new(connections_max),
            connections_max,
            handshakes: Crowd::default(),
            tls: sockets.tls.clone(),
        };
        let address: Address<Message> = Address::new("api");
        let server = Server { sockets: Arc::new(sockets), router: router::build(&rooms), handle: handle.clone() };
        let spec = ChildSpec::worker(&address, move || (Acceptor, server.clone()));
        (handle, spec)
    }

    /// What the TCP listener shows and believes, where it speaks TLS.
    #[must_use]
    pub fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// Ends every connection after the request that it is serving.
    pub fn drain(&self) {
        self.draining.send_replace(true);
        self.handshakes.clear();
    }

    /// Waits until no connection is left, at most so long; says whether that is so.
    pub async fn drained(&self, within: Duration) -> bool {
        let all = u32::try_from(self.connections_max).unwrap_or(u32::MAX);
        let Places { unix, tcp } = &self.places;
        let both = async { unix.acquire_many(all).await.is_ok() && tcp.acquire_many(all).await.is_ok() };
        tokio::time::timeout(within, both).await.is_ok()
    }
}

/// A place for one more connection; none when there will be no more.
async fn place(places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    Arc::clone(places).acquire_owned().await.ok()
}

#[derive(Clone)]
struct Server {
    sockets: Arc<Sockets>,
    router: Router,
    handle: Listener,
}

/// The mailbox, in which nothing arrives.
enum Message {}

struct Acceptor;

/// Accepting, which ends with the actor.
struct Accepting(Vec<JoinHandle<()>>);

impl Drop for Accepting {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Actor for Acceptor {
    type Msg = Message;
    type State = Accepting;
    type Arguments = Server;

    async fn pre_start(&self, _myself: ActorRef<Message>, server: Server) -> Result<Accepting, ActorProcessingErr> {
        let mut accepting = vec![tokio::spawn(accept_unix(server.clone()))];
        if server.sockets.tcp.is_some() {
            accepting.push(tokio::spawn(accept_tcp(server)));
        }
        Ok(Accepting(accepting))
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        _state: &mut Accepting,
    ) -> Result<(), ActorProcessingErr> {
        match message {}
    }
}

async fn accept_unix(server: Server) {
    loop {
        let Some(place) = place(&server.handle.places.unix).await else { return };
        let accepted = tokio::select! {
            accepted = server.sockets.unix.accept() => accepted,
            () = told(server.handle.draining.subscribe()) => return,
        };
        match accepted {
            Ok((stream, _)) => match peer(&stream) {
                Ok(peer) => serve(&server, stream, Terms::of(Origin::Peer(peer), place)),
                Err(error) => tracing::warn!(%error, "a connection whose peer the kernel does not name was closed"),
            },
            Err(error) => pause(&error).await,
        }
    }
}

async fn accept_tcp(server: Server) {
    let Some(tcp) = &server.sockets.tcp else { return };
    loop {
        // With TLS a connection takes its place after the handshake, so that handshakes take none.
        let place = match &server.handle.tls {
            None => place(&server.handle.places.tcp).await,
            Some(_) => None,
        };
        let accepted = tokio::select! {
            accepted = tcp.accept() => accepted,
            () = told(server.handle.draining.subscribe()) => return,
        };
        let stream = match accepted {
            Ok((stream, from)) => without_delay(stream, from),
            Err(error) => {
                pause(&error).await;
                continue;
            }
        };
        match (&server.handle.tls, place) {
            (Some(tls), _) => shake_hands(&server, tls.clone(), stream),
            (None, Some(place)) => serve(&server, stream, Terms::of(Origin::Tcp(None), place)),
            (None, None) => return,
        }
    }
}

/// Shakes hands beside the accepting, and then serves the connection.
fn shake_hands(server: &Server, tls: Tls, stream: TcpStream) {
    let handshake = tokio::spawn({
        let server = server.clone();
        async move {
            let outcome = match tls.accept(stream).await {
                Ok(accepted) => {
                    // It waits here among the handshakes, and gives way to newer ones like them.
                    let Some(place) = place(&server.handle.places.tcp).await else { return };
                    let (stream, holder, chain) = accepted.into_parts();
                    let distrusted = Box::pin(tls.distrusts(chain));
                    serve(&server, stream, Terms { origin: Origin::Tcp(holder), place, distrusted: Some(distrusted) });
                    "done"
                }
                Err(reason) => {
                    tracing::debug!(%reason, "a handshake failed");
                    reason.as_str()
                }
            };
            counter!(names::TLS_HANDSHAKES_TOTAL, "outcome" => outcome).increment(1);
        }
    });
    if server.handle.handshakes.enter(handshake.abort_handle()) {
        counter!(names::TLS_HANDSHAKES_TOTAL, "outcome" => "crowded_out").increment(1);
    }
}

/// Small answers must not wait for more to send.
fn without_delay(stream: TcpStream, from: SocketAddr) -> TcpStream {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, %from, "a connection keeps its delay");
    }
    stream
}

fn peer(stream: &UnixStream) -> io::Result<Peer> {
    let credentials = stream.peer_cred()?;
    Ok(Peer { uid: credentials.uid(), gid: credentials.gid(), pid: credentials.pid() })
}

/// A failed accept is the client's doing, or the process has no descriptors left: both pass.
async fn pause(error: &io::Error) {
    tracing::warn!(%error, "a connection could not be accepted");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

/// Returns once the daemon is draining.
async fn told(mut draining: watch::Receiver<bool>) {
    // The sender lives as long as the listener's handle, and with it the daemon.
    let _told = draining.wait_for(|draining| *draining).await.is_ok();
}

/// On what terms a connection is served.
struct Terms {
    origin: Origin,
    place: OwnedSemaphorePermit,
    /// Done once it is no longer to be served at all.
    distrusted: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Terms {
    /// As long as both sides like.
    fn of(origin: Origin, place: OwnedSemaphorePermit) -> Self {
        Self { origin, place, distrusted: None }
    }
}

/// Serves one connection, which outlives the accepting actor.
fn serve<S>(server: &Server, stream: S, terms: Terms)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let router = server.router.clone();
    let draining = server.handle.draining.subscribe();
    let Terms { origin, place, distrusted } = terms;
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(origin.clone());
        let answer = router.clone().oneshot(request);
        async move { Ok::<_, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
    });
    tokio::spawn(async move {
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME_MAX)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let served = tokio::select! {
            served = connection.as_mut() => served,
            () = told(draining) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
            () = async { match distrusted { Some(distrusted) => distrusted.await, None => std::future::pending().await } } => {
                counter!(names::TLS_DISTRUSTED_TOTAL).increment(1);
                tracing::info!("a connection was cut off: its certificate is no longer good");
                Ok(())
            }
        };
        if let Err(error) = served {
            tracing::debug!(%error, "a connection ended early");
        }
        drop(place);
    });
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::super::tests::edge;
    use super::*;

    /// What a connection answers to these bytes until it is closed.
    async fn answers(request: &str) -> String {
        let directory = tempfile::tempdir().expect("a directory");
        let unix = UnixListener::bind(directory.path().join("s")).expect("bound");
        let handle = Listener {
            draining: Arc::new(watch::Sender::new(false)),
            places: Places::new(1),
            connections_max: 1,
            handshakes: Crowd::default(),
            tls: None,
        };
        let place = place(&handle.places.tcp).await.expect("a place");
        let server = Server { sockets: Arc::new(Sockets { unix, tcp: None, tls: None }), router: edge(), handle };
        let (mut client, stream) = tokio::io::duplex(1 << 16);
        serve(&server, stream, Terms::of(Origin::Tcp(None), place));
        client.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("an answer");
        answer
    }

    fn post(headers: &str, body: &str) -> String {
        format!("POST /things HTTP/1.1\r\nHost: factory\r\nConnection: close\r\n{headers}\r\n{body}")
    }

    #[tokio::test]
    async fn two_lengths_of_one_body_are_refused_before_it_is_read() {
        let answer = answers(&post("Content-Length: 2\r\nContent-Length: 3\r\n", "{} ")).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains("content-length: 0"), "{answer}");
    }

    #[tokio::test]
    async fn a_length_beside_chunks_is_not_believed() {
        let answer =
            answers(&post("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "4\r\n[12]\r\n0\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("[12]"), "{answer}");
    }

    #[tokio::test]
    async fn who_expects_to_be_told_to_go_on_is_told_so() {
        let answer = answers(&post("Content-Length: 2\r\nExpect: 100-continue\r\n", "{}")).await;
        assert!(answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), "{answer}");
    }

    #[tokio::test]
    async fn who_announces_too_much_is_refused_without_being_told_to_go_on() {
        let answer = answers(&post("Content-Length: 33\r\nExpect: 100-continue\r\n", "")).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("\"status\":413"), "{answer}");
    }
}
