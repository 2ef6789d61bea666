//! Tables of what a supervisor decides, with a shell that performs everything at once.

use std::collections::VecDeque;
use std::time::Duration;

use crate::supervision::backoff::Jitter;
use crate::supervision::child::{Generation, Key, Past, Phase, Traits};
use crate::supervision::contradiction::Terms;
use crate::supervision::state::{Action, Refusal, State};
use crate::supervision::{AutoShutdown, Backoff, ChildId, Exit, Intensity, OnStuck, Restart, Strategy, StuckRule};

/// A child of the plainest kind.
pub(super) fn traits(id: &str, restart: Restart, backoff: Backoff) -> Traits {
    Traits { id: id.into(), restart, backoff, intensity: None, significant: false, quarantine: false, stuck: None }
}

/// Performs actions, and writes down starts (`+a`), failed starts (`xa`), stops (`-a`), timers (`@a`), and ends of the matter.
pub(super) struct Theatre {
    terms: Terms,
    pub(super) state: State,
    pub(super) now: Duration,
    pub(super) trace: Vec<String>,
    pub(super) timers: Vec<(Key, Generation)>,
    pub(super) failing: Vec<(Key, u32)>,
    pub(super) escalated: bool,
    pub(super) has_shut_down: bool,
    names: Vec<(Key, String)>,
}

impl Theatre {
    pub(super) fn new(strategy: Strategy, intensity: Intensity) -> Self {
        Self::on(Terms { strategy, auto_shutdown: AutoShutdown::Never }, intensity)
    }

    pub(super) fn on(terms: Terms, intensity: Intensity) -> Self {
        let (trace, timers, failing, names) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let state = State::new(terms, intensity, 100);
        Self {
            terms,
            state,
            now: Duration::ZERO,
            trace,
            timers,
            failing,
            escalated: false,
            has_shut_down: false,
            names,
        }
    }

    pub(super) fn add(&mut self, id: &str, restart: Restart, backoff: Backoff) -> Result<Key, Refusal> {
        self.add_with(traits(id, restart, backoff))
    }

    pub(super) fn add_with(&mut self, traits: Traits) -> Result<Key, Refusal> {
        let id = traits.id.to_string();
        let (key, generation) = self.state.add(traits)?;
        self.names.push((key, id));
        self.perform(vec![Action::Start { key, generation }]);
        Ok(key)
    }

    /// Adds a child that something is remembered of; none where it stays down.
    fn remember(&mut self, traits: Traits, past: Past) -> Option<Key> {
        let id = traits.id.to_string();
        let (key, generation) = self.state.add(traits).expect("a new child");
        self.names.push((key, id));
        if self.state.recall(key, past, self.now) {
            return None;
        }
        self.perform(vec![Action::Start { key, generation }]);
        Some(key)
    }

    pub(super) fn key(&self, id: &str) -> Key {
        self.names.iter().rev().find(|(_, name)| name == id).expect("a name").0
    }

    fn name(&self, key: Key) -> &str {
        &self.names.iter().find(|(known, _)| *known == key).expect("a key").1
    }

    pub(super) fn generation(&self, key: Key) -> Option<Generation> {
        match self.state.child(key)?.phase {
            Phase::Running(generation, _) | Phase::Stopping(generation) => Some(generation),
            Phase::Starting(..) | Phase::Waiting(_) | Phase::Quarantined | Phase::Stopped => None,
        }
    }

    pub(super) fn exit(&mut self, key: Key, exit: Exit) {
        let Some(generation) = self.generation(key) else { return };
        let actions = self.state.exited(key, generation, exit, self.now, Jitter(u32::MAX));
        self.perform(actions);
    }

    /// All timers set so far run out, in order.
    pub(super) fn run_out(&mut self) {
        for (key, generation) in std::mem::take(&mut self.timers) {
            let actions = self.state.elapsed(key, generation);
            self.perform(actions);
        }
    }

    pub(super) fn perform(&mut self, actions: Vec<Action>) {
        let mut actions = VecDeque::from(actions);
        while let Some(action) = actions.pop_front() {
            let more = self.perform_one(action);
            actions.extend(more);
        }
    }

