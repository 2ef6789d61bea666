//! What budgets answer when they do not do as asked.

use std::time::Duration;

use crate::domain::budget::InvalidScope;
use crate::domain::failure::{Class, Failure, Retry};
use crate::store;
use crate::supervision::CallError;

use super::refusal::{Refusal, Why};

/// A refusal or a failure of the budget room.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A limit does not allow it.
    #[error("reserve money: {0}")]
    Refused(Box<Refusal>),
    /// The text names no scope.
    #[error("find a budget: {0}")]
    UnknownScope(#[from] InvalidScope),
    /// The ledger keeps track of no more.
    #[error("keep track of money: the ledger tracks as many scopes, tasks, limits and reservations as it may")]
    Full,
    /// No operator has set a limit here.
    #[error("take a limit away: no operator has set one here")]
    NotSet,
    /// The counters change faster than they are read.
    #[error("read the spending of a scope: it was not read in time")]
    Unread,
    /// The ledger's actor gave no answer.
    #[error("ask the ledger: {0}")]
    Unavailable(#[from] CallError),
    /// The store failed.
    #[error("keep budgets: {0}")]
    Store(#[from] store::Error),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl Failure for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) => "budget_exceeded",
            Self::UnknownScope(_) => "unknown_scope",
            Self::Full => "budget_ledger_full",
            Self::NotSet => "budget_not_set",
            Self::Unread | Self::Unavailable(_) => "budget_unavailable",
            Self::Store(error) => error.code(),
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Refused(_) => Class::Budget,
            Self::UnknownScope(_) | Self::NotSet => Class::NotFound,
            Self::Full => Class::Overload,
            Self::Unread | Self::Unavailable(_) => Class::Unavailable,
            Self::Store(error) => error.class(),
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Refused(_) | Self::UnknownScope(_) | Self::NotSet => Retry::Never,
            Self::Full | Self::Unread | Self::Unavailable(_) => Retry::After(Duration::from_secs(1)),
            Self::Store(error) => error.retry(),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Refused(refusal) => refused(refusal),
            Self::UnknownScope(invalid) => invalid.to_string(),
            Self::Full => {
                "as much money or as many limits are being tracked as the daemon allows; try again when tasks have ended, or give an existing limit another amount".to_owned()
            }
            Self::NotSet => {
                "no operator has set a limit here; limits of the settings and of templates are taken away where they are declared".to_owned()
            }
            Self::Unread | Self::Unavailable(_) => "budgets cannot be asked at the moment".to_owned(),
            Self::Store(error) => error.detail(),
        }
    }
}

fn refused(refusal: &Refusal) -> String {
    let Refusal { subject, limit, window, reserved, spent, asked, why, first: _ } = refusal;
    let window = window.as_str();
    match why {
        Why::NoRoom => format!(
            "the budget of {subject} has {} USD left of {limit} ({window}; spent {spent}, reserved {reserved}), and this may \
             cost {asked} USD",
            refusal.left()
        ),
        Why::Stopped => format!(
            "the budget of {subject} ({limit} USD, {window}) is stopped, because a cost exceeded what was reserved for it; set \
             the limit again to go on"
        ),
        Why::Barred => format!(
            "the limit of {subject} is damaged or one more than the daemon keeps, so nothing may be spent here; set the limit \
             again to go on"
        ),
    }
}
