//! What the provider does with a call.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

/// What the provider does with a call.
pub(crate) enum Reply {
    /// Answers with what it was asked.
    Echo,
    /// Answers.
    Say(&'static str),
    /// Answers as a model does, in the call's own wire format, whole or in pieces as the call wants it, and with a fault if it
    /// has one.
    Answer(Answer),
    /// Answers as a tool does: with the input that it was given.
    Return,
    /// Fails before any work, with or without asking for patience.
    Status(u16, Option<Duration>),
    /// The same, the patience asked for in a date: the header's value.
    StatusUntil(u16, String),
    /// Announces an answer and ends the connection in its middle.
    Cut,
    /// Answers with what is no JSON.
    Nonsense,
    /// Never answers.
    Silence,
    /// Waits for the test, then does something else.
    Held(Gate, Box<Self>),
    /// Takes its time, as models do, then does something else.
    After(Duration, Box<Self>),
}

impl Reply {
    /// Answers with what it was asked, once the test says so.
    pub(crate) fn echo_behind(gate: &Gate) -> Self {
        Self::Held(gate.clone(), Box::new(Self::Echo))
    }

    /// The same after a while.
    pub(crate) fn after(self, latency: Duration) -> Self {
        Self::After(latency, Box::new(self))
    }
}

/// What holds answers back until the test opens it.
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    pub(crate) fn closed() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    pub(crate) fn open(&self) {
        self.0.send_replace(true);
    }

    pub(super) async fn passed(&self) {
        self.0.subscribe().wait_for(|open| *open).await.expect("the gate is there");
    }
}

/// What a model says, and how it comes across.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(super) text: String,
    pub(super) calls: Vec<ToolCall>,
    pub(super) stop: Stop,
    pub(super) usage: Reported,
    pub(super) model: Option<String>,
    pub(super) between: Duration,
    pub(super) fault: Option<Fault>,
    /// Characters in each piece of a stream; else a piece is a word.
    pub(super) piece_characters: Option<usize>,
    /// How many pieces of a stream come before the test is waited for.
    pub(super) held: Option<(usize, Gate)>,
}

/// A tool that the model wants called.
#[derive(Debug, Clone)]
pub(crate) struct ToolCall {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) arguments: Value,
}

/// Why the model ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It has said what it has to say.
    End,
    /// It may not say more.
    Length,
    /// It waits for tools.
    Tools,
}

/// Tokens as OpenAI counts them: those from the cache are among those read, those of reasoning among those written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub(crate) input: i64,
    pub(crate) output: i64,
    pub(crate) cached: i64,
    pub(crate) reasoning: i64,
}

/// What the provider says that it used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reported {
    /// What its meter counts: a token for each word.
    Counted,
    /// This, which is what it bills, as far as an answer goes.
    Exactly(Counts),
    /// This, which is not what it bills.
    Lie(Counts),
    /// Nothing.
    Unsaid,
}

/// What goes wrong with an answer for which the model has run. Pieces are the events of a stream; an answer that is not streamed
/// is cut and garbled in its middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection ends after so many pieces.
    Cut(Cut, usize),
    /// So many pieces come, and half of the next one, with which the answer ends in good order.
    Half(usize),
    /// So many pieces come, then the format's error and no more.
    Error(usize),
    /// So many pieces come, then nothing more.
    Hang(usize),
    /// The model has done its work, and a gateway answers with this status instead.
    Status(u16),
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// It is reset.
    Reset,
    /// It is closed before HTTP says that the body is whole.
    Closed,
    /// The body ends in good order, without what ends an answer.
    Ended,
}

impl Answer {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            calls: Vec::new(),
            stop: Stop::End,
            usage: Reported::Counted,
            model: None,
            between: Duration::ZERO,
            fault: None,
            piece_characters: None,
            held: None,
        }
    }

    /// Wants tools called, after what it says.
    pub(crate) fn calling(mut self, calls: Vec<ToolCall>) -> Self {
        (self.calls, self.stop) = (calls, Stop::Tools);
        self
    }

    /// Ends because it may not say more.
    pub(crate) fn too_long(mut self) -> Self {
        self.stop = Stop::Length;
        self
    }

    pub(crate) fn reporting(mut self, usage: Reported) -> Self {
        self.usage = usage;
        self
    }

    /// Says that another model answered than was asked.
    pub(crate) fn by_model(mut self, model: &str) -> Self {
        self.model = Some(model.to_owned());
        self
    }

    /// Pauses between pieces.
    pub(crate) fn slow(mut self, between: Duration) -> Self {
        self.between = between;
        self
    }

    /// Comes in pieces of so many characters.
    pub(crate) fn in_pieces_of(mut self, characters: usize) -> Self {
        self.piece_characters = Some(characters);
        self
    }

    /// Waits for the test after so many pieces.
    pub(crate) fn held_after(mut self, pieces: usize, gate: &Gate) -> Self {
        self.held = Some((pieces, gate.clone()));
        self
    }

    pub(crate) fn with(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}
