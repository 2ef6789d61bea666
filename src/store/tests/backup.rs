//! Archives of a running store, and what is restored from them.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure as _;
use crate::store::backup::{Chunks, STALL_MAX, Totals, inspect, restore};
use crate::store::group::Writes;
use crate::store::key;

use super::*;

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// Takes a backup to its end.
async fn take(store: &Store) -> Vec<u8> {
    collect(store.backup(NOW, |_| {}).expect("it begins")).await
}

async fn collect(mut chunks: Chunks) -> Vec<u8> {
    let mut archive = Vec::new();
    while let Some(chunk) = chunks.next().await {
        archive.extend_from_slice(&chunk.expect("it goes on"));
    }
    archive
}

fn file(directory: &Path, archive: &[u8]) -> PathBuf {
    let path = directory.join("archive");
    fs::write(&path, archive).unwrap();
    path
}

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;
type Files = BTreeMap<PathBuf, Vec<u8>>;

/// A closed database, opened. A thread of sled's own may hold its lock for a moment longer than whoever closed it.
fn opened(path: &Path) -> sled::Db {
    let until = std::time::Instant::now() + Duration::from_secs(30);
    loop {
        match sled::open(path) {
            Ok(db) => return db,
            Err(fault) => assert!(
                fault.to_string().contains("acquire lock") && std::time::Instant::now() < until,
                "open {}: {fault}",
                path.display()
            ),
        }
        std::thread::yield_now();
    }
}

/// Every stored key and value, and every payload file, as they are on the disk of a closed store.
fn raw(data_dir: &Path) -> (Entries, Files) {
    let db = opened(&data_dir.join("store"));
    let entries = db.iter().map(|entry| entry.map(|(key, value)| (key.to_vec(), value.to_vec())).unwrap()).collect();
    let mut files = BTreeMap::new();
    let mut shelves = vec![data_dir.join("payloads")];
    while let Some(shelf) = shelves.pop() {
        for entry in fs::read_dir(shelf).into_iter().flatten().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                shelves.push(entry.path());
            } else {
                files.insert(entry.path().strip_prefix(data_dir).unwrap().to_owned(), fs::read(entry.path()).unwrap());
            }
        }
    }
    (entries, files)
}

