//! Records, counters and chains are kept, through restarts and under concurrency.

use std::collections::BTreeSet;

use crate::store::chain::{self, Break, FIRST_SEQUENCE, GENESIS};

use super::*;

/// Around every border of the layout: inline, pieces, file.
const SIZES: [usize; 11] = [0, 1, 4_071, 4_072, 4_073, 4_095, 4_096, 4_097, (1 << 20) - 1, 1 << 20, (1 << 20) + 1];

/// Invariant 1.
#[tokio::test]
async fn records_of_every_size_come_back_also_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(directory.path());
    let sizes: Vec<_> = SIZES.into_iter().chain([3 << 20]).collect();
    for size in &sizes {
        let batch = Batch::new().put(Keyspace::Task, size.to_be_bytes(), record(bytes(*size)));
        bench.store.commit(batch).await.unwrap();
    }
    for _ in 0..2 {
        for size in &sizes {
            let found = bench.store.get(Keyspace::Task, &size.to_be_bytes()).unwrap().unwrap();
            assert!(found == record(bytes(*size)), "{size} bytes differ");
        }
        let all = bench.store.range(Keyspace::Task, b"", None, Direction::Ascending, 100).unwrap();
        assert_eq!(all.iter().map(|(_, record)| record.body.len()).collect::<Vec<_>>(), sizes);
        bench = bench.reopen(directory.path()).await;
    }
}

/// Invariant 7.
#[tokio::test]
async fn overwriting_and_deleting_leave_no_piece_and_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::open(directory.path());
    for size in [3 << 20, 100_000, 2 << 20, 5_000, 10] {
        let batch = Batch::new().put(Keyspace::Task, "k", record(bytes(size)));
        bench.store.commit(batch).await.unwrap();
        assert_eq!(bench.store.get(Keyspace::Task, b"k").unwrap().unwrap().body.len(), size);
    }
    bench.store.commit(Batch::new().put(Keyspace::Task, "k", record(bytes(2 << 20)))).await.unwrap();
    bench.store.commit(Batch::new().put(Keyspace::Task, "l", record(bytes(2 << 20)))).await.unwrap();
    bench.store.commit(Batch::new().delete(Keyspace::Task, "k")).await.unwrap();
    assert!(bench.store.get(Keyspace::Task, b"k").unwrap().is_none());
    assert!(bench.store.get(Keyspace::Task, b"l").unwrap().is_some(), "two records named one file");
    bench.store.commit(Batch::new().delete(Keyspace::Task, "l")).await.unwrap();

    let pieces = bench.store.range(Keyspace::Piece, b"", None, Direction::Ascending, 1).unwrap();
    assert!(pieces.is_empty(), "{pieces:?}");
    assert_eq!(payload_files(directory.path()), 0);
}

fn payload_files(directory: &Path) -> usize {
    let shelves = std::fs::read_dir(directory.join("payloads")).unwrap();
    shelves.map(|shelf| std::fs::read_dir(shelf.unwrap().path()).unwrap().count()).sum()
}

