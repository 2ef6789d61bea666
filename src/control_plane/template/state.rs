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
use super::format::draft::Draft;
use super::format::mistake::{Mistake, in_order};
use super::format::wire::{self, Facts};
use super::good::{Good, Link, Rules, earlier};
use super::made_of::{MadeOf, made_of};
use super::parallel;
use super::reasons::told;
use super::shards::Shards;
use super::source::look::Seen;
use super::trust::fault::Fault;
use super::version::{self, Order, Past, Published, RolledBack, Standing};

/// Everything that is known about the templates.
#[derive(Debug, Clone, Default)]
pub(super) struct Catalog {
    pub(super) entries: Shards<TemplateName, Entry>,
    /// Versions that were ever published, as far as they were asked for.
    pub(super) history: Shards<(TemplateName, Version), Published>,
    /// What the store keeps about each of the entries.
    pub(super) past: Shards<TemplateName, Arc<Past>>,
    /// Who inherits from whom directly: by the parent's name, also of one that is not there.
    pub(super) children: Shards<TemplateName, BTreeSet<TemplateName>>,
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
    /// The templates that were judged anew, and those that are gone: all others are as they were.
    pub(super) touched: BTreeSet<TemplateName>,
}

/// Decides what news about files change. Parents come before their children, so that a changed parent carries its descendants
/// along in the same decision; whoever neither changed nor inherits from what changed is left alone.
pub(super) fn decide(before: &Catalog, news: News, rules: &Rules<'_>, now: Timestamp) -> Decision {
    let mut catalog = before.clone();
    let mut changes = Vec::new();
    let mut touched = news.touches(before);
    catalog.history.extend(news.history);
    catalog.past.extend(news.past.into_iter().map(|(name, past)| (name, Arc::new(past))));
    catalog.history.forget(|(name, _)| news.gone.contains(name));
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
        let name = &good.template.name;
        let entry = catalog.entries.entry(name.clone()).or_default();
        entry.good = Some(good.clone());
        // One whose file could not be read is told when it is judged, unless it is held.
        let judged_same = entry.seen.is_none() && catalog.past.get(name).is_none_or(|past| past.pin.is_none());
        if !judged_same {
            changes.push(Change::Published { good, record: None });
        }
    }
    let distrusted = drop_distrusted(&mut catalog, &news.doubt, rules);
    changes.extend(news.order.as_ref().and_then(|order| catalog.obey(order)));
    let moment = Moment { before, rules, now, distrusted, order: news.order };
    catalog.relink(before, &touched);
    let generations = catalog.generations(touched.clone());
    touched.extend(generations.iter().flatten().cloned());
    for generation in generations {
        // INVARIANT: a judgment reads only what earlier generations came to, so that their order among themselves is no matter.
        let verdicts = parallel::map(&generation, |name| catalog.judge(name, rules, now));
        for (name, verdict) in generation.iter().zip(verdicts) {
            if catalog.past.get(name).is_some_and(|past| past.pin.is_some()) {
                changes.extend(catalog.hold(name, verdict, &moment));
            } else {
                changes.extend(catalog.apply(name, verdict, &moment));
            }
        }
    }
    Decision { catalog, changes, touched }
}

