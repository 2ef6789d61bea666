//! The pure core against a model of the outbox.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::data_plane::hook::Error;
use crate::data_plane::hook::state::{
    AGE_MAX, Concluded, DROPPED_AT_ONCE, ENTRIES_PER_TOOL_MAX, Effect, Now, Outcome, PAUSE_MAX, PAUSED_MAX,
    REFUSED_CALLS_MAX, SLOT_AGAIN, STORE_AGAIN, State, WINDOW, told,
};
use crate::data_plane::tool;
use crate::domain::failure::Failure;
use crate::journal::outbox::Page;

const TOOLS: [&str; 2] = ["crm", "pager"];

/// The outbox and the tools as they would be, and what the core asked of them.
struct World {
    rules: Rules,
    state: State,
    now: Duration,
    stored: BTreeMap<Key, Arc<Entry>>,
    /// Reads under way, with what they will show: of when they began.
    reads: Vec<(ToolName, usize, Page)>,
    calls: Vec<Key>,
    removals: Vec<Key>,
    attempts: BTreeMap<Key, u32>,
    told: BTreeMap<Key, Concluded>,
}

impl World {
    fn new() -> Self {
        Self::under(RULES)
    }

    fn under(rules: Rules) -> Self {
        let state = State::new(rules);
        let (stored, attempts, told) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (reads, calls, removals) = (Vec::new(), Vec::new(), Vec::new());
        Self { rules, state, now: Duration::ZERO, stored, reads, calls, removals, attempts, told }
    }

    fn now(&self) -> Now {
        Now { since: self.now, at: THEN }
    }

    fn place(&mut self, name: &str) {
        let (key, entry) = placed(name, 1);
        self.state.placed(key.tool.clone());
        self.stored.insert(key, entry);
    }

    fn page(&self, tool: &ToolName, known: &BTreeSet<Key>, limit: usize) -> Page {
        let own = || self.stored.iter().filter(|(key, _)| key.tool == *tool);
        let unknown = own().filter(|(key, _)| !known.contains(key));
        let entries = unknown.take(limit).map(|(key, entry)| (key.clone(), Some(Arc::clone(entry)))).collect();
        Page { entries, depth: own().count() as u64, newer: 0 }
    }

    /// Does what is due.
    fn go_on(&mut self) {
        for effect in self.state.due(self.now()) {
            match effect {
                Effect::Read(tool, known, limit) => {
                    assert!(limit <= WINDOW + DROPPED_AT_ONCE);
                    assert!(self.reads.iter().all(|(other, ..)| *other != tool), "one read of a tool at a time");
                    let page = self.page(&tool, &known, limit);
                    self.reads.push((tool, limit, page));
                }
                Effect::Call(key, _) => {
                    assert!(!self.calls.contains(&key), "one call for an entry at a time");
                    assert!(self.stored.contains_key(&key), "what is gone is not called for: {key:?}");
                    let attempts = self.attempts.entry(key.clone()).or_default();
                    *attempts += 1;
                    assert!(*attempts <= self.rules.attempts_max);
                    self.calls.push(key);
                }
                Effect::Conclude(key) => {
                    assert!(!self.removals.contains(&key) && !self.calls.contains(&key));
                    self.removals.push(key);
                }
                Effect::Drop(_, keys) => panic!("there are not too many: {keys:?}"),
            }
        }
        for name in TOOLS {
            let calls = self.calls.iter().filter(|key| key.tool == tool(name)).count();
            assert!(calls <= RULES.concurrency, "{calls} calls of {name}");
        }
    }

    fn returned(&mut self, at: usize, result: Result<(), Error>) {
        if self.calls.is_empty() {
            return;
        }
        let key = self.calls.remove(at % self.calls.len());
        self.state.returned(&key, result, self.now(), 0.5);
    }

    fn removed(&mut self, at: usize, is_gone: bool) {
        if self.removals.is_empty() {
            return;
        }
        let key = self.removals.remove(at % self.removals.len());
        if is_gone {
            assert!(self.stored.remove(&key).is_some());
        }
        let concluded = self.state.concluded(&key, is_gone, self.now());
        assert_eq!(concluded.is_some(), is_gone);
        if let Some(concluded) = concluded {
            assert!(self.told.insert(key, concluded).is_none(), "an entry is told of once");
        }
    }

