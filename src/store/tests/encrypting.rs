//! A store with a master key: what is on the disk, what can be read, and when it does not open.

use std::fs;
use std::path::Path;

use super::*;
use crate::domain::owner::{Owner, Selector};
use crate::store::KeyError;
use crate::store::chain::{FIRST_SEQUENCE, GENESIS, verify};
use crate::store::keyring::FILE_NAME;

const PLANTED: &[u8] = b"the quick brown fox is a secret of ann's";

pub(super) fn owner(tenant: &str, user: Option<&str>) -> Owner {
    Owner::Of { tenant: tenant.parse().unwrap(), user: user.map(|user| user.parse().unwrap()) }
}

/// Whether any file below a directory holds these bytes.
pub(super) fn holds(directory: &Path, wanted: &[u8]) -> bool {
    fs::read_dir(directory).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, wanted);
        }
        fs::read(&path).unwrap().windows(wanted.len()).any(|part| part == wanted)
    })
}

fn planted(bytes: usize) -> Vec<u8> {
    PLANTED.iter().copied().cycle().take(bytes).collect()
}

/// Records of every size, a payload file, and an entry of a chain, of several owners.
async fn filled(bench: &Bench) {
    let mut batch = Batch::new();
    for (at, bytes) in [0, 40, 4_072 - 16, 4_072, 20_000].into_iter().enumerate() {
        let owner = owner(["acme", "other"][at % 2], [None, Some("ann")][at / 2 % 2]);
        batch = batch.put_of(Keyspace::Task, format!("{at}"), record(planted(bytes)), &owner);
    }
    bench.store.commit(batch.add("sum", 7)).await.unwrap();
    let large = record(planted(3 << 20));
    bench.store.commit(Batch::new().put_of(Keyspace::Task, "5", large, &owner("acme", Some("ann")))).await.unwrap();
    for _ in 0..3 {
        bench.store.commit(Batch::new().chain(Keyspace::Audit, record(PLANTED))).await.unwrap();
    }
    bench.store.commit(Batch::new().put(Keyspace::Template, "x", record(PLANTED))).await.unwrap();
}

fn check(store: &Store) {
    for (at, bytes) in [0, 40, 4_072 - 16, 4_072, 20_000, 3 << 20].into_iter().enumerate() {
        let found = store.get(Keyspace::Task, format!("{at}").as_bytes()).unwrap();
        assert_eq!(found, Some(record(planted(bytes))), "record {at}");
    }
    let links = store.chain_range(Keyspace::Audit, FIRST_SEQUENCE, 10).unwrap();
    assert_eq!(links.len(), 3);
    let last = verify(GENESIS, FIRST_SEQUENCE, &links).unwrap();
    assert_eq!(store.chain_head(Keyspace::Audit).unwrap(), (4, last));
}

#[tokio::test]
async fn what_is_stored_is_read_back_and_stands_nowhere_in_clear() {
    let directory = tempfile::tempdir().unwrap();
    let masters = masters();
    let bench = Bench::sealed(directory.path(), &masters);
    filled(&bench).await;
    check(&bench.store);
    bench.store.close().await.unwrap();
    drop(bench);
    assert!(!holds(directory.path(), &PLANTED[..16]), "planted text is on the disk");
    assert!(!holds(directory.path(), b"acme"), "names of owners are on the disk");
    let bench = Bench::sealed(directory.path(), &masters);
    check(&bench.store);
    bench.store.commit(Batch::new().chain(Keyspace::Audit, record(PLANTED))).await.unwrap();
    assert_eq!(bench.store.chain_head(Keyspace::Audit).unwrap().0, 5, "the chain goes on");
    assert_eq!(bench.store.counters(b"sum").await.unwrap().1, [(b"sum".to_vec(), 7)]);
}

#[tokio::test]
async fn without_a_master_key_nothing_is_encrypted_and_there_is_no_keyring() {
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::open(directory.path());
    filled(&bench).await;
    check(&bench.store);
    assert_eq!(bench.store.encryption().unwrap(), None);
    assert_eq!(bench.store.destroy_keys(&Selector::Tenant("acme".parse().unwrap())).await.unwrap().key_ids, [0; 0]);
    bench.store.close().await.unwrap();
    assert!(holds(directory.path(), PLANTED) && !directory.path().join(FILE_NAME).exists());
}

fn refused(directory: &Path, masters: &Masters) -> Error {
    Store::open_with(directory, OPTIONS, masters).expect_err("it is not opened")
}

