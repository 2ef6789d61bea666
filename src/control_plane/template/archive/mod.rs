//! Published versions in the store.

pub(super) mod content;
pub(super) mod dictionary;
pub(super) mod packed;
pub(super) mod packing;
pub(super) mod record;
pub(super) mod shelf;

use std::collections::BTreeMap;

use crate::domain::name::{Digest, TemplateName, Version};
use crate::store::{Batch, Direction, Keyspace, Record, Store};

use crate::control_plane::template::error::Error;
use crate::control_plane::template::good::Good;

use crate::control_plane::template::orders::Target;
use crate::control_plane::template::source::layers::TEMPLATES_MAX;
use crate::control_plane::template::state::Change;
use crate::control_plane::template::trust::revocations::Revocations;
use crate::control_plane::template::version::{PUBLICATIONS_MAX, Publication, Published, Standing};

use dictionary::Pressing;
use packing::Packing;
use shelf::{Shelf, Trained};

/// Templates of one commit. The largest template has [`TEMPLATE_BYTES_MAX`](super::TEMPLATE_BYTES_MAX) bytes, so that the
/// largest commit has half of what the store takes in one batch.
const COMMIT_TEMPLATES_MAX: usize = 32;
/// The most versions of a template that are listed, newest first.
pub const VERSIONS_MAX: usize = 1_000;

/// Contents whose digests begin alike, as far as they are compared: an odd digit is looked at within them.
const ALIKE_MAX: usize = 64;

/// Versions of one template that are compared to find the highest one, where no standing is kept: a thousand times what is listed.
const RECKONED_MAX: usize = 1_000_000;

/// The most templates in force that are compared with a listing: what one listing may hold.
const IN_FORCE_MAX: usize = TEMPLATES_MAX;

fn stored(name: &TemplateName) -> impl Fn(String) -> Error {
    let name = name.clone();
    move |reason| Error::Stored { name: name.clone(), reason }
}

fn get<T>(
    store: &Store,
    name: &TemplateName,
    key: &[u8],
    read: impl FnOnce(&Record) -> Result<T, String>,
) -> Result<Option<T>, Error> {
    let found = store.get(Keyspace::Template, key)?;
    found.as_ref().map(read).transpose().map_err(stored(name))
}

/// What is known about a version. Blocks.
pub(in crate::control_plane::template) fn published(
    store: &Store,
    name: &TemplateName,
    version: &Version,
) -> Result<Option<Published>, Error> {
    get(store, name, &record::version_key(name, Some(version)), record::read_version)
}

/// The digest in force. Blocks.
pub(in crate::control_plane::template) fn current(store: &Store, name: &TemplateName) -> Result<Option<Digest>, Error> {
    get(store, name, &record::current_key(name), record::read_current)
}

/// The templates that have a digest in force, also where its record is damaged. Blocks.
pub(in crate::control_plane::template) fn names_in_force(store: &Store) -> Result<Vec<TemplateName>, Error> {
    let found = store.survey(Keyspace::Template, record::CURRENT_PREFIX, None, Direction::Ascending, IN_FORCE_MAX)?;
    Ok(found.iter().filter_map(|(key, _)| record::name_of_current_key(key)).collect())
}

/// A published content. Blocks.
pub(in crate::control_plane::template) fn content(
    store: &Store,
    shelf: &Shelf,
    name: &TemplateName,
    digest: Digest,
) -> Result<Option<Good>, Error> {
    let Some(found) = store.get(Keyspace::Template, &record::content_key(name, &digest))? else { return Ok(None) };
    let told = stored(name);
    let dictionary = match content::content_dictionary(&found).map_err(&told)? {
        None => shelf.newest(store)?,
        Some(id) => {
            shelf.find(store, id)?.ok_or_else(|| told(format!("it needs the dictionary {id}, which is not there")))?
        }
    };
    content::read_content(digest, &found, &dictionary).map(Some).map_err(&told)
}

/// All published versions of a template, the latest publication first. Blocks.
pub(in crate::control_plane::template) fn versions(
    store: &Store,
    name: &TemplateName,
) -> Result<Vec<(Version, Published)>, Error> {
    let prefix = record::version_key(name, None);
    let found = store.range(Keyspace::Template, &prefix, None, Direction::Ascending, VERSIONS_MAX)?;
    let read = |(key, found): &(Vec<u8>, Record)| {
        let version = record::version_of_key(name, key).ok_or_else(|| "its key names no version".to_owned())?;
        record::read_version(found).map(|published| (version, published))
    };
    let mut versions = found.iter().map(read).collect::<Result<Vec<_>, _>>().map_err(stored(name))?;
    versions.sort_by_key(|(_, published)| std::cmp::Reverse(published.published_at));
    Ok(versions)
}

