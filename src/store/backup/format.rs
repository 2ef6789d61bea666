//! What the bytes of an archive mean (pure).
//!
//! ```text
//! magic      8  "AGFBAKUP"
//! version    4  of this format, big-endian
//! length     4  of the header, big-endian
//! header        CBOR: who wrote it, when, the store's format, the position at which it was begun
//! sections      one zstd stream: kind 1, count 4, length 8, body
//! digest    32  SHA-256 over everything before it
//! end mark   8  "AGFBKEND"
//! ```
//! The end mark tells a file that was cut short from one that was changed.

use minicbor::{Decode, Encode};

use crate::store::payload::Digest;

pub(super) const MAGIC: &[u8; 8] = b"AGFBAKUP";
pub(super) const END_MARK: &[u8; 8] = b"AGFBKEND";
/// The archive format that this release writes, and the newest that it reads.
pub(super) const ARCHIVE_VERSION: u32 = 1;
/// Bytes before the header.
pub(super) const PREFIX_BYTES: usize = 16;
/// Bytes behind the sections.
pub(super) const TRAILER_BYTES: u64 = 40;
/// The longest header, in bytes.
pub(super) const HEADER_BYTES_MAX: u32 = 64 * 1_024;
/// Bytes before the body of a section.
pub(super) const SECTION_HEAD_BYTES: usize = 13;
/// The longest body of a section, in bytes: twice the largest batch, which is the largest group.
pub(super) const SECTION_BYTES_MAX: u64 = 128 * 1_024 * 1_024;

/// Why a file is no archive that can be restored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It does not begin as one.
    #[error("this is no backup of a factoryd")]
    Foreign,
    /// A newer release wrote it.
    #[error("a newer factoryd wrote this backup: {what} {found}, this one reads up to {known}")]
    Newer {
        /// Whose version it is.
        what: &'static str,
        /// That version.
        found: u32,
        /// The newest one that this release reads.
        known: u32,
    },
    /// It ends too early.
    #[error("the backup was cut short: its end is missing")]
    CutShort,
    /// It does not hold what was written into it.
    #[error("the backup was changed or is damaged: {0}")]
    Changed(String),
}

/// What an archive says about itself before its content.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct Header {
    /// The release that wrote it.
    #[n(0)]
    pub(super) daemon: String,
    /// The stored format.
    #[n(1)]
    pub(super) store_format: u32,
    /// The position at which it was begun.
    #[n(2)]
    pub(super) begun_at: u64,
    /// When it was begun, in microseconds since 1970.
    #[n(3)]
    pub(super) time: i64,
}

/// How much an archive holds; its last section, so that one without it is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct Totals {
    /// Entries of the database that were found by going through it.
    #[n(0)]
    pub entries: u64,
    /// Groups of commits that were written meanwhile.
    #[n(1)]
    pub groups: u64,
    /// Payload files.
    #[n(2)]
    pub payloads: u64,
    /// Payload files that a record names and that were missing or damaged when the backup was taken.
    #[n(3)]
    pub payloads_missing: u64,
    /// Files beside the store.
    #[n(4)]
    pub companions: u64,
    /// The position whose state the archive holds.
    #[n(5)]
    pub position: u64,
}

/// The kinds of sections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Entries,
    Group,
    Payload,
    Companion,
    End,
}

impl Kind {
    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Entries => 1,
            Self::Group => 2,
            Self::Payload => 3,
            Self::Companion => 4,
            Self::End => 5,
        }
    }

    fn of(byte: u8) -> Option<Self> {
        [Self::Entries, Self::Group, Self::Payload, Self::Companion, Self::End].into_iter().find(|k| k.byte() == byte)
    }
}

/// A section before its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SectionHead {
    pub(super) kind: Kind,
    pub(super) count: u32,
    pub(super) bytes: u64,
}

impl SectionHead {
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut head = vec![self.kind.byte()];
        head.extend_from_slice(&self.count.to_be_bytes());
        head.extend_from_slice(&self.bytes.to_be_bytes());
        head
    }

    pub(super) fn of(head: &[u8; SECTION_HEAD_BYTES]) -> Result<Self, Flaw> {
        let [kind, a, b, c, d, rest @ ..] = *head;
        let kind = Kind::of(kind).ok_or_else(|| changed(&format!("a section of the unknown kind {kind}")))?;
        let bytes = u64::from_be_bytes(rest);
        if bytes > SECTION_BYTES_MAX {
            return Err(changed(&format!("a section of {bytes} bytes")));
        }
        Ok(Self { kind, count: u32::from_be_bytes([a, b, c, d]), bytes })
    }
}

