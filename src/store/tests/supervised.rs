//! The committer as an actor: killed under load, it delays commits and loses none.

use std::time::Duration;

use ractor::Actor;

use crate::store::actor::Committer;

use super::*;

/// Invariant 2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_the_committer_under_load_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), OPTIONS).unwrap();
    let writers: Vec<_> = (0..16_u32)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for step in 0..50_u32 {
                    let key = [writer.to_be_bytes(), step.to_be_bytes()].concat();
                    let batch = Batch::new().put(Keyspace::Task, key, record(bytes(200)));
                    store.commit(batch.add("done", 1).chain(Keyspace::Audit, record("done"))).await.unwrap();
                }
            })
        })
        .collect();
    let all = futures::future::join_all(writers);
    tokio::pin!(all);
    let mut kills = 0;
    let outcome = loop {
        let (actor, ended) = Actor::spawn(None, Committer, store.clone()).await.unwrap();
        let a_while = tokio::time::timeout(Duration::from_millis(20), &mut all).await;
        actor.kill();
        ended.await.unwrap();
        kills += 1;
        if let Ok(outcome) = a_while {
            break outcome;
        }
    };
    assert!(outcome.iter().all(Result::is_ok), "after {kills} kills");
    store.close().await.unwrap();

    let bench = Bench::open(directory.path());
    assert_eq!(bench.store.counters(b"").await.unwrap().1, [(b"done".to_vec(), 800)]);
    assert_eq!(bench.store.range(Keyspace::Task, b"", None, Direction::Ascending, 9_999).unwrap().len(), 800);
    let links = bench.store.chain_range(Keyspace::Audit, 1, 9_999).unwrap();
    assert_eq!(links.len(), 800);
    assert!(crate::store::chain::verify(crate::store::chain::GENESIS, 1, &links).is_ok());
}

#[tokio::test]
async fn a_commit_waits_for_a_committer() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), OPTIONS).unwrap();
    let mut commit = Box::pin(store.commit(Batch::new().put(Keyspace::Task, "k", record("v"))));
    assert!(tokio::time::timeout(Duration::from_millis(20), &mut commit).await.is_err());
    let _committer = store.run_committer().unwrap();
    commit.await.unwrap();
}

#[tokio::test]
async fn closing_writes_what_waits_even_without_a_committer() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), OPTIONS).unwrap();
    let mut commit = Box::pin(store.commit(Batch::new().put(Keyspace::Task, "k", record("v"))));
    assert!(futures::poll!(&mut commit).is_pending());
    store.close().await.unwrap();
    commit.await.unwrap();
    let bench = Bench::open(directory.path());
    assert!(bench.store.contains(Keyspace::Task, b"k").unwrap());
}

#[tokio::test]
async fn an_actor_whose_thread_panicked_asks_to_be_restarted() {
    let directory = tempfile::tempdir().unwrap();
    let engine = crate::store::engine::Engine::open(directory.path(), OPTIONS).unwrap();
    let mut syncs = 0;
    let sync = move || {
        syncs += 1;
        assert!(syncs > 1, "the first sync panics");
        Ok(())
    };
    let sync: crate::store::engine::SyncStep = Box::new(sync);
    let store = Store::assemble(directory.path(), engine, sync).unwrap();
    let (_actor, ended) = Actor::spawn(None, Committer, store.clone()).await.unwrap();
    let cut_off = tokio::spawn({
        let store = store.clone();
        async move { store.commit(Batch::new().add("c", 1)).await }
    });
    ended.await.unwrap();
    let _successor = store.run_committer().unwrap();
    cut_off.await.unwrap().expect("it was written before the panic");
}
