//! The ledger: pure decisions about money. The clock, the store and the mailbox are the shell's.
//!
//! INVARIANTS
//! - A reservation is granted on every scope and task of its payer, or on none.
//! - With costs no larger than their reservations, spent + reserved never exceeds a limit that was there when they were made.
//! - What is held on a scope or task is the sum of the open reservations that name it.
//! - A key holds money once, however often it is reserved.
//! - A scope whose stored limit cannot be told grants nothing.
//! - A cost counts on a scope once: through the counters that were read, or through its settlement, told apart by position.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use crate::domain::budget::{Limit, Scope};
use crate::domain::clock::{Day, Timestamp};
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::store::Position;

use super::account::{Account, Cost, Known, TaskAccount};
use super::barred::Barred;
use super::declared::Declarations;
use super::durable::Stored;
use super::limits::{Limits, Source};
use super::payer::{Key, Payer};
use super::refusal::{Overrun, Refusal};

/// The most scopes whose money is kept in memory; idle ones are forgotten first, since the store knows what they spent.
pub const SCOPES_MAX: usize = 65_536;
/// The most scopes that may have a limit set by operators; [`DECLARED_MAX`](super::DECLARED_MAX) bounds what is declared.
pub const LIMITS_MAX: usize = 16_384;
/// The most open reservations.
pub const RESERVATIONS_MAX: usize = 262_144;
/// The most tasks whose spending is kept in memory.
pub const TASKS_MAX: usize = 262_144;

/// An open reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Who pays.
    pub payer: Payer,
    /// What is held.
    pub amount: Usd,
    /// Since when.
    pub since: Timestamp,
}

/// Why a reservation was not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Denied {
    /// A limit does not allow it.
    Refused(Refusal),
    /// These scopes' counters must be read first; they are expected from now on.
    Unread(Vec<Scope>),
    /// More than the ledger keeps track of.
    Full,
    /// No operator has set a limit here.
    NotSet,
}

/// A scope's money in the current window of the limit that binds it most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The scope.
    pub scope: Scope,
    /// Its limit, if it has one.
    pub limit: Option<Limit>,
    /// What open reservations hold.
    pub reserved: Usd,
    /// What was spent in the limit's window; without a limit, ever.
    pub spent: Usd,
    /// What may still be reserved; never below zero.
    pub remaining: Option<Usd>,
    /// Whether the scope is stopped by a cost above its reservation.
    pub stopped: bool,
}

/// All limits, reservations and spending.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) limits: HashMap<Scope, Limits>,
    pub(super) barred: Barred,
    pub(super) accounts: HashMap<Scope, Account>,
    pub(super) tasks: HashMap<TaskId, TaskAccount>,
    open: BTreeMap<Key, Held>,
    /// The open ones by age.
    ages: BTreeSet<(Timestamp, Key)>,
    recovered_as_of: Position,
}

impl Ledger {
    /// Takes in what the open tasks hold and have spent, as their records said at some time after `as_of`.
    pub(super) fn recover(
        &mut self,
        as_of: Position,
        reservations: Vec<(Key, Payer, Usd, Timestamp)>,
        spent_by_task: Vec<(TaskId, Usd)>,
    ) {
        self.recovered_as_of = as_of;
        for (task, spent) in spent_by_task {
            self.tasks.entry(task).or_default().spent = spent;
        }
        for (key, payer, amount, since) in reservations {
            if amount > Usd::ZERO && !self.open.contains_key(&key) {
                self.hold(key, Held { payer, amount, since });
            }
        }
    }

    /// Holds `amount` on everything that `payer` names, or on nothing. The same key and amount again change nothing; another
    /// amount takes the first one's place, or leaves it where it does not fit.
    pub(super) fn reserve(&mut self, key: Key, payer: &Payer, amount: Usd, at: Timestamp) -> Result<(), Denied> {
        if self.open.get(&key).is_some_and(|held| held.amount == amount) {
            return Ok(());
        }
        self.make_room()?;
        let unread: Vec<Scope> =
            payer.scopes().iter().filter(|scope| self.is_limited(scope) && !self.is_read(scope)).cloned().collect();
        if !unread.is_empty() {
            self.expect(&unread);
            return Err(Denied::Unread(unread));
        }
        let previous = self.let_go(key);
        match self.refusal(payer, amount, at.day()) {
            None => {
                self.hold(key, Held { payer: payer.clone(), amount, since: at });
                Ok(())
            }
            Some(mut refusal) => {
                if let Some(held) = previous {
                    self.hold(key, held);
                }
                refusal.first = self.tell(&refusal, at.day());
                Err(Denied::Refused(refusal))
            }
        }
    }

