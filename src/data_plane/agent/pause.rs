//! Which refusals pass by themselves.

use std::time::Duration;

use crate::domain::failure::{Class, Failure, Retry};

/// The pause before something that failed for a while is tried again, where the failure does not say.
const PAUSE_DEFAULT: Duration = Duration::from_secs(1);

/// How long to wait before the same is tried again; none where that would not help.
///
/// A part that is being restarted or is overloaded must not end an acknowledged task.
pub(crate) fn transient<F: Failure>(failure: &F) -> Option<Duration> {
    match (failure.retry(), failure.class()) {
        (Retry::After(pause), Class::Unavailable | Class::Overload) => Some(pause),
        (Retry::Never, Class::Overload) => Some(PAUSE_DEFAULT),
        (_, _) => None,
    }
}
