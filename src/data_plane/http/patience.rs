//! How long a server asks to be left alone.

use std::time::Duration;

use crate::domain::clock::Timestamp;

/// The longest pause that a server may ask for; a longer wish counts as this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);

/// Reads a `Retry-After` header: seconds, or a date (RFC 9110, 10.2.3). A date that is past means now.
pub(super) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let wish = match value.parse::<f64>() {
        Ok(seconds) if seconds >= 0.0 => Duration::try_from_secs_f64(seconds).unwrap_or(RETRY_AFTER_MAX),
        Ok(_) => return None,
        Err(_) => {
            let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
            Timestamp::from_micros(date.as_microsecond()).since(now)
        }
    };
    Some(wish.min(RETRY_AFTER_MAX))
}

/// Reads a `Retry-After-Ms` header: milliseconds.
pub(super) fn retry_after_ms(value: &str) -> Option<Duration> {
    let wish = value.trim().parse::<f64>().ok().filter(|wish| *wish >= 0.0)?;
    Some(Duration::try_from_secs_f64(wish / 1_000.0).unwrap_or(RETRY_AFTER_MAX).min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_both_its_forms_and_bounded() {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().expect("a time");
        let table = [
            ("7", Some(7_000)),
            (" 0.25 ", Some(250)),
            ("Fri, 20 Nov 2026 10:00:30 GMT", Some(30_000)),
            ("Fri, 20 Nov 2026 09:00:00 GMT", Some(0)),
            ("1e300", Some(3_600_000)),
            ("-1", None),
            ("NaN", None),
            ("soon", None),
        ];
        for (value, millis) in table {
            assert_eq!(retry_after(value, now), millis.map(Duration::from_millis), "{value}");
        }
    }

    #[test]
    fn milliseconds_are_read_and_bounded() {
        let table = [
            ("1500", Some(1_500)),
            (" 0 ", Some(0)),
            ("1e300", Some(3_600_000)),
            ("-1", None),
            ("NaN", None),
            ("", None),
        ];
        for (value, millis) in table {
            assert_eq!(retry_after_ms(value), millis.map(Duration::from_millis), "{value}");
        }
    }
}
