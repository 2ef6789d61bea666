//! A map whose copies share what they have in common: a copy costs the same however much is in it, and a change copies one part
//! of many. So an edit costs what it changes, not what is loaded.

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::Arc;

/// Parts of a map: with ten thousand templates a change copies some forty of them.
const SHARDS: usize = 256;

/// A map in parts. Its order is that of the keys within a part, and the same in every copy.
#[derive(Debug, Clone)]
pub(super) struct Shards<K, V>(Vec<Arc<BTreeMap<K, V>>>);

impl<K, V> Default for Shards<K, V> {
    fn default() -> Self {
        let empty = Arc::new(BTreeMap::new());
        Self(std::iter::repeat_n(empty, SHARDS).collect())
    }
}

/// The part of a key: the hash has fixed keys, so that it is the same in every copy.
fn shard<K: Hash>(key: &K) -> usize {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    usize::from(hasher.finish().to_le_bytes()[0])
}

impl<K: Ord + Hash + Clone, V: Clone> Shards<K, V> {
    fn part(&self, key: &K) -> Option<&BTreeMap<K, V>> {
        self.0.get(shard(key)).map(Arc::as_ref)
    }

    #[expect(clippy::indexing_slicing, reason = "a byte is below the number of parts, which never changes")]
    fn part_mut(&mut self, key: &K) -> &mut BTreeMap<K, V> {
        Arc::make_mut(&mut self.0[shard(key)])
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.part(key)?.get(key)
    }

    pub(super) fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        // A part that lacks the key is not copied.
        if self.contains_key(key) { self.part_mut(key).get_mut(key) } else { None }
    }

    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.part_mut(&key).insert(key, value)
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        if self.contains_key(key) { self.part_mut(key).remove(key) } else { None }
    }

    /// Removes the keys that are meant; parts without one are not copied.
    pub(super) fn forget(&mut self, meant: impl Fn(&K) -> bool) {
        for part in &mut self.0 {
            if part.keys().any(&meant) {
                Arc::make_mut(part).retain(|key, _| !meant(key));
            }
        }
    }

    pub(super) fn entry(&mut self, key: K) -> btree_map::Entry<'_, K, V> {
        self.part_mut(&key).entry(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().flat_map(|part| part.iter())
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|part| part.is_empty())
    }
}

impl<K: Ord + Hash + Clone, V: Clone> Extend<(K, V)> for Shards<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            let _earlier = self.insert(key, value);
        }
    }
}

impl<'m, K, V> IntoIterator for &'m Shards<K, V> {
    type Item = (&'m K, &'m V);
    type IntoIter = Box<dyn Iterator<Item = Self::Item> + 'm>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.0.iter().flat_map(|part| part.iter()))
    }
}

#[cfg(test)]
impl<K: Ord + Hash + Clone, V: Clone> std::ops::Index<&K> for Shards<K, V> {
    type Output = V;

    fn index(&self, key: &K) -> &V {
        self.get(key).expect("the test knows that it is there")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_what_a_map_would_and_copies_stay_as_they_were(
            changes in prop::collection::vec((0_u16..64, prop::option::of(0_u8..9)), 0..200),
        ) {
            let (mut shards, mut model) = (Shards::default(), BTreeMap::new());
            let mut copies = Vec::new();
            for (key, change) in changes {
                copies.push((shards.clone(), model.clone()));
                match change {
                    Some(value) => prop_assert_eq!(shards.insert(key, value), model.insert(key, value)),
                    None => prop_assert_eq!(shards.remove(&key), model.remove(&key)),
                }
                if let Some(value) = shards.get_mut(&key) {
                    *value = 77;
                    model.insert(key, 77);
                }
                prop_assert_eq!(shards.contains_key(&key), model.contains_key(&key));
            }
            copies.push((shards, model));
            for (shards, model) in copies {
                let held: BTreeMap<u16, u8> = shards.iter().map(|(key, value)| (*key, *value)).collect();
                prop_assert_eq!(shards.is_empty(), model.is_empty());
                prop_assert_eq!(shards.values().count(), shards.keys().count());
                prop_assert_eq!(held, model);
            }
        }
    }
}
