//! The provider of a simulation: moods from the seed, and a book of every call that reached it.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::FutureExt;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::schedule::{Schedule, Temper};
use crate::data_plane::provider::scripted::Script;
use crate::data_plane::provider::{Charge, Completion, Delta, Error, Request, Stop};
use crate::domain::clock::Timestamp;
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::domain::private::Text;
use crate::domain::usage::{Tokens, Usage};
use crate::journal::Journal;

/// What the models cost, in nano-dollars for each token; the settings say the same in dollars for a million.
const INPUT_NANOS: i64 = 1_000;
const OUTPUT_NANOS: i64 = 4_000;
/// The most that a model may write, as the templates say.
pub(super) const OUTPUT_TOKENS_MAX: u32 = 64;
const INPUT_TOKENS: u32 = 3;
/// The longest that an answer takes.
const DELAY_MILLIS_MAX: u64 = 5_000;
/// Every answer: a list, so that plans can map over it.
const ANSWER: &str = r#"["pears","plums"]"#;

/// A piece of an answer that is told while it is written: a token, or more.
const PIECE: &str = " pear";
const BETWEEN_PIECES: Duration = Duration::from_millis(7);

/// The provider.
pub(super) struct Market {
    book: Mutex<Book>,
}

struct Book {
    chance: StdRng,
    temper: Temper,
    calls: Vec<Call>,
    journal: Option<Journal>,
    broken: Vec<String>,
}

/// A call that reached the provider.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) task: TaskId,
    /// The step that was open then.
    pub(super) step: u32,
    /// By which name the provider knows it: a repetition has the name of the first.
    pub(super) name: u32,
    pub(super) at: Timestamp,
    /// What the provider bills for it, whether or not anybody heard the answer.
    pub(super) billed: Usd,
}

/// What becomes of one call.
struct Fate {
    after: Option<Duration>,
    /// Pieces that are told before that, where somebody listens.
    pieces: u32,
    outcome: Result<Completion, Error>,
}

impl Market {
    pub(super) fn new(schedule: &Schedule) -> Arc<Self> {
        let chance = StdRng::seed_from_u64(schedule.seed ^ 0x5eed);
        let book = Book { chance, temper: schedule.temper, calls: Vec::new(), journal: None, broken: Vec::new() };
        Arc::new(Self { book: Mutex::new(book) })
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("no panic")
    }

    /// From now on, calls are compared with the records in this journal.
    pub(super) fn watch(&self, journal: &Journal) {
        self.book().journal = Some(journal.clone());
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.book().calls.clone()
    }

    pub(super) fn broken(&self) -> Vec<String> {
        self.book().broken.clone()
    }

    pub(super) fn script(self: &Arc<Self>) -> Script {
        let market = Arc::clone(self);
        Arc::new(move |_, request, heard| {
            let (fate, place) = market.book().take(&request, heard.is_some());
            let market = Arc::clone(&market);
            async move {
                for _ in 0..heard.as_ref().map_or(0, |_| fate.pieces) {
                    tokio::time::sleep(BETWEEN_PIECES).await;
                    let Some(heard) = &heard else { break };
                    if heard.send(Delta::Text(Text::from(PIECE))).await.is_ok() {
                        market.book().wrote_a_piece(place);
                    }
                }
                match fate.after {
                    Some(after) if after.is_zero() => {}
                    Some(after) => tokio::time::sleep(after).await,
                    None => std::future::pending().await,
                }
                fate.outcome
            }
            .boxed()
        })
    }
}

impl Book {
    /// Decides about a call, and gives its place on the bill.
    fn take(&mut self, request: &Request, in_pieces: bool) -> (Fate, Option<usize>) {
        let key = &request.idempotency_key;
        let (task, name) = key.rsplit_once('-').expect("a task and a number");
        let (task, name) = (task.parse().expect("a task"), name.parse().expect("a number"));
        // INVARIANT: a call is made only while its step is on record as started.
        let journal = self.journal.as_ref().expect("a journal");
        let now = journal.watch(task).map(|open| open.borrow().clone());
        let open = now.filter(|now| now.totals.call == name).and_then(|now| now.open_call().map(|step| step.number));
        let Some(step) = open else {
            self.broken.push(format!("{key} was called at {} while its step was not open", Timestamp::now()));
            return (self.fate(OUTPUT_TOKENS_MAX).0, None);
        };
        let (fate, billed) = self.fate(request.max_output_tokens.min(OUTPUT_TOKENS_MAX));
        let (fate, billed) = if in_pieces { self.piecewise(fate, billed) } else { (fate, billed) };
        self.calls.push(Call { task, step, name, at: Timestamp::now(), billed });
        (fate, Some(self.calls.len() - 1))
    }