    /// Ends a reservation and books what it cost. The cost was committed to the counters at `cost.position` before, with what
    /// stops its scopes where it exceeds what was held for it.
    ///
    /// INVARIANT: a cost counts whether or not anything is still held for it: an earlier ledger may have held it, or nobody.
    pub(super) fn settle(&mut self, key: Key, payer: &Payer, cost: Cost) -> Option<Overrun> {
        let held = self.let_go(key);
        self.book_scopes(payer, cost);
        // Of a step that is held the records said that it was open, so what its task had spent did not contain it.
        if held.is_some() || cost.position > self.recovered_as_of {
            self.book_tasks(payer, cost.amount);
        }
        if held.is_some() {
            self.tidy(payer);
        }
        cost.is_overrun().then(|| {
            let stopped = payer.scopes().iter().filter(|scope| self.is_limited(scope)).cloned().collect();
            Overrun { held: cost.held, cost: cost.amount, stopped }
        })
    }

    /// Books what a bill said of an amount that was in doubt: the difference, which may be negative.
    pub(super) fn correct(&mut self, scopes: &[Scope], difference: Cost) {
        for scope in scopes {
            if let Some(account) = self.accounts.get_mut(scope) {
                account.book(difference);
            }
        }
    }

    /// Ends a reservation that cost nothing; tells the scopes that it was on.
    pub(super) fn release(&mut self, key: Key) -> Vec<Scope> {
        let Some(held) = self.let_go(key) else { return Vec::new() };
        self.tidy(&held.payer);
        held.payer.scopes().to_vec()
    }

    /// Forgets a task that ended, and ends what it still holds. Its descendants must have ended before. Tells the scopes that
    /// something was held on.
    pub(super) fn close_task(&mut self, task: TaskId) -> Vec<Scope> {
        let keys = Key { task, step: 0 }..=Key { task, step: u32::MAX };
        let left: Vec<Key> = self.open.range(keys).map(|(key, _)| *key).collect();
        let mut scopes: Vec<Scope> = left.into_iter().flat_map(|key| self.release(key)).collect();
        scopes.sort();
        scopes.dedup();
        if let Some(account) = self.tasks.get_mut(&task) {
            account.closed = true;
            if account.holds == 0 {
                self.tasks.remove(&task);
            }
        }
        scopes
    }

    /// Takes a task that had ended in again, with what it has spent so far. What is known to be more stays.
    pub(super) fn reopen_task(&mut self, task: TaskId, spent: Usd) -> Result<(), Denied> {
        self.make_room()?;
        let account = self.tasks.entry(task).or_default();
        account.spent = account.spent.max(spent);
        (account.closed, account.told) = (false, false);
        Ok(())
    }

    /// Takes in what the store knows of a scope as of a position, if it is expected.
    pub(super) fn read(&mut self, scope: &Scope, as_of: Position, known: Known) {
        if let Some(account) = self.accounts.get_mut(scope) {
            account.open_books(as_of, known);
        }
    }

    /// Sets an operator's limit, durable as of `position`. It takes the place of declared ones, and a stopped scope runs again.
    pub(super) fn set(&mut self, scope: &Scope, limit: Limit, position: Position) {
        self.keep(scope, limit, position);
        if let Some(account) = self.accounts.get_mut(scope) {
            account.lift(position);
        }
    }

    fn keep(&mut self, scope: &Scope, limit: Limit, position: Position) {
        self.barred.lift(scope);
        self.limits.entry(scope.clone()).or_default().set(limit, position);
    }

    /// Takes an operator's limit away, gone as of `position`. The declared ones bind again; what stopped the scope still does.
    pub(super) fn unset(&mut self, scope: &Scope, position: Position) {
        self.barred.lift(scope);
        if let Some(limits) = self.limits.get_mut(scope) {
            limits.unset(position);
        }
        self.forget_unlimited(scope);
    }

