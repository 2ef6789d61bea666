//! What befalls a daemon in one simulation, drawn from a seed.

use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Moments of one schedule at most.
const MOMENTS_MAX: usize = 60;

/// All that is told from outside; what the provider does follows from the same seed.
pub(super) struct Schedule {
    pub(super) seed: u64,
    pub(super) temper: Temper,
    pub(super) purse: Purse,
    pub(super) moments: Vec<Moment>,
}

/// How the provider behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Temper {
    Good,
    Moody,
    Bad,
}

/// How much may be spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purse {
    Endless,
    Ample,
    Tight,
    /// Little in all by the day, less for one template by the day, and for another by the month.
    Daily,
}

/// One event, and how long after the one before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) pause: Pause,
    pub(super) event: Event,
}

/// What passes before an event.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pause {
    /// Everybody who can run does so, so many times; no time passes, and commits are under way.
    Turns(u16),
    /// Time, with all that it brings.
    Time(Duration),
}

/// What happens. Numbers choose among those that are there then.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    Submit {
        work: Work,
        deadline: Option<Duration>,
    },
    /// An earlier submission comes again under its idempotency key.
    Repeat(usize),
    Cancel(usize),
    /// Somebody decides about a step, whether or not it waits for that.
    Decide(usize),
    Signal(usize),
    /// An agent's task cannot go on without a person.
    Trouble(usize),
    /// A person wants a task to go on.
    Retry(usize),
    /// An actor of the tree ends abnormally.
    Kill(usize),
    /// The daemon ends without a word and starts again.
    Crash,
    /// The daemon is stopped in good order and starts again.
    Stop,
    /// The host's clock jumps ahead, as that of a host does that was suspended; mostly to another day.
    Jump(Duration),
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Single,
    /// An answer that is refined twice.
    Refined,
    /// A task of one of the registered agents.
    Registered(usize),
    /// Two steps side by side, and one for each item of the first one's answer.
    Plan,
    /// A plan of plans.
    Nested,
    /// A plan that waits for a time, for an approval and for a signal.
    Waiting,
}

impl Schedule {
    pub(super) fn of(seed: u64) -> Self {
        let mut chance = StdRng::seed_from_u64(seed);
        let temper = [Temper::Good, Temper::Moody, Temper::Moody, Temper::Bad][chance.gen_range(0..4)];
        let purses = [Purse::Endless, Purse::Ample, Purse::Tight, Purse::Daily, Purse::Daily];
        let purse = purses[chance.gen_range(0..purses.len())];
        let count = chance.gen_range(10..=MOMENTS_MAX);
        let moments = (0..count).map(|_| Moment { pause: pause(&mut chance), event: event(&mut chance) }).collect();
        Self { seed, temper, purse, moments }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "provider {:?}, purse {:?}", self.temper, self.purse)?;
        self.moments.iter().try_for_each(|Moment { pause, event }| writeln!(f, "  {pause:?}: {event:?}"))
    }
}

fn pause(chance: &mut StdRng) -> Pause {
    match chance.gen_range(0..10) {
        0..=5 => Pause::Turns(chance.gen_range(0..160)),
        6..=8 => Pause::Time(Duration::from_millis(chance.gen_range(1..1_500))),
        _ => Pause::Time(Duration::from_millis(chance.gen_range(1_500..40_000))),
    }
}

fn event(chance: &mut StdRng) -> Event {
    match chance.gen_range(0..100) {
        0..=44 => Event::Submit { work: work(chance), deadline: deadline(chance) },
        45..=51 => Event::Repeat(chance.r#gen()),
        52..=59 => Event::Cancel(chance.r#gen()),
        60..=62 => Event::Decide(chance.r#gen()),
        63 => Event::Signal(chance.r#gen()),
        64..=65 => Event::Trouble(chance.r#gen()),
        66..=69 => Event::Retry(chance.r#gen()),
        70..=88 => Event::Kill(chance.r#gen()),
        89..=94 => Event::Crash,
        95..=96 => Event::Stop,
        _ => Event::Jump(jump(chance)),
    }
}

/// Hours, or a week and more.
fn jump(chance: &mut StdRng) -> Duration {
    let hours = if chance.gen_bool(0.8) { chance.gen_range(4..30) } else { chance.gen_range(168..264) };
    Duration::from_secs(hours * 3_600)
}

fn work(chance: &mut StdRng) -> Work {
    match chance.gen_range(0..11) {
        0..=3 => Work::Single,
        4..=5 => Work::Refined,
        6..=7 => Work::Registered(chance.r#gen()),
        8 => Work::Plan,
        9 => Work::Nested,
        _ => Work::Waiting,
    }
}

fn deadline(chance: &mut StdRng) -> Option<Duration> {
    chance.gen_bool(0.3).then(|| Duration::from_millis(chance.gen_range(1..60_000)))
}