impl News {
    /// The templates that the news are about.
    fn touches(&self, before: &Catalog) -> BTreeSet<TemplateName> {
        let recalled = self.recalled.iter().map(|good| &good.template.name);
        let ordered = self.order.as_ref().map(Order::name);
        let named = self.seen.keys().chain(&self.gone).chain(recalled).chain(ordered).cloned();
        match &self.doubt {
            Doubt::None => named.collect(),
            Doubt::Some(doubted) => named.chain(doubted.iter().cloned()).collect(),
            Doubt::All => named.chain(before.entries.keys().cloned()).collect(),
        }
    }
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
    let doubted: Vec<TemplateName> = match doubt {
        Doubt::None => Vec::new(),
        Doubt::Some(names) => names.iter().cloned().collect(),
        Doubt::All => catalog.entries.keys().cloned().collect(),
    };
    let verdicts = parallel::map(&doubted, |name| {
        let good = catalog.entries.get(name).and_then(|entry| entry.good.as_ref());
        good.map(|good| rules.recheck(good))
    });
    let mut distrusted = BTreeMap::new();
    for (name, verdict) in doubted.into_iter().zip(verdicts) {
        let Some(entry) = catalog.entries.get_mut(&name) else { continue };
        entry.pending = None;
        let Some(good) = entry.good.as_mut() else { continue };
        match verdict {
            None => {}
            Some(Ok(until)) if until == good.until => {}
            Some(Ok(until)) => Arc::make_mut(good).until = until,
            Some(Err(reasons)) => {
                entry.good = None;
                distrusted.insert(name, reasons);
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

impl Catalog {
    fn judge(&self, name: &TemplateName, rules: &Rules<'_>, now: Timestamp) -> Verdict {
        let Some(entry) = self.entries.get(name) else { return Verdict::Same };
        let Some(seen) = entry.seen.as_ref() else { return Verdict::Same };
        let made_of = match made_of(seen) {
            Ok(made_of) => made_of,
            Err(refusal) => return Verdict::Refuse(self.reasons(name, &refusal), refusal.fault),
        };
        let parent = match self.parent_of(name, seen.parent()) {
            Ok(parent) => parent,
            Err(mistake) => {
                // What the file says wrong by itself is told as well.
                let document = &made_of.own.document;
                let alone = Draft::good(document).mistakes(None, |_| None);
                let mistakes = document.place(vec![mistake], |_| None).into_iter().chain(alone);
                return Verdict::Refuse(told(in_order(mistakes.collect())), None);
            }
        };
        let lineage = made_of.lineage(parent.map(Arc::as_ref));
        let chosen = self.past.get(name).and_then(|past| past.pin.as_ref()).and_then(|pin| pin.good.as_ref().ok());
        if entry.good.iter().chain(chosen).any(|good| good.lineage == lineage) {
            return Verdict::Same;
        }
        if let Some(pending) = entry.pending.as_ref().filter(|pending| pending.lineage == lineage) {
            return Verdict::Publish(pending.clone());
        }
        match self.build(made_of, parent.map(Arc::as_ref), lineage, rules, now) {
            Ok(good) => Verdict::Publish(Arc::new(good)),
            Err(reasons) => Verdict::Refuse(reasons, None),
        }
    }

    fn build(
        &self,
        made_of: MadeOf<'_>,
        parent: Option<&Good>,
        lineage: Vec<Link>,
        rules: &Rules<'_>,
        now: Timestamp,
    ) -> Result<Good, Vec<String>> {
        let checked = made_of.own;
        let document = &checked.document;
        let origin = |pointer: &str| made_of.origin(pointer).or_else(|| self.origin(parent, pointer));
        let told = |mistakes| told(document.place(mistakes, origin));
        let published = self.history.get(&(document.name().clone(), document.version().clone()));
        // INVARIANT: a published version number never changes its content.
        if let Some(earlier) = published.filter(|earlier| earlier.own != document.digest()) {
            let (version, at) = (document.version(), earlier.published_at);
            let message = format!(
                "{version} was published on {at} with other content; a published version never changes, raise the number"
            );
            return Err(told(vec![Mistake::at("/version", message)]));
        }
        self.forward(made_of, published).map_err(|mistake| told(vec![mistake]))?;
        let resolved = made_of.resolved(parent).map_err(|reason| vec![format!("/extends: the parent {reason}")])?;
        let (digest, canonical) = document::resolved_form(&resolved).map_err(|mistake| told(vec![mistake]))?;
        self.overtaken(made_of, published, digest).map_err(|mistake| told(vec![mistake]))?;
        let signer = checked.signature.as_ref().map(|signed| signed.signer.clone());
        let published_at =
            published.filter(|earlier| earlier.resolved == digest).map_or(now, |earlier| earlier.published_at);
        let template = wire::typed(&resolved, Facts { digest, signer, published_at }).map_err(told)?;
        let denials = rules.denials(&resolved, template.signer.as_ref());
        if !denials.is_empty() {
            return Err(denials);
        }
        let until = earlier(made_of.until(), parent.and_then(|parent| parent.until));
        Ok(Good::new(&template, Packed::plain(&canonical), lineage, until))
    }

    /// INVARIANT: what is published from a layer never goes backwards. A file that is in force already is no news.
    fn forward(&self, made_of: MadeOf<'_>, published: Option<&Published>) -> Result<(), Mistake> {
        let document = &made_of.own.document;
        let (name, version) = (document.name(), document.version());
        let Some(past) = self.past.get(name) else { return Ok(()) };
        let in_force = published.is_some_and(|earlier| past.current == Some(earlier.resolved));
        match past.above(version::layer(made_of.environment), version).filter(|_| !in_force) {
            None => Ok(()),
            Some(floor) => Err(Mistake::at(
                "/version",
                format!(
                    "{version} is lower than {floor}, which was published before, and versions never go backwards; raise \
                     the number, or go back with: factoryctl templates rollback {name} {version}"
                ),
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
