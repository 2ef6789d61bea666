//! What budgets keep in the store: spending as counters, operators' limits as records.
//!
//! Counter keys are `budget/<scope>/<day>`, the day as its number since 1970-01-01. A scope's total is the sum of its days,
//! so that a cost adds to one counter a scope. No scope contains a slash: a scope's prefix is nobody else's.

use crate::domain::budget::{Limit, Scope, Thresholds, Window};
use crate::domain::clock::Day;
use crate::domain::money::Usd;
use crate::store::{self, Batch, Keyspace, Position, Record, Store};

use super::account::Known;
use super::marks;

const LIMIT_KIND: u8 = 1;
const LIMIT_VERSION: u8 = 1;

/// An operator's limit as stored.
#[derive(minicbor::Encode, minicbor::Decode)]
struct StoredLimit {
    #[n(0)]
    nanos: i64,
    #[n(1)]
    window: u8,
    /// The upper and the lower half of its thresholds; absent where there are none.
    #[n(2)]
    alert_at: Option<(u64, u64)>,
}

/// The counter increments of a cost on a day; nothing for no cost.
pub(super) fn book(scopes: &[Scope], cost: Usd, day: Day) -> Batch {
    if cost == Usd::ZERO {
        return Batch::new();
    }
    let day = day.number();
    scopes.iter().fold(Batch::new(), |batch, scope| batch.add(format!("budget/{scope}/{day}"), cost.nanos()))
}

/// What the store knows of a scope, as of a position or a little later.
pub(super) async fn known(store: &Store, scope: &Scope) -> Result<(Position, Known), store::Error> {
    let (as_of, counters) = store.counters(&counters_prefix(scope)).await?;
    let days = days(scope, &counters)?;
    let whose = scope.clone();
    let marks = store.read(move |store| Ok((marks::read_stop(store, &whose)?, marks::read_alerts(store, &whose)?)));
    let (stopped, alerted) = marks.await?;
    Ok((as_of, Known { days, stopped, alerted }))
}

/// The prefix of a scope's counters.
pub(super) fn counters_prefix(scope: &Scope) -> Vec<u8> {
    format!("budget/{scope}/").into_bytes()
}

/// The prefix of no counter: reading it tells the position alone.
pub(super) fn no_counters_prefix() -> &'static [u8] {
    b"budget//"
}

/// Spending by day, from a scope's counters.
pub(super) fn days(scope: &Scope, counters: &[(Vec<u8>, i64)]) -> Result<Vec<(Day, Usd)>, store::Error> {
    let prefix = counters_prefix(scope);
    counters
        .iter()
        .map(|(key, nanos)| {
            let day = key.strip_prefix(prefix.as_slice()).and_then(|day| std::str::from_utf8(day).ok());
            day.and_then(|day| day.parse().ok())
                .map(|day| (Day::from_number(day), Usd::from_nanos(*nanos)))
                .ok_or_else(|| damaged(Keyspace::Counter, key, "not a day"))
        })
        .collect()
}

/// The write that makes a limit durable.
pub(super) fn put_limit(scope: &Scope, limit: Limit) -> Batch {
    Batch::new().put(Keyspace::Budget, scope.to_string(), limit_record(limit))
}

fn limit_record(limit: Limit) -> Record {
    let (bits, lower) = (limit.alert_at.bits(), u128::from(u64::MAX));
    let half = |bits: u128| u64::try_from(bits & lower).unwrap_or(0);
    let alert_at = (!limit.alert_at.is_empty()).then(|| (half(bits >> 64), half(bits)));
    let stored = StoredLimit { nanos: limit.amount.nanos(), window: window_number(limit.window), alert_at };
    #[expect(clippy::expect_used, reason = "writing to memory is infallible, and so is encoding two integers")]
    let body = minicbor::to_vec(&stored).expect("encodes two integers into memory");
    Record { kind: LIMIT_KIND, version: LIMIT_VERSION, body }
}

/// The write that takes a limit away.
pub(super) fn remove_limit(scope: &Scope) -> Batch {
    Batch::new().delete(Keyspace::Budget, scope.to_string())
}

