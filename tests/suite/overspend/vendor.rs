//! What the provider does with each attempt at a prompt: drawn from the seed, the prompt's number and the attempt's.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::harness::{Answer, Asked, Counts, Cut, Fault, Reply, Reported};

/// The most that a model may write, as the templates say; it often does.
pub(super) const OUTPUT_TOKENS_MAX: usize = 64;
/// Pieces of a stream after which it may break.
const PIECES_MAX: usize = 60;
const LATENCY_MAX: Duration = Duration::from_millis(40);
/// A usage that nobody can have.
const ABSURD: Counts = Counts { input: 1_000_000_000_000, output: -1, cached: 0, reasoning: 0 };

pub(super) fn script(seed: u64) -> impl Fn(&Asked) -> Reply + Send + Sync + 'static {
    let attempts: Mutex<HashMap<String, u64>> = Mutex::default();
    move |asked| {
        let number = asked.tag("number").expect("every prompt has a number");
        let attempt = {
            let mut attempts = attempts.lock().expect("no poison");
            let count = attempts.entry(number.clone()).or_default();
            *count += 1;
            *count
        };
        let number: u64 = number.parse().expect("a number");
        let mut chance = StdRng::seed_from_u64(seed ^ (number << 32) ^ attempt);
        let latency = chance.gen_range(Duration::ZERO..LATENCY_MAX);
        reply(&mut chance).after(latency)
    }
}

/// Mostly an answer, as long as it may be as often as not; else one of the faults.
fn reply(chance: &mut StdRng) -> Reply {
    let words = if chance.gen_bool(0.5) { OUTPUT_TOKENS_MAX } else { chance.gen_range(1..=OUTPUT_TOKENS_MAX) };
    let answer = Answer::text("word ".repeat(words).trim_end());
    let piece = chance.gen_range(0..PIECES_MAX);
    let fault = match chance.gen_range(0..100) {
        0..=64 => return answer.into(),
        65..=70 => return answer.reporting(Reported::Unsaid).into(),
        71..=72 => return answer.reporting(Reported::Lie(ABSURD)).into(),
        73..=76 => return Reply::Status(429, chance.gen_bool(0.5).then_some(Duration::ZERO)),
        77..=79 => return Reply::Status(503, None),
        80..=82 => return Reply::Status(400, None),
        83..=87 => Fault::Status(500),
        88..=90 => Fault::Cut(Cut::Reset, piece),
        91..=93 => Fault::Cut(Cut::Closed, piece),
        94..=95 => Fault::Cut(Cut::Ended, piece),
        96..=97 => Fault::Half(piece.min(words)),
        98 => Fault::Error(piece),
        _ => Fault::Hang(piece),
    };
    answer.with(fault).into()
}
