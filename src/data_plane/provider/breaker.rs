//! A provider's circuit breaker: whether a call may be tried, by how the latest ones ended.
//!
//! ```text
//!        8 failures in a row, or half of 20 and more            its time is up
//! Closed ────────────────────────────────────────────> Open ──────────────────> HalfOpen: one probe
//!   ^                                                   ^ ^                       │       │
//!   │                                                   │ └──(failed: longer)─────┘       │
//!   │     a key that is rejected opens it at once,      │                                 │
//!   │     and another key ends that at once ────────────┘                                 │
//!   └───────────────────────────(answered)────────────────────────────────────────────────┘
//! ```
//!
//! A state's number goes into each [`Ticket`]: a call that was let through in an earlier state says nothing about this one, so
//! that calls that time out late do not open a breaker that a probe has closed since.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Failures one after the other, without an answer between them, that open the breaker.
const FAILURES_IN_ROW_MAX: u32 = 8;
/// How many of the latest calls are remembered, and for how long.
const RECENT_MAX: usize = 64;
const RECENT_FOR: Duration = Duration::from_secs(10);
/// How many calls must be remembered before their failures, half of them, open the breaker.
const RECENT_MIN: usize = 20;
/// The longest that the breaker stays open the first time; it doubles each time that a probe fails.
const OPEN_FIRST: Duration = Duration::from_secs(1);
/// The longest that it ever stays open for failures.
const OPEN_MAX: Duration = Duration::from_secs(60);
/// How long a key that was rejected is not tried again, as long as it is the same.
const KEY_REJECTED_FOR: Duration = Duration::from_secs(300);
/// What those are told who come while a probe is under way.
const PROBE_PAUSE: Duration = Duration::from_millis(500);

/// A random number, uniform over its whole range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dice(pub(super) u32);

impl Dice {
    /// As much of a span as the number is of its range.
    pub(super) fn part_of(self, span: Duration) -> Duration {
        span.mul_f64(f64::from(self.0) / f64::from(u32::MAX)).min(span)
    }
}

/// Which key a call is made with: the number of its reading, so that the key itself stays where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct KeyVersion(pub(super) u64);

/// Why a breaker is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// Calls fail.
    Failing,
    /// The provider rejects this key.
    Key { status: u16, version: KeyVersion },
}

/// That no call may be tried now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) reason: Reason,
    pub(super) left: Duration,
}

/// What a call has told about its provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It works, whatever it said.
    Answered,
    /// It does not.
    Failed,
    /// It does not know the key (401).
    KeyRejected { status: u16 },
    /// It forbids the call (403): the key, or only what was asked of it. Counted among failures in a row alone, so that one
    /// model that the key may not use does not keep the others from being used.
    Forbidden { status: u16 },
    /// Nothing: the call ended before it could.
    Untold,
}

/// What has become of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It was closed, or open for another reason.
    Opened(Open),
    /// Its probe failed as the calls before it did.
    Reopened(Open),
    /// Its probe was answered.
    Closed,
}

/// That a call was let through, and in which state.
#[derive(Debug)]
pub(super) struct Ticket {
    state: u64,
    key: KeyVersion,
}

#[derive(Debug)]
enum State {
    Closed(Recent),
    Open { until: Instant, reason: Reason },
    HalfOpen { was: Reason, probe: Probe },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probe {
    Wanted,
    UnderWay,
}

/// One provider's breaker.
#[derive(Debug)]
pub(super) struct Breaker {
    state: State,
    /// The state's number.
    number: u64,
    /// How often it has opened for failures since it was last closed.
    openings: u32,
}

impl Breaker {
    pub(super) fn new() -> Self {
        Self { state: State::Closed(Recent::default()), number: 0, openings: 0 }
    }

    /// Whether a call with this key could be let through now.
    ///
    /// # Errors
    /// It could not; why, and for how long.
    pub(super) fn check(&self, now: Instant, key: KeyVersion) -> Result<(), Open> {
        match self.state {
            State::Closed(_) | State::HalfOpen { probe: Probe::Wanted, .. } => Ok(()),
            State::Open { reason: Reason::Key { version, .. }, .. } if version != key => Ok(()),
            State::Open { until, .. } if until <= now => Ok(()),
            State::Open { until, reason } => Err(Open { reason, left: until.saturating_duration_since(now) }),
            State::HalfOpen { probe: Probe::UnderWay, .. } => Err(Open { reason: Reason::Failing, left: PROBE_PAUSE }),
        }
    }

