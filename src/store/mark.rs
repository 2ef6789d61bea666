//! How far the store was durable, told beside the database: sled takes a file that was cut short, or whose end was changed, for
//! one whose last writes were torn, and opens it without a word. The mark is what it is compared with.
//!
//! It is written behind each sync and not synced itself, so that on no disk it is ahead of the database, whatever is lost when
//! the power fails; a process that is killed loses nothing of it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::Position;

/// Its file, in the data directory.
pub(super) const FILE_NAME: &str = "store.position";
/// What it begins with.
const MAGIC: &str = "AGFPOS1";
/// Its length: magic, position in twenty digits, checksum in eight, with spaces between and a line's end.
const BYTES: usize = 38;

/// The open mark.
#[derive(Debug)]
pub(super) struct Mark {
    file: File,
}

impl Mark {
    /// Where the mark of a data directory is.
    pub(super) fn path(data_dir: &Path) -> PathBuf {
        data_dir.join(FILE_NAME)
    }

    /// The position that a data directory's mark tells; none where there is none, or none that can be believed.
    pub(super) fn read(data_dir: &Path) -> io::Result<Option<Position>> {
        let mut text = String::new();
        match File::open(Self::path(data_dir)) {
            Ok(file) => match file.take(u64::try_from(BYTES).unwrap_or(u64::MAX)).read_to_string(&mut text) {
                Ok(_) => {}
                Err(fault) if fault.kind() == io::ErrorKind::InvalidData => {}
                Err(fault) => return Err(fault),
            },
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(fault) => return Err(fault),
        }
        let position = parse(&text);
        if position.is_none() {
            tracing::warn!("the file {FILE_NAME} cannot be read as a position; the database is believed as it is");
        }
        Ok(position)
    }

    /// Opens or makes the mark, and has it tell this position.
    pub(super) fn open(data_dir: &Path, position: Position) -> io::Result<Self> {
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(Self::path(data_dir))?;
        let mark = Self { file };
        mark.write(position)?;
        Ok(mark)
    }

    /// Has it tell that everything up to this position is durable.
    pub(super) fn write(&self, position: Position) -> io::Result<()> {
        self.file.write_all_at(format(position).as_bytes(), 0)
    }
}

fn format(position: Position) -> String {
    let told = format!("{MAGIC} {:020}", position.0);
    format!("{told} {:08x}\n", crc32fast::hash(told.as_bytes()))
}

fn parse(text: &str) -> Option<Position> {
    let position = text.strip_prefix(MAGIC)?.get(1..21)?.parse().map(Position).ok()?;
    (text == format(position)).then_some(position)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back_and_nothing_else_is() {
        for position in [0, 1, 812, u64::MAX] {
            let text = format(Position(position));
            assert_eq!(text.len(), BYTES);
            assert_eq!(parse(&text), Some(Position(position)));
            for at in 0..text.len() {
                let mut changed = text.clone().into_bytes();
                changed[at] ^= 1;
                assert_eq!(parse(&String::from_utf8_lossy(&changed)), None, "byte {at}");
                assert_eq!(parse(&text[..at]), None);
            }
        }
    }
}