    fn read(&mut self, at: usize, is_well: bool) {
        if self.reads.is_empty() {
            return;
        }
        let (tool, _, page) = self.reads.remove(at % self.reads.len());
        if is_well { self.state.found(&tool, page, self.now()) } else { self.state.unread(&tool, self.now()) }
    }

    /// All calls come back with this, and no time passes, as long as there is something to do.
    fn exhaust(&mut self, result: &Result<(), Error>) {
        self.go_on();
        while self.reads.len() + self.calls.len() > 0 {
            (0..self.reads.len()).for_each(|_| self.read(0, true));
            (0..self.calls.len()).for_each(|_| self.returned(0, result.clone()));
            self.go_on();
        }
    }

    /// Everything goes well from now on, as long as there is something to do.
    fn settle(&mut self, result: &Result<(), Error>) {
        for _ in 0..20_000 {
            self.go_on();
            let (reads, calls, removals) = (self.reads.len(), self.calls.len(), self.removals.len());
            (0..reads).for_each(|_| self.read(0, true));
            (0..calls).for_each(|_| self.returned(0, result.clone()));
            (0..removals).for_each(|_| self.removed(0, true));
            if reads + calls + removals == 0 {
                match self.state.next(self.now()) {
                    Some(at) => self.now = self.now.max(at),
                    None => return,
                }
            }
        }
        panic!("it never settles: {} entries are left", self.stored.len());
    }
}

fn failed(status: u16) -> Result<(), Error> {
    Err(Error::Tool(tool::Error::Failed { status }))
}

#[derive(Debug, Clone)]
enum Step {
    Place(usize),
    Returned(usize, bool),
    Removed(usize, bool),
    Read(usize, bool),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..2_usize).prop_map(Step::Place),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(at, well)| Step::Returned(at, well)),
        4 => (any::<usize>(), prop::bool::weighted(0.8)).prop_map(|(at, well)| Step::Removed(at, well)),
        4 => (any::<usize>(), prop::bool::weighted(0.8)).prop_map(|(at, well)| Step::Read(at, well)),
        2 => (0_u64..20_000).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 0..300)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// INVARIANT I85, and the bounds on calls of I87, in whatever order things come back.
    #[test]
    fn every_entry_leaves_the_outbox_once_after_a_bounded_number_of_calls(steps in steps()) {
        let (mut world, mut count) = (World::new(), 0);
        for step in steps {
            match step {
                Step::Place(at) => {
                    world.place(TOOLS[at]);
                    count += 1;
                }
                Step::Returned(at, well) => world.returned(at, if well { Ok(()) } else { failed(503) }),
                Step::Removed(at, well) => world.removed(at, well),
                Step::Read(at, well) => world.read(at, well),
                Step::Wait(millis) => world.now += Duration::from_millis(millis),
            }
            world.go_on();
        }
        world.settle(&Ok(()));
        prop_assert!(world.stored.is_empty());
        prop_assert_eq!(world.told.len(), count);
        for name in TOOLS {
            prop_assert_eq!(world.state.depth(&tool(name)), 0, "nothing is remembered of {}", name);
        }
        for (key, concluded) in &world.told {
            prop_assert_eq!(concluded.attempts, world.attempts[key]);
            let ran_out = concluded.attempts == RULES.attempts_max;
            prop_assert!(concluded.outcome == Outcome::Delivered || ran_out, "{:?}", concluded);
        }
    }
}

#[test]
fn more_than_the_window_are_delivered_and_a_tool_that_takes_nothing_is_in_no_others_way() {
    let mut world = World::new();
    (0..3 * WINDOW).for_each(|_| world.place("pager"));
    world.place("crm");
    world.go_on();
    (0..2).for_each(|_| world.read(0, true));
    world.go_on();
    let of = |name: &str| world.calls.iter().filter(|key| key.tool == tool(name)).count();
    assert_eq!((of("pager"), of("crm")), (RULES.concurrency, 1));
    world.settle(&failed(503));
    assert_eq!(world.told.len(), 3 * WINDOW + 1);
    assert!(world.told.values().all(|concluded| concluded.attempts == RULES.attempts_max));
}

