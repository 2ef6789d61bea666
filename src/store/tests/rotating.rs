//! Keys exchanged, of data and of the master.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::encrypting::{holds, owner};
use super::*;
use crate::domain::owner::{Owner, Selector};
use crate::store::keyring::FILE_NAME;
use crate::store::reencryption::{Cursor, OwnerOf};
use crate::store::{KeyError, key};

const PLANTED: &[u8] = b"the quick brown fox is a secret of ann's";

fn by_first_letter() -> OwnerOf {
    Arc::new(|_, _, key, _| match key.first() {
        Some(letter) if letter.is_ascii_alphabetic() => Ok(owner(&char::from(*letter).to_string(), None)),
        Some(_) | None => Ok(Owner::Host),
    })
}

async fn whole_pass(store: &Store) -> usize {
    let (mut after, mut rounds): (Option<Cursor>, usize) = (None, 0);
    loop {
        rounds += 1;
        after = store.reencrypt(after, &by_first_letter()).await.unwrap();
        if after.is_none() {
            return rounds;
        }
    }
}

async fn filled(store: &Store, count: u32) {
    for at in 0..count {
        let of = owner(["a", "b"][at as usize % 2], None);
        let bytes = if at % 7 == 0 { 9_000 } else { 30 };
        let body: Vec<u8> = PLANTED.iter().copied().cycle().skip(at as usize % 11).take(bytes).collect();
        let key = format!("{}{at:05}", ["a", "b"][at as usize % 2]);
        store.commit(Batch::new().put_of(Keyspace::Task, key, record(body), &of)).await.unwrap();
    }
    let large = record(PLANTED.repeat(40_000));
    store.commit(Batch::new().put_of(Keyspace::Task, "alarge", large, &owner("a", None))).await.unwrap();
    for _ in 0..3 {
        store.commit(Batch::new().chain(Keyspace::Audit, record(PLANTED)).add("sum", 1)).await.unwrap();
    }
}

fn all(store: &Store) -> Vec<(Vec<u8>, Record)> {
    let mut found = store.range(Keyspace::Task, b"", None, Direction::Ascending, usize::MAX).unwrap();
    let links = store.chain_range(Keyspace::Audit, 1, 100).unwrap();
    crate::store::chain::verify(crate::store::chain::GENESIS, 1, &links).unwrap();
    found.extend(links.into_iter().map(|link| (link.link.to_vec(), link.record)));
    found
}

#[tokio::test]
async fn records_of_before_are_sealed_in_the_background() {
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::open(directory.path());
    filled(&bench.store, 60).await;
    let before = all(&bench.store);
    bench.store.close().await.unwrap();
    drop(bench);
    assert!(holds(directory.path(), PLANTED));
    let right = masters();
    let bench = Bench::sealed(directory.path(), &right);
    assert_eq!(all(&bench.store), before, "they are read as they are");
    assert!(bench.store.needs_reencryption().unwrap());
    whole_pass(&bench.store).await;
    assert!(!bench.store.needs_reencryption().unwrap());
    assert_eq!(all(&bench.store), before);
    let status = bench.store.encryption().unwrap().unwrap();
    assert_eq!((status.resealed, status.unreadable, status.keys.current), (64, 0, 3));
    // Each is under the key of whoever it belongs to.
    bench.store.destroy_keys(&Selector::Tenant("a".parse().unwrap())).await.unwrap();
    let left = bench.store.range(Keyspace::Task, b"", None, Direction::Ascending, 999).unwrap();
    assert!(left.len() == 30 && left.iter().all(|(key, _)| key[0] == b'b'));
    let bench = bench.reopen_sealed(directory.path(), &right).await;
    assert!(!bench.store.needs_reencryption().unwrap(), "it is remembered");
}

