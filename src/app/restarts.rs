//! The restarts of actors, remembered in the store beyond the end of the daemon.
//!
//! ```text
//! supervisors ──note──▶ Restarts (in memory) ──round, once a second──▶ store
//!             ◀─history, restarts of earlier processes── loaded at the start
//! ```
//! Nobody waits for the store in the course of a restart. What was noted in the last second before a `kill -9` is lost with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dashmap::{DashMap, DashSet};
use minicbor::{Decode, Encode};
use ractor::{Actor, ActorProcessingErr, ActorRef};

use crate::domain::clock::Timestamp;
use crate::journal;
use crate::store::{self, Batch, Direction, Keyspace, Record, Store};
use crate::supervision::{Address, ChildSpec, History, Micros, Note, Quarantine, RestartLedger};

/// Actors that are remembered at once, of a few hundred bytes each. What is noted of more is forgotten with the daemon.
const ACTORS_MAX: usize = 100_000;
/// Restarts that are remembered of one actor: the last ones. An intensity above this counts no more of earlier processes.
const RESTARTS_MAX: usize = 256;
/// Give-ups that are remembered of one actor: the last ones.
const GIVE_UPS_MAX: usize = 16;
/// How long an actor that is neither in quarantine nor restarted again is remembered.
const KEPT_FOR: Duration = Duration::from_secs(24 * 3_600);
/// How often room for one more actor is looked for where there is none.
const ROOM_PERIOD: Duration = Duration::from_secs(60);
/// How often what changed is written: each actor once in a round at the most.
const ROUND_PERIOD: Duration = Duration::from_secs(1);
/// How long one write is waited for, and how long after the round began another one begins. What is not written by then is
/// written in the next round.
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);
/// Actors that are written together; a batch holds as many changes and more.
const WRITTEN_AT_ONCE: usize = 256;

const KIND: u8 = 1;
const VERSION: u8 = 1;

/// The record of one actor, under its ledger key.
#[derive(Debug, Default, Encode, Decode)]
struct Stored {
    #[n(0)]
    restarts: Vec<u64>,
    #[n(1)]
    total: u32,
    #[n(2)]
    given_up: Vec<u64>,
    #[n(3)]
    quarantined_since: Option<u64>,
    #[n(4)]
    exit: Option<String>,
}

#[derive(Debug, Default)]
struct Entry {
    restarts: Vec<Micros>,
    /// Those of earlier processes, until they are taken.
    earlier: Vec<Micros>,
    known: History,
}

/// The ledger. Cheap to clone.
#[derive(Clone)]
pub(super) struct Restarts(Arc<Inner>);

struct Inner {
    store: Store,
    entries: DashMap<Arc<str>, Entry>,
    /// What the store does not know yet.
    changed: DashSet<Arc<str>>,
    /// When there was no room last, in microseconds.
    looked_for_room: AtomicU64,
}

impl Restarts {
    /// Reads what earlier processes noted.
    ///
    /// # Errors
    /// The store cannot be read. A record that is damaged is left out, and the log says so.
    pub(super) async fn load(store: &Store) -> Result<Self, store::Error> {
        let read = |store: &Store| store.survey(Keyspace::Restart, b"", None, Direction::Ascending, ACTORS_MAX);
        let found = store.read(read).await?;
        let inner = Inner {
            store: store.clone(),
            entries: DashMap::new(),
            changed: DashSet::new(),
            looked_for_room: AtomicU64::new(0),
        };
        let restarts = Self(Arc::new(inner));
        let now = restarts.now();
        for (key, record) in found {
            let key: Arc<str> = String::from_utf8_lossy(&key).into();
            match record.map_err(|fault| fault.to_string()).and_then(|record| decode(&record)) {
                Ok(entry) if entry.is_over(now) => drop(restarts.0.changed.insert(key)),
                Ok(entry) => drop(restarts.0.entries.insert(key, entry)),
                Err(fault) => tracing::error!(actor = %key, fault, "the restarts of an actor cannot be read"),
            }
        }
        Ok(restarts)
    }

    /// The spec of the actor that writes.
    pub(super) fn spec(&self) -> ChildSpec {
        let restarts = self.clone();
        ChildSpec::worker(&Address::new("restarts"), move || (Writer, restarts.clone()))
    }