/// A key, and its value; `None` removes it.
pub(super) type Write = (Vec<u8>, Option<Vec<u8>>);

/// What one section holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// Entries as a scan found them, or what a group wrote.
    Writes(Vec<Write>),
    Payload {
        digest: Digest,
        body: Vec<u8>,
    },
    Companion {
        name: String,
        body: Vec<u8>,
    },
    End(Totals),
}

/// Writes one key and what it stands for now.
pub(super) fn put_write(body: &mut Vec<u8>, key: &[u8], value: Option<&[u8]>) {
    // Keys have a limit far below; values too.
    body.extend_from_slice(&u32::try_from(key.len()).unwrap_or(u32::MAX).to_be_bytes());
    body.extend_from_slice(key);
    match value {
        None => body.push(0),
        Some(value) => {
            body.push(1);
            body.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
            body.extend_from_slice(value);
        }
    }
}

/// Reads the body of a section.
pub(super) fn section(head: SectionHead, body: &[u8]) -> Result<Section, Flaw> {
    let short = || changed("a section ends too early");
    match head.kind {
        Kind::Entries | Kind::Group => writes(head.count, body).map(Section::Writes),
        Kind::Payload => {
            let (digest, body) = body.split_first_chunk::<32>().ok_or_else(short)?;
            Ok(Section::Payload { digest: Digest::from(*digest), body: body.to_vec() })
        }
        Kind::Companion => {
            let mut rest = body;
            let name = sized(&mut rest).ok_or_else(short)?;
            let name = String::from_utf8(name.to_vec()).map_err(|_| changed("the name of a file is no text"))?;
            Ok(Section::Companion { name, body: rest.to_vec() })
        }
        Kind::End => minicbor::decode(body)
            .map(Section::End)
            .map_err(|fault| changed(&format!("its end cannot be read: {fault}"))),
    }
}

/// The body of a companion's section.
pub(super) fn companion(name: &str, content: &[u8]) -> Vec<u8> {
    let mut body = u32::try_from(name.len()).unwrap_or(u32::MAX).to_be_bytes().to_vec();
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(content);
    body
}

fn writes(count: u32, body: &[u8]) -> Result<Vec<Write>, Flaw> {
    let short = || changed("a section ends too early");
    let (mut rest, mut found) = (body, Vec::new());
    for _ in 0..count {
        let key = sized(&mut rest).ok_or_else(short)?.to_vec();
        let (has_value, behind) = rest.split_first().ok_or_else(short)?;
        rest = behind;
        let value = match has_value {
            0 => None,
            1 => Some(sized(&mut rest).ok_or_else(short)?.to_vec()),
            other => return Err(changed(&format!("a value of the unknown form {other}"))),
        };
        found.push((key, value));
    }
    if rest.is_empty() { Ok(found) } else { Err(changed("a section is longer than its entries")) }
}

fn sized<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, behind) = rest.split_first_chunk::<4>()?;
    let (found, behind) = behind.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *rest = behind;
    Some(found)
}

pub(super) fn changed(why: &str) -> Flaw {
    Flaw::Changed(why.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn writes_are_read_back(found in proptest::collection::vec(
            (proptest::collection::vec(any::<u8>(), 0..40), proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40))), 0..20,
        )) {
            let mut body = Vec::new();
            for (key, value) in &found {
                put_write(&mut body, key, value.as_deref());
            }
            let head = SectionHead { kind: Kind::Group, count: u32::try_from(found.len()).unwrap(), bytes: body.len() as u64 };
            let bytes: [u8; SECTION_HEAD_BYTES] = head.to_bytes().try_into().unwrap();
            prop_assert_eq!(SectionHead::of(&bytes), Ok(head));
            prop_assert_eq!(section(head, &body), Ok(Section::Writes(found)));
        }

        #[test]
        fn no_body_panics(kind in 1_u8..6, count in 0_u32..4, body in proptest::collection::vec(any::<u8>(), 0..60)) {
            let head = SectionHead { kind: Kind::of(kind).unwrap(), count, bytes: body.len() as u64 };
            let read = section(head, &body);
            prop_assert!(read.is_ok() || matches!(read, Err(Flaw::Changed(_))));
        }
    }

    #[test]
    fn a_companion_is_read_back_under_its_name() {
        let body = companion("dlp.key", b"secret");
        let head = SectionHead { kind: Kind::Companion, count: 1, bytes: body.len() as u64 };
        let wanted = Section::Companion { name: "dlp.key".into(), body: b"secret".to_vec() };
        assert_eq!(section(head, &body), Ok(wanted));
    }
}
