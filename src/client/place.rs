//! Where a daemon is, and what is shown there to say who asks.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, HOST, HeaderValue};
use hyper::{Request, Uri};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use tokio_rustls::TlsConnector;

use super::error::Error;
use crate::domain::private::Secret;

/// Where a daemon is.
#[derive(Clone)]
pub enum Place {
    /// Its control socket on this host; the kernel says there who asks.
    Socket(PathBuf),
    /// Its TCP listener.
    Remote(Arc<Remote>),
}

/// A TCP listener, and what is shown there.
pub struct Remote {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Option<(TlsConnector, ServerName<'static>)>,
    url: String,
    authority: HeaderValue,
    authorization: Option<HeaderValue>,
}

/// What is shown at a TCP listener, and who is believed there. All of it is text of PEM files, but for the token.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// The certificates of the authorities that may have signed the daemon's. There must be one where the URL is https.
    pub authorities: Option<Vec<u8>>,
    /// The client's certificate, with those between it and its authority's, and its private key.
    pub certificate: Option<(Vec<u8>, Secret)>,
    /// The bearer token.
    pub token: Option<Secret>,
}

impl Place {
    /// A daemon at `https://HOST[:PORT]`, or on this host's loopback at `http://HOST[:PORT]`.
    ///
    /// # Errors
    /// [`Error::Address`]: the URL is none of these, an `https` one has no authorities, or the credentials cannot be read.
    pub fn remote(url: &str, credentials: &Credentials) -> Result<Self, Error> {
        let wrong = |reason: &str| Error::Address { url: url.to_owned(), reason: reason.to_owned() };
        let uri: Uri = url.parse().map_err(|_| wrong("expected https://HOST[:PORT]"))?;
        let (scheme, host) = (uri.scheme_str().unwrap_or_default(), uri.host().unwrap_or_default());
        let has_rest = !matches!(uri.path(), "" | "/") || uri.query().is_some();
        let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        if host.is_empty() || has_rest || has_user {
            return Err(wrong("expected https://HOST[:PORT] and nothing more"));
        }
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let tls = match scheme {
            "https" => Some(connector(&host, credentials).map_err(|reason| wrong(&reason))?),
            "http" if is_loopback(&host) => None,
            "http" => return Err(wrong("http is for loopback addresses; over a network ask for https")),
            _ => return Err(wrong("expected https://HOST[:PORT]")),
        };
        let port = uri.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let authority = HeaderValue::from_str(authority).map_err(|_| wrong("expected https://HOST[:PORT]"))?;
        let authorization = credentials.token.as_ref().map(|token| {
            let mut value =
                HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| wrong("the token is none"))?;
            value.set_sensitive(true);
            Ok::<_, Error>(value)
        });
        let (url, authorization) = (url.trim_end_matches('/').to_owned(), authorization.transpose()?);
        Ok(Self::Remote(Arc::new(Remote { host, port, tls, url, authority, authorization })))
    }

    /// The path of the control socket, where it is one.
    #[must_use]
    pub fn socket(&self) -> Option<&Path> {
        match self {
            Self::Socket(path) => Some(path),
            Self::Remote(_) => None,
        }
    }

    /// A request as it is sent here.
    pub(super) fn addressed(&self, mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
        if let Self::Remote(remote) = self {
            request.headers_mut().insert(HOST, remote.authority.clone());
            if let Some(authorization) = &remote.authorization {
                request.headers_mut().insert(AUTHORIZATION, authorization.clone());
            }
        }
        request
    }
}

impl From<PathBuf> for Place {
    fn from(socket: PathBuf) -> Self {
        Self::Socket(socket)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "{}", path.display()),
            Self::Remote(remote) => f.write_str(&remote.url),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn connector(host: &str, credentials: &Credentials) -> Result<(TlsConnector, ServerName<'static>), String> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| format!("{host:?} is no host"))?;
    let Some(authorities) = &credentials.authorities else {
        return Err("https needs the certificate of the authority that signed the daemon's".to_owned());
    };
    let mut roots = RootCertStore::empty();
    for authority in certificates(authorities)? {
        roots.add(authority).map_err(|reason| format!("the authority's certificate: {reason}"))?;
    }
    let builder = builder()?.with_root_certificates(roots);
    let mut config = match &credentials.certificate {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes())
                .map_err(|_| "the key is no private key in PEM that is not encrypted".to_owned())?;
            let fits = builder.with_client_auth_cert(certificates(chain)?, key);
            fits.map_err(|reason| format!("certificate and key: {reason}"))?
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((TlsConnector::from(Arc::new(config)), name))
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, String> {
    let crypto = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(crypto)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|reason| reason.to_string())
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|reason| format!("a file of certificates: {reason}"))?;
    if found.is_empty() { Err("a file of certificates has none in it".to_owned()) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        match Place::remote(url, &Credentials::default()) {
            Err(Error::Address { reason, .. }) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_token_never_leaves_in_the_clear() {
        for url in ["http://factory.example:8000", "http://10.0.0.1", "http://localhost.example"] {
            assert!(refused(url).contains("over a network"), "{url}");
        }
        for url in ["http://127.0.0.1:8000", "http://[::1]:8000/", "http://localhost"] {
            let place = Place::remote(url, &Credentials::default()).expect("a place");
            assert_eq!(place.to_string(), url.trim_end_matches('/'));
        }
    }

    #[test]
    fn an_address_is_a_host_and_a_port_and_nothing_more() {
        for url in ["", "factory.example", "ftp://x", "https://", "https://h/path", "https://h/?q", "https://u:p@h"] {
            assert!(refused(url).starts_with("expected https://HOST[:PORT]"), "{url}");
        }
        assert!(refused("https://factory.example").contains("needs the certificate"));
    }
}
