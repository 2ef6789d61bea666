//! The table: what the provider does, and what becomes of the task.

use std::fmt;
use std::time::Duration;

use jiff::fmt::rfc2822::DateTimePrinter;

use crate::harness::{Answer, Counts, Cut, Fault, Reply, Reported};

/// A fault and its outcomes where the route has one model.
pub(super) struct Row {
    /// As the document tells it.
    pub(super) fault: &'static str,
    /// What the provider does with each attempt, counted from 0.
    pub(super) reply: fn(usize) -> Reply,
    pub(super) plain: Outcome,
    pub(super) streamed: Outcome,
    /// The same for OpenAI's format, where it differs.
    pub(super) openai: Option<(Outcome, Outcome)>,
    /// Nobody listens where the provider should be.
    pub(super) is_unreachable: bool,
    /// The provider says nothing until the time is over.
    pub(super) is_silent: bool,
    /// What is booked stops the scope.
    pub(super) stops_scopes: bool,
    /// How long the next attempt must wait.
    pub(super) patience: Duration,
}

/// How a task ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The code that it fails with; none where it succeeds.
    pub(super) code: Option<&'static str>,
    pub(super) calls: usize,
    pub(super) books: Books,
}

/// What is booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Books {
    /// Nothing: no model has run.
    Nothing,
    /// Each call's whole reservation, in doubt.
    InDoubt,
    /// What the provider says.
    Reported,
    /// What is counted here.
    Counted,
    /// The input, and what arrived of the output.
    Arrived,
    /// The same, and the rest of what was reserved in doubt: nobody listened on.
    RestInDoubt,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.code.map_or_else(|| "succeeds".to_owned(), |code| format!("`{code}`"));
        let calls = if self.calls == 1 { "1 call".to_owned() } else { format!("{} calls", self.calls) };
        let books = match self.books {
            Books::Nothing => "nothing booked",
            Books::InDoubt => "reservations in doubt",
            Books::Reported => "booked as reported",
            Books::Counted => "booked as counted here",
            Books::Arrived => "booked as it arrived",
            Books::RestInDoubt => "booked as it arrived, the rest of the reservations in doubt",
        };
        write!(f, "{end}, {calls}, {books}")
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let streamed = if self.streamed == self.plain { "the same".to_owned() } else { self.streamed.to_string() };
        let (plain, piecewise) = self.openai.unwrap_or((self.plain, self.streamed));
        let openai = |outcome: Outcome, other: Outcome| {
            if outcome == other { String::new() } else { format!("; OpenAI: {outcome}") }
        };
        let (whole, pieces) = (openai(plain, self.plain), openai(piecewise, self.streamed));
        write!(f, "| {} | {}{whole} | {streamed}{pieces} |", self.fault, self.plain)
    }
}

const fn fails(code: &'static str, calls: usize, books: Books) -> Outcome {
    Outcome { code: Some(code), calls, books }
}

const fn succeeds(calls: usize, books: Books) -> Outcome {
    Outcome { code: None, calls, books }
}

const fn row(fault: &'static str, reply: fn(usize) -> Reply, plain: Outcome) -> Row {
    Row {
        fault,
        reply,
        plain,
        streamed: plain,
        openai: None,
        is_unreachable: false,
        is_silent: false,
        stops_scopes: false,
        patience: Duration::ZERO,
    }
}

impl Row {
    const fn streamed(self, streamed: Outcome) -> Self {
        Self { streamed, ..self }
    }

    const fn openai(self, plain: Outcome, streamed: Outcome) -> Self {
        Self { openai: Some((plain, streamed)), ..self }
    }

    const fn silent(self) -> Self {
        Self { is_silent: true, ..self }
    }
}

/// Pieces after which streams break: words have arrived in every format by then.
const PIECES: usize = 5;
/// For how long the provider asks to be left alone.
const PATIENCE: Duration = Duration::from_secs(1);

fn answer() -> Answer {
    Answer::text("one two three four five six seven eight")
}

fn with(fault: Fault) -> Reply {
    answer().with(fault).into()
}

fn reporting(counts: Counts) -> Reply {
    answer().reporting(Reported::Exactly(counts)).into()
}

fn lying(input: i64, output: i64) -> Reply {
    answer().reporting(Reported::Lie(Counts { input, output, cached: 0, reasoning: 0 })).into()
}

/// A date that far ahead, as HTTP writes it, in whole seconds.
fn date() -> String {
    let at = jiff::Timestamp::now() + PATIENCE * 2;
    DateTimePrinter::new().timestamp_to_rfc9110_string(&at).expect("a date of this century")
}

