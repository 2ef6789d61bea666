//! What the ledger says of what it knows: a refusal, how a scope stands, that a part of a limit is reached. Pure.

use crate::domain::budget::{Limit, Scope, Threshold, Window};
use crate::domain::clock::Day;
use crate::domain::id::TaskId;
use crate::domain::money::Usd;

use super::account::{Account, Alerted};
use super::barred::{self, NOTHING};
use super::payer::Payer;
use super::refusal::{Refusal, Subject, Why};
use super::state::{Ledger, Standing};

/// Spending has reached a part of a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alert {
    pub(super) scope: Scope,
    pub(super) limit: Limit,
    pub(super) at: Threshold,
    pub(super) spent: Usd,
    /// What is remembered of it.
    pub(super) alerted: Alerted,
}

impl Ledger {
    /// The parts of a scope's limit that spending has reached and nobody was told of in this window, the lowest first. From now
    /// on somebody was.
    ///
    /// INVARIANT: a part is told once a window and limit, also by later incarnations of the ledger, and whatever the clock does.
    pub(super) fn alerts(&mut self, scope: &Scope, today: Day) -> Vec<Alert> {
        let Some(limits) = self.limits.get(scope) else { return Vec::new() };
        let Some(limit) = limits.binding().find(|limit| !limit.alert_at.is_empty()) else { return Vec::new() };
        let Some(account) = self.accounts.get_mut(scope) else { return Vec::new() };
        let Some(spent) = account.spending().map(|spending| spending.within(limit.window, today)) else {
            return Vec::new();
        };
        let Some(known) = account.alerted() else { return Vec::new() };
        let mut alerts = Vec::new();
        for at in limit.alert_at.iter().filter(|at| limit.is_reached(*at, spent)) {
            if known.iter().any(|told| told.at == at && told.is_of(limit, today)) {
                continue;
            }
            let alerted = Alerted::now(at, limit, today);
            known.retain(|told| told.at != at);
            known.push(alerted);
            alerts.push(Alert { scope: scope.clone(), limit, at, spent, alerted });
        }
        alerts
    }

    pub(super) fn refusal(&self, payer: &Payer, asked: Usd, today: Day) -> Option<Refusal> {
        let scope = payer.scopes().iter().find_map(|scope| self.scope_refusal(scope, asked, today));
        scope.or_else(|| payer.limited_tasks().find_map(|(task, limit)| self.task_refusal(task, limit, asked)))
    }

    /// Notes that a refusal becomes news; says whether it is the first of its kind.
    pub(super) fn tell(&mut self, refusal: &Refusal, today: Day) -> bool {
        match &refusal.subject {
            Subject::Scope(scope) => {
                self.limits.get_mut(scope).is_some_and(|limits| limits.tell(refusal.window, today))
            }
            Subject::Task(task) => {
                let account = self.tasks.get_mut(task);
                account.is_some_and(|account| !std::mem::replace(&mut account.told, true))
            }
        }
    }

    fn scope_refusal(&self, scope: &Scope, asked: Usd, today: Day) -> Option<Refusal> {
        if self.is_barred(scope) {
            return Some(barred::refusal(scope, asked));
        }
        let limits = self.limits.get(scope)?;
        let account = self.accounts.get(scope)?;
        let spending = account.spending()?;
        limits.binding().find_map(|limit| {
            let (reserved, spent) = (account.reserved, spending.within(limit.window, today));
            let why = if account.is_stopped(limit.window, today) {
                Why::Stopped
            } else if spent.plus(reserved).plus(asked) > limit.amount {
                Why::NoRoom
            } else {
                return None;
            };
            let subject = Subject::Scope(scope.clone());
            Some(Refusal {
                subject,
                limit: limit.amount,
                window: limit.window,
                reserved,
                spent,
                asked,
                why,
                first: false,
            })
        })
    }

    fn task_refusal(&self, task: TaskId, limit: Usd, asked: Usd) -> Option<Refusal> {
        let (reserved, spent) =
            self.tasks.get(&task).map_or((Usd::ZERO, Usd::ZERO), |account| (account.reserved, account.spent));
        (spent.plus(reserved).plus(asked) > limit).then_some(Refusal {
            subject: Subject::Task(task),
            limit,
            window: Window::Total,
            reserved,
            spent,
            asked,
            why: Why::NoRoom,
            first: false,
        })
    }

    pub(super) fn standing(&self, scope: &Scope, today: Day) -> Standing {
        let account = self.accounts.get(scope);
        let reserved = account.map_or(Usd::ZERO, |account| account.reserved);
        let spent =
            |window| account.and_then(Account::spending).map_or(Usd::ZERO, |spending| spending.within(window, today));
        if self.is_barred(scope) {
            let (limit, spent) = (Some(NOTHING), spent(NOTHING.window));
            return Standing {
                scope: scope.clone(),
                limit,
                reserved,
                spent,
                remaining: Some(Usd::ZERO),
                stopped: false,
            };
        }
        let limits = self.limits.get(scope);
        let remaining = |limit: &Limit| limit.amount.minus(spent(limit.window)).minus(reserved).max(Usd::ZERO);
        let limit = limits.and_then(|limits| limits.binding().min_by_key(remaining));
        let stopped = match (account, limit) {
            (Some(account), Some(limit)) => account.is_stopped(limit.window, today),
            (None, _) | (_, None) => false,
        };
        let remaining = limit.as_ref().map(|limit| if stopped { Usd::ZERO } else { remaining(limit) });
        let spent = spent(limit.map_or(Window::Total, |limit| limit.window));
        Standing { scope: scope.clone(), limit, reserved, spent, remaining, stopped }
    }
}