/// How a window is stored.
pub(super) fn window_number(window: Window) -> u8 {
    match window {
        Window::Day => 0,
        Window::Month => 1,
        Window::Total => 2,
    }
}

/// The window that is stored so.
pub(super) fn window_of(number: u8) -> Option<Window> {
    [Window::Day, Window::Month, Window::Total].into_iter().find(|window| window_number(*window) == number)
}

/// The scope whose limit is stored under a key.
fn scope(key: &[u8]) -> Option<Scope> {
    std::str::from_utf8(key).ok()?.parse().ok()
}

/// What is known of one stored limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stored {
    /// All.
    Sound(Scope, Limit),
    /// Whose it is; not even that where the key is damaged.
    Damaged(Option<Scope>),
}

/// Reads back what was found under a key.
pub(super) fn stored(key: &[u8], record: Result<Record, store::Error>) -> Stored {
    match record.and_then(|record| limit(key, &record)) {
        Ok((scope, limit)) => Stored::Sound(scope, limit),
        Err(reason) => {
            let scope = scope(key);
            let whose = scope.as_ref().map(ToString::to_string);
            tracing::error!(scope = whose, %reason, "a limit is damaged: nothing may be spent here until it is set again");
            Stored::Damaged(scope)
        }
    }
}

/// Reads a limit back.
fn limit(key: &[u8], record: &Record) -> Result<(Scope, Limit), store::Error> {
    let fault = |reason: &str| damaged(Keyspace::Budget, key, reason);
    let scope = scope(key).ok_or_else(|| fault("not a scope"))?;
    if (record.kind, record.version) != (LIMIT_KIND, LIMIT_VERSION) {
        return Err(fault("a kind or version that this release does not know"));
    }
    let stored: StoredLimit = minicbor::decode(&record.body).map_err(|reason| fault(&reason.to_string()))?;
    let window = window_of(stored.window).ok_or_else(|| fault("not a window"))?;
    let (upper, lower) = stored.alert_at.unwrap_or_default();
    let alert_at = Thresholds::from_bits((u128::from(upper) << 64) | u128::from(lower));
    let alert_at = alert_at.ok_or_else(|| fault("not parts of a limit"))?;
    Ok((scope, Limit { alert_at, ..Limit::new(Usd::from_nanos(stored.nanos), window) }))
}

pub(super) fn damaged(keyspace: Keyspace, key: &[u8], reason: &str) -> store::Error {
    store::Error::Damaged { keyspace: char::from(keyspace as u8), key: hex::encode(key), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_limit_reads_back() {
        let name = b"user:ann@example.org";
        for window in [Window::Day, Window::Month, Window::Total] {
            for alert_at in [Thresholds::NONE, Thresholds::from_bits(0b10 | (1 << 100)).expect("1 % and 100 %")] {
                let set = Limit { alert_at, ..Limit::new(Usd::from_nanos(1_500_000_000), window) };
                assert_eq!(limit(name, &limit_record(set)).expect("reads back"), (scope(name).expect("a scope"), set));
            }
        }
        // As the release before thresholds wrote it: an array of two.
        let earlier = Record { kind: 1, version: 1, body: vec![0x82, 0x05, 0x01] };
        let read = limit(b"global", &earlier).expect("an old record reads").1;
        assert_eq!(read, Limit::new(Usd::from_nanos(5), Window::Month));
        assert_eq!(limit_record(read).body, earlier.body, "one without thresholds is written as before");
        let strange = Record { kind: 1, version: 9, body: Vec::new() };
        assert!(limit(b"global", &strange).is_err());
        assert!(limit(b"nobody", &strange).is_err());
    }

    #[test]
    fn counters_read_back_as_days() {
        let scope = Scope::Global;
        let counters = vec![(b"budget/global/20777".to_vec(), 5), (b"budget/global/20778".to_vec(), 7)];
        let days = days(&scope, &counters).expect("days");
        assert_eq!(
            days,
            vec![(Day::from_number(20_777), Usd::from_nanos(5)), (Day::from_number(20_778), Usd::from_nanos(7)),]
        );
        assert!(super::days(&scope, &[(b"budget/global/x".to_vec(), 5)]).is_err());
    }
}
