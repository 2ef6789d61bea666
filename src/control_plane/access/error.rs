//! Why a caller is not let in, or may not.

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
            Self::Refused(refusal) => refusal.code(),
            Self::Directory(_) | Self::Busy | Self::Unavailable(_) => "access_unavailable",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::NotGranted { .. } => Class::Forbidden,
            Self::TokenMissing | Self::TokenUnknown | Self::TokenExpired => Class::Unauthenticated,
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
            | Self::Refused(_) => Retry::Never,
            Self::Directory(_) | Self::Busy | Self::Unavailable(_) => Retry::After(std::time::Duration::from_secs(1)),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::NotGranted { .. } => "nothing is granted to this user; an administrator can, in [access]".to_owned(),
            Self::TokenMissing => "this listener needs a bearer token".to_owned(),
            Self::TokenUnknown => "the token is not known".to_owned(),
            Self::TokenExpired => "the token has expired".to_owned(),
            Self::Refused(refusal) => refusal.detail(),
            Self::Directory(_) | Self::Busy | Self::Unavailable(_) => "who asks cannot be found out now".to_owned(),
        }
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
