//! What became different between two readings of the keys, for people. Pure.

use std::path::PathBuf;

use crate::domain::name::KeyId;

use super::store::TrustStore;

/// Something that people must hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::control_plane::template) enum TrustNews {
    /// A newer list of revocations is in force.
    Revoked {
        version: u64,
        /// The ids of the keys that it adds, or their fingerprints.
        keys: Vec<String>,
    },
    /// A file among the keys is not believed.
    Unusable { path: PathBuf, reason: String },
    /// Key files that were not there, and those that are gone.
    Keys { added: Vec<KeyId>, removed: Vec<KeyId> },
    /// Keys that are trusted with something else than before, or are others under the same ids.
    Trust { changed: Vec<KeyId> },
}

/// What a later reading says that an earlier one did not.
pub(in crate::control_plane::template) fn between(before: &TrustStore, after: &TrustStore) -> Vec<TrustNews> {
    let mut news = Vec::new();
    let entries = |store: &TrustStore| store.revocations().map(|list| list.entries().to_vec()).unwrap_or_default();
    let version = |store: &TrustStore| store.revocations().map_or(0, |list| list.version());
    if version(after) > version(before) {
        let known = entries(before);
        let keys = entries(after).into_iter().filter(|entry| !known.contains(entry));
        let keys = keys.map(|entry| match (entry.key_id, entry.spki_sha256) {
            (Some(key_id), _) => key_id.to_string(),
            (None, fingerprint) => fingerprint.map(|digest| digest.to_string()).unwrap_or_default(),
        });
        news.push(TrustNews::Revoked { version: version(after), keys: keys.collect() });
    }
    let missing = |from: &TrustStore, of: &TrustStore| -> Vec<KeyId> {
        of.keys().map(|(id, _)| id).filter(|id| !from.keys().any(|(other, _)| other == *id)).cloned().collect()
    };
    let (added, removed) = (missing(before, after), missing(after, before));
    if !added.is_empty() || !removed.is_empty() {
        news.push(TrustNews::Keys { added, removed });
    }
    let differs = |id: &KeyId| match (before.keys.get(id), after.keys.get(id)) {
        (Some(one), Some(other)) => one.grant != other.grant || one.spki_sha256 != other.spki_sha256,
        (None, _) | (_, None) => false,
    };
    let changed: Vec<KeyId> = after.keys.keys().filter(|id| differs(id)).cloned().collect();
    if !changed.is_empty() {
        news.push(TrustNews::Trust { changed });
    }
    for (path, reason) in after.unusable().iter().filter(|told| !before.unusable().contains(told)) {
        news.push(TrustNews::Unusable { path: path.clone(), reason: reason.clone() });
    }
    news
}
