//! The envelope around every stored value (pure).
//!
//! ```text
//! byte 0        envelope version
//!      1        kind of the record
//!      2        version of that kind's encoding
//!      3        flags: pieces, file, chained
//!      4..8     key id, big-endian; 0: not encrypted
//!      8..20    nonce; zeros: not encrypted
//!      20..24   CRC-32 over the full key, bytes 0..20 and everything behind byte 24
//!      24..56   the link to the predecessor, only if chained; sealed, and sixteen bytes longer, where there is a key id
//!      ..       the body, or where it is kept
//! ```
//! The checksum covers the key, so that a value that turns up under another key is noticed. A body is sealed before it is split
//! or put into a file: pieces and files have no keys of their own, they hold parts of what the first value's key opens.

use std::num::NonZeroU32;

use super::chain::Link32;
use super::key::PieceSet;
use super::keyring::cipher::{NONCE_BYTES, Nonce, TAG_BYTES};
use super::payload::Digest;

/// Bytes before the link and the body.
pub(super) const HEADER_BYTES: usize = 24;
/// The largest stored value. Leaf pages of larger ones spill into files that sled never syncs.
pub(super) const VALUE_BYTES_MAX: usize = 4_096;
/// The largest part of a body in one value.
pub(super) const PIECE_BYTES: usize = VALUE_BYTES_MAX - HEADER_BYTES;

const ENVELOPE_VERSION: u8 = 1;
const CHECKSUM_AT: usize = 20;
const LINK_BYTES: usize = 32;
const SEALED_LINK_BYTES: usize = LINK_BYTES + TAG_BYTES;

const PIECES: u8 = 0b001;
const FILE: u8 = 0b010;
const CHAINED: u8 = 0b100;

/// With which key a body is sealed, and the nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seal {
    pub(super) key: NonZeroU32,
    pub(super) nonce: Nonce,
}

/// A link as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoredLink {
    Clear(Link32),
    Sealed([u8; SEALED_LINK_BYTES]),
}

/// What an envelope says about its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) kind: u8,
    pub(super) version: u8,
    /// Its link, if it belongs to a hash chain; sealed exactly where the body is.
    pub(super) link: Option<StoredLink>,
    /// How its body is sealed, if it is.
    pub(super) seal: Option<Seal>,
}

/// The body, or where it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content<'a> {
    Inline(&'a [u8]),
    Pieces { set: PieceSet, bytes: u64 },
    File { digest: Digest, bytes: u64 },
}

/// Why a stored value is not what was stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flaw {
    #[error("it is too short for an envelope")]
    Short,
    #[error("its envelope has version {0}, which this version cannot read")]
    Version(u8),
    #[error("the checksum does not match")]
    Checksum,
    #[error("its flags {0:#04x} have no meaning")]
    Flags(u8),
}

impl Label {
    /// The label of what is not sealed and not chained.
    pub(super) const fn plain(kind: u8, version: u8) -> Self {
        Self { kind, version, link: None, seal: None }
    }
}

/// The largest body that is kept in the value itself.
pub(super) const fn inline_bytes_max(label: &Label) -> usize {
    match label.link {
        Some(StoredLink::Clear(_)) => PIECE_BYTES.saturating_sub(LINK_BYTES),
        Some(StoredLink::Sealed(_)) => PIECE_BYTES.saturating_sub(SEALED_LINK_BYTES),
        None => PIECE_BYTES,
    }
}

/// How many pieces a body of so many bytes is split into.
pub(super) fn pieces(bytes: u64) -> u32 {
    let size = u64::try_from(PIECE_BYTES).unwrap_or(u64::MAX);
    u32::try_from(bytes.div_ceil(size)).unwrap_or(u32::MAX)
}

