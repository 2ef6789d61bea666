//! What stands in the file `keyring` (pure).
//!
//! ```text
//! header 512: magic 8 │ format 4 │ wraps 4 │ ring 16 │ nonce 12 │ root, sealed 64 + 16 │ zeros │ CRC-32 of what is before
//! slot   128: state 1 │ zeros 3 │ id 4 │ generation 4 │ tenant 16 │ user 16 │ nonce 12 │ key, sealed 32 + 16 │ zeros │ CRC-32
//! ```
//! All numbers are big-endian. The key with the id `n` stands in the `n`th slot, counted from 1. `tenant` and `user` are keyed
//! digests, so that keys are found by their owner and the file names nobody. A slot is a quarter of a sector, so that a disk
//! writes it whole or not at all.

use super::cipher::{self, Cipher, Forged, KEY_BYTES, KeyBytes, NONCE_BYTES, Nonce, TAG_BYTES};
use crate::domain::owner::{Owner, Selector};
use hmac::Mac as _;
use zeroize::Zeroizing;

/// Bytes of the header.
pub(super) const HEADER_BYTES: usize = 512;
/// Bytes of a slot.
pub(super) const SLOT_BYTES: usize = 128;
/// The format that this release writes, and the newest that it reads.
pub(super) const FORMAT: u32 = 1;

const MAGIC: &[u8; 8] = b"AGFKEYS1";
const ROOT_BYTES: usize = 64;
const LIVE: u8 = 1;
const ERASED: u8 = 2;
const REPLACED: u8 = 3;

/// Names a keyring for ever.
pub(super) type RingId = [u8; 16];

/// A keyed digest of a name.
type Tag = [u8; 16];

/// What the whole ring needs beside the data keys; the master key wraps it.
pub(super) struct Root {
    /// Finds keys by their owner.
    index: KeyBytes,
    /// Seals small secret files of the data directory.
    pub(super) files: KeyBytes,
}

/// The header as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) ring: RingId,
    /// How often the ring was wrapped anew, under another master key.
    pub(super) wraps: u32,
    nonce: Nonce,
    root: [u8; ROOT_BYTES + TAG_BYTES],
}

/// Whose a key is, for whoever has the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Tags {
    tenant: Tag,
    user: Tag,
}

/// A slot as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Slot {
    /// It holds a key.
    Live(Box<Live>),
    /// Its key was destroyed so that what it had sealed is gone.
    Erased,
    /// Its key was destroyed when everything that it had sealed was sealed under another.
    Replaced,
}

/// A slot with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Live {
    pub(super) generation: u32,
    pub(super) tags: Tags,
    nonce: Nonce,
    key: [u8; KEY_BYTES + TAG_BYTES],
}

/// Why bytes are no header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flaw {
    #[error("it does not begin as a keyring")]
    Foreign,
    #[error("its format {0} is newer than this release reads")]
    Newer(u32),
    #[error("its header is damaged")]
    Damaged,
}

/// Why bytes are no slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SlotFlaw {
    /// Nothing was written there.
    Empty,
    /// It is not what was written there.
    Damaged,
}

impl Root {
    pub(super) fn generate() -> std::io::Result<Self> {
        Ok(Self { index: cipher::new_key()?, files: cipher::new_key()? })
    }

    fn tag(&self, what: &[u8], name: &str) -> Tag {
        let mut mac = cipher::keyed(&self.index);
        mac.update(what);
        mac.update(&[0]);
        mac.update(name.as_bytes());
        let mut tag = Tag::default();
        tag.iter_mut().zip(mac.finalize().into_bytes()).for_each(|(byte, of_digest)| *byte = of_digest);
        tag
    }

    /// How an owner's keys are marked. No name is empty, so that a missing user is like no user.
    pub(super) fn tags(&self, owner: &Owner) -> Tags {
        match owner {
            Owner::Host => Tags { tenant: self.tag(b"host", ""), user: [0; 16] },
            Owner::Of { tenant, user } => Tags {
                tenant: self.tag(b"tenant", tenant.as_str()),
                user: user.as_ref().map_or([0; 16], |user| self.tag(b"user", user.as_str())),
            },
        }
    }

    /// Tells which keys are those of some owners.
    pub(super) fn selected(&self, whose: &Selector) -> impl Fn(&Tags) -> bool + use<> {
        let tenant = whose.tenant().map(|tenant| self.tag(b"tenant", tenant.as_str()));
        let user = whose.user().map(|user| self.tag(b"user", user.as_str()));
        move |tags| tenant.is_none_or(|tenant| tenant == tags.tenant) && user.is_none_or(|user| user == tags.user)
    }
}

impl Header {
    /// The header of a ring whose root a master key's wrapping key seals.
    pub(super) fn seal(ring: RingId, wraps: u32, root: &Root, wrap: &Cipher) -> Self {
        let nonce = cipher::new_nonce();
        let mut sealed = Vec::with_capacity(ROOT_BYTES + TAG_BYTES);
        sealed.extend_from_slice(&*root.index);
        sealed.extend_from_slice(&*root.files);
        wrap.seal(&nonce, &Self::bound(&ring, wraps), &mut sealed);
        let root = sealed.try_into().unwrap_or([0; ROOT_BYTES + TAG_BYTES]);
        Self { ring, wraps, nonce, root }
    }

