//! Damage and failing disks.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::store::committer;
use crate::store::engine::{Engine, SyncStep};
use crate::store::envelope::VALUE_BYTES_MAX;
use crate::store::space::SPACE_RESERVED_BYTES;
use crate::store::{Cause, Health};

use super::*;

/// A store whose sync step is `sync`, with its committer.
fn with_sync(directory: &Path, sync: SyncStep) -> Bench {
    let store = Store::assemble(directory, Engine::open(directory, OPTIONS).unwrap(), sync).unwrap();
    let committer = store.run_committer().unwrap();
    Bench { store, _committer: committer }
}

/// Invariant 3.
#[tokio::test]
async fn a_failed_sync_ends_all_writing_but_no_reading() {
    let directory = tempfile::tempdir().unwrap();
    let full = Arc::new(AtomicBool::new(false));
    let disk = full.clone();
    let bench = with_sync(
        directory.path(),
        Box::new(move || if disk.load(Ordering::Relaxed) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }),
    );
    let put = |key: &str| Batch::new().put(Keyspace::Task, key, record("v"));
    bench.store.commit(put("kept")).await.unwrap();
    assert_eq!(bench.store.health(), Health::Well);

    full.store(true, Ordering::Relaxed);
    assert!(matches!(bench.store.commit(put("lost")).await, Err(Error::Commit(_))));
    assert!(matches!(bench.store.health(), Health::Unwell { .. }));

    full.store(false, Ordering::Relaxed);
    assert!(matches!(bench.store.commit(put("late")).await, Err(Error::Unwell(_))));
    let kept = bench.store.read(|store| store.get(Keyspace::Task, b"kept")).await;
    assert_eq!(kept.unwrap(), Some(record("v")));
    assert!(bench.store.close().await.is_err());

    let again = Bench::open(directory.path());
    assert_eq!(again.store.health(), Health::Well);
    again.store.commit(put("late")).await.unwrap();
}

/// Invariant 3, before anything fails.
#[tokio::test]
async fn a_disk_without_room_is_not_written_to_until_it_has_some_and_reads_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let free = Arc::new(AtomicU64::new(u64::MAX));
    let engine = Engine::open(directory.path(), OPTIONS).unwrap();
    let (sync, told) = (engine.sync_step().unwrap(), free.clone());
    let free_bytes = Box::new(move || Some(told.load(Ordering::Relaxed)));
    let store = Store::assemble_on(directory.path(), engine, None, sync, free_bytes).unwrap();
    let _committer = store.run_committer().unwrap();
    let put = |key: &str, size: usize| Batch::new().put(Keyspace::Task, key, record(bytes(size)));
    let before = store.commit(put("kept", 10)).await.unwrap();

    free.store(SPACE_RESERVED_BYTES + 1_000, Ordering::Relaxed);
    for (key, size) in [("little", 600), ("file", 2 << 20)] {
        assert!(matches!(store.commit(put(key, size)).await, Err(Error::NoRoom(_))), "{key}");
        assert!(!store.contains(Keyspace::Task, key.as_bytes()).unwrap(), "{key}");
    }
    assert!(matches!(store.health(), Health::Unwell { cause: Cause::NoRoom, .. }), "no room for what was refused");
    store.commit(put("least", 100)).await.expect("there is room for this");
    free.store(SPACE_RESERVED_BYTES - 1, Ordering::Relaxed);
    assert!(matches!(store.health(), Health::Unwell { cause: Cause::NoRoom, .. }));
    assert!(store.read(|store| store.get(Keyspace::Task, b"kept")).await.unwrap().is_some());
    assert!(!directory.path().join("payloads").exists(), "not even a payload's file is written");

    free.store(u64::MAX, Ordering::Relaxed);
    assert_eq!(store.health(), Health::Well);
    assert!(store.commit(put("file", 2 << 20)).await.unwrap() > before);
}

/// Invariant 4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_awaited_read_shows_only_what_is_durable() {
    let directory = tempfile::tempdir().unwrap();
    let (entered, mut syncing) = tokio::sync::mpsc::unbounded_channel();
    let (let_go, gate) = std::sync::mpsc::channel();
    let sync = move || {
        entered.send(()).unwrap();
        gate.recv().map_err(io::Error::other)
    };
    let bench = with_sync(directory.path(), Box::new(sync));
    let store = bench.store.clone();
    let commit = tokio::spawn(async move { store.commit(Batch::new().put(Keyspace::Task, "k", record("v"))).await });
    syncing.recv().await.unwrap();

    assert!(bench.store.get(Keyspace::Task, b"k").unwrap().is_some(), "sled shows what it was given");
    let store = bench.store.clone();
    let mut read = tokio::spawn(async move { store.read(|store| store.get(Keyspace::Task, b"k")).await });
    let early = tokio::time::timeout(std::time::Duration::from_millis(50), &mut read).await;
    assert!(early.is_err(), "the read was answered before the commit was durable");
    let_go.send(()).unwrap();
    commit.await.unwrap().unwrap();
    assert_eq!(read.await.unwrap().unwrap(), Some(record("v")));
}

