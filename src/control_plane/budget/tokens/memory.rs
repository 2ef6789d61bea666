//! Remembers what texts came to, by their hash: most of what a model reads it has read before. No text is kept.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use moka::sync::Cache;

use super::Measure;
use crate::domain::private::Text;

/// Counts that are kept at once: some 3 MB.
const COUNTS_MAX: u64 = 16_384;
/// A shorter text is counted as soon as it is looked for.
const REMEMBERED_BYTES_MIN: usize = 128;
/// A longer text is counted on a thread that may block, where its hash would be too; it seldom comes again.
const REMEMBERED_BYTES_MAX: usize = 64 << 10;

/// A text's hash, of 128 bits, under keys of this process: nobody outside can make two texts that share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key(u64, u64);

impl Key {
    /// The key of a text that is worth remembering.
    pub(super) fn of(text: &Text) -> Option<Self> {
        static HASHES: LazyLock<(RandomState, RandomState)> =
            LazyLock::new(|| (RandomState::new(), RandomState::new()));
        let bytes = text.expose().as_bytes();
        (REMEMBERED_BYTES_MIN..=REMEMBERED_BYTES_MAX)
            .contains(&bytes.len())
            .then(|| Self(HASHES.0.hash_one(bytes), HASHES.1.hash_one(bytes)))
    }
}

static COUNTS: LazyLock<Cache<Key, Measure>> = LazyLock::new(|| Cache::new(COUNTS_MAX));

/// What the text came to before.
pub(super) fn recall(key: Key) -> Option<Measure> {
    COUNTS.get(&key)
}

/// Keeps what a text came to.
pub(super) fn remember(key: Key, measured: Measure) {
    COUNTS.insert(key, measured);
}
