//! Specs that contradict themselves, and supervisors that end with their significant children.

use std::sync::Arc;
use std::time::Duration;

use super::stage::{GENEROUS, Order, Stage, ping};
use crate::domain::failure::Failure;
use crate::supervision::{
    AutoShutdown, Backoff, ChildSpec, Error, INTENSITY_RESTARTS_MAX, Intensity, NodeState, OnStuck, Restart, Shutdown,
    Strategy, SupervisorHandle, SupervisorSpec, start_root,
};

const SECOND: Duration = Duration::from_secs(1);
const ONCE: Intensity = Intensity { restarts: 1, period: SECOND };

fn root(strategy: Strategy) -> SupervisorSpec {
    SupervisorSpec::new("root", strategy).intensity(GENEROUS)
}

/// Makes a mistake in a spec.
type Mistake = fn(ChildSpec) -> ChildSpec;

/// The strategy under which each is a mistake, the mistake, and its name.
fn mistakes() -> Vec<(Strategy, Mistake, &'static str)> {
    let inverted = |spec: ChildSpec| spec.backoff(Backoff { initial: 2 * SECOND, max: SECOND });
    let endless = |spec: ChildSpec| spec.intensity(Intensity { restarts: INTENSITY_RESTARTS_MAX + 1, period: SECOND });
    let no_period = |spec: ChildSpec| spec.intensity(Intensity { restarts: 1, period: Duration::ZERO });
    vec![
        (Strategy::OneForOne, inverted, "backoff_inverted"),
        (Strategy::OneForOne, |spec| spec.shutdown(Shutdown::Timeout(Duration::ZERO)), "shutdown_zero"),
        (Strategy::OneForOne, |spec| spec.stuck_after(Duration::ZERO, OnStuck::Report), "stuck_zero"),
        (Strategy::OneForOne, |spec| spec.restart(Restart::Transient).significant(), "significant_never"),
        (Strategy::OneForOne, |spec| spec.intensity(ONCE), "intensity_shared"),
        (Strategy::RestForOne, |spec| spec.intensity(ONCE), "intensity_shared"),
        (Strategy::OneForAll, |spec| spec.intensity(ONCE).quarantine(), "quarantine_in_group"),
        (Strategy::OneForOne, ChildSpec::quarantine, "quarantine_without_intensity"),
        (Strategy::Dynamic, ChildSpec::quarantine, "quarantine_without_intensity"),
        (
            Strategy::Dynamic,
            |spec| spec.intensity(ONCE).quarantine().restart(Restart::Temporary),
            "quarantine_temporary",
        ),
        (Strategy::Dynamic, endless, "intensity_endless"),
        (Strategy::Dynamic, no_period, "period_zero"),
    ]
}

#[tokio::test(start_paused = true)]
async fn s9_a_child_spec_that_contradicts_itself_is_refused_by_name_and_starts_nothing() {
    for (strategy, mistake, name) in mistakes() {
        let stage = Stage::default();
        let first = root(strategy).child(stage.worker("a").1).child(mistake(stage.worker("b").1));
        let refused = start_root(first).await.expect_err("a contradiction");
        assert!(refused.reason.starts_with(name), "{refused}");
        assert_eq!(refused.code(), "child_spec_refused");

        let tree = start_root(root(strategy).child(stage.worker("a").1)).await.expect("a tree");
        let refused = tree.start_child(mistake(stage.worker("b").1)).await.expect_err("a contradiction");
        assert!(matches!(&refused, Error::BadSpec { fault, .. } if fault.to_string().starts_with(name)), "{refused}");
        assert_eq!((refused.code(), stage.read().as_str()), ("child_spec_refused", "+a"));
        tree.start_child(stage.worker("b").1).await.expect("the id is free");
    }
}

#[tokio::test(start_paused = true)]
async fn s9_a_supervisor_spec_that_contradicts_itself_is_refused_by_name_and_starts_nothing() {
    let stage = Stage::default();
    let worker = || stage.worker("a").1;
    let endless = Intensity { restarts: u32::MAX, period: SECOND };
    let specs = [
        (root(Strategy::OneForOne).child(worker()).child(worker()), "child_twice"),
        (root(Strategy::OneForOne).child(worker()).children_max(0), "children_too_many"),
        (root(Strategy::OneForOne).child(worker()).intensity(endless), "intensity_endless"),
        (
            root(Strategy::OneForOne).child(worker()).intensity(Intensity { restarts: 3, period: Duration::ZERO }),
            "period_zero",
        ),
        (
            root(Strategy::OneForOne).auto_shutdown(AutoShutdown::AnySignificant).child(worker().significant()),
            "significant_permanent",
        ),
    ];
    let tree = start_root(SupervisorSpec::new("outer", Strategy::OneForOne)).await.expect("a tree");
    for (spec, name) in specs {
        let refused = start_root(spec.clone()).await.expect_err("a contradiction");
        assert!(refused.reason.starts_with(name), "{refused}");
        let nested = ChildSpec::supervisor(&SupervisorHandle::new("root"), move || spec.clone());
        let refused = tree.start_child(nested).await.expect_err("a contradiction");
        assert_eq!(refused.code(), "child_spec_refused");
    }
    assert_eq!(stage.read(), "");
}

