//! What is opened, and what is refused.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn refusal(directory: &Path) -> String {
    match Store::open(directory, OPTIONS) {
        Err(refusal @ (Error::InUse(_) | Error::Foreign { .. } | Error::Newer { .. })) => refusal.to_string(),
        other => panic!("opened: {other:?}"),
    }
}

#[tokio::test]
async fn a_second_open_is_refused_until_the_first_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::open(directory.path());
    assert!(refusal(directory.path()).contains("in use by another factoryd"));
    bench.store.commit(Batch::new().put(Keyspace::Task, "k", record("v"))).await.unwrap();
    bench.store.close().await.unwrap();
    bench.store.close().await.unwrap();
    assert!(matches!(bench.store.commit(Batch::new()).await, Err(Error::Unwell(_))));
    assert!(matches!(bench.store.get(Keyspace::Task, b"k"), Err(Error::Read(_))));
    let again = Bench::open(directory.path());
    assert_eq!(again.store.get(Keyspace::Task, b"k").unwrap(), Some(record("v")));
}

#[test]
fn foreign_directories_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("store");
    std::fs::create_dir(&store).unwrap();
    std::fs::write(store.join("holiday.jpg"), "").unwrap();
    assert!(refusal(directory.path()).contains("not a store of factoryd: it holds a file \"holiday.jpg\""));
    std::fs::remove_file(store.join("holiday.jpg")).unwrap();

    let other = sled::open(&store).unwrap();
    other.insert("somebody", "else's").unwrap();
    drop(other);
    assert!(refusal(directory.path()).contains("not a store of factoryd: it has records but no format record"));
}

#[test]
fn a_newer_format_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(Store::open(directory.path(), OPTIONS).unwrap());
    let db = sled::open(directory.path().join("store")).unwrap();
    db.insert(b"mformat", b"AGFSTORE\0\0\0\x03").unwrap();
    drop(db);
    assert!(refusal(directory.path()).contains("written by a newer factoryd: format 3, this one reads up to 2"));
}

#[test]
fn the_directory_is_private() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("a").join("data");
    let _store = Store::open(&data, OPTIONS).unwrap();
    for (path, mode) in [("store", 0o700), ("store/db", 0o600), ("store/conf", 0o600)] {
        assert_eq!(std::fs::metadata(data.join(path)).unwrap().permissions().mode() & 0o777, mode, "{path}");
    }
}

/// What a daemon leaves that is killed while sled writes its first or a later snapshot, or `conf`.
#[tokio::test]
async fn what_sled_had_not_finished_writing_does_not_keep_the_store_from_opening() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let mut bench = Bench::open(&data);
    bench.store.commit(Batch::new().put(Keyspace::Task, "k", record("v"))).await.unwrap();
    let snapshot = data.join("store/snap.00000000000000FF.generating");
    let conf = data.join("store/conf");
    let whole = std::fs::read(&conf).unwrap();
    for left in [None, Some(0), Some(whole.len() - 4), Some(whole.len() - 1)] {
        bench.store.close().await.unwrap();
        drop(bench);
        std::fs::write(&snapshot, b"half").unwrap();
        if let Some(bytes) = left {
            std::fs::write(&conf, &whole[..bytes]).unwrap();
        }
        bench = Bench::open(&data);
        assert_eq!(bench.store.get(Keyspace::Task, b"k").unwrap(), Some(record("v")), "{left:?}");
        assert!(!snapshot.exists());
        assert_eq!(std::fs::read(&conf).unwrap(), whole);
    }
}
