//! A budget that says no.

use crate::domain::budget::{Scope, Window};
use crate::domain::id::TaskId;
use crate::domain::money::Usd;

/// Whose limit it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A scope's.
    Scope(Scope),
    /// A task's own, or that of one of its ancestors.
    Task(TaskId),
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Scope(scope) => write!(f, "{scope}"),
            Self::Task(task) => write!(f, "{task}"),
        }
    }
}

/// Why it says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// What is asked does not fit into what is left.
    NoRoom,
    /// A cost exceeded what was held for it, so the scope takes nothing more until its window ends or its limit is set again.
    Stopped,
    /// The scope's limit cannot be read, or is one more than are kept, so nothing may be spent until it is set again.
    Barred,
}

/// A reservation that a limit does not allow. The figures are of the limit's current window, before the reservation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "budget of {subject}: limit {limit} ({window}), spent {spent}, reserved {reserved}, asked {asked}{}",
    match .why {
        Why::NoRoom => "",
        Why::Stopped => "; stopped by a cost above its reservation",
        Why::Barred => "; its stored limit cannot be told",
    },
    window = .window.as_str()
)]
pub struct Refusal {
    /// Whose limit.
    pub subject: Subject,
    /// The limit.
    pub limit: Usd,
    /// Its window; [`Window::Total`] for a task.
    pub window: Window,
    /// What open reservations hold.
    pub reserved: Usd,
    /// What was spent.
    pub spent: Usd,
    /// What was asked for.
    pub asked: Usd,
    /// Why.
    pub why: Why,
    /// Whether it is the subject's first refusal in the window: later ones are no news.
    pub first: bool,
}

impl Refusal {
    /// What is left of the limit, never below zero.
    #[must_use]
    pub fn left(&self) -> Usd {
        self.limit.minus(self.spent).minus(self.reserved).max(Usd::ZERO)
    }
}

/// A cost that exceeded what was held for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overrun {
    /// What was held.
    pub held: Usd,
    /// What it cost.
    pub cost: Usd,
    /// The scopes with a limit, which are stopped by it.
    pub stopped: Vec<Scope>,
}
