//! What an HTTP status says about a failed call, whichever wire format it came in.

use std::time::Duration;

use super::error::Error;

/// The failure that an unsuccessful status alone tells.
pub(super) fn by_status(status: u16, retry_after: Option<Duration>) -> Error {
    match status {
        429 => Error::RateLimited { retry_after },
        413 => Error::ContextTooLarge,
        500.. => Error::Failed { status, retry_after },
        _ => Error::Rejected { status },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_tells_its_failure() {
        let pause = Some(Duration::from_secs(3));
        assert_eq!(by_status(429, pause), Error::RateLimited { retry_after: pause });
        assert_eq!(by_status(503, pause), Error::Failed { status: 503, retry_after: pause });
        for status in [302, 400, 401, 404, 422] {
            assert_eq!(by_status(status, None), Error::Rejected { status });
        }
    }
}
