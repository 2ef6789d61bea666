//! Which entries of the outbox are delivered next. Pure: time and chance are arguments. What is known of one tool is its lane.
//!
//! ```text
//! (outbox) ─read─> due ──> calling ──> done ──> concluding ──> (gone)
//!                   ^─pause──┘ failed    ^─pause──┘ the store failed
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::error::Error;
use super::lane::{Item, Lane, Phase};
use crate::data_plane::tool;
use crate::domain::clock::Timestamp;
use crate::domain::failure::{Failure, Retry};
use crate::domain::hook::Hook;
use crate::domain::name::ToolName;
use crate::journal::outbox::{Entry, Key, Page};

/// Entries of one tool in memory whose turn it is, or that are called for, of some hundred bytes each.
pub const WINDOW: usize = 128;
/// Entries of one tool in memory that wait until they are called for again. They take no room from those whose turn it is.
pub const PAUSED_MAX: usize = 1_024;
/// Entries that may wait for one tool, on the disk: some 40 MB. Beyond it the oldest that is not in memory is dropped.
pub const ENTRIES_PER_TOOL_MAX: u64 = 100_000;
/// Entries that are dropped together.
pub const DROPPED_AT_ONCE: usize = 256;
/// An entry this old is not tried again once a call of it has failed, however often the daemon was started meanwhile.
pub const AGE_MAX: Duration = Duration::from_secs(24 * 3_600);
/// The longest pause between two calls for one entry, before chance stretches it.
pub const PAUSE_MAX: Duration = Duration::from_secs(300);
/// Calls for an entry that the tool refuses: what is wrong with it, or with the address, does not pass by itself.
pub const REFUSED_CALLS_MAX: u32 = 3;
/// After how long the store is asked again.
pub const STORE_AGAIN: Duration = Duration::from_secs(1);
/// How often it is seen how many entries wait for a tool that takes none.
pub const CROWDED_AGAIN: Duration = Duration::from_secs(10);
/// After how long a tool is tried again all of whose slots were taken. Hooks do not queue for slots: plans go first.
pub const SLOT_AGAIN: Duration = Duration::from_millis(100);

/// How often, how soon and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Calls for one entry, the first included, until it is given up; counted anew when the daemon starts.
    pub attempts_max: u32,
    /// The pause after the first failed call; each further one is twice as long.
    pub pause: Duration,
    /// Calls of one tool at once for hooks; half of its own `max_concurrency` binds as well.
    pub concurrency: usize,
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
    /// Read the first so many entries of a tool beyond these, which are known.
    Read(ToolName, BTreeSet<Key>, usize),
    /// Tell the tool.
    Call(Key, Arc<Entry>),
    /// Remove the entry.
    Conclude(Key),
    /// Remove entries of a tool that has too many, together.
    Drop(ToolName, Vec<Key>),
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

/// All tools' entries. Memory: at most [`WINDOW`], [`PAUSED_MAX`] and [`DROPPED_AT_ONCE`] entries for each tool that has any.
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
            lane.unread(now);
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
        let most = if error.is_refusal() { rules.attempts_max.min(REFUSED_CALLS_MAX) } else { rules.attempts_max };
        let is_over = error.is_final() || item.attempts >= most || is_old;
        item.phase = if is_over {
            Phase::Done(now.since, Outcome::GivenUp(error))
        } else {
            Phase::Due(
                now.since.saturating_add(pause(rules, &error, item.attempts).mul_f64(1.0 + chance.clamp(0.0, 1.0))),
            )
        };
        !is_over
    }

    /// No call was made: the tool had no slot for it. The tool's others wait as well, and none of it counts.
    pub fn crowded(&mut self, key: &Key, now: Now) {
        if let Some(lane) = self.lanes.get_mut(&key.tool) {
            lane.crowded(key, now);
        }
    }

    /// Whether an entry was removed; it is told of once it was.
    pub fn concluded(&mut self, key: &Key, is_gone: bool, now: Now) -> Option<Concluded> {
        self.lanes.get_mut(&key.tool)?.concluded(key, is_gone, now)
    }

    /// All that is to be done now; it counts as begun.
    pub fn due(&mut self, now: Now) -> Vec<Effect> {
        let (rules, draining) = (self.rules, self.draining);
        self.lanes.iter_mut().flat_map(|(tool, lane)| lane.due(tool, rules, draining, now)).collect()
    }

    /// When there is something to be done again, if nothing happens before.
    #[must_use]
    pub fn next(&self, now: Now) -> Option<Duration> {
        let (rules, draining) = (self.rules, self.draining);
        self.lanes.values().filter_map(|lane| lane.next(rules, draining, now)).min()
    }

    fn item(&mut self, key: &Key) -> Option<&mut Item> {
        self.lanes.get_mut(&key.tool)?.items.get_mut(key)
    }
}

/// How long after its `attempt`th call an entry is called for again, counted from 1: ever longer, and no sooner than the tool
/// asks. A tool that asks for little does not have its patience counted down in a moment.
fn pause(rules: Rules, error: &Error, attempt: u32) -> Duration {
    let own = rules.pause.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)));
    let asked = match error.retry() {
        Retry::After(pause) => pause,
        Retry::Never => Duration::ZERO,
    };
    asked.max(own).min(PAUSE_MAX)
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