    /// The same in pieces, which are billed as they come; one that fails after the model began may have told some. What was used
    /// is not always said.
    fn piecewise(&mut self, fate: Fate, billed: Usd) -> (Fate, Usd) {
        let read = Usd::from_nanos(i64::from(INPUT_TOKENS) * INPUT_NANOS);
        let Fate { after, pieces, outcome } = fate;
        match outcome {
            Ok(completion) => {
                let text = Text::from(PIECE.repeat(usize::try_from(pieces).expect("few")));
                let usage = completion.usage.filter(|_| self.chance.gen_bool(0.7));
                (Fate { after, pieces, outcome: Ok(Completion { text, usage, ..completion }) }, read)
            }
            Err(error) if error.charge() == Charge::Unknown => {
                let pieces = self.chance.gen_range(0..=pieces);
                (Fate { after, pieces, outcome: Err(error) }, read)
            }
            Err(error) => (Fate { after, pieces: 0, outcome: Err(error) }, billed),
        }
    }

    fn wrote_a_piece(&mut self, place: Option<usize>) {
        if let Some(call) = place.and_then(|place| self.calls.get_mut(place)) {
            call.billed = call.billed.plus(Usd::from_nanos(OUTPUT_NANOS));
        }
    }

    fn fate(&mut self, tokens_max: u32) -> (Fate, Usd) {
        let chance = &mut self.chance;
        let good = match self.temper {
            Temper::Good => 0.95,
            Temper::Moody => 0.6,
            Temper::Bad => 0.15,
        };
        let delay = if chance.gen_bool(0.3) { 0 } else { chance.gen_range(1..DELAY_MILLIS_MAX) };
        let after = Some(Duration::from_millis(delay));
        let tokens = chance.gen_range(1..=tokens_max.max(1));
        let price = Usd::from_nanos(i64::from(INPUT_TOKENS) * INPUT_NANOS + i64::from(tokens) * OUTPUT_NANOS);
        if chance.gen_bool(good) {
            return (Fate { after, pieces: tokens, outcome: Ok(answer(tokens)) }, price);
        }
        let retry_after = chance.gen_bool(0.5).then(|| Duration::from_millis(chance.gen_range(0..8_000)));
        let billed = if chance.gen_bool(0.5) { price } else { Usd::ZERO };
        let (after, error, billed) = match chance.gen_range(0..9) {
            0 => (after, Error::RateLimited { retry_after }, Usd::ZERO),
            1 => (after, Error::Failed { status: 503, retry_after }, Usd::ZERO),
            2 => (after, Error::Failed { status: 500, retry_after }, billed),
            3 => (after, Error::Unreachable("nobody listens".to_owned()), Usd::ZERO),
            4 => (after, Error::Cut("the connection ended".to_owned()), billed),
            5 => (after, Error::Rejected { status: 400 }, Usd::ZERO),
            6 => (after, Error::Nonsense { what: "no choices" }, billed),
            7 => (after, Error::Refused, Usd::ZERO),
            // It never answers, and the settings' time-out ends the call.
            _ => (None, Error::TimedOut, billed),
        };
        (Fate { after, pieces: tokens, outcome: Err(error) }, billed)
    }
}

fn answer(tokens: u32) -> Completion {
    let usage = Usage {
        input_tokens: Tokens::new(INPUT_TOKENS.into()),
        output_tokens: Tokens::new(tokens.into()),
        ..Usage::default()
    };
    Completion {
        text: Text::from(ANSWER),
        calls: Vec::new(),
        usage: Some(usage),
        stop: Stop::End,
        model: "simulated".to_owned(),
        notes: Vec::new(),
        elapsed: Duration::ZERO,
    }
}