#[tokio::test]
async fn a_store_does_not_open_without_the_key_that_fits_and_nothing_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let right = masters();
    let bench = Bench::sealed(directory.path(), &right);
    filled(&bench).await;
    bench.store.close().await.unwrap();
    drop(bench);
    let before: Vec<_> =
        ["keyring", "store/db", "store.position"].map(|name| fs::read(directory.path().join(name)).unwrap()).into();
    assert!(matches!(refused(directory.path(), &Masters::default()), Error::Keys(KeyError::MasterMissing { .. })));
    assert!(matches!(refused(directory.path(), &masters()), Error::Keys(KeyError::MasterWrong { .. })));
    let only_previous = Masters { current: None, previous: right.current.clone() };
    assert!(matches!(refused(directory.path(), &only_previous), Error::Keys(KeyError::MasterMissing { .. })));
    let after: Vec<_> =
        ["keyring", "store/db", "store.position"].map(|name| fs::read(directory.path().join(name)).unwrap()).into();
    assert!(before == after, "something was written");
    check(&Bench::sealed(directory.path(), &right).store);
}

#[tokio::test]
async fn a_store_does_not_open_without_its_own_whole_keyring() {
    let directory = tempfile::tempdir().unwrap();
    let (right, keyring) = (masters(), directory.path().join(FILE_NAME));
    let bench = Bench::sealed(directory.path(), &right);
    let early = fs::read(&keyring).unwrap();
    filled(&bench).await;
    bench.store.close().await.unwrap();
    drop(bench);
    let whole = fs::read(&keyring).unwrap();
    fs::remove_file(&keyring).unwrap();
    for masters in [&right, &Masters::default()] {
        assert!(matches!(refused(directory.path(), masters), Error::Keys(KeyError::RingMissing { .. })));
        assert!(!keyring.exists(), "none is made in its place");
    }
    fs::write(&keyring, &early).unwrap();
    assert!(matches!(refused(directory.path(), &right), Error::Keys(KeyError::RingMissing { .. })), "an older one");
    let other = tempfile::tempdir().unwrap();
    drop(Bench::sealed(other.path(), &right));
    fs::copy(other.path().join(FILE_NAME), &keyring).unwrap();
    assert!(matches!(refused(directory.path(), &right), Error::Keys(KeyError::RingMissing { .. })), "another one");
    let mut changed = whole.clone();
    changed[20] ^= 1;
    fs::write(&keyring, &changed).unwrap();
    assert!(matches!(refused(directory.path(), &right), Error::Keys(KeyError::RingUnreadable { .. })));
    fs::write(&keyring, &whole).unwrap();
    check(&Bench::sealed(directory.path(), &right).store);
}

#[tokio::test]
async fn a_damaged_key_costs_its_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (right, keyring) = (masters(), directory.path().join(FILE_NAME));
    let bench = Bench::sealed(directory.path(), &right);
    for name in ["a", "b", "c"] {
        let batch = Batch::new().put_of(Keyspace::Task, name, record(PLANTED), &owner(name, None));
        bench.store.commit(batch).await.unwrap();
    }
    bench.store.close().await.unwrap();
    drop(bench);
    let mut bytes = fs::read(&keyring).unwrap();
    bytes[512 + 2 * 128 + 60] ^= 1; // the host's is the first, b's the third
    fs::write(&keyring, bytes).unwrap();
    let bench = Bench::sealed(directory.path(), &right);
    assert_eq!(bench.store.get(Keyspace::Task, b"a").unwrap(), Some(record(PLANTED)));
    assert!(is_damaged(&bench.store.get(Keyspace::Task, b"b")));
    assert_eq!(bench.store.get(Keyspace::Task, b"c").unwrap(), Some(record(PLANTED)));
    assert_eq!(bench.store.encryption().unwrap().unwrap().keys.damaged, 1);
    let again = Batch::new().put_of(Keyspace::Task, "b2", record(PLANTED), &owner("b", None));
    bench.store.commit(again).await.unwrap();
    assert_eq!(bench.store.get(Keyspace::Task, b"b2").unwrap(), Some(record(PLANTED)), "it gets a new key");
}

#[tokio::test]
async fn keys_that_a_crash_left_half_made_are_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let (right, keyring) = (masters(), directory.path().join(FILE_NAME));
    let bench = Bench::sealed(directory.path(), &right);
    filled(&bench).await;
    bench.store.close().await.unwrap();
    drop(bench);
    let whole = fs::read(&keyring).unwrap();
    for left in [1, 127, 128, 300] {
        // Whatever the disk had made of a key that no record was sealed with yet: nothing, a part, zeros.
        let mut cut = whole.clone();
        cut.resize(whole.len() + left, 0);
        fs::write(&keyring, &cut).unwrap();
        let bench = Bench::sealed(directory.path(), &right);
        check(&bench.store);
        assert_eq!(fs::metadata(&keyring).unwrap().len(), whole.len() as u64);
        bench.store.close().await.unwrap();
    }
    let bench = Bench::sealed(directory.path(), &right);
    bench.store.commit(Batch::new().put_of(Keyspace::Task, "n", record(PLANTED), &owner("new", None))).await.unwrap();
    drop(bench.reopen_sealed(directory.path(), &right).await);
}

