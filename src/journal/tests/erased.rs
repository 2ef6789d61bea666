//! Tasks and agents of somebody whose keys were destroyed: they are gone, and nobody else's are.

use std::path::Path;

use super::*;
use crate::domain::owner::{Owner, Selector};
use crate::journal::ownership;
use crate::store::{Keyspace, MasterKey, Masters};

fn open(directory: &Path, masters: &Masters) -> (Journal, Running) {
    let store = Store::open_with(directory, Options { cache_bytes: 1 << 20 }, masters).expect("opens");
    let committer = store.run_committer().expect("runs");
    (Journal::open(store, Events::new()).expect("opens"), committer)
}

#[tokio::test]
async fn what_was_of_somebody_erased_is_gone_also_for_the_next_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let masters = Masters { current: Some(MasterKey::generate().expect("random numbers")), previous: None };
    let (journal, committer) = open(directory.path(), &masters);
    let (gone, stays) = (TaskId::generate(), TaskId::generate());
    for (task, tenant) in [(gone, "acme"), (stays, "other")] {
        journal.submit(order(task, tenant), Usd::ZERO, NOW, Batch::new()).await.expect("submitted");
        let custody = journal.take_up(task).expect("open");
        journal.append(&custody, vec![started(0), finished(0)], Batch::new()).await.expect("appended");
    }
    let ended = TaskId::generate();
    journal.submit(order(ended, "acme"), Usd::ZERO, NOW, Batch::new()).await.expect("submitted");
    let custody = journal.take_up(ended).expect("open");
    let end = TaskRecord::Ended(Ended { outcome: Outcome::Cancelled, at: NOW });
    journal.append(&custody, vec![end], Batch::new()).await.expect("ended");
    let destroyed = journal.store().destroy_keys(&Selector::Tenant("acme".parse().expect("a tenant"))).await;
    assert_eq!(destroyed.expect("destroyed").key_ids.len(), 1);
    assert!(journal.task(ended).await.expect("read").is_none());
    assert!(journal.records(ended).await.expect("read").is_empty());
    journal.store().close().await.expect("closed");
    drop((journal, committer, custody));

    let (journal, _committer) = open(directory.path(), &masters);
    assert_eq!(journal.unreadable(), [], "it is no damage");
    let open: Vec<TaskId> = journal.open_tasks().iter().map(|task| task.order.task).collect();
    assert_eq!(open, [stays]);
    assert!(journal.task(gone).await.expect("read").is_none());
    let listed = journal.list(None, 10, |task| Some(task.order.task)).await.expect("listed");
    assert_eq!(listed.items, [stays]);
}

#[tokio::test]
async fn every_record_of_a_task_and_an_agent_tells_whose_it_is() {
    let desk = Desk::open();
    let agent = desk.create(made_at(1, 1), "acme").await;
    let task = TaskId::generate();
    let of = Order { user: Some("ann".parse().expect("a user")), ..order(task, "acme") };
    let owner = of.owner();
    desk.journal.submit(of, Usd::ZERO, NOW, Batch::new()).await.expect("submitted");
    let store = desk.journal.store();
    let tell = |keyspace: Keyspace| {
        let found = store.range(keyspace, b"", None, crate::store::Direction::Ascending, 9).expect("read");
        found.iter().map(|(key, record)| ownership::of(store, keyspace, key, record)).collect::<Vec<_>>()
    };
    assert_eq!(tell(Keyspace::Task), [owner.clone()]);
    assert_eq!(tell(Keyspace::Open), [owner.clone()]);
    assert_eq!(tell(Keyspace::Agent), [agent.owner()]);
    assert_eq!(ownership::of_task(store, task), owner);
    assert_eq!(ownership::of_task(store, TaskId::generate()), Owner::Host);
}