/// Invariant 5, and 6 on the way.
#[tokio::test]
async fn damage_is_reported_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::open(directory.path());
    let batch = [("inline", 10), ("pieces", 9_000), ("whole", 10), ("moved", 10)]
        .into_iter()
        .fold(Batch::new(), |batch, (key, size)| batch.put(Keyspace::Task, key, record(bytes(size))));
    bench.store.commit(batch.put(Keyspace::Task, "file", record(bytes(2 << 20)))).await.unwrap();
    bench.store.close().await.unwrap();

    let db = sled::open(directory.path().join("store")).unwrap();
    flip_last_bit(&db, b"tinline");
    let piece = db.scan_prefix(b"p\0").keys().nth(1).unwrap().unwrap();
    flip_last_bit(&db, &piece);
    let moved = db.get(b"twhole").unwrap().unwrap();
    db.insert(b"tmoved", moved).unwrap();
    assert!(db.iter().values().all(|value| value.unwrap().len() <= VALUE_BYTES_MAX));
    drop(db);
    let shelf = std::fs::read_dir(directory.path().join("payloads"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| !path.ends_with("incoming"))
        .unwrap();
    let file = std::fs::read_dir(shelf).unwrap().next().unwrap().unwrap().path();
    std::fs::write(file, bytes((2 << 20) + 1)).unwrap();

    let bench = Bench::open(directory.path());
    for key in ["inline", "pieces", "moved", "file"] {
        assert!(is_damaged(&bench.store.get(Keyspace::Task, key.as_bytes())), "{key}");
    }
    let fault = bench.store.get(Keyspace::Task, b"inline").unwrap_err().to_string();
    assert_eq!(fault, "damaged record under t 696e6c696e65: the checksum does not match");
    assert!(bench.store.range(Keyspace::Task, b"", None, Direction::Ascending, 9).is_err());
    let found = bench.store.survey(Keyspace::Task, b"", None, Direction::Ascending, 9).unwrap();
    let whole: Vec<_> = found.iter().filter(|(_, record)| record.is_ok()).map(|(key, _)| key.as_slice()).collect();
    assert_eq!((found.len(), whole), (5, vec![b"whole".as_slice()]));

    bench.store.commit(Batch::new().put(Keyspace::Task, "inline", record("new"))).await.unwrap();
    assert_eq!(
        bench.store.get(Keyspace::Task, b"inline").unwrap(),
        Some(record("new")),
        "a damaged record can be replaced"
    );
}

fn flip_last_bit(db: &sled::Db, key: &[u8]) {
    let mut value = db.get(key).unwrap().unwrap().to_vec();
    *value.last_mut().unwrap() ^= 1;
    db.insert(key, value).unwrap();
}

#[tokio::test]
async fn limits_are_refused_before_anything_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::open(directory.path());
    let put = |key: Vec<u8>, size: usize| Batch::new().put(Keyspace::Task, key, record(bytes(size)));
    let too_large = [
        put(vec![0; 513], 1),
        put(vec![0], (64 << 20) + 1),
        Batch::new().chain(Keyspace::Audit, record(bytes((1 << 20) + 1))),
        (0..65_537).fold(Batch::new(), |batch, _| batch.delete(Keyspace::Task, "k")),
    ];
    for batch in too_large {
        assert!(matches!(bench.store.commit(batch).await, Err(Error::TooLarge { .. })));
    }
    for keyspace in [Keyspace::Counter, Keyspace::Meta, Keyspace::Piece] {
        let batch = Batch::new().put(keyspace, "k", record("v"));
        assert!(matches!(bench.store.commit(batch).await, Err(Error::Reserved)), "{keyspace:?}");
    }
    assert_eq!(bench.store.health(), Health::Well);
}