#[tokio::test]
async fn a_key_that_nothing_was_sealed_with_before_a_crash_does_no_harm() {
    let directory = tempfile::tempdir().unwrap();
    let right = masters();
    let bench = Bench::sealed(directory.path(), &right);
    filled(&bench).await;
    let keys = bench.store.shared().keys.clone().unwrap();
    keys.make([owner("late", None)].into()).unwrap();
    bench.store.crash();
    drop(bench);
    let bench = Bench::sealed(directory.path(), &right);
    check(&bench.store);
    let batch = Batch::new().put_of(Keyspace::Task, "late", record(PLANTED), &owner("late", None));
    bench.store.commit(batch).await.unwrap();
    assert_eq!(bench.store.get(Keyspace::Task, b"late").unwrap(), Some(record(PLANTED)));
}

#[tokio::test]
async fn a_value_that_is_moved_or_relabelled_does_not_open() {
    let directory = tempfile::tempdir().unwrap();
    let right = masters();
    let bench = Bench::sealed(directory.path(), &right);
    let of = owner("acme", None);
    let batch = Batch::new().put_of(Keyspace::Task, "a", record(PLANTED), &of);
    bench.store.commit(batch.put_of(Keyspace::Task, "b", record("other"), &of)).await.unwrap();
    let shared = bench.store.shared();
    let (label, body) = {
        let engine = shared.engine();
        let value = engine.as_ref().unwrap().get(b"ta").unwrap().unwrap();
        let (label, content) = crate::store::envelope::open(b"ta", &value).unwrap();
        let crate::store::envelope::Content::Inline(body) = content else { panic!("it is small") };
        (label, body.to_vec())
    };
    let open = |key: &[u8], label| {
        let mut body = body.clone();
        crate::store::sealing::open(shared.keys.as_deref(), key, &label, &mut body).map(|()| body)
    };
    assert_eq!(open(b"ta", label).unwrap(), PLANTED);
    assert!(open(b"tb", label).is_err(), "under another key");
    assert!(open(b"sa", label).is_err(), "in another keyspace");
    assert!(open(b"ta", crate::store::envelope::Label { kind: 2, ..label }).is_err(), "as another kind");
    assert!(open(b"ta", crate::store::envelope::Label { version: 2, ..label }).is_err(), "as another version");
}

