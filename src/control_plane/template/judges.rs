//! By what versions are judged that are not the one in force: those that an experiment runs.

use std::sync::Arc;

use crate::control_plane::policy::Policy;
use crate::domain::clock::Timestamp;
use crate::domain::name::{Digest, TemplateName, Version};

use super::archive;
use super::error::Error;
use super::good::Rules;
use super::handle::{Templates, blocking};
use super::model::Template;
use super::trust::TrustStore;

/// The keys and the policy of the latest look. Cheap to clone.
#[derive(Clone)]
pub(super) struct Judges {
    /// None where signatures are not required.
    trust: Option<Arc<TrustStore>>,
    policy: Arc<Policy>,
}

impl Judges {
    pub(super) fn new(trust: Option<&Arc<TrustStore>>, policy: Arc<Policy>) -> Self {
        Self { trust: trust.cloned(), policy }
    }

    /// Those that trust nobody, from before the first look.
    fn nobody() -> Self {
        Self { trust: Some(Arc::default()), policy: Arc::new(Policy::shipped()) }
    }

    /// Whether these judge as those do.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        let same_trust = match (&self.trust, &other.trust) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other) || one.same_as(other),
            (Some(_), None) | (None, Some(_)) => false,
        };
        same_trust && self.policy.digest() == other.policy.digest()
    }

    /// Whether a key began or ceased to be trusted between two instants.
    pub(super) fn turned(&self, one: Timestamp, other: Timestamp) -> bool {
        self.trust.as_ref().is_some_and(|trust| trust.turned(one, other))
    }
}

impl Templates {
    /// By what versions are judged now.
    pub(super) fn judges(&self) -> Judges {
        self.shared.judges.load().as_deref().cloned().unwrap_or_else(Judges::nobody)
    }

    /// Whether somebody went back to an earlier version of a template, and it was not lifted.
    pub(super) fn is_rolled_back(&self, name: &TemplateName) -> bool {
        self.shared.snapshot.load().find(name).is_some_and(|served| served.listing.rolled_back.is_some())
    }

    /// The digest of the latest resolved content of a version; none if it was never published.
    ///
    /// # Errors
    /// The store failed.
    pub(super) async fn digest_of(&self, name: &TemplateName, version: &Version) -> Result<Option<Digest>, Error> {
        let Some((store, _)) = self.shared.archive.clone() else { return Ok(None) };
        let (name, version) = (name.clone(), version.clone());
        let found = blocking(move || archive::published(&store, &name, &version)).await?;
        Ok(found.map(|published| published.resolved))
    }

    /// A published content, if the keys and the policy allow it at an instant; else why not.
    ///
    /// # Errors
    /// It was never published so, or the store failed.
    pub(super) async fn judged(
        &self,
        (by, at): (&Judges, Timestamp),
        name: &TemplateName,
        digest: &Digest,
    ) -> Result<Result<Arc<Template>, Vec<String>>, Error> {
        let not_found = || Error::VersionNotFound { name: name.clone(), digest: *digest };
        let (store, shelf) = self.shared.archive.clone().ok_or_else(not_found)?;
        let (wanted, content, by) = (name.clone(), *digest, by.clone());
        let judge = move || {
            let Some(good) = archive::content(&store, &shelf, &wanted, content)? else { return Ok(None) };
            let rules = Rules { trust: by.trust.as_deref().map(|trust| trust.at(at)), policy: &by.policy };
            if let Err(reasons) = rules.recheck(&good) {
                return Ok(Some(Err(reasons)));
            }
            let compiled = good.compile().map_err(|reason| Error::Stored { name: wanted, reason })?;
            Ok(Some(Ok(Arc::new(compiled))))
        };
        blocking(judge).await?.ok_or_else(not_found)
    }
}
