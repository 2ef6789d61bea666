//! `builtin/extractive`: answers from the input itself. No network, no key, no cost, and nothing invented: every sentence of
//! the answer is quoted from the input, and the answer's notes say how it was made.
//!
//! ```text
//! Request --intake--> material (text, what is asked, role) --segment--> sentences --terms, rank--> the chosen few --+
//!                                             '--figures, findings--> what the role looks for -----------------compose--> markdown
//! ```
//!
//! Everything below this file is pure: the same request has the same answer. What is read, considered and written is bounded.

mod asked;
mod compose;
mod figures;
mod findings;
mod intake;
mod language;
mod rank;
mod segment;
mod terms;
#[cfg(test)]
mod tests;
mod words;

use tokio::time::Instant;

use super::error::Error;
use super::exchange::{Completion, Part, Request, Stop};
use crate::domain::private::Text;
use crate::domain::usage::{Tokens, Usage};

/// The model's name.
pub(super) const MODEL: &str = "extractive";
/// The largest input that is answered on the spot, in bytes: under half a millisecond of work.
const AT_ONCE_BYTES_MAX: usize = 2 * 1024;
/// How many bytes are counted as one token.
const BYTES_PER_TOKEN: usize = 4;

/// Answers small inputs without a detour.
pub(super) fn answer_at_once(request: &Request) -> Option<Completion> {
    (input_bytes(request) <= AT_ONCE_BYTES_MAX).then(|| timed(request))
}

/// Answers larger inputs away from the threads that run tasks.
pub(super) async fn complete(request: Request) -> Result<Completion, Error> {
    let answer = tokio::task::spawn_blocking(move || timed(&request)).await;
    answer.map_err(|fault| Error::Unreachable(format!("work on the answer: {fault}")))
}

fn timed(request: &Request) -> Completion {
    let began = Instant::now();
    let mut completion = answer(request);
    completion.elapsed = began.elapsed();
    completion
}

/// Answers any request, whatever its input.
fn answer(request: &Request) -> Completion {
    let material = intake::read(request);
    let bytes_max = usize::try_from(request.max_output_tokens).unwrap_or(usize::MAX).saturating_mul(BYTES_PER_TOKEN);
    let written = compose::answer(&material, bytes_max);
    let mut notes = vec![("method", MODEL.to_owned()), ("language", written.language.code().to_owned())];
    if material.left_out > 0 {
        notes.push(("bytes_not_read", material.left_out.to_string()));
    }
    let usage = Usage {
        input_tokens: estimate(input_bytes(request)),
        output_tokens: estimate(written.text.len()),
        ..Usage::default()
    };
    Completion {
        text: Text::from(written.text),
        calls: Vec::new(),
        usage: Some(usage),
        stop: if written.cut { Stop::Length } else { Stop::End },
        model: MODEL.to_owned(),
        notes,
        elapsed: std::time::Duration::ZERO,
    }
}

fn input_bytes(request: &Request) -> usize {
    let parts = request.messages.iter().flat_map(|message| &message.parts).filter_map(Part::text);
    parts.fold(request.system.len(), |sum, text| sum.saturating_add(text.len()))
}

fn estimate(bytes: usize) -> Tokens {
    Tokens::new(u64::try_from(bytes.div_ceil(BYTES_PER_TOKEN)).unwrap_or(u64::MAX))
}