/// Invariants 1, 2 and 9.
#[tokio::test]
async fn a_committer_that_panicked_is_taken_over_from_and_what_it_wrote_is_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let syncs = AtomicU32::new(0);
    let (panicked, mut panics) = tokio::sync::mpsc::unbounded_channel();
    let sync = move || {
        if syncs.fetch_add(1, Ordering::Relaxed) == 1 {
            panicked.send(()).unwrap();
            panic!("the second sync panics");
        }
        Ok(())
    };
    let Bench { store, _committer: first } = with_sync(directory.path(), Box::new(sync));
    let put = |key: &str| Batch::new().put(Keyspace::Task, key, record("v")).add("sum", 1);
    let before = store.commit(put("one")).await.unwrap();
    let cut_off = tokio::spawn({
        let (store, batch) = (store.clone(), put("two"));
        async move { store.commit(batch).await }
    });
    panics.recv().await.unwrap();
    drop(first);
    let _second = store.run_committer().unwrap();
    let told = cut_off.await.unwrap().expect("it was written, and its caller is told so");
    let after = store.commit(put("three")).await.unwrap();
    assert!(before < told && told < after);
    assert!(store.contains(Keyspace::Task, b"two").unwrap());
    assert_eq!(store.counters(b"").await.unwrap(), (after, vec![(b"sum".to_vec(), 3)]));
}

/// Invariant 9, where nothing was written.
#[tokio::test]
async fn a_commit_that_a_panic_kept_from_being_written_is_told_so_by_the_successor() {
    let directory = tempfile::tempdir().unwrap();
    let Bench { store, _committer: first } = Bench::open(directory.path());
    let put = |key: &str| Batch::new().put(Keyspace::Task, key, record("v"));
    let before = store.commit(put("one")).await.unwrap();
    drop(first);
    // A panic after the group was begun and before sled was given it.
    let cut_off = committer::panic_before_writing(store.shared(), before);
    let _second = store.run_committer().unwrap();
    assert!(matches!(cut_off.await.unwrap(), Err(Error::Commit(_))));
    assert!(store.commit(put("two")).await.unwrap() > before);
}

/// Invariant 8.
#[tokio::test]
async fn a_database_that_lost_its_end_is_not_opened_as_if_nothing_were_missing() {
    let home = tempfile::tempdir().unwrap();
    let whole = home.path().join("whole");
    let bench = Bench::open(&whole);
    for round in 0..40 {
        let batch = Batch::new().put(Keyspace::Task, format!("{round}"), record(bytes(40_000)));
        bench.store.commit(batch).await.unwrap();
    }
    bench.store.close().await.unwrap();
    let length = std::fs::metadata(whole.join("store/db")).unwrap().len();
    for kept in [Some(0), Some(length / 4), Some(length / 2), None] {
        let cut = home.path().join(format!("cut-{kept:?}"));
        std::fs::create_dir_all(cut.join("store")).unwrap();
        for name in ["store/db", "store/conf", "store.position"] {
            std::fs::copy(whole.join(name), cut.join(name)).unwrap();
        }
        let db = cut.join("store/db");
        match kept {
            Some(bytes) => std::fs::File::options().write(true).open(&db).unwrap().set_len(bytes).unwrap(),
            None => std::fs::remove_file(&db).unwrap(),
        }
        // Also the second time: sled has made a database of what it found by then.
        for _ in 0..2 {
            let refused = Store::open(&cut, OPTIONS);
            assert!(
                matches!(refused, Err(Error::Incomplete { durable: 40, .. } | Error::Corrupt { .. })),
                "{refused:?}"
            );
        }
        // Whoever takes the mark away accepts the loss, where sled opens what is left.
        if matches!(kept, None | Some(0)) {
            std::fs::remove_file(cut.join("store.position")).unwrap();
            let accepted = Bench::open(&cut);
            accepted.store.commit(Batch::new().put(Keyspace::Task, "more", record("v"))).await.unwrap();
        }
    }
}

/// Invariant 3: what is done where sled, after a failed write, refuses reads.
#[tokio::test]
async fn what_is_on_the_disk_opens_anew_while_the_store_is_open() {
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::open(directory.path());
    bench.store.commit(Batch::new().put(Keyspace::Task, "kept", record(bytes(20_000)))).await.unwrap();
    let engine = bench.store.shared().engine.write().unwrap().take().unwrap();
    let reopened = engine.reopen().unwrap();
    assert!(reopened.answers());
    *bench.store.shared().engine.write().unwrap() = Some(reopened);
    assert_eq!(bench.store.get(Keyspace::Task, b"kept").unwrap(), Some(record(bytes(20_000))));
    bench.store.commit(Batch::new().put(Keyspace::Task, "more", record("v"))).await.unwrap();
}