/// The list of revocations that was accepted last, if there ever was one. Blocks.
pub(in crate::control_plane::template) fn revocations(store: &Store) -> Result<Option<Revocations>, Error> {
    let Some(found) = store.get(Keyspace::Template, record::REVOCATIONS_KEY)? else { return Ok(None) };
    record::read_revocations(&found).map(Some).map_err(Error::StoredRevocations)
}

/// What keeps a list of revocations.
pub(in crate::control_plane::template) fn revocations_batch(bytes: &[u8]) -> Batch {
    Batch::new().put(Keyspace::Template, record::REVOCATIONS_KEY.to_vec(), record::revocations_record(bytes))
}

/// What must be durable before the changes are seen by anyone: what somebody decided about a template, by itself, and the rest,
/// in any order.
///
/// INVARIANT: all that changes about one template is in one batch, so that it is durable as a whole or not at all.
pub(in crate::control_plane::template) fn batches(
    changes: &[Change],
    packing: &Packing,
) -> Result<(Option<Batch>, Vec<Batch>), Error> {
    let mut pressing = packing.pressing()?;
    let mut of_names: BTreeMap<&TemplateName, Vec<&Change>> = BTreeMap::new();
    let mut decided_about = None;
    for change in changes {
        of_names.entry(name_of(change)).or_default().push(change);
        if matches!(change, Change::RolledBack { .. } | Change::Lifted { .. }) {
            decided_about = Some(name_of(change));
        }
    }
    let decided = decided_about.and_then(|name| of_names.remove(name));
    let decided = decided.map(|changes| batch(&[changes], packing, &mut pressing)).transpose()?.flatten();
    let groups: Vec<Vec<&Change>> = of_names.into_values().collect();
    let rest = groups
        .chunks(COMMIT_TEMPLATES_MAX)
        .map(|group| batch(group, packing, &mut pressing))
        .collect::<Result<Vec<_>, _>>()?;
    Ok((decided, rest.into_iter().flatten().collect()))
}

/// What is to be written of the changes of some templates; none where they say nothing new.
fn batch(templates: &[Vec<&Change>], packing: &Packing, pressing: &mut Pressing<'_>) -> Result<Option<Batch>, Error> {
    let (batch, count) = templates.iter().flatten().try_fold((Batch::new(), 0_usize), |(batch, count), change| {
        let (next, more) = add(batch, change, packing, pressing)?;
        Ok::<_, Error>((next, count.saturating_add(more)))
    })?;
    Ok((count > 0).then_some(batch))
}

fn name_of(change: &Change) -> &TemplateName {
    match change {
        Change::Published { good, .. } => &good.template.name,
        Change::RolledBack { name, .. }
        | Change::Lifted { name, .. }
        | Change::Held { name, .. }
        | Change::Refused { name, .. }
        | Change::Withdrawn { name } => name,
    }
}

/// What makes a dictionary durable: before anything that was compressed with it.
pub(in crate::control_plane::template) fn dictionary_batch(trained: &Trained) -> Result<Batch, Error> {
    shelf::batch(trained)
}

fn add(batch: Batch, change: &Change, packing: &Packing, pressing: &mut Pressing<'_>) -> Result<(Batch, usize), Error> {
    match change {
        Change::Published { good, record: Some(entry) } => {
            let (name, version, digest) = (&good.template.name, &good.template.version, good.template.digest);
            let told = stored(name);
            let version_record = record::version_record(&entry.published).map_err(&told)?;
            let content = content::content_record(good, packing.dictionary(), pressing).map_err(&told)?;
            let current = record::current_record(&digest).map_err(&told)?;
            let publication = record::publication_record(&entry.publication).map_err(&told)?;
            let batch = batch
                .put(Keyspace::Template, record::version_key(name, Some(version)), version_record)
                .put(Keyspace::Template, record::content_key(name, &digest), content)
                .put(Keyspace::Template, record::current_key(name), current)
                .put(Keyspace::Template, record::publication_key(name, Some(entry.number)), publication);
            let oldest = entry.number.checked_sub(PUBLICATIONS_MAX);
            let batch = match oldest {
                Some(number) => batch.delete(Keyspace::Template, record::publication_key(name, Some(number))),
                None => batch,
            };
            Ok((stand(batch, name, &entry.standing)?, 1))
        }
        Change::Withdrawn { name } => Ok((batch.delete(Keyspace::Template, record::current_key(name)), 1)),
        Change::RolledBack { name, standing, .. } | Change::Lifted { name, standing, .. } => {
            Ok((stand(batch, name, standing)?, 1))
        }
        Change::Published { record: None, .. } | Change::Refused { .. } | Change::Held { .. } => Ok((batch, 0)),
    }
}

