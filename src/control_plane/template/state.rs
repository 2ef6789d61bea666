//! The catalog: which files were seen, which version of each template is good, and what news about files change. Pure.
//!
//! ```text
//!            file good, kept rules            file bad
//! (unseen) ----------------------> published ---------> published, edit refused
//!     |  file bad                     ^                        |
//!     +----------> refused -----------+<-----------------------+   file good again
//! any state -- file gone --> (withdrawn)
//! published -- key or policy no longer allow it --> refused
//! published -- somebody goes back --> rolled back: files are judged and held -- lifted --> what the file says
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::clock::Timestamp;
use crate::domain::name::{TemplateName, Version};

use super::archive::packed::Packed;
use super::format::document;
use super::format::inherit::{self, EXTENDS_MAX};
use super::format::wire::{self, Facts};
use super::good::{Good, Link, Rules, earlier};
use super::source::look::{Checked, Seen};
use super::trust::fault::Fault;
use super::version::{self, BASE_LAYER, Order, Past, Published, RolledBack, Standing};

/// Everything that is known about the templates.
#[derive(Debug, Clone, Default)]
pub(super) struct Catalog {
    pub(super) entries: BTreeMap<TemplateName, Entry>,
    /// Versions that were ever published, as far as they were asked for.
    pub(super) history: BTreeMap<(TemplateName, Version), Published>,
    /// What the store keeps about each of the entries.
    pub(super) past: BTreeMap<TemplateName, Arc<Past>>,
}

/// One template.
#[derive(Debug, Clone, Default)]
pub(super) struct Entry {
    /// The file as it is now.
    pub(super) seen: Option<Arc<Seen>>,
    /// The version that is served: the last good one, or the one that somebody went back to.
    pub(super) good: Option<Arc<Good>>,
    /// Why the file as it is now is refused, or the version that somebody went back to; empty when all is well.
    pub(super) reasons: Vec<String>,
    /// What the file comes to while the template is rolled back, where that is another version.
    pub(super) pending: Option<Arc<Good>>,
}

/// What was found out since the last decision.
#[derive(Debug, Clone, Default)]
pub(super) struct News {
    /// Files that are there.
    pub(super) seen: BTreeMap<TemplateName, Arc<Seen>>,
    /// Files that are not there any more.
    pub(super) gone: BTreeSet<TemplateName>,
    /// Versions in force before a restart whose files are no longer good.
    pub(super) recalled: Vec<Good>,
    /// What the store knows about the versions of `seen`.
    pub(super) history: Vec<((TemplateName, Version), Published)>,
    /// What the store keeps about those of `seen` that nothing was known about.
    pub(super) past: Vec<(TemplateName, Past)>,
    /// What somebody decided.
    pub(super) order: Option<Order>,
    /// Good versions to be checked again.
    pub(super) doubt: Doubt,
}

/// Which good versions are checked again.
#[derive(Debug, Clone, Default)]
pub(super) enum Doubt {
    /// None.
    #[default]
    None,
    /// These.
    Some(BTreeSet<TemplateName>),
    /// All: keys or policy have changed.
    All,
}

impl Doubt {
    pub(super) fn concerns(&self, name: &TemplateName) -> bool {
        match self {
            Self::None => false,
            Self::Some(names) => names.contains(name),
            Self::All => true,
        }
    }
}

/// What a decision changes.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// A version is served from now on.
    Published {
        good: Arc<Good>,
        /// What the store must know first; nothing after a restart that changed nothing.
        record: Option<Box<version::Entry>>,
    },
    /// A template serves what somebody decided, whatever its file says.
    RolledBack { name: TemplateName, mark: Box<RolledBack>, standing: Box<Standing> },
    /// A template's file speaks again.
    Lifted { name: TemplateName, by: Arc<str>, standing: Box<Standing> },
    /// A good file is not served, because the template is rolled back.
    Held { name: TemplateName, version: Version },
    /// A file is refused for new reasons.
    Refused { name: TemplateName, version: Option<Version>, reasons: Vec<String>, fault: Option<Fault> },
    /// A template is not served any more.
    Withdrawn { name: TemplateName },
}

