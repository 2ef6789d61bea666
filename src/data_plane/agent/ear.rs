//! What is heard of an answer while it is written.

use std::sync::Arc;

use super::live::Line;
use crate::control_plane::budget::tokens;
use crate::data_plane::dlp::{Restorer, Vault};
use crate::data_plane::provider::Delta;
use crate::domain::model::Model;
use crate::domain::private::Text;
use crate::domain::usage::{Tokens, Usage};

/// Hears one call's answer piece by piece, and passes its words on.
pub(super) struct Ear {
    text: String,
    usage: Option<Usage>,
    /// Who is told at once, and what makes the words theirs again. Nobody where the words must be checked as a whole first.
    told: Option<(Arc<Line>, Restorer)>,
}

impl Ear {
    /// An ear that passes words on to a line, or to nobody.
    pub(super) fn new(line: Option<Arc<Line>>, vault: &Vault) -> Self {
        let told = line.map(|line| (line, Restorer::new(vault.clone())));
        Self { text: String::new(), usage: None, told }
    }

    /// Hears a piece.
    pub(super) fn hear(&mut self, piece: Delta) {
        match piece {
            Delta::Text(text) => {
                self.text.push_str(text.expose());
                if let Some((line, restorer)) = &mut self.told {
                    line.say(&restorer.take(text.expose()));
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
        if let Some((line, restorer)) = self.told {
            line.say(&restorer.finish());
        }
        self.text.into()
    }

    /// What was used until the answer broke off: what the provider said, and for the output no less than what arrived.
    pub(super) fn used(&self, counted_input: Tokens, known: &Model) -> Usage {
        if known.price.is_free() {
            return self.usage.unwrap_or_default();
        }
        let said = self.usage.unwrap_or(Usage { input_tokens: counted_input, ..Usage::default() });
        let arrived = tokens::answer_tokens(&Text::from(self.text.as_str()), &known.counting);
        Usage { output_tokens: said.output_tokens.max(arrived), ..said }
    }
}
