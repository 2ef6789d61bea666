//! How many calls a provider takes at once: a limit that follows its latency and its refusals, beneath the ceiling that the
//! settings set.
//!
//! ```text
//! pushed back (429, 503, 529, time-out)                  limit / 2
//! a round of answers, as slow as usual                   limit + √limit
//! a round of answers, more than twice as slow as usual   limit × 2 × usual / this round + √limit, never below half
//! ```
//!
//! The gradient with its tolerance and its head-room √limit is Gradient2 of Netflix's concurrency-limits
//! (<https://github.com/Netflix/concurrency-limits>); halving upon a refusal is AIMD as in TCP (RFC 5681), and so is the round: only calls that
//! began after the limit last changed say anything about it, so that the many calls that are refused together halve it once.
//! The tolerance is 2, since answers of models differ in length by themselves; and what is slow for long becomes usual, since that is more
//! often a matter of what is asked than of how much. A limit of which less than half is used says
//! nothing about what the provider can bear, and stays.

use std::time::Instant;

/// How much slower than usual a round of answers may be.
const TOLERANCE: u128 = 2;
/// How much of the usual latency a round makes up: one part in so many.
const USUAL_ROUNDS: u128 = 16;
/// A gradient's unit and its least value.
const WHOLE: u128 = 1_000;
const HALF: u128 = 500;

/// The limit of one provider.
#[derive(Debug)]
pub(super) struct Limit {
    ceiling: u32,
    now: u32,
    rule: Rule,
}

#[derive(Debug)]
enum Rule {
    /// The ceiling is the limit.
    Fixed,
    Adaptive {
        changed_at: Instant,
        round: Round,
        /// What a call usually takes, in microseconds; none before the first round.
        usual: Option<u128>,
    },
}

/// Answers of calls that began after the limit last changed.
#[derive(Debug, Default)]
struct Round {
    answers: u32,
    micros: u128,
}

impl Limit {
    /// The limit that the settings set.
    pub(super) fn fixed(ceiling: u32) -> Self {
        Self { ceiling: ceiling.max(1), now: ceiling.max(1), rule: Rule::Fixed }
    }

    /// A limit that begins at its ceiling and adapts.
    pub(super) fn adaptive(ceiling: u32, now: Instant) -> Self {
        let rule = Rule::Adaptive { changed_at: now, round: Round::default(), usual: None };
        Self { rule, ..Self::fixed(ceiling) }
    }

    /// The most calls at once; never less than one, never more than the ceiling.
    pub(super) fn most(&self) -> u32 {
        self.now
    }

    /// A call was answered while `running` calls ran, itself among them.
    pub(super) fn answered(&mut self, began: Instant, running: u32, now: Instant) {
        let Rule::Adaptive { changed_at, round, usual } = &mut self.rule else { return };
        if began <= *changed_at {
            return;
        }
        round.answers = round.answers.saturating_add(1);
        round.micros = round.micros.saturating_add(now.saturating_duration_since(began).as_micros());
        if round.answers < self.now {
            return;
        }
        let mean = round.micros.checked_div(u128::from(round.answers)).unwrap_or_default().max(1);
        *round = Round::default();
        let before = usual.unwrap_or(mean);
        let gradient = TOLERANCE
            .saturating_mul(before)
            .saturating_mul(WHOLE)
            .checked_div(mean)
            .unwrap_or(WHOLE)
            .clamp(HALF, WHOLE);
        *usual = Some(blend(before, mean));
        if running.saturating_mul(2) < self.now {
            return;
        }
        let scaled = u128::from(self.now).saturating_mul(gradient).checked_div(WHOLE).unwrap_or(1);
        let scaled = u32::try_from(scaled).unwrap_or(self.ceiling);
        self.change(scaled.saturating_add(self.now.isqrt()), now);
    }

    /// The provider did not take a call, or had not answered it when its time was up.
    pub(super) fn pushed_back(&mut self, began: Instant, now: Instant) {
        let Rule::Adaptive { changed_at, .. } = &self.rule else { return };
        if began > *changed_at {
            self.change(self.now.div_euclid(2), now);
        }
    }

    fn change(&mut self, wanted: u32, at: Instant) {
        let Rule::Adaptive { changed_at, round, .. } = &mut self.rule else { return };
        let limit = wanted.clamp(1, self.ceiling);
        if limit != self.now {
            *changed_at = at;
            *round = Round::default();
        }
        self.now = limit;
    }
}

/// The usual latency after one more round. It rises slowly; it never stays above twice what a round took, so that a provider that was
/// slow for long is measured by what it does since.
fn blend(usual: u128, mean: u128) -> u128 {
    let others = usual.saturating_mul(USUAL_ROUNDS.saturating_sub(1));
    let blended = others.saturating_add(mean).checked_div(USUAL_ROUNDS).unwrap_or(mean);
    blended.min(mean.saturating_mul(2))
}