#[tokio::test]
async fn a_payload_file_without_a_record_is_swept_after_opening() {
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::open(directory.path());
    bench.store.commit(Batch::new().put(Keyspace::Task, "k", record(bytes(2 << 20)))).await.unwrap();
    let orphan = directory.path().join("payloads").join("ab").join("c".repeat(62));
    std::fs::create_dir_all(orphan.parent().unwrap()).unwrap();
    std::fs::write(&orphan, "left behind").unwrap();
    let bench = bench.reopen(directory.path()).await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while orphan.exists() {
        assert!(std::time::Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
    assert!(bench.store.get(Keyspace::Task, b"k").unwrap().is_some());
}

/// Invariant 1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_commits_share_groups_and_none_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::open(directory.path());
    let tasks: Vec<_> = (0..64_u32)
        .map(|task| {
            let store = bench.store.clone();
            tokio::spawn(async move {
                let mut positions = Vec::new();
                for step in 0..20_u32 {
                    let key = [task.to_be_bytes(), step.to_be_bytes()].concat();
                    let batch = Batch::new().put(Keyspace::Task, key, record(bytes(300)));
                    positions.push(store.commit(batch.add("all", 1).add(format!("of {}", task % 8), 2)).await.unwrap());
                }
                assert!(positions.is_sorted_by(|one, next| one < next), "a caller's commits follow each other");
                positions
            })
        })
        .collect();
    let mut positions = BTreeSet::new();
    for task in tasks {
        positions.extend(task.await.unwrap());
    }
    assert!(positions.len() < 64 * 20, "no two commits shared a group");

    let bench = bench.reopen(directory.path()).await;
    assert_eq!(bench.store.range(Keyspace::Task, b"", None, Direction::Ascending, 9_999).unwrap().len(), 64 * 20);
    let (position, all) = bench.store.counters(b"").await.unwrap();
    assert_eq!(Some(&position), positions.last());
    let of_each = (0..8).map(|task| (format!("of {task}").into_bytes(), 8 * 20 * 2));
    assert_eq!(all, [(b"all".to_vec(), 64 * 20)].into_iter().chain(of_each).collect::<Vec<_>>());

    let next = bench.store.commit(Batch::new().add("all", -7)).await.unwrap();
    assert!(next > position, "positions rise from one start to the next");
    assert_eq!(bench.store.counters(b"al").await.unwrap(), (next, vec![(b"all".to_vec(), 64 * 20 - 7)]));
}

#[tokio::test]
async fn later_changes_of_a_batch_win() {
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::open(directory.path());
    let batch = Batch::new()
        .put(Keyspace::Task, "k", record(bytes(20_000)))
        .put(Keyspace::Task, "k", record("last"))
        .put(Keyspace::Task, "gone", record("x"))
        .delete(Keyspace::Task, "gone")
        .add("c", 5)
        .delete(Keyspace::Counter, "c")
        .add("c", 2);
    bench.store.commit(batch).await.unwrap();
    assert_eq!(bench.store.get(Keyspace::Task, b"k").unwrap(), Some(record("last")));
    assert!(!bench.store.contains(Keyspace::Task, b"gone").unwrap());
    assert_eq!(bench.store.counters(b"").await.unwrap().1, [(b"c".to_vec(), 2)]);
}

#[tokio::test]
async fn ranges_are_bounded_ordered_and_continued() {
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::open(directory.path());
    let batch = ["a", "b1", "b2", "b3", "c"]
        .into_iter()
        .fold(Batch::new(), |batch, key| batch.put(Keyspace::Task, key, record(key)))
        .put(Keyspace::Template, "b4", record("another keyspace"));
    bench.store.commit(batch).await.unwrap();
    use Direction::{Ascending, Descending};
    type Case = (&'static str, Option<&'static str>, Direction, usize, &'static [&'static str]);
    let cases: [Case; 10] = [
        ("b", None, Ascending, 9, &["b1", "b2", "b3"]),
        ("b", None, Ascending, 2, &["b1", "b2"]),
        ("b", Some("b1"), Ascending, 9, &["b2", "b3"]),
        ("b", Some("b15"), Ascending, 9, &["b2", "b3"]),
        ("b", Some("a"), Ascending, 1, &["b1"]),
        ("b", Some("c"), Ascending, 9, &[]),
        ("b", None, Descending, 2, &["b3", "b2"]),
        ("b", Some("b3"), Descending, 9, &["b2", "b1"]),
        ("b", Some("z"), Descending, 9, &["b3", "b2", "b1"]),
        ("", None, Descending, 9, &["c", "b3", "b2", "b1", "a"]),
    ];
    for (prefix, after, direction, limit, expected) in cases {
        let found = keys(&bench.store, prefix.as_bytes(), after.map(str::as_bytes), direction, limit);
        assert_eq!(found, expected, "{prefix} after {after:?} {direction:?} {limit}");
    }
    assert!(keys(&bench.store, b"b", Some(b"a"), Descending, 9).is_empty());
}

#[tokio::test]
async fn a_chain_holds_through_restarts_and_shows_interference() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(directory.path());
    assert_eq!(bench.store.chain_head(Keyspace::Audit).unwrap(), (FIRST_SEQUENCE, GENESIS));
    for round in 0..3 {
        let batch = (0..4).fold(Batch::new(), |batch, entry| {
            batch.chain(Keyspace::Audit, record(format!("entry {entry} of {round}")))
        });
        bench.store.commit(batch.chain(Keyspace::Audit, record(bytes(9_000)))).await.unwrap();
        bench = bench.reopen(directory.path()).await;
    }
    let links = bench.store.chain_range(Keyspace::Audit, FIRST_SEQUENCE, 99).unwrap();
    assert_eq!(links.len(), 15);
    let (next, head) = bench.store.chain_head(Keyspace::Audit).unwrap();
    assert_eq!((next, chain::verify(GENESIS, FIRST_SEQUENCE, &links)), (16, Ok(head)));
    let tail = bench.store.chain_range(Keyspace::Audit, 8, 3).unwrap();
    assert_eq!(chain::verify(links[6].link, 8, &tail), Ok(links[9].link));

    let forged = Batch::new().put(Keyspace::Audit, 7_u64.to_be_bytes(), record("forged"));
    bench.store.commit(forged).await.unwrap();
    assert!(matches!(bench.store.chain_range(Keyspace::Audit, 1, 99), Err(Error::Damaged { keyspace: 'l', .. })));
    bench.store.commit(Batch::new().delete(Keyspace::Audit, 7_u64.to_be_bytes())).await.unwrap();
    let links = bench.store.chain_range(Keyspace::Audit, 1, 99).unwrap();
    assert_eq!(chain::verify(GENESIS, 1, &links), Err(Break::Gap { expected: 7, found: 8 }));
}

/// Invariant 5, the other way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_read_while_it_is_overwritten_is_never_taken_for_damaged() {
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::open(directory.path());
    let put = |size| Batch::new().put(Keyspace::Task, "k", record(bytes(size)));
    bench.store.commit(put(50_000)).await.unwrap();
    let store = bench.store.clone();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let reader = std::thread::spawn(move || {
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            let found = store.get(Keyspace::Task, b"k").unwrap().unwrap();
            assert!(found.body == bytes(found.body.len()));
        }
    });
    for size in (0..60).map(|round| 50_000 + round * 100) {
        bench.store.commit(put(size)).await.unwrap();
    }
    drop(stop);
    reader.join().unwrap();
}