    /// The root, if `wrap` is of the master key that sealed it.
    pub(super) fn open(&self, wrap: &Cipher) -> Result<Root, Forged> {
        let root = wrap.unwrap(&self.nonce, &Self::bound(&self.ring, self.wraps), &self.root)?;
        let (index, files) = root.split_first_chunk().ok_or(Forged)?;
        Ok(Root { index: Zeroizing::new(*index), files: Zeroizing::new(files.try_into().map_err(|_| Forged)?) })
    }

    fn bound(ring: &RingId, wraps: u32) -> Vec<u8> {
        [b"root".as_slice(), &FORMAT.to_be_bytes(), &wraps.to_be_bytes(), ring].concat()
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let parts =
            [MAGIC.as_slice(), &FORMAT.to_be_bytes(), &self.wraps.to_be_bytes(), &self.ring, &self.nonce, &self.root];
        summed(parts.concat(), HEADER_BYTES)
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Flaw> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(Flaw::Foreign)?;
        let (format, rest) = rest.split_first_chunk::<4>().ok_or(Flaw::Damaged)?;
        let format = u32::from_be_bytes(*format);
        if format > FORMAT {
            return Err(Flaw::Newer(format));
        }
        if bytes.len() != HEADER_BYTES || !is_whole(bytes) {
            return Err(Flaw::Damaged);
        }
        let (wraps, rest) = rest.split_first_chunk::<4>().ok_or(Flaw::Damaged)?;
        let (ring, rest) = rest.split_first_chunk::<16>().ok_or(Flaw::Damaged)?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(Flaw::Damaged)?;
        let (root, _) = rest.split_first_chunk().ok_or(Flaw::Damaged)?;
        Ok(Self { ring: *ring, wraps: u32::from_be_bytes(*wraps), nonce: *nonce, root: *root })
    }
}

impl Live {
    /// A slot for a key.
    pub(super) fn seal(
        ring: &RingId,
        id: u32,
        generation: u32,
        tags: Tags,
        key: &[u8; KEY_BYTES],
        wrap: &Cipher,
    ) -> Self {
        let nonce = cipher::new_nonce();
        let mut sealed = Vec::with_capacity(KEY_BYTES + TAG_BYTES);
        sealed.extend_from_slice(key);
        wrap.seal(&nonce, &Self::bound(ring, id, generation, &tags), &mut sealed);
        let key = sealed.try_into().unwrap_or([0; KEY_BYTES + TAG_BYTES]);
        Self { generation, tags, nonce, key }
    }

    /// The key.
    pub(super) fn open(&self, ring: &RingId, id: u32, wrap: &Cipher) -> Result<KeyBytes, Forged> {
        let key = wrap.unwrap(&self.nonce, &Self::bound(ring, id, self.generation, &self.tags), &self.key)?;
        Ok(Zeroizing::new(key.as_slice().try_into().map_err(|_| Forged)?))
    }

    fn bound(ring: &RingId, id: u32, generation: u32, tags: &Tags) -> Vec<u8> {
        let parts = [b"key".as_slice(), ring, &id.to_be_bytes(), &generation.to_be_bytes(), &tags.tenant, &tags.user];
        parts.concat()
    }
}

impl Slot {
    pub(super) fn to_bytes(&self, id: u32) -> Vec<u8> {
        let id = id.to_be_bytes();
        let bytes = match self {
            Self::Live(live) => {
                let Live { generation, tags, nonce, key } = &**live;
                let generation = generation.to_be_bytes();
                [&[LIVE, 0, 0, 0], id.as_slice(), &generation, &tags.tenant, &tags.user, nonce, key].concat()
            }
            Self::Erased => [&[ERASED, 0, 0, 0], id.as_slice()].concat(),
            Self::Replaced => [&[REPLACED, 0, 0, 0], id.as_slice()].concat(),
        };
        summed(bytes, SLOT_BYTES)
    }

    /// Reads the slot where the key `id` belongs.
    pub(super) fn parse(bytes: &[u8], id: u32) -> Result<Self, SlotFlaw> {
        if bytes.iter().all(|byte| *byte == 0) {
            return Err(SlotFlaw::Empty);
        }
        if bytes.len() != SLOT_BYTES || !is_whole(bytes) {
            return Err(SlotFlaw::Damaged);
        }
        Self::fields(bytes, id).ok_or(SlotFlaw::Damaged)
    }

