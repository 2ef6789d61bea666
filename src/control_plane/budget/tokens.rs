//! Counts input tokens before a call, so that its worst case can be reserved.
//!
//! ```text
//! Input ─ measure each text (remembered) ─> Count ─ Counting of a model ─> Tokens at worst
//!                                             └─ at_least ─> Tokens that every vendor counts too
//! ```
//! The tokenizer is OpenAI's `o200k_base`. It is loaded when something is first counted, and stays: about 70 MB, and 0.9 s
//! unoptimised, on a thread that may block. Other vendors' tokenizers differ, which is what a model's margin is for; what a
//! provider then reports is believed. A text is measured once for all models of a route; texts that come again, such as a
//! template's system prompt and tools, are remembered by their hash.

mod memory;

use std::sync::atomic::{AtomicBool, Ordering};

use memory::Key;

use crate::domain::model::{Counting, Tokenizer};
use crate::domain::private::Text;
use crate::domain::usage::Tokens;

/// Tokens that frame each message: three, and one for its role (OpenAI cookbook, "How to count tokens with tiktoken").
const FRAME_TOKENS: u64 = 4;
/// Tokens with which the answer is primed (the same source).
const PRIMING_TOKENS: u64 = 3;
/// The same of other vendors, none of whom says; twice as many, and a preface.
const FRAME_TOKENS_OTHER: u64 = 8;
/// See [`FRAME_TOKENS_OTHER`].
const PRIMING_TOKENS_OTHER: u64 = 16;
/// Tokens that frame each tool beside the text of its definition.
const TOOL_FRAME_TOKENS: u64 = 16;
/// The longest text that is counted token by token, in bytes; of a longer one each byte counts as a token, because none is
/// shorter than a byte.
pub const COUNTED_BYTES_MAX: usize = 1 << 20;
/// What is counted on the spot, in bytes, once the tokenizer is loaded; more goes to a thread that may block.
const INLINE_BYTES_MAX: usize = 4 << 10;

static LOADED: AtomicBool = AtomicBool::new(false);

/// What a model is to read.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// Every text of it: the system prompt, messages, definitions of tools, their calls and results.
    pub texts: Vec<Text>,
    /// How many messages they are of.
    pub messages: u64,
    /// How many tools are told of.
    pub tools: u64,
    /// How many images there are.
    pub images: u64,
}

impl Input {
    /// An input whose every text is a message.
    #[must_use]
    pub fn of_messages(texts: Vec<Text>) -> Self {
        Self { messages: texts.len() as u64, texts, ..Self::default() }
    }

    /// More tokens than any count of it comes to, without counting: no token is shorter than a byte.
    #[must_use]
    pub fn bound(&self) -> Count {
        let bytes = self.texts.iter().fold(0_u64, |sum, text| sum.saturating_add(text.len() as u64));
        self.counted(Measure::of_bytes(bytes))
    }

    fn counted(&self, texts: Measure) -> Count {
        Count { texts, messages: self.messages, tools: self.tools, images: self.images }
    }
}

/// What an input comes to, before it is known for which model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    texts: Measure,
    messages: u64,
    tools: u64,
    images: u64,
}

impl Count {
    /// The tokens of the input as a model may count them at worst.
    #[must_use]
    pub fn tokens(&self, counting: &Counting) -> Tokens {
        let (texts, frame, priming) = match counting.tokenizer {
            Tokenizer::O200k => (self.texts.tokens, FRAME_TOKENS, PRIMING_TOKENS),
            Tokenizer::Other => {
                (self.texts.tokens.saturating_add(self.texts.apart), FRAME_TOKENS_OTHER, PRIMING_TOKENS_OTHER)
            }
        };
        let preface = if self.tools == 0 { 0 } else { counting.tool_prompt.count() };
        let parts = [
            self.messages.saturating_mul(frame),
            priming,
            self.tools.saturating_mul(TOOL_FRAME_TOKENS),
            preface,
            self.images.saturating_mul(counting.image.count()),
        ];
        Tokens::new(parts.into_iter().fold(with_margin(texts, counting.margin_percent), u64::saturating_add))
    }

    /// Tokens of the texts alone, without any margin: what is too long by these is too long, whoever counts. Other vocabularies
    /// are no larger than that of `o200k_base` by enough to make fewer.
    #[must_use]
    pub fn at_least(&self) -> Tokens {
        Tokens::new(self.texts.tokens)
    }
}

/// Counts an input.
pub async fn count(input: Input) -> Count {
    let (mut measured, mut rest) = (Measure::default(), Vec::new());
    for text in &input.texts {
        let key = Key::of(text);
        match key.and_then(memory::recall) {
            Some(known) => measured = measured.plus(known),
            None => rest.push((key, text.clone())),
        }
    }
    let bytes = rest.iter().fold(0_usize, |sum, (_, text)| sum.saturating_add(text.len()));
    let new = if rest.is_empty() {
        Measure::default()
    } else if LOADED.load(Ordering::Relaxed) && bytes <= INLINE_BYTES_MAX {
        measure_all(&rest)
    } else {
        let bound = Measure::of_bytes(bytes as u64);
        tokio::task::spawn_blocking(move || measure_all(&rest)).await.unwrap_or(bound)
    };
    input.counted(measured.plus(new))
}

/// Tokens of an answer that a provider sent without saying how many they are, at worst. Blocks for the length of the text.
#[must_use]
pub fn answer_tokens(answer: &Text, counting: &Counting) -> Tokens {
    let measured = measure(answer.expose());
    let tokens = match counting.tokenizer {
        Tokenizer::O200k => measured.tokens,
        Tokenizer::Other => measured.tokens.saturating_add(measured.apart),
    };
    Tokens::new(with_margin(tokens, counting.margin_percent))
}

fn with_margin(tokens: u64, percent: u64) -> u64 {
    tokens.saturating_add(tokens.saturating_mul(percent).div_ceil(100))
}

/// What one text, or several, come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Measure {
    /// Tokens of `o200k_base`.
    tokens: u64,
    /// Tokens that another tokenizer may make beyond those: one for each letter beyond ASCII, which `o200k_base` knows more of
    /// than others and joins; and two for each three digits, which it joins and some never do. No more than make a token of each byte.
    apart: u64,
}

impl Measure {
    /// Each byte a token: beyond that, nothing comes apart.
    const fn of_bytes(bytes: u64) -> Self {
        Self { tokens: bytes, apart: 0 }
    }

    fn plus(self, other: Self) -> Self {
        Self { tokens: self.tokens.saturating_add(other.tokens), apart: self.apart.saturating_add(other.apart) }
    }
}

fn measure_all(texts: &[(Option<Key>, Text)]) -> Measure {
    texts.iter().fold(Measure::default(), |sum, (key, text)| {
        let measured = measure(text.expose());
        if let Some(key) = key {
            memory::remember(*key, measured);
        }
        sum.plus(measured)
    })
}

fn measure(text: &str) -> Measure {
    if text.len() > COUNTED_BYTES_MAX {
        return Measure::of_bytes(text.len() as u64);
    }
    let tokens = bpe_openai::o200k_base().count(text) as u64;
    LOADED.store(true, Ordering::Relaxed);
    let digits = text.bytes().filter(u8::is_ascii_digit).count() as u64;
    // The first byte of each letter beyond ASCII.
    let letters = text.bytes().filter(|&byte| byte >= 0b1100_0000).count() as u64;
    let apart = letters.saturating_add(digits.saturating_mul(2).div_euclid(3));
    Measure { tokens, apart: apart.min((text.len() as u64).saturating_sub(tokens)) }
}

#[cfg(test)]
mod tests;