    /// Writes what changed, each actor once. What cannot be written now stays to be written.
    async fn write(&self) {
        let changed: Vec<Arc<str>> = self.0.changed.iter().map(|key| Arc::clone(key.key())).collect();
        let began = tokio::time::Instant::now();
        for keys in changed.chunks(WRITTEN_AT_ONCE).take_while(|_| began.elapsed() < WRITTEN_WITHIN) {
            if let Err(fault) = self.write_together(keys).await {
                tracing::warn!(fault, "the restarts of actors could not be written; they are with the next round");
                return;
            }
        }
    }

    async fn write_together(&self, keys: &[Arc<str>]) -> Result<(), String> {
        let mut unwritten = Unwritten { changed: &self.0.changed, keys };
        let mut batch = Batch::new();
        for key in keys {
            // First taken off the list: what is noted from here on is written in the next round.
            self.0.changed.remove(key);
            batch = match self.0.entries.get(key) {
                Some(entry) => batch.put(Keyspace::Restart, key.as_bytes(), encode(&entry)),
                None => batch.delete(Keyspace::Restart, key.as_bytes()),
            };
        }
        match tokio::time::timeout(WRITTEN_WITHIN, self.0.store.commit(batch)).await {
            Ok(Ok(_)) => {
                unwritten.keys = &[];
                Ok(())
            }
            Ok(Err(fault)) => Err(fault.to_string()),
            Err(_) => Err("the store did not answer in time".to_owned()),
        }
    }

    /// Changes what is known of an actor; a new one is remembered where there is room.
    fn change(&self, key: &str, change: impl FnOnce(&mut Entry)) {
        if let Some(mut entry) = self.0.entries.get_mut(key) {
            change(&mut entry);
            self.0.changed.insert(Arc::clone(entry.key()));
            return;
        }
        if self.0.entries.len() >= ACTORS_MAX && !self.make_room(self.now()) {
            return;
        }
        let key: Arc<str> = key.into();
        change(&mut self.0.entries.entry(Arc::clone(&key)).or_default());
        self.0.changed.insert(key);
    }

    /// Forgets who is over; answers whether there is room now. Where there is not, that is found out again only after
    /// [`ROOM_PERIOD`]: no restart is to pay for a look at everybody.
    fn make_room(&self, now: Micros) -> bool {
        let looked = Micros(self.0.looked_for_room.load(Ordering::Relaxed));
        if now >= looked && now.since(looked) < ROOM_PERIOD {
            return false;
        }
        self.0.entries.retain(|_, entry| !entry.is_over(now));
        let has_room = self.0.entries.len() < ACTORS_MAX;
        if !has_room {
            self.0.looked_for_room.store(now.0, Ordering::Relaxed);
            tracing::warn!(limit = ACTORS_MAX, "no room to remember the restarts of more actors");
        }
        has_room
    }
}

/// What is being written: put back on the list where it is not, also where the writer is killed meanwhile.
struct Unwritten<'a> {
    changed: &'a DashSet<Arc<str>>,
    keys: &'a [Arc<str>],
}

impl Drop for Unwritten<'_> {
    fn drop(&mut self) {
        for key in self.keys {
            self.changed.insert(Arc::clone(key));
        }
    }
}

impl Entry {
    /// Whether nothing of it counts any more.
    fn is_over(&self, now: Micros) -> bool {
        let last = [self.restarts.last(), self.earlier.last(), self.known.given_up.last()];
        let last = last.into_iter().flatten().max();
        self.known.quarantine.is_none() && last.is_none_or(|&last| now.since(last) > KEPT_FOR)
    }

    fn forget_restarts(&mut self) {
        self.restarts.clear();
        self.earlier.clear();
    }
}

fn push(times: &mut Vec<Micros>, time: Micros, most: usize) {
    if times.len() >= most {
        times.remove(0);
    }
    times.push(time);
}

impl RestartLedger for Restarts {
    fn now(&self) -> Micros {
        Micros(u64::try_from(Timestamp::now().micros()).unwrap_or_default())
    }

    fn history(&self, key: &str) -> History {
        self.0.entries.get(key).map(|entry| entry.known.clone()).unwrap_or_default()
    }

    fn take_restarts(&self, key: &str) -> Vec<Micros> {
        let Some(mut entry) = self.0.entries.get_mut(key) else { return Vec::new() };
        let taken = std::mem::take(&mut entry.earlier);
        // A third process counts them too, if they are recent then.
        entry.restarts.splice(..0, taken.iter().copied());
        let excess = entry.restarts.len().saturating_sub(RESTARTS_MAX);
        entry.restarts.drain(..excess);
        taken
    }

