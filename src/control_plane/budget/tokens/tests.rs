use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

/// No adversary's text of the longest counted size may take longer. Generous, since builds and machines differ: what the
/// test is for is quadratic time, which is minutes.
const COUNTED_WITHIN: Duration = Duration::from_secs(5);

const OPENAI: Counting = Counting {
    tokenizer: Tokenizer::O200k,
    margin_percent: 0,
    image: Tokens::new(1_000),
    tool_prompt: Tokens::new(300),
};

const OTHER: Counting = Counting { tokenizer: Tokenizer::Other, margin_percent: 50, ..OPENAI };

fn tokens_of(text: &str) -> u64 {
    measure(text).tokens
}

#[test]
fn known_texts_have_their_known_counts() {
    for (text, tokens) in [("", 0), ("hello world", 2), ("tiktoken is great!", 6), ("お誕生日おめでとう", 8)] {
        assert_eq!(tokens_of(text), tokens, "{text:?}");
    }
}

#[test]
fn what_other_tokenizers_split_is_counted_apart() {
    for (text, apart) in [("hello", 0), ("123456", 4), ("12", 1), ("été", 2), ("東京", 2), ("🙂 1", 1)] {
        assert_eq!(measure(text).apart, apart, "{text:?}");
    }
}

#[tokio::test]
async fn messages_tools_and_images_are_framed_each_as_its_model_does() {
    // Two tokens, a frame of four, three of priming.
    let one = count(Input::of_messages(vec![Text::from("hello world")])).await;
    assert_eq!(one.tokens(&OPENAI), Tokens::new(9));
    // Two tokens and a half of them, a frame of eight, sixteen of priming.
    assert_eq!(one.tokens(&OTHER), Tokens::new(27));
    assert_eq!(one.at_least(), Tokens::new(2));
    let rich = Input { tools: 2, images: 3, ..Input::of_messages(vec![Text::from("hello world")]) };
    // As before, and two frames of sixteen behind a preface of three hundred, and three images.
    assert_eq!(count(rich).await.tokens(&OPENAI), Tokens::new(9 + 32 + 300 + 3_000));
    assert_eq!(count(Input::default()).await.tokens(&OPENAI), Tokens::new(3));
    let digits = count(Input::of_messages(vec![Text::from("123456")])).await;
    // Two tokens that may be six, and a half of them.
    assert_eq!(digits.tokens(&OTHER), Tokens::new(6 + 3 + 8 + 16));
}

#[test]
fn an_answer_counts_with_the_margin_and_without_frames() {
    let answer = Text::from("hello world 123");
    assert_eq!(answer_tokens(&answer, &OPENAI), Tokens::new(4));
    assert_eq!(answer_tokens(&answer, &OTHER), Tokens::new(9));
}

#[test]
fn a_text_above_the_limit_counts_by_its_bytes() {
    let text = "word ".repeat(COUNTED_BYTES_MAX / 5 + 1);
    assert_eq!(measure(&text), Measure::of_bytes(text.len() as u64));
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
async fn the_count_is_the_same_on_the_spot_apart_and_remembered() {
    let long = "A sentence about nothing, number 12. ".repeat(2_000);
    let middle = "The same text again and again. ".repeat(20);
    for text in [long.as_str(), middle.as_str(), "short"] {
        let expected = Input::default().counted(measure(text));
        for _ in 0..3 {
            let counted = count(Input { texts: vec![Text::from(text)], ..Input::default() }).await;
            assert_eq!(counted, expected, "{} bytes", text.len());
        }
    }
    let key = Key::of(&Text::from(middle.as_str())).expect("worth remembering");
    assert_eq!(memory::recall(key), Some(measure(&middle)));
    assert_eq!((Key::of(&Text::from("short")), Key::of(&Text::from(long.as_str()))), (None, None));
}

#[tokio::test]
async fn absurd_counts_saturate() {
    let absurd = Input { messages: u64::MAX, tools: u64::MAX, images: u64::MAX, texts: vec![Text::from("x")] };
    assert_eq!(count(absurd).await.tokens(&OTHER), Tokens::new(u64::MAX));
    assert_eq!(with_margin(u64::MAX, u64::MAX), u64::MAX);
}

proptest! {
    #[test]
    fn no_count_exceeds_the_bound_and_none_is_below_what_all_vendors_count(
        texts in proptest::collection::vec("\\PC{0,200}", 0..4),
        (tools, images) in (0_u64..5, 0_u64..5),
    ) {
        let texts: Vec<Text> = texts.into_iter().map(Text::new).collect();
        let input = Input { tools, images, ..Input::of_messages(texts) };
        let bound = input.bound();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let counted = runtime.block_on(count(input));
        prop_assert!(counted.tokens(&OPENAI) <= bound.tokens(&OPENAI));
        prop_assert!(counted.tokens(&OTHER) <= bound.tokens(&OTHER));
        prop_assert!(counted.at_least() <= counted.tokens(&OPENAI));
        prop_assert!(counted.tokens(&OPENAI) <= counted.tokens(&OTHER));
        prop_assert!(counted.at_least() <= bound.at_least());
    }
}