#[tokio::test]
async fn an_erased_owner_is_gone_and_nobody_else_is() {
    let directory = tempfile::tempdir().unwrap();
    let right = masters();
    let bench = Bench::sealed(directory.path(), &right);
    let names = [("acme", None), ("acme", Some("ann")), ("acme", Some("bob")), ("other", Some("ann")), ("other", None)];
    for (at, (tenant, user)) in names.iter().enumerate() {
        let of = owner(tenant, *user);
        let batch = Batch::new().put_of(Keyspace::Task, format!("{at}"), record(PLANTED), &of);
        bench.store.commit(batch).await.unwrap();
    }
    let erased = |store: &Store, at: usize| {
        matches!(store.get(Keyspace::Task, at.to_string().as_bytes()), Err(Error::Erased { .. }))
    };
    let whose = Selector::UserOf { tenant: "acme".parse().unwrap(), user: "ann".parse().unwrap() };
    let destroyed = bench.store.destroy_keys(&whose).await.unwrap();
    assert_eq!(destroyed.key_ids, [3]);
    assert_eq!(bench.store.destroy_keys(&whose).await.unwrap().key_ids, [0; 0], "twice is once");
    assert_eq!((0..5).filter(|at| erased(&bench.store, *at)).collect::<Vec<_>>(), [1]);
    assert_eq!(keys(&bench.store, b"", None, Direction::Ascending, 9), ["0", "2", "3", "4"], "lists pass it over");
    assert_eq!(bench.store.find(Keyspace::Task, b"1").unwrap(), None);
    let bench = bench.reopen_sealed(directory.path(), &right).await;
    assert_eq!((0..5).filter(|at| erased(&bench.store, *at)).collect::<Vec<_>>(), [1], "after a restart");

    let again = Batch::new().put_of(Keyspace::Task, "again", record(PLANTED), &owner("acme", Some("ann")));
    bench.store.commit(again).await.unwrap();
    assert_eq!(bench.store.get(Keyspace::Task, b"again").unwrap(), Some(record(PLANTED)), "they may come back");
    let all = bench.store.destroy_keys(&Selector::User("ann".parse().unwrap())).await.unwrap();
    assert_eq!(all.key_ids.len(), 2);
    let tenant = bench.store.destroy_keys(&Selector::Tenant("other".parse().unwrap())).await.unwrap();
    assert_eq!(tenant.key_ids.len(), 1);
    assert_eq!((0..5).filter(|at| erased(&bench.store, *at)).collect::<Vec<_>>(), [1, 3, 4]);
    // A destroyed record can be written over and deleted.
    let batch =
        Batch::new().put_of(Keyspace::Task, "1", record("new"), &owner("acme", None)).delete(Keyspace::Task, "3");
    bench.store.commit(batch).await.unwrap();
    assert_eq!(bench.store.get(Keyspace::Task, b"1").unwrap(), Some(record("new")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_new_owners_at_once_share_what_it_costs() {
    let directory = tempfile::tempdir().unwrap();
    let right = masters();
    let bench = Bench::sealed(directory.path(), &right);
    let work = (0..200_u32).map(|at| {
        let store = bench.store.clone();
        tokio::spawn(async move {
            let of = owner(&format!("t{}", at % 50), None);
            store.commit(Batch::new().put_of(Keyspace::Task, format!("{at}"), record(at.to_be_bytes()), &of)).await
        })
    });
    for done in futures::future::join_all(work).await {
        done.unwrap().unwrap();
    }
    assert_eq!(bench.store.encryption().unwrap().unwrap().keys.current, 51, "one for each, and the host's");
    let bench = bench.reopen_sealed(directory.path(), &right).await;
    for at in 0..200_u32 {
        let found = bench.store.get(Keyspace::Task, at.to_string().as_bytes()).unwrap();
        assert_eq!(found, Some(record(at.to_be_bytes())));
    }
}

#[tokio::test]
async fn a_key_that_could_not_be_overwritten_is_asked_for_again() {
    let directory = tempfile::tempdir().unwrap();
    let right = masters();
    let bench = Bench::sealed(directory.path(), &right);
    let of = owner("acme", None);
    bench.store.commit(Batch::new().put_of(Keyspace::Task, "1", record(PLANTED), &of)).await.unwrap();
    let whose = Selector::Tenant("acme".parse().unwrap());
    let ring = bench.store.shared().keys.clone().unwrap();
    ring.sync_with(|_| Err(std::io::Error::other("a disk that fails")));
    for _ in 0..2 {
        assert!(matches!(bench.store.destroy_keys(&whose).await, Err(Error::Keys(KeyError::Failed(_)))));
        assert!(
            matches!(bench.store.get(Keyspace::Task, b"1"), Err(Error::Erased { .. })),
            "nobody reads it meanwhile"
        );
        assert_eq!(bench.store.key_ids_of(&whose), [2]);
    }
    ring.sync_with(|file| file.sync_all());
    assert_eq!(bench.store.destroy_keys(&whose).await.unwrap().key_ids, [2], "the same again, on the disk now");
    assert_eq!(bench.store.destroy_keys(&whose).await.unwrap().key_ids, [0; 0]);
    bench.store.commit(Batch::new().put_of(Keyspace::Task, "2", record(PLANTED), &of)).await.unwrap();
    drop(ring);
    let bench = bench.reopen_sealed(directory.path(), &right).await;
    assert!(matches!(bench.store.get(Keyspace::Task, b"1"), Err(Error::Erased { .. })));
    assert_eq!(bench.store.get(Keyspace::Task, b"2").unwrap(), Some(record(PLANTED)), "there are new keys again");
}

#[tokio::test]
async fn an_older_keyring_is_refused_also_after_a_start_that_wrote_little() {
    let directory = tempfile::tempdir().unwrap();
    let (right, keyring) = (masters(), directory.path().join(FILE_NAME));
    let bench = Bench::sealed(directory.path(), &right);
    let early = fs::read(&keyring).unwrap();
    filled(&bench).await;
    let bench = bench.reopen_sealed(directory.path(), &right).await;
    bench.store.commit(Batch::new().put(Keyspace::Template, "y", record(PLANTED))).await.unwrap();
    bench.store.close().await.unwrap();
    drop(bench);
    fs::write(&keyring, early).unwrap();
    assert!(matches!(refused(directory.path(), &right), Error::Keys(KeyError::RingMissing { .. })));
}
