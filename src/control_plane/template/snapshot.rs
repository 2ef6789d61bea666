//! What look-ups read: an immutable picture of all templates, swapped as one.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::domain::clock::Timestamp;
use crate::domain::name::{Capability, Digest, Environment, TemplateName, Version};

use super::archive::packed::Packed;
use super::cache::{Authority, Memo};
use super::error::Error;
use super::good::Good;
use super::model::Summary;
use super::shards::Shards;
use super::state::{Catalog, Entry};
use super::version::{Past, RolledBack};

/// How a template stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Its file is what is served.
    Published,
    /// It was never good, or is no longer allowed.
    Refused,
    /// Its file is refused; the last good version serves.
    PublishedWithRefusedEdit,
    /// Somebody went back to what is served; its file is judged and not served.
    RolledBack,
    /// It was published, and something else is served now, or nothing.
    Superseded,
}

/// A good file that is not served, because its template is rolled back.
#[derive(Clone)]
pub struct Pending {
    /// Its version.
    pub version: Version,
    /// Its digest.
    pub digest: Digest,
    /// Its JSON with everything that it inherits.
    pub packed: Packed,
}

impl Status {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Refused => "refused",
            Self::PublishedWithRefusedEdit => "published_with_refused_edit",
            Self::RolledBack => "rolled_back",
            Self::Superseded => "superseded",
        }
    }
}

/// A template as it is told to people.
#[derive(Clone)]
pub struct Listing {
    /// Its name.
    pub name: TemplateName,
    /// How it stands.
    pub status: Status,
    /// The version that is served.
    pub template: Option<Arc<Summary>>,
    /// That version's JSON with everything that it inherits; [`Listing::resolved`] unpacks it.
    pub packed: Option<Packed>,
    /// The version that the file names, where so much of it can be read; another than the served one where an edit is refused.
    pub file_version: Option<Version>,
    /// Why the file as it is now is refused.
    pub reasons: Vec<String>,
    /// The environment whose file serves, or of which one is refused where none serves; none of the base.
    pub environment: Option<Environment>,
    /// That somebody went back, also where the version that they chose is refused.
    pub rolled_back: Option<RolledBack>,
    /// The good file, which waits until that is lifted.
    pub pending: Option<Pending>,
}

impl Listing {
    /// The JSON of the version that is served, with everything that it inherits.
    ///
    /// # Errors
    /// What is kept of it is damaged.
    pub fn resolved(&self) -> Result<Option<Value>, Error> {
        let value = self.packed.as_ref().map(Packed::value).transpose();
        value.map_err(|reason| Error::Stored { name: self.name.clone(), reason })
    }
}

impl std::fmt::Debug for Listing {
    /// Leaves out the resolved JSON, which holds prompts.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let version = self.template.as_ref().map(|template| &template.version);
        write!(
            f,
            "{} {}, serves {version:?}, file {:?}: {:?}",
            self.name,
            self.status.as_str(),
            self.file_version,
            self.reasons
        )
    }
}

/// All templates at one moment.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    /// Whether the first look is over.
    pub(super) ready: bool,
    /// By whose signatures versions are verified when they are activated.
    pub(super) authority: Authority,
    by_name: Shards<TemplateName, Arc<Served>>,
    by_capability: HashMap<Capability, Vec<Arc<Summary>>>,
}

/// One template.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) listing: Listing,
    pub(super) good: Option<Arc<Good>>,
    /// Where its compiled form is; shared with the snapshot before where the version is the same.
    pub(super) memo: Arc<Memo>,
    asked: AtomicBool,
}

impl Served {
    fn of(listing: Listing, good: Option<Arc<Good>>, before: Option<&Self>) -> Self {
        let same = before.filter(|before| match (&before.good, &good) {
            (Some(before), Some(good)) => Arc::ptr_eq(before, good),
            (Some(_), None) | (None, Some(_) | None) => false,
        });
        let memo = same.map(|before| before.memo.clone()).unwrap_or_default();
        Self { listing, good, memo, asked: AtomicBool::new(false) }
    }

    /// Whether nobody has asked the actor yet to look at this template again. Whoever is told so must ask.
    pub(super) fn must_ask(&self) -> bool {
        !self.asked.swap(true, Ordering::Relaxed)
    }

    /// Takes back that somebody asked, because nobody heard it.
    pub(super) fn ask_again(&self) {
        self.asked.store(false, Ordering::Relaxed);
    }
}

