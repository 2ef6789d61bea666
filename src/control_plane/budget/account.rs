//! What is held and spent on one scope or one task.

use crate::domain::clock::Day;
use crate::domain::money::Usd;
use crate::store::Position;

use super::spending::Spending;

/// The most settlements that wait for one scope's counters to be read. Beyond it the read is given up and made anew.
const LATE_SETTLEMENTS_MAX: usize = 4_096;

/// A settled cost and the commit that made it durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) amount: Usd,
    pub(super) day: Day,
    pub(super) position: Position,
}

/// How much is known of a scope's spending. The truth is in the store's counters.
#[derive(Debug, Clone, Default)]
pub(super) enum Books {
    /// Nothing, and nothing is needed: no limit binds and nobody asked.
    #[default]
    Closed,
    /// Its counters are being read; what is settled meanwhile waits.
    Opening { late: Vec<Cost> },
    /// All, as of a position in the order of commits.
    Open { as_of: Position, spending: Spending },
}

/// One scope. What is held is always known; spending is read from the store when it is first needed.
#[derive(Debug, Clone, Default)]
pub(super) struct Account {
    pub(super) reserved: Usd,
    pub(super) holds: u32,
    books: Books,
}

impl Account {
    pub(super) fn spending(&self) -> Option<&Spending> {
        match &self.books {
            Books::Open { spending, .. } => Some(spending),
            Books::Closed | Books::Opening { .. } => None,
        }
    }

    /// Notes that the counters are about to be read. The read begins after this, so it contains all that was settled before.
    pub(super) fn expect_books(&mut self) {
        if matches!(self.books, Books::Closed) {
            self.books = Books::Opening { late: Vec::new() };
        }
    }

    /// Takes the counters in as of `as_of`; what is known already, or was not asked for, stays.
    pub(super) fn open_books(&mut self, as_of: Position, days: impl IntoIterator<Item = (Day, Usd)>) {
        if let Books::Opening { late } = &mut self.books {
            let late = std::mem::take(late);
            self.books = Books::Open { as_of, spending: Spending::from_days(days) };
            late.into_iter().for_each(|cost| self.book(cost));
        }
    }

    /// Adds a cost that is durable in the counters.
    ///
    /// INVARIANT: a cost is added only if its commit came after the position as of which the counters were read; otherwise
    /// the counters contained it already.
    pub(super) fn book(&mut self, cost: Cost) {
        match &mut self.books {
            Books::Closed => {}
            Books::Opening { late } if late.len() >= LATE_SETTLEMENTS_MAX => self.books = Books::Closed,
            Books::Opening { late } => late.push(cost),
            Books::Open { as_of, spending } => {
                if cost.position > *as_of {
                    spending.book(cost.amount, cost.day);
                }
            }
        }
    }

    pub(super) fn hold(&mut self, amount: Usd) {
        self.reserved = self.reserved.plus(amount);
        self.holds = self.holds.saturating_add(1);
    }

    pub(super) fn let_go(&mut self, amount: Usd) {
        self.reserved = self.reserved.minus(amount);
        self.holds = self.holds.saturating_sub(1);
    }

    /// Whether nothing is lost by forgetting the account.
    pub(super) fn is_idle(&self) -> bool {
        self.holds == 0
    }

    /// Whether there is nothing to remember.
    pub(super) fn is_blank(&self) -> bool {
        self.holds == 0 && matches!(self.books, Books::Closed)
    }
}

/// One open task.
#[derive(Debug, Clone, Default)]
pub(super) struct TaskAccount {
    pub(super) reserved: Usd,
    pub(super) holds: u32,
    pub(super) spent: Usd,
    pub(super) closed: bool,
    pub(super) told: bool,
}