/// The value to store under `key`, keyspace included.
pub(super) fn seal(key: &[u8], label: &Label, content: Content<'_>) -> Vec<u8> {
    let form = match content {
        Content::Inline(_) => 0,
        Content::Pieces { .. } => PIECES,
        Content::File { .. } => FILE,
    };
    let flags = form | label.link.map_or(0, |_| CHAINED);
    let mut value = Vec::with_capacity(HEADER_BYTES.saturating_add(SEALED_LINK_BYTES).saturating_add(match content {
        Content::Inline(body) => body.len(),
        Content::Pieces { .. } | Content::File { .. } => 40,
    }));
    value.extend_from_slice(&[ENVELOPE_VERSION, label.kind, label.version, flags]);
    value.extend_from_slice(&label.seal.map_or(0, |seal| seal.key.get()).to_be_bytes());
    value.extend_from_slice(&label.seal.map_or([0; NONCE_BYTES], |seal| seal.nonce));
    value.extend_from_slice(&[0; 4]); // the checksum's place
    match &label.link {
        Some(StoredLink::Clear(link)) => value.extend_from_slice(link),
        Some(StoredLink::Sealed(link)) => value.extend_from_slice(link),
        None => {}
    }
    match content {
        Content::Inline(body) => value.extend_from_slice(body),
        Content::Pieces { set, bytes } => {
            value.extend_from_slice(&set.position.to_be_bytes());
            value.extend_from_slice(&set.ordinal.to_be_bytes());
            value.extend_from_slice(&bytes.to_be_bytes());
        }
        Content::File { digest, bytes } => {
            value.extend_from_slice(digest.bytes());
            value.extend_from_slice(&bytes.to_be_bytes());
        }
    }
    let sum = checksum(key, &value).to_be_bytes();
    if let Some(place) = value.get_mut(CHECKSUM_AT..HEADER_BYTES) {
        place.copy_from_slice(&sum);
    }
    value
}

/// Reads and checks the value found under `key`, keyspace included.
pub(super) fn open<'a>(key: &[u8], value: &'a [u8]) -> Result<(Label, Content<'a>), Flaw> {
    let (&[envelope, kind, version, flags], rest) = value.split_first_chunk().ok_or(Flaw::Short)?;
    if envelope != ENVELOPE_VERSION {
        return Err(Flaw::Version(envelope));
    }
    let (key_id, rest) = rest.split_first_chunk::<4>().ok_or(Flaw::Short)?;
    let (nonce, rest) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(Flaw::Short)?;
    let (sum, mut rest) = rest.split_first_chunk::<4>().ok_or(Flaw::Short)?;
    if u32::from_be_bytes(*sum) != checksum(key, value) {
        return Err(Flaw::Checksum);
    }
    let seal = NonZeroU32::new(u32::from_be_bytes(*key_id)).map(|key| Seal { key, nonce: *nonce });
    let mut link = None;
    if flags & CHAINED != 0 {
        let (found, behind) = stored_link(seal.is_some(), rest).ok_or(Flaw::Short)?;
        link = Some(found);
        rest = behind;
    }
    let content = match flags & !CHAINED {
        0 => Content::Inline(rest),
        PIECES => {
            let (position, rest) = rest.split_first_chunk().ok_or(Flaw::Short)?;
            let (ordinal, rest) = rest.split_first_chunk().ok_or(Flaw::Short)?;
            let (bytes, _) = rest.split_first_chunk().ok_or(Flaw::Short)?;
            let set = PieceSet { position: u64::from_be_bytes(*position), ordinal: u32::from_be_bytes(*ordinal) };
            Content::Pieces { set, bytes: u64::from_be_bytes(*bytes) }
        }
        FILE => {
            let (digest, rest) = rest.split_first_chunk().ok_or(Flaw::Short)?;
            let (bytes, _) = rest.split_first_chunk().ok_or(Flaw::Short)?;
            Content::File { digest: Digest::from(*digest), bytes: u64::from_be_bytes(*bytes) }
        }
        _ => return Err(Flaw::Flags(flags)),
    };
    Ok((Label { kind, version, link, seal }, content))
}

