//! How long it takes to count what a model is to read: a text that was not read before, one that was, and what of it is the
//! tokenizer's own.

#![expect(
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a benchmark that cannot be set up has nothing to measure"
)]

use agent_factory::control_plane::budget::tokens::{self, Input};
use agent_factory::domain::private::Text;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use tokio::runtime::{Builder, Runtime};

/// What prompts are made of; a counter before each keeps them apart.
const PROSE: &str = "The committee met on 20 November 2026 and reviewed the figures of the third quarter, which were 12.5 % above the plan. \
     Les équipes de Nantes et de Besançon ont été félicitées pour leur travail. ";

const SIZES: [usize; 3] = [1_024, 4_096, 16_384];

fn text(bytes: usize, number: u64) -> String {
    let mut text = format!("{number} ");
    while text.len() < bytes {
        text.push_str(PROSE);
    }
    text.truncate(text.floor_char_boundary(bytes));
    text
}

/// A runtime, with the tokenizer loaded.
fn runtime() -> Runtime {
    let runtime = Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    runtime.block_on(tokens::count(Input::of_messages(vec![Text::from("loaded")])));
    runtime
}

fn main() {
    divan::main();
}

#[divan::bench(args = SIZES)]
fn the_tokenizer_alone(bencher: Bencher<'_, '_>, bytes: usize) {
    let text = text(bytes, 0);
    bencher.counter(BytesCount::new(bytes)).bench(|| bpe_openai::o200k_base().count(black_box(&text)));
}

#[divan::bench(args = SIZES)]
fn a_text_that_is_new(bencher: Bencher<'_, '_>, bytes: usize) {
    let (runtime, mut number) = (runtime(), 0_u64);
    bencher
        .counter(BytesCount::new(bytes))
        .with_inputs(move || {
            number += 1;
            Input::of_messages(vec![Text::new(text(bytes, number))])
        })
        .bench_local_values(|input| runtime.block_on(tokens::count(black_box(input))));
}

#[divan::bench(args = SIZES)]
fn a_text_that_was_read_before(bencher: Bencher<'_, '_>, bytes: usize) {
    let (runtime, text) = (runtime(), Text::new(text(bytes, 0)));
    runtime.block_on(tokens::count(Input::of_messages(vec![text.clone()])));
    bencher
        .counter(BytesCount::new(bytes))
        .with_inputs(|| Input::of_messages(vec![text.clone()]))
        .bench_local_values(|input| runtime.block_on(tokens::count(black_box(input))));
}
