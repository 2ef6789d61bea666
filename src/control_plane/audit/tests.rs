//! The log on a real store.

use std::time::Duration;

use ractor::Actor;

use crate::domain::clock::Timestamp;
use crate::domain::name::Digest;
use crate::journal::events::Events;
use crate::store::chain::FIRST_SEQUENCE;
use crate::store::{Batch, Direction, Keyspace, Options, Record, Running, Store};

use super::actor::{Auditor, Start};
use super::entry::tests::who;
use super::export::{self, Expected};
use super::keeper::Restored;
use super::message::Message;
use super::verify::verify_end;
use super::{Audit, AuditKey, Checkpoint, Entry, Error, Means, merkle};

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

impl Log {
    /// As after a restart: another actor, with this key, that knows nothing.
    async fn restart(&self, key: AuditKey) -> Audit {
        let means = Means {
            store: self.store.clone(),
            events: Events::new(),
            key,
            checkpoint_every: Duration::from_secs(3_600),
        };
        let (audit, _spec) = Audit::open(means);
        let (damage, latest) = audit.cells();
        let (store, key, every) = (self.store.clone(), audit.key.clone(), Duration::from_secs(3_600));
        let start = Start { store, events: Events::new(), key, every, damage, latest };
        let (actor, _ended) = Actor::spawn(None, Auditor, start).await.expect("starts");
        audit.address().publish(actor);
        audit
    }

    async fn commit(&self, batch: Batch) {
        let _position = self.store.commit(batch).await.expect("committed");
    }
}

fn own_key() -> AuditKey {
    AuditKey::from_seed([7; 32])
}

async fn signed_log(entries: u32) -> Log {
    let log = log().await;
    log.run().await;
    for number in 1..=entries {
        log.audit.record(entry(number)).await.expect("recorded");
    }
    assert_eq!(log.audit.checkpoint().await.expect("signed").size, u64::from(entries));
    log
}

fn key_of(sequence: u64) -> Vec<u8> {
    sequence.to_be_bytes().to_vec()
}

async fn exported(audit: &Audit) -> Result<String, Error> {
    let mut export = audit.export(Timestamp::from_micros(1)).await?;
    let mut text = String::new();
    while let Some(lines) = export.next().await? {
        text.push_str(&lines);
    }
    Ok(text)
}

#[tokio::test]
async fn checkpoints_go_on_from_the_last_one_and_are_made_for_new_entries_only() {
    let log = signed_log(3).await;
    let again = log.audit.checkpoint().await.expect("known");
    assert_eq!(again.size, 3);
    let restarted = log.restart(own_key()).await;
    assert_eq!(restarted.checkpoint().await.expect("known"), again, "nothing is signed twice");
    restarted.record(entry(4)).await.expect("recorded");
    let next = restarted.checkpoint().await.expect("signed");
    let read = Checkpoint::verify(&next.note, &own_key().public()).expect("fits");
    assert_eq!((read.size, merkle::to_base64(&read.root)), (4, next.root.clone()));
    let verified = restarted.verify().await.expect("holds");
    assert_eq!((verified.entries, verified.root, verified.checkpoints), (4, read.root, 2));
    assert!(restarted.damage().is_none());
}

#[tokio::test]
async fn a_log_that_was_cut_off_with_its_chain_whole_shows_at_the_next_start() {
    let log = signed_log(5).await;
    log.commit(Batch::new().delete(Keyspace::Audit, key_of(5)).delete(Keyspace::Audit, key_of(4))).await;
    let restarted = log.restart(own_key()).await;
    assert!(matches!(restarted.checkpoint().await, Err(Error::Cut { checkpoint: 5, found: 3 })));
    assert_eq!(restarted.damage().expect("told").code, "audit_broken");
    assert!(matches!(restarted.verify().await, Err(Error::Cut { checkpoint: 5, .. })));
    assert!(matches!(exported(&restarted).await, Err(Error::Cut { .. })), "nothing is signed for it");
    restarted.record(entry(6)).await.expect("the work goes on");
}

#[tokio::test]
async fn a_log_that_was_written_anew_with_its_chain_shows_at_the_next_start() {
    let signed = signed_log(5).await;
    let found = signed.store.range(Keyspace::Checkpoint, &[], None, Direction::Ascending, 1).expect("read");
    let (place, checkpoint) = found.into_iter().next().expect("a checkpoint");
    let log = log().await;
    for number in [1, 2, 9, 4, 5] {
        log.commit(entry(number).into_batch()).await;
    }
    log.commit(Batch::new().put(Keyspace::Checkpoint, place, checkpoint)).await;
    let restarted = log.restart(own_key()).await;
    assert!(matches!(restarted.checkpoint().await, Err(Error::OtherRoot { size: 5 })));
    assert_eq!(restarted.damage().expect("told").code, "audit_broken");
    assert!(matches!(restarted.verify().await, Err(Error::OtherRoot { size: 5 })));
}

