//! Who asks.

use std::sync::Arc;

use crate::config::settings::{Rate, Role};
use crate::control_plane::audit::Who;
use crate::domain::certificate::CertificateName;
use crate::domain::name::{Tenant, User};

use super::policy::role_word;

/// The credentials of the process at the other end of the Unix socket, as the kernel tells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
    /// Its process, where the kernel tells it.
    pub pid: Option<i32>,
}

/// Who is at the other end of a TLS connection, as a certificate says that an authority of the settings has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// All names of the certificate that something may be granted to.
    pub names: Vec<CertificateName>,
}

/// How a principal was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// By the socket's peer credentials.
    Peer(Peer),
    /// By a token of this name.
    Token(Arc<str>),
    /// By a client certificate with this name.
    Certificate(CertificateName),
    /// Not at all, on a listener that allows it.
    Anonymous,
    /// It is the daemon itself.
    Internal,
}

impl Via {
    /// A word for metrics.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Peer(_) => "peer",
            Self::Token(_) => "token",
            Self::Certificate(_) => "certificate",
            Self::Anonymous => "anonymous",
            Self::Internal => "internal",
        }
    }
}

/// Who asks, and as what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// A name for logs and the audit log: `ann`, `uid:1000`, `token:ci`, `certificate:dns:ci.acme.example`, `anonymous`, `factoryd`.
    pub name: Arc<str>,
    /// The host's user, where the principal is one and its name is known.
    pub user: Option<User>,
    /// What it may do.
    pub role: Role,
    /// The only tenant that exists for it; none means every tenant.
    pub tenant: Option<Tenant>,
    /// How often it may ask.
    pub rate: Rate,
    /// How it was recognised.
    pub via: Via,
}

impl Principal {
    /// The daemon itself, for what it does of its own accord.
    #[must_use]
    pub fn internal() -> Self {
        Self {
            name: "factoryd".into(),
            user: None,
            role: Role::Admin,
            tenant: None,
            rate: Rate::Unlimited,
            via: Via::Internal,
        }
    }
}

impl From<&Principal> for Who {
    fn from(principal: &Principal) -> Self {
        let uid = match &principal.via {
            Via::Peer(peer) => Some(peer.uid),
            Via::Token(_) | Via::Certificate(_) | Via::Anonymous | Via::Internal => None,
        };
        Self {
            name: principal.name.clone(),
            role: role_word(principal.role).into(),
            tenant: principal.tenant.clone(),
            uid,
        }
    }
}
