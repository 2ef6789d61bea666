//! The entries of one tool: which are in memory, whose turn it is, and when more are read. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::error::Error;
use super::state::{
    CROWDED_AGAIN, Concluded, DROPPED_AT_ONCE, ENTRIES_PER_TOOL_MAX, Effect, Now, Outcome, PAUSED_MAX, Rules,
    SLOT_AGAIN, STORE_AGAIN, WINDOW,
};
use crate::domain::name::ToolName;
use crate::journal::outbox::{Entry, Key, Page};

/// An entry that is in memory.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) entry: Option<Arc<Entry>>,
    pub(super) attempts: u32,
    pub(super) phase: Phase,
}

#[derive(Debug)]
pub(super) enum Phase {
    /// It is called for, not before this moment.
    Due(Duration),
    /// Its tool is being told.
    Calling,
    /// It is to be removed, not before this moment.
    Done(Duration, Outcome),
    /// It is being removed.
    Concluding(Outcome),
}

#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) items: BTreeMap<Key, Item>,
    /// How many there are, in memory and not, as was read last.
    pub(super) depth: u64,
    /// There may be entries that are not in memory.
    pub(super) stale: bool,
    /// How many of them are left alone: a later release wrote them.
    newer: u64,
    /// How many entries are being read.
    reading: Option<usize>,
    read_last: Option<Duration>,
    /// The store failed; it is not asked before this moment.
    not_before: Duration,
    /// All slots of the tool were taken; it is not called before this moment.
    calls_not_before: Duration,
    /// Entries that were removed since the read began, which may still show them.
    gone: BTreeSet<Key>,
}