#[tokio::test]
async fn after_a_rotation_the_old_keys_are_gone_and_all_is_readable() {
    let directory = tempfile::tempdir().unwrap();
    let right = masters();
    let bench = Bench::sealed(directory.path(), &right);
    filled(&bench.store, 40).await;
    whole_pass(&bench.store).await;
    let (before, old) = (all(&bench.store), fs::read(directory.path().join(FILE_NAME)).unwrap());
    assert_eq!(bench.store.rotate_keys().await.unwrap(), 3);
    assert!(matches!(bench.store.rotate_keys().await, Err(Error::Keys(KeyError::Rotating))), "one at a time");
    assert_eq!(all(&bench.store), before, "in the midst of it");
    // What is written meanwhile is under the new keys.
    bench.store.commit(Batch::new().put_of(Keyspace::Task, "anew", record("new"), &owner("a", None))).await.unwrap();
    whole_pass(&bench.store).await;
    let status = bench.store.encryption().unwrap().unwrap();
    assert_eq!((status.keys.current, status.keys.replaced, status.keys.destroyed), (3, 0, 3));
    assert_eq!((status.keys.generation, status.is_pending), (1, false));
    assert_eq!(all(&bench.store).len(), before.len() + 1);
    let new = fs::read(directory.path().join(FILE_NAME)).unwrap();
    for slot in 0..3 {
        let at = 512 + slot * 128;
        assert_ne!(old[at..at + 128], new[at..at + 128]);
        assert!(new[at + 8..at + 124].iter().all(|byte| *byte == 0), "the old key is overwritten");
    }
    let bench = bench.reopen_sealed(directory.path(), &right).await;
    assert_eq!(all(&bench.store).len(), before.len() + 1);
    assert_eq!(bench.store.rotate_keys().await.unwrap(), 3, "and again");
}

