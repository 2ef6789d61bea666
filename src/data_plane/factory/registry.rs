//! Which actor serves a key now: at most one at a time, found or started in one step.

use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use ractor::Message;

use crate::supervision::Address;

/// Living actors by key. It outlives every actor in it, so that the death of whoever asks loses none of them.
///
/// INVARIANT: an actor is started only by whoever put its address here, so that no key is served twice.
pub struct Registry<K, M> {
    addresses: DashMap<K, Address<M>>,
    generation: AtomicU64,
}

/// What [`Registry::claim`] found.
pub enum Claim<M> {
    /// An actor serves the key, or is being started or restarted.
    Served(Address<M>),
    /// Nobody does; the caller must start an actor at this address, or give the claim back with [`Registry::remove`].
    Vacant(Address<M>),
}

impl<K, M> Registry<K, M>
where
    K: Eq + Hash + Clone + std::fmt::Display,
    M: Message,
{
    /// A registry of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { addresses: DashMap::new(), generation: AtomicU64::new(0) }
    }

    /// Finds the actor for a key, or takes the right to start it. Each start has a name of its own, so that a new actor
    /// never waits for its predecessor's end.
    pub fn claim(&self, key: &K) -> Claim<M> {
        match self.addresses.entry(key.clone()) {
            Entry::Occupied(found) => Claim::Served(found.get().clone()),
            Entry::Vacant(place) => {
                let address = self.fresh(key);
                place.insert(address.clone());
                Claim::Vacant(address)
            }
        }
    }

    /// The address of whoever serves a key.
    #[must_use]
    pub fn find(&self, key: &K) -> Option<Address<M>> {
        self.addresses.get(key).map(|found| found.value().clone())
    }

    /// Forgets an actor, unless the key has another one already.
    pub fn remove(&self, key: &K, address: &Address<M>) {
        self.addresses.remove_if(key, |_, current| current.name() == address.name());
    }

    /// Forgets every actor whose key `lost` takes: they ended together with their supervisor, which could not say so.
    pub fn forget(&self, lost: impl Fn(&K) -> bool) {
        self.addresses.retain(|key, _| !lost(key));
    }

    /// How many keys are served.
    #[must_use]
    pub fn len(&self) -> usize {
        self.addresses.len()
    }

    /// Whether no key is served.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }

    /// Every key that is served.
    #[must_use]
    pub fn keys(&self) -> Vec<K> {
        self.addresses.iter().map(|entry| entry.key().clone()).collect()
    }

    fn fresh(&self, key: &K) -> Address<M> {
        Address::new(format!("{key}#{}", self.generation.fetch_add(1, Ordering::Relaxed)))
    }
}

impl<K, M> Default for Registry<K, M>
where
    K: Eq + Hash + Clone + std::fmt::Display,
    M: Message,
{
    fn default() -> Self {
        Self::new()
    }
}
