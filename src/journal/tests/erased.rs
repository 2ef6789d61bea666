//! Tasks and agents of somebody whose keys were destroyed: they are gone, and nobody else's are.

use std::path::Path;

use super::*;
use crate::domain::owner::{Owner, Selector};
use crate::journal::erasing::Tally;
use crate::journal::ownership;
use crate::store::{Keyspace, MasterKey, Masters, Record};

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
        found.iter().map(|(key, record)| ownership::of(store, keyspace, key, record).expect("told")).collect::<Vec<_>>()
    };
    for (keyspace, expected) in [(Keyspace::Task, &owner), (Keyspace::Open, &owner), (Keyspace::Agent, &agent.owner())]
    {
        assert_eq!(tell(keyspace).iter().collect::<Vec<_>>(), [expected], "{keyspace:?}");
    }
    assert_eq!(ownership::of_task(store, task).expect("told"), owner);
    assert_eq!(ownership::of_task(store, TaskId::generate()).expect("told"), Owner::Host);
}

#[tokio::test]
async fn what_damage_hides_the_owner_of_is_counted_and_stays() {
    let desk = Desk::open();
    let (whole, damaged) = (TaskId::generate(), TaskId::generate());
    for task in [whole, damaged] {
        desk.journal.submit(order(task, "acme"), Usd::ZERO, NOW, Batch::new()).await.expect("submitted");
        let custody = desk.journal.take_up(task).expect("open");
        let end = TaskRecord::Ended(Ended { outcome: Outcome::Cancelled, at: NOW });
        desk.journal.append(&custody, vec![end], Batch::new()).await.expect("ended");
    }
    let store = desk.journal.store();
    let first = [damaged.as_bytes().as_slice(), &[0; 8]].concat();
    let unreadable = Record { kind: 1, version: 1, body: vec![0xff] };
    store.commit(Batch::new().put(Keyspace::Task, first.clone(), unreadable)).await.expect("committed");
    assert!(matches!(ownership::of_task(store, damaged), Err(crate::store::Error::Damaged { .. })));

    let tally = Tally(crate::domain::id::ErasureId::generate());
    let whose = Selector::Tenant("acme".parse().expect("a tenant"));
    let round = desk.journal.erase_tasks(None, &whose, tally).await.expect("erased");
    assert_eq!((round.undecided, round.found_open, round.next), (1, false, None));
    assert_eq!(desk.journal.deleted(tally).await.expect("counted").tasks, 1);
    assert!(desk.journal.task(whole).await.expect("read").is_none());
    assert!(store.contains(Keyspace::Task, &first).expect("read"));
}
