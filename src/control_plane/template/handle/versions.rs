//! Versions: what was published, and going back.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::control_plane::audit;
use crate::control_plane::template::archive;
use crate::control_plane::template::error::Error;
use crate::control_plane::template::format::diff::{self, Difference};
use crate::control_plane::template::message::Message;
use crate::control_plane::template::model::Signer;
use crate::control_plane::template::orders::{Request, Target, Wish};
use crate::control_plane::template::snapshot::{Listing, Pending, Status};
use crate::control_plane::template::version::{By, Cause, Publication};
use crate::domain::clock::Timestamp;
use crate::domain::name::{Digest, TemplateName, Version};

use super::{Templates, blocking};

/// How long a decision may take: it waits for the look that is under way.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// One published content of a template.
#[derive(Debug, Clone)]
pub struct PublishedVersion {
    /// The version.
    pub version: Version,
    /// The digest of the resolved content.
    pub digest: Digest,
    /// The digest of the file as written.
    pub own: Digest,
    /// Whose signature made it trusted.
    pub signer: Option<Signer>,
    /// When it was first published.
    pub published_at: Timestamp,
    /// Whether it is served now.
    pub current: bool,
    /// When, why and by whom it came into force, the latest first; empty where an older release published it.
    pub events: Vec<Event>,
}

/// One time that a version came into force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub cause: Cause,
    /// By whom, where it is known.
    pub by: By,
    /// The policy that allowed it.
    pub policy: Digest,
}

/// One of two contents that are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Side {
    /// What is served.
    Current,
    /// What the file says, where it is good.
    File,
    /// What was served before what is served now.
    Previous,
    /// A published content.
    Published(Target),
}

/// Two contents and what is different between them.
#[derive(Debug, Clone)]
pub struct Compared {
    /// The first one's version and digest.
    pub from: (Version, Digest),
    /// The second one's.
    pub to: (Version, Digest),
    /// The differences.
    pub differences: Vec<Difference>,
}

/// A content that is there as a whole.
fn whole(listing: Listing) -> Result<Pending, Error> {
    match (listing.template, listing.packed) {
        (Some(template), Some(packed)) => {
            Ok(Pending { version: template.version.clone(), digest: template.digest, packed })
        }
        (_, _) => Err(Error::Refused { name: listing.name, reasons: listing.reasons }),
    }
}

impl Templates {
    /// Serves an earlier version from now on, until [`Templates::lift`], also across restarts. Answers when it is durable and
    /// served, with `entry` in the audit log. One that is served so already stays.
    ///
    /// # Errors
    /// There is no such template or version, keys or policy do not allow it any more, or the store failed.
    pub async fn roll_back(&self, name: &TemplateName, target: Target, entry: audit::Entry) -> Result<Listing, Error> {
        self.request(name, Wish::RollBack(target), entry).await
    }

    /// Serves what the file says again, if it is good; else the version that was gone back to goes on as the last good one.
    ///
    /// # Errors
    /// There is no such template, or the store failed.
    pub async fn lift(&self, name: &TemplateName, entry: audit::Entry) -> Result<Listing, Error> {
        self.request(name, Wish::Lift, entry).await
    }

    /// A content as it was published, with all that it inherits; it need not be allowed any more.
    ///
    /// # Errors
    /// The template was never published so, or the store failed.
    pub async fn published(&self, name: &TemplateName, target: Target) -> Result<Listing, Error> {
        let unknown = || Error::TargetNotFound { name: name.clone(), target: target.clone() };
        let (store, shelf) = self.shared.archive.clone().ok_or_else(unknown)?;
        let (wanted, meant) = (name.clone(), target.clone());
        let good = blocking(move || {
            let digest = archive::find(&store, &wanted, &meant)?;
            archive::content(&store, &shelf, &wanted, digest)
        })
        .await?
        .ok_or_else(unknown)?;
        let served = self.listing(name);
        if let Some(served) =
            served.filter(|it| it.template.as_ref().is_some_and(|it| it.digest == good.template.digest))
        {
            return Ok(served);
        }
        Ok(Listing {
            name: name.clone(),
            status: Status::Superseded,
            environment: good.environment().cloned(),
            file_version: None,
            packed: Some(good.resolved),
            template: Some(good.template),
            reasons: Vec::new(),
            rolled_back: None,
            pending: None,
        })
    }

