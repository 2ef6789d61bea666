//! The catalog: which files were seen, which version of each template is good, and what news about files change. Pure.
//!
//! ```text
//!            file good, kept rules            file bad
//! (unseen) ----------------------> published ---------> published, edit refused
//!     |  file bad                     ^                        |
//!     +----------> refused -----------+<-----------------------+   file good again
//! any state -- file gone --> (withdrawn)
//! published -- key or policy no longer allow it --> refused
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::clock::Timestamp;
use crate::domain::name::{Digest, TemplateName, Version};

use super::archive::packed::Packed;
use super::format::document;
use super::format::inherit::{self, EXTENDS_MAX};
use super::format::wire::{self, Facts};
use super::good::{Good, Link, Rules};
use super::model::Signer;
use super::source::look::{Checked, Seen};
use super::trust::signature::Fault;

/// Everything that is known about the templates.
#[derive(Debug, Clone, Default)]
pub(super) struct Catalog {
    pub(super) entries: BTreeMap<TemplateName, Entry>,
    /// Versions that were ever published, as far as they were asked for.
    pub(super) history: BTreeMap<(TemplateName, Version), Published>,
    /// The digest that the store names as the one in force.
    pub(super) current: BTreeMap<TemplateName, Digest>,
}

/// One template.
#[derive(Debug, Clone, Default)]
pub(super) struct Entry {
    /// The file as it is now.
    pub(super) seen: Option<Arc<Seen>>,
    /// The last good version.
    pub(super) good: Option<Arc<Good>>,
    /// Why the file as it is now is refused; empty when it is the one that is served.
    pub(super) reasons: Vec<String>,
}

/// One published version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Published {
    /// The digest of the file as written: under this version it never changes.
    pub(super) own: Digest,
    /// The digest of the resolved template: it changes with the parents.
    pub(super) resolved: Digest,
    /// The files and signatures that made it.
    pub(super) seal: [u8; 32],
    pub(super) signer: Option<Signer>,
    pub(super) published_at: Timestamp,
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
    /// What the store names as in force.
    pub(super) current: Vec<(TemplateName, Digest)>,
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
        record: Option<Published>,
    },
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
    catalog.current.extend(news.current);
    for name in news.gone {
        if catalog.entries.remove(&name).is_some() {
            catalog.current.remove(&name);
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
    for name in catalog.parents_first() {
        let verdict = catalog.judge(&name, rules, now);
        if let Some(change) = catalog.apply(&name, verdict, before, &distrusted) {
            changes.push(change);
        }
    }
    Decision { catalog, changes }
}

/// Takes away good versions that keys or policy no longer allow; returns why.
fn drop_distrusted(catalog: &mut Catalog, doubt: &Doubt, rules: &Rules<'_>) -> BTreeMap<TemplateName, Vec<String>> {
    let mut distrusted = BTreeMap::new();
    for (name, entry) in catalog.entries.iter_mut().filter(|(name, _)| doubt.concerns(name)) {
        if let Some(reasons) = entry.good.as_ref().and_then(|good| rules.recheck(good).err()) {
            entry.good = None;
            distrusted.insert(name.clone(), reasons);
        }
    }
    distrusted
}

/// What the file of one template, as it is now, comes to.
enum Verdict {
    /// It is the version that is served already.
    Same,
    Publish(Good),
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
        if entry.good.as_ref().is_some_and(|good| good.lineage == lineage) {
            return Verdict::Same;
        }
        match self.build(checked, parent.map(Arc::as_ref), lineage, rules, now) {
            Ok(good) => Verdict::Publish(good),
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
        let resolved = match parent {
            None => document.value.clone(),
            Some(parent) => {
                let inherited = parent.resolved.value().map_err(|reason| vec![format!("/extends: the parent {reason}")])?;
                inherit::resolve(&inherited, &document.value)
            }
        };
        let (digest, canonical) = document::resolved_form(&resolved).map_err(|mistake| told(vec![mistake]))?;
        let signer = checked.signature.as_ref().map(|s| Signer { key_id: s.key_id.clone(), algorithm: s.algorithm });
        let published_at =
            published.filter(|earlier| earlier.resolved == digest).map_or(now, |earlier| earlier.published_at);
        let template = wire::typed(&resolved, Facts { digest, signer, published_at }).map_err(told)?;
        let denials = rules.denials(&resolved, template.signer.as_ref());
        if !denials.is_empty() {
            return Err(denials);
        }
        Ok(Good::new(&template, Packed::plain(&canonical), lineage))
    }

    fn apply(
        &mut self,
        name: &TemplateName,
        verdict: Verdict,
        before: &Self,
        distrusted: &BTreeMap<TemplateName, Vec<String>>,
    ) -> Option<Change> {
        let earlier = before.entries.get(name);
        match verdict {
            Verdict::Same => {
                let entry = self.entries.get_mut(name)?;
                entry.reasons.clear();
                let good = entry.good.clone()?;
                // A version that is served already is news only after a refused edit was taken back.
                let news = earlier.is_none_or(|earlier| earlier.good.is_none() || !earlier.reasons.is_empty());
                news.then_some(Change::Published { good, record: None })
            }
            Verdict::Publish(good) => {
                let record = self.record(name, &good);
                let entry = self.entries.get_mut(name)?;
                let good = Arc::new(good);
                entry.good = Some(good.clone());
                entry.reasons.clear();
                Some(Change::Published { good, record })
            }
            Verdict::Refuse(mut reasons, fault) => {
                let entry = self.entries.get_mut(name)?;
                reasons.extend(
                    distrusted
                        .get(name)
                        .into_iter()
                        .flatten()
                        .filter(|r| !reasons.contains(r))
                        .cloned()
                        .collect::<Vec<_>>(),
                );
                let same_file = earlier.and_then(|earlier| earlier.seen.as_ref()).map(|seen| seen.fingerprint)
                    == entry.seen.as_ref().map(|seen| seen.fingerprint);
                let same_good = earlier.is_some_and(|earlier| earlier.good.is_some() == entry.good.is_some());
                let known = same_file && same_good && earlier.is_some_and(|earlier| earlier.reasons == reasons);
                entry.reasons.clone_from(&reasons);
                let version = entry.seen.as_ref().and_then(|seen| seen.version.clone());
                (!known).then(|| Change::Refused { name: name.clone(), version, reasons, fault })
            }
        }
    }

    /// Notes a version as published; returns what the store does not know yet.
    fn record(&mut self, name: &TemplateName, good: &Good) -> Option<Published> {
        let published = Published {
            own: good.lineage.first().map_or(good.template.digest, |link| link.own),
            resolved: good.template.digest,
            seal: good.seal,
            signer: good.template.signer.clone(),
            published_at: good.template.published_at,
        };
        let in_force = self.current.insert(name.clone(), good.template.digest);
        let earlier = self.history.insert((name.clone(), good.template.version.clone()), published.clone());
        let known = in_force == Some(good.template.digest) && earlier.as_ref() == Some(&published);
        (!known).then_some(published)
    }
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
