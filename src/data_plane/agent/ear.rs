//! What is heard of an answer while it is written.

use std::sync::Arc;

use tokio::sync::watch;

use super::live::Line;
use super::passage::{Heard, Passage, Words};
use crate::control_plane::budget::tokens;
use crate::data_plane::dlp::{self, Restorer, Vault};
use crate::data_plane::provider::Delta;
use crate::domain::model::Model;
use crate::domain::private::Text;
use crate::domain::usage::{Tokens, Usage};

/// One of two models that are asked at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The one that the step is about.
    First,
    /// The one that was asked because the first let wait.
    Rival,
}

impl Side {
    /// The other one.
    pub(super) fn opposite(self) -> Self {
        match self {
            Self::First => Self::Rival,
            Self::Rival => Self::First,
        }
    }
}

/// Who may be heard: whoever says the first word, and from then on nobody else.
pub(super) struct Floor {
    /// Who is told the words at once; nobody where they must be checked as a whole first.
    line: Option<Arc<Line>>,
    holder: watch::Sender<Option<Side>>,
}

impl Floor {
    pub(super) fn new(line: Option<Arc<Line>>) -> Arc<Self> {
        Arc::new(Self { line, holder: watch::Sender::new(None) })
    }

    /// Returns once somebody has said a word, and who.
    pub(super) async fn taken(&self) -> Side {
        let mut holder = self.holder.subscribe();
        let taken = holder.wait_for(Option::is_some).await.ok().and_then(|side| *side);
        match taken {
            Some(side) => side,
            None => std::future::pending().await,
        }
    }

    /// Whether anybody is told the words at once.
    pub(super) fn is_heard(&self) -> Heard {
        if self.line.is_some() { Heard::AsItComes } else { Heard::ByNobody }
    }

    fn is_taken_by(&self, side: Side) -> bool {
        self.holder.send_if_modified(|holder| holder.is_none() && holder.replace(side).is_none());
        *self.holder.borrow() == Some(side)
    }
}

/// Hears one call's answer piece by piece, and passes its words on.
pub(super) struct Ear {
    text: String,
    usage: Option<Usage>,
    side: Side,
    floor: Arc<Floor>,
    /// Whether its words are told: it was the first to be heard, and somebody listens.
    is_told: bool,
    /// What the words pass before that.
    passage: Passage,
    /// What makes the words those of whom they are for.
    restorer: Restorer,
}

impl Ear {
    /// An ear for the answer of this side.
    pub(super) fn new(side: Side, floor: &Arc<Floor>, vault: &Vault, passage: Passage) -> Self {
        let restorer = Restorer::new(vault);
        let (text, floor) = (String::new(), Arc::clone(floor));
        Self { text, usage: None, side, floor, is_told: false, passage, restorer }
    }

    /// Hears a piece.
    pub(super) async fn hear(&mut self, piece: Delta) {
        match piece {
            Delta::Text(text) => {
                self.text.push_str(text.expose());
                let has_floor = !text.is_empty() && self.floor.is_taken_by(self.side);
                if let Some(line) = self.floor.line.as_ref().filter(|_| has_floor) {
                    self.is_told = true;
                    let words = self.passage.take(text.expose()).await;
                    line.say(&self.restorer.take(words.expose()));
                }
            }
            Delta::Usage(usage) => self.usage = Some(usage),
            // Told with the whole answer: a call that is not made is taken back by nobody.
            Delta::Call(_) => {}
        }
    }

    /// Whether any words were heard.
    pub(super) fn heard_words(&self) -> bool {
        !self.text.is_empty()
    }

    /// Whether the words do not pass: nothing of what comes is told any more.
    pub(super) fn is_refused(&self) -> bool {
        self.passage.is_refused()
    }

    /// The answer is there: all that was held back is told. Gives what is to be made of `answer`, where a filter has looked at it
    /// all on its way; else it is still to be examined.
    ///
    /// # Errors
    /// It does not pass.
    pub(super) async fn whole(self, answer: &Text) -> Result<Option<Text>, dlp::Error> {
        let Self { text, floor, is_told, passage, mut restorer, .. } = self;
        let Some(line) = floor.line.as_ref().filter(|_| is_told) else { return Ok(None) };
        let (rest, passed) = passage.whole().await?;
        line.say(&restorer.take(rest.expose()));
        line.say(&restorer.finish());
        Ok(passed.filter(|_| text == answer.expose()))
    }

    /// The answer broke off: what was held back of pseudonyms is told, and what may be told of the words is given.
    ///
    /// # Errors
    /// They do not pass.
    pub(super) fn broken(self) -> Result<Words, dlp::Error> {
        let Self { text, floor, is_told, passage, restorer, .. } = self;
        let Some(line) = floor.line.as_ref().filter(|_| is_told) else { return Ok(Words::Raw(text.into())) };
        let passed = passage.broken()?;
        line.say(&restorer.finish());
        Ok(passed.map_or_else(|| Words::Raw(text.into()), Words::Passed))
    }

    /// What was used until the answer broke off: what the provider said, and, unless nothing is counted of the call, for the
    /// output no less than what arrived.
    ///
    /// What is counted here is no more than `most`, which the answer was allowed: it is the margin that may exceed that.
    pub(super) fn used(&self, counted_input: Option<Tokens>, most: Tokens, known: &Model) -> Usage {
        let Some(input_tokens) = counted_input else { return self.usage.unwrap_or_default() };
        let said = self.usage.filter(|said| said.input_tokens > Tokens::default());
        let said = said.unwrap_or(Usage { input_tokens, ..Usage::default() });
        let arrived = tokens::answer_tokens(&Text::from(self.text.as_str()), &known.counting).min(most);
        Usage { output_tokens: said.output_tokens.max(arrived), ..said }
    }
}
