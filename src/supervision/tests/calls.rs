//! What the handle and the address answer.

use std::time::Duration;

use tokio::sync::oneshot;

use super::stage::{GENEROUS, Order, Stage, ping};
use crate::domain::failure::Failure;
use crate::supervision::{
    Address, CallError, ChildId, ChildSpec, Counts, Error, LISTED_MAX, Load, NodeKind, NodeState, Restart, Strategy,
    SupervisorHandle, SupervisorSpec, start_root,
};

#[tokio::test(start_paused = true)]
async fn s5_bad_calls_are_refused_and_change_nothing() {
    let stage = Stage::default();
    let (a, worker) = stage.worker("a");
    let spec = SupervisorSpec::new("root", Strategy::OneForOne).children_max(1).child(worker.clone());
    let tree = start_root(spec).await.expect("a tree");
    let unknown = ChildId::from("nobody");
    let answers = [
        (tree.start_child(worker).await, "child_duplicate"),
        (tree.start_child(stage.worker("b").1).await, "children_full"),
        (tree.terminate_child(&unknown).await, "child_unknown"),
        (tree.restart_child(&unknown).await, "child_unknown"),
        (tree.delete_child(&unknown).await, "child_unknown"),
        (tree.restart_child(a.name()).await, "child_running"),
        (tree.delete_child(a.name()).await, "child_running"),
    ];
    for (answer, code) in answers {
        assert_eq!(answer.expect_err("a refusal").code(), code);
    }
    ping(&a).await;
    assert_eq!(stage.read(), "+a");
}

#[tokio::test(start_paused = true)]
async fn a_child_whose_start_fails_is_none_and_the_caller_is_told_why() {
    let stage = Stage::default();
    let tree = start_root(SupervisorSpec::new("root", Strategy::OneForOne)).await.expect("a tree");
    stage.fail_starts("a", 1);
    let (a, worker) = stage.worker("a");
    let error = tree.start_child(worker.clone()).await.expect_err("a failed start");
    assert_eq!(error.to_string(), "start a: told to fail");
    assert!(a.current().is_none());
    tree.start_child(worker).await.expect("its id is free");
}

#[tokio::test(start_paused = true)]
async fn a_terminated_child_can_be_started_again_or_deleted() {
    let stage = Stage::default();
    let [(a, kept), (b, temporary)] = ["a", "b"].map(|name| stage.worker(name));
    let spec = SupervisorSpec::new("root", Strategy::OneForOne);
    let tree = start_root(spec.child(kept).child(temporary.restart(Restart::Temporary))).await.expect("a tree");
    for id in [a.name(), b.name()] {
        tree.terminate_child(id).await.expect("terminated");
    }
    assert_eq!(tree.count_children().await, Ok(Counts { specs: 1, active: 0, supervisors: 0, workers: 1 }));
    tree.restart_child(a.name()).await.expect("started");
    ping(&a).await;
    tree.terminate_child(a.name()).await.expect("terminated");
    tree.delete_child(a.name()).await.expect("deleted");
    assert_eq!(tree.count_children().await, Ok(Counts::default()));
}

#[tokio::test(start_paused = true)]
async fn the_snapshot_shows_the_whole_tree_and_of_a_large_pool_its_beginning() {
    let stage = Stage::default();
    let (_, worker) = stage.worker("a");
    let pool = SupervisorHandle::new("pool");
    let make = || SupervisorSpec::new("pool", Strategy::Dynamic);
    let spec = SupervisorSpec::new("root", Strategy::RestForOne).intensity(GENEROUS);
    let tree = start_root(spec.child(worker).child(ChildSpec::supervisor(&pool, make))).await.expect("a tree");
    for number in 0..=LISTED_MAX {
        pool.start_child(stage.worker(&number.to_string()).1).await.expect("a child");
    }
    let root = tree.snapshot().await;
    assert_eq!((&*root.name, root.kind, root.strategy), ("root", NodeKind::Supervisor, Some(Strategy::RestForOne)));
    assert_eq!(root.children_total, None);
    let pool = &root.children[1];
    assert_eq!(
        (pool.kind, pool.state, pool.strategy),
        (NodeKind::Supervisor, NodeState::Running, Some(Strategy::Dynamic))
    );
    assert_eq!((pool.children.len(), pool.children_total), (LISTED_MAX, Some(LISTED_MAX + 1)));
    assert_eq!((&*pool.children[0].name, pool.children[0].kind), ("0", NodeKind::Worker));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_reached_where_nobody_lives() {
    let address: Address<Order> = Address::new("a");
    let not_running = CallError::NotRunning("a".into());
    assert_eq!(address.cast(Order::End), Err(not_running.clone()));
    assert_eq!(address.call(Duration::from_secs(1), Order::Ping).await, Err(not_running));
    let handle = SupervisorHandle::new("nobody");
    let refused = handle.terminate_child(&"a".into()).await;
    assert_eq!(refused, Err(Error::Call(CallError::NotRunning("nobody".into()))));
    assert_eq!(handle.snapshot().await.state, NodeState::Restarting);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_earlier_incarnation_does_not_clear_a_later_one() {
    let stage = Stage::default();
    let (address, worker) = stage.worker("a");
    let tree = start_root(SupervisorSpec::new("root", Strategy::OneForOne).child(worker)).await.expect("a tree");
    let first = address.current().expect("an incarnation");
    address.cast(Order::Panic).expect("sent");
    assert_eq!(stage.read_after(3).await, "+a ~a +a");
    ping(&address).await;
    address.clear(first.get_id());
    ping(&address).await;
    tree.shutdown().await;
    assert!(address.current().is_none());
}

#[tokio::test(start_paused = true)]
async fn the_load_tells_what_waits_and_since_when_the_actor_is_busy() {
    let stage = Stage::default();
    let (address, worker) = stage.worker("a");
    let tree = start_root(SupervisorSpec::new("root", Strategy::OneForOne).child(worker)).await.expect("a tree");
    ping(&address).await;
    assert_eq!(address.load(), Load { queued: 0, busy_for: None });

    let (enough, until) = oneshot::channel();
    address.cast(Order::Hold(until)).expect("sent");
    address.cast(Order::End).expect("sent");
    assert_eq!(address.load(), Load { queued: 2, busy_for: None });
    assert_eq!(stage.read_after(2).await, "+a …a");
    tokio::time::advance(Duration::from_secs(90)).await;
    let busy = Load { queued: 1, busy_for: Some(Duration::from_secs(90)) };
    assert_eq!(address.load(), busy);
    assert_eq!(tree.snapshot().await.children[0].load, Some(busy));

    enough.send(()).expect("a waiting handler");
    assert_eq!(stage.read_after(3).await, "-a ~a +a");
    ping(&address).await;
    assert_eq!(address.load(), Load::default());
}