    fn perform_one(&mut self, action: Action) -> Vec<Action> {
        match action {
            Action::Start { key, generation } => {
                let failing = self.failing.iter_mut().find(|(failing, left)| *failing == key && *left > 0);
                if let Some((_, left)) = failing {
                    *left -= 1;
                    self.write("x", key);
                    return self.state.start_failed(key, generation, Exit::error("no"), self.now, Jitter(u32::MAX));
                }
                self.write("+", key);
                self.state.started(key, generation, self.now)
            }
            Action::Stop { key } => {
                self.write("-", key);
                let generation = self.generation(key).expect("an incarnation to stop");
                self.state.exited(key, generation, Exit::Normal, self.now, Jitter(0))
            }
            Action::After { key, generation, .. } => {
                self.write("@", key);
                self.timers.push((key, generation));
                Vec::new()
            }
            Action::GiveUp { key, .. } => {
                self.write("give up ", key);
                Vec::new()
            }
            Action::Escalate { key, .. } => {
                self.write("escalate ", key);
                self.escalated = true;
                Vec::new()
            }
            Action::ShutDown => {
                self.trace.push("shut down".to_owned());
                self.has_shut_down = true;
                Vec::new()
            }
            Action::Quarantine { key, .. } => {
                self.write("quarantine ", key);
                Vec::new()
            }
            Action::Stuck { key, .. } => {
                self.write("stuck ", key);
                Vec::new()
            }
            Action::Kill { key } => {
                self.write("!", key);
                let generation = self.generation(key).expect("an incarnation to kill");
                self.state.exited(key, generation, Exit::Killed, self.now, Jitter(0))
            }
            Action::Announce { .. }
            | Action::Settle { .. }
            | Action::Forget { .. }
            | Action::Released { .. }
            | Action::Unstuck { .. } => Vec::new(),
        }
    }

    fn write(&mut self, sign: &str, key: Key) {
        let line = format!("{sign}{}", self.name(key));
        self.trace.push(line);
    }
}

const ONCE: Intensity = Intensity { restarts: 1, period: Duration::from_secs(5) };
const OFTEN: Intensity = Intensity { restarts: 100, period: Duration::from_secs(5) };

/// Children `a b c` of the given restart types (`p`, `t`, `x`; `T`, `X`: significant; `q`: permanent and quarantined alone), then events: `a!` fails, `a.` ends normally, `a#2` has its next
/// two starts fail, `1s` passes, `@` lets all timers run out, `a-` is terminated by a caller.
fn check(strategy: Strategy, intensity: Intensity, children: &str, backoff: Backoff, events: &str, expected: &str) {
    let theatre = Theatre::new(strategy, intensity);
    play(theatre, children, backoff, events, expected);
}

fn play(mut theatre: Theatre, children: &str, backoff: Backoff, events: &str, expected: &str) {
    for child in children.split(' ') {
        let (id, kind) = child.split_once(':').expect("id:type");
        let restart = match kind {
            "p" | "q" => Restart::Permanent,
            "t" | "T" => Restart::Transient,
            _ => Restart::Temporary,
        };
        let plain = traits(id, restart, backoff);
        let (significant, quarantine) = (kind == "T" || kind == "X", kind == "q");
        let intensity = quarantine.then_some(ONCE);
        theatre.add_with(Traits { significant, quarantine, intensity, ..plain }).expect("a new child");
    }
    theatre.trace.clear();
    for event in events.split(' ') {
        let (subject, what) = event.split_at(1);
        match what {
            "!" => theatre.exit(theatre.key(subject), Exit::Killed),
            "." => theatre.exit(theatre.key(subject), Exit::Normal),
            "-" => {
                let (_, actions) = theatre.state.terminate(&ChildId::from(subject)).expect("a child");
                theatre.perform(actions);
            }
            "s" => theatre.now += Duration::from_secs(subject.parse().expect("seconds")),
            "" => theatre.run_out(),
            failing => {
                let times = failing.trim_start_matches('#').parse().expect("a number");
                let key = theatre.key(subject);
                theatre.failing.push((key, times));
            }
        }
    }
    assert_eq!(theatre.trace.join(" "), expected, "{:?} of {children}: {events}", theatre.terms);
}

