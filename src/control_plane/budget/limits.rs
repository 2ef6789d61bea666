//! Which limits bind a scope, and whether it has been stopped.

use crate::domain::budget::{Limit, Window};
use crate::domain::clock::Day;
use crate::store::Position;

use super::spending::first_day;

/// Who declares a limit that is not durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The settings.
    Settings,
    /// A template, for itself.
    Template,
}

/// The limits of one scope. An operator's limit stands alone; without one, the settings' and the template's both bind.
#[derive(Debug, Clone, Default)]
pub(super) struct Limits {
    operator: Option<(Limit, Position)>,
    settings: Option<Limit>,
    template: Option<Limit>,
    stopped: Option<Day>,
    told: Option<Day>,
}

impl Limits {
    /// The limits that bind.
    pub(super) fn binding(&self) -> impl Iterator<Item = Limit> {
        let declared = if self.operator.is_some() { [None, None] } else { [self.settings, self.template] };
        self.operator.map(|(limit, _)| limit).into_iter().chain(declared.into_iter().flatten())
    }

    /// Whether no limit binds.
    pub(super) fn is_empty(&self) -> bool {
        self.binding().next().is_none()
    }

    /// Whether an operator set the limit that binds.
    pub(super) fn is_set(&self) -> bool {
        self.operator.is_some()
    }

    /// Takes a limit that was made durable at `position`; an older one than is known changes nothing. A stopped scope runs again.
    pub(super) fn set(&mut self, limit: Limit, position: Position) {
        if self.operator.is_none_or(|(_, known)| known <= position) {
            self.operator = Some((limit, position));
            self.stopped = None;
            self.told = None;
        }
    }

    /// Takes or drops a declared limit.
    pub(super) fn declare(&mut self, source: Source, limit: Option<Limit>) {
        let place = match source {
            Source::Settings => &mut self.settings,
            Source::Template => &mut self.template,
        };
        if *place != limit {
            *place = limit;
            self.told = None;
        }
    }

    /// Stops the scope: a cost exceeded what was held for it, so the worst case that protects the limit was wrong.
    pub(super) fn stop(&mut self, today: Day) {
        self.stopped = Some(self.stopped.map_or(today, |day| day.max(today)));
    }

    /// Whether the scope is stopped in the window that holds `today`.
    pub(super) fn is_stopped(&self, window: Window, today: Day) -> bool {
        self.stopped.is_some_and(|day| day >= first_day(window, today))
    }

    /// Whether this is the first refusal in the window; later ones make no news.
    pub(super) fn tell(&mut self, window: Window, today: Day) -> bool {
        let first = self.told.is_none_or(|day| day < first_day(window, today));
        if first {
            self.told = Some(today);
        }
        first
    }
}
