//! Time. The only module that reads the host's clock; everything else is handed a [`Timestamp`].

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// An instant in UTC with microsecond precision.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// A text that is not an RFC 3339 instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time such as \"2026-11-20T10:00:00Z\"")]
pub struct InvalidTimestamp;

impl Timestamp {
    /// The present.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one reader of the host's clock")]
    pub fn now() -> Self {
        #[cfg(test)]
        if let Some(now) = simulated::now() {
            return now;
        }
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    /// So many microseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// This instant, later by `duration`.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// This instant, earlier by `duration`.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long `earlier` was before this instant; zero where the clock went backwards.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The UTC day of this instant.
    #[must_use]
    pub fn day(self) -> Day {
        Day(i32::try_from(self.0.div_euclid(86_400_000_000)).unwrap_or(i32::MAX))
    }
}

impl fmt::Display for Timestamp {
    /// Writes RFC 3339 in UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(instant) => write!(f, "{instant:.6}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        text.parse::<jiff::Timestamp>().map(|instant| Self(instant.as_microsecond())).map_err(|_| InvalidTimestamp)
    }
}

/// A UTC day, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day(i32);

impl Day {
    /// The day so many days after 1970-01-01.
    #[must_use]
    pub const fn from_number(number: i32) -> Self {
        Self(number)
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0
    }

    /// The day after so many days; before it where they are negative.
    #[must_use]
    pub const fn later(self, days: i32) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// The first day of this day's month.
    #[must_use]
    pub fn first_of_month(self) -> Self {
        let of_month = self.date().map_or(1, jiff::civil::Date::day);
        Self(self.0.saturating_sub(i32::from(of_month).saturating_sub(1)))
    }

    /// The last day of this day's month.
    #[must_use]
    pub fn last_of_month(self) -> Self {
        let days = self.date().map_or(1, jiff::civil::Date::days_in_month);
        self.first_of_month().later(i32::from(days).saturating_sub(1))
    }

    fn date(self) -> Option<jiff::civil::Date> {
        let epoch = jiff::civil::date(1970, 1, 1);
        jiff::Span::new().try_days(self.0).and_then(|span| epoch.checked_add(span)).ok()
    }
}

/// A text that is not a day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a day such as \"2026-11-20\"")]
pub struct InvalidDay;

impl fmt::Display for Day {
    /// Writes the date.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.date() {
            Some(date) => write!(f, "{date}"),
            None => write!(f, "day {}", self.0),
        }
    }
}

impl FromStr for Day {
    type Err = InvalidDay;

    /// Reads a date: `2026-11-20`.
    fn from_str(text: &str) -> Result<Self, InvalidDay> {
        let shape = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let date: jiff::civil::Date = text.parse().ok().filter(|_| shape).ok_or(InvalidDay)?;
        let days = date.since((jiff::Unit::Day, jiff::civil::date(1970, 1, 1))).map_err(|_| InvalidDay)?.get_days();
        Ok(Self(days))
    }
}

/// A clock of one thread of a test, in the place of the host's: paused time is of no use where deadlines follow another clock.
#[cfg(test)]
pub(crate) mod simulated {
    use std::cell::RefCell;

    use super::Timestamp;

    type Clock = Box<dyn Fn() -> Timestamp>;

    thread_local! {
        static CLOCK: RefCell<Option<Clock>> = const { RefCell::new(None) };
    }

    /// The thread goes by another clock as long as this is held.
    pub(crate) struct Simulated;

    impl Drop for Simulated {
        fn drop(&mut self) {
            drop(CLOCK.take());
        }
    }

    /// Lets this thread go by `clock`.
    pub(crate) fn go_by(clock: impl Fn() -> Timestamp + 'static) -> Simulated {
        CLOCK.set(Some(Box::new(clock)));
        Simulated
    }

    pub(super) fn now() -> Option<Timestamp> {
        CLOCK.with_borrow(|clock| clock.as_ref().map(|now| now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_in_utc() {
        let time: Timestamp = "2026-11-20T12:34:56.5+01:00".parse().expect("a time");
        assert_eq!(time.to_string(), "2026-11-20T11:34:56.500000Z");
        assert!("yesterday".parse::<Timestamp>().is_err());
    }

    #[test]
    fn months_begin_on_their_first_day() {
        let day = |text: &str| text.parse::<Timestamp>().expect("a time").day();
        assert_eq!(day("2026-11-20T00:00:00Z").first_of_month(), day("2026-11-01T23:59:59Z"));
        assert_eq!(day("2028-02-29T00:00:00Z").first_of_month(), day("2028-02-01T00:00:00Z"));
    }

    #[test]
    fn days_read_back_as_dates_and_know_their_month() {
        for (text, first, last) in [
            ("1970-01-01", "1970-01-01", "1970-01-31"),
            ("2024-02-29", "2024-02-01", "2024-02-29"),
            ("2026-02-10", "2026-02-01", "2026-02-28"),
            ("2026-12-31", "2026-12-01", "2026-12-31"),
        ] {
            let day: Day = text.parse().expect("a day");
            assert_eq!(day.to_string(), text);
            assert_eq!(
                (day.first_of_month().to_string(), day.last_of_month().to_string()),
                (first.into(), last.into())
            );
            let noon: Timestamp = format!("{text}T12:00:00Z").parse().expect("a time");
            assert_eq!(noon.day(), day);
        }
        for text in ["", "2026-02-29", "2026-13-01", "2026-1-1", "20261101", "2026-11-01T00:00:00Z", "today"] {
            assert_eq!(text.parse::<Day>(), Err(InvalidDay), "{text:?}");
        }
    }
}
