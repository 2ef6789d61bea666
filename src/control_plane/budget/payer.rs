//! Who pays, for what, and what is held for it.

use std::sync::Arc;

use crate::domain::budget::Scope;
use crate::domain::id::TaskId;
use crate::domain::money::Usd;

/// Names a reservation: one step of one task. Reserving again under the same key never holds money twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The task whose step it is.
    pub task: TaskId,
    /// The step's number within the task.
    pub step: u32,
}

/// Everything that a step's cost counts against. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payer {
    scopes: Arc<[Scope]>,
    tasks: Arc<[(TaskId, Option<Usd>)]>,
}

impl Payer {
    /// A payer: its scopes, and the task itself followed by its ancestors, each with its own limit if it has one. A parent's
    /// limit covers what its children spend. Whatever is named twice counts once.
    ///
    /// An agent that exists for one task alone needs no scope of its own: the task's limit covers it.
    #[must_use]
    pub fn new(
        scopes: impl IntoIterator<Item = Scope>,
        tasks: impl IntoIterator<Item = (TaskId, Option<Usd>)>,
    ) -> Self {
        let mut once: Vec<Scope> = Vec::new();
        for scope in scopes {
            if !once.contains(&scope) {
                once.push(scope);
            }
        }
        let mut chain: Vec<(TaskId, Option<Usd>)> = Vec::new();
        for (task, limit) in tasks {
            if !chain.iter().any(|(known, _)| *known == task) {
                chain.push((task, limit));
            }
        }
        Self { scopes: once.into(), tasks: chain.into() }
    }

    /// The scopes.
    #[must_use]
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// The task itself, then its ancestors, each with its limit.
    #[must_use]
    pub fn tasks(&self) -> &[(TaskId, Option<Usd>)] {
        &self.tasks
    }

    /// The tasks that have a limit, nearest first.
    pub(super) fn limited_tasks(&self) -> impl Iterator<Item = (TaskId, Usd)> + '_ {
        self.tasks.iter().filter_map(|(task, limit)| limit.map(|limit| (*task, limit)))
    }
}

/// Where a reservation stands with the actor that keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// Nothing is held, because nothing can be owed.
    Free,
    /// Held by the incarnation of this epoch.
    Held(u64),
    /// Read back from a record; whether it is still held is not known.
    Recorded,
}

/// Money that is held until the reservation is settled or released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    pub(super) key: Key,
    pub(super) payer: Payer,
    pub(super) amount: Usd,
    pub(super) hold: Hold,
}

impl Reservation {
    /// A reservation as a record of its step tells it, after a restart. Confirm it before anything is spent on it.
    #[must_use]
    pub fn recorded(key: Key, payer: Payer, amount: Usd) -> Self {
        let hold = if amount > Usd::ZERO { Hold::Recorded } else { Hold::Free };
        Self { key, payer, amount, hold }
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> Key {
        self.key
    }

    /// Who pays.
    #[must_use]
    pub fn payer(&self) -> &Payer {
        &self.payer
    }

    /// What is held.
    #[must_use]
    pub fn amount(&self) -> Usd {
        self.amount
    }
}
