//! What is heard of an answer while it is written.

use std::sync::Arc;

use tokio::sync::watch;

use super::live::Line;
use crate::control_plane::budget::tokens;
use crate::data_plane::dlp::{Restorer, Vault};
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
    /// What makes the words those of whom they are for.
    restorer: Restorer,
}

impl Ear {
    /// An ear for the answer of this side.
    pub(super) fn new(side: Side, floor: &Arc<Floor>, vault: &Vault) -> Self {
        let restorer = Restorer::new(vault.clone());
        Self { text: String::new(), usage: None, side, floor: Arc::clone(floor), restorer }
    }

    /// Hears a piece.
    pub(super) fn hear(&mut self, piece: Delta) {
        match piece {
            Delta::Text(text) => {
                self.text.push_str(text.expose());
                let has_floor = !text.is_empty() && self.floor.is_taken_by(self.side);
                if let Some(line) = self.floor.line.as_ref().filter(|_| has_floor) {
                    line.say(&self.restorer.take(text.expose()));
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

    /// The words so far, as the provider wrote them; all that was held back is told.
    pub(super) fn words(self) -> Text {
        if let Some(line) = self.floor.line.as_ref().filter(|_| !self.text.is_empty()) {
            line.say(&self.restorer.finish());
        }
        self.text.into()
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
