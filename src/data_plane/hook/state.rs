//! Which entries of the outbox are delivered next. Pure: time and chance are arguments.
//!
//! ```text
//! (outbox) ─read─> due ──> calling ──> done ──> concluding ──> (gone)
//!                   ^─pause──┘ failed    ^─pause──┘ the store failed
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::error::Error;
use crate::data_plane::tool;
use crate::domain::clock::Timestamp;
use crate::domain::failure::{Failure, Retry};
use crate::domain::hook::Hook;
use crate::domain::name::ToolName;
use crate::journal::outbox::{Entry, Key, Page};

/// Entries of one tool that are in memory to be delivered, of some hundred bytes each.
pub const WINDOW: usize = 64;
/// Calls of one tool at once for hooks; its own `max_concurrency` binds as well.
pub const CALLS_PER_TOOL_MAX: usize = 4;
/// Entries that may wait for one tool, on the disk: some 40 MB. Beyond it the oldest that is not in memory is dropped.
pub const ENTRIES_PER_TOOL_MAX: u64 = 100_000;
/// Entries that are dropped together.
pub const DROPPED_AT_ONCE: usize = 256;
/// An entry this old is not tried again once a call of it has failed, however often the daemon was started meanwhile.
pub const AGE_MAX: Duration = Duration::from_secs(24 * 3_600);
/// The longest pause between two calls for one entry, before chance stretches it.
pub const PAUSE_MAX: Duration = Duration::from_secs(300);
/// After how long the store is asked again.
pub const STORE_AGAIN: Duration = Duration::from_secs(1);
/// How often it is seen how many entries wait for a tool that takes none.
pub const CROWDED_AGAIN: Duration = Duration::from_secs(10);

/// How often, and how soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Calls for one entry, the first included, until it is given up; counted anew when the daemon starts.
    pub attempts_max: u32,
    /// The pause after the first failed call; each further one is twice as long.
    pub pause: Duration,
}

/// The present moment.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Since the actor started.
    pub since: Duration,
    /// On the wall clock, for the age of entries.
    pub at: Timestamp,
}

/// What the shell is to do.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Read the first so many entries of a tool.
    Read(ToolName, usize),
    /// Tell the tool.
    Call(Key, Arc<Entry>),
    /// Remove the entry.
    Conclude(Key),
}

/// How an entry ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The tool took it.
    Delivered,
    /// It was given up.
    GivenUp(Error),
}

/// An entry that is gone for good.
#[derive(Debug, Clone)]
pub struct Concluded {
    /// Its name.
    pub key: Key,
    /// What it said; none where it could not be read.
    pub entry: Option<Arc<Entry>>,
    /// How it ended.
    pub outcome: Outcome,
    /// Calls that were made for it.
    pub attempts: u32,
}

#[derive(Debug)]
struct Item {
    entry: Option<Arc<Entry>>,
    attempts: u32,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// It is called for, not before this moment.
    Due(Duration),
    /// Its tool is being told.
    Calling,
    /// It is to be removed, not before this moment.
    Done(Duration, Outcome),
    /// It is being removed.
    Concluding(Outcome),
}

/// The entries of one tool.
#[derive(Debug, Default)]
struct Lane {
    items: BTreeMap<Key, Item>,
    /// How many there are, in memory and not, as was read last.
    depth: u64,
    /// There may be entries that are not in memory.
    stale: bool,
    /// How many entries are being read.
    reading: Option<usize>,
    read_last: Option<Duration>,
    /// The store failed; it is not asked before this moment.
    not_before: Duration,
    /// Entries that were removed since the read began, which may still show them.
    gone: BTreeSet<Key>,
}

/// All tools' entries. Memory: at most [`WINDOW`] and [`DROPPED_AT_ONCE`] entries for each tool that has any.
#[derive(Debug)]
pub struct State {
    rules: Rules,
    lanes: BTreeMap<ToolName, Lane>,
    draining: bool,
}

