//! A set of files -> what rustls serves with: TLS 1.2 and 1.3 (RFC 5246, RFC 8446), HTTP/1.1 alone (RFC 7301).

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use metrics::gauge;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use x509_cert::crl::CertificateList;
use x509_cert::der::Decode as _;

use super::error::Error;
use crate::config::settings::{self, ClientAuth, TlsClients};
use crate::domain::clock::Timestamp;
use crate::telemetry::names;

/// The largest file, in bytes. Lists of revocations of large authorities have some megabytes.
const FILE_BYTES_MAX: u64 = 32 << 20;
/// The only protocol that is spoken.
const ALPN: &[u8] = b"http/1.1";
/// Permission bits that a file must not have that decides who gets in.
const WRITABLE_BY_OTHERS: u32 = 0o022;
const NOT_WRITABLE: &str = "it must belong to root or to the daemon's user, and nobody else may write it";
const NOT_READABLE: &str = "it must be of mode 600 and belong to the daemon's user, or of mode 640 and belong to root";

/// What the listener shows and believes.
pub(super) struct Material {
    pub(super) config: Arc<ServerConfig>,
    pub(super) clients: Option<Clients>,
    /// When the server's own certificate expires.
    expires: Option<Timestamp>,
}

/// Whose certificates are believed.
pub(super) struct Clients {
    verifier: Arc<dyn ClientCertVerifier>,
    pub(super) auth: ClientAuth,
    /// When the first of the lists of revocations is out of date; from then on no certificate is believed.
    lists_expire: Option<Timestamp>,
}

impl Material {
    /// Reads and checks a set of files.
    pub(super) fn read(settings: &settings::Tls, own_uid: u32) -> Result<Self, Error> {
        let crypto = Arc::new(rustls::crypto::ring::default_provider());
        let chain = certificates(&settings.certificate_file, own_uid)?;
        let key = key(&settings.key_file, own_uid)?;
        let clients = settings.clients.as_ref().map(|clients| Clients::read(clients, &crypto, own_uid)).transpose()?;
        let expires = chain.first().and_then(super::names::expiry);
        let unusable = |reason: rustls::Error| Error::Unusable {
            file: settings.key_file.clone(),
            reason: format!("with the certificate of {}: {reason}", settings.certificate_file.display()),
        };
        let builder = ServerConfig::builder_with_provider(crypto)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(unusable)?;
        let builder = match &clients {
            Some(clients) => builder.with_client_cert_verifier(Arc::clone(&clients.verifier)),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(unusable)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        // A resumed session would bring back a certificate that was checked when it began, not now.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self { config: Arc::new(config), clients, expires })
    }

    /// Gauges when this set ends, and says so where it has.
    pub(super) fn tell(&self) {
        let lists_expire = self.clients.as_ref().and_then(|clients| clients.lists_expire);
        let now = Timestamp::now();
        for (of, expires) in [("certificate", self.expires), ("revocations", lists_expire)] {
            gauge!(names::TLS_EXPIRY_TIMESTAMP_SECONDS, "of" => of).set(seconds(expires));
            if let Some(expires) = expires.filter(|expires| *expires <= now) {
                tracing::error!(of, %expires, "what TLS goes by is out of date: clients refuse it, or are refused");
            }
        }
    }
}

impl Clients {
    fn read(settings: &TlsClients, crypto: &Arc<CryptoProvider>, own_uid: u32) -> Result<Self, Error> {
        let TlsClients { ca_file, crl_file, auth } = settings;
        let mut roots = RootCertStore::empty();
        for authority in certificates(ca_file, own_uid)? {
            roots.add(authority).map_err(|reason| malformed(ca_file, &reason))?;
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(crypto));
        let builder = match auth {
            ClientAuth::Required => builder,
            ClientAuth::Optional => builder.allow_unauthenticated(),
        };
        let lists = crl_file.as_ref().map(|file| lists(file, own_uid)).transpose()?;
        // An authority without a list, and a list that is out of date, believe nobody: what is not known to be good is not.
        let builder = match &lists {
            Some(lists) => builder.with_crls(lists.clone()).enforce_revocation_expiration(),
            None => builder,
        };
        let file = crl_file.as_ref().unwrap_or(ca_file);
        let verifier = builder.build().map_err(|reason| malformed(file, &reason))?;
        let lists_expire = lists.map(|lists| first_end(file, &lists)).transpose()?;
        Ok(Self { verifier, auth: *auth, lists_expire })
    }

