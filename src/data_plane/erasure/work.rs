//! What an erasure does, step by step. Each can be done again.

use std::time::Duration;

use super::error::Error;
use super::handle::{Erasures, Means, counted, scope};
use super::record::Stored;
use crate::control_plane::audit::{Audit, Entry, RECEIPT_FORMAT, TAIL_ENTRIES_MAX, Who};
use crate::domain::clock::Timestamp;
use crate::domain::owner::Selector;
use crate::journal::erasing::{BEFORE_TASKS, BEHIND_TASKS, OWNED, Tally};
use crate::journal::events::Event;
use crate::protocol::erasure::Receipt;
use crate::store::Keyspace;

/// How long open tasks may take to end when they are asked to.
const TASKS_GRACE: Duration = Duration::from_secs(10);
/// The name under which tasks are cancelled.
const BY: &str = "an erasure";

impl Erasures {
    /// Carries an erasure out, to its receipt.
    pub(super) async fn erase(&self, mut stored: Stored) -> Result<(), Error> {
        let Means { journal, audit, admission, results, .. } = self.means();
        // No release writes a record that names nobody. It erases nothing, and is never taken for done.
        let Some(whose) = stored.whose() else { return Ok(()) };
        let (store, tally) = (journal.store(), Tally(stored.id));
        let undecided = self.delete(&whose, tally).await?;
        results.forget(&whose);

        if stored.note_keys(store.key_ids_of(&whose)) {
            // INVARIANT: they are noted before they are destroyed: afterwards nobody knows any more whose they were.
            store.commit(stored.put()).await?;
        }
        let destroyed = store.destroy_keys(&whose).await?;
        if stored.note_keys(destroyed.key_ids) {
            // One that was made between the two.
            store.commit(stored.put()).await?;
        }
        let left = store.key_ids_of(&whose);
        if let Some(key) = stored.key_ids.iter().find(|key| left.contains(key)) {
            return Err(Error::KeyLeft(*key));
        }
        for keyspace in OWNED {
            let mut after = None;
            loop {
                after = journal.erase_remnants(keyspace, after, tally).await?;
                if after.is_none() {
                    break;
                }
            }
        }
        // What could not be read may have been theirs: without its key it went as a remnant, and only what is left counts.
        let undecided = if undecided == 0 { 0 } else { self.delete(&whose, tally).await? };
        let receipt = self.receipt(&stored, tally, undecided).await?;
        let signed = audit.sign_erasure(receipt);
        stored.receipt = serde_json::to_string(&signed).ok();
        let entry = Entry::allowed(Timestamp::now(), Who::daemon(), "data_erased").on(scope(&whose)).because(stored.id);
        store.commit(stored.put().and(audit.batch(entry))).await?;
        admission.closed().open(&whose);
        let deleted = signed.receipt.deleted;
        tracing::info!(erasure = %stored.id, tasks = deleted.tasks, agents = deleted.agents, keys = stored.key_ids.len(), "data was erased");
        if undecided > 0 {
            tracing::error!(erasure = %stored.id, undecided, "damaged records could not be told to be anybody's, and stay; the receipt says so");
        }
        let event = Event::new("data_erased").with("erasure", stored.id).with("tasks", deleted.tasks);
        journal.events().publish(event.with("keys", stored.key_ids.len()));
        Ok(())
    }

    /// Ends what is open, and deletes everything that can be told to be theirs; returns of how much nobody can tell whose it is.
    async fn delete(&self, whose: &Selector, tally: Tally) -> Result<u64, Error> {
        let Means { journal, orchestrator, .. } = self.means();
        let mut undecided = loop {
            let mut undecided = 0_u64;
            orchestrator.end_all_of(whose, BY, TASKS_GRACE).await?;
            for keyspace in BEFORE_TASKS {
                undecided = undecided.saturating_add(self.delete_entries(keyspace, whose, tally).await?);
            }
            let (mut after, mut found_open) = (None, false);
            loop {
                let round = journal.erase_tasks(after, whose, tally).await?;
                found_open = found_open || round.found_open;
                undecided = undecided.saturating_add(round.undecided);
                after = round.next;
                if after.is_none() {
                    break;
                }
            }
            // One whose end was being written when it was looked at.
            if !found_open {
                break undecided;
            }
        };
        for keyspace in BEHIND_TASKS {
            undecided = undecided.saturating_add(self.delete_entries(keyspace, whose, tally).await?);
        }
        Ok(undecided)
    }

    async fn delete_entries(&self, keyspace: Keyspace, whose: &Selector, tally: Tally) -> Result<u64, Error> {
        let Means { journal, factory, owner_of, .. } = self.means();
        let (mut after, mut undecided) = (None, 0_u64);
        loop {
            let round = journal.erase_entries(keyspace, after, (whose, owner_of), tally).await?;
            // What they remember leaves memory with them.
            factory.ask_to_leave(round.agents);
            undecided = undecided.saturating_add(round.undecided);
            after = round.next;
            if after.is_none() {
                return Ok(undecided);
            }
        }
    }

    async fn receipt(&self, stored: &Stored, tally: Tally, undecided: u64) -> Result<Receipt, Error> {
        let Means { journal, audit, .. } = self.means();
        let key = audit.public_key();
        let method = if stored.key_ids.is_empty() { "deleted" } else { "keys_destroyed" };
        Ok(Receipt {
            format: RECEIPT_FORMAT.to_owned(),
            log: key.log_id(),
            key: key.to_base64(),
            erasure_id: stored.id.to_string(),
            tenant: stored.tenant.as_ref().map(ToString::to_string),
            user: stored.user.as_ref().map(ToString::to_string),
            asked_by: stored.by.clone(),
            asked_at: stored.at.to_string(),
            finished_at: Timestamp::now().to_string(),
            method: method.to_owned(),
            deleted: counted(journal.deleted(tally).await?),
            undecided,
            key_ids: stored.key_ids.clone(),
            audit_entry: entry_of(audit, stored).await?,
        })
    }
}

/// The audit entry of whoever asked: it became durable with the erasure, at or behind the place that was noted.
async fn entry_of(audit: &Audit, stored: &Stored) -> Result<u64, Error> {
    let id = stored.id.to_string();
    let mut after = stored.audit_from.saturating_sub(1);
    loop {
        let page = match audit.tail(after, TAIL_ENTRIES_MAX).await {
            // A log that does not hold is told by itself; what was erased is gone all the same.
            Err(error) if error.is_damage() => return Ok(stored.audit_from),
            page => page?,
        };
        let Some(last) = page.last() else { return Ok(stored.audit_from) };
        if let Some(found) = page.iter().find(|recorded| recorded.entry.reason.as_deref() == Some(id.as_str())) {
            return Ok(found.sequence);
        }
        after = last.sequence;
    }
}
