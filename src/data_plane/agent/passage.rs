//! The way of an answer's words from the provider to who listens, where they are told before the answer is whole.
//!
//! ```text
//! words ─▶ Open ────────────────────────────────────────▶ restorer ─▶ line
//!      └─▶ Filtered: what is decided ─ passed ─▶ restorer ─▶ line
//!          └ found what does not pass, or broke ─▶ Refused: nothing more is told
//! ```

use super::environment::Environment;
use crate::data_plane::dlp::{self, Stream};
use crate::domain::private::Text;
use crate::domain::protection::Rules;
use crate::journal::order::Order;

/// What the words pass.
#[derive(Debug)]
pub(super) enum Passage {
    /// Nothing is looked for in them.
    Open,
    /// Nobody is told before the answer was examined as a whole.
    Shut,
    /// What is found in them is hidden, word by word.
    Filtered {
        /// Decides about the words.
        stream: Box<Stream>,
        /// What has passed so far.
        passed: String,
    },
    /// They did not pass.
    Refused(dlp::Error),
}

/// Whether an answer is told as it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    AsItComes,
    ByNobody,
}

/// What there is of an answer's words at its end.
#[derive(Debug)]
pub(super) enum Words {
    /// What the provider wrote; nobody has looked at it.
    Raw(Text),
    /// What has passed the filter.
    Passed(Text),
}

impl Passage {
    /// The passage of an answer of this order, in which findings are treated by `inbound` and which goes on from `before`, if
    /// somebody listens.
    pub(super) async fn open(
        environment: &Environment,
        order: &Order,
        (inbound, before): (&Rules, &Text),
        heard: Heard,
    ) -> Self {
        match heard {
            Heard::ByNobody => Self::Shut,
            Heard::AsItComes if inbound.lets_all_pass() => Self::Open,
            Heard::AsItComes => match environment.dlp.stream(inbound.clone(), &order.tenant, before).await {
                Ok(stream) => Self::Filtered { stream: Box::new(stream), passed: String::new() },
                // Whoever listens is told the whole answer, once it could be examined.
                Err(_unavailable) => Self::Shut,
            },
        }
    }

    /// Whether words were kept from passing for good.
    pub(super) fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// What may be told by now.
    pub(super) async fn take(&mut self, words: &str) -> Text {
        let Self::Filtered { stream, passed } = self else {
            return if matches!(self, Self::Open) { words.into() } else { Text::default() };
        };
        match stream.push(words).await {
            Ok(released) => {
                passed.push_str(released.expose());
                released
            }
            Err(refusal) => {
                *self = Self::Refused(refusal);
                Text::default()
            }
        }
    }

    /// The answer is whole: what may be told of what was held, and all that has passed where a filter saw all of it.
    pub(super) async fn whole(self) -> Result<(Text, Option<Text>), dlp::Error> {
        match self {
            Self::Open | Self::Shut => Ok((Text::default(), None)),
            Self::Filtered { stream, passed } => {
                let rest = stream.finish().await?;
                let passed = Text::from(passed + rest.expose());
                Ok((rest, Some(passed)))
            }
            Self::Refused(refusal) => Err(refusal),
        }
    }

    /// The answer broke off: what was held may be the beginning of what must be hidden, and is forgotten. What has passed, where a
    /// filter saw the words.
    pub(super) fn broken(self) -> Result<Option<Text>, dlp::Error> {
        match self {
            Self::Open | Self::Shut => Ok(None),
            Self::Filtered { passed, .. } => Ok(Some(passed.into())),
            Self::Refused(refusal) => Err(refusal),
        }
    }
}

/// What may be told of an answer that broke off, and that nobody looked at while it came: its end may be the beginning of what must
/// be hidden, and is forgotten.
///
/// # Errors
/// The answer does not pass, or nobody is there to examine it.
pub(super) async fn decided(
    environment: &Environment,
    order: &Order,
    (inbound, before): (&Rules, &Text),
    answer: &Text,
) -> Result<Text, dlp::Error> {
    if inbound.lets_all_pass() {
        return Ok(answer.clone());
    }
    let mut stream = environment.dlp.stream(inbound.clone(), &order.tenant, before).await?;
    stream.push(answer.expose()).await
}
