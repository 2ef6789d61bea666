//! What one provider lets through now: its [`Breaker`], its [`Limit`] and the pause that it has asked for, seen as one.
//!
//! Pure: the shell in [`super::health`] brings time, chance and the key's version, and tells the world what has changed.

use std::time::{Duration, Instant};

use super::breaker::{Breaker, Change, Dice, KeyVersion, Open, Ticket, Verdict};
use super::concurrency::Limit;

/// The longest that a provider may keep all new calls away by asking for patience.
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(60);
/// The longest pause for which calls wait; where it is longer, other models of the route answer meanwhile.
pub(super) const PAUSE_WAITED_MAX: Duration = Duration::from_secs(2);

/// What the end of a call says about its provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// It answered, whatever it said.
    Answered,
    /// It works and asks for patience.
    SlowDown { pause: Option<Duration> },
    /// It has more to do than it can: it said so with a failure, or did not answer in time.
    Overwhelmed,
    /// It failed otherwise.
    Failed,
    /// It does not know the key (401).
    KeyRejected { status: u16 },
    /// It forbids the call (403).
    Forbidden { status: u16 },
    /// Nothing.
    Untold,
}

/// Why a call is not let through now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// As many run as may; the end of one tells when to ask again.
    Full,
    /// The provider has asked for patience, for so long from now.
    Paused { left: Duration },
    /// The breaker is open.
    Open(Open),
}

/// That a call was let through. Whoever holds it gives it back to [`Gate::ended`].
#[derive(Debug)]
pub(super) struct Permit {
    ticket: Ticket,
    began: Instant,
}

/// What has changed with the end of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Changes {
    pub(super) breaker: Option<Change>,
    /// The new limit.
    pub(super) limit: Option<u32>,
}

/// One provider's gate.
#[derive(Debug)]
pub(super) struct Gate {
    breaker: Breaker,
    limit: Limit,
    running: u32,
    paused_until: Option<Instant>,
}

impl Gate {
    pub(super) fn new(limit: Limit) -> Self {
        Self { breaker: Breaker::new(), limit, running: 0, paused_until: None }
    }

    /// The most calls at once, as things are.
    pub(super) fn limit(&self) -> u32 {
        self.limit.most()
    }

    /// Whether a call could be sent now or as soon as a slot is free. It takes nothing.
    ///
    /// # Errors
    /// [`Hold::Open`] or [`Hold::Paused`].
    pub(super) fn check(&self, now: Instant, key: KeyVersion) -> Result<(), Hold> {
        self.breaker.check(now, key).map_err(Hold::Open)?;
        match self.paused_until.map(|until| until.saturating_duration_since(now)) {
            Some(left) if !left.is_zero() => Err(Hold::Paused { left }),
            Some(_) | None => Ok(()),
        }
    }

    /// Lets a call through.
    ///
    /// # Errors
    /// It is not let through now.
    pub(super) fn admit(&mut self, now: Instant, key: KeyVersion) -> Result<Permit, Hold> {
        self.check(now, key)?;
        if self.running >= self.limit.most() {
            return Err(Hold::Full);
        }
        let ticket = self.breaker.admit(now, key).map_err(Hold::Open)?;
        self.running = self.running.saturating_add(1);
        Ok(Permit { ticket, began: now })
    }

    /// Takes a call's permit back, with what its end says. `at` is now, and the key that a call would be made with now.
    pub(super) fn ended(&mut self, permit: &Permit, signal: Signal, at: (Instant, KeyVersion), dice: Dice) -> Changes {
        let (now, _) = at;
        let before = self.limit.most();
        match signal {
            Signal::Answered => self.limit.answered(permit.began, self.running, now),
            Signal::SlowDown { pause } => {
                self.limit.pushed_back(permit.began, now);
                self.pause(pause, now);
            }
            Signal::Overwhelmed => self.limit.pushed_back(permit.began, now),
            Signal::Failed | Signal::KeyRejected { .. } | Signal::Forbidden { .. } | Signal::Untold => {}
        }
        self.running = self.running.saturating_sub(1);
        let verdict = match signal {
            Signal::Answered | Signal::SlowDown { .. } => Verdict::Answered,
            Signal::Overwhelmed | Signal::Failed => Verdict::Failed,
            Signal::KeyRejected { status } => Verdict::KeyRejected { status },
            Signal::Forbidden { status } => Verdict::Forbidden { status },
            Signal::Untold => Verdict::Untold,
        };
        let breaker = self.breaker.ended(&permit.ticket, verdict, at, dice);
        let after = self.limit.most();
        Changes { breaker, limit: (after != before).then_some(after) }
    }

    /// The longest of the pauses that calls were told counts.
    fn pause(&mut self, asked: Option<Duration>, now: Instant) {
        let until = asked.and_then(|pause| now.checked_add(pause.min(PAUSE_MAX)));
        self.paused_until = self.paused_until.max(until);
    }
}