impl Lane {
    /// What was read.
    pub(super) fn found(&mut self, page: Page, now: Now) {
        let asked = self.reading.take().unwrap_or(WINDOW);
        let gone = std::mem::take(&mut self.gone);
        self.read_last = Some(now.since);
        self.depth = page.depth;
        // Not all of them may have been looked at this time, and none goes while this release runs.
        self.newer = self.newer.max(page.newer);
        let surplus = usize::try_from(self.ours().saturating_sub(ENTRIES_PER_TOOL_MAX)).unwrap_or(usize::MAX);
        let mut to_drop = surplus.min(DROPPED_AT_ONCE);
        let mut room = self.room(now);
        // There is more than was asked for, or than there was room for.
        self.stale |= page.entries.len() >= asked;
        for (key, entry) in page.entries {
            if self.items.contains_key(&key) || gone.contains(&key) {
                continue;
            }
            let phase = if room > 0 {
                room = room.saturating_sub(1);
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

    /// The store did not say.
    pub(super) fn unread(&mut self, now: Now) {
        (self.reading, self.stale) = (None, true);
        self.not_before = now.since.saturating_add(STORE_AGAIN);
        self.gone.clear();
    }

    /// The tool had no slot for this one.
    pub(super) fn crowded(&mut self, key: &Key, now: Now) {
        let Some(item) = self.items.get_mut(key) else { return };
        item.attempts = item.attempts.saturating_sub(1);
        item.phase = Phase::Due(now.since);
        self.calls_not_before = now.since.saturating_add(SLOT_AGAIN);
    }

    /// Whether an entry was removed.
    pub(super) fn concluded(&mut self, key: &Key, is_gone: bool, now: Now) -> Option<Concluded> {
        let item = self.items.remove(key)?;
        let Phase::Concluding(outcome) = item.phase else {
            self.items.insert(key.clone(), item);
            return None;
        };
        if !is_gone {
            let phase = Phase::Done(now.since.saturating_add(STORE_AGAIN), outcome);
            self.items.insert(key.clone(), Item { phase, ..item });
            return None;
        }
        self.depth = self.depth.saturating_sub(1);
        if self.reading.is_some() {
            self.gone.insert(key.clone());
        }
        // The last one has the count read once more, when nothing moves.
        self.stale |= self.items.is_empty();
        Some(Concluded { key: key.clone(), entry: item.entry, outcome, attempts: item.attempts })
    }

    /// All that is to be done now; it counts as begun.
    pub(super) fn due(&mut self, tool: &ToolName, rules: Rules, draining: bool, now: Now) -> Vec<Effect> {
        let mut effects = if draining { Vec::new() } else { self.calls(rules, now) };
        effects.extend(self.conclusions(tool, now));
        if !draining && self.reads_at(now).is_some_and(|at| at <= now.since) {
            let limit = self.room(now).saturating_add(if self.is_over() { DROPPED_AT_ONCE } else { 0 });
            (self.reading, self.stale) = (Some(limit), false);
            effects.push(Effect::Read(tool.clone(), self.items.keys().cloned().collect(), limit));
        }
        effects
    }

    /// The calls that there is room for, those first whose turn came first.
    fn calls(&mut self, rules: Rules, now: Now) -> Vec<Effect> {
        let free = rules.concurrency.saturating_sub(self.calling());
        if free == 0 || now.since < self.calls_not_before {
            return Vec::new();
        }
        let turn = |(key, item): (&Key, &Item)| match item.phase {
            Phase::Due(at) if at <= now.since => Some((at, key.clone())),
            Phase::Due(_) | Phase::Calling | Phase::Done(..) | Phase::Concluding(_) => None,
        };
        let mut ready: Vec<(Duration, Key)> = self.items.iter().filter_map(turn).collect();
        ready.sort_unstable();
        let mut effects = Vec::new();
        for (_, key) in ready.into_iter().take(free) {
            let Some(item) = self.items.get_mut(&key) else { continue };
            let Some(entry) = &item.entry else { continue };
            effects.push(Effect::Call(key, Arc::clone(entry)));
            item.attempts = item.attempts.saturating_add(1);
            item.phase = Phase::Calling;
        }
        effects
    }

    /// What is to be removed: each by itself, but what is too much together.
    fn conclusions(&mut self, tool: &ToolName, now: Now) -> Vec<Effect> {
        let (mut effects, mut dropped) = (Vec::new(), Vec::new());
        for (key, item) in &mut self.items {
            let outcome = match &item.phase {
                Phase::Done(at, outcome) if *at <= now.since => outcome.clone(),
                Phase::Due(_) | Phase::Calling | Phase::Done(..) | Phase::Concluding(_) => continue,
            };
            if outcome == Outcome::GivenUp(Error::Full) {
                dropped.push(key.clone());
            } else {
                effects.push(Effect::Conclude(key.clone()));
            }
            item.phase = Phase::Concluding(outcome);
        }
        if !dropped.is_empty() {
            effects.push(Effect::Drop(tool.clone(), dropped));
        }
        effects
    }

    /// When it is read next, where it is.
    fn reads_at(&self, now: Now) -> Option<Duration> {
        if !self.stale || self.reading.is_some() {
            return None;
        }
        let has_room = self.room(now) >= WINDOW / 2 || self.is_over() && !self.is_dropping();
        let crowded = |last: Duration| last.saturating_add(CROWDED_AGAIN);
        let paced = if has_room { Duration::ZERO } else { self.read_last.map_or(Duration::ZERO, crowded) };
        Some(self.not_before.max(paced))
    }

    /// How many more may be in memory. Those that pause have a bound of their own: what one tool refuses for long does not keep
    /// it from what it would take.
    fn room(&self, now: Now) -> usize {
        let paused = self.items.values().filter(|item| matches!(item.phase, Phase::Due(at) if at > now.since)).count();
        let turn = self.items.len().saturating_sub(paused);
        WINDOW.saturating_sub(turn).min(WINDOW.saturating_add(PAUSED_MAX).saturating_sub(self.items.len()))
    }

    fn is_over(&self) -> bool {
        self.ours() > ENTRIES_PER_TOOL_MAX
    }

    /// How many there are that this version can read, as far as is known.
    fn ours(&self) -> u64 {
        self.depth.saturating_sub(self.newer)
    }

    fn is_dropping(&self) -> bool {
        let full = |outcome: &Outcome| *outcome == Outcome::GivenUp(Error::Full);
        self.items.values().any(|item| match &item.phase {
            Phase::Done(_, outcome) | Phase::Concluding(outcome) => full(outcome),
            Phase::Due(_) | Phase::Calling => false,
        })
    }

    fn calling(&self) -> usize {
        self.items.values().filter(|item| matches!(item.phase, Phase::Calling)).count()
    }

    /// When there is something to be done again, if nothing happens before.
    pub(super) fn next(&self, rules: Rules, draining: bool, now: Now) -> Option<Duration> {
        let is_free = !draining && self.calling() < rules.concurrency;
        let items = self.items.values().filter_map(|item| match &item.phase {
            Phase::Due(at) if is_free => Some((*at).max(self.calls_not_before)),
            Phase::Done(at, _) => Some(*at),
            Phase::Due(_) | Phase::Calling | Phase::Concluding(_) => None,
        });
        items.chain(self.reads_at(now).filter(|_| !draining)).min()
    }
}
