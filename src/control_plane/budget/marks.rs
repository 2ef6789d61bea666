//! What happened to a scope and is remembered for as long as its window lasts: that a cost above its reservation stopped it, and
//! which parts of its limit somebody was told of.
//!
//! Keys are `stop/<scope>` and `alert/<scope>/<percent>`. A stop is written in the batch of the very cost that brings it about, so
//! that no crash comes between them, and removed in the batch that sets the limit again. No scope contains a slash.

use crate::domain::budget::{Limit, Scope, Threshold};
use crate::domain::clock::Day;
use crate::domain::money::Usd;
use crate::store::{self, Batch, Direction, Keyspace, Record, Store};

use super::account::Alerted;
use super::durable::{damaged, window_number, window_of};

const STOP_KIND: u8 = 1;
const ALERT_KIND: u8 = 2;
const VERSION: u8 = 1;
/// The day of a stop that cannot be read: no window outlasts it.
const FOR_EVER: Day = Day::from_number(i32::MAX);

#[derive(minicbor::Encode, minicbor::Decode)]
struct StoredStop {
    #[n(0)]
    day: i32,
}

#[derive(minicbor::Encode, minicbor::Decode)]
struct StoredAlert {
    #[n(0)]
    nanos: i64,
    #[n(1)]
    window: u8,
    #[n(2)]
    day: i32,
}

fn stop_key(scope: &Scope) -> String {
    format!("stop/{scope}")
}

fn alerts_prefix(scope: &Scope) -> String {
    format!("alert/{scope}/")
}

fn record<T: minicbor::Encode<()>>(kind: u8, mark: &T) -> Record {
    #[expect(clippy::expect_used, reason = "writing to memory is infallible, and so is encoding integers")]
    let body = minicbor::to_vec(mark).expect("encodes integers into memory");
    Record { kind, version: VERSION, body }
}

/// The change that stops scopes in the windows that hold `day`.
pub(super) fn stop<'a>(scopes: impl IntoIterator<Item = &'a Scope>, day: Day) -> Batch {
    let mark = record(STOP_KIND, &StoredStop { day: day.number() });
    scopes.into_iter().fold(Batch::new(), |batch, scope| batch.put(Keyspace::Mark, stop_key(scope), mark.clone()))
}

/// The change that lets a scope run again.
pub(super) fn lift(scope: &Scope) -> Batch {
    Batch::new().delete(Keyspace::Mark, stop_key(scope))
}

/// The change that remembers that somebody was told.
pub(super) fn alerted(scope: &Scope, alerted: &Alerted) -> Batch {
    let Alerted { at, limit, window, day } = alerted;
    let mark = StoredAlert { nanos: limit.nanos(), window: window_number(*window), day: day.number() };
    let key = format!("{}{}", alerts_prefix(scope), at.percent());
    Batch::new().put(Keyspace::Mark, key, record(ALERT_KIND, &mark))
}

/// The day of a scope's stop, if it was stopped and not lifted. One that cannot be read stops it until its limit is set again.
///
/// # Errors
/// The store cannot be read.
pub(super) fn read_stop(store: &Store, scope: &Scope) -> Result<Option<Day>, store::Error> {
    let key = stop_key(scope);
    let found = match store.get(Keyspace::Mark, key.as_bytes()) {
        Ok(None) => return Ok(None),
        Ok(Some(record)) => body::<StoredStop>(&key, &record, STOP_KIND),
        Err(fault @ store::Error::Damaged { .. }) => Err(fault),
        Err(fault) => return Err(fault),
    };
    Ok(Some(match found {
        Ok(stop) => Day::from_number(stop.day),
        Err(reason) => {
            tracing::error!(%scope, %reason, "a stop is damaged: nothing may be spent here until the limit is set again");
            FOR_EVER
        }
    }))
}