    /// Whether an operator has set a limit here, sound or not, that can be taken away.
    pub(super) fn unplace(&self, scope: &Scope) -> Result<(), Denied> {
        let is_set = self.barred.names(scope) || self.limits.get(scope).is_some_and(Limits::is_set);
        if is_set { Ok(()) } else { Err(Denied::NotSet) }
    }

    /// Whether there is room for an operator's limit. Ask before it is made durable.
    pub(super) fn place(&self, scope: &Scope) -> Result<(), Denied> {
        let set = self.limits.values().filter(|limits| limits.is_set()).count();
        // A barred scope's record is there already, and is replaced.
        let barred = if self.barred.names(scope) { 0 } else { self.barred.scopes().len() };
        let known = self.limits.get(scope).is_some_and(Limits::is_set);
        if known || set.saturating_add(barred) < LIMITS_MAX { Ok(()) } else { Err(Denied::Full) }
    }

    /// Takes in the limits that operators set, durable as of `position`, and bars the scopes of those that cannot be read or are
    /// more than are kept. Tells how many are not in force.
    pub(super) fn recover_limits(&mut self, stored: Vec<Stored>, position: Position) -> usize {
        let (mut kept, mut lost) = (0_usize, 0_usize);
        for stored in stored {
            let barred = match stored {
                Stored::Sound(scope, limit) if kept < LIMITS_MAX => {
                    self.keep(&scope, limit, position);
                    kept = kept.saturating_add(1);
                    continue;
                }
                Stored::Sound(scope, _) => Some(scope),
                Stored::Damaged(scope) => scope,
            };
            self.barred.add(barred);
            lost = lost.saturating_add(1);
        }
        lost
    }

    /// Declares a limit, or that there is none any more.
    pub(super) fn declare(&mut self, scope: &Scope, source: Source, limit: Option<Limit>) {
        if limit.is_none() && !self.limits.contains_key(scope) {
            return;
        }
        self.limits.entry(scope.clone()).or_default().declare(source, limit);
        self.forget_unlimited(scope);
    }

    fn forget_unlimited(&mut self, scope: &Scope) {
        if self.limits.get(scope).is_some_and(Limits::is_empty) {
            self.limits.remove(scope);
        }
    }

    /// Goes over from what was declared before to what is declared now; tells which scopes it concerns.
    pub(super) fn redeclare(&mut self, before: &Declarations, now: &Declarations) -> Vec<Scope> {
        let gone = before.keys().filter(|name| !now.contains_key(name)).map(|name| (name, None));
        let new = now.iter().filter(|(name, limit)| before.get(name) != Some(limit));
        let changes = gone.chain(new.map(|(name, limit)| (name, Some(*limit))));
        let tell = |((scope, source), limit): (&(Scope, Source), Option<Limit>)| {
            self.declare(scope, *source, limit);
            scope.clone()
        };
        changes.map(tell).collect()
    }

    /// How a scope stands.
    pub(super) fn show(&mut self, scope: &Scope, today: Day) -> Result<Standing, Denied> {
        self.make_room()?;
        if !self.is_read(scope) {
            let unread = vec![scope.clone()];
            self.expect(&unread);
            return Err(Denied::Unread(unread));
        }
        Ok(self.standing(scope, today))
    }

    /// How every scope with a limit stands, in their order.
    pub(super) fn list(&mut self, today: Day) -> Result<Vec<Standing>, Denied> {
        let unlimited = self.barred.scopes().filter(|scope| !self.limits.contains_key(scope));
        let mut scopes: Vec<Scope> = self.limits.keys().chain(unlimited).cloned().collect();
        scopes.sort();
        let unread: Vec<Scope> = scopes.iter().filter(|scope| !self.is_read(scope)).cloned().collect();
        if !unread.is_empty() {
            self.make_room()?;
            self.expect(&unread);
            return Err(Denied::Unread(unread));
        }
        Ok(scopes.iter().map(|scope| self.standing(scope, today)).collect())
    }

