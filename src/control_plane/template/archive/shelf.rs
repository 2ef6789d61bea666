//! The dictionaries that a host has trained, and when it is time for another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arc_swap::ArcSwapOption;
use tracing::error;

use crate::control_plane::template::error::Error;
use crate::domain::clock::Timestamp;
use crate::store::{Batch, Direction, Keyspace, Store};

use super::dictionary::Dictionary;
use super::record;

/// Templates from which on a dictionary is trained on them. Below it, the dictionary would outweigh what it saves.
const TRAIN_TEMPLATES_MIN: u32 = 256;
/// How many times as many templates there must be before another is trained, so that a host that grows has one that fits.
const TRAIN_GROWTH: u32 = 4;
/// The most dictionaries that a host trains. Growth by [`TRAIN_GROWTH`] up to the most templates makes five. None is ever
/// deleted: published content refers to it.
const DICTIONARIES_MAX: usize = 8;

/// A dictionary that was trained here.
#[derive(Debug, Clone)]
pub(in crate::control_plane::template) struct Trained {
    pub(in crate::control_plane::template) dictionary: Arc<Dictionary>,
    /// How many templates there were.
    pub(in crate::control_plane::template) templates: u32,
    pub(in crate::control_plane::template) trained_at: Timestamp,
}

/// All dictionaries of a host; read from the store at the first need.
#[derive(Debug, Default)]
pub(in crate::control_plane::template) struct Shelf {
    trained: ArcSwapOption<Vec<Trained>>,
    /// With how many templates training last came to nothing.
    in_vain: AtomicU32,
}

impl Shelf {
    /// Those that were trained, the oldest first. Blocks at the first call.
    fn trained(&self, store: &Store) -> Result<Arc<Vec<Trained>>, Error> {
        if let Some(known) = self.trained.load_full() {
            return Ok(known);
        }
        let found = store.range(
            Keyspace::Template,
            record::DICTIONARY_PREFIX,
            None,
            Direction::Ascending,
            DICTIONARIES_MAX.saturating_mul(2),
        )?;
        let mut read = Vec::new();
        for (_, found) in &found {
            match record::read_dictionary(found) {
                Ok(trained) => read.push(trained),
                Err(reason) => error!(reason, "a stored dictionary cannot be read; what needs it cannot be shown"),
            }
        }
        read.sort_by_key(|trained| (trained.trained_at, trained.dictionary.id()));
        let read = Arc::new(read);
        self.trained.store(Some(read.clone()));
        Ok(read)
    }

    /// The dictionary with this id. Blocks at the first call.
    pub(super) fn find(&self, store: &Store, id: u32) -> Result<Option<Arc<Dictionary>>, Error> {
        let shipped = Dictionary::shipped();
        if shipped.id() == id {
            return Ok(Some(shipped));
        }
        let trained = self.trained(store)?;
        Ok(trained.iter().find(|trained| trained.dictionary.id() == id).map(|trained| trained.dictionary.clone()))
    }

    /// The one to compress with. Blocks at the first call.
    pub(super) fn newest(&self, store: &Store) -> Result<Arc<Dictionary>, Error> {
        let trained = self.trained(store)?;
        Ok(trained.last().map_or_else(Dictionary::shipped, |trained| trained.dictionary.clone()))
    }

    /// Whether it is time to train one. Blocks at the first call.
    pub(super) fn is_due(&self, store: &Store, templates: u32) -> Result<bool, Error> {
        let trained = self.trained(store)?;
        let newest = trained.last().map(|trained| trained.templates);
        Ok(trained.len() < DICTIONARIES_MAX && is_due(newest, self.in_vain.load(Ordering::Relaxed), templates))
    }

    /// Notes that training came to nothing, so that not every look tries again.
    pub(super) fn trained_in_vain(&self, templates: u32) {
        self.in_vain.store(templates, Ordering::Relaxed);
    }

    /// Takes up one that is durable.
    pub(in crate::control_plane::template) fn adopt(&self, trained: Trained) {
        let mut all = self.trained.load_full().map(|known| Vec::clone(&known)).unwrap_or_default();
        if all.iter().all(|known| known.dictionary.id() != trained.dictionary.id()) {
            all.push(trained);
        }
        self.trained.store(Some(Arc::new(all)));
    }
}

/// Whether it is time: with how many templates the newest was trained, and the last one that came to nothing.
fn is_due(newest: Option<u32>, in_vain: u32, templates: u32) -> bool {
    let known = newest.unwrap_or(0).max(in_vain);
    templates >= TRAIN_TEMPLATES_MIN && templates >= known.saturating_mul(TRAIN_GROWTH)
}

/// What makes a dictionary durable: it goes ahead of all content that needs it.
pub(super) fn batch(trained: &Trained) -> Result<Batch, Error> {
    let record = record::dictionary_record(trained).map_err(Error::Interrupted)?;
    Ok(Batch::new().put(Keyspace::Template, record::dictionary_key(trained.dictionary.id()), record))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_trained_when_there_are_enough_templates_and_again_when_there_are_many_more() {
        for (newest, in_vain, templates, due) in [
            (None, 0, 255, false),
            (None, 0, 256, true),
            (Some(256), 0, 257, false),
            (Some(256), 0, 1_024, true),
            (None, 300, 1_199, false),
            (None, 300, 1_200, true),
            (Some(u32::MAX), 0, u32::MAX, true),
        ] {
            assert_eq!(is_due(newest, in_vain, templates), due, "{newest:?} {in_vain} {templates}");
        }
    }
}
