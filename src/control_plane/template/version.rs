//! What is known about versions: each publication, the highest number so far, and what people decided about going back. Pure.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use semver::Version as SemVer;

use crate::domain::clock::Timestamp;
use crate::domain::name::{Digest, Environment, TemplateName, Version};

use super::good::Good;
use super::model::Signer;

/// The most publications of a template that the log keeps, the latest; contents are kept whatever their number.
pub const PUBLICATIONS_MAX: u64 = 1_000;

/// The layer of files that lie in the directory itself.
pub(super) const BASE_LAYER: &str = "";

/// The layer of an environment's files, or of the base.
pub(super) fn layer(environment: Option<&Environment>) -> &str {
    environment.map_or(BASE_LAYER, Environment::as_str)
}

/// One published version: what is known by its number.
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

/// Why a version came into force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Its file was written.
    Edited,
    /// A file that it inherits from was changed, or went back.
    ParentChanged,
    /// The content is as it was, and a signature of it is new.
    Resigned,
    /// Somebody went back to it.
    RolledBack,
    /// Somebody let the file speak again.
    Lifted,
    /// It was good before, and keys, policy or its file allow it again.
    Restored,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 6] =
        [Self::Edited, Self::ParentChanged, Self::Resigned, Self::RolledBack, Self::Lifted, Self::Restored];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Edited => "edited",
            Self::ParentChanged => "parent_changed",
            Self::Resigned => "resigned",
            Self::RolledBack => "rolled_back",
            Self::Lifted => "lifted",
            Self::Restored => "restored",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == word)
    }
}

/// By whom a version came into force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct By {
    /// The name of the principal, or of the file's owner where the host knows one.
    pub name: Option<Arc<str>>,
    /// The file's owner.
    pub uid: Option<u32>,
}

impl By {
    pub(super) fn principal(name: &Arc<str>) -> Self {
        Self { name: Some(name.clone()), uid: None }
    }

    pub(super) fn owner(uid: Option<u32>) -> Self {
        Self { name: None, uid }
    }

    /// In the words of the audit log: `ann`, or `uid:1000`; none where nobody is known.
    #[must_use]
    pub fn told(&self) -> Option<String> {
        self.name.as_ref().map(ToString::to_string).or_else(|| self.uid.map(|uid| format!("uid:{uid}")))
    }
}

/// One publication: a version came into force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Publication {
    /// When.
    pub at: Timestamp,
    /// The version.
    pub version: Version,
    /// The digest of the resolved template.
    pub digest: Digest,
    /// The digest of the file as written.
    pub own: Digest,
    /// Whose signature made it trusted.
    pub signer: Option<Signer>,
    /// Why.
    pub cause: Cause,
    /// By whom, where it is known.
    pub by: By,
    /// The policy that allowed it.
    pub policy: Digest,
}

/// That a template went back, and to what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolledBack {
    /// The version that is served.
    pub version: Version,
    /// Its digest.
    pub digest: Digest,
    /// Who decided it.
    pub by: Arc<str>,
    /// When.
    pub at: Timestamp,
    /// What was served before.
    pub from: Option<Version>,
}

/// A decision to serve one version whatever the file says.
#[derive(Debug, Clone)]
pub(super) struct Pin {
    /// None where its record is damaged: then nothing is served until somebody decides anew.
    pub(super) mark: Option<RolledBack>,
    /// The version, or why it cannot be had.
    pub(super) good: Result<Arc<Good>, String>,
}

/// What the store keeps about a template across edits, withdrawal and restarts.
#[derive(Debug, Clone, Default)]
pub(super) struct Past {
    /// The digest in force.
    pub(super) current: Option<Digest>,
    /// The highest version that was ever published from each layer.
    pub(super) floors: BTreeMap<Arc<str>, Version>,
    /// The number of the next publication.
    pub(super) next: u64,
    pub(super) pin: Option<Pin>,
}

impl Past {
    /// Notes a version as published from a layer.
    pub(super) fn raise(&mut self, layer: &str, version: &Version) {
        let lower = self.floors.get(layer).is_none_or(|floor| precedence(floor, version) == Ordering::Less);
        if lower {
            self.floors.insert(layer.into(), version.clone());
        }
    }

    /// Notes a version as published from a layer for the first time: of those of one precedence the last one counts.
    pub(super) fn advance(&mut self, layer: &str, version: &Version) {
        if self.above(layer, version).is_none() {
            self.floors.insert(layer.into(), version.clone());
        }
    }

    /// The version of a layer that was published last, where `version` has its precedence and is another one.
    pub(super) fn beside(&self, layer: &str, version: &Version) -> Option<&Version> {
        let comparable = |version: &Version| SemVer::parse(version.as_str()).is_ok();
        let floor =
            self.floors.get(layer).filter(|floor| *floor != version && comparable(floor) && comparable(version));
        floor.filter(|floor| precedence(floor, version) == Ordering::Equal)
    }

    /// The highest version of a layer, where `version` is lower.
    pub(super) fn above(&self, layer: &str, version: &Version) -> Option<&Version> {
        self.floors.get(layer).filter(|floor| precedence(floor, version) == Ordering::Greater)
    }

    /// The highest version of the other layers, where `version` is lower and nothing was ever published from its own.
    pub(super) fn above_elsewhere(&self, layer: &str, version: &Version) -> Option<&Version> {
        let elsewhere = self.floors.values().filter(|_| !self.floors.contains_key(layer));
        let highest = elsewhere.max_by(|one, other| precedence(one, other));
        highest.filter(|floor| precedence(floor, version) == Ordering::Greater)
    }

    pub(super) fn standing(&self) -> Standing {
        Standing { floors: self.floors.clone(), next: self.next, pin: self.rolled_back().cloned() }
    }

    /// That the template went back.
    pub(super) fn rolled_back(&self) -> Option<&RolledBack> {
        self.pin.as_ref().and_then(|pin| pin.mark.as_ref())
    }
}

/// What the store must know before a version is served.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) published: Published,
    pub(super) publication: Publication,
    /// The publication's number.
    pub(super) number: u64,
    pub(super) standing: Standing,
}

/// What the store keeps of [`Past`], beside the digest in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) floors: BTreeMap<Arc<str>, Version>,
    pub(super) next: u64,
    pub(super) pin: Option<RolledBack>,
}

/// What somebody decided about a template.
#[derive(Debug, Clone)]
pub(super) enum Order {
    /// To go back.
    RollBack { name: TemplateName, mark: Box<RolledBack>, good: Arc<Good> },
    /// To let the file speak again.
    Lift { name: TemplateName, by: Arc<str> },
}

impl Order {
    pub(super) fn name(&self) -> &TemplateName {
        match self {
            Self::RollBack { name, .. } | Self::Lift { name, .. } => name,
        }
    }

    /// Why, and by whom, what it brings into force is published.
    pub(super) fn cause(&self) -> (Cause, By) {
        match self {
            Self::RollBack { mark, .. } => (Cause::RolledBack, By::principal(&mark.by)),
            Self::Lift { by, .. } => (Cause::Lifted, By::principal(by)),
        }
    }
}

/// The precedence of Semantic Versioning 2.0.0, section 11: what was built from is not compared. Numbers that are none are equal
/// to all, so that they refuse nothing.
pub(super) fn precedence(one: &Version, other: &Version) -> Ordering {
    match (SemVer::parse(one.as_str()), SemVer::parse(other.as_str())) {
        (Ok(one), Ok(other)) => one.cmp_precedence(&other),
        (Err(_), _) | (_, Err(_)) => Ordering::Equal,
    }
}
