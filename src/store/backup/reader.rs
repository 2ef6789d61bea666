//! An archive in a file: checked as a whole, then read section by section.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::format::{
    self, ARCHIVE_VERSION, END_MARK, Flaw, HEADER_BYTES_MAX, Header, MAGIC, PREFIX_BYTES, SECTION_HEAD_BYTES, Section,
    SectionHead, TRAILER_BYTES, Totals, changed,
};
use crate::domain::clock::Timestamp;
use crate::store::Error;
use crate::store::engine::FORMAT_VERSION;

/// Bytes that are hashed at once.
const HASHED_AT_ONCE: usize = 256 * 1_024;

/// What a whole archive says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The release that wrote it.
    pub daemon: String,
    /// When it was begun.
    pub taken_at: Timestamp,
    /// Its length.
    pub bytes: u64,
    /// The SHA-256 of the whole file, as `sha256sum` tells it.
    pub sha256: [u8; 32],
    /// What it holds.
    pub totals: Totals,
}

/// Checks an archive from its first byte to its last. Blocks.
///
/// # Errors
/// It is no archive, was cut short or changed, or a newer release wrote it; or it cannot be read.
pub fn inspect(archive: &Path) -> Result<Summary, Error> {
    let archive = Archive::open(archive)?;
    let totals = archive.each(|_| Ok(()))?;
    Ok(archive.summary(totals))
}

/// An archive whose bytes are those that were written.
pub(super) struct Archive {
    path: PathBuf,
    file: File,
    header: Header,
    sections_at: u64,
    bytes: u64,
    sha256: [u8; 32],
}

impl Archive {
    /// Opens an archive and checks every byte of it.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let unreadable = |fault: io::Error| Error::Restore(format!("read {}: {fault}", path.display()));
        let flawed = |flaw| Error::Archive { archive: path.to_owned(), flaw };
        let mut file = File::open(path).map_err(unreadable)?;
        let bytes = file.metadata().map_err(unreadable)?.len();
        let mut prefix = Vec::new();
        let prefix_bytes = u64::try_from(PREFIX_BYTES).unwrap_or(u64::MAX);
        Read::by_ref(&mut file).take(prefix_bytes).read_to_end(&mut prefix).map_err(unreadable)?;
        let header_bytes = recognise(&prefix).map_err(flawed)?;
        let sections_at = prefix_bytes.saturating_add(u64::from(header_bytes));
        let Some(checked) = bytes.checked_sub(TRAILER_BYTES).filter(|end| *end > sections_at) else {
            return Err(flawed(Flaw::CutShort));
        };
        let sha256 = verify(&mut file, checked).map_err(unreadable)?.map_err(flawed)?;
        let mut header = Vec::new();
        file.seek(SeekFrom::Start(prefix_bytes)).map_err(unreadable)?;
        Read::by_ref(&mut file).take(u64::from(header_bytes)).read_to_end(&mut header).map_err(unreadable)?;
        let header: Header = minicbor::decode(&header)
            .map_err(|fault| flawed(changed(&format!("its header cannot be read: {fault}"))))?;
        if header.store_format > FORMAT_VERSION {
            let found = header.store_format;
            return Err(flawed(Flaw::Newer { what: "stored format", found, known: FORMAT_VERSION }));
        }
        Ok(Self { path: path.to_owned(), file, header, sections_at, bytes, sha256 })
    }

    /// Gives every section to `take`, in order; returns what the archive says it holds, which is compared with what it did.
    pub(super) fn each(&self, mut take: impl FnMut(Section) -> Result<(), Error>) -> Result<Totals, Error> {
        let unreadable = |fault: io::Error| self.flawed(changed(&fault.to_string()));
        let mut file = &self.file;
        file.seek(SeekFrom::Start(self.sections_at)).map_err(unreadable)?;
        let end = self.bytes.saturating_sub(TRAILER_BYTES).saturating_sub(self.sections_at);
        let mut stream = zstd::Decoder::new(BufReader::new(file.take(end))).map_err(unreadable)?;
        let mut found = Totals::default();
        loop {
            let mut head = [0; SECTION_HEAD_BYTES];
            stream.read_exact(&mut head).map_err(unreadable)?;
            let head = SectionHead::of(&head).map_err(|flaw| self.flawed(flaw))?;
            let mut body = vec![0; usize::try_from(head.bytes).unwrap_or(0)];
            stream.read_exact(&mut body).map_err(unreadable)?;
            let section = format::section(head, &body).map_err(|flaw| self.flawed(flaw))?;
            match (&section, head.kind) {
                (Section::End(totals), _) => {
                    let told = Totals { payloads_missing: found.payloads_missing, position: found.position, ..*totals };
                    return if told == found { Ok(*totals) } else { Err(self.flawed(changed("its counts differ"))) };
                }
                (Section::Writes(_), format::Kind::Group) => found.groups = found.groups.saturating_add(1),
                (Section::Writes(_), _) => found.entries = found.entries.saturating_add(u64::from(head.count)),
                (Section::Payload { .. }, _) => found.payloads = found.payloads.saturating_add(1),
                (Section::Companion { .. }, _) => found.companions = found.companions.saturating_add(1),
            }
            take(section)?;
        }
    }

    pub(super) fn summary(&self, totals: Totals) -> Summary {
        Summary {
            daemon: self.header.daemon.clone(),
            taken_at: Timestamp::from_micros(self.header.time),
            bytes: self.bytes,
            sha256: self.sha256,
            totals,
        }
    }

    pub(super) fn flawed(&self, flaw: Flaw) -> Error {
        Error::Archive { archive: self.path.clone(), flaw }
    }
}

