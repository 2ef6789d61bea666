//! One handshake, and watching over the connection that comes of it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::material::Material;
use super::{Tls, VERIFIED_EVERY, names};
use crate::api::error::{ApiError, PROBLEM_JSON};
use crate::control_plane::access::Holder;
use crate::domain::failure::Class;

/// How long a handshake may take. A client on a slow link needs some round trips and a signature.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// The first byte of whatever speaks TLS: a record that holds a handshake (RFC 8446, section 5.1).
const RECORD_OF_HANDSHAKE: u8 = 22;
/// The most that is read of what is said in the clear, in bytes, so that whoever says it can hear the answer.
const CLEAR_BYTES_MAX: u64 = 64 * 1024;

/// A connection after its handshake.
pub(in crate::api) struct Accepted {
    pub(in crate::api) stream: TlsStream<TcpStream>,
    /// Who holds its certificate, if it has shown one.
    pub(in crate::api) holder: Option<Arc<Holder>>,
    chain: Vec<CertificateDer<'static>>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(in crate::api) enum Unaccepted {
    #[error("the handshake took too long")]
    TimedOut,
    #[error("the client speaks in the clear")]
    InTheClear,
    #[error("{0}")]
    Failed(#[from] io::Error),
}

impl Unaccepted {
    /// The word for metrics.
    pub(in crate::api) fn as_str(&self) -> &'static str {
        match self {
            Self::TimedOut => "timed_out",
            Self::InTheClear => "in_the_clear",
            Self::Failed(_) => "failed",
        }
    }
}

impl Tls {
    /// Shakes hands within the time that there is for it.
    pub(in crate::api) async fn accept(&self, stream: TcpStream) -> Result<Accepted, Unaccepted> {
        match tokio::time::timeout(HANDSHAKE_TIME_MAX, self.shake_hands(stream)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Unaccepted::TimedOut),
        }
    }

    async fn shake_hands(&self, mut stream: TcpStream) -> Result<Accepted, Unaccepted> {
        let mut first = [0; 1];
        let seen = stream.peek(&mut first).await?;
        if seen > 0 && first != [RECORD_OF_HANDSHAKE] {
            stream.write_all(&refusal_in_the_clear()).await?;
            stream.shutdown().await?;
            // A connection that is closed over unread bytes is reset, and the answer with it.
            let _read = tokio::io::copy(&mut stream.take(CLEAR_BYTES_MAX), &mut tokio::io::sink()).await.is_ok();
            return Err(Unaccepted::InTheClear);
        }
        let config = Arc::clone(&self.in_force().config);
        let stream = TlsAcceptor::from(config).accept(stream).await?;
        let (_, session) = stream.get_ref();
        let chain: Vec<_> =
            session.peer_certificates().unwrap_or_default().iter().map(|one| one.clone().into_owned()).collect();
        let holder = chain.first().map(|own| Arc::new(Holder { names: names::names(own) }));
        Ok(Accepted { stream, holder, chain })
    }

    /// Returns once what a connection showed at its handshake is no longer good enough.
    pub(in crate::api) async fn distrusts(self, chain: Vec<CertificateDer<'static>>) {
        let mut changes = self.0.subscribe();
        while trusts(&self.in_force(), &chain) {
            let changed = tokio::time::timeout(VERIFIED_EVERY, changes.changed());
            // The sender is this handle's own, and lives as long.
            let _changed_or_time = changed.await.is_ok();
        }
    }
}

impl Accepted {
    /// The stream, who holds its certificate, and what was shown.
    pub(in crate::api) fn into_parts(
        self,
    ) -> (TlsStream<TcpStream>, Option<Arc<Holder>>, Vec<CertificateDer<'static>>) {
        (self.stream, self.holder, self.chain)
    }
}

fn trusts(material: &Material, chain: &[CertificateDer<'static>]) -> bool {
    match &material.clients {
        Some(clients) => clients.believe(chain),
        // Nobody is asked for a certificate any more: whoever came in with one came in by what no longer counts.
        None => chain.is_empty(),
    }
}

/// What whoever speaks HTTP in the clear is told. It is an HTTP answer, since that is what they read.
fn refusal_in_the_clear() -> Vec<u8> {
    let refusal = ApiError::new(Class::Malformed, "tls_required", "this port speaks TLS: ask for https");
    // A problem is plain data; serialising it has no way to fail.
    let body = serde_json::to_vec(&refusal.told().problem).unwrap_or_default();
    let length = body.len();
    let head = format!(
        "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: {PROBLEM_JSON}\r\ncontent-length: {length}\r\n\r\n"
    );
    [head.into_bytes(), body].concat()
}
