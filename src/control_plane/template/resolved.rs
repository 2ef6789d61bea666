//! The JSON of a version with everything that it inherits, for the policy.

use serde_json::Value;

use super::archive;
use super::error::Error;
use super::handle::{Templates, blocking};
use super::model::Template;

impl Templates {
    /// The resolved JSON of a version that was looked up.
    ///
    /// # Errors
    /// It is nowhere or damaged, or the store failed.
    pub async fn resolved(&self, template: &Template) -> Result<Value, Error> {
        let (name, digest) = (template.name.clone(), template.digest);
        let damaged = |reason| Error::Stored { name: name.clone(), reason };
        let served = self.listing(&name);
        let same = served.filter(|served| served.template.as_ref().is_some_and(|now| now.digest == digest));
        if let Some(packed) = same.and_then(|served| served.packed) {
            return packed.value().map_err(damaged);
        }
        let not_found = || Error::VersionNotFound { name: name.clone(), digest };
        let (store, shelf) = self.shared.archive.clone().ok_or_else(not_found)?;
        let wanted = name.clone();
        let good = blocking(move || archive::content(&store, &shelf, &wanted, digest)).await?;
        good.ok_or_else(not_found)?.resolved.value().map_err(damaged)
    }
}
