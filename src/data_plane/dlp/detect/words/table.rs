//! Tables: the headings of columns say what is in the cells below them.
//!
//! A line is a table's head where a word of ours is in one of its cells and the next line has as many delimiters. The heading is
//! put before each cell of its column as a word without length, so that detectors find it where they look for words anyway.

use super::{Hit, Topics};
use crate::data_plane::dlp::detect::boundary::slice;

/// The longest line that is a row, in bytes.
const ROW_BYTES_MAX: usize = 4 * 1024;

/// The longest line that is a head, in bytes.
const HEAD_BYTES_MAX: usize = 1024;

/// The longest heading, in bytes: what is longer is prose.
const HEADING_BYTES_MAX: usize = 48;

/// The most columns.
const COLUMNS_MAX: usize = 64;

/// What delimits cells, the rarest in prose first.
const DELIMITERS: [u8; 4] = [b'\t', b'|', b';', b','];

/// The head of the table that the lines belong to, if they belong to one.
#[derive(Debug, Default)]
pub(in crate::data_plane::dlp::detect) struct Table {
    head: Option<Head>,
}

#[derive(Debug)]
struct Head {
    delimiter: u8,
    columns: Vec<Topics>,
}

impl Table {
    /// Adds the headings before the cells of the rows in `from..to`. The hits are in order before and after.
    pub(super) fn label(&mut self, bytes: &[u8], from: usize, to: usize, hits: &mut Vec<Hit>) {
        let found = hits.len();
        let (mut at, mut next_hit) = (from, 0_usize);
        while at < to {
            let end = line_end(bytes, at);
            let upto = hits.get(..found).unwrap_or_default().partition_point(|hit| hit.start < end).max(next_hit);
            let on_line = hits.get(next_hit..upto).unwrap_or_default();
            let first = on_line.partition_point(|hit| hit.start < at);
            let on_line = on_line.get(first..).unwrap_or_default();
            next_hit = upto;
            if !self.is_row(bytes, at, end) {
                self.head = Head::read(bytes, at, end, on_line);
            } else if let Some(head) = &self.head {
                head.label(bytes, at, end, hits);
            }
            at = end.saturating_add(1);
        }
        if hits.len() > found {
            hits.sort_unstable_by_key(|hit| (hit.start, hit.end));
        }
    }

    fn is_row(&self, bytes: &[u8], from: usize, to: usize) -> bool {
        let short = to.saturating_sub(from) <= ROW_BYTES_MAX;
        short
            && self
                .head
                .as_ref()
                .is_some_and(|head| cells(bytes, from, to, head.delimiter).count() == head.columns.len())
    }
}

impl Head {
    /// The line as a head, if it is one.
    fn read(bytes: &[u8], from: usize, to: usize, hits: &[Hit]) -> Option<Self> {
        if hits.is_empty() || to.saturating_sub(from) > HEAD_BYTES_MAX {
            return None;
        }
        let line = slice(bytes, from, to);
        let delimiter = DELIMITERS.into_iter().find(|delimiter| line.contains(delimiter))?;
        let mut columns = Vec::new();
        for (start, end) in cells(bytes, from, to, delimiter) {
            if end.saturating_sub(start) > HEADING_BYTES_MAX || columns.len() == COLUMNS_MAX {
                return None;
            }
            let inside = hits.iter().filter(|hit| hit.start >= start && hit.end <= end);
            let topics = inside.fold(Topics::NONE, |topics, hit| topics | hit.topics);
            columns.push(topics | Topics::COLUMN);
        }
        let below = to.saturating_add(1);
        let below_end = line_end(bytes, below);
        let rows = below_end.saturating_sub(below) <= ROW_BYTES_MAX
            && columns.len() > 1
            && cells(bytes, below, below_end, delimiter).count() == columns.len();
        rows.then_some(Self { delimiter, columns })
    }

    fn label(&self, bytes: &[u8], from: usize, to: usize, hits: &mut Vec<Hit>) {
        for ((start, end), topics) in cells(bytes, from, to, self.delimiter).zip(&self.columns) {
            let blank = |byte: &u8| matches!(byte, b' ' | b'"' | b'\'');
            let indent = slice(bytes, start, end).iter().position(|byte| !blank(byte));
            if let Some(indent) = indent {
                let at = start.saturating_add(indent);
                hits.push(Hit { start: at, end: at, topics: *topics });
            }
        }
    }
}

/// Where the line ends, or where it has become too long for a row: a text without lines is not read to its end again and again.
fn line_end(bytes: &[u8], from: usize) -> usize {
    let most = from.saturating_add(ROW_BYTES_MAX).saturating_add(1).min(bytes.len());
    memchr::memchr(b'\n', slice(bytes, from, most)).map_or(most, |at| from.saturating_add(at))
}

/// The cells of a line. A delimiter between quotation marks is none.
fn cells(bytes: &[u8], from: usize, to: usize, delimiter: u8) -> impl Iterator<Item = (usize, usize)> {
    let line = slice(bytes, from, to);
    let mut start = Some(from);
    std::iter::from_fn(move || {
        let begins = start?;
        let mut quoted = false;
        let cell = line.get(begins.saturating_sub(from)..).unwrap_or_default();
        let len = cell.iter().position(|byte| {
            quoted ^= *byte == b'"';
            *byte == delimiter && !quoted
        });
        let end = begins.saturating_add(len.unwrap_or(cell.len()));
        start = len.map(|_| end.saturating_add(1));
        Some((begins, end))
    })
}