fn stand(batch: Batch, name: &TemplateName, standing: &Standing) -> Result<Batch, Error> {
    let written = record::standing_record(standing).map_err(stored(name))?;
    Ok(batch.put(Keyspace::Template, record::standing_key(name), written))
}

/// What outlives edits and withdrawal; none where no release that keeps it has published the template. Blocks.
pub(in crate::control_plane::template) fn standing(
    store: &Store,
    name: &TemplateName,
) -> Result<Option<Standing>, Error> {
    get(store, name, &record::standing_key(name), record::read_standing)
}

/// The publications of a template that the log keeps, the latest first. Blocks.
pub(in crate::control_plane::template) fn publications(
    store: &Store,
    name: &TemplateName,
) -> Result<Vec<Publication>, Error> {
    let prefix = record::publication_key(name, None);
    let limit = usize::try_from(PUBLICATIONS_MAX).unwrap_or(usize::MAX);
    let found = store.range(Keyspace::Template, &prefix, None, Direction::Descending, limit)?;
    found.iter().map(|(_, found)| record::read_publication(found)).collect::<Result<_, _>>().map_err(stored(name))
}

/// The digest of the published content that is meant. Blocks.
///
/// # Errors
/// There is none, or the digits that are given begin more than one.
pub(in crate::control_plane::template) fn find(
    store: &Store,
    name: &TemplateName,
    target: &Target,
) -> Result<Digest, Error> {
    let unknown = || Error::TargetNotFound { name: name.clone(), target: target.clone() };
    let digits = match target {
        Target::Version(version) => {
            return published(store, name, version)?.map(|published| published.resolved).ok_or_else(unknown);
        }
        Target::Digest(digits) => digits,
    };
    let whole = digits.get(..digits.len().saturating_sub(digits.len() % 2)).unwrap_or_default();
    let begin = hex::decode(whole).map_err(|_| unknown())?;
    let content_prefix = record::content_prefix(name);
    let prefix = [content_prefix.as_slice(), &begin].concat();
    let found = store.survey(Keyspace::Template, &prefix, None, Direction::Ascending, ALIKE_MAX)?;
    let mut digests = found
        .iter()
        .filter_map(|(key, _)| <[u8; 32]>::try_from(key.strip_prefix(content_prefix.as_slice())?).ok())
        .map(Digest::from_bytes)
        .filter(|digest| digest.to_string().starts_with(digits.as_str()));
    match (digests.next(), digests.next()) {
        (Some(digest), None) => Ok(digest),
        (None, _) => Err(unknown()),
        (Some(_), Some(_)) => Err(Error::TargetAmbiguous { name: name.clone(), digits: digits.clone() }),
    }
}

/// The versions of a template that is older than what is kept of its standing, and the number of its next publication. Blocks.
pub(in crate::control_plane::template) fn reckon(
    store: &Store,
    name: &TemplateName,
) -> Result<(Vec<Version>, u64), Error> {
    let prefix = record::version_key(name, None);
    let versions = store.survey(Keyspace::Template, &prefix, None, Direction::Ascending, RECKONED_MAX)?;
    let versions = versions.iter().filter_map(|(key, _)| record::version_of_key(name, key)).collect();
    let prefix = record::publication_key(name, None);
    let last = store.survey(Keyspace::Template, &prefix, None, Direction::Descending, 1)?;
    let number = last.first().and_then(|(key, _)| <[u8; 8]>::try_from(key.strip_prefix(prefix.as_slice())?).ok());
    Ok((versions, number.map_or(0, |number| u64::from_be_bytes(number).saturating_add(1))))
}
