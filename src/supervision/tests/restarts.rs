//! What follows a failure.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::stage::{GENEROUS, Order, Stage, ping};
use crate::supervision::{
    Address, Backoff, ChildSpec, Exit, GiveUp, Intensity, NodeState, Restart, RestartNotice, Shutdown, Strategy,
    SupervisorHandle, SupervisorSpec, start_root,
};

const MINUTE: Backoff = Backoff { initial: Duration::from_secs(60), max: Duration::from_secs(60) };

fn root(strategy: Strategy) -> SupervisorSpec {
    SupervisorSpec::new("root", strategy).intensity(GENEROUS)
}

/// Waits until the child's restart is put off.
async fn until_waiting(handle: &SupervisorHandle, child: &str) {
    for _ in 0..1_000 {
        let children = handle.which_children().await.expect("children");
        if children.iter().any(|info| *info.id == *child && info.state == NodeState::Restarting) {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("{child} is not waiting");
}

/// Waits until there are no children.
async fn until_none(handle: &SupervisorHandle) {
    for _ in 0..1_000 {
        if handle.which_children().await.expect("children").is_empty() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("there are children");
}

#[tokio::test(start_paused = true)]
async fn a_child_that_panics_fails_or_is_killed_is_started_again_and_the_reason_is_told() {
    let stage = Stage::default();
    let (address, worker) = stage.worker("a");
    let tree = start_root(root(Strategy::OneForOne).observer(stage.observer()).child(worker)).await.expect("a tree");
    assert_eq!(stage.read(), "+a");

    address.cast(Order::Panic).expect("sent");
    assert_eq!(stage.read_after(3).await, "~a (a panic) +a");
    address.cast(Order::Fail).expect("sent");
    assert_eq!(stage.read_after(3).await, "~a (a error) +a");
    address.current().expect("a living actor").kill();
    assert_eq!(stage.read_after(3).await, "~a (a killed) +a");
    address.cast(Order::End).expect("sent");
    assert_eq!(stage.read_after(4).await, "-a ~a (a normal) +a");
    ping(&address).await;

    let node = tree.snapshot().await.children.remove(0);
    assert_eq!((node.restarts, node.last_exit, node.state), (4, Some(Exit::Normal), NodeState::Running));
    tree.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_whose_message_quotes_what_the_actor_had_in_hand_is_told_without_it() {
    let stage = Stage::default();
    let (address, worker) = stage.worker("a");
    let told = stage.clone();
    let observer = Arc::new(move |notice: &RestartNotice| told.write(notice.exit.to_string()));
    let tree = start_root(root(Strategy::OneForOne).observer(observer).child(worker)).await.expect("a tree");
    stage.read();
    address.cast(Order::PanicOver("ann@example.org")).expect("sent");
    assert_eq!(stage.read_after(3).await, "~a panic: a formatted message, not shown +a");
    let exit = tree.snapshot().await.children.remove(0).last_exit.map(|exit| exit.to_string());
    assert_eq!(exit.as_deref(), Some("panic: a formatted message, not shown"));
}

#[tokio::test(start_paused = true)]
async fn a_child_whose_restart_is_put_off_is_still_one_and_one_that_was_given_up_is_not() {
    let stage = Stage::default();
    let tree = start_root(root(Strategy::Dynamic)).await.expect("a tree");
    let (address, worker) = stage.worker("a#1");
    let once_more = Intensity { restarts: 2, period: Duration::from_secs(3_600) };
    tree.start_child(worker.backoff(MINUTE).intensity(once_more)).await.expect("started");
    for other in ["a", "a#1/b", "a#2"] {
        assert_eq!(tree.has_child(&other.into()).await, Ok(false), "{other}");
    }
    stage.read();
    address.cast(Order::Panic).expect("sent");
    assert_eq!(stage.read_after(2).await, "~a#1 +a#1");
    address.cast(Order::Panic).expect("sent");
    until_waiting(&tree, "a#1").await;
    assert_eq!(tree.has_child(address.name()).await, Ok(true));
    assert_eq!(stage.read_after(2).await, "~a#1 +a#1");
    address.cast(Order::Panic).expect("sent");
    until_none(&tree).await;
    assert_eq!(tree.has_child(address.name()).await, Ok(false));
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_the_next_incarnation() {
    let stage = Stage::default();
    let (address, worker) = stage.worker("a");
    let _tree = start_root(root(Strategy::OneForOne).child(worker.backoff(MINUTE))).await.expect("a tree");
    stage.read();
    address.cast(Order::Panic).expect("sent");
    assert_eq!(stage.read_after(2).await, "~a +a");
    ping(&address).await;
    address.cast(Order::Panic).expect("sent");
    assert_eq!(stage.read_after(1).await, "~a");
    let began = Instant::now();
    ping(&address).await;
    assert!(began.elapsed() >= Duration::from_secs(30), "served by the incarnation after the delay");
}

#[tokio::test(start_paused = true)]
async fn groups_are_restarted_as_their_strategy_says() {
    for (strategy, expected) in [
        (Strategy::OneForAll, "~b -c ~c -a ~a +a +b +c"),
        (Strategy::RestForOne, "~b -c ~c +b +c"),
        (Strategy::OneForOne, "~b +b"),
    ] {
        let stage = Stage::default();
        let workers = ["a", "b", "c"].map(|name| stage.worker(name));
        let b = workers[1].0.clone();
        let spec = workers.into_iter().fold(root(strategy), |spec, (_, worker)| spec.child(worker));
        let tree = start_root(spec).await.expect("a tree");
        assert_eq!(stage.read(), "+a +b +c");
        b.cast(Order::Panic).expect("sent");
        assert_eq!(stage.read_after(expected.split(' ').count()).await, expected, "{strategy:?}");
        tree.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn s3_an_escalation_restarts_the_supervisor_and_in_the_end_ends_the_root() {
    let stage = Stage::default();
    let (leaf, worker) = stage.worker("leaf");
    let (_, before) = stage.worker("before");
    let once = Intensity { restarts: 1, period: Duration::from_secs(60) };
    let middle = SupervisorHandle::new("middle");
    let starts = stage.clone();
    let make = move || {
        let starts = starts.clone();
        SupervisorSpec::new("middle", Strategy::OneForOne)
            .intensity(once)
            .on_start(Arc::new(move || starts.write("started")))
            .child(before.clone())
            .child(worker.clone())
    };
    let middle_spec = ChildSpec::supervisor(&middle, make).backoff(Backoff::NONE);
    let tree = SupervisorSpec::new("root", Strategy::OneForOne).intensity(once).child(middle_spec);
    let tree = start_root(tree).await.expect("a tree");
    assert_eq!(stage.read(), "+before +leaf started");

    leaf.cast(Order::Panic).expect("sent");
    assert_eq!(stage.read_after(2).await, "~leaf +leaf");
    leaf.cast(Order::Panic).expect("sent");
    assert_eq!(stage.read_after(6).await, "~leaf -before ~before +before +leaf started");
    ping(&leaf).await;
    assert_eq!(middle.count_children().await.expect("an answer").active, 2);

    for _ in 0..2 {
        leaf.cast(Order::Panic).expect("sent");
        stage.read_after(2).await;
    }
    tree.ended().await;
    assert!(leaf.current().is_none());
}

#[tokio::test(start_paused = true)]
async fn s7_a_child_that_waits_keeps_its_supervisor_from_nothing() {
    let stage = Stage::default();
    let (a, first) = stage.worker("a");
    let (b, second) = stage.worker("b");
    let tree = start_root(root(Strategy::OneForOne).child(first.backoff(MINUTE)).child(second)).await.expect("a tree");
    stage.read();
    a.cast(Order::Panic).expect("sent");
    assert_eq!(stage.read_after(2).await, "~a +a");
    a.cast(Order::Panic).expect("sent");
    until_waiting(&tree, "a").await;
    assert_eq!(stage.read(), "~a");
    let began = Instant::now();
    b.cast(Order::Panic).expect("sent");
    assert_eq!(stage.read_after(2).await, "~b +b");
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(stage.read_after(1).await, "+a");
    assert!(began.elapsed() >= Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn s4_a_child_ended_while_it_waits_does_not_come_back() {
    let stage = Stage::default();
    let (a, worker) = stage.worker("a");
    let tree = start_root(root(Strategy::OneForOne).child(worker.backoff(MINUTE))).await.expect("a tree");
    stage.read();
    a.cast(Order::Panic).expect("sent");
    assert_eq!(stage.read_after(2).await, "~a +a");
    a.cast(Order::Panic).expect("sent");
    until_waiting(&tree, "a").await;
    assert_eq!(stage.read(), "~a");
    tree.terminate_child(a.name()).await.expect("terminated");
    tree.restart_child(a.name()).await.expect("restarted");
    tree.terminate_child(a.name()).await.expect("terminated");
    assert_eq!(stage.read(), "+a -a ~a");
    tokio::time::advance(Duration::from_secs(600)).await;
    assert_eq!(tree.count_children().await.expect("an answer").active, 0);
    assert_eq!(stage.read(), "");
}

#[tokio::test(start_paused = true)]
async fn s3_a_dynamic_child_that_is_given_up_leaves_its_siblings_alone_and_its_id_free() {
    let stage = Stage::default();
    let pool = start_root(root(Strategy::Dynamic)).await.expect("a tree");
    let (sibling, spec) = stage.worker("sibling");
    pool.start_child(spec).await.expect("a child");
    let told = stage.clone();
    let hook =
        move |fact: &GiveUp| told.write(format!("gave up {} after {} ({})", fact.child, fact.restarts, fact.exit));
    let (poison, spec) = stage.worker("poison");
    let once = Intensity { restarts: 1, period: Duration::from_secs(60) };
    let spec = spec.intensity(once).on_give_up(Arc::new(hook)).restart(Restart::Transient).group("agents");
    pool.start_child(spec.clone()).await.expect("a child");
    assert_eq!(stage.read(), "+sibling +poison");

    poison.cast(Order::Panic).expect("sent");
    assert_eq!(stage.read_after(2).await, "~poison +poison");
    poison.cast(Order::Panic).expect("sent");
    assert_eq!(stage.read_after(2).await, "~poison gave up poison after 1 (panic: told to panic)");
    ping(&sibling).await;
    assert_eq!(pool.count_children().await.expect("an answer").specs, 1);
    pool.start_child(spec).await.expect("the same id again");
}

#[tokio::test(start_paused = true)]
async fn a_failed_restart_is_tried_again_after_a_delay() {
    let stage = Stage::default();
    let (a, worker) = stage.worker("a");
    let tree = start_root(root(Strategy::OneForOne).child(worker.backoff(MINUTE))).await.expect("a tree");
    stage.read();
    stage.fail_starts("a", 2);
    let began = Instant::now();
    a.cast(Order::Panic).expect("sent");
    assert_eq!(stage.read_after(4).await, "~a xa xa +a");
    assert!(began.elapsed() >= Duration::from_secs(60));
    assert_eq!(tree.snapshot().await.children[0].restarts, 3);
}

#[tokio::test(start_paused = true)]
async fn hooks_and_makers_that_panic_do_not_end_the_supervisor() {
    let stage = Stage::default();
    let (a, worker) = stage.worker("a");
    let observer = Arc::new(|_: &_| panic!("a hook"));
    let tree = start_root(root(Strategy::OneForOne).observer(observer).child(worker)).await.expect("a tree");
    a.cast(Order::Panic).expect("sent");
    assert_eq!(stage.read_after(3).await, "+a ~a +a");
    ping(&a).await;
    let address: Address<Order> = Address::new("b");
    let maker = move || -> (NoActor, ()) { panic!("a maker") };
    let error = tree.start_child(ChildSpec::worker(&address, maker)).await.expect_err("a panic");
    assert_eq!(error.to_string(), "start b: its maker panicked");
    assert_eq!(tree.count_children().await.expect("an answer").specs, 1);
}

struct NoActor;

impl ractor::Actor for NoActor {
    type Msg = Order;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ractor::ActorRef<Order>, (): ()) -> Result<(), ractor::ActorProcessingErr> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s6_after_a_supervisor_was_killed_its_children_start_only_when_the_former_ones_are_gone() {
    let stage = Stage::default();
    let workers: Vec<_> = ["a", "b", "c"].map(|name| stage.worker(name).1).into();
    let middle = SupervisorHandle::new("middle");
    let make = move || workers.iter().cloned().fold(root(Strategy::OneForOne), SupervisorSpec::child);
    let middle_spec = ChildSpec::supervisor(&middle, make).backoff(Backoff::NONE).shutdown(Shutdown::Infinity);
    let tree = start_root(root(Strategy::OneForOne).child(middle_spec)).await.expect("a tree");
    assert_eq!(stage.read_after(3).await, "+a +b +c");
    for _ in 0..100 {
        middle.address().current().expect("a living supervisor").kill();
        let trace = stage.read_after(6).await;
        let (ends, starts) = trace.split_at("~x ~x ~x ".len());
        assert!(["~a", "~b", "~c"].iter().all(|end| ends.contains(end)), "{trace}");
        assert_eq!(starts, "+a +b +c");
        middle.count_children().await.expect("the new incarnation");
    }
    tree.shutdown().await;
}