/// The key id that a value names, without looking at the rest of it: whose key it is sealed with, if it is.
pub(super) fn key_id(value: &[u8]) -> Option<NonZeroU32> {
    let (_, rest) = value.split_first_chunk::<4>()?;
    let (id, _) = rest.split_first_chunk::<4>()?;
    NonZeroU32::new(u32::from_be_bytes(*id))
}

fn stored_link(sealed: bool, rest: &[u8]) -> Option<(StoredLink, &[u8])> {
    if sealed {
        let (link, rest) = rest.split_first_chunk()?;
        Some((StoredLink::Sealed(*link), rest))
    } else {
        let (link, rest) = rest.split_first_chunk()?;
        Some((StoredLink::Clear(*link), rest))
    }
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(key);
    sum.update(value.get(..CHECKSUM_AT).unwrap_or_default());
    sum.update(value.get(HEADER_BYTES..).unwrap_or_default());
    sum.finalize()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn label(link: Option<Link32>) -> Label {
        Label { link: link.map(StoredLink::Clear), ..Label::plain(7, 3) }
    }

    fn sealed(key: u32, nonce: Nonce, link: Option<u8>) -> Label {
        let seal = Seal { key: NonZeroU32::new(key).unwrap(), nonce };
        let link = link.map(|byte| StoredLink::Sealed([byte; SEALED_LINK_BYTES]));
        Label { link, seal: Some(seal), ..Label::plain(7, 3) }
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(body in proptest::collection::vec(any::<u8>(), 0..300), chained in any::<Option<[u8; 32]>>()) {
            let sealed = seal(b"akey", &label(chained), Content::Inline(&body));
            prop_assert_eq!(open(b"akey", &sealed), Ok((label(chained), Content::Inline(&body))));
        }

        #[test]
        fn how_a_body_is_sealed_is_told(key in 1..u32::MAX, nonce in any::<[u8; 12]>(), link in any::<Option<u8>>(), body in proptest::collection::vec(any::<u8>(), 0..99)) {
            let value = seal(b"akey", &sealed(key, nonce, link), Content::Inline(&body));
            prop_assert_eq!(open(b"akey", &value), Ok((sealed(key, nonce, link), Content::Inline(&body[..]))));
            prop_assert_eq!(key_id(&value).map(NonZeroU32::get), Some(key));
        }

        #[test]
        fn any_flipped_bit_is_noticed(body in proptest::collection::vec(any::<u8>(), 0..64), at in any::<prop::sample::Index>(), bit in 0..8_u32) {
            let mut sealed = seal(b"akey", &label(None), Content::Inline(&body));
            let at = at.index(sealed.len());
            sealed[at] ^= 1 << bit;
            prop_assert!(open(b"akey", &sealed).is_err());
        }

        #[test]
        fn no_input_panics(value in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(open(b"akey", &value).is_err() || value.len() >= HEADER_BYTES);
        }
    }

    #[test]
    fn a_value_under_another_key_is_noticed() {
        let sealed = seal(b"akey", &label(None), Content::Inline(b"body"));
        assert_eq!(open(b"another", &sealed), Err(Flaw::Checksum));
    }

    #[test]
    fn places_of_large_bodies_survive() {
        let set = PieceSet { position: 812, ordinal: 3 };
        let digest = Digest::of(b"text");
        for content in [Content::Pieces { set, bytes: 70_000 }, Content::File { digest, bytes: 2 << 20 }] {
            let sealed = seal(b"k", &label(Some([9; 32])), content);
            assert_eq!(open(b"k", &sealed), Ok((label(Some([9; 32])), content)));
        }
    }

    #[test]
    fn a_full_piece_fills_a_value_exactly() {
        let sealed = seal(b"k", &label(None), Content::Inline(&[0; PIECE_BYTES]));
        assert_eq!(sealed.len(), VALUE_BYTES_MAX);
        assert_eq!(pieces(0), 0);
        assert_eq!(pieces(4_072), 1);
        assert_eq!(pieces(4_073), 2);
    }
}
