//! What is held and spent on one scope or one task.

use crate::domain::budget::{Threshold, Window};
use crate::domain::clock::Day;
use crate::domain::money::Usd;
use crate::store::Position;

use super::spending::{Spending, first_day};

/// The most settlements that wait for one scope's counters to be read. Beyond it the read is given up and made anew.
const LATE_SETTLEMENTS_MAX: usize = 4_096;

/// A settled cost, what was held for it, and the commit that made it durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    /// Negative where a bill took money back.
    pub(super) amount: Usd,
    pub(super) held: Usd,
    pub(super) day: Day,
    pub(super) position: Position,
}

impl Cost {
    /// Whether it exceeded what was held for it: then the worst case that protects limits was wrong.
    pub(super) fn is_overrun(&self) -> bool {
        self.amount > self.held
    }
}

/// Somebody was told that a part of a limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Alerted {
    pub(super) at: Threshold,
    /// Of which limit.
    pub(super) limit: Usd,
    pub(super) window: Window,
    pub(super) day: Day,
}

/// What the store knows of a scope.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// Spending by day.
    pub(super) days: Vec<(Day, Usd)>,
    /// The latest day on which a cost exceeded what was held for it, unless the limit was set since.
    pub(super) stopped: Option<Day>,
    pub(super) alerted: Vec<Alerted>,
}

/// How much is known of a scope's spending. The truth is in the store's counters.
#[derive(Debug, Clone, Default)]
pub(super) enum Books {
    /// Nothing, and nothing is needed: no limit binds and nobody asked.
    #[default]
    Closed,
    /// Its counters are being read; what is settled meanwhile waits. The limit was last set at `lifted`.
    Opening { late: Vec<Cost>, lifted: Position },
    /// All, as of a position in the order of commits.
    Open { as_of: Position, spending: Spending, stopped: Option<Stop>, alerted: Vec<Alerted> },
}

/// A cost exceeded what was held for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stop {
    day: Day,
    position: Position,
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

    /// Whether the scope is stopped in the window that holds `today`.
    pub(super) fn is_stopped(&self, window: Window, today: Day) -> bool {
        match &self.books {
            Books::Open { stopped, .. } => stopped.is_some_and(|stop| stop.day >= first_day(window, today)),
            Books::Closed | Books::Opening { .. } => false,
        }
    }

    /// The scope's limit was set at `position`: what stopped it before does so no longer. Commits of one group share a position,
    /// and there it stays stopped.
    pub(super) fn lift(&mut self, position: Position) {
        match &mut self.books {
            Books::Closed => {}
            Books::Opening { lifted, .. } => *lifted = position.max(*lifted),
            Books::Open { stopped, .. } => *stopped = stopped.filter(|stop| stop.position >= position),
        }
    }

    /// What somebody was told, where it is known.
    pub(super) fn alerted(&mut self) -> Option<&mut Vec<Alerted>> {
        match &mut self.books {
            Books::Open { alerted, .. } => Some(alerted),
            Books::Closed | Books::Opening { .. } => None,
        }
    }

    /// Notes that the counters are about to be read. The read begins after this, so it contains all that was settled before.
    pub(super) fn expect_books(&mut self) {
        if matches!(self.books, Books::Closed) {
            self.books = Books::Opening { late: Vec::new(), lifted: Position::default() };
        }
    }

    /// Takes in what was read as of `as_of`, or a little later; what is known already, or was not asked for, stays.
    ///
    /// A stop was read after `as_of`. Where the limit was set since, it may be from before: one from after is told by its cost.
    pub(super) fn open_books(&mut self, as_of: Position, known: Known) {
        if let Books::Opening { late, lifted } = &mut self.books {
            let (late, lifted) = (std::mem::take(late), *lifted);
            let Known { days, stopped, alerted } = known;
            let stopped = stopped.filter(|_| lifted <= as_of).map(|day| Stop { day, position: as_of });
            self.books = Books::Open { as_of, spending: Spending::from_days(days), stopped, alerted };
            late.into_iter().for_each(|cost| self.book(cost));
            self.lift(lifted);
        }
    }

    /// Adds a cost that is durable in the counters.
    ///
    /// INVARIANT: a cost is added only if its commit came after the position as of which the counters were read; otherwise
    /// the counters contained it already.
    pub(super) fn book(&mut self, cost: Cost) {
        match &mut self.books {
            Books::Closed => {}
            Books::Opening { late, .. } if late.len() >= LATE_SETTLEMENTS_MAX => self.books = Books::Closed,
            Books::Opening { late, .. } => late.push(cost),
            Books::Open { as_of, spending, stopped, .. } => {
                if cost.position > *as_of {
                    spending.book(cost.amount, cost.day);
                    if cost.is_overrun() {
                        let day = stopped.map_or(cost.day, |stop| stop.day.max(cost.day));
                        *stopped = Some(Stop { day, position: cost.position });
                    }
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
