//! Why a file is refused, set beside the others: its parents, and everything else that is wrong with it, in one list. Pure.

use std::sync::Arc;

use crate::domain::name::TemplateName;

use super::format::chain;
use super::format::inherit::EXTENDS_MAX;
use super::format::mistake::{Mistake, in_order};
use super::good::{Good, Link};
use super::source::look::Refusal;
use super::state::{Catalog, Entry};

/// The reasons in words.
pub(super) fn told(mistakes: Vec<Mistake>) -> Vec<String> {
    mistakes.iter().map(ToString::to_string).collect()
}

impl Catalog {
    /// The names from a template whose file names this parent up to the eldest.
    pub(super) fn chain_from(
        &self,
        name: &TemplateName,
        parent: Option<&TemplateName>,
    ) -> Result<Vec<TemplateName>, Mistake> {
        let mut chain = vec![name.clone()];
        let mut next = parent;
        while let Some(parent) = next {
            let known = chain.contains(parent);
            chain.push(parent.clone());
            if known {
                return Err(chain::cycle(&chain));
            }
            if !self.entries.contains_key(parent) {
                return Err(chain::missing(&chain, self.entries.keys()));
            }
            if chain.len() > EXTENDS_MAX.saturating_add(1) {
                return Err(chain::too_long(&chain));
            }
            next = self.entries.get(parent).and_then(Entry::parent);
        }
        Ok(chain)
    }

    /// The resolved parent of a file that names one.
    pub(super) fn parent_of(
        &self,
        name: &TemplateName,
        extends: Option<&TemplateName>,
    ) -> Result<Option<&Arc<Good>>, Mistake> {
        let chain = self.chain_from(name, extends)?;
        let Some(parent) = extends else { return Ok(None) };
        let good = |name: &TemplateName| self.entries.get(name).and_then(|entry| entry.good.as_ref());
        let refused = chain.iter().skip(1).take_while(|above| good(above).is_none()).count();
        good(parent).map(Some).ok_or_else(|| chain::refused(chain.get(..=refused).unwrap_or(&chain)))
    }

    /// The nearest of a template's parents whose file says something at a pointer.
    pub(super) fn origin(&self, parent: Option<&Good>, pointer: &str) -> Option<TemplateName> {
        let parent = parent?;
        let says = |link: &&Link| {
            let seen = self.entries.get(&link.name).and_then(|entry| entry.seen.as_ref());
            let checked = seen.and_then(|seen| seen.outcome.as_ref().ok());
            checked.is_some_and(|checked| {
                checked.document.digest() == link.own && checked.document.value.pointer(pointer).is_some()
            })
        };
        let nearest = parent.lineage.iter().find(says).map(|link| link.name.clone());
        let resolved = || parent.resolved.value().ok();
        let known = || resolved()?.pointer(pointer).map(|_| parent.template.name.clone());
        nearest.or_else(known)
    }

    /// Everything that is wrong with a refused file: what the look found, and what later stages say about the rest.
    pub(super) fn reasons(&self, name: &TemplateName, refusal: &Refusal) -> Vec<String> {
        let Some(draft) = &refusal.draft else { return refusal.reasons.clone() };
        let over =
            self.entries.get(name).and_then(|entry| entry.seen.as_ref()).is_some_and(|seen| seen.environment.is_some());
        let later = match self.parent_of(name, draft.extends()) {
            // What the file beneath says is not set beside a file that is refused.
            _ if over && draft.extends() == Some(name) => draft.mistakes(None, |_| None),
            Err(mistake) => {
                let alone = draft.mistakes(None, |_| None);
                draft.place(vec![mistake]).into_iter().chain(alone).collect()
            }
            Ok(parent) => {
                let parent = parent.map(Arc::as_ref);
                // A parent that cannot be read back is told where the file is judged.
                let resolved = parent.and_then(|good| good.resolved.value().ok());
                draft.mistakes(resolved.as_ref(), |pointer| self.origin(parent, pointer))
            }
        };
        let known = told(refusal.mistakes.clone());
        let mut reasons = told(in_order(refusal.mistakes.iter().cloned().chain(later).collect()));
        reasons.extend(refusal.reasons.iter().filter(|reason| !known.contains(reason)).cloned());
        reasons
    }
}