    fn note(&self, key: &str, note: Note) {
        let now = self.now();
        match note {
            Note::Restarted => self.change(key, |entry| {
                push(&mut entry.restarts, now, RESTARTS_MAX);
                entry.known.total = entry.known.total.saturating_add(1);
            }),
            Note::GivenUp => self.change(key, |entry| {
                entry.forget_restarts();
                push(&mut entry.known.given_up, now, GIVE_UPS_MAX);
            }),
            Note::Quarantined { exit } => self.change(key, |entry| {
                entry.forget_restarts();
                entry.known.quarantine = Some(Quarantine { since: now, exit: exit.to_string().into() });
            }),
            Note::Forgiven if self.0.entries.contains_key(key) => self.change(key, |entry| {
                entry.forget_restarts();
                (entry.known.given_up, entry.known.quarantine) = (Vec::new(), None);
            }),
            Note::Ended if self.0.entries.contains_key(key) => {
                self.change(key, Entry::forget_restarts);
                let is_over = |_: &Arc<str>, entry: &Entry| entry.is_over(now);
                self.0.entries.remove_if(key, is_over);
            }
            Note::Forgiven | Note::Ended => {}
        }
    }
}

fn encode(entry: &Entry) -> Record {
    let micros = |times: &[Micros]| times.iter().map(|time| time.0).collect();
    let quarantine = entry.known.quarantine.as_ref();
    // Those of an earlier process that nobody has taken yet still count in the next.
    let all: Vec<Micros> = entry.earlier.iter().chain(&entry.restarts).copied().collect();
    let stored = Stored {
        restarts: micros(&all),
        total: entry.known.total,
        given_up: micros(&entry.known.given_up),
        quarantined_since: quarantine.map(|quarantine| quarantine.since.0),
        exit: quarantine.map(|quarantine| quarantine.exit.to_string()),
    };
    Record { kind: KIND, version: VERSION, body: journal::encode(&stored) }
}

fn decode(record: &Record) -> Result<Entry, String> {
    if (record.kind, record.version) != (KIND, VERSION) {
        return Err(format!("is of kind {} and version {}", record.kind, record.version));
    }
    let stored: Stored = minicbor::decode(&record.body).map_err(|fault| fault.to_string())?;
    let times = |times: Vec<u64>| times.into_iter().map(Micros).collect();
    let quarantine = stored
        .quarantined_since
        .map(|since| Quarantine { since: Micros(since), exit: stored.exit.unwrap_or_default().into() });
    let known = History { total: stored.total, given_up: times(stored.given_up), quarantine };
    Ok(Entry { restarts: Vec::new(), earlier: times(stored.restarts), known })
}

enum Message {
    /// From itself.
    Round,
}

struct Writer;

impl Actor for Writer {
    type Msg = Message;
    type State = Restarts;
    type Arguments = Restarts;

    async fn pre_start(&self, myself: ActorRef<Message>, restarts: Restarts) -> Result<Restarts, ActorProcessingErr> {
        myself.send_after(ROUND_PERIOD, || Message::Round);
        Ok(restarts)
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        restarts: &mut Restarts,
    ) -> Result<(), ActorProcessingErr> {
        let Message::Round = message;
        restarts.write().await;
        myself.send_after(ROUND_PERIOD, || Message::Round);
        Ok(())
    }

    async fn post_stop(&self, _myself: ActorRef<Message>, restarts: &mut Restarts) -> Result<(), ActorProcessingErr> {
        restarts.write().await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::store::Options;
    use crate::supervision::Exit;

    fn store(directory: &std::path::Path) -> Store {
        Store::open(directory, Options { cache_bytes: 1 << 20 }).expect("a store")
    }

    #[tokio::test]
    async fn what_was_noted_is_there_in_the_next_process_and_its_restarts_are_told_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = store(directory.path());
        let _committer = store.run_committer().expect("a committer");
        let first = Restarts::load(&store).await.expect("a ledger");
        first.note("a", Note::Restarted);
        first.note("a", Note::Restarted);
        first.note("given up", Note::Restarted);
        first.note("given up", Note::GivenUp);
        first.note("poison", Note::Quarantined { exit: Exit::Killed });
        first.note("over", Note::Restarted);
        first.note("over", Note::Ended);
        first.note("unknown", Note::Ended);
        first.note("forgiven", Note::Quarantined { exit: Exit::Killed });
        first.note("forgiven", Note::Forgiven);
        assert!(first.take_restarts("a").is_empty(), "they are this process's own");
        first.write().await;

        for process in 2..5 {
            let next = Restarts::load(&store).await.expect("a ledger");
            assert_eq!(next.history("a").total, process);
            assert_eq!((next.take_restarts("a").len(), next.take_restarts("a").len()), (process as usize, 0));
            next.note("a", Note::Restarted);
            assert_eq!((next.take_restarts("given up").len(), next.history("given up").given_up.len()), (0, 1));
            let quarantine = next.history("poison").quarantine.expect("a quarantine");
            assert_eq!(&*quarantine.exit, "killed");
            assert_eq!(next.history("forgiven").quarantine, None);
            assert_eq!(next.history("over"), History::default());
            next.write().await;
        }
    }

