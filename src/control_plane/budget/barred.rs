//! Scopes whose limit cannot be told. A limit that is not known must not become no limit: nothing may be spent there.

use std::collections::HashSet;

use crate::domain::budget::{Limit, Scope, Window};
use crate::domain::money::Usd;

use super::refusal::{Refusal, Subject, Why};

/// The most barred scopes that are known by name; with more, every scope is barred whose limit is not known.
pub(super) const BARRED_MAX: usize = super::state::LIMITS_MAX;

/// How the limit of a barred scope is shown.
pub(super) const NOTHING: Limit = Limit::new(Usd::ZERO, Window::Total);

/// What is barred until an operator sets its limit.
#[derive(Debug, Clone, Default)]
pub(super) struct Barred {
    scopes: HashSet<Scope>,
    /// A limit is known to exist, but not whose.
    nameless: bool,
}

impl Barred {
    /// Bars a scope, or whatever has no known limit where the scope has no name or is one too many.
    pub(super) fn add(&mut self, scope: Option<Scope>) {
        match scope.filter(|_| self.scopes.len() < BARRED_MAX) {
            Some(scope) => {
                self.scopes.insert(scope);
            }
            None => self.nameless = true,
        }
    }

    /// Lets a scope go whose limit has been set.
    pub(super) fn lift(&mut self, scope: &Scope) {
        self.scopes.remove(scope);
    }

    /// Whether the scope itself is barred.
    pub(super) fn names(&self, scope: &Scope) -> bool {
        self.scopes.contains(scope)
    }

    /// Whether scopes without a known limit are.
    pub(super) fn is_nameless(&self) -> bool {
        self.nameless
    }

    pub(super) fn scopes(&self) -> impl ExactSizeIterator<Item = &Scope> {
        self.scopes.iter()
    }
}

/// What is answered where a barred scope is to pay.
pub(super) fn refusal(scope: &Scope, asked: Usd) -> Refusal {
    Refusal {
        subject: Subject::Scope(scope.clone()),
        limit: NOTHING.amount,
        window: NOTHING.window,
        reserved: Usd::ZERO,
        spent: Usd::ZERO,
        asked,
        why: Why::Barred,
        first: false,
    }
}