    fn fields(bytes: &[u8], id: u32) -> Option<Self> {
        let (&[state, ..], rest) = bytes.split_first_chunk::<4>()?;
        let (found, rest) = rest.split_first_chunk::<4>()?;
        if u32::from_be_bytes(*found) != id {
            return None;
        }
        match state {
            LIVE => {
                let (generation, rest) = rest.split_first_chunk::<4>()?;
                let (tenant, rest) = rest.split_first_chunk()?;
                let (user, rest) = rest.split_first_chunk()?;
                let (nonce, rest) = rest.split_first_chunk()?;
                let (key, _) = rest.split_first_chunk()?;
                let tags = Tags { tenant: *tenant, user: *user };
                let generation = u32::from_be_bytes(*generation);
                Some(Self::Live(Box::new(Live { generation, tags, nonce: *nonce, key: *key })))
            }
            ERASED => Some(Self::Erased),
            REPLACED => Some(Self::Replaced),
            _ => None,
        }
    }
}

/// Fills up with zeros and puts the checksum into the last four bytes.
fn summed(mut bytes: Vec<u8>, length: usize) -> Vec<u8> {
    bytes.resize(length.saturating_sub(4), 0);
    let sum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&sum.to_be_bytes());
    bytes
}

fn is_whole(bytes: &[u8]) -> bool {
    bytes.split_last_chunk().is_some_and(|(body, sum)| crc32fast::hash(body) == u32::from_be_bytes(*sum))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn owner(tenant: &str, user: Option<&str>) -> Owner {
        Owner::Of { tenant: tenant.parse().unwrap(), user: user.map(|user| user.parse().unwrap()) }
    }

    #[test]
    fn a_header_opens_with_its_master_key_alone() {
        let (root, wrap) = (Root::generate().unwrap(), Cipher::new(&[1; 32]));
        let header = Header::seal([9; 16], 3, &root, &wrap);
        let bytes = header.to_bytes();
        assert_eq!(bytes.len(), HEADER_BYTES);
        let read = Header::parse(&bytes).unwrap();
        assert_eq!(read, header);
        assert_eq!(*read.open(&wrap).unwrap().files, *root.files);
        assert!(read.open(&Cipher::new(&[2; 32])).is_err());
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x40;
            assert!(Header::parse(&changed).is_err(), "byte {at}");
        }
        assert_eq!(Header::parse(&bytes[..100]), Err(Flaw::Damaged));
        assert_eq!(Header::parse(b"nothing"), Err(Flaw::Foreign));
    }

    proptest! {
        #[test]
        fn a_slot_reads_back_in_its_place_and_any_flipped_bit_is_noticed(
            id in 1_u32..1000, key in any::<[u8; 32]>(), at in 0_usize..SLOT_BYTES, bit in 0..8_u32,
        ) {
            let (root, wrap, ring) = (Root::generate().unwrap(), Cipher::new(&[1; 32]), [9; 16]);
            let tags = root.tags(&owner("acme", Some("ann")));
            let slot = Slot::Live(Box::new(Live::seal(&ring, id, 1, tags, &key, &wrap)));
            let bytes = slot.to_bytes(id);
            prop_assert_eq!(bytes.len(), SLOT_BYTES);
            prop_assert_eq!(Slot::parse(&bytes, id), Ok(slot.clone()));
            prop_assert_eq!(Slot::parse(&bytes, id + 1), Err(SlotFlaw::Damaged));
            let Slot::Live(live) = slot else { unreachable!() };
            prop_assert_eq!(live.open(&ring, id, &wrap).map(|key| *key), Ok(key));
            prop_assert!(live.open(&ring, id + 1, &wrap).is_err(), "a key that was moved does not open");
            let mut changed = bytes;
            changed[at] ^= 1 << bit;
            prop_assert_eq!(Slot::parse(&changed, id), Err(SlotFlaw::Damaged));
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), id in any::<u32>()) {
            prop_assert!(Slot::parse(&bytes, id).is_err());
            prop_assert!(Header::parse(&bytes).is_err());
        }
    }

    #[test]
    fn what_is_destroyed_holds_nothing() {
        for slot in [Slot::Erased, Slot::Replaced] {
            let bytes = slot.to_bytes(7);
            assert_eq!(Slot::parse(&bytes, 7), Ok(slot));
            assert!(bytes[8..124].iter().all(|byte| *byte == 0));
        }
        assert_eq!(Slot::parse(&[0; SLOT_BYTES], 7), Err(SlotFlaw::Empty));
    }

    #[test]
    fn keys_are_found_by_tenant_and_by_user() {
        let root = Root::generate().unwrap();
        let owners = [Owner::Host, owner("a", None), owner("a", Some("ann")), owner("b", Some("ann"))];
        for whose in [
            Selector::Tenant("a".parse().unwrap()),
            Selector::User("ann".parse().unwrap()),
            Selector::UserOf { tenant: "b".parse().unwrap(), user: "ann".parse().unwrap() },
        ] {
            let selected = root.selected(&whose);
            for owner in &owners {
                assert_eq!(selected(&root.tags(owner)), whose.selects(owner), "{whose:?} {owner:?}");
            }
        }
        assert_ne!(root.tags(&owner("a", None)), Root::generate().unwrap().tags(&owner("a", None)), "keyed");
    }
}
