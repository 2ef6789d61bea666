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
    places: DashMap<K, Place<M>>,
    generation: AtomicU64,
}

struct Place<M> {
    address: Address<M>,
    /// Whether the actor was started under a supervisor, and so ends with it.
    started: bool,
}

/// What [`Registry::claim`] found.
pub enum Claim<M> {
    /// An actor serves the key, or is being started or restarted.
    Served(Address<M>),
    /// Nobody does; the caller must start an actor at this address and say so with [`Registry::started`], or give the claim
    /// back with [`Registry::remove`].
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
        Self { places: DashMap::new(), generation: AtomicU64::new(0) }
    }

    /// Finds the actor for a key, or takes the right to start it. Each start has a name of its own, so that a new actor
    /// never waits for its predecessor's end.
    pub fn claim(&self, key: &K) -> Claim<M> {
        match self.places.entry(key.clone()) {
            Entry::Occupied(found) => Claim::Served(found.get().address.clone()),
            Entry::Vacant(place) => {
                let address = Address::new(format!("{key}#{}", self.generation.fetch_add(1, Ordering::Relaxed)));
                place.insert(Place { address: address.clone(), started: false });
                Claim::Vacant(address)
            }
        }
    }

    /// Notes that the actor of a claim has been started.
    pub fn started(&self, key: &K, address: &Address<M>) {
        if let Some(mut place) = self.places.get_mut(key)
            && place.address.name() == address.name()
        {
            place.started = true;
        }
    }

    /// The address of whoever serves a key.
    #[must_use]
    pub fn find(&self, key: &K) -> Option<Address<M>> {
        self.places.get(key).map(|place| place.address.clone())
    }

    /// Forgets an actor, unless the key has another one already; says whether it was there.
    pub fn remove(&self, key: &K, address: &Address<M>) -> bool {
        self.places.remove_if(key, |_, place| place.address.name() == address.name()).is_some()
    }

    /// Forgets every started actor whose key `lost` takes: they ended together with their supervisor, which could not say
    /// so. Claims whose actors wait to be started under its successor stay.
    pub fn forget(&self, lost: impl Fn(&K) -> bool) {
        self.places.retain(|key, place| !(place.started && lost(key)));
    }

    /// How many keys are served.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether no key is served.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
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

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    fn address(claim: Claim<Nothing>) -> Address<Nothing> {
        match claim {
            Claim::Vacant(address) => address,
            Claim::Served(address) => panic!("{address:?} serves already"),
        }
    }

    #[test]
    fn no_key_is_served_twice() {
        let registry: Registry<u8, Nothing> = Registry::new();
        let first = address(registry.claim(&1));
        assert!(matches!(registry.claim(&1), Claim::Served(served) if served.name() == first.name()));
        assert!(registry.remove(&1, &first) && !registry.remove(&1, &first));
        assert_ne!(address(registry.claim(&1)).name(), first.name(), "each start has a name of its own");
    }

    #[test]
    fn what_waits_to_be_started_outlives_the_supervisor_that_it_waits_for() {
        let registry: Registry<u8, Nothing> = Registry::new();
        let (lived, waits) = (address(registry.claim(&1)), address(registry.claim(&2)));
        registry.started(&1, &lived);
        registry.forget(|_| true);
        assert!(registry.find(&1).is_none());
        assert!(registry.find(&2).is_some_and(|found| found.name() == waits.name()));
    }
}
