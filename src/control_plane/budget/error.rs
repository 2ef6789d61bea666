//! What budgets answer when they do not do as asked.

use std::time::Duration;

use crate::domain::budget::{InvalidScope, Scope};
use crate::domain::failure::{Class, Failure, Retry};
use crate::store;
use crate::supervision::CallError;

use super::refusal::{Refusal, Subject, Why};

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

/// What a caller is told. The figures of a limit that several tenants share are what others spend, and are left to those who may
/// read the budget.
fn refused(refusal: &Refusal) -> String {
    let Refusal { subject, limit, window, reserved, spent, asked, why, first: _ } = refusal;
    let window = window.as_str();
    if is_shared(subject) {
        return match why {
            Why::NoRoom => {
                format!("the budget of {subject} ({window}) does not have the {asked} USD left that this may cost")
            }
            Why::Stopped => format!(
                "the budget of {subject} ({window}) is stopped, because a cost exceeded what was reserved for it; set the limit \
                 again to go on"
            ),
            Why::Barred => format!("nothing may be spent on the budget of {subject}; set its limit again to go on"),
        };
    }
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

/// Whether more than one tenant spends on it.
fn is_shared(subject: &Subject) -> bool {
    match subject {
        Subject::Scope(Scope::Global | Scope::User(_) | Scope::Template(_)) => true,
        Subject::Scope(Scope::Tenant(_) | Scope::Agent(_)) | Subject::Task(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::budget::Window;
    use crate::domain::money::Usd;

    fn told(scope: &str, why: Why) -> String {
        let usd = |text: &str| text.parse::<Usd>().expect("an amount");
        let refusal = Refusal {
            subject: Subject::Scope(scope.parse().expect("a scope")),
            limit: usd("9.87"),
            window: Window::Day,
            reserved: usd("1.23"),
            spent: usd("4.56"),
            asked: usd("7"),
            why,
            first: true,
        };
        Error::from(refusal).detail()
    }

    #[test]
    fn what_others_spend_on_a_shared_budget_is_not_told() {
        for why in [Why::NoRoom, Why::Stopped, Why::Barred] {
            for scope in ["global", "user:ann", "template:worker"] {
                let told = told(scope, why);
                assert!(
                    told.contains(scope) && !["9.87", "1.23", "4.56"].iter().any(|figure| told.contains(figure)),
                    "{told}"
                );
            }
        }
        assert!(told("tenant:acme", Why::NoRoom).contains("spent 4.56, reserved 1.23"));
    }
}