#[test]
fn each_strategy_restarts_its_own_set_in_order() {
    let table = [
        (Strategy::OneForOne, "a:p b:p c:p", "b!", "+b"),
        (Strategy::OneForAll, "a:p b:p c:p", "b!", "-c -a +a +b +c"),
        (Strategy::RestForOne, "a:p b:p c:p", "b!", "-c +b +c"),
        (Strategy::RestForOne, "a:p b:p c:p", "a!", "-c -b +a +b +c"),
        (Strategy::RestForOne, "a:p b:p c:p", "c!", "+c"),
        (Strategy::Dynamic, "a:p b:p c:p", "b!", "+b"),
        (Strategy::OneForAll, "a:p b:x c:t", "a!", "-c -b +a +c"),
        (Strategy::OneForAll, "a:p b:t c:p", "b. a!", "-c +a +b +c"),
        (Strategy::RestForOne, "a:p b:p c:p", "c- b!", "-c +b +c"),
    ];
    for (strategy, children, events, expected) in table {
        check(strategy, OFTEN, children, Backoff::NONE, events, expected);
    }
}

#[test]
fn restart_types_decide_whether_an_exit_is_followed_by_a_start() {
    let table = [("a:p", "a.", "+a"), ("a:p", "a!", "+a"), ("a:t", "a.", ""), ("a:t", "a!", "+a"), ("a:x", "a!", "")];
    for (children, events, expected) in table {
        check(Strategy::OneForOne, OFTEN, children, Backoff::NONE, events, expected);
    }
}

#[test]
fn s3_more_restarts_than_the_intensity_bears_escalate() {
    let table = [
        (Strategy::OneForOne, "a! b!", "+a escalate b"),
        (Strategy::OneForOne, "a! 6s b!", "+a +b"),
        (Strategy::OneForAll, "a! a!", "-b +a +b escalate a"),
        (Strategy::RestForOne, "b#1 b!", "xb escalate b"),
        (Strategy::Dynamic, "a! b! a! b.", "+a +b give up a give up b"),
    ];
    for (strategy, events, expected) in table {
        check(strategy, ONCE, "a:p b:p", Backoff::NONE, events, expected);
    }
}

#[test]
fn a_failed_restart_is_tried_again_and_counted() {
    let table = [
        (Strategy::OneForOne, "a#2 a!", "xa xa +a"),
        (Strategy::RestForOne, "b#1 a!", "-c -b +a xb +b +c"),
        (Strategy::OneForAll, "c#1 a!", "-c -b +a +b xc -b -a +a +b +c"),
    ];
    for (strategy, events, expected) in table {
        check(strategy, OFTEN, "a:p b:p c:p", Backoff::NONE, events, expected);
    }
}

#[test]
fn later_restarts_wait_and_a_child_that_lived_long_starts_anew() {
    let backoff = Backoff { initial: Duration::from_secs(1), max: Duration::from_secs(3) };
    let table = [
        (Strategy::OneForOne, "a! a! b! @ 3s a!", "+a @a +b +a +a"),
        (Strategy::OneForAll, "a! a! @", "-b +a +b -b @a +a +b"),
        // Another failure while one waits begins the group anew, from the earlier of the two.
        (Strategy::RestForOne, "b! b! a! @", "+b @b +a +b"),
    ];
    for (strategy, events, expected) in table {
        check(strategy, OFTEN, "a:p b:p", backoff, events, expected);
    }
}

#[test]
fn s4_what_belongs_to_an_earlier_generation_changes_nothing() {
    let backoff = Backoff { initial: Duration::from_secs(1), max: Duration::from_secs(60) };
    check(Strategy::OneForOne, OFTEN, "a:p", backoff, "a! a! a- @", "+a @a");

    let mut theatre = Theatre::new(Strategy::OneForOne, OFTEN);
    let key = theatre.add("a", Restart::Permanent, Backoff::NONE).expect("a child");
    let first = theatre.generation(key).expect("an incarnation");
    theatre.exit(key, Exit::Killed);
    let second = theatre.generation(key).expect("an incarnation");
    assert!(theatre.state.exited(key, first, Exit::Killed, theatre.now, Jitter(0)).is_empty());
    assert!(theatre.state.elapsed(key, first).is_empty());
    assert_eq!(theatre.generation(key), Some(second));
}