#[tokio::test]
async fn a_rotation_that_a_crash_cut_off_anywhere_goes_on() {
    for rounds in 0..4 {
        let directory = tempfile::tempdir().unwrap();
        let right = masters();
        let bench = Bench::sealed(directory.path(), &right);
        filled(&bench.store, 300).await;
        whole_pass(&bench.store).await;
        let before = all(&bench.store);
        bench.store.rotate_keys().await.unwrap();
        let mut after = None;
        for _ in 0..rounds {
            after = bench.store.reencrypt(after, &by_first_letter()).await.unwrap();
        }
        bench.store.crash();
        drop(bench);
        let bench = Bench::sealed(directory.path(), &right);
        assert_eq!(all(&bench.store), before);
        if bench.store.needs_reencryption().unwrap() {
            whole_pass(&bench.store).await;
        }
        assert_eq!(all(&bench.store), before);
        let keys = bench.store.encryption().unwrap().unwrap().keys;
        assert_eq!((keys.current, keys.replaced, keys.destroyed), (3, 0, 3));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_update_is_lost_while_keys_are_exchanged() {
    let directory = tempfile::tempdir().unwrap();
    let right = masters();
    let bench = Bench::sealed(directory.path(), &right);
    filled(&bench.store, 100).await;
    whole_pass(&bench.store).await;
    let writers = (0..4_u32).map(|writer| {
        let store = bench.store.clone();
        tokio::spawn(async move {
            for at in 0..250_u32 {
                let key = format!("a{:05}", (at % 25) * 4 + writer);
                let batch = Batch::new().put_of(Keyspace::Task, key, record(at.to_be_bytes()), &owner("a", None));
                store.commit(batch.chain(Keyspace::Audit, record("x"))).await.unwrap();
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    for _ in 0..5 {
        bench.store.rotate_keys().await.unwrap();
        whole_pass(&bench.store).await;
    }
    futures::future::join_all(writers).await.into_iter().for_each(|done| done.unwrap());
    for writer in 0..4 {
        for at in 225..250_u32 {
            let key = format!("a{:05}", (at % 25) * 4 + writer);
            let found = bench.store.get(Keyspace::Task, key.as_bytes()).unwrap();
            assert_eq!(found, Some(record(at.to_be_bytes())), "{key}");
        }
    }
    assert_eq!(
        bench
            .store
            .survey(Keyspace::Task, b"", None, Direction::Ascending, 9999)
            .unwrap()
            .iter()
            .filter(|(_, record)| record.is_err())
            .count(),
        0
    );
    assert_eq!(bench.store.chain_range(Keyspace::Audit, 1, 9999).unwrap().len(), 1003);
}

#[tokio::test]
async fn a_pass_that_began_before_an_exchange_destroys_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::open(directory.path());
    filled(&bench.store, 300).await;
    bench.store.close().await.unwrap();
    drop(bench);
    let bench = Bench::sealed(directory.path(), &masters());
    let before = all(&bench.store);
    let after = bench.store.reencrypt(None, &by_first_letter()).await.unwrap();
    assert!(after.is_some(), "there is more than one round");
    bench.store.rotate_keys().await.unwrap();
    let mut after = after;
    while after.is_some() {
        after = bench.store.reencrypt(after, &by_first_letter()).await.unwrap();
        assert_eq!(all(&bench.store), before);
    }
    assert_eq!(bench.store.encryption().unwrap().unwrap().keys.replaced, 0);
}

#[tokio::test]
async fn what_is_written_over_meanwhile_is_not_replaced() {
    use crate::store::envelope::{self, Label};
    use crate::store::group::{Body, Change, Replacement};
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::open(directory.path());
    bench.store.commit(Batch::new().put(Keyspace::Task, "k", record("old"))).await.unwrap();
    let stored = bench.store.shared().reading(|reader| reader.engine.get(b"tk")).unwrap().unwrap().to_vec();
    bench.store.commit(Batch::new().put(Keyspace::Task, "k", record("new"))).await.unwrap();
    let replacement = |of: Vec<u8>, body: Vec<u8>| {
        let (key, label, body) = (key::full(Keyspace::Task, b"k"), Label::plain(1, 1), Body::Here(body));
        vec![Change::Replace(Box::new(Replacement { key, of, label, body }))]
    };
    bench.store.commit_behind(replacement(stored.clone(), b"again".to_vec()), 5, None).await.unwrap();
    bench.store.commit_behind(replacement(stored, vec![7; 2 << 20]), 2 << 20, None).await.unwrap();
    assert_eq!(bench.store.get(Keyspace::Task, b"k").unwrap(), Some(record("new")));
    let now = envelope::seal(b"tk", &Label::plain(1, 1), envelope::Content::Inline(b"new"));
    bench.store.commit_behind(replacement(now, vec![7; 2 << 20]), 2 << 20, None).await.unwrap();
    assert_eq!(bench.store.get(Keyspace::Task, b"k").unwrap(), Some(record(vec![7; 2 << 20])));
    let bench = bench.reopen(directory.path()).await;
    bench.store.commit(Batch::new().delete(Keyspace::Task, "k")).await.unwrap();
    let left = |directory: &Path| fs::read_dir(directory).unwrap().flatten().filter(|entry| entry.path().is_dir());
    let files = left(&directory.path().join("payloads")).flat_map(|shelf| fs::read_dir(shelf.path()).unwrap()).count();
    assert_eq!(files, 0, "no file is left over");
}

#[tokio::test]
async fn the_master_key_changes_at_a_start_and_under_way() {
    let directory = tempfile::tempdir().unwrap();
    let first = masters();
    let bench = Bench::sealed(directory.path(), &first);
    filled(&bench.store, 20).await;
    let secrets = bench.store.secret_files();
    secrets.create(&directory.path().join("some.key"), b"0123456789").unwrap();
    let before = all(&bench.store);
    bench.store.close().await.unwrap();
    drop((bench, secrets));

    let second = Masters { current: masters().current, previous: first.current.clone() };
    let old = fs::read(directory.path().join(FILE_NAME)).unwrap();
    let bench = Bench::sealed(directory.path(), &second);
    assert_eq!(all(&bench.store), before);
    assert_eq!(bench.store.encryption().unwrap().unwrap().keys.wraps, 1);
    let new = fs::read(directory.path().join(FILE_NAME)).unwrap();
    assert!(old.len() == new.len() && old[512..] != new[512..]);
    bench.store.close().await.unwrap();
    drop(bench);
    let refused = Store::open_with(directory.path(), OPTIONS, &first);
    assert!(matches!(refused, Err(Error::Keys(KeyError::MasterWrong { .. }))), "the old one fits no more");

    let alone = Masters { previous: None, ..second };
    let bench = Bench::sealed(directory.path(), &alone);
    let third = masters().current.unwrap();
    assert!(bench.store.change_master_key(third.clone()).await.unwrap());
    assert!(!bench.store.change_master_key(third.clone()).await.unwrap(), "twice is once");
    bench.store.commit(Batch::new().put_of(Keyspace::Task, "c", record("new"), &owner("c", None))).await.unwrap();
    bench.store.close().await.unwrap();
    drop(bench);
    let bench = Bench::sealed(directory.path(), &Masters { current: Some(third), previous: None });
    assert_eq!(all(&bench.store).len(), before.len() + 1);
    let secret = bench.store.secret_files().read(&directory.path().join("some.key"), 32).unwrap().unwrap();
    assert_eq!(*secret, b"0123456789");
}

#[tokio::test]
async fn an_owner_who_is_erased_in_the_midst_of_a_rotation_stays_erased() {
    let directory = tempfile::tempdir().unwrap();
    let right = masters();
    let bench = Bench::sealed(directory.path(), &right);
    filled(&bench.store, 300).await;
    whole_pass(&bench.store).await;
    bench.store.rotate_keys().await.unwrap();
    let after = bench.store.reencrypt(None, &by_first_letter()).await.unwrap();
    let destroyed = bench.store.destroy_keys(&Selector::Tenant("a".parse().unwrap())).await.unwrap();
    assert_eq!(destroyed.key_ids.len(), 2, "of both generations");
    let mut after = after;
    while after.is_some() {
        after = bench.store.reencrypt(after, &by_first_letter()).await.unwrap();
    }
    let bench = bench.reopen_sealed(directory.path(), &right).await;
    let left = bench.store.range(Keyspace::Task, b"", None, Direction::Ascending, 999).unwrap();
    assert!(left.len() == 150 && left.iter().all(|(key, _)| key[0] == b'b'));
}

/// Takes a backup to its end.
async fn archive(store: &Store, into: &Path) {
    let mut chunks = store.backup(crate::domain::clock::Timestamp::from_micros(1), |_| {}).unwrap();
    let mut archive = Vec::new();
    while let Some(chunk) = chunks.next().await {
        archive.extend_from_slice(&chunk.unwrap());
        tokio::task::yield_now().await;
    }
    fs::write(into, archive).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_while_keys_are_exchanged_can_be_read() {
    let home = tempfile::tempdir().unwrap();
    let right = masters();
    let bench = Bench::sealed(&home.path().join("data"), &right);
    filled(&bench.store, 400).await;
    whole_pass(&bench.store).await;
    let (store, done) = (bench.store.clone(), Arc::new(std::sync::atomic::AtomicBool::new(false)));
    let until = Arc::clone(&done);
    let exchanging = tokio::spawn(async move {
        while !until.load(std::sync::atomic::Ordering::Relaxed) {
            store.rotate_keys().await.unwrap();
            whole_pass(&store).await;
        }
    });
    for at in 0..8 {
        let (file, place) = (home.path().join("archive"), home.path().join(format!("restored{at}")));
        archive(&bench.store, &file).await;
        let now = crate::domain::clock::Timestamp::from_micros(at);
        crate::store::backup::restore(&file, &place, &right, now).unwrap();
        let restored = Bench::sealed(&place, &right);
        assert_eq!(all(&restored.store).len(), 404, "everything opens with the keys of the archive");
    }
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    exchanging.await.unwrap();
}

/// Whoever closes the gate waits for those who passed it, who may wait for a place in the line: nobody may hold a place and wait for
/// the gate.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_exchanged_while_the_line_is_full() {
    const COMMITS: u32 = 10_000;
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::sealed(directory.path(), &masters());
    bench.store.commit(Batch::new().put_of(Keyspace::Task, "a", record("v"), &owner("a", None))).await.unwrap();
    whole_pass(&bench.store).await;
    bench.store.rotate_keys().await.unwrap();
    let Bench { store, _committer } = bench;
    drop(_committer);
    // More than there are places, with nobody who serves them.
    let work: Vec<_> = (0..COMMITS)
        .map(|at| {
            let (store, batch) = (store.clone(), Batch::new());
            let batch = batch.put_of(Keyspace::Task, format!("b{at}"), record("v"), &owner("b", None));
            tokio::spawn(async move { store.commit(batch).await.map(drop) })
        })
        .collect();
    let passing = tokio::spawn({
        let store = store.clone();
        async move { store.reencrypt(None, &by_first_letter()).await.map(drop) }
    });
    let erasing = tokio::spawn({
        let store = store.clone();
        async move { store.destroy_keys(&Selector::Tenant("c".parse().unwrap())).await.map(drop) }
    });
    let _committer = store.run_committer().unwrap();
    for done in futures::future::join_all(work.into_iter().chain([passing, erasing])).await {
        done.unwrap().unwrap();
    }
    let found = store.keys(Keyspace::Task, b"b", None, Direction::Ascending, usize::MAX).unwrap();
    assert_eq!(found.len(), COMMITS as usize);
}

fn payload_file(directory: &Path) -> std::path::PathBuf {
    let shelves = fs::read_dir(directory.join("payloads")).unwrap().map(|entry| entry.unwrap().path());
    let mut files = shelves.filter(|shelf| !shelf.ends_with("incoming")).flat_map(|shelf| fs::read_dir(shelf).unwrap());
    files.next().unwrap().unwrap().path()
}

#[tokio::test]
async fn a_key_stays_as_long_as_a_record_is_under_it_that_cannot_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let right = masters();
    let bench = Bench::sealed(directory.path(), &right);
    filled(&bench.store, 8).await;
    whole_pass(&bench.store).await;
    let before = all(&bench.store);
    let (payload, away) = (payload_file(directory.path()), directory.path().join("away"));
    fs::rename(&payload, &away).unwrap();
    for _ in 0..2 {
        bench.store.rotate_keys().await.unwrap();
        whole_pass(&bench.store).await;
        let status = bench.store.encryption().unwrap().unwrap();
        assert_eq!((status.is_pending, status.unreadable, status.keys.replaced > 0), (true, 1, true));
    }
    fs::rename(&away, &payload).unwrap();
    assert_eq!(all(&bench.store), before, "it is readable as soon as it is back");
    whole_pass(&bench.store).await;
    assert!(!bench.store.needs_reencryption().unwrap());
    assert_eq!(bench.store.encryption().unwrap().unwrap().keys.replaced, 0);
    assert_eq!(all(&bench.store), before);
}

#[tokio::test]
async fn a_change_of_the_master_key_that_fails_late_loses_no_key() {
    let directory = tempfile::tempdir().unwrap();
    let (right, next) = (masters(), masters());
    let bench = Bench::sealed(directory.path(), &right);
    filled(&bench.store, 8).await;
    let ring = bench.store.shared().keys.clone().unwrap();
    ring.sync_with(|file| {
        let is_directory = file.metadata()?.is_dir();
        if is_directory { Err(std::io::Error::other("a disk that fails")) } else { file.sync_all() }
    });
    assert!(bench.store.change_master_key(next.current.clone().unwrap()).await.is_err());
    let new = || Batch::new().put_of(Keyspace::Task, "cnew", record(PLANTED), &owner("c", None));
    assert!(bench.store.commit(new()).await.is_err(), "no key goes where it may be lost");
    assert!(bench.store.destroy_keys(&Selector::Tenant("b".parse().unwrap())).await.is_err());
    ring.sync_with(|file| file.sync_all());
    bench.store.destroy_keys(&Selector::Tenant("b".parse().unwrap())).await.unwrap();
    bench.store.commit(new()).await.unwrap();
    let before = all(&bench.store);
    drop(ring);
    let bench = bench.reopen_sealed(directory.path(), &next).await;
    assert_eq!(all(&bench.store), before);
}
