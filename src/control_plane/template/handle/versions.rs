//! Versions: what was published, and going back.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::control_plane::audit;
use crate::control_plane::template::archive;
use crate::control_plane::template::error::Error;
use crate::control_plane::template::message::Message;
use crate::control_plane::template::model::Signer;
use crate::control_plane::template::orders::{Request, Target, Wish};
use crate::control_plane::template::snapshot::Listing;
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