    /// The open reservations, by task and step, from behind `after` on.
    pub(super) fn open(&self, after: Option<Key>) -> impl Iterator<Item = (&Key, &Held)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.open.range((from, Bound::Unbounded))
    }

    /// How many reservations are open.
    pub(super) fn open_count(&self) -> usize {
        self.open.len()
    }

    /// Since when the oldest open reservation is held.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.ages.first().map(|(since, _)| *since)
    }

    /// What may still be reserved on a scope, if a limit binds it and its spending is known.
    pub(super) fn remaining(&self, scope: &Scope, today: Day) -> Option<Usd> {
        let known = self.is_limited(scope) && self.is_read(scope);
        known.then(|| self.standing(scope, today)).and_then(|standing| standing.remaining)
    }
}

/// The steps of the decisions above.
impl Ledger {
    pub(super) fn is_limited(&self, scope: &Scope) -> bool {
        self.limits.get(scope).is_some_and(|limits| !limits.is_empty())
    }

    fn is_read(&self, scope: &Scope) -> bool {
        self.accounts.get(scope).is_some_and(|account| account.spending().is_some())
    }

    fn expect(&mut self, scopes: &[Scope]) {
        for scope in scopes {
            self.accounts.entry(scope.clone()).or_default().expect_books();
        }
    }

    pub(super) fn is_barred(&self, scope: &Scope) -> bool {
        self.barred.names(scope) || (self.barred.is_nameless() && !self.is_limited(scope))
    }

    fn make_room(&mut self) -> Result<(), Denied> {
        if self.accounts.len() >= SCOPES_MAX {
            self.accounts.retain(|_, account| !account.is_idle());
        }
        let full =
            self.accounts.len() >= SCOPES_MAX || self.open.len() >= RESERVATIONS_MAX || self.tasks.len() >= TASKS_MAX;
        if full { Err(Denied::Full) } else { Ok(()) }
    }

    fn hold(&mut self, key: Key, held: Held) {
        for scope in held.payer.scopes() {
            match self.accounts.get_mut(scope) {
                Some(account) => account.hold(held.amount),
                None => self.accounts.entry(scope.clone()).or_default().hold(held.amount),
            }
        }
        for (task, _) in held.payer.limited_tasks() {
            let account = self.tasks.entry(task).or_default();
            account.reserved = account.reserved.plus(held.amount);
            account.holds = account.holds.saturating_add(1);
        }
        self.ages.insert((held.since, key));
        self.open.insert(key, held);
    }

    fn let_go(&mut self, key: Key) -> Option<Held> {
        let held = self.open.remove(&key)?;
        self.ages.remove(&(held.since, key));
        for scope in held.payer.scopes() {
            if let Some(account) = self.accounts.get_mut(scope) {
                account.let_go(held.amount);
            }
        }
        for (task, _) in held.payer.limited_tasks() {
            if let Some(account) = self.tasks.get_mut(&task) {
                account.reserved = account.reserved.minus(held.amount);
                account.holds = account.holds.saturating_sub(1);
            }
        }
        Some(held)
    }

    /// Forgets what nothing is known or held of any more.
    fn tidy(&mut self, payer: &Payer) {
        for scope in payer.scopes() {
            if self.accounts.get(scope).is_some_and(Account::is_blank) {
                self.accounts.remove(scope);
            }
        }
        for (task, _) in payer.limited_tasks() {
            if self.tasks.get(&task).is_some_and(|account| account.closed && account.holds == 0) {
                self.tasks.remove(&task);
            }
        }
    }

    fn book_scopes(&mut self, payer: &Payer, cost: Cost) {
        for scope in payer.scopes() {
            if let Some(account) = self.accounts.get_mut(scope) {
                account.book(cost);
            }
        }
    }

    fn book_tasks(&mut self, payer: &Payer, cost: Usd) {
        for (task, _) in payer.limited_tasks() {
            let account = self.tasks.entry(task).or_default();
            account.spent = account.spent.plus(cost);
        }
    }
}

#[cfg(test)]
impl Ledger {
    /// How many accounts, tasks and reservations are remembered.
    pub(super) fn tracked(&self) -> (usize, usize, usize) {
        (self.accounts.len(), self.tasks.len(), self.open.len())
    }
}
