//! Which keys there are, and whose, without the keys themselves (pure).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::KEYS_MAX;
use super::error::Error;
use super::slot::{Live, Root, Slot, SlotFlaw, Tags};

/// What is known of a slot without its key.
#[derive(Debug, Clone, Copy)]
pub(super) enum Held {
    Live {
        generation: u32,
        tags: Tags,
    },
    /// To be erased, and not known to be on the disk: nothing is sealed or opened with it, and it is asked for again.
    Doomed {
        tags: Tags,
    },
    Erased,
    Replaced,
    Damaged,
}

/// The slots of a keyring, and the key in force of each owner.
pub(super) struct Index {
    pub(super) root: Arc<Root>,
    pub(super) slots: Vec<Held>,
    pub(super) current: HashMap<Tags, u32>,
    pub(super) generation: u32,
    /// Keys of before that a whole pass left, because records that cannot be read are under them.
    pub(super) kept: BTreeSet<u32>,
}

impl Index {
    pub(super) fn of(root: Root, slots: Vec<Result<Slot, SlotFlaw>>) -> Self {
        let held = |slot: &Result<Slot, SlotFlaw>| match slot {
            Ok(Slot::Live(live)) => {
                let Live { generation, tags, .. } = &**live;
                Held::Live { generation: *generation, tags: *tags }
            }
            Ok(Slot::Erased) => Held::Erased,
            Ok(Slot::Replaced) => Held::Replaced,
            Err(_) => Held::Damaged,
        };
        let slots = slots.iter().map(held).collect();
        let mut index =
            Self { root: Arc::new(root), slots, current: HashMap::new(), generation: 0, kept: BTreeSet::new() };
        // The last key of an owner is the one in force.
        let live: Vec<(u32, u32, Tags)> = index.live().collect();
        for (id, generation, tags) in live {
            index.current.insert(tags, id);
            index.generation = index.generation.max(generation);
        }
        index
    }

    pub(super) fn held(&self, id: u32) -> Option<Held> {
        self.slots.get(usize::try_from(id.checked_sub(1)?).ok()?).copied()
    }

    pub(super) fn last_id(&self) -> u32 {
        u32::try_from(self.slots.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn next_id(&self) -> Result<u32, Error> {
        let last = self.last_id();
        if last >= KEYS_MAX { Err(Error::Full(KEYS_MAX)) } else { Ok(last.saturating_add(1)) }
    }

    /// Keys that are there, with their ids and generations.
    pub(super) fn live(&self) -> impl Iterator<Item = (u32, u32, Tags)> {
        (1..).zip(&self.slots).filter_map(|(id, held)| match held {
            Held::Live { generation, tags } => Some((id, *generation, *tags)),
            Held::Doomed { .. } | Held::Erased | Held::Replaced | Held::Damaged => None,
        })
    }

    /// Keys that stand in the file, also those that could not be overwritten when they were to be: who erases means them all.
    pub(super) fn standing(&self) -> impl Iterator<Item = (u32, Tags)> {
        (1..).zip(&self.slots).filter_map(|(id, held)| match held {
            Held::Live { tags, .. } | Held::Doomed { tags } => Some((id, *tags)),
            Held::Erased | Held::Replaced | Held::Damaged => None,
        })
    }

    /// Keys of before.
    pub(super) fn replaced(&self) -> impl Iterator<Item = u32> {
        self.live().filter(|(id, _, tags)| self.current.get(tags) != Some(id)).map(|(id, _, _)| id)
    }
}
