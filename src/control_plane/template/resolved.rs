//! The JSON of a version with everything that it inherits, for the policy.

use std::sync::Arc;

use serde_json::Value;

use super::archive;
use super::error::Error;
use super::handle::{Templates, blocking};
use super::model::Template;

impl Templates {
    /// The resolved JSON of a version that was looked up.
    ///
    /// # Errors
    /// It is nowhere, or the store failed.
    pub async fn resolved(&self, template: &Template) -> Result<Arc<Value>, Error> {
        let served = self.listing(&template.name);
        let same = served.filter(|served| served.template.as_ref().is_some_and(|now| now.digest == template.digest));
        if let Some(resolved) = same.and_then(|served| served.resolved) {
            return Ok(resolved);
        }
        let not_found = || Error::VersionNotFound { name: template.name.clone(), digest: template.digest };
        let store = self.shared.store.clone().ok_or_else(not_found)?;
        let (name, digest) = (template.name.clone(), template.digest);
        let good = blocking(move || archive::content(&store, &name, digest)).await?;
        good.map(|good| good.resolved).ok_or_else(not_found)
    }
}
