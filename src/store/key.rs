//! How keys are laid out in the one tree: a keyspace's byte, then the owner's key.

use super::Keyspace;
use super::payload::Digest;

/// Keys of the format record and of the last commit's position, in [`Keyspace::Meta`].
pub(super) const FORMAT: &[u8] = b"format";
pub(super) const POSITION: &[u8] = b"position";
/// Keys of what tells which keyring the store needs, and that no record is left in clear, in [`Keyspace::Meta`].
pub(super) const KEYRING: &[u8] = b"keyring";
pub(super) const SEALED: &[u8] = b"sealed";

/// Under [`Keyspace::Piece`]: pieces of records, and how many records name a payload file.
const PIECES: u8 = 0;
const REFERENCES: u8 = 1;

/// Names the pieces of one record. Never used twice, so that a reader of an older version of the record never sees pieces of
/// a newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PieceSet {
    /// The position of the group that wrote the record.
    pub(super) position: u64,
    /// Which of that group's records it is.
    pub(super) ordinal: u32,
}

pub(super) fn full(keyspace: Keyspace, key: &[u8]) -> Vec<u8> {
    let mut full = Vec::with_capacity(key.len().saturating_add(1));
    full.push(keyspace as u8);
    full.extend_from_slice(key);
    full
}

pub(super) fn piece(set: PieceSet, index: u32) -> Vec<u8> {
    let mut key = vec![Keyspace::Piece as u8, PIECES];
    key.extend_from_slice(&set.position.to_be_bytes());
    key.extend_from_slice(&set.ordinal.to_be_bytes());
    key.extend_from_slice(&index.to_be_bytes());
    key
}

pub(super) fn reference(digest: &Digest) -> Vec<u8> {
    let mut key = vec![Keyspace::Piece as u8, REFERENCES];
    key.extend_from_slice(digest.bytes());
    key
}

/// The payload whose reference count a full key is; none where it is another key.
pub(super) fn referred(key: &[u8]) -> Option<Digest> {
    let digest = key.strip_prefix(&[Keyspace::Piece as u8, REFERENCES])?;
    <[u8; 32]>::try_from(digest).ok().map(Digest::from)
}

/// The smallest key that does not begin with `prefix` and lies behind all that do; none if there is no such key.
pub(super) fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut next = prefix.to_vec();
    while let Some(last) = next.pop() {
        if let Some(raised) = last.checked_add(1) {
            next.push(raised);
            return Some(next);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::successor;

    #[test]
    fn successor_lies_just_behind_every_key_with_the_prefix() {
        assert_eq!(successor(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(successor(b"a\xff\xff"), Some(b"b".to_vec()));
        assert_eq!(successor(b"\xff"), None);
        assert_eq!(successor(b""), None);
    }
}