/// What somebody was told of a scope. What cannot be read is told again.
///
/// # Errors
/// The store cannot be read.
pub(super) fn read_alerts(store: &Store, scope: &Scope) -> Result<Vec<Alerted>, store::Error> {
    let prefix = alerts_prefix(scope);
    let found = store.survey(Keyspace::Mark, prefix.as_bytes(), None, Direction::Ascending, usize::from(u8::MAX))?;
    let read = found.into_iter().filter_map(|(key, record)| {
        let percent = key.strip_prefix(prefix.as_bytes()).and_then(|percent| std::str::from_utf8(percent).ok());
        let at = percent.and_then(|percent| percent.parse().ok()).and_then(Threshold::of)?;
        match record.and_then(|record| body::<StoredAlert>(&String::from_utf8_lossy(&key), &record, ALERT_KIND)) {
            Ok(StoredAlert { nanos, window, day }) => {
                let (limit, day) = (Usd::from_nanos(nanos), Day::from_number(day));
                window_of(window).map(|window| Alerted { at, limit, window, day })
            }
            Err(reason) => {
                tracing::warn!(%scope, %at, %reason, "what was told of a budget is damaged, and is told again");
                None
            }
        }
    });
    Ok(read.collect())
}

fn body<T: for<'b> minicbor::Decode<'b, ()>>(key: &str, record: &Record, kind: u8) -> Result<T, store::Error> {
    let fault = |reason: &str| damaged(Keyspace::Mark, key.as_bytes(), reason);
    if (record.kind, record.version) != (kind, VERSION) {
        return Err(fault("a kind or version that this release does not know"));
    }
    minicbor::decode(&record.body).map_err(|reason| fault(&reason.to_string()))
}

impl Alerted {
    /// What is remembered where somebody is told of a limit's part.
    pub(super) fn now(at: Threshold, limit: Limit, day: Day) -> Self {
        Self { at, limit: limit.amount, window: limit.window, day }
    }

    /// Whether it was of this limit, in the window that holds `today` or a later one.
    pub(super) fn is_of(&self, limit: Limit, today: Day) -> bool {
        let Self { at: _, limit: amount, window, day } = self;
        (*amount, *window) == (limit.amount, limit.window) && *day >= super::spending::first_day(limit.window, today)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::budget::Window;
    use crate::store::Options;

    #[tokio::test]
    async fn marks_read_back_and_damage_stops_or_tells_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(directory.path(), Options { cache_bytes: 1 << 20 }).expect("opens");
        let _committer = store.run_committer().expect("runs");
        let (scope, other): (Scope, Scope) = (Scope::Global, "user:ann".parse().expect("a scope"));
        let told = |percent| Alerted {
            at: Threshold::of(percent).expect("a threshold"),
            limit: Usd::from_nanos(7),
            window: Window::Month,
            day: Day::from_number(20_777),
        };
        let day = Day::from_number(20_778);
        let batch = stop([&scope, &other], day).and(alerted(&scope, &told(50))).and(alerted(&scope, &told(100)));
        store.commit(batch).await.expect("committed");
        assert_eq!(read_stop(&store, &scope).expect("read"), Some(day));
        assert_eq!(read_alerts(&store, &scope).expect("read"), [told(100), told(50)]);
        assert_eq!(read_alerts(&store, &other).expect("read"), []);
        store.commit(lift(&scope)).await.expect("committed");
        assert_eq!(read_stop(&store, &scope).expect("read"), None);
        let strange = Record { kind: STOP_KIND, version: 9, body: Vec::new() };
        let strange = Batch::new().put(Keyspace::Mark, "stop/user:ann", strange.clone()).put(
            Keyspace::Mark,
            "alert/global/50",
            strange,
        );
        store.commit(strange).await.expect("committed");
        assert_eq!(read_stop(&store, &other).expect("read"), Some(FOR_EVER));
        assert_eq!(read_alerts(&store, &scope).expect("read"), [told(100)]);
    }
}