fn of_all_sizes() -> Batch {
    let sizes = [("small", 10), ("pieces", 50_000), ("file", 2 << 20)];
    let puts = sizes.into_iter().fold(Batch::new(), |b, (key, size)| b.put(Keyspace::Task, key, record(bytes(size))));
    puts.add("sum", 7).chain(Keyspace::Audit, record("one")).chain(Keyspace::Audit, record("two"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_store_equals_the_original_key_by_key() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    fs::create_dir(&data_dir).unwrap();
    fs::write(data_dir.join("dlp.key"), bytes(32)).unwrap();
    let bench = Bench::open(&data_dir);
    bench.store.commit(of_all_sizes()).await.unwrap();
    for round in 0..200 {
        let batch = Batch::new().put(Keyspace::Agent, format!("{round:03}"), record(bytes(round * 7)));
        bench.store.commit(batch.delete(Keyspace::Agent, format!("{:03}", round / 2))).await.unwrap();
    }
    let archive = file(home.path(), &take(&bench.store).await);
    bench.store.close().await.unwrap();
    let original = raw(&data_dir);

    let elsewhere = home.path().join("restored");
    let restored = restore(&archive, &elsewhere, &Masters::default(), NOW).unwrap();
    assert_eq!((restored.kept, &restored.archive), (None, &inspect(&archive).unwrap()));
    assert_eq!(raw(&elsewhere), original);
    assert_eq!(fs::read(elsewhere.join("dlp.key")).unwrap(), bytes(32));
    let totals = restored.archive.totals;
    assert_eq!((totals.payloads, totals.companions, totals.groups), (1, 1, 0));
    assert_eq!(totals.entries, original.0.len() as u64);
}

/// Invariant 2 of `backup`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_holds_the_state_at_its_position() {
    const WRITERS: usize = 4;
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let bench = Bench::open(&data_dir);
    for first in (0..20_000).step_by(500) {
        let batch = (first..first + 500)
            .fold(Batch::new(), |b, key| b.put(Keyspace::Task, format!("{key:06}"), record(bytes(key % 300))));
        bench.store.commit(batch).await.unwrap();
    }
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (store, stopped) = (bench.store.clone(), stopped.clone());
            tokio::spawn(async move {
                let (mut told, mut round) = (Vec::new(), 0_usize);
                while !*stopped.borrow() {
                    let key = format!("{:06}", (round * 7_919 + writer) % 5_000 * WRITERS + writer);
                    let size = if round % 50 == 0 { 9_000 } else { round % 200 };
                    let value = (round % 3 != 0).then(|| bytes(size));
                    let batch = match &value {
                        Some(body) => Batch::new().put(Keyspace::Task, key.as_bytes(), record(body.clone())),
                        None => Batch::new().delete(Keyspace::Task, key.as_bytes()),
                    };
                    let batch = batch.add(format!("sum{writer}"), 1).chain(Keyspace::Audit, record(key.clone()));
                    told.push((store.commit(batch).await.unwrap(), key, value));
                    round += 1;
                }
                told
            })
        })
        .collect();
    let mut chunks = bench.store.backup(NOW, |_| {}).unwrap();
    let mut archive = Vec::new();
    while let Some(chunk) = chunks.next().await {
        archive.extend_from_slice(&chunk.unwrap());
        // Slowly, so that much is written meanwhile.
        tokio::task::yield_now().await;
    }
    stop.send_replace(true);
    let mut told = Vec::new();
    for writer in writers {
        told.push(writer.await.unwrap());
    }
    bench.store.close().await.unwrap();

    let archive = file(home.path(), &archive);
    let elsewhere = home.path().join("restored");
    let totals = restore(&archive, &elsewhere, &Masters::default(), NOW).unwrap().archive.totals;
    assert!(totals.groups > 0, "nothing was written during the backup: {totals:?}");
    let mut model: BTreeMap<String, Vec<u8>> = (0..20_000).map(|key| (format!("{key:06}"), bytes(key % 300))).collect();
    let mut sums = Vec::new();
    for (writer, told) in told.into_iter().enumerate() {
        let until = told.partition_point(|(position, _, _)| position.0 <= totals.position);
        sums.push((format!("sum{writer}").into_bytes(), until as i64));
        for (_, key, value) in told.into_iter().take(until) {
            match value {
                Some(body) => model.insert(key, body),
                None => model.remove(&key),
            };
        }
    }
    let restored = Bench::open(&elsewhere);
    let found = restored.store.range(Keyspace::Task, b"", None, Direction::Ascending, usize::MAX).unwrap();
    let found: BTreeMap<_, _> =
        found.into_iter().map(|(key, record)| (String::from_utf8(key).unwrap(), record.body)).collect();
    assert_eq!(found.len(), model.len());
    assert!(found == model, "some values differ");
    let links: i64 = sums.iter().map(|(_, sum)| sum).sum();
    sums.retain(|(_, sum)| *sum != 0);
    assert_eq!(restored.store.counters(b"sum").await.unwrap(), (super::super::Position(totals.position), sums));
    assert_eq!(restored.store.chain_head(Keyspace::Audit).unwrap().0, links as u64 + 1);
    restored.store.commit(Batch::new().put(Keyspace::Task, "after", record("v"))).await.unwrap();
}

