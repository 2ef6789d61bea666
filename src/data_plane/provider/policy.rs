//! What an HTTP status says about a failed call, whichever wire format it came in; what a call's end says about its provider; and
//! when a call that failed is made again.

use std::time::Duration;

use super::breaker::Dice;
use super::error::Error;
use super::gate::Signal;

/// The longest pause before the second attempt; it doubles with each further one.
const BACKOFF_FIRST: Duration = Duration::from_millis(400);
/// The longest pause before any attempt.
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// A call that was not answered for so long tells of its provider's state, also where its caller's time was up before the
/// provider's.
pub(super) const SILENCE_TELLS: Duration = Duration::from_secs(30);

/// The failure that an unsuccessful status alone tells.
pub(super) fn by_status(status: u16, retry_after: Option<Duration>) -> Error {
    match status {
        401 | 403 => Error::KeyRejected { status },
        429 => Error::RateLimited { retry_after },
        413 => Error::ContextTooLarge,
        500.. => Error::Failed { status, retry_after },
        _ => Error::Rejected { status },
    }
}

/// Whether a call had the time that its provider is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// It had.
    Whole,
    /// Its caller's time was up before.
    Cut,
}

/// What a failure says about the provider. What lies in the request, or in its caller's haste, says nothing against it.
pub(super) fn signal(error: &Error, patience: Patience) -> Signal {
    match error {
        Error::TimedOut if patience == Patience::Cut => Signal::Untold,
        Error::TimedOut | Error::Failed { status: 503 | 529, .. } => Signal::Overwhelmed,
        Error::Unreachable(_) | Error::Cut(_) | Error::Failed { .. } | Error::Nonsense { .. } => Signal::Failed,
        Error::RateLimited { retry_after } => Signal::SlowDown { pause: *retry_after },
        Error::KeyRejected { status: 403 } => Signal::Forbidden { status: 403 },
        Error::KeyRejected { status } => Signal::KeyRejected { status: *status },
        Error::ContextTooLarge | Error::Refused | Error::Rejected { .. } => Signal::Answered,
        Error::UnknownProvider(_)
        | Error::UnknownModel(_)
        | Error::MissingKey(_)
        | Error::NotRunning
        | Error::Quarantined
        | Error::Overloaded
        | Error::BreakerOpen { .. }
        | Error::Paused { .. }
        | Error::Unsupported { .. }
        | Error::Abandoned { .. } => Signal::Untold,
    }
}

/// How long to wait before the attempt that follows `attempts` failed ones, where the provider has named no time: exponential
/// with full jitter, capped, and never more than is `left`. `dice` is uniform over its whole range.
#[must_use]
pub fn backoff(attempts: u32, left: Duration, dice: u32) -> Duration {
    let doublings = attempts.saturating_sub(1);
    let longest = BACKOFF_FIRST.saturating_mul(2_u32.checked_pow(doublings).unwrap_or(u32::MAX)).min(BACKOFF_MAX);
    Dice(dice).part_of(longest).min(left)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_status_tells_its_failure() {
        let pause = Some(Duration::from_secs(3));
        assert_eq!(by_status(429, pause), Error::RateLimited { retry_after: pause });
        assert_eq!(by_status(503, pause), Error::Failed { status: 503, retry_after: pause });
        for status in [302, 400, 402, 404, 422] {
            assert_eq!(by_status(status, None), Error::Rejected { status });
        }
        for status in [401, 403] {
            assert_eq!(by_status(status, None), Error::KeyRejected { status });
        }
    }

    /// INVARIANT P6: what lies in the request or its caller is not held against the provider.
    #[test]
    fn only_the_providers_own_faults_are_held_against_it() {
        let pause = Some(Duration::from_secs(3));
        let table = [
            (Error::Unreachable("refused".into()), Signal::Failed),
            (Error::Cut("early".into()), Signal::Failed),
            (Error::Nonsense { what: "no text" }, Signal::Failed),
            (Error::Failed { status: 500, retry_after: None }, Signal::Failed),
            (Error::Failed { status: 503, retry_after: pause }, Signal::Overwhelmed),
            (Error::Failed { status: 529, retry_after: None }, Signal::Overwhelmed),
            (Error::TimedOut, Signal::Overwhelmed),
            (Error::RateLimited { retry_after: pause }, Signal::SlowDown { pause }),
            (Error::KeyRejected { status: 401 }, Signal::KeyRejected { status: 401 }),
            (Error::KeyRejected { status: 403 }, Signal::Forbidden { status: 403 }),
            (Error::Rejected { status: 400 }, Signal::Answered),
            (Error::ContextTooLarge, Signal::Answered),
            (Error::Refused, Signal::Answered),
            (Error::Abandoned { begun: true }, Signal::Untold),
            (Error::MissingKey("gone".into()), Signal::Untold),
        ];
        for (error, expected) in table {
            assert_eq!(signal(&error, Patience::Whole), expected, "{error}");
        }
        assert_eq!(signal(&Error::TimedOut, Patience::Cut), Signal::Untold, "the caller was in a hurry");
    }

    #[test]
    fn pauses_double_up_to_a_cap() {
        let longest = |attempts| backoff(attempts, Duration::MAX, u32::MAX).as_millis();
        assert_eq!([1, 2, 3, 5, 6, 99].map(longest), [400, 800, 1_600, 6_400, 10_000, 10_000]);
        assert_eq!(backoff(3, Duration::MAX, 0), Duration::ZERO, "full jitter");
    }

    proptest! {
        #[test]
        fn a_pause_is_within_its_cap_and_the_time_left(attempts: u32, left in 0_u64..20_000, dice: u32, more: u32) {
            let left = Duration::from_millis(left);
            let pause = backoff(attempts, left, dice);
            prop_assert!(pause <= left && pause <= BACKOFF_MAX);
            prop_assert!(pause <= backoff(attempts, left, dice.max(more)), "more jitter, no shorter pause");
            prop_assert!(pause <= backoff(attempts.saturating_add(1), left, dice), "a later attempt, no shorter pause");
        }
    }
}