impl State {
    /// Nothing to deliver.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self { rules, lanes: BTreeMap::new(), draining: false }
    }

    /// A tool has got entries, or may have some.
    pub fn placed(&mut self, tool: ToolName) {
        self.lanes.entry(tool).or_default().stale = true;
    }

    /// No further call is made; what is under way may end.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// Whether nothing is under way.
    #[must_use]
    pub fn is_still(&self) -> bool {
        let moves = |item: &Item| match item.phase {
            Phase::Calling | Phase::Concluding(_) | Phase::Done(..) => true,
            Phase::Due(_) => false,
        };
        !self.lanes.values().flat_map(|lane| lane.items.values()).any(moves)
    }

    /// How many entries wait for a tool, as far as is known.
    #[must_use]
    pub fn depth(&self, tool: &ToolName) -> u64 {
        self.lanes.get(tool).map_or(0, |lane| lane.depth)
    }

    /// The hook of an entry that is in memory.
    #[must_use]
    pub fn hook(&self, key: &Key) -> Option<Hook> {
        self.lanes.get(&key.tool)?.items.get(key)?.entry.as_ref().map(|entry| entry.hook)
    }

    /// What was read of a tool.
    pub fn found(&mut self, tool: &ToolName, page: Page, now: Now) {
        let Some(lane) = self.lanes.get_mut(tool) else { return };
        lane.found(page, now);
        if lane.items.is_empty() && !lane.stale {
            self.lanes.remove(tool);
        }
    }

    /// The store did not say.
    pub fn unread(&mut self, tool: &ToolName, now: Now) {
        if let Some(lane) = self.lanes.get_mut(tool) {
            (lane.reading, lane.stale) = (None, true);
            lane.not_before = now.since.saturating_add(STORE_AGAIN);
            lane.gone.clear();
        }
    }

    /// How a call ended; `chance`, from 0 to 1, stretches the pause before the next. Says whether there is a next.
    pub fn returned(&mut self, key: &Key, result: Result<(), Error>, now: Now, chance: f64) -> bool {
        let rules = self.rules;
        let Some(item) = self.item(key) else { return false };
        let Err(error) = result else {
            item.phase = Phase::Done(now.since, Outcome::Delivered);
            return false;
        };
        let is_old = item.entry.as_ref().is_none_or(|entry| now.at.since(entry.at) >= AGE_MAX);
        let is_over = error.is_final() || item.attempts >= rules.attempts_max || is_old;
        item.phase = if is_over {
            Phase::Done(now.since, Outcome::GivenUp(error))
        } else {
            Phase::Due(
                now.since.saturating_add(pause(rules, &error, item.attempts).mul_f64(1.0 + chance.clamp(0.0, 1.0))),
            )
        };
        !is_over
    }

    /// Whether an entry was removed; it is told of once it was.
    pub fn concluded(&mut self, key: &Key, is_gone: bool, now: Now) -> Option<Concluded> {
        let lane = self.lanes.get_mut(&key.tool)?;
        let item = lane.items.remove(key)?;
        let Phase::Concluding(outcome) = item.phase else {
            lane.items.insert(key.clone(), item);
            return None;
        };
        if !is_gone {
            let phase = Phase::Done(now.since.saturating_add(STORE_AGAIN), outcome);
            lane.items.insert(key.clone(), Item { phase, ..item });
            return None;
        }
        lane.depth = lane.depth.saturating_sub(1);
        if lane.reading.is_some() {
            lane.gone.insert(key.clone());
        }
        // The last one has the count read once more, when nothing moves.
        lane.stale |= lane.items.is_empty();
        Some(Concluded { key: key.clone(), entry: item.entry, outcome, attempts: item.attempts })
    }

    /// All that is to be done now; it counts as begun.
    pub fn due(&mut self, now: Now) -> Vec<Effect> {
        let draining = self.draining;
        self.lanes.iter_mut().flat_map(|(tool, lane)| lane.due(tool, draining, now)).collect()
    }

    /// When there is something to be done again, if nothing happens before.
    #[must_use]
    pub fn next(&self) -> Option<Duration> {
        let draining = self.draining;
        self.lanes.values().filter_map(|lane| lane.next(draining)).min()
    }

    fn item(&mut self, key: &Key) -> Option<&mut Item> {
        self.lanes.get_mut(&key.tool)?.items.get_mut(key)
    }
}

