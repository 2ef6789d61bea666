//! How things are started and stopped.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::stage::{GENEROUS, Order, Stage, ping};
use crate::supervision::{ChildSpec, Shutdown, StartError, Strategy, SupervisorHandle, SupervisorSpec, start_root};

fn root() -> SupervisorSpec {
    SupervisorSpec::new("root", Strategy::OneForOne).intensity(GENEROUS)
}

#[tokio::test(start_paused = true)]
async fn s1_a_tree_starts_in_order_and_stops_in_reverse_order() {
    let stage = Stage::default();
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| stage.worker(name).1);
    let inner = SupervisorHandle::new("inner");
    let make = move || SupervisorSpec::new("inner", Strategy::OneForAll).child(b.clone()).child(c.clone());
    let spec = root().child(a).child(ChildSpec::supervisor(&inner, make)).child(d);
    let tree = start_root(spec).await.expect("a tree");
    assert_eq!(stage.read(), "+a +b +c +d");
    tree.shutdown().await;
    assert_eq!(stage.read(), "-d ~d -c ~c -b ~b -a ~a");
    assert!(inner.address().current().is_none());
}

#[tokio::test(start_paused = true)]
async fn s2_a_failed_first_start_stops_what_was_started_and_returns_the_error() {
    let stage = Stage::default();
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| stage.worker(name).1);
    stage.fail_starts("d", 1);
    let inner = SupervisorHandle::new("inner");
    let make = move || root().child(c.clone()).child(d.clone());
    let spec = root().child(a).child(b).child(ChildSpec::supervisor(&inner, make));
    let error = start_root(spec.clone()).await.expect_err("a failed start");
    let told = "start inner: start d: told to fail".to_owned();
    assert_eq!(error, StartError { child: "root".into(), reason: told, contradiction: None });
    assert_eq!(stage.read(), "+a +b +c xd -c ~c -b ~b -a ~a");
    start_root(spec).await.expect("the next time it starts").shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_child_that_takes_too_long_to_stop_is_killed_and_the_next_one_waits_for_that() {
    let stage = Stage::default();
    let [(_, first), (stuck, second)] = ["a", "b"].map(|name| stage.worker(name));
    let limit = Duration::from_secs(7);
    let spec = root().child(first).child(second.shutdown(Shutdown::Timeout(limit)));
    let tree = start_root(spec).await.expect("a tree");
    let (_never, until) = oneshot::channel();
    stuck.cast(Order::StopSlowly(until)).expect("sent");
    ping(&stuck).await;
    stage.read();
    let began = Instant::now();
    tree.shutdown().await;
    assert_eq!(stage.read(), "…b ~b -a ~a");
    assert_eq!(began.elapsed(), limit);
}

#[tokio::test(start_paused = true)]
async fn shutdown_brutal_skips_the_stop_and_infinity_waits() {
    let stage = Stage::default();
    let [(_, brutal), (patient, infinite)] = ["a", "b"].map(|name| stage.worker(name));
    let spec = root().child(brutal.shutdown(Shutdown::Brutal)).child(infinite.shutdown(Shutdown::Infinity));
    let tree = start_root(spec).await.expect("a tree");
    let (enough, until) = oneshot::channel();
    patient.cast(Order::StopSlowly(until)).expect("sent");
    ping(&patient).await;
    stage.read();
    let stopping = tokio::spawn({
        let tree = tree.clone();
        async move { tree.shutdown().await }
    });
    assert_eq!(stage.read_after(1).await, "…b");
    tokio::time::advance(Duration::from_secs(3_600)).await;
    assert_eq!(stage.read(), "");
    enough.send(()).expect("a waiting child");
    stopping.await.expect("a shutdown");
    assert_eq!(stage.read(), "-b ~b ~a");
}

#[tokio::test(start_paused = true)]
async fn s7_a_child_that_stops_slowly_keeps_its_supervisor_from_nothing() {
    let stage = Stage::default();
    let pool = start_root(SupervisorSpec::new("pool", Strategy::Dynamic)).await.expect("a tree");
    let [(slow, one), (quick, two)] = ["a", "b"].map(|name| stage.worker(name));
    pool.start_child(one.shutdown(Shutdown::Infinity)).await.expect("a child");
    pool.start_child(two).await.expect("a child");
    let (enough, until) = oneshot::channel();
    slow.cast(Order::StopSlowly(until)).expect("sent");
    ping(&slow).await;
    stage.read();
    let ending = tokio::spawn({
        let (pool, id) = (pool.clone(), slow.name().clone());
        async move { pool.terminate_child(&id).await }
    });
    assert_eq!(stage.read_after(1).await, "…a");
    quick.cast(Order::Panic).expect("sent");
    assert_eq!(stage.read_after(2).await, "~b +b");
    enough.send(()).expect("a waiting child");
    ending.await.expect("a task").expect("terminated");
    assert!(stage.read().starts_with("-a"));
    assert_eq!(pool.count_children().await.expect("an answer").specs, 1);
}

#[tokio::test(start_paused = true)]
async fn dynamic_children_are_stopped_together() {
    let stage = Stage::default();
    let pool = start_root(SupervisorSpec::new("pool", Strategy::Dynamic)).await.expect("a tree");
    let limit = Duration::from_secs(3);
    let mut held = Vec::new();
    for name in ["a", "b", "c"] {
        let (address, spec) = stage.worker(name);
        pool.start_child(spec.shutdown(Shutdown::Timeout(limit))).await.expect("a child");
        let (never, until) = oneshot::channel();
        held.push(never);
        address.cast(Order::StopSlowly(until)).expect("sent");
        ping(&address).await;
    }
    let began = Instant::now();
    pool.shutdown().await;
    assert_eq!(began.elapsed(), limit, "each had the same three seconds");
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_is_told_to_stop_like_any_actor_still_stops_its_children_in_order() {
    let stage = Stage::default();
    let [a, b] = ["a", "b"].map(|name| stage.worker(name).1);
    let tree = start_root(root().child(a).child(b)).await.expect("a tree");
    stage.read();
    tree.address().current().expect("a living supervisor").stop(None);
    tree.ended().await;
    assert_eq!(stage.read(), "-b ~b -a ~a");
}