/// Invariant 1 of `backup`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_that_is_not_whole_or_not_ours_is_refused_and_nothing_is_touched() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let bench = Bench::open(&data_dir);
    bench.store.commit(of_all_sizes()).await.unwrap();
    let whole = take(&bench.store).await;
    bench.store.close().await.unwrap();
    let before = raw(&data_dir);

    let changed = |at: usize, bit: u8| {
        let mut changed = whole.clone();
        changed[at] ^= bit;
        changed
    };
    let mut cases = vec![
        (Vec::new(), "backup_foreign"),
        (b"PK\x03\x04 something else altogether, and longer than a header".to_vec(), "backup_foreign"),
        (whole[1..].to_vec(), "backup_foreign"),
        (changed(11, 2), "backup_newer"),
        ([whole.as_slice(), b"more"].concat(), "backup_cut_short"),
    ];
    cases.extend((8..whole.len()).step_by(whole.len() / 40).map(|at| (whole[..at].to_vec(), "backup_cut_short")));
    cases.push((whole[..whole.len() - 1].to_vec(), "backup_cut_short"));
    cases.extend((16..whole.len() - 40).step_by(whole.len() / 40).map(|at| (changed(at, 1), "backup_damaged")));
    for (archive, code) in cases {
        let archive = file(home.path(), &archive);
        for outcome in [inspect(&archive).map(drop), restore(&archive, &data_dir, &Masters::default(), NOW).map(drop)] {
            assert_eq!(outcome.unwrap_err().code(), code, "{} bytes", fs::metadata(&archive).unwrap().len());
        }
    }
    let missing = restore(&home.path().join("nothing"), &data_dir, &Masters::default(), NOW);
    assert_eq!(missing.unwrap_err().code(), "restore_failed");
    assert_eq!(raw(&data_dir), before);
    let names: Vec<_> = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "something was left behind: {names:?}");
}

