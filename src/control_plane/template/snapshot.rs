//! What look-ups read: an immutable picture of all templates, swapped as one.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::domain::clock::Timestamp;
use crate::domain::name::{Capability, Digest, TemplateName, Version};

use super::model::Template;
use super::refresh::Verified;
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
    pub resolved: Arc<Value>,
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
    pub template: Option<Arc<Template>>,
    /// That version's JSON with everything that it inherits.
    pub resolved: Option<Arc<Value>>,
    /// The version that the file names, where so much of it can be read; another than the served one where an edit is refused.
    pub file_version: Option<Version>,
    /// Why the file as it is now is refused.
    pub reasons: Vec<String>,
    /// That somebody went back, also where the version that they chose is refused.
    pub rolled_back: Option<RolledBack>,
    /// The good file, which waits until that is lifted.
    pub pending: Option<Pending>,
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
    by_name: HashMap<TemplateName, Arc<Served>>,
    by_capability: HashMap<Capability, Vec<Arc<Template>>>,
}

/// One template.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) listing: Listing,
    verified_micros: AtomicI64,
    asked: AtomicBool,
    /// The first instant at which the keys that signed it are trusted no longer.
    until: Option<Timestamp>,
}

impl Served {
    /// Since when the keys that signed it are trusted no longer, if they are not. The look that says why is on its way.
    pub(super) fn lapsed(&self, now: Timestamp) -> Option<Timestamp> {
        self.until.filter(|until| now >= *until)
    }

    /// Whether the verification is older than `ttl`, and nobody has asked for another yet. Whoever is told so must ask.
    pub(super) fn has_expired(&self, now: Timestamp, ttl: Duration) -> bool {
        let verified = Timestamp::from_micros(self.verified_micros.load(Ordering::Relaxed));
        now.since(verified) > ttl && !self.asked.swap(true, Ordering::Relaxed)
    }

    /// Takes back that somebody asked, because nobody heard it.
    pub(super) fn ask_again(&self) {
        self.asked.store(false, Ordering::Relaxed);
    }
}

impl Snapshot {
    /// A picture of the catalog. Templates that are as before keep the date of their verification, unless they are among the
    /// `verified`.
    pub(super) fn of(catalog: &Catalog, before: &Self, verified: &Verified, now: Timestamp) -> Self {
        let mut snapshot = Self { ready: true, ..Self::default() };
        for (name, entry) in &catalog.entries {
            let earlier = before.by_name.get(name).map(|served| served.verified_micros.load(Ordering::Relaxed));
            let fresh = match verified {
                Verified::All => true,
                Verified::Some(names) => names.contains(name),
            };
            let verified_micros = earlier.filter(|_| !fresh).unwrap_or(now.micros()).into();
            let served = Served {
                listing: listing(name, entry, catalog.past.get(name).map(Arc::as_ref)),
                verified_micros,
                asked: AtomicBool::new(false),
                until: entry.good.as_ref().and_then(|good| good.until),
            };
            snapshot.insert(Arc::new(served));
        }
        snapshot
    }

    /// A picture of templates that nothing watches.
    pub(super) fn fixed(templates: impl IntoIterator<Item = Template>) -> Self {
        let mut snapshot = Self { ready: true, ..Self::default() };
        for template in templates {
            let listing = Listing {
                name: template.name.clone(),
                status: Status::Published,
                file_version: Some(template.version.clone()),
                template: Some(Arc::new(template)),
                resolved: None,
                reasons: Vec::new(),
                rolled_back: None,
                pending: None,
            };
            let verified_micros = AtomicI64::new(i64::MAX);
            snapshot.insert(Arc::new(Served { listing, verified_micros, asked: AtomicBool::new(false), until: None }));
        }
        snapshot
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
    pub(super) fn with_capability(&self, capability: &Capability, now: Timestamp) -> Vec<Arc<Template>> {
        let mut found = self.by_capability.get(capability).cloned().unwrap_or_default();
        found.retain(|template| self.find(&template.name).is_none_or(|served| served.lapsed(now).is_none()));
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
        resolved: entry.good.as_ref().map(|good| good.resolved.clone()),
        file_version: entry.seen.as_ref().and_then(|seen| seen.version.clone()),
        reasons: entry.reasons.clone(),
        rolled_back: rolled_back.cloned(),
        pending: entry.pending.as_ref().map(|good| Pending {
            version: good.template.version.clone(),
            digest: good.template.digest,
            resolved: good.resolved.clone(),
        }),
    }
}
