//! What follows a tool's failed call. Pure.

use std::time::Duration;

use super::error::{CUT, Error, Sent, TIMED_OUT};

/// Calls of one step, the first included, of which all but the last reached no tool, or a tool that is idempotent.
pub const ATTEMPTS_MAX: u32 = 8;
/// The pause before the second call; each further one is twice as long.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
/// The longest pause between two calls.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The same call under the same key, after so long.
    Again(Duration),
    /// Nobody knows whether it was made: a person decides.
    Doubt,
    /// The step has failed.
    Fail,
}

/// What follows the failure of the `attempt`th call of a step, counted from 1.
#[must_use]
pub fn after(error: &Error, attempt: u32, idempotent: bool) -> Then {
    let may_repeat = match (error.sent(), error) {
        (Sent::No, Error::Unknown(_) | Error::MissingKey(_)) | (Sent::Answered, _) => false,
        (Sent::No, _) => true,
        (Sent::Perhaps, _) if idempotent => true,
        (Sent::Perhaps, _) => return Then::Doubt,
    };
    if may_repeat && attempt < ATTEMPTS_MAX { Then::Again(pause(error, attempt)) } else { Then::Fail }
}

/// Whether a failure's code says that nobody knows whether the tool did its work: whatever calls it again does so under the same
/// key.
#[must_use]
pub fn is_unknown(code: &str) -> bool {
    [TIMED_OUT, CUT].contains(&code)
}

fn pause(error: &Error, attempt: u32) -> Duration {
    let asked = match error {
        Error::Busy { retry_after } => *retry_after,
        Error::Unknown(_)
        | Error::MissingKey(_)
        | Error::Unreachable(_)
        | Error::TimedOut
        | Error::Cut(_)
        | Error::Refused { .. }
        | Error::Failed { .. }
        | Error::Nonsense { .. } => None,
    };
    let own = PAUSE_FIRST.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)));
    asked.unwrap_or(own).min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::Failure;

    #[test]
    fn only_what_reached_no_tool_or_an_idempotent_one_is_called_again() {
        let again = |millis| Then::Again(Duration::from_millis(millis));
        let busy = Error::Busy { retry_after: Some(Duration::from_secs(7)) };
        // The error, and what follows the first call of a tool that is not idempotent, and of one that is.
        let table = [
            (Error::Unknown("t".parse().expect("a name")), Then::Fail, Then::Fail),
            (Error::MissingKey("gone".into()), Then::Fail, Then::Fail),
            (Error::Unreachable("refused".into()), again(200), again(200)),
            (busy, again(7_000), again(7_000)),
            (Error::TimedOut, Then::Doubt, again(200)),
            (Error::Cut("early".into()), Then::Doubt, again(200)),
            (Error::Refused { status: 404 }, Then::Fail, Then::Fail),
            (Error::Failed { status: 503 }, Then::Fail, Then::Fail),
            (Error::Nonsense { what: "no text" }, Then::Fail, Then::Fail),
        ];
        for (error, plain, idempotent) in table {
            assert_eq!((after(&error, 1, false), after(&error, 1, true)), (plain, idempotent), "{error}");
        }
    }

    #[test]
    fn the_code_of_a_failure_tells_whether_the_call_may_have_been_made() {
        let name = || "t".parse().expect("a name");
        let errors = [
            Error::Unknown(name()),
            Error::MissingKey("gone".into()),
            Error::Unreachable("refused".into()),
            Error::Busy { retry_after: None },
            Error::TimedOut,
            Error::Cut("early".into()),
            Error::Refused { status: 404 },
            Error::Failed { status: 503 },
            Error::Nonsense { what: "no text" },
        ];
        for error in errors {
            assert_eq!(is_unknown(error.code()), error.sent() == Sent::Perhaps, "{error}");
        }
    }

    #[test]
    fn calls_are_repeated_within_bounds_and_ever_more_slowly() {
        let error = Error::Unreachable("refused".into());
        let pauses: Vec<Then> = (1..=ATTEMPTS_MAX).map(|attempt| after(&error, attempt, false)).collect();
        assert_eq!(pauses[1], Then::Again(Duration::from_millis(400)));
        assert_eq!(pauses.last(), Some(&Then::Fail));
        assert_eq!(after(&Error::TimedOut, ATTEMPTS_MAX, true), Then::Fail);
    }
}