/// Invariant 4 of `backup`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_keeps_the_old_directory_and_refuses_one_in_use() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let bench = Bench::open(&data_dir);
    let put = |key: &str| Batch::new().put(Keyspace::Task, key, record("v"));
    bench.store.commit(put("early")).await.unwrap();
    let archive = file(home.path(), &take(&bench.store).await);
    bench.store.commit(put("late")).await.unwrap();
    assert_eq!(restore(&archive, &data_dir, &Masters::default(), NOW).unwrap_err().code(), "data_directory_in_use");
    bench.store.close().await.unwrap();

    // What a restore that was killed left behind.
    let leftover = home.path().join("data.restoring-20200101T000000Z");
    fs::create_dir_all(leftover.join("store")).unwrap();
    let restored = restore(&archive, &data_dir, &Masters::default(), NOW).unwrap();
    assert!(!leftover.exists());
    let kept = restored.kept.expect("there was a directory");
    assert!(kept.file_name().unwrap().to_string_lossy().starts_with("data.before-restore-2023"), "{kept:?}");
    for (directory, late) in [(&data_dir, false), (&kept, true)] {
        let store = Bench::open(directory).store;
        assert!(store.contains(Keyspace::Task, b"early").unwrap());
        assert_eq!(store.contains(Keyspace::Task, b"late").unwrap(), late, "{}", directory.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_backup_at_a_time_and_a_reader_who_leaves_frees_the_place() {
    let home = tempfile::tempdir().unwrap();
    let bench = Bench::open(home.path());
    // More than the chunks that are made ahead hold, in a form that does not compress.
    for seed in 0..8 {
        let body = noise(seed + 1, 400_000);
        bench.store.commit(Batch::new().put(Keyspace::Task, format!("{seed}"), record(body))).await.unwrap();
    }
    let (ended, outcome) = tokio::sync::oneshot::channel();
    let taken = bench.store.backup(NOW, |outcome| ended.send(outcome.clone()).unwrap()).unwrap();
    assert_eq!(bench.store.backup(NOW, |_| {}).unwrap_err().code(), "backup_running");
    drop(taken);
    assert_eq!(outcome.await.unwrap().unwrap_err().code(), "backup_abandoned");

    let (ended, outcome) = tokio::sync::oneshot::channel();
    let stall = Duration::from_millis(20);
    assert!(stall < STALL_MAX);
    let slow = bench.store.backup_with(NOW, stall, |outcome| ended.send(outcome.clone()).unwrap()).unwrap();
    assert_eq!(outcome.await.unwrap().unwrap_err().code(), "backup_abandoned");
    drop(slow);
    let whole = file(home.path(), &take(&bench.store).await);
    assert_eq!(inspect(&whole).unwrap().totals.position, 8);
}

/// Invariant 7 while a backup copies files.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payload_that_is_deleted_during_a_backup_goes_when_it_has_ended() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let bench = Bench::open(&data_dir);
    bench.store.commit(Batch::new().put(Keyspace::Task, "file", record(bytes(2 << 20)))).await.unwrap();
    let files = || raw_files(&data_dir);
    let underway = bench.store.backup_with(NOW, STALL_MAX, |_| {}).unwrap();
    bench.store.commit(Batch::new().delete(Keyspace::Task, "file")).await.unwrap();
    let archive = file(home.path(), &collect(underway).await);
    let Totals { payloads, payloads_missing, .. } = inspect(&archive).unwrap().totals;
    assert!(payloads <= 1 && payloads_missing == 0, "{payloads} {payloads_missing}");
    restore(&archive, &home.path().join("restored"), &Masters::default(), NOW).unwrap();
    assert_eq!(files(), 0);
}

/// Bytes without a pattern (xorshift).
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn raw_files(data_dir: &Path) -> usize {
    let shelves = fs::read_dir(data_dir.join("payloads")).unwrap().map(|entry| entry.unwrap().path());
    shelves.map(|shelf| fs::read_dir(shelf).unwrap().count()).sum()
}

/// Invariant 2 of `backup`, whatever moment of a commit it meets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_sled_was_not_given_yet_does_not_stand_ahead_of_what_is_read_without_it() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let bench = Bench::open(&data_dir);
    // More than is read and made ahead lies before the key that the group writes.
    let batch = (0..1_000).fold(Batch::new().put(Keyspace::Task, "z", record("old")), |batch, seed| {
        batch.put(Keyspace::Task, format!("a{seed:04}"), record(noise(seed + 1, 3_000)))
    });
    bench.store.commit(batch).await.unwrap();
    let underway = bench.store.backup(NOW, |_| {}).unwrap();

    let (taken_down, begun) = std::sync::mpsc::channel();
    let (_waits, ended) = std::sync::mpsc::channel::<()>();
    let shared = bench.store.shared().clone();
    // What the committer does, slowly.
    let group = std::thread::spawn(move || {
        let applying = shared.applying();
        let entries = HashMap::from([(key::full(Keyspace::Task, b"z"), Some(b"new".to_vec()))]);
        applying.tee.as_ref().unwrap().take_down(applying.position, &entries);
        taken_down.send(()).unwrap();
        assert!(ended.recv_timeout(Duration::from_millis(300)).is_err());
        shared.engine().as_ref().unwrap().write(Writes { entries, unnamed: Vec::new() }).unwrap();
    });
    begun.recv().unwrap();
    let archive = file(home.path(), &collect(underway).await);
    group.join().unwrap();
    bench.store.close().await.unwrap();
    let elsewhere = home.path().join("restored");
    assert_eq!(restore(&archive, &elsewhere, &Masters::default(), NOW).unwrap().archive.totals.groups, 1);
    let (restored, _) = raw(&elsewhere);
    assert_eq!(restored.get(b"tz".as_slice()).map(Vec::as_slice), Some(b"new".as_slice()));
    assert_eq!(restored, raw(&data_dir).0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_data_directory_or_cannot_be_exchanged_is_refused_before_anything_is_made() {
    let home = tempfile::tempdir().unwrap();
    let bench = Bench::open(&home.path().join("data"));
    let archive = file(home.path(), &take(&bench.store).await);
    let letters = home.path().join("letters");
    fs::create_dir(&letters).unwrap();
    fs::write(letters.join("to ada"), "dear").unwrap();
    let dangling = home.path().join("dangling");
    std::os::unix::fs::symlink(home.path().join("nowhere"), &dangling).unwrap();
    let names = || fs::read_dir(home.path()).unwrap().count();
    let before = names();
    for (directory, words) in [
        (letters.as_path(), "is no data directory"),
        (dangling.as_path(), "is a link to nothing"),
        (Path::new("/proc"), "nothing was touched"),
    ] {
        let refused = restore(&archive, directory, &Masters::default(), NOW).unwrap_err();
        assert!(refused.code() == "restore_failed" && refused.to_string().contains(words), "{refused}");
    }
    assert_eq!((names(), fs::read_to_string(letters.join("to ada")).unwrap()), (before, "dear".to_owned()));
}