#[test]
fn s5_a_bad_call_is_refused() {
    let mut theatre = Theatre::new(Strategy::OneForOne, OFTEN);
    let slow = Backoff { initial: Duration::from_secs(1), max: Duration::from_secs(60) };
    theatre.add("a", Restart::Permanent, slow).expect("a child");
    assert_eq!(theatre.add("a", Restart::Permanent, slow), Err(Refusal::Duplicate));
    let (known, unknown) = (ChildId::from("a"), ChildId::from("b"));
    assert_eq!(theatre.state.terminate(&unknown).map(drop), Err(Refusal::Unknown));
    assert_eq!(theatre.state.delete(&known).map(drop), Err(Refusal::Running));
    assert_eq!(theatre.state.restart_child(&known).map(drop), Err(Refusal::Running));
    theatre.exit(theatre.key("a"), Exit::Killed);
    theatre.exit(theatre.key("a"), Exit::Killed);
    assert_eq!(theatre.state.restart_child(&known).map(drop), Err(Refusal::Restarting));
    assert_eq!(theatre.state.delete(&known).map(drop), Err(Refusal::Restarting));

    let terms = Terms { strategy: Strategy::Dynamic, auto_shutdown: AutoShutdown::Never };
    let mut full = State::new(terms, OFTEN, 0);
    assert_eq!(full.add(traits("a", Restart::Permanent, slow)), Err(Refusal::Full));
}

#[test]
fn a_group_that_is_being_restarted_takes_no_calls() {
    let mut theatre = Theatre::new(Strategy::OneForAll, OFTEN);
    let slow = Backoff { initial: Duration::from_secs(1), max: Duration::from_secs(60) };
    theatre.add("a", Restart::Permanent, slow).expect("a child");
    theatre.add("b", Restart::Permanent, slow).expect("a child");
    theatre.exit(theatre.key("a"), Exit::Killed);
    theatre.exit(theatre.key("a"), Exit::Killed);
    assert_eq!(theatre.state.terminate(&ChildId::from("b")).map(drop), Err(Refusal::Restarting));
    assert_eq!(theatre.add("c", Restart::Permanent, slow), Err(Refusal::Restarting));
    assert!(theatre.state.is_recovering(theatre.key("b")));
    theatre.run_out();
    theatre.add("c", Restart::Permanent, slow).expect("a child");
}

#[test]
fn s8_the_end_of_significant_children_is_their_supervisors_as_it_says() {
    use AutoShutdown::{AllSignificant, AnySignificant, Never};
    let table = [
        (AnySignificant, "a:T b:p", "a.", "shut down"),
        (AnySignificant, "a:T b:p", "a!", "+a"),
        (AnySignificant, "a:X b:p", "a!", "shut down"),
        (AnySignificant, "a:X b:p", "a.", "shut down"),
        (AnySignificant, "a:t b:T", "a.", ""),
        (AnySignificant, "a:T b:p", "a-", "-a"),
        (AnySignificant, "a:X b:T", "a- b-", "-a -b"),
        (AllSignificant, "a:T b:X c:p", "a.", ""),
        (AllSignificant, "a:T b:X c:p", "a. b!", "shut down"),
        (AllSignificant, "a:T b:X c:t", "b! c. a.", "shut down"),
        (AllSignificant, "a:T b:T", "a- b.", "-a shut down"),
        (AllSignificant, "a:T b:T", "a. b-", "-b"),
        (Never, "a:T b:X", "a. b.", ""),
    ];
    for (auto_shutdown, children, events, expected) in table {
        for strategy in [Strategy::OneForOne, Strategy::Dynamic] {
            let theatre = Theatre::on(Terms { strategy, auto_shutdown }, OFTEN);
            play(theatre, children, Backoff::NONE, events, expected);
        }
    }
}

#[test]
fn s8_what_a_group_restart_stops_has_not_ended_by_itself() {
    for (strategy, expected) in [(Strategy::OneForAll, "-c -b +a +b"), (Strategy::RestForOne, "-c -b +a +b")] {
        let terms = Terms { strategy, auto_shutdown: AutoShutdown::AnySignificant };
        play(Theatre::on(terms, OFTEN), "a:p b:T c:X", Backoff::NONE, "a!", expected);
    }
}