    /// Lets a call through; while the breaker is half-open, only one.
    ///
    /// # Errors
    /// As [`Breaker::check`].
    pub(super) fn admit(&mut self, now: Instant, key: KeyVersion) -> Result<Ticket, Open> {
        self.check(now, key)?;
        match &mut self.state {
            State::Closed(_) => {}
            State::HalfOpen { probe, .. } => *probe = Probe::UnderWay,
            State::Open { reason, .. } => {
                let was = *reason;
                self.enter(State::HalfOpen { was, probe: Probe::UnderWay });
            }
        }
        Ok(Ticket { state: self.number, key })
    }

    /// Takes note of how a call has ended. `key` is the one that a call would be made with now: where that is another than the
    /// call was made with, the provider has not rejected it.
    pub(super) fn ended(
        &mut self,
        ticket: &Ticket,
        verdict: Verdict,
        at: (Instant, KeyVersion),
        dice: Dice,
    ) -> Option<Change> {
        let (now, key) = at;
        if ticket.state != self.number {
            return None;
        }
        let same_key = ticket.key == key;
        let is_of_key = matches!(verdict, Verdict::KeyRejected { .. } | Verdict::Forbidden { .. });
        let verdict = if is_of_key && !same_key { Verdict::Untold } else { verdict };
        match &mut self.state {
            // Nothing was let through in this state.
            State::Open { .. } => None,
            State::Closed(recent) => recent.note(verdict, now, key).map(|reason| self.open(reason, now, dice)),
            State::HalfOpen { was, probe } => {
                let was = *was;
                let reason = match verdict {
                    Verdict::Untold => {
                        *probe = Probe::Wanted;
                        return None;
                    }
                    Verdict::Answered => {
                        self.openings = 0;
                        self.enter(State::Closed(Recent::default()));
                        return Some(Change::Closed);
                    }
                    Verdict::Failed => Reason::Failing,
                    Verdict::KeyRejected { status } | Verdict::Forbidden { status } => {
                        Reason::Key { status, version: key }
                    }
                };
                Some(match self.open(reason, now, dice) {
                    Change::Opened(open) if reason == was => Change::Reopened(open),
                    change @ (Change::Opened(_) | Change::Reopened(_) | Change::Closed) => change,
                })
            }
        }
    }

    fn open(&mut self, reason: Reason, now: Instant, dice: Dice) -> Change {
        let left = match reason {
            Reason::Failing => {
                let longest = OPEN_FIRST.saturating_mul(2_u32.saturating_pow(self.openings)).min(OPEN_MAX);
                self.openings = self.openings.saturating_add(1);
                // Half of it is certain, so that each time is longer than the one before until they reach the cap.
                let half = longest.div_f64(2.0);
                half.saturating_add(dice.part_of(half))
            }
            Reason::Key { .. } => KEY_REJECTED_FOR,
        };
        self.enter(State::Open { until: now.checked_add(left).unwrap_or(now), reason });
        Change::Opened(Open { reason, left })
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.number = self.number.wrapping_add(1);
    }
}

/// How the latest calls ended.
#[derive(Debug, Default)]
struct Recent {
    calls: VecDeque<(Instant, Verdict)>,
    in_row: u32,
}

impl Recent {
    /// The reason to open, if that was one call too many.
    fn note(&mut self, verdict: Verdict, now: Instant, key: KeyVersion) -> Option<Reason> {
        let reason = match verdict {
            Verdict::Untold => return None,
            Verdict::Answered => {
                self.in_row = 0;
                self.remember(verdict, now);
                return None;
            }
            Verdict::KeyRejected { status } => return Some(Reason::Key { status, version: key }),
            Verdict::Forbidden { status } => Reason::Key { status, version: key },
            Verdict::Failed => {
                self.remember(verdict, now);
                Reason::Failing
            }
        };
        self.in_row = self.in_row.saturating_add(1);
        let failed = self.calls.iter().filter(|(_, verdict)| *verdict == Verdict::Failed).count();
        let half = self.calls.len() >= RECENT_MIN && failed.saturating_mul(2) >= self.calls.len();
        let too_many = self.in_row >= FAILURES_IN_ROW_MAX || (verdict == Verdict::Failed && half);
        too_many.then_some(reason)
    }

    fn remember(&mut self, verdict: Verdict, now: Instant) {
        while self.calls.len() >= RECENT_MAX
            || self.calls.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > RECENT_FOR)
        {
            self.calls.pop_front();
        }
        self.calls.push_back((now, verdict));
    }
}