    /// What is different between two contents of a template.
    ///
    /// # Errors
    /// One of them was never published, the file is refused where it is asked for, or the store failed.
    pub async fn compare(&self, name: &TemplateName, from: Side, to: Side) -> Result<Compared, Error> {
        let (from, to) = (self.side(name, from).await?, self.side(name, to).await?);
        let read = |side: &Pending| side.packed.value().map_err(|reason| Error::Stored { name: name.clone(), reason });
        let differences = diff::differences(&read(&from)?, &read(&to)?);
        Ok(Compared { from: (from.version, from.digest), to: (to.version, to.digest), differences })
    }

    async fn side(&self, name: &TemplateName, side: Side) -> Result<Pending, Error> {
        let listing = self.listing(name);
        match side {
            Side::Published(target) => whole(self.published(name, target).await?),
            Side::Current => whole(listing.ok_or_else(|| Error::NotFound(name.clone()))?),
            Side::File => {
                let listing = listing.ok_or_else(|| Error::NotFound(name.clone()))?;
                match (&listing.pending, listing.reasons.is_empty()) {
                    (Some(pending), _) => Ok(pending.clone()),
                    (None, true) => whole(listing),
                    (None, false) => Err(Error::Refused { name: name.clone(), reasons: listing.reasons }),
                }
            }
            Side::Previous => {
                let current = listing.and_then(|listing| listing.template).map(|template| template.digest);
                let versions = self.versions(name).await?;
                let latest =
                    |version: &PublishedVersion| version.events.first().map_or(version.published_at, |event| event.at);
                let others = versions.iter().filter(|version| Some(version.digest) != current);
                let previous = others.max_by_key(|version| latest(version));
                let digest = previous.ok_or_else(|| Error::NothingBefore(name.clone()))?.digest;
                whole(self.published(name, Target::Digest(digest.to_string())).await?)
            }
        }
    }

    async fn request(&self, name: &TemplateName, wish: Wish, entry: audit::Entry) -> Result<Listing, Error> {
        let request = Box::new(Request { name: name.clone(), wish, entry });
        self.shared.address.call(ANSWER_WITHIN, |reply| Message::Asked(request, reply)).await??;
        self.listing(name).ok_or_else(|| Error::NotFound(name.clone()))
    }

    /// The published contents of a template, the latest first publication first; none for a template that was never good.
    ///
    /// # Errors
    /// The store failed.
    pub async fn versions(&self, name: &TemplateName) -> Result<Vec<PublishedVersion>, Error> {
        let Some((store, _)) = self.shared.archive.clone() else { return Ok(Vec::new()) };
        let served = self.listing(name).and_then(|listing| listing.template).map(|template| template.digest);
        let wanted = name.clone();
        let (publications, versions) =
            blocking(move || Ok((archive::publications(&store, &wanted)?, archive::versions(&store, &wanted)?)))
                .await?;
        let mut known: BTreeMap<Digest, PublishedVersion> = BTreeMap::new();
        for (version, published) in versions {
            let first = PublishedVersion {
                current: served == Some(published.resolved),
                version,
                digest: published.resolved,
                own: published.own,
                signer: published.signer,
                published_at: published.published_at,
                events: Vec::new(),
            };
            known.insert(first.digest, first);
        }
        for publication in publications {
            let Publication { at, version, digest, own, signer, cause, by, policy } = publication;
            let current = served == Some(digest);
            let first =
                || PublishedVersion { version, digest, own, signer, published_at: at, current, events: Vec::new() };
            let content = known.entry(digest).or_insert_with(first);
            content.published_at = content.published_at.min(at);
            content.events.push(Event { at, cause, by, policy });
        }
        let mut told: Vec<PublishedVersion> = known.into_values().collect();
        told.sort_by_key(|content| std::cmp::Reverse(content.published_at));
        Ok(told)
    }
}
