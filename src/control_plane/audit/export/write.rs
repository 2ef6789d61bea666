//! An export as it is written: a page at a time.

use std::collections::VecDeque;

use crate::control_plane::audit::checkpoints::{self, Kept};
use crate::control_plane::audit::entry::Entry;
use crate::control_plane::audit::error::Error;
use crate::control_plane::audit::handle::{Audit, Recorded};
use crate::domain::clock::Timestamp;
use crate::store::chain::FIRST_SEQUENCE;
use crate::store::{Keyspace, Link, Store};

use super::format::Lines;

/// Entries that are read at once: with their readable form they stay far below a megabyte.
const PAGE_ENTRIES: usize = 256;

/// An export under way.
pub struct Export {
    store: Store,
    lines: Lines,
    /// The checkpoints to come: over how many entries, and the note.
    checkpoints: VecDeque<(u64, String)>,
    /// The next entry.
    next: u64,
    last: u64,
    has_ended: bool,
}

impl std::fmt::Debug for Export {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Export").field("next", &self.next).field("last", &self.last).finish_non_exhaustive()
    }
}

impl Audit {
    /// Begins an export of the whole log up to now, which a checkpoint is made over first.
    ///
    /// # Errors
    /// The log does not hold, so that nothing is signed for it; or the store failed.
    pub async fn export(&self, at: Timestamp) -> Result<Export, Error> {
        let last = self.checkpoint().await?.size;
        let public = self.public_key();
        let read = self.store.read(move |store| {
            let mut found = VecDeque::new();
            let read = checkpoints::each(store, |kept: Kept| {
                let size = kept.tree.size();
                // Those of a former key prove nothing to whoever has this one; their entries are under those of this one.
                if size <= last && kept.judge(&public).is_ok() {
                    found.push_back((size, kept.note));
                }
                Ok(())
            });
            Ok(read.map(|()| found))
        });
        let checkpoints = read.await??;
        let (store, mut lines) = (self.store.clone(), Lines::new(self.key.clone()));
        lines.header(at, last);
        let mut export = Export { store, lines, checkpoints, next: FIRST_SEQUENCE, last, has_ended: false };
        export.due(0);
        Ok(export)
    }
}

impl Export {
    /// How many entries it has.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.last
    }

    /// The next lines; none when it is whole.
    ///
    /// # Errors
    /// An entry is missing or cannot be read: what came so far has no end, and is no export.
    pub async fn next(&mut self) -> Result<Option<String>, Error> {
        if self.has_ended {
            return Ok(None);
        }
        if self.next > self.last {
            self.lines.end(self.last);
            self.has_ended = true;
            return Ok(Some(self.lines.take()));
        }
        let (from, left) = (self.next, self.last.saturating_sub(self.next).saturating_add(1));
        let limit = usize::try_from(left).unwrap_or(usize::MAX).min(PAGE_ENTRIES);
        let links = self.store.read(move |store| store.chain_range(Keyspace::Audit, from, limit)).await?;
        if links.is_empty() {
            return Err(Error::CutOff { expected: self.last, found: from.saturating_sub(1) });
        }
        links.into_iter().try_for_each(|link| self.add(link))?;
        Ok(Some(self.lines.take()))
    }

    fn add(&mut self, Link { sequence, record, link }: Link) -> Result<(), Error> {
        let entry = Entry::decode(&record).map_err(|reason| Error::Unreadable { sequence, reason })?;
        self.lines.entry(&Recorded { sequence, entry, link }, &record);
        self.due(sequence);
        self.next = sequence.saturating_add(1);
        Ok(())
    }

    /// Adds the checkpoints that were made over so many entries.
    fn due(&mut self, size: u64) {
        while let Some((_, note)) = self.checkpoints.pop_front_if(|(over, _)| *over <= size) {
            self.lines.checkpoint(&note);
        }
    }
}
