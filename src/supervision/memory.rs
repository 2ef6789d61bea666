//! What a supervisor remembers of its children beyond their lives and its own, and how a quarantine ends.

use std::time::Duration;

use ractor::{ActorProcessingErr, ActorRef};

use super::actor::Running;
use super::child::{Key, Past};
use super::message::{Found, Message};
use super::{ChildId, Error, Exit, Note, RestartLedger};

/// Where the clock of a supervisor begins, so that what was before it has a place on it: a hundred years.
const BEGINNING: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

impl Running {
    /// The supervisor's own clock.
    pub(super) fn now(&self) -> Duration {
        BEGINNING.saturating_add(self.began.elapsed())
    }

    fn ledger(&self, key: Key) -> Option<(&dyn RestartLedger, &str)> {
        let ledger = self.inherited.ledger.as_deref()?;
        Some((ledger, self.roster.spec(key)?.ledger_key.as_deref()?))
    }

    pub(super) fn note(&self, key: Key, note: Note) {
        if let Some((ledger, name)) = self.ledger(key) {
            ledger.note(name, note);
        }
    }

    /// The supervisor gives up: its children begin anew with the next one. Those in quarantine stay there.
    pub(super) fn forgive_all(&self) {
        let shared = self.state.children().filter(|(_, child)| !child.traits.quarantine);
        shared.for_each(|(key, _)| self.note(key, Note::Forgiven));
    }

    /// Counts what is remembered of a child that is about to be started for the first time. Answers whether it stays down.
    pub(super) fn recall(&mut self, key: Key) -> bool {
        let Some((ledger, name)) = self.ledger(key) else { return false };
        let (history, earlier, now) = (ledger.history(name), ledger.take_restarts(name), ledger.now());
        let past = Past {
            restarted_ago: earlier.into_iter().map(|then| now.since(then)).collect(),
            total: history.total,
            quarantined: history.quarantine.map(|quarantine| Exit::Recalled(quarantine.exit)),
        };
        let stays_down = self.state.recall(key, past, self.now());
        if stays_down {
            self.roster.close(key);
        }
        stays_down
    }

    pub(super) async fn release_child(
        &mut self,
        myself: &ActorRef<Message>,
        id: &ChildId,
    ) -> Result<Result<(), Error>, ActorProcessingErr> {
        match self.state.release(id) {
            Ok((key, generation)) => self.start_for_caller(myself, key, generation).await,
            Err(refusal) => Ok(Err(self.refused(refusal, id))),
        }
    }

    /// The child whose id is the longest beginning of a path. Ids may have slashes of their own.
    pub(super) fn find(&self, path: &str) -> Option<Found> {
        let ends = path.rmatch_indices('/').map(|(end, _)| end);
        std::iter::once(path.len()).chain(ends).find_map(|end| {
            let (id, rest) = path.split_at_checked(end)?;
            let child = ChildId::from(id);
            let key = self.state.key_of(&child)?;
            let rest = rest.strip_prefix('/').map(Into::into);
            Some(Found { child, rest, below: self.roster.handle(key) })
        })
    }
}