/// INVARIANT I87, on the disk.
#[test]
fn what_exceeds_the_most_entries_of_a_tool_is_dropped_and_told() {
    let mut state = State::new(RULES);
    let now = Now { since: Duration::ZERO, at: THEN };
    state.placed(tool("pager"));
    assert!(matches!(state.due(now).as_slice(), [Effect::Read(_, _, WINDOW)]));
    let mut entries: Vec<_> = (0..WINDOW + 100).map(|number| placed("pager", number as u64)).collect();
    entries.sort_by(|one, other| one.0.cmp(&other.0));
    let page = |many: usize| Page {
        entries: entries.iter().take(many).map(|(key, entry)| (key.clone(), Some(Arc::clone(entry)))).collect(),
        depth: ENTRIES_PER_TOOL_MAX + 30,
        newer: 0,
    };
    state.found(&tool("pager"), page(WINDOW), now);
    let effects = state.due(now);
    assert!(
        matches!(effects.last(), Some(Effect::Read(_, known, DROPPED_AT_ONCE)) if known.len() == WINDOW),
        "{effects:?}"
    );
    state.found(&tool("pager"), page(entries.len()), now);
    let dropped: Vec<Key> = state
        .due(now)
        .into_iter()
        .filter_map(|effect| if let Effect::Drop(_, keys) = effect { Some(keys) } else { None })
        .flatten()
        .collect();
    let beyond: Vec<Key> = entries.iter().skip(WINDOW).take(30).map(|(key, _)| key.clone()).collect();
    assert_eq!(dropped, beyond, "the oldest that are not in memory, as many as there are too many");
    let told = state.concluded(&dropped[0], true, now).expect("gone");
    assert_eq!(told.outcome, Outcome::GivenUp(Error::Full));
}

#[test]
fn an_old_entry_is_called_for_once_and_one_that_can_never_succeed_too() {
    let late = THEN.after(AGE_MAX);
    for (error, at, again) in [
        (Error::Tool(tool::Error::TimedOut), late, false),
        (Error::Tool(tool::Error::Unknown(tool("pager"))), THEN, false),
        (Error::Tool(tool::Error::TimedOut), THEN, true),
        (Error::Tool(tool::Error::Refused { status: 401 }), THEN, true),
        (Error::Tool(tool::Error::MissingKey("gone".into())), THEN, true),
    ] {
        let mut world = World::new();
        world.place("pager");
        world.go_on();
        world.read(0, true);
        world.go_on();
        let key = world.calls.remove(0);
        let now = Now { since: world.now, at };
        assert_eq!(world.state.returned(&key, Err(error.clone()), now, 0.0), again, "{error}");
    }
    assert_eq!(told(Err(tool::Error::Nonsense { what: "no text" })), Ok(()), "it did its work");
}

#[test]
fn pauses_double_are_no_shorter_than_the_tool_asks_and_have_a_bound() {
    let busy = |seconds| Err(Error::Tool(tool::Error::Busy { retry_after: Some(Duration::from_secs(seconds)) }));
    let mut world = World::under(Rules { attempts_max: 10, ..RULES });
    world.place("pager");
    world.go_on();
    world.read(0, true);
    world.go_on();
    let mut pauses = Vec::new();
    for result in [failed(500), busy(0), busy(1), busy(7), busy(40), busy(9_999)] {
        let key = world.calls.remove(0);
        assert!(world.state.returned(&key, result, world.now(), 0.0));
        let next = world.state.next(world.now()).expect("it is called for again");
        pauses.push(next - world.now);
        world.now = next;
        world.go_on();
    }
    let seconds: Vec<u64> = pauses.iter().map(Duration::as_secs).collect();
    assert_eq!(seconds, [1, 2, 4, 8, 40, PAUSE_MAX.as_secs()]);
}

#[test]
fn a_store_that_fails_is_asked_again_and_the_tool_is_not() {
    let mut world = World::new();
    world.place("pager");
    world.go_on();
    world.read(0, false);
    world.go_on();
    assert!(world.reads.is_empty());
    assert_eq!(world.state.next(world.now()), Some(STORE_AGAIN));
    world.now = STORE_AGAIN;
    world.go_on();
    world.read(0, true);
    world.go_on();
    world.returned(0, Ok(()));
    world.go_on();
    world.removed(0, false);
    world.settle(&Ok(()));
    assert_eq!((world.told.len(), world.attempts.values().copied().collect::<Vec<_>>()), (1, vec![1]));
}

