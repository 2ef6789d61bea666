//! The log on a real store.

use std::time::Duration;

use ractor::Actor;

use crate::domain::clock::Timestamp;
use crate::domain::name::Digest;
use crate::journal::events::Events;
use crate::store::chain::FIRST_SEQUENCE;
use crate::store::{Batch, Keyspace, Options, Record, Running, Store};

use super::actor::{Auditor, Start};
use super::entry::tests::who;
use super::verify::verify_end;
use super::{Audit, AuditKey, Entry, Error};

struct Log {
    audit: Audit,
    store: Store,
    _committer: Running,
    _directory: tempfile::TempDir,
}

async fn log() -> Log {
    let directory = tempfile::tempdir().expect("a directory");
    let store = Store::open(directory.path(), Options { cache_bytes: 1 << 20 }).expect("opens");
    let committer = store.run_committer().expect("runs");
    let (audit, _spec) = Audit::start(store.clone(), Events::new());
    Log { audit, store, _committer: committer, _directory: directory }
}

impl Log {
    async fn run(&self) {
        let (damage, latest) = self.audit.cells();
        let (store, key, every) = (self.store.clone(), AuditKey::from_seed([7; 32]), Duration::from_secs(3_600));
        let start = Start { store, events: Events::new(), key, every, damage, latest };
        let (actor, _ended) = Actor::spawn(None, Auditor, start).await.expect("starts");
        self.audit.address().publish(actor);
    }
}

fn entry(number: u32) -> Entry {
    Entry::refused(Timestamp::from_micros(i64::from(number)), who(), "set_budgets", "forbidden", "no").on(number)
}

#[tokio::test]
async fn entries_are_durable_in_order_and_the_chain_holds() {
    let log = log().await;
    log.run().await;
    assert_eq!(log.audit.head().await.expect("read").0, 0);
    assert_eq!(log.audit.verify().await.expect("an empty log holds").entries, 0);
    for number in 1..=5 {
        log.audit.record(entry(number)).await.expect("recorded");
    }
    let beside = Batch::new().put(Keyspace::Turn, b"x".to_vec(), Record { kind: 1, version: 1, body: vec![1] });
    log.store.commit(beside.and(log.audit.batch(entry(6)))).await.expect("committed");
    let all = log.audit.tail(0, 100).await.expect("read");
    assert_eq!(all.iter().map(|recorded| recorded.sequence).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(all[5].entry, entry(6));
    let page = log.audit.tail(2, 3).await.expect("read");
    assert_eq!(page.iter().map(|recorded| recorded.sequence).collect::<Vec<_>>(), [3, 4, 5]);
    let verified = log.audit.verify().await.expect("holds");
    assert_eq!(verified.entries, 6);
    assert_eq!(log.audit.head().await.expect("read"), (6, verified.head));
    assert_eq!(verify_end(&log.store, 4).expect("its end holds"), 3);
    assert!(log.audit.damage().is_none());
}

#[tokio::test]
async fn a_record_of_another_kind_in_the_chain_is_told_loudly() {
    let log = log().await;
    log.audit.record(entry(1)).await.expect("recorded");
    let strange = Record { kind: 9, version: 1, body: Vec::new() };
    log.store.commit(Batch::new().chain(Keyspace::Audit, strange)).await.expect("committed");
    log.audit.record(entry(3)).await.expect("recorded");
    log.run().await;
    assert!(matches!(log.audit.verify().await, Err(Error::Unreadable { sequence: 2, .. })));
    assert!(log.audit.damage().is_some());
    assert_eq!(log.audit.tail(0, 10).await.expect("the page ends before it").len(), 1);
    assert!(matches!(log.audit.tail(1, 10).await, Err(Error::Unreadable { sequence: 2, .. })));
    assert_eq!(log.audit.tail(2, 10).await.expect("what follows is readable").len(), 1);
}

#[tokio::test]
async fn a_removed_entry_shows() {
    let log = log().await;
    for number in 1..=4 {
        log.audit.record(entry(number)).await.expect("recorded");
    }
    let second = FIRST_SEQUENCE + 1;
    log.store.commit(Batch::new().delete(Keyspace::Audit, second.to_be_bytes().to_vec())).await.expect("committed");
    log.run().await;
    assert!(matches!(log.audit.verify().await, Err(Error::Broken(_))));
}

#[tokio::test]
async fn a_flood_of_refusals_is_bounded() {
    let log = log().await;
    let _all = log.audit.in_flight().acquire_many(super::RECORDS_IN_FLIGHT_MAX as u32).await.expect("free");
    assert!(matches!(log.audit.record(entry(1)).await, Err(Error::Busy)));
}

// INVARIANT I67
#[tokio::test]
async fn every_entry_names_the_policy_in_force() {
    let log = log().await;
    let (first, second, own) = (Digest::from_bytes([1; 32]), Digest::from_bytes([2; 32]), Digest::from_bytes([3; 32]));
    log.audit.decide_under(first);
    log.audit.record(entry(1)).await.expect("recorded");
    log.audit.decide_under(second);
    log.store.commit(log.audit.batch(entry(2))).await.expect("committed");
    log.audit.record(entry(3).under(own)).await.expect("recorded");
    let told: Vec<_> = log.audit.tail(0, 10).await.expect("read").into_iter().map(|one| one.entry.policy).collect();
    assert_eq!(
        told,
        [Some(first), Some(second), Some(own)],
        "one that says which policy it was decided under keeps it"
    );
}