#[test]
fn s11_a_child_in_quarantine_is_started_by_who_releases_it_alone() {
    let id = ChildId::from("a");
    let mut theatre = Theatre::new(Strategy::OneForOne, OFTEN);
    let quarantined =
        Traits { intensity: Some(ONCE), quarantine: true, ..traits("a", Restart::Permanent, Backoff::NONE) };
    let key = theatre.add_with(quarantined.clone()).expect("a child");
    theatre.add("b", Restart::Permanent, Backoff::NONE).expect("a child");
    assert_eq!(theatre.state.release(&id), Err(Refusal::NotQuarantined));
    theatre.exit(key, Exit::Killed);
    theatre.exit(key, Exit::Killed);
    theatre.exit(theatre.key("b"), Exit::Killed);
    assert_eq!(theatre.trace.join(" "), "+a +b +a quarantine a +b");
    assert_eq!(theatre.state.add(quarantined).map(drop), Err(Refusal::Quarantined));
    assert_eq!(theatre.state.restart_child(&id).map(drop), Err(Refusal::Quarantined));
    assert_eq!(theatre.state.terminate(&id).map(drop), Err(Refusal::Quarantined));
    assert_eq!(theatre.state.delete(&id).map(drop), Err(Refusal::Quarantined));

    theatre.failing.push((key, 1));
    for _ in 0..2 {
        let (key, generation) = theatre.state.release(&id).expect("a child in quarantine");
        theatre.perform(vec![Action::Start { key, generation }]);
    }
    assert_eq!(theatre.trace.join(" "), "+a +b +a quarantine a +b xa +a");
    theatre.exit(key, Exit::Killed);
    assert_eq!(theatre.trace.last().map(String::as_str), Some("+a"), "what it did before counts no more");
}

#[test]
fn s10_what_an_earlier_process_noted_counts() {
    let seconds = Duration::from_secs;
    let past = |ago: &[u64]| Past { restarted_ago: ago.iter().map(|&ago| seconds(ago)).collect(), ..Past::default() };
    // ONCE bears one restart in five seconds.
    for (strategy, quarantine, ago, expected) in [
        (Strategy::OneForOne, false, vec![4], "escalate a"),
        (Strategy::OneForOne, false, vec![6], "+a"),
        (Strategy::OneForOne, true, vec![4, 5, 6], "quarantine a"),
        (Strategy::OneForOne, true, vec![9], "+a"),
        (Strategy::Dynamic, false, vec![3], "give up a"),
    ] {
        let mut theatre = Theatre::new(strategy, ONCE);
        theatre.now = seconds(1_000);
        let intensity = quarantine.then_some(ONCE);
        let traits = Traits { quarantine, intensity, ..traits("a", Restart::Permanent, Backoff::NONE) };
        let key = theatre.remember(traits, past(&ago)).expect("it starts");
        theatre.trace.clear();
        theatre.exit(key, Exit::Killed);
        assert_eq!(theatre.trace.join(" "), expected, "{strategy:?}, {ago:?} seconds ago");
    }
    let mut theatre = Theatre::new(Strategy::OneForOne, ONCE);
    let down = Past { quarantined: Some(Exit::Recalled("panic".into())), ..Past::default() };
    let plain = traits("a", Restart::Permanent, Backoff::NONE);
    let kept = Traits { quarantine: true, intensity: Some(ONCE), ..plain };
    assert_eq!(theatre.remember(kept, down), None, "it stays down");
}

#[test]
fn s12_a_child_is_found_stuck_once_and_replaced_where_its_rule_says_so() {
    let limit = Duration::from_secs(30);
    let over = Some(Duration::from_secs(31));
    for (then, expected) in [(OnStuck::Report, "stuck a stuck a"), (OnStuck::Replace, "stuck a !a +a stuck a !a +a")] {
        let mut theatre = Theatre::new(Strategy::OneForOne, OFTEN);
        let rule = Some(StuckRule { limit, then });
        let key = theatre.add_with(Traits { stuck: rule, ..traits("a", Restart::Permanent, Backoff::NONE) });
        let key = key.expect("a child");
        theatre.trace.clear();
        let looks = [None, Some(limit), over, None, None, over];
        for busy_for in looks {
            let actions = theatre.state.watch(key, busy_for);
            theatre.perform(actions);
        }
        assert_eq!(theatre.trace.join(" "), expected);
        let last_exit = theatre.state.child(key).and_then(|child| child.last_exit.clone());
        assert_eq!(last_exit, (then == OnStuck::Replace).then_some(Exit::Stuck));
    }
}