pub(super) const ROWS: &[Row] = &[
    Row {
        is_unreachable: true,
        ..row("nobody listens at its address", |_| Reply::Silence, fails("provider_unreachable", 3, Books::Nothing))
    },
    Row {
        patience: PATIENCE,
        ..row(
            "429 once, with `Retry-After` in seconds: it is given that time",
            |attempt| if attempt == 0 { Reply::Status(429, Some(PATIENCE)) } else { answer().into() },
            succeeds(2, Books::Reported),
        )
    },
    Row {
        patience: PATIENCE,
        ..row(
            "429 once, with `Retry-After` as a date: it is given that time",
            |attempt| if attempt == 0 { Reply::StatusUntil(429, date()) } else { answer().into() },
            succeeds(2, Books::Reported),
        )
    },
    row("429 every time", |_| Reply::Status(429, None), fails("provider_rate_limited", 3, Books::Nothing)),
    row("503 every time", |_| Reply::Status(503, None), fails("provider_failed", 3, Books::Nothing)),
    row("529 every time", |_| Reply::Status(529, None), fails("provider_failed", 3, Books::Nothing)),
    row(
        "500 every time, though its model may have run",
        |_| with(Fault::Status(500)),
        fails("provider_failed", 3, Books::InDoubt),
    ),
    row(
        "502 every time, though its model may have run",
        |_| with(Fault::Status(502)),
        fails("provider_failed", 3, Books::InDoubt),
    ),
    row(
        "504 every time, though its model may have run",
        |_| with(Fault::Status(504)),
        fails("provider_failed", 3, Books::InDoubt),
    ),
    row("400", |_| Reply::Status(400, None), fails("provider_rejected", 1, Books::Nothing)),
    row("401, the key is wrong", |_| Reply::Status(401, None), fails("provider_key_rejected", 1, Books::Nothing)),
    row("403, the key may not", |_| Reply::Status(403, None), fails("provider_key_rejected", 1, Books::Nothing)),
    row("404, there is no such model", |_| Reply::Status(404, None), fails("provider_rejected", 1, Books::Nothing)),
    row("413", |_| Reply::Status(413, None), fails("provider_context_too_large", 1, Books::Nothing)),
    row(
        "the connection is reset in the middle of the answer",
        |_| with(Fault::Cut(Cut::Reset, PIECES)),
        fails("provider_cut", 3, Books::InDoubt),
    )
    .streamed(fails("provider_cut", 3, Books::Arrived)),
    row(
        "the connection is closed in the middle of the answer",
        |_| with(Fault::Cut(Cut::Closed, PIECES)),
        fails("provider_cut", 3, Books::InDoubt),
    )
    .streamed(fails("provider_cut", 3, Books::Arrived)),
    row(
        "the answer ends in good order, and is not whole",
        |_| with(Fault::Cut(Cut::Ended, PIECES)),
        fails("provider_nonsense", 1, Books::InDoubt),
    )
    .streamed(fails("provider_cut", 3, Books::Arrived)),
    row("half a JSON document", |_| with(Fault::Half(PIECES)), fails("provider_nonsense", 1, Books::InDoubt))
        .streamed(fails("provider_nonsense", 3, Books::RestInDoubt)),
    row(
        "an error under a successful status, or in the middle of the stream",
        |_| with(Fault::Error(PIECES)),
        fails("provider_nonsense", 1, Books::InDoubt),
    )
    .streamed(fails("provider_failed", 3, Books::Arrived))
    .openai(fails("provider_failed", 3, Books::InDoubt), fails("provider_failed", 3, Books::Arrived)),
    row("what is no JSON at all", |_| Reply::Nonsense, fails("provider_nonsense", 1, Books::InDoubt)),
    row("no answer within the time-out", |_| Reply::Silence, fails("provider_timed_out", 1, Books::InDoubt)).silent(),
    row(
        "nothing more after the middle of the answer",
        |_| with(Fault::Hang(PIECES)),
        fails("provider_timed_out", 1, Books::InDoubt),
    )
    .streamed(fails("provider_timed_out", 3, Books::RestInDoubt))
    .silent(),
    row(
        "a slow answer, within the time-out",
        |_| answer().slow(Duration::from_millis(20)).into(),
        succeeds(1, Books::Reported),
    ),
    row(
        "another model's name: it is noted with the step",
        |_| answer().by_model("somebody-else").into(),
        succeeds(1, Books::Reported),
    ),
    row("no usage", |_| answer().reporting(Reported::Unsaid).into(), succeeds(1, Books::Counted)),
    row("a negative usage", |_| lying(-1, 8), fails("provider_nonsense", 1, Books::InDoubt))
        .openai(fails("provider_nonsense", 1, Books::InDoubt), fails("provider_nonsense", 3, Books::RestInDoubt)),
    row(
        "a usage that no model can have",
        |_| lying(10_000_000_000_000, 8),
        fails("provider_nonsense", 1, Books::InDoubt),
    )
    .openai(fails("provider_nonsense", 1, Books::InDoubt), fails("provider_nonsense", 3, Books::RestInDoubt)),
    Row {
        stops_scopes: true,
        ..row(
            "a usage above the reservation: the excess is booked, and the scopes stop",
            |_| reporting(Counts { input: 5, output: 1_000_000, cached: 0, reasoning: 900_000 }),
            succeeds(1, Books::Reported),
        )
    },
];
