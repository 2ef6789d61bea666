//! Which limits bind a scope.

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

    /// Takes a limit that was made durable at `position`; an older one than is known changes nothing.
    pub(super) fn set(&mut self, limit: Limit, position: Position) {
        if self.operator.is_none_or(|(_, known)| known <= position) {
            self.operator = Some((limit, position));
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

    /// Takes the operator's limit away, as was made durable at `position`; the declared ones bind again.
    pub(super) fn unset(&mut self, position: Position) {
        if self.operator.is_some_and(|(_, known)| known <= position) {
            self.operator = None;
            self.told = None;
        }
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
