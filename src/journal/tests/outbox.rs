//! The outbox of hooks on a real store.

use std::collections::BTreeSet;

use super::*;
use crate::domain::hook::Hook;
use crate::domain::name::ToolName;
use crate::journal::Custody;
use crate::journal::order::Tool;
use crate::journal::outbox::{Entry, Key};
use crate::journal::record::RetryRequested;
use crate::store::{Direction, Keyspace, Record};

fn tool(name: &str) -> ToolName {
    name.parse().expect("a tool")
}

impl Desk {
    /// An open task that tells these tools, and who holds it.
    async fn telling(&self, hooks: &[(Hook, &str)]) -> Custody {
        let mut order = self.order("acme");
        order.hooks = hooks.iter().map(|(hook, name)| (*hook, tool(name))).collect();
        order.tools = hooks.iter().map(|(_, name)| Tool(tool(name))).collect();
        let id = order.task;
        self.journal.submit(order, Usd::ZERO, NOW, Batch::new()).await.expect("submitted");
        self.journal.take_up(id).expect("open")
    }

    async fn waiting(&self, name: &str) -> Vec<(Key, Entry)> {
        let page = self.journal.outbox().page(&tool(name), BTreeSet::new(), 100).await.expect("read");
        assert_eq!(page.entries.len() as u64, page.depth, "the count is that of the entries");
        page.entries.into_iter().map(|(key, entry)| (key, entry.expect("readable").as_ref().clone())).collect()
    }
}

fn ended(outcome: Outcome) -> TaskRecord {
    TaskRecord::Ended(Ended { outcome, at: NOW })
}

const EVERY: [(Hook, &str); 4] =
    [(Hook::Start, "pager"), (Hook::Success, "crm"), (Hook::Failure, "pager"), (Hook::Cancel, "pager")];

/// INVARIANT I84.
#[tokio::test]
async fn an_entry_is_durable_with_the_record_that_it_follows_or_not_at_all() {
    let desk = Desk::open();
    let holder = desk.telling(&EVERY).await;
    assert!(desk.waiting("pager").await.is_empty(), "it has not started");
    desk.journal.append(&holder, vec![started(0)], Batch::new()).await.expect("started");
    let [(key, entry)] = desk.waiting("pager").await.try_into().expect("one entry");
    assert_eq!(key, Key { tool: tool("pager"), task: holder.id(), sequence: 1 });
    assert_eq!((entry.hook, entry.steps, entry.at), (Hook::Start, 1, NOW));
    // A step is under way: this may not follow, and nothing of it is written.
    desk.journal.append(&holder, vec![ended(Outcome::Cancelled)], Batch::new()).await.expect_err("refused");
    assert_eq!(desk.waiting("pager").await.len(), 1);
    let answer = ended(Outcome::AnsweredByStep { step: 0 });
    desk.journal.append(&holder, vec![finished(0), answer], Batch::new()).await.expect("ended");
    let [(key, entry)] = desk.waiting("crm").await.try_into().expect("one entry");
    assert_eq!((key.sequence, entry.hook, entry.cost), (3, Hook::Success, Usd::from_nanos(3)));
    // A ghost of the task writes neither its record nor its entry.
    let again = ended(Outcome::failed("late", "late"));
    desk.journal.append(&holder, vec![again], Batch::new()).await.expect_err("it has ended");
    assert_eq!(desk.waiting("pager").await.len(), 1);
    let mut depths = desk.journal.outbox().depths().await.expect("read");
    depths.sort_unstable();
    assert_eq!(depths, [(tool("crm"), 1), (tool("pager"), 1)]);
    assert_eq!(desk.journal.outbox().take_fresh(), [tool("crm"), tool("pager")].into());
}

#[tokio::test]
async fn every_way_to_end_has_its_entry_and_a_task_that_is_retried_one_for_each_end() {
    let desk = Desk::open();
    let holder = desk.telling(&EVERY).await;
    let id = holder.id();
    desk.journal
        .append(&holder, vec![ended(Outcome::failed("deadline_exceeded", "late"))], Batch::new())
        .await
        .expect("ended");
    let request = RetryRequested { by: "root".to_owned(), at: NOW };
    let reopened = desk.journal.reopen(id, request, Batch::new(), |_| async { Ok::<(), Error>(()) }).await;
    reopened.expect("reopened");
    let holder = desk.journal.take_up(id).expect("open");
    desk.journal.append(&holder, vec![ended(Outcome::Cancelled)], Batch::new()).await.expect("ended");
    let told = desk.waiting("pager").await;
    let told: Vec<_> =
        told.iter().map(|(key, entry)| (key.sequence, entry.hook, entry.error_code.as_deref())).collect();
    assert_eq!(told, [(1, Hook::Failure, Some("deadline_exceeded")), (3, Hook::Cancel, None)]);
}