/// Whether a file begins as an archive that this release reads; the length of its header.
fn recognise(prefix: &[u8]) -> Result<u32, Flaw> {
    let Some((magic, rest)) = prefix.split_first_chunk::<8>() else {
        let begun = !prefix.is_empty() && MAGIC.starts_with(prefix);
        return Err(if begun { Flaw::CutShort } else { Flaw::Foreign });
    };
    if magic != MAGIC {
        return Err(Flaw::Foreign);
    }
    let (version, rest) = rest.split_first_chunk::<4>().ok_or(Flaw::CutShort)?;
    let version = u32::from_be_bytes(*version);
    if version > ARCHIVE_VERSION {
        return Err(Flaw::Newer { what: "backup format", found: version, known: ARCHIVE_VERSION });
    }
    let (length, _) = rest.split_first_chunk::<4>().ok_or(Flaw::CutShort)?;
    match u32::from_be_bytes(*length) {
        length @ 0..=HEADER_BYTES_MAX => Ok(length),
        length => Err(changed(&format!("a header of {length} bytes"))),
    }
}

/// Compares the digest of the first `checked` bytes with the one that follows them; returns that of the whole file.
fn verify(file: &mut File, checked: u64) -> io::Result<Result<[u8; 32], Flaw>> {
    file.seek(SeekFrom::Start(0))?;
    let mut digest = Sha256::new();
    let mut block = vec![0; HASHED_AT_ONCE];
    let mut content = Read::by_ref(file).take(checked);
    loop {
        let read = content.read(&mut block)?;
        if read == 0 {
            break;
        }
        digest.update(block.get(..read).unwrap_or_default());
    }
    let mut trailer = Vec::new();
    file.read_to_end(&mut trailer)?;
    let Some((told, mark)) = trailer.split_first_chunk::<32>() else { return Ok(Err(Flaw::CutShort)) };
    if mark != END_MARK {
        return Ok(Err(Flaw::CutShort));
    }
    if digest.clone().finalize().as_slice() != told {
        return Ok(Err(changed("its checksum does not match")));
    }
    digest.update(&trailer);
    Ok(Ok(digest.finalize().into()))
}
