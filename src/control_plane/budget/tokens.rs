//! Counts input tokens before a call, so that its worst case can be reserved.
//!
//! The tokenizer is OpenAI's `o200k_base`. It is loaded when something priced is first counted, and stays: about 70 MB, and 0.9 s
//! unoptimised, on a thread that may block. Counting then takes about 90 µs a KiB. Other vendors' tokenizers differ, which is what
//! the margin is for; what a provider then reports is believed.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::domain::private::Text;
use crate::domain::usage::Tokens;

/// Tokens that frame each message: three, and one for its role (OpenAI cookbook, "How to count tokens with tiktoken").
const FRAME_TOKENS: u64 = 4;
/// Tokens with which the answer is primed (the same source).
const PRIMING_TOKENS: u64 = 3;
/// The margin on what was counted, in percent.
const MARGIN_PERCENT: u64 = 10;
/// The longest text that is counted token by token, in bytes; of a longer one each byte counts as a token, because none is
/// shorter than a byte.
pub const COUNTED_BYTES_MAX: usize = 1 << 20;
/// What is counted on the spot, in bytes, once the tokenizer is loaded; more goes to a thread that may block.
const INLINE_BYTES_MAX: usize = 4 << 10;

static LOADED: AtomicBool = AtomicBool::new(false);

/// The tokens of these messages as a model may count them at worst: counted, framed, and with a margin of a tenth.
pub async fn input_tokens(messages: Vec<Text>) -> Tokens {
    let bytes = messages.iter().fold(0_usize, |sum, text| sum.saturating_add(text.len()));
    if LOADED.load(Ordering::Relaxed) && bytes <= INLINE_BYTES_MAX {
        return count(&messages);
    }
    let bound = with_margin(framed(bytes as u64, messages.len() as u64));
    tokio::task::spawn_blocking(move || count(&messages)).await.unwrap_or(bound)
}

/// Tokens of a text that a provider sent without saying how many they are. Blocks for the length of the text.
#[must_use]
pub fn text_tokens(text: &Text) -> Tokens {
    Tokens::new(tokens_of(text.expose()))
}

fn count(messages: &[Text]) -> Tokens {
    let counted = messages.iter().fold(0_u64, |sum, text| sum.saturating_add(tokens_of(text.expose())));
    with_margin(framed(counted, messages.len() as u64))
}

fn framed(counted: u64, messages: u64) -> u64 {
    counted.saturating_add(messages.saturating_mul(FRAME_TOKENS)).saturating_add(PRIMING_TOKENS)
}

fn with_margin(tokens: u64) -> Tokens {
    Tokens::new(tokens.saturating_add(tokens.saturating_mul(MARGIN_PERCENT).div_ceil(100)))
}

fn tokens_of(text: &str) -> u64 {
    if text.len() > COUNTED_BYTES_MAX {
        return text.len() as u64;
    }
    let counted = bpe_openai::o200k_base().count(text) as u64;
    LOADED.store(true, Ordering::Relaxed);
    counted
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    /// No adversary's text of the longest counted size may take longer. Generous, since builds and machines differ: what the
    /// test is for is quadratic time, which is minutes.
    const COUNTED_WITHIN: Duration = Duration::from_secs(5);

    #[test]
    fn known_texts_have_their_known_counts() {
        for (text, tokens) in [("", 0), ("hello world", 2), ("tiktoken is great!", 6), ("お誕生日おめでとう", 8)]
        {
            assert_eq!(tokens_of(text), tokens, "{text:?}");
        }
    }

    #[test]
    fn messages_are_framed_and_have_a_margin() {
        // Two tokens, a frame of four, three of priming: nine, and a tenth rounded up.
        assert_eq!(count(&[Text::from("hello world")]), Tokens::new(10));
        assert_eq!(count(&[]), Tokens::new(4));
    }

    #[test]
    fn a_text_above_the_limit_counts_by_its_bytes() {
        let text = "word ".repeat(COUNTED_BYTES_MAX / 5 + 1);
        assert_eq!(tokens_of(&text), text.len() as u64);
    }

    #[test]
    fn texts_made_to_be_slow_are_counted_in_bounded_time() {
        for piece in ["a", " ", "\n", "\u{a0}", "=", "ab", "é", "🙂", " \n", "a ", "1", "'s", "\u{301}", "\t \r"] {
            let text = piece.repeat(COUNTED_BYTES_MAX / piece.len());
            let began = Instant::now();
            let counted = tokens_of(&text);
            assert!(began.elapsed() < COUNTED_WITHIN, "{piece:?} took {:?}", began.elapsed());
            assert!(counted <= text.len() as u64, "{piece:?}");
        }
    }

    #[tokio::test]
    async fn the_count_is_the_same_on_the_spot_and_apart() {
        let long = Text::new("A sentence about nothing. ".repeat(2_000));
        assert_eq!(input_tokens(vec![long.clone()]).await, count(&[long]));
        let short = Text::from("short");
        assert_eq!(input_tokens(vec![short.clone()]).await, count(&[short]));
    }

    proptest! {
        #[test]
        fn no_text_has_more_tokens_than_bytes(text in "\\PC{0,200}") {
            prop_assert!(tokens_of(&text) <= text.len() as u64);
        }
    }
}
