//! What the provider would bill, by arithmetic of its own: nano-dollars for each token, a token for each word, also for answers
//! that break off, of which it bills what it has sent. A call whose model has run is billed whether or not anybody hears of it,
//! and a repeated call again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::asked::Asked;
use super::reply::{Answer, Counts, Reported};
use super::wire::{TOKENS_OF_A_TOOL_CALL, words};

/// The marks that a prompt may carry, as `tenant=acme`.
const TAGS: [&str; 3] = ["tenant", "template", "user"];
/// What a model costs where the test says nothing else: that of `mock/priced`, $1.00 and $4.00 by the million.
const PRICE: Tariff = Tariff { input: 1_000, output: 4_000, cached: 1_000 };
/// The model that costs nothing.
const FREE: &str = "free";
const DAY_SECONDS: i64 = 86_400;
/// How the key of a call ends that is made beside another one.
const RIVAL: &str = "-rival";

/// Nano-dollars for each token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tariff {
    pub(crate) input: i64,
    pub(crate) output: i64,
    pub(crate) cached: i64,
}

/// One call's line on the bill.
#[derive(Debug, Clone)]
pub(crate) struct Billed {
    /// The number of the call.
    pub(crate) call: usize,
    /// The task that its idempotency key names.
    pub(crate) task: Option<String>,
    pub(crate) model: String,
    /// The marks of its prompt.
    pub(crate) tags: BTreeMap<&'static str, String>,
    /// The day on which it arrived, in UTC, after 1970-01-01.
    pub(crate) day: i64,
    pub(crate) counts: Counts,
    /// What it costs so far.
    pub(crate) nanos: i64,
}

/// Tells the seconds after 1970-01-01.
type Clock = dyn Fn() -> i64 + Send + Sync;

/// The meter.
#[derive(Clone)]
pub(crate) struct Meter(Arc<Inner>);

struct Inner {
    bills: Mutex<Vec<Billed>>,
    prices: Mutex<BTreeMap<String, Tariff>>,
    clock: Mutex<Arc<Clock>>,
}

/// Where the tokens of one call go.
#[derive(Clone)]
pub(super) struct Line {
    meter: Meter,
    place: usize,
}

impl Meter {
    pub(super) fn new() -> Self {
        let now = || {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
            i64::try_from(since.as_secs()).expect("soon")
        };
        let prices = BTreeMap::from([(FREE.to_owned(), Tariff { input: 0, output: 0, cached: 0 })]);
        let (bills, prices, clock) = (Mutex::default(), Mutex::new(prices), Mutex::new(Arc::new(now) as Arc<Clock>));
        Self(Arc::new(Inner { bills, prices, clock }))
    }

    /// Sets what a model costs.
    pub(crate) fn price(&self, model: &str, tariff: Tariff) {
        self.0.prices.lock().expect("no poison").insert(model.to_owned(), tariff);
    }

    /// Goes by another clock than the host's.
    pub(crate) fn go_by(&self, clock: impl Fn() -> i64 + Send + Sync + 'static) {
        *self.0.clock.lock().expect("no poison") = Arc::new(clock);
    }

    /// Every line.
    pub(crate) fn bill(&self) -> Vec<Billed> {
        self.bills().clone()
    }

    /// All of it, in nano-dollars.
    pub(crate) fn billed(&self) -> i64 {
        self.billed_by(|_| ()).into_values().sum()
    }

    /// The sums by whatever a line tells.
    pub(crate) fn billed_by<K: Ord>(&self, key: impl Fn(&Billed) -> K) -> BTreeMap<K, i64> {
        let mut sums = BTreeMap::new();
        for line in self.bills().iter() {
            *sums.entry(key(line)).or_default() += line.nanos;
        }
        sums
    }

    fn bills(&self) -> MutexGuard<'_, Vec<Billed>> {
        self.0.bills.lock().expect("no poison")
    }

    /// The model begins to work: it has read the prompt.
    pub(super) fn begin(&self, asked: &Asked, input: Counts) -> Line {
        let clock = self.0.clock.lock().expect("no poison").clone();
        let key = asked.idempotency_key.as_deref().map(|key| key.strip_suffix(RIVAL).unwrap_or(key));
        let task = key.and_then(|key| Some(key.rsplit_once('-')?.0.to_owned()));
        let tags = TAGS.into_iter().filter_map(|name| Some((name, asked.tag(name)?)));
        let mut line = Billed {
            call: asked.number,
            task,
            model: asked.model().to_owned(),
            tags: tags.collect(),
            day: clock().div_euclid(DAY_SECONDS),
            counts: Counts { output: 0, reasoning: 0, ..input },
            nanos: 0,
        };
        line.nanos = self.cost(&line);
        let mut bills = self.bills();
        bills.push(line);
        Line { meter: self.clone(), place: bills.len() - 1 }
    }

    fn cost(&self, line: &Billed) -> i64 {
        let tariff = self.0.prices.lock().expect("no poison").get(&line.model).copied().unwrap_or(PRICE);
        let Counts { input, output, cached, .. } = line.counts;
        (input - cached) * tariff.input + cached * tariff.cached + output * tariff.output
    }
}

impl Line {
    /// The model has written so many tokens more.
    pub(super) fn wrote(&self, tokens: i64) {
        let mut bills = self.meter.bills();
        let line = &mut bills[self.place];
        line.counts.output += tokens;
        line.nanos = self.meter.cost(line);
    }
}

/// A token for each word that is read and written, and a few for each tool that is called.
pub(super) fn count(asked: &Asked, answer: &Answer) -> Counts {
    let many = |count: usize| i64::try_from(count).expect("few");
    let read: usize = asked.texts().into_iter().map(|text| words(text).len()).sum();
    Counts {
        input: many(read),
        output: many(words(&answer.text).len() + TOKENS_OF_A_TOOL_CALL * answer.calls.len()),
        cached: 0,
        reasoning: 0,
    }
}

/// What is billed for the whole of an answer.
pub(super) fn due(counted: Counts, answer: &Answer) -> Counts {
    match answer.usage {
        Reported::Exactly(counts) => counts,
        Reported::Counted | Reported::Lie(_) | Reported::Unsaid => counted,
    }
}