impl Lane {
    fn found(&mut self, page: Page, now: Now) {
        let asked = self.reading.take().unwrap_or(WINDOW);
        let gone = std::mem::take(&mut self.gone);
        self.read_last = Some(now.since);
        self.depth = page.depth;
        let surplus = usize::try_from(page.depth.saturating_sub(ENTRIES_PER_TOOL_MAX)).unwrap_or(usize::MAX);
        let mut to_drop = surplus.min(DROPPED_AT_ONCE);
        // There is more than was asked for, or than there was room for.
        self.stale |= page.entries.len() >= asked;
        for (key, entry) in page.entries {
            if self.items.contains_key(&key) || gone.contains(&key) {
                continue;
            }
            let phase = if self.items.len() < WINDOW {
                match entry {
                    Some(_) => Phase::Due(now.since),
                    None => Phase::Done(now.since, Outcome::GivenUp(Error::Unreadable)),
                }
            } else if to_drop > 0 {
                to_drop = to_drop.saturating_sub(1);
                Phase::Done(now.since, Outcome::GivenUp(Error::Full))
            } else {
                self.stale = true;
                break;
            };
            self.items.insert(key, Item { entry, attempts: 0, phase });
        }
    }

    fn due(&mut self, tool: &ToolName, draining: bool, now: Now) -> Vec<Effect> {
        let mut effects = Vec::new();
        let mut free = if draining { 0 } else { CALLS_PER_TOOL_MAX.saturating_sub(self.calling()) };
        for (key, item) in &mut self.items {
            match (&item.phase, &item.entry) {
                (Phase::Due(at), Some(entry)) if *at <= now.since && free > 0 => {
                    free = free.saturating_sub(1);
                    effects.push(Effect::Call(key.clone(), Arc::clone(entry)));
                    item.attempts = item.attempts.saturating_add(1);
                    item.phase = Phase::Calling;
                }
                (Phase::Done(at, outcome), _) if *at <= now.since => {
                    effects.push(Effect::Conclude(key.clone()));
                    item.phase = Phase::Concluding(outcome.clone());
                }
                (Phase::Due(_) | Phase::Calling | Phase::Done(..) | Phase::Concluding(_), _) => {}
            }
        }
        if !draining && self.reads_at().is_some_and(|at| at <= now.since) {
            let limit = if self.is_over() { WINDOW.saturating_add(DROPPED_AT_ONCE) } else { WINDOW };
            (self.reading, self.stale) = (Some(limit), false);
            effects.push(Effect::Read(tool.clone(), limit));
        }
        effects
    }

    /// When it is read next, where it is.
    fn reads_at(&self) -> Option<Duration> {
        if !self.stale || self.reading.is_some() {
            return None;
        }
        let has_room = self.items.len() <= WINDOW / 2 || self.is_over() && self.items.len() <= WINDOW;
        let crowded = |last: Duration| last.saturating_add(CROWDED_AGAIN);
        let paced = if has_room { Duration::ZERO } else { self.read_last.map_or(Duration::ZERO, crowded) };
        Some(self.not_before.max(paced))
    }

    fn is_over(&self) -> bool {
        self.depth > ENTRIES_PER_TOOL_MAX
    }

    fn calling(&self) -> usize {
        self.items.values().filter(|item| matches!(item.phase, Phase::Calling)).count()
    }

    fn next(&self, draining: bool) -> Option<Duration> {
        let is_free = !draining && self.calling() < CALLS_PER_TOOL_MAX;
        let items = self.items.values().filter_map(|item| match &item.phase {
            Phase::Due(at) if is_free => Some(*at),
            Phase::Done(at, _) => Some(*at),
            Phase::Due(_) | Phase::Calling | Phase::Concluding(_) => None,
        });
        items.chain(self.reads_at().filter(|_| !draining)).min()
    }
}

/// How long after its `attempt`th call an entry is called for again, counted from 1: as the tool asks, or ever longer.
fn pause(rules: Rules, error: &Error, attempt: u32) -> Duration {
    let own = rules.pause.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)));
    let asked = match error.retry() {
        Retry::After(pause) => pause,
        Retry::Never => own,
    };
    asked.min(PAUSE_MAX)
}

/// What a tool's error is to a hook: an answer that cannot be an output is one all the same.
///
/// # Errors
/// The tool was not told, or nobody knows.
pub fn told(result: Result<(), tool::Error>) -> Result<(), Error> {
    match result {
        Ok(()) | Err(tool::Error::Nonsense { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
