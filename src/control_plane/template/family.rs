//! Who inherits from whom: chains of parents, and descendants in generations. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::name::TemplateName;

use super::format::inherit::EXTENDS_MAX;
use super::state::{Catalog, Entry};

impl Entry {
    /// The parent that the file names, or that the last good version had where the file says nothing.
    fn parent(&self) -> Option<&TemplateName> {
        match self.seen.as_ref().filter(|seen| seen.outcome.is_ok()) {
            Some(seen) => seen.parent(),
            None => self.good.as_ref().and_then(|good| good.parent()),
        }
    }
}

impl Catalog {
    /// The names from a template up to its eldest parent.
    pub(super) fn chain(&self, name: &TemplateName) -> Result<Vec<TemplateName>, String> {
        let mut chain = vec![name.clone()];
        while let Some(parent) = chain.last().and_then(|last| self.entries.get(last)).and_then(Entry::parent) {
            let known = chain.contains(parent);
            let parent = parent.clone();
            chain.push(parent.clone());
            let told = |what: &str| {
                let names: Vec<&str> = chain.iter().map(TemplateName::as_str).collect();
                Err(format!("/extends: {what}: {}", names.join(" -> ")))
            };
            if known {
                return told("templates extend one another");
            }
            if !self.entries.contains_key(&parent) {
                return told("the parent is missing");
            }
            if chain.len() > EXTENDS_MAX.saturating_add(1) {
                return told(&format!("more than {EXTENDS_MAX} parents"));
            }
        }
        Ok(chain)
    }

    /// Notes who inherits from whom now, for these templates. Whoever is noted already is noted again: what a template inherits
    /// may also have changed without its file.
    pub(super) fn relink(&mut self, before: &Self, names: &BTreeSet<TemplateName>) {
        for name in names {
            let (earlier, now) = (before.entries.get(name), self.entries.get(name));
            let (earlier, now) = (earlier.and_then(Entry::parent), now.and_then(Entry::parent));
            if let Some(parent) = earlier.filter(|_| earlier != now)
                && let Some(children) = self.children.get_mut(parent)
            {
                children.remove(name);
                if children.is_empty() {
                    self.children.remove(parent);
                }
            }
            if let Some(parent) = now.cloned() {
                self.children.entry(parent).or_default().insert(name.clone());
            }
        }
    }

    /// These templates and all that inherit from them, parents in an earlier generation than their children.
    pub(super) fn generations(&self, names: BTreeSet<TemplateName>) -> Vec<Vec<TemplateName>> {
        let mut ahead: Vec<TemplateName> = names.iter().cloned().collect();
        let mut all = names;
        while let Some(name) = ahead.pop() {
            let children = self.children.get(&name).into_iter().flatten();
            let fresh: Vec<TemplateName> = children.filter(|child| all.insert((*child).clone())).cloned().collect();
            ahead.extend(fresh);
        }
        let mut generations: BTreeMap<usize, Vec<TemplateName>> = BTreeMap::new();
        for name in all {
            let depth = self.chain(&name).map_or(usize::MAX, |chain| chain.len());
            generations.entry(depth).or_default().push(name);
        }
        generations.into_values().collect()
    }
}
