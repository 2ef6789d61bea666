//! The limits that settings and templates declare. They belong to the room, not to an incarnation of its ledger: each reads them
//! when it starts, and again before the next message whenever they have changed, so that none is lost and none is late.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::domain::budget::{Limit, Scope};

use super::error::Error;
use super::limits::Source;

/// The most limits up to which settings and templates may declare more at run time. What the settings say at the daemon's start
/// is taken whole.
pub const DECLARED_MAX: usize = 16_384;

/// Everything that is declared at one time.
pub(super) type Declarations = BTreeMap<(Scope, Source), Limit>;

/// The present declarations; replaced whole.
#[derive(Debug)]
pub(super) struct Declared {
    present: ArcSwap<Declarations>,
}

impl Declared {
    /// What the settings declare at the start.
    pub(super) fn new(settings: BTreeMap<Scope, Limit>) -> Self {
        let present = settings.into_iter().map(|(scope, limit)| ((scope, Source::Settings), limit)).collect();
        Self { present: ArcSwap::from_pointee(present) }
    }

    pub(super) fn present(&self) -> Arc<Declarations> {
        self.present.load_full()
    }

    /// Whether these are the present ones.
    pub(super) fn is_present(&self, seen: &Arc<Declarations>) -> bool {
        Arc::ptr_eq(&self.present.load(), seen)
    }

    /// Makes all changes of one source at once, or none of them.
    pub(super) fn change(&self, source: Source, changes: &[(Scope, Option<Limit>)]) -> Result<(), Error> {
        let mut outcome = Ok(());
        self.present.rcu(|before| {
            let mut after = Declarations::clone(before);
            for (scope, limit) in changes {
                let name = (scope.clone(), source);
                // What was there before does not matter.
                let _replaced = match limit {
                    Some(limit) => after.insert(name, *limit),
                    None => after.remove(&name),
                };
            }
            let full = after.len() > DECLARED_MAX && after.len() > before.len();
            outcome = if full { Err(Error::Full) } else { Ok(()) };
            if full || after == **before { Arc::clone(before) } else { Arc::new(after) }
        });
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::budget::Window;
    use crate::domain::money::Usd;

    fn limit(nanos: i64) -> Option<Limit> {
        Some(Limit::new(Usd::from_nanos(nanos), Window::Total))
    }

    fn scope(number: usize) -> Scope {
        format!("user:u{number}").parse().expect("a scope")
    }

    #[test]
    fn changes_are_made_together_or_not_at_all() {
        let declared = Declared::new(BTreeMap::new());
        let most: Vec<_> = (1..DECLARED_MAX).map(|number| (scope(number), limit(1))).collect();
        declared.change(Source::Settings, &most).expect("room");
        let seen = declared.present();
        let two = [(Scope::Global, limit(1)), (scope(0), limit(1))];
        assert!(matches!(declared.change(Source::Template, &two), Err(Error::Full)));
        assert!(declared.is_present(&seen), "nothing changed");
        declared.change(Source::Template, &[(Scope::Global, limit(1)), (scope(1), None)]).expect("room for one");
        assert!(declared.change(Source::Template, &[(scope(0), limit(1))]).is_err());
        declared.change(Source::Settings, &[(scope(1), None)]).expect("less is no more");
        declared.change(Source::Template, &[(scope(0), limit(1))]).expect("room again");
    }

    #[test]
    fn what_was_declared_before_is_no_change() {
        let declared = Declared::new(BTreeMap::new());
        declared.change(Source::Template, &[(Scope::Global, limit(1))]).expect("room");
        let seen = declared.present();
        declared.change(Source::Template, &[(Scope::Global, limit(1)), (scope(1), None)]).expect("room");
        assert!(declared.is_present(&seen));
        declared.change(Source::Settings, &[(Scope::Global, limit(1))]).expect("room");
        assert_eq!(declared.present().len(), 2, "each source declares for itself");
    }
}
