//! An archive written to a stream.

use std::io::{self, Write};

use sha2::{Digest as _, Sha256};

use super::format::{ARCHIVE_VERSION, END_MARK, Header, Kind, MAGIC, SectionHead, Totals};

/// The level of compression: zstd's own default, as higher ones cost several times the processor for a few per cent.
const LEVEL: i32 = 3;

/// Writes an archive. One that is not [finished](Self::finish) is refused by every reader.
pub(super) struct Writer<W: Write> {
    sections: zstd::Encoder<'static, Hashed<W>>,
}

/// Passes bytes on and keeps their digest.
struct Hashed<W> {
    to: W,
    digest: Sha256,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.digest.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl<W: Write> Writer<W> {
    /// Begins an archive.
    pub(super) fn begin(to: W, header: &Header) -> io::Result<Self> {
        let header = minicbor::to_vec(header).map_err(io::Error::other)?;
        let mut to = Hashed { to, digest: Sha256::new() };
        to.write_all(MAGIC)?;
        to.write_all(&ARCHIVE_VERSION.to_be_bytes())?;
        to.write_all(&u32::try_from(header.len()).map_err(io::Error::other)?.to_be_bytes())?;
        to.write_all(&header)?;
        Ok(Self { sections: zstd::Encoder::new(to, LEVEL)? })
    }

    pub(super) fn section(&mut self, head: SectionHead, body: &[u8]) -> io::Result<()> {
        self.sections.write_all(&head.to_bytes())?;
        self.sections.write_all(body)
    }

    /// Writes a section whose body is in several parts.
    pub(super) fn parts(&mut self, kind: Kind, parts: &[&[u8]]) -> io::Result<()> {
        let bytes = parts.iter().fold(0_usize, |sum, part| sum.saturating_add(part.len()));
        let bytes = u64::try_from(bytes).map_err(io::Error::other)?;
        self.sections.write_all(&SectionHead { kind, count: 1, bytes }.to_bytes())?;
        parts.iter().try_for_each(|part| self.sections.write_all(part))
    }

    /// Ends it: from here on the archive is whole.
    pub(super) fn finish(mut self, totals: &Totals) -> io::Result<W> {
        let end = minicbor::to_vec(totals).map_err(io::Error::other)?;
        self.parts(Kind::End, &[&end])?;
        let Hashed { mut to, digest } = self.sections.finish()?;
        to.write_all(&digest.finalize())?;
        to.write_all(END_MARK)?;
        to.flush()?;
        Ok(to)
    }
}