/// The catalog after the news, and what became different.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) catalog: Catalog,
    pub(super) changes: Vec<Change>,
}

/// Decides what news about files change. Parents come before their children, so that a changed parent carries its descendants
/// along in the same decision.
pub(super) fn decide(before: &Catalog, news: News, rules: &Rules<'_>, now: Timestamp) -> Decision {
    let mut catalog = before.clone();
    let mut changes = Vec::new();
    catalog.history.extend(news.history);
    catalog.past.extend(news.past.into_iter().map(|(name, past)| (name, Arc::new(past))));
    for name in news.gone {
        if catalog.entries.remove(&name).is_some() {
            // What the store keeps is read again when the file is back: above all that somebody went back, and how far.
            catalog.past.remove(&name);
            changes.push(Change::Withdrawn { name });
        }
    }
    for (name, seen) in news.seen {
        catalog.entries.entry(name).or_default().seen = Some(seen);
    }
    for good in news.recalled.into_iter().map(Arc::new) {
        catalog.entries.entry(good.template.name.clone()).or_default().good = Some(good.clone());
        changes.push(Change::Published { good, record: None });
    }
    let distrusted = drop_distrusted(&mut catalog, &news.doubt, rules);
    changes.extend(news.order.as_ref().and_then(|order| catalog.obey(order)));
    let moment = Moment { before, rules, now, distrusted, order: news.order };
    for name in catalog.parents_first() {
        let verdict = catalog.judge(&name, rules, now);
        if catalog.past.get(&name).is_some_and(|past| past.pin.is_some()) {
            changes.extend(catalog.hold(&name, verdict, &moment));
        } else {
            changes.extend(catalog.apply(&name, verdict, &moment));
        }
    }
    Decision { catalog, changes }
}

/// What a decision about one template is set beside.
pub(super) struct Moment<'a> {
    pub(super) before: &'a Catalog,
    pub(super) rules: &'a Rules<'a>,
    pub(super) now: Timestamp,
    /// Versions that keys or policy have just stopped, and why.
    pub(super) distrusted: BTreeMap<TemplateName, Vec<String>>,
    pub(super) order: Option<Order>,
}

impl Moment<'_> {
    /// What somebody decided about this template.
    pub(super) fn order(&self, name: &TemplateName) -> Option<&Order> {
        self.order.as_ref().filter(|order| order.name() == name)
    }
}

/// Takes away good versions that keys or policy no longer allow; returns why.
fn drop_distrusted(catalog: &mut Catalog, doubt: &Doubt, rules: &Rules<'_>) -> BTreeMap<TemplateName, Vec<String>> {
    let mut distrusted = BTreeMap::new();
    for (name, entry) in catalog.entries.iter_mut().filter(|(name, _)| doubt.concerns(name)) {
        entry.pending = None;
        let Some(good) = entry.good.as_mut() else { continue };
        match rules.recheck(good) {
            Ok(until) if until == good.until => {}
            Ok(until) => Arc::make_mut(good).until = until,
            Err(reasons) => {
                entry.good = None;
                distrusted.insert(name.clone(), reasons);
            }
        }
    }
    distrusted
}

/// What the file of one template, as it is now, comes to.
pub(super) enum Verdict {
    /// It is the version that is served already.
    Same,
    Publish(Arc<Good>),
    Refuse(Vec<String>, Option<Fault>),
}

impl Entry {
    fn checked(&self) -> Option<&Checked> {
        self.seen.as_ref().and_then(|seen| seen.outcome.as_ref().ok())
    }

    /// The parent that the file names, or that the last good version had where the file says nothing.
    fn parent(&self) -> Option<&TemplateName> {
        match self.checked() {
            Some(checked) => checked.document.extends(),
            None => self.good.as_ref().and_then(|good| good.lineage.get(1)).map(|link| &link.name),
        }
    }
}