#[test]
fn what_drains_begins_nothing_and_is_still_when_its_calls_are_concluded() {
    let mut world = World::new();
    (0..RULES.concurrency + 1).for_each(|_| world.place("pager"));
    world.go_on();
    world.read(0, true);
    world.go_on();
    world.state.drain();
    assert!(!world.state.is_still());
    for _ in 0..RULES.concurrency {
        world.returned(0, Ok(()));
        world.go_on();
        world.removed(0, true);
        world.go_on();
    }
    assert!(world.state.is_still());
    assert_eq!((world.stored.len(), world.calls.len(), world.state.next(world.now())), (1, 0, None));
}

#[test]
fn an_entry_that_cannot_be_read_is_given_up_and_no_tool_is_called() {
    let mut state = State::new(RULES);
    let now = Now { since: Duration::ZERO, at: THEN };
    state.placed(tool("pager"));
    assert_eq!(state.due(now).len(), 1);
    let (key, _) = placed("pager", 1);
    state.found(&tool("pager"), Page { entries: vec![(key.clone(), None)], depth: 1, newer: 0 }, now);
    assert!(matches!(state.due(now).as_slice(), [Effect::Conclude(gone)] if *gone == key));
    let told = state.concluded(&key, true, now).expect("gone");
    assert_eq!(told.outcome, Outcome::GivenUp(Error::Unreadable));
    assert_eq!(Error::Unreadable.code(), "hook_unreadable");
}

/// INVARIANT I87: what pauses takes no room from those whose turn it is, and has a bound of its own.
#[test]
fn entries_that_a_tool_does_not_take_are_in_no_way_of_its_others() {
    let mut world = World::new();
    (0..3 * WINDOW).for_each(|_| world.place("pager"));
    world.exhaust(&failed(503));
    assert_eq!(world.attempts.len(), 3 * WINDOW, "each was called for once, and none waits for another's pause");
    assert!(world.attempts.values().all(|attempts| *attempts == 1));
    world.place("pager");
    world.exhaust(&Ok(()));
    assert_eq!((world.attempts.len(), world.removals.len()), (3 * WINDOW + 1, 1), "it was taken at once");
    (0..WINDOW + PAUSED_MAX).for_each(|_| world.place("pager"));
    world.exhaust(&failed(503));
    assert_eq!(world.attempts.len(), WINDOW + PAUSED_MAX, "no more are in memory, with the one that is being removed");
    world.settle(&Ok(()));
    assert!(world.stored.is_empty());
}

#[test]
fn what_a_tool_refuses_is_given_up_soon_unless_that_passes_by_itself() {
    let rules = Rules { attempts_max: 10, ..RULES };
    for (status, calls) in
        [(400, REFUSED_CALLS_MAX), (404, REFUSED_CALLS_MAX), (401, 10), (403, 10), (408, 10), (425, 10)]
    {
        let mut world = World::under(rules);
        world.place("pager");
        world.settle(&Err(Error::Tool(tool::Error::Refused { status })));
        assert_eq!(world.attempts.values().copied().collect::<Vec<_>>(), [calls], "{status}");
    }
}

#[test]
fn a_tool_without_a_slot_is_tried_again_soon_and_its_entries_have_their_turns() {
    let mut world = World::new();
    (0..WINDOW).for_each(|_| world.place("pager"));
    world.go_on();
    world.read(0, true);
    world.go_on();
    let first: Vec<Key> = std::mem::take(&mut world.calls);
    for key in &first {
        world.state.crowded(key, world.now());
        world.attempts.remove(key);
    }
    world.go_on();
    assert_eq!((world.calls.len(), world.state.next(world.now())), (0, Some(SLOT_AGAIN)), "all of them wait");
    world.now = SLOT_AGAIN;
    world.go_on();
    assert_eq!(world.calls.len(), RULES.concurrency);
    world.settle(&Ok(()));
    assert!(world.told.values().all(|concluded| concluded.attempts == 1), "what was not called does not count");
}

/// What a later release wrote counts in no limit: it stays until that release runs.
#[test]
fn what_a_later_release_wrote_has_nothing_dropped_for_it() {
    let mut state = State::new(RULES);
    let now = Now { since: Duration::ZERO, at: THEN };
    state.placed(tool("pager"));
    assert_eq!(state.due(now).len(), 1);
    state.found(
        &tool("pager"),
        Page { entries: Vec::new(), depth: 2 * ENTRIES_PER_TOOL_MAX, newer: 2 * ENTRIES_PER_TOOL_MAX },
        now,
    );
    assert!(state.due(now).is_empty());
    assert_eq!(state.next(now), None, "nothing is asked for again and again");
}
