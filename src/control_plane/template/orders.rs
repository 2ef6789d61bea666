//! What people ask of a template's versions, turned into decisions: which version they mean, and whether it may be served.

use std::sync::Arc;

use crate::control_plane::audit;
use crate::domain::clock::Timestamp;
use crate::domain::name::{Digest, TemplateName, Version};

use super::archive;
use super::error::Error;
use super::good::Rules;
use super::refresh::Workshop;
use super::state::{Catalog, News};
use super::version::{Order, Past, RolledBack};

/// The fewest hexadecimal digits by which a digest is named.
pub const DIGEST_DIGITS_MIN: usize = 8;

/// Which version is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The one with this number, with the content that it had last.
    Version(Version),
    /// The one whose digest begins so: [`DIGEST_DIGITS_MIN`] to 64 lower-case hexadecimal digits.
    Digest(String),
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Version(version) => write!(f, "{version}"),
            Self::Digest(digest) => write!(f, "sha256 {digest}"),
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) enum Wish {
    RollBack(Target),
    Lift,
}

/// What somebody asks for, and the audit entry that becomes durable with it.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) name: TemplateName,
    pub(super) wish: Wish,
    pub(super) entry: audit::Entry,
}

impl Workshop {
    /// The decision that a request comes to; none where all is so already.
    ///
    /// # Errors
    /// There is no such template or version, or it may not be served.
    pub(super) fn order(
        &self,
        catalog: &Catalog,
        news: &News,
        request: &Request,
        rules: &Rules<'_>,
        now: Timestamp,
    ) -> Result<Option<Order>, Error> {
        let name = &request.name;
        let there = catalog.entries.contains_key(name) && !news.gone.contains(name);
        if !there && !news.seen.contains_key(name) {
            return Err(Error::NotFound(name.clone()));
        }
        let fresh = news.past.iter().find(|(fresh, _)| fresh == name).map(|(_, past)| past);
        let past = catalog.past.get(name).map(Arc::as_ref).or(fresh);
        let by = request.entry.who.name.clone();
        match &request.wish {
            Wish::Lift => Ok(past.and_then(|past| past.pin.as_ref()).map(|_| Order::Lift { name: name.clone(), by })),
            Wish::RollBack(target) => {
                let digest = self.meant(name, target)?;
                if past.and_then(Past::rolled_back).is_some_and(|mark| mark.digest == digest) {
                    return Ok(None);
                }
                let unknown = || Error::TargetNotFound { name: name.clone(), target: target.clone() };
                let good = archive::content(&self.store, &self.shelf, name, digest)?.ok_or_else(unknown)?;
                let version = good.template.version.clone();
                rules.recheck(&good).map_err(|reasons| Error::RollbackRefused {
                    name: name.clone(),
                    version: version.clone(),
                    reasons,
                })?;
                let served = catalog.entries.get(name).and_then(|entry| entry.good.as_ref());
                let from = served.map(|served| served.template.version.clone());
                let mark = Box::new(RolledBack { version, digest, by, at: now, from });
                Ok(Some(Order::RollBack { name: name.clone(), mark, good: Arc::new(good) }))
            }
        }
    }

    /// The digest of the version that is meant.
    fn meant(&self, name: &TemplateName, target: &Target) -> Result<Digest, Error> {
        archive::find(&self.store, name, target)
    }
}