    #[tokio::test]
    async fn an_actor_is_written_once_a_round_and_a_damaged_record_hides_no_other() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = store(directory.path());
        let _committer = store.run_committer().expect("a committer");
        let ledger = Restarts::load(&store).await.expect("a ledger");
        for _ in 0..RESTARTS_MAX + 10 {
            ledger.note("a", Note::Restarted);
        }
        assert_eq!(ledger.0.changed.len(), 1);
        ledger.write().await;
        assert!(ledger.0.changed.is_empty());
        let newer = Record { kind: KIND, version: VERSION + 1, body: vec![1] };
        let torn = Record { kind: KIND, version: VERSION, body: vec![0xff] };
        let strange = Batch::new().put(Keyspace::Restart, "newer", newer).put(Keyspace::Restart, "torn", torn);
        store.commit(strange).await.expect("committed");
        let next = Restarts::load(&store).await.expect("a ledger");
        assert_eq!(next.take_restarts("a").len(), RESTARTS_MAX);
        assert_eq!(next.history("newer"), History::default());
        assert!(store.get(Keyspace::Restart, b"newer").expect("read").is_some(), "what a newer version wrote stays");
    }

    #[tokio::test]
    async fn all_that_changed_is_written_however_much_it_is_also_when_a_writer_was_killed_at_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = store(directory.path());
        let _committer = store.run_committer().expect("a committer");
        let ledger = Restarts::load(&store).await.expect("a ledger");
        let actors = 2 * WRITTEN_AT_ONCE + 1;
        let key = |number: usize| format!("agents/{number}");
        (0..actors).for_each(|number| ledger.note(&key(number), Note::Quarantined { exit: Exit::Killed }));
        assert!(ledger.write().now_or_never().is_none(), "it waits for the store");
        assert_eq!(ledger.0.changed.len(), actors, "nothing was confirmed");
        ledger.write().await;
        assert!(ledger.0.changed.is_empty());
        let next = Restarts::load(&store).await.expect("a ledger");
        assert_eq!((0..actors).find(|&number| next.history(&key(number)).quarantine.is_none()), None);
    }

    #[tokio::test]
    async fn who_finds_no_room_does_not_look_at_everybody_each_time() {
        let directory = tempfile::tempdir().expect("a directory");
        let ledger = Restarts::load(&store(directory.path())).await.expect("a ledger");
        let (began, kept) = (Micros(1), u64::try_from(KEPT_FOR.as_micros()).expect("a day"));
        for number in 0..ACTORS_MAX {
            let entry = Entry { restarts: vec![began], ..Entry::default() };
            ledger.0.entries.insert(number.to_string().into(), entry);
        }
        let after = |seconds: u64| Micros(began.0 + kept + seconds * 1_000_000);
        for (seconds, room) in [(0, false), (1, false), (59, false), (60, true)] {
            assert_eq!(ledger.make_room(after(seconds)), room, "after {seconds} s");
        }
        assert!(ledger.0.entries.is_empty(), "all are over");
    }

    #[test]
    fn what_was_long_ago_is_over_unless_it_is_a_quarantine() {
        let at = |hours: u64| Micros(hours * 3_600_000_000);
        let entry = |restarts: &[u64]| Entry {
            restarts: restarts.iter().map(|&hours| at(hours)).collect(),
            ..Entry::default()
        };
        assert!(!entry(&[1]).is_over(at(25)) && entry(&[1]).is_over(at(26)) && !entry(&[1, 2]).is_over(at(26)));
        let quarantine = Some(Quarantine { since: at(1), exit: "killed".into() });
        let kept = Entry { known: History { quarantine, ..History::default() }, ..Entry::default() };
        assert!(!kept.is_over(at(1_000)));
    }
}