impl Catalog {
    /// The names from a template up to its eldest parent.
    fn chain(&self, name: &TemplateName) -> Result<Vec<TemplateName>, String> {
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

    /// All names, those with fewer parents first.
    fn parents_first(&self) -> Vec<TemplateName> {
        let depth = |name: &TemplateName| self.chain(name).map_or(usize::MAX, |chain| chain.len());
        let mut names: Vec<(usize, &TemplateName)> = self.entries.keys().map(|name| (depth(name), name)).collect();
        names.sort();
        names.into_iter().map(|(_, name)| name.clone()).collect()
    }

    fn judge(&self, name: &TemplateName, rules: &Rules<'_>, now: Timestamp) -> Verdict {
        let Some(entry) = self.entries.get(name) else { return Verdict::Same };
        let checked = match entry.seen.as_ref().map(|seen| &seen.outcome) {
            None => return Verdict::Same,
            Some(Err(refusal)) => return Verdict::Refuse(refusal.reasons.clone(), refusal.fault.clone()),
            Some(Ok(checked)) => checked,
        };
        if let Err(reason) = self.chain(name) {
            return Verdict::Refuse(vec![reason], None);
        }
        let parent = match checked.document.extends() {
            None => None,
            Some(parent) => match self.entries.get(parent).and_then(|entry| entry.good.as_ref()) {
                Some(good) => Some(good),
                None => return Verdict::Refuse(vec![format!("/extends: the parent {parent} is refused")], None),
            },
        };
        let lineage = lineage(checked, parent.map(Arc::as_ref));
        let chosen = self.past.get(name).and_then(|past| past.pin.as_ref()).and_then(|pin| pin.good.as_ref().ok());
        if entry.good.iter().chain(chosen).any(|good| good.lineage == lineage) {
            return Verdict::Same;
        }
        if let Some(pending) = entry.pending.as_ref().filter(|pending| pending.lineage == lineage) {
            return Verdict::Publish(pending.clone());
        }
        match self.build(checked, parent.map(Arc::as_ref), lineage, rules, now) {
            Ok(good) => Verdict::Publish(Arc::new(good)),
            Err(reasons) => Verdict::Refuse(reasons, None),
        }
    }

    fn build(
        &self,
        checked: &Checked,
        parent: Option<&Good>,
        lineage: Vec<Link>,
        rules: &Rules<'_>,
        now: Timestamp,
    ) -> Result<Good, Vec<String>> {
        let document = &checked.document;
        let told = |mistakes: Vec<super::format::mistake::Mistake>| {
            mistakes.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let published = self.history.get(&(document.name().clone(), document.version().clone()));
        // INVARIANT: a published version number never changes its content.
        if let Some(earlier) = published.filter(|earlier| earlier.own != document.digest()) {
            let (version, at) = (document.version(), earlier.published_at);
            return Err(vec![format!(
                "/version: {version} was published on {at} with other content; a published version never changes, raise the number"
            )]);
        }
        self.forward(document, published).map_err(|reason| vec![reason])?;
        let resolved = match parent {
            None => document.value.clone(),
            Some(parent) => {
                let inherited =
                    parent.resolved.value().map_err(|reason| vec![format!("/extends: the parent {reason}")])?;
                inherit::resolve(&inherited, &document.value)
            }
        };
        let (digest, canonical) = document::resolved_form(&resolved).map_err(|mistake| told(vec![mistake]))?;
        let signer = checked.signature.as_ref().map(|signed| signed.signer.clone());
        let published_at =
            published.filter(|earlier| earlier.resolved == digest).map_or(now, |earlier| earlier.published_at);
        let template = wire::typed(&resolved, Facts { digest, signer, published_at }).map_err(told)?;
        let denials = rules.denials(&resolved, template.signer.as_ref());
        if !denials.is_empty() {
            return Err(denials);
        }
        let until = earlier(checked.until, parent.and_then(|parent| parent.until));
        Ok(Good::new(&template, Packed::plain(&canonical), lineage, until))
    }

    /// INVARIANT: what is published from a layer never goes backwards. A file that is in force already is no news.
    fn forward(&self, document: &document::Document, published: Option<&Published>) -> Result<(), String> {
        let (name, version) = (document.name(), document.version());
        let Some(past) = self.past.get(name) else { return Ok(()) };
        let in_force = published.is_some_and(|earlier| past.current == Some(earlier.resolved));
        match past.above(BASE_LAYER, version).filter(|_| !in_force) {
            None => Ok(()),
            Some(floor) => Err(format!(
                "/version: {version} is lower than {floor}, which was published before, and versions never go backwards; raise \
                 the number, or go back with: factoryctl templates rollback {name} {version}"
            )),
        }
    }

    fn apply(&mut self, name: &TemplateName, verdict: Verdict, moment: &Moment<'_>) -> Option<Change> {
        let earlier = moment.before.entries.get(name);
        match verdict {
            Verdict::Same => {
                let entry = self.entries.get_mut(name)?;
                entry.reasons.clear();
                let good = entry.good.clone()?;
                if moment.order(name).is_some() {
                    let record = self.record(name, &good, moment);
                    return Some(Change::Published { good, record });
                }
                // A version that is served already is news only after a refused edit was taken back.
                let news = earlier.is_none_or(|earlier| earlier.good.is_none() || !earlier.reasons.is_empty());
                news.then_some(Change::Published { good, record: None })
            }
            Verdict::Publish(good) => {
                let record = self.record(name, &good, moment);
                let entry = self.entries.get_mut(name)?;
                entry.good = Some(good.clone());
                entry.pending = None;
                entry.reasons.clear();
                Some(Change::Published { good, record })
            }
            Verdict::Refuse(reasons, fault) => {
                let reasons = distrust_too(reasons, moment.distrusted.get(name));
                self.entries.get_mut(name)?.pending = None;
                self.refuse(name, reasons, fault, moment)
            }
        }
    }

    /// Notes why a template is refused; tells it where it is news.
    pub(super) fn refuse(
        &mut self,
        name: &TemplateName,
        reasons: Vec<String>,
        fault: Option<Fault>,
        moment: &Moment<'_>,
    ) -> Option<Change> {
        let earlier = moment.before.entries.get(name);
        let entry = self.entries.get_mut(name)?;
        let same_file = earlier.and_then(|earlier| earlier.seen.as_ref()).map(|seen| seen.fingerprint)
            == entry.seen.as_ref().map(|seen| seen.fingerprint);
        let same_good = earlier.is_some_and(|earlier| earlier.good.is_some() == entry.good.is_some());
        let known = same_file && same_good && earlier.is_some_and(|earlier| earlier.reasons == reasons);
        entry.reasons.clone_from(&reasons);
        let version = entry.seen.as_ref().and_then(|seen| seen.version.clone());
        (!known).then(|| Change::Refused { name: name.clone(), version, reasons, fault })
    }
}

/// The reasons, and those of keys or policy that are not among them.
pub(super) fn distrust_too(mut reasons: Vec<String>, distrusted: Option<&Vec<String>>) -> Vec<String> {
    for reason in distrusted.into_iter().flatten() {
        if !reasons.contains(reason) {
            reasons.push(reason.clone());
        }
    }
    reasons
}

/// The files that a template is made from.
fn lineage(checked: &Checked, parent: Option<&Good>) -> Vec<Link> {
    let document = &checked.document;
    let own = Link {
        name: document.name().clone(),
        version: document.version().clone(),
        own: document.digest(),
        signature: checked.signature.clone(),
    };
    std::iter::once(own).chain(parent.into_iter().flat_map(|parent| parent.lineage.iter().cloned())).collect()
}