#[tokio::test]
async fn a_tool_that_the_order_does_not_grant_is_told_nothing() {
    let desk = Desk::open();
    let mut order = desk.order("acme");
    order.hooks = [(Hook::Cancel, tool("pager"))].into_iter().collect();
    let id = order.task;
    desk.journal.submit(order, Usd::ZERO, NOW, Batch::new()).await.expect("submitted");
    let holder = desk.journal.take_up(id).expect("open");
    desk.journal.append(&holder, vec![ended(Outcome::Cancelled)], Batch::new()).await.expect("ended");
    assert!(desk.waiting("pager").await.is_empty());
}

#[tokio::test]
async fn an_entry_is_concluded_once_however_often_and_those_of_other_tools_stay() {
    let desk = Desk::open();
    let holder = desk.telling(&[(Hook::Start, "crm"), (Hook::Cancel, "crm/2")]).await;
    let step = StepFinished {
        step: 0,
        output: Text::from("x"),
        usage: Usage::default(),
        cost: Usd::ZERO,
        notes: Vec::new(),
        at: NOW,
        calls: Vec::new(),
    };
    let records = vec![started(0), TaskRecord::StepFinished(step), ended(Outcome::Cancelled)];
    desk.journal.append(&holder, records, Batch::new()).await.expect("ended");
    let [(key, _)] = desk.waiting("crm").await.try_into().expect("one: the other's name only begins like it");
    let outbox = desk.journal.outbox();
    let concluded = join_all((0..8).map(|_| outbox.conclude(key.clone()))).await;
    assert!(concluded.iter().all(Result::is_ok), "{concluded:?}");
    assert!(desk.waiting("crm").await.is_empty());
    assert_eq!(outbox.depths().await.expect("read"), [(tool("crm/2"), 1)]);
    let kept = desk.journal.store().keys(Keyspace::Outbox, b"", None, Direction::Ascending, 9).expect("read");
    assert_eq!(kept.len(), 1);
}

/// The entries of three tasks that `pager` is to be told of, in the order of their keys.
async fn three(desk: &Desk) -> Vec<Key> {
    for _ in 0..3 {
        let holder = desk.telling(&[(Hook::Cancel, "pager")]).await;
        desk.journal.append(&holder, vec![ended(Outcome::Cancelled)], Batch::new()).await.expect("ended");
    }
    desk.waiting("pager").await.into_iter().map(|(key, _)| key).collect()
}

#[tokio::test]
async fn what_is_known_is_passed_over_and_several_are_concluded_together_once() {
    let desk = Desk::open();
    let keys = three(&desk).await;
    let outbox = desk.journal.outbox();
    let known: BTreeSet<Key> = keys.iter().take(1).cloned().collect();
    let page = outbox.page(&tool("pager"), known, 1).await.expect("read");
    assert_eq!((&page.entries[0].0, page.entries.len(), page.depth), (&keys[1], 1, 3));
    let pair = keys[..2].to_vec();
    let both = [outbox.conclude_all(tool("pager"), pair.clone()), outbox.conclude_all(tool("pager"), pair)];
    let (alone, both) = tokio::join!(outbox.conclude(keys[0].clone()), join_all(both));
    assert!(alone.is_ok() && both.iter().all(Result::is_ok), "{both:?}");
    assert_eq!(outbox.depths().await.expect("read"), [(tool("pager"), 1)], "none was counted twice");
    assert_eq!(desk.waiting("pager").await.len(), 1);
}

/// After a downgrade, what the newer release wrote is kept for it; what is damaged is no one's.
#[tokio::test]
async fn what_a_later_release_wrote_is_left_alone_and_what_is_damaged_is_told() {
    let desk = Desk::open();
    let keys = three(&desk).await;
    let store = desk.journal.store();
    let stored = store.range(Keyspace::Outbox, b"", None, Direction::Ascending, 9).expect("read");
    let (newer, damaged) = (&stored[0], &stored[1]);
    let rewritten = Batch::new()
        .put(Keyspace::Outbox, newer.0.clone(), Record { version: newer.1.version + 1, ..newer.1.clone() })
        .put(Keyspace::Outbox, damaged.0.clone(), Record { body: vec![0xff], ..damaged.1.clone() });
    store.commit(rewritten).await.expect("written");
    let page = desk.journal.outbox().page(&tool("pager"), BTreeSet::new(), 2).await.expect("read");
    let found: Vec<(&Key, bool)> = page.entries.iter().map(|(key, entry)| (key, entry.is_some())).collect();
    assert_eq!((found, page.newer, page.depth), (vec![(&keys[1], false), (&keys[2], true)], 1, 3));
}
