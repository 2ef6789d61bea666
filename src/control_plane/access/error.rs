//! Why a caller is not let in, or may not.

use std::time::Duration;

use crate::config::settings::RateLimit;
use crate::domain::failure::{Class, Failure, Retry};
use crate::supervision::CallError;

use super::policy::Refusal;

/// A refusal or a failure of the access room.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The peer has no grant.
    #[error("admit the peer with uid {uid}: nothing is granted to it")]
    NotGranted {
        /// Its user.
        uid: u32,
    },
    /// There was no token where one is needed.
    #[error("admit a request: it has no token")]
    TokenMissing,
    /// Nobody has that token.
    #[error("admit a request: its token is not known")]
    TokenUnknown,
    /// The token has expired.
    #[error("admit a request: its token has expired")]
    TokenExpired,
    /// What stands where a token should is none.
    #[error("admit a request: what it has in place of a token is none")]
    TokenMalformed,
    /// Nothing is granted to any name of the certificate.
    #[error("admit the holder of a certificate: nothing is granted to its names")]
    CertificateUnknown,
    /// Different things are granted to several names of the certificate.
    #[error("admit the holder of a certificate: different things are granted to its names")]
    CertificateAmbiguous,
    /// The principal may not.
    #[error("authorise a request: {0}")]
    Refused(#[from] Refusal),
    /// The host's directory cannot be asked.
    #[error("look a peer up in the host's directory: {0}")]
    Directory(String),
    /// More peers wait to be looked up than may.
    #[error("look a peer up in the host's directory: too many wait for it")]
    Busy,
    /// The actor gave no answer.
    #[error("look a peer up: {0}")]
    Unavailable(#[from] CallError),
}

impl Failure for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::NotGranted { .. } => "not_granted",
            Self::TokenMissing => "token_missing",
            Self::TokenUnknown => "token_unknown",
            Self::TokenExpired => "token_expired",
            Self::TokenMalformed => "token_malformed",
            Self::CertificateUnknown => "certificate_not_granted",
            Self::CertificateAmbiguous => "certificate_ambiguous",
            Self::Refused(refusal) => refusal.code(),
            Self::Directory(_) | Self::Busy | Self::Unavailable(_) => "access_unavailable",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::NotGranted { .. } | Self::CertificateUnknown | Self::CertificateAmbiguous => Class::Forbidden,
            Self::TokenMissing | Self::TokenUnknown | Self::TokenExpired | Self::TokenMalformed => {
                Class::Unauthenticated
            }
            Self::Refused(refusal) => refusal.class(),
            Self::Directory(_) | Self::Busy | Self::Unavailable(_) => Class::Unavailable,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::NotGranted { .. }
            | Self::TokenMissing
            | Self::TokenUnknown
            | Self::TokenExpired
            | Self::TokenMalformed
            | Self::CertificateUnknown
            | Self::CertificateAmbiguous
            | Self::Refused(_) => Retry::Never,
            Self::Directory(_) | Self::Busy | Self::Unavailable(_) => Retry::After(Duration::from_secs(1)),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::NotGranted { .. } => "nothing is granted to this user; an administrator can, in [access]".to_owned(),
            Self::TokenMissing => {
                "this listener needs a bearer token, or a client certificate where it speaks TLS".to_owned()
            }
            Self::TokenUnknown => "the token is not known".to_owned(),
            Self::TokenExpired => "the token has expired".to_owned(),
            Self::TokenMalformed => {
                "what is sent as a token is none: send one header `Authorization: Bearer TOKEN`".to_owned()
            }
            Self::CertificateUnknown => {
                "nothing is granted to any name of this certificate; an administrator can, in [access.certificates]"
                    .to_owned()
            }
            Self::CertificateAmbiguous => {
                "different things are granted to several names of this certificate, so that it stands for nobody"
                    .to_owned()
            }
            Self::Refused(refusal) => refusal.detail(),
            Self::Directory(_) | Self::Busy | Self::Unavailable(_) => "who asks cannot be found out now".to_owned(),
        }
    }
}

/// A principal asks more often than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("admit a request: {} in a minute, {} of them at once, are what this principal may ask", limit.requests_per_minute, limit.burst)]
pub struct TooOften {
    /// What it may.
    pub limit: RateLimit,
    /// When the next request would be served.
    pub wait: Duration,
    /// Whether no such refusal of this principal was told in the last minute; only then is it for the audit log.
    pub unheard: bool,
}

impl Failure for TooOften {
    fn code(&self) -> &'static str {
        "rate_limited"
    }

    fn class(&self) -> Class {
        Class::Overload
    }

    fn retry(&self) -> Retry {
        Retry::After(self.wait)
    }

    fn detail(&self) -> String {
        let RateLimit { requests_per_minute, burst } = self.limit;
        let (seconds, millis) = (self.wait.as_secs(), self.wait.subsec_millis());
        format!(
            "at most {requests_per_minute} requests a minute, {burst} of them at once; the next is served in {seconds}.{millis:03} s"
        )
    }
}

impl Failure for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::Role { .. } | Self::EveryTenant { .. } => "forbidden",
            Self::OtherTenant => "not_found",
            Self::NotItsTenant => "tenant_forbidden",
            Self::NotItsUser => "user_forbidden",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Role { .. } | Self::EveryTenant { .. } | Self::NotItsTenant | Self::NotItsUser => Class::Forbidden,
            Self::OtherTenant => Class::NotFound,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::OtherTenant => "there is no such thing".to_owned(),
            Self::Role { .. } | Self::EveryTenant { .. } | Self::NotItsTenant | Self::NotItsUser => self.to_string(),
        }
    }
}