impl Snapshot {
    /// A picture of the catalog. Only `touched` templates are looked at, and without it all are; those that are as before keep
    /// the place of their compiled form.
    pub(super) fn of(
        catalog: &Catalog,
        before: &Self,
        touched: Option<BTreeSet<TemplateName>>,
        authority: Authority,
    ) -> Self {
        let (names, mut snapshot) = match touched {
            None => (catalog.entries.keys().cloned().collect(), Self { ready: true, authority, ..Self::default() }),
            Some(names) => {
                let (by_name, by_capability) = (before.by_name.clone(), before.by_capability.clone());
                let mut snapshot = Self { ready: true, authority, by_name, by_capability };
                snapshot.forget(&names);
                (names, snapshot)
            }
        };
        for name in &names {
            let Some(entry) = catalog.entries.get(name) else { continue };
            let earlier = before.by_name.get(name).map(Arc::as_ref);
            let listing = listing(name, entry, catalog.past.get(name).map(Arc::as_ref));
            snapshot.insert(Arc::new(Served::of(listing, entry.good.clone(), earlier)));
        }
        snapshot
    }

    /// The same picture with other keys.
    #[cfg(test)]
    pub(super) fn with(&self, authority: Authority) -> Self {
        let Self { ready, by_name, by_capability, .. } = self;
        Self { ready: *ready, authority, by_name: by_name.clone(), by_capability: by_capability.clone() }
    }

    /// A picture of templates that nothing watches.
    pub(super) fn fixed(goods: impl IntoIterator<Item = Good>) -> Self {
        let mut snapshot = Self { ready: true, ..Self::default() };
        for good in goods.into_iter().map(Arc::new) {
            let name = good.template.name.clone();
            let entry = Entry { good: Some(good.clone()), ..Entry::default() };
            snapshot.insert(Arc::new(Served::of(listing(&name, &entry, None), Some(good), None)));
        }
        snapshot
    }

    fn forget(&mut self, names: &BTreeSet<TemplateName>) {
        let mut capabilities = BTreeSet::new();
        for name in names {
            let template = self.by_name.remove(name).and_then(|served| served.listing.template.clone());
            capabilities.extend(template.into_iter().flat_map(|template| template.capabilities.clone()));
        }
        for capability in capabilities {
            if let Some(templates) = self.by_capability.get_mut(&capability) {
                templates.retain(|template| !names.contains(&template.name));
                if templates.is_empty() {
                    self.by_capability.remove(&capability);
                }
            }
        }
    }

    fn insert(&mut self, served: Arc<Served>) {
        if let Some(template) = &served.listing.template {
            for capability in &template.capabilities {
                self.by_capability.entry(capability.clone()).or_default().push(template.clone());
            }
        }
        self.by_name.insert(served.listing.name.clone(), served);
    }

    pub(super) fn find(&self, name: &TemplateName) -> Option<&Served> {
        self.by_name.get(name).map(Arc::as_ref)
    }

    /// The templates with a capability, by name.
    pub(super) fn with_capability(&self, capability: &Capability, now: Timestamp) -> Vec<Arc<Summary>> {
        let mut found = self.by_capability.get(capability).cloned().unwrap_or_default();
        let until = |template: &Summary| self.find(&template.name)?.good.as_ref()?.until;
        found.retain(|template| until(template).is_none_or(|until| now < until));
        found.sort_by(|one, other| one.name.cmp(&other.name));
        found
    }

    /// All listings, by name.
    pub(super) fn listings(&self) -> Vec<Listing> {
        let mut listings: Vec<Listing> = self.by_name.values().map(|served| served.listing.clone()).collect();
        listings.sort_by(|one, other| one.name.cmp(&other.name));
        listings
    }

    /// Templates that are served.
    pub(super) fn served(&self) -> usize {
        self.by_name.values().filter(|served| served.listing.template.is_some()).count()
    }
}

fn listing(name: &TemplateName, entry: &Entry, past: Option<&Past>) -> Listing {
    let rolled_back = past.and_then(Past::rolled_back);
    let status = match (&entry.good, rolled_back, entry.reasons.is_empty()) {
        (Some(_), Some(_), _) => Status::RolledBack,
        (Some(_), None, true) => Status::Published,
        (Some(_), None, false) => Status::PublishedWithRefusedEdit,
        (None, _, _) => Status::Refused,
    };
    Listing {
        name: name.clone(),
        status,
        template: entry.good.as_ref().map(|good| good.template.clone()),
        packed: entry.good.as_ref().map(|good| good.resolved.clone()),
        file_version: entry.seen.as_ref().and_then(|seen| seen.version.clone()),
        reasons: entry.reasons.clone(),
        environment: match &entry.good {
            Some(good) => good.environment().cloned(),
            None => entry.seen.as_ref().and_then(|seen| seen.environment.clone()),
        },
        rolled_back: rolled_back.cloned(),
        pending: entry.pending.as_ref().map(|good| Pending {
            version: good.template.version.clone(),
            digest: good.template.digest,
            packed: good.resolved.clone(),
        }),
    }
}