    /// Whether a chain of certificates, the client's own first, is believed now.
    pub(super) fn believe(&self, chain: &[CertificateDer<'static>]) -> bool {
        let Some((own, between)) = chain.split_first() else { return self.auth == ClientAuth::Optional };
        let now = u64::try_from(Timestamp::now().micros()).map(Duration::from_micros).unwrap_or_default();
        self.verifier.verify_client_cert(own, between, UnixTime::since_unix_epoch(now)).is_ok()
    }
}

/// As a gauge has it; 0 where there is none.
fn seconds(at: Option<Timestamp>) -> f64 {
    at.map_or(0.0, |at| at.since(Timestamp::from_micros(0)).as_secs_f64())
}

fn certificates(file: &Path, own_uid: u32) -> Result<Vec<CertificateDer<'static>>, Error> {
    all(file, &read(file, own_uid, Secrecy::Public)?, "certificate")
}

fn lists(file: &Path, own_uid: u32) -> Result<Vec<CertificateRevocationListDer<'static>>, Error> {
    all(file, &read(file, own_uid, Secrecy::Public)?, "list of revocations")
}

/// All objects of one kind in a PEM file (RFC 7468), at least one. A section that is cut short is a mistake, not the end.
fn all<T: PemObject>(file: &Path, bytes: &[u8], what: &str) -> Result<Vec<T>, Error> {
    let found: Vec<T> =
        T::pem_slice_iter(bytes).collect::<Result<_, _>>().map_err(|reason| malformed(file, &reason))?;
    if found.is_empty() { Err(malformed(file, &format!("there is no {what} in it"))) } else { Ok(found) }
}

fn key(file: &Path, own_uid: u32) -> Result<PrivateKeyDer<'static>, Error> {
    let bytes = read(file, own_uid, Secrecy::Secret)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|reason| {
        if matches!(reason, pem::Error::NoItemsFound) {
            return malformed(file, &"there is no private key in it that is not encrypted");
        }
        malformed(file, &reason)
    })
}

/// When the first of some lists is out of date (RFC 5280, section 5.1.2.5).
fn first_end(file: &Path, lists: &[CertificateRevocationListDer<'static>]) -> Result<Timestamp, Error> {
    let mut ends = Vec::new();
    for list in lists {
        let list = CertificateList::from_der(list).map_err(|reason| malformed(file, &reason))?;
        let end = list.tbs_cert_list.next_update.and_then(|end| super::names::timestamp(&end));
        ends.push(end.ok_or_else(|| malformed(file, &"a list of revocations does not say until when it is good"))?);
    }
    ends.into_iter().min().ok_or_else(|| malformed(file, &"there is no list of revocations in it"))
}

fn malformed(file: &Path, reason: &impl std::fmt::Display) -> Error {
    Error::Malformed { file: file.to_owned(), reason: reason.to_string() }
}

/// Whether others may read a file.
#[derive(Clone, Copy)]
enum Secrecy {
    Public,
    Secret,
}

fn read(path: &Path, own_uid: u32, secrecy: Secrecy) -> Result<Vec<u8>, Error> {
    let unreadable = |reason: std::io::Error| Error::Unreadable { file: path.to_owned(), reason: reason.to_string() };
    let file = File::open(path).map_err(unreadable)?;
    // Of the opened file, not of the path: what is judged is what is read.
    let metadata = file.metadata().map_err(unreadable)?;
    let (mode, owner) = (metadata.mode() & 0o777, metadata.uid());
    let (forbidden, wanted) = match secrecy {
        Secrecy::Public => (WRITABLE_BY_OTHERS, NOT_WRITABLE),
        // A key of root's is shared with the daemon through a group, as Debian's group ssl-cert does.
        Secrecy::Secret if owner == 0 => (0o037, NOT_READABLE),
        Secrecy::Secret => (0o077, NOT_READABLE),
    };
    if mode & forbidden != 0 || (owner != 0 && owner != own_uid) {
        return Err(Error::Exposed { file: path.to_owned(), mode, owner, wanted });
    }
    let mut bytes = Vec::new();
    let read = file.take(FILE_BYTES_MAX.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if read as u64 > FILE_BYTES_MAX {
        return Err(malformed(path, &format!("it has more than {FILE_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}