#[tokio::test]
async fn a_checkpoint_of_another_key_is_told_and_the_log_is_signed_from_its_beginning() {
    let log = signed_log(3).await;
    let other = log.restart(AuditKey::from_seed([8; 32])).await;
    assert_eq!(other.checkpoint().await.expect("signed anew").size, 3);
    assert_eq!(other.damage().expect("told").code, "audit_other_key");
    let verified = other.verify().await.expect("the roots agree");
    assert_eq!((verified.checkpoints, verified.of_other_keys), (2, 1));
    let report = export::verify(exported(&other).await.expect("exported").as_bytes(), &Expected::default());
    assert_eq!(report.expect("holds").checkpoints, 1, "that of its own key");
}

// INVARIANT: behind a checkpoint that is damaged, or could not be read, nothing is signed.
#[tokio::test]
async fn a_checkpoint_that_is_damaged_is_told_and_nothing_more_is_signed() {
    let log = signed_log(3).await;
    let strange = Record { kind: 1, version: 1, body: vec![0xff] };
    let place = [u64::MAX.to_be_bytes(), [0; 8]].concat();
    log.commit(Batch::new().put(Keyspace::Checkpoint, place, strange)).await;
    let restarted = log.restart(own_key()).await;
    assert!(matches!(restarted.checkpoint().await, Err(Error::Checkpoint { size: u64::MAX, .. })));
    assert_eq!(restarted.damage().expect("told").code, "audit_broken");
    restarted.record(entry(4)).await.expect("the work goes on");
    assert!(matches!(exported(&restarted).await, Err(Error::Checkpoint { .. })));
    let kept = log.store.keys(Keyspace::Checkpoint, &[], None, Direction::Ascending, 9).expect("read");
    assert_eq!(kept.len(), 2, "the signed one and the damaged one");
}

#[tokio::test]
async fn a_log_that_could_not_be_read_is_looked_at_again_before_it_is_signed() {
    let log = signed_log(3).await;
    let again = log.restart(own_key()).await;
    let known = again.checkpoint().await.expect("known");
    let failed = || Error::Store(crate::store::Error::Read("the disk is away".to_owned()));
    let restored = Box::new(Restored { keeper: Err(failed()), latest: None, damage: None });
    again.address().cast(Message::Restored { restored, end: Err(failed()) }).expect("told");
    assert_eq!(again.checkpoint().await.expect("looked at again"), known, "nothing is signed anew");
    assert!(again.damage().is_none());
}

#[tokio::test]
async fn an_export_of_many_pages_holds_outside_of_the_daemon() {
    let log = log().await;
    log.run().await;
    for part in 0..3_u32 {
        let batch = (0..300).fold(Batch::new(), |batch, n| batch.and(log.audit.batch(entry(part * 300 + n))));
        log.commit(batch).await;
        let _noted = log.audit.checkpoint().await.expect("signed");
    }
    let text = exported(&log.audit).await.expect("exported");
    let expected = Expected { key: Some(log.audit.public_key()), checkpoint: None };
    let report = export::verify(text.as_bytes(), &expected).expect("holds");
    assert_eq!((report.entries, report.checkpoints), (900, 3));
    assert_eq!(report.root, log.audit.verify().await.expect("holds").root);
    assert_eq!(text.lines().count(), 1 + 900 + 3 + 1);
}

#[tokio::test]
async fn an_entry_is_proved_to_be_under_a_checkpoint_and_a_checkpoint_to_continue_another() {
    let log = signed_log(6).await;
    let old = log.audit.latest().expect("signed");
    for number in 7..=11 {
        log.audit.record(entry(number)).await.expect("recorded");
    }
    let root = |note: &str| Checkpoint::verify(note, &own_key().public()).expect("fits").root;
    for sequence in 1..=11 {
        let proof = log.audit.prove_entry(sequence).await.expect("proved");
        let record = log.store.chain_range(Keyspace::Audit, sequence, 1).expect("read")[0].record.clone();
        let (size, leaf) = (proof.checkpoint.size, merkle::leaf(sequence, &record));
        assert!(
            merkle::includes(&root(&proof.checkpoint.note), size, sequence - 1, &leaf, &proof.hashes),
            "{sequence}"
        );
    }
    let growth = log.audit.prove_growth(6).await.expect("proved");
    assert_eq!(merkle::to_base64(&growth.root), old.root);
    let new = (growth.checkpoint.size, &root(&growth.checkpoint.note));
    assert!(merkle::extends((6, &growth.root), new, &growth.hashes));
    for unknown in [0, 12, u64::MAX] {
        assert!(matches!(log.audit.prove_entry(unknown).await, Err(Error::Unknown { entries: 11, .. })), "{unknown}");
    }
}