#[tokio::test(start_paused = true)]
async fn s9_what_otp_allows_is_allowed() {
    let stage = Stage::default();
    let inner = SupervisorHandle::new("inner");
    let make = || SupervisorSpec::new("inner", Strategy::OneForOne);
    let spec = root(Strategy::OneForOne)
        .intensity(Intensity { restarts: 0, period: SECOND })
        .child(stage.worker("a").1.shutdown(Shutdown::Infinity))
        .child(ChildSpec::supervisor(&inner, make).shutdown(Shutdown::Brutal));
    let tree = start_root(spec).await.expect("a tree");
    tree.shutdown().await;
    assert_eq!(stage.read(), "+a -a ~a");
}

#[tokio::test(start_paused = true)]
async fn s3_an_intensity_of_zero_bears_no_failure_and_says_so() {
    let stage = Stage::default();
    let (a, worker) = stage.worker("a");
    let none = Intensity { restarts: 0, period: SECOND };
    let inner = SupervisorHandle::new("inner");
    let make = move || SupervisorSpec::new("inner", Strategy::OneForOne).intensity(none).child(worker.clone());
    let spec = ChildSpec::supervisor(&inner, make).backoff(Backoff::NONE);
    let tree = start_root(root(Strategy::OneForOne).child(spec)).await.expect("a tree");
    a.cast(Order::Panic).expect("sent");
    assert_eq!(stage.read_after(3).await, "+a ~a +a");
    ping(&a).await;
    let why = tree.snapshot().await.children.remove(0).last_exit.expect("an exit").to_string();
    assert!(why.contains("inner bore more than 0 restarts in 1s, the last of a"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn s8_a_significant_child_that_ends_stops_its_siblings_in_reverse_order_and_its_supervisor() {
    let stage = Stage::default();
    let [(a, significant), (_, b), (_, c)] = ["a", "b", "c"].map(|name| stage.worker(name));
    let inner = SupervisorHandle::new("inner");
    let make = move || {
        SupervisorSpec::new("inner", Strategy::OneForOne)
            .auto_shutdown(AutoShutdown::AnySignificant)
            .child(significant.clone().restart(Restart::Transient).significant())
            .child(b.clone())
            .child(c.clone())
    };
    let spec = ChildSpec::supervisor(&inner, make).restart(Restart::Transient).backoff(Backoff::NONE);
    let tree = start_root(root(Strategy::OneForOne).observer(stage.observer()).child(spec)).await.expect("a tree");
    assert_eq!(stage.read(), "+a +b +c");
    a.cast(Order::Panic).expect("sent");
    assert_eq!(stage.read_after(3).await, "~a (a panic) +a");
    a.cast(Order::End).expect("sent");
    assert_eq!(stage.read_after(6).await, "-a ~a -c ~c -b ~b");
    inner.ended().await;
    let node = tree.snapshot().await.children.remove(0);
    assert_eq!((node.state, node.restarts), (NodeState::Stopped, 0), "a normal exit of a transient supervisor");
    assert_eq!(stage.read(), "", "no restart");
}

#[tokio::test(start_paused = true)]
async fn s8_a_significant_child_that_is_terminated_ends_nothing_but_itself() {
    let stage = Stage::default();
    let (a, worker) = stage.worker("a");
    let (b, sibling) = stage.worker("b");
    let worker = worker.restart(Restart::Transient).significant();
    let spec = root(Strategy::OneForOne).auto_shutdown(AutoShutdown::AllSignificant).child(worker).child(sibling);
    let tree = Arc::new(start_root(spec).await.expect("a tree"));
    tree.terminate_child(a.name()).await.expect("terminated");
    ping(&b).await;
    tree.restart_child(a.name()).await.expect("started");
    a.cast(Order::End).expect("sent");
    tree.ended().await;
    assert_eq!(stage.read(), "+a +b -a ~a +a -a ~a -b ~b");
}
