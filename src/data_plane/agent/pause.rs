//! Which refusals pass by themselves.

use std::time::Duration;

use crate::domain::failure::{Class, Failure, Retry};

/// The pause before something that failed for a while is tried again, where the failure does not say.
const PAUSE_DEFAULT: Duration = Duration::from_secs(1);

/// How long to wait before the same is tried again; none where that would not help.
///
/// A part that is being restarted or is overloaded must not end an acknowledged task.
pub(crate) fn transient<F: Failure + ?Sized>(failure: &F) -> Option<Duration> {
    match (failure.retry(), failure.class()) {
        (Retry::After(pause), Class::Unavailable | Class::Overload) => Some(pause),
        (Retry::Never, Class::Overload) => Some(PAUSE_DEFAULT),
        (_, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    struct Refusal(Class, Retry);

    impl fmt::Display for Refusal {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("no")
        }
    }

    impl Failure for Refusal {
        fn code(&self) -> &'static str {
            "no"
        }

        fn class(&self) -> Class {
            self.0
        }

        fn retry(&self) -> Retry {
            self.1
        }

        fn detail(&self) -> String {
            self.to_string()
        }
    }

    #[test]
    fn only_what_is_overloaded_or_away_for_a_while_is_waited_for() {
        let said = Duration::from_millis(1_500);
        // The class, the pause where nothing is said, and the pause where one is.
        let table = [
            (Class::Malformed, None, None),
            (Class::Unauthenticated, None, None),
            (Class::Forbidden, None, None),
            (Class::NotFound, None, None),
            (Class::Conflict, None, None),
            (Class::TooLarge, None, None),
            (Class::Refused, None, None),
            (Class::Budget, None, None),
            (Class::Overload, Some(PAUSE_DEFAULT), Some(said)),
            (Class::Unavailable, None, Some(said)),
            (Class::Upstream, None, None),
            (Class::Internal, None, None),
        ];
        for (class, silent, told) in table {
            assert_eq!(transient(&Refusal(class, Retry::Never)), silent, "{class:?}");
            assert_eq!(transient(&Refusal(class, Retry::After(said))), told, "{class:?}");
        }
    }
}
