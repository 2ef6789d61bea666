//! What budgets keep in the store: spending as counters, operators' limits as records.
//!
//! Counter keys are `budget/<scope>/<day>`, the day as its number since 1970-01-01. A scope's total is the sum of its days,
//! so that a cost adds to one counter a scope. No scope contains a slash: a scope's prefix is nobody else's.

use crate::domain::budget::{Limit, Scope, Window};
use crate::domain::clock::{Day, Timestamp};
use crate::domain::money::Usd;
use crate::store::{self, Batch, Keyspace, Record};

use super::payer::Payer;

const LIMIT_KIND: u8 = 1;
const LIMIT_VERSION: u8 = 1;

/// An operator's limit as stored.
#[derive(minicbor::Encode, minicbor::Decode)]
struct StoredLimit {
    #[n(0)]
    nanos: i64,
    #[n(1)]
    window: u8,
}

/// The counter increments of a cost. Commit them in the batch that records the step as finished; nothing for no cost.
#[must_use]
pub fn book(payer: &Payer, cost: Usd, at: Timestamp) -> Batch {
    if cost == Usd::ZERO {
        return Batch::new();
    }
    let day = at.day().number();
    payer.scopes().iter().fold(Batch::new(), |batch, scope| batch.add(format!("budget/{scope}/{day}"), cost.nanos()))
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
    let window = match limit.window {
        Window::Day => 0,
        Window::Month => 1,
        Window::Total => 2,
    };
    let stored = StoredLimit { nanos: limit.amount.nanos(), window };
    #[expect(clippy::expect_used, reason = "writing to memory is infallible, and so is encoding two integers")]
    let body = minicbor::to_vec(&stored).expect("encodes two integers into memory");
    let record = Record { kind: LIMIT_KIND, version: LIMIT_VERSION, body };
    Batch::new().put(Keyspace::Budget, scope.to_string(), record)
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
    let window = match stored.window {
        0 => Window::Day,
        1 => Window::Month,
        2 => Window::Total,
        _ => return Err(fault("not a window")),
    };
    Ok((scope, Limit { amount: Usd::from_nanos(stored.nanos), window }))
}

fn damaged(keyspace: Keyspace, key: &[u8], reason: &str) -> store::Error {
    store::Error::Damaged { keyspace: char::from(keyspace as u8), key: hex::encode(key), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_limit_reads_back() {
        let scope: Scope = "user:ann@example.org".parse().expect("a scope");
        for window in [Window::Day, Window::Month, Window::Total] {
            let set = Limit { amount: Usd::from_nanos(1_500_000_000), window };
            let mut body = Vec::new();
            let tag = ["day", "month", "total"].iter().position(|word| *word == window.as_str()).expect("a window");
            minicbor::encode(
                StoredLimit { nanos: 1_500_000_000, window: u8::try_from(tag).expect("small") },
                &mut body,
            )
            .expect("encodes");
            let record = Record { kind: 1, version: 1, body };
            assert_eq!(limit(b"user:ann@example.org", &record).expect("reads back"), (scope.clone(), set));
        }
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
