//! What outlives an incarnation, a supervisor, a process: restarts and quarantines. And what is found stuck.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::stage::{GENEROUS, Order, Stage, ping};
use crate::domain::failure::Failure;
use crate::supervision::watch::ROUND_PERIOD;
use crate::supervision::{
    Activity, Alarm, AlarmHook, Backoff, CallError, ChildSpec, History, Intensity, Matter, Micros, Node, NodeState,
    Note, OnStuck, Quarantine, Restart, RestartLedger, Strategy, SupervisorHandle, SupervisorSpec, start_root,
};

const ONCE: Intensity = Intensity { restarts: 1, period: Duration::from_secs(60) };
const LIMIT: Duration = Duration::from_secs(30);

/// A ledger in memory, on a clock that stands still, as it is after so many processes.
#[derive(Default)]
struct Book {
    noted: Mutex<HashMap<String, (Vec<Micros>, History)>>,
    earlier: Mutex<HashMap<String, Vec<Micros>>>,
}

impl Book {
    /// What the next process finds.
    fn reopened(&self) -> Arc<Self> {
        let noted = self.noted.lock().expect("a book").clone();
        let earlier = noted.iter().map(|(key, (restarts, _))| (key.clone(), restarts.clone())).collect();
        Arc::new(Self { noted: Mutex::new(noted), earlier: Mutex::new(earlier) })
    }
}

impl RestartLedger for Book {
    fn now(&self) -> Micros {
        Micros(1_000_000_000)
    }

    fn history(&self, key: &str) -> History {
        self.noted.lock().expect("a book").get(key).map(|(_, history)| history.clone()).unwrap_or_default()
    }

    fn take_restarts(&self, key: &str) -> Vec<Micros> {
        self.earlier.lock().expect("a book").remove(key).unwrap_or_default()
    }

    fn note(&self, key: &str, note: Note) {
        let (now, mut noted) = (self.now(), self.noted.lock().expect("a book"));
        let (restarts, history) = noted.entry(key.to_owned()).or_default();
        match note {
            Note::Restarted => {
                restarts.push(now);
                history.total += 1;
            }
            Note::GivenUp => history.given_up.push(now),
            Note::Quarantined { exit } => {
                history.quarantine = Some(Quarantine { since: now, exit: exit.to_string().into() });
            }
            Note::Forgiven => {
                restarts.clear();
                history.quarantine = None;
            }
            Note::Ended => drop(noted.remove(key)),
        }
    }
}

fn root(strategy: Strategy, book: &Arc<Book>) -> SupervisorSpec {
    SupervisorSpec::new("root", strategy).intensity(ONCE).ledger(book.clone())
}

async fn child(tree: &SupervisorHandle, index: usize) -> Node {
    tree.snapshot().await.children.remove(index)
}

fn alarms(stage: &Stage) -> AlarmHook {
    let stage = stage.clone();
    Arc::new(move |alarm: &Alarm| {
        let word = match &alarm.matter {
            Matter::Stuck { then, .. } => format!("stuck,{then:?}"),
            Matter::Quarantined { exit } => format!("quarantined,{}", exit.reason()),
            Matter::Released => "released".to_owned(),
        };
        stage.write(format!("({} {word})", alarm.child));
    })
}

#[tokio::test(start_paused = true)]
async fn s10_restarts_of_an_earlier_process_count_and_its_own_end_does_not() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne, Strategy::Dynamic] {
        let (stage, book) = (Stage::default(), Arc::new(Book::default()));
        let (a, worker) = stage.worker("a");
        let worker = worker.ledger_key("a");
        let tree = start_root(root(strategy, &book).child(worker.clone())).await.expect("a tree");
        a.cast(Order::Panic).expect("sent");
        assert_eq!(stage.read_after(3).await, "+a ~a +a");
        tree.shutdown().await;
        assert_eq!(book.noted.lock().expect("a book")["a"].0.len(), 1, "the end of the process is no restart");

        let book = book.reopened();
        let tree = start_root(root(strategy, &book).child(worker)).await.expect("a tree");
        assert_eq!(child(&tree, 0).await.restarts, 1, "{strategy:?}");
        assert_eq!(stage.read(), "-a ~a +a");
        a.cast(Order::Panic).expect("sent");
        match strategy {
            Strategy::Dynamic => {
                stage.read_after(1).await;
                assert_eq!(tree.count_children().await.expect("an answer").specs, 0, "given up");
                assert_eq!(book.history("a").given_up.len(), 1);
            }
            Strategy::OneForOne | Strategy::OneForAll | Strategy::RestForOne => tree.ended().await,
        }
        assert!(!stage.read().contains('+'), "{strategy:?}: the second restart within the period is one too many");
    }
}

#[tokio::test(start_paused = true)]
async fn s10_a_supervisor_that_gives_up_leaves_its_successor_a_clean_slate() {
    let (stage, book) = (Stage::default(), Arc::new(Book::default()));
    let (a, worker) = stage.worker("a");
    let inner = SupervisorHandle::new("inner");
    let make =
        move || SupervisorSpec::new("inner", Strategy::OneForOne).intensity(ONCE).child(worker.clone().ledger_key("a"));
    let spec = root(Strategy::OneForOne, &book).intensity(GENEROUS);
    let _tree = start_root(spec.child(ChildSpec::supervisor(&inner, make).backoff(Backoff::NONE))).await;
    for _ in 0..2 {
        a.cast(Order::Panic).expect("sent");
        stage.read_after(2).await;
        ping(&a).await;
    }
    inner.count_children().await.expect("the successor");
    assert_eq!(book.noted.lock().expect("a book")["a"].0, [], "forgiven");
}

#[tokio::test(start_paused = true)]
async fn s11_a_poison_child_is_quarantined_and_released_and_its_siblings_run_on() {
    for strategy in [Strategy::OneForOne, Strategy::Dynamic] {
        let (stage, book) = (Stage::default(), Arc::new(Book::default()));
        let [(poison, spec), (sibling, other)] = ["pool/0", "b"].map(|name| stage.worker(name));
        let spec = spec.intensity(ONCE).quarantine().ledger_key("poison");
        let tree = root(strategy, &book).alarm(alarms(&stage)).child(spec.clone()).child(other);
        let tree = start_root(tree).await.expect("a tree");
        assert_eq!(stage.read(), "+pool/0 +b");
        for expected in ["~pool/0 +pool/0", "~pool/0 (pool/0 quarantined,panic)"] {
            poison.cast(Order::Panic).expect("sent");
            assert_eq!(stage.read_after(2).await, expected);
        }
        ping(&sibling).await;
        let node = child(&tree, 0).await;
        assert_eq!((node.state, node.activity), (NodeState::Quarantined, None));
        assert_eq!(node.last_exit.map(|exit| exit.to_string()), Some("panic: told to panic".to_owned()));
        let (began, hour) = (Instant::now(), Duration::from_secs(3_600));
        assert_eq!(poison.call(hour, Order::Ping).await, Err(CallError::NotRunning("pool/0".into())));
        assert_eq!(began.elapsed(), Duration::ZERO, "nobody waits for a child in quarantine");
        for refused in [
            tree.start_child(spec.clone()).await,
            tree.restart_child(poison.name()).await,
            tree.terminate_child(poison.name()).await,
            tree.delete_child(poison.name()).await,
        ] {
            assert_eq!(refused.expect_err("a refusal").code(), "child_quarantined");
        }

        for (path, code) in [
            ("root/nobody", "child_unknown"),
            ("root/pool", "child_unknown"),
            ("root/b/c", "child_unknown"),
            ("root", "child_unknown"),
            ("", "child_unknown"),
            ("root/b", "child_not_quarantined"),
        ] {
            assert_eq!(tree.release(path).await.expect_err("a refusal").code(), code, "{path}");
        }
        stage.fail_starts("pool/0", 1);
        assert_eq!(tree.release("root/pool/0").await.expect_err("a failed start").code(), "child_start_failed");
        assert_eq!(child(&tree, 0).await.state, NodeState::Quarantined, "it stays there");
        tree.release("root/pool/0").await.expect("released");
        assert_eq!(stage.read(), "xpool/0 +pool/0 (pool/0 released)");
        ping(&poison).await;
        poison.cast(Order::Panic).expect("sent");
        assert_eq!(stage.read_after(2).await, "~pool/0 +pool/0", "what it did before counts no more");
    }
}

#[tokio::test(start_paused = true)]
async fn s11_neither_its_supervisors_restart_nor_the_processes_ends_a_quarantine() {
    let (stage, book) = (Stage::default(), Arc::new(Book::default()));
    let [(a, poison), (b, sibling)] = ["a", "b"].map(|name| stage.worker(name));
    let inner = SupervisorHandle::new("inner");
    let make = {
        move || {
            let poison = poison.clone().intensity(ONCE).quarantine().ledger_key("a");
            SupervisorSpec::new("inner", Strategy::OneForOne).intensity(ONCE).child(poison).child(sibling.clone())
        }
    };
    let inner_spec = ChildSpec::supervisor(&inner, make).backoff(Backoff::NONE);
    let spec = |book: &Arc<Book>| root(Strategy::OneForOne, book).intensity(GENEROUS).child(inner_spec.clone());
    let tree = start_root(spec(&book)).await.expect("a tree");
    for lines in [4, 1] {
        a.cast(Order::Panic).expect("sent");
        stage.read_after(lines).await;
    }
    while child(&tree, 0).await.children[0].state != NodeState::Quarantined {
        tokio::task::yield_now().await;
    }
    stage.read();
    // Twice is once too often for `inner`, which gives up and is started anew.
    for _ in 0..2 {
        b.cast(Order::Panic).expect("sent");
        assert_eq!(stage.read_after(2).await, "~b +b");
        ping(&b).await;
    }
    assert_eq!(child(&tree, 0).await.restarts, 1);
    assert_eq!(child(&tree, 0).await.children[0].state, NodeState::Quarantined);
    tree.shutdown().await;

    let tree = start_root(spec(&book.reopened())).await.expect("a tree, without the child in quarantine");
    let node = child(&tree, 0).await.children.remove(0);
    assert_eq!((node.state, node.restarts), (NodeState::Quarantined, 1));
    assert_eq!(node.last_exit.map(|exit| exit.to_string()), Some("panic: told to panic".to_owned()));
    assert_eq!(stage.read(), "-b ~b +b");
    tree.release("root/inner/a").await.expect("released");
    ping(&a).await;
}

#[tokio::test(start_paused = true)]
async fn s12_who_is_idle_is_never_stuck_however_long() {
    let stage = Stage::default();
    let (a, worker) = stage.worker("a");
    let spec = SupervisorSpec::new("root", Strategy::OneForOne).alarm(alarms(&stage));
    let tree = start_root(spec.child(worker.stuck_after(LIMIT, OnStuck::Replace))).await.expect("a tree");
    ping(&a).await;
    tokio::time::sleep(Duration::from_secs(24 * 3_600)).await;
    ping(&a).await;
    let node = child(&tree, 0).await;
    assert_eq!((node.activity, node.restarts), (Some(Activity::Idle), 0));
    assert_eq!(stage.read(), "+a");
}

#[tokio::test(start_paused = true)]
async fn s12_who_is_at_one_message_for_too_long_is_reported_once_and_left_alone() {
    let stage = Stage::default();
    let (a, worker) = stage.worker("a");
    let spec = SupervisorSpec::new("root", Strategy::OneForOne).alarm(alarms(&stage));
    let tree = start_root(spec.child(worker.stuck_after(LIMIT, OnStuck::Report))).await.expect("a tree");
    for _ in 0..2 {
        let (enough, until) = oneshot::channel();
        a.cast(Order::Hold(until)).expect("sent");
        tokio::time::sleep(LIMIT).await;
        let node = child(&tree, 0).await;
        assert_eq!((node.activity, stage.read().ends_with("…a")), (Some(Activity::Busy), true));
        assert_eq!(stage.read_after(1).await, "(a stuck,Report)");
        tokio::time::sleep(10 * LIMIT).await;
        assert_eq!(child(&tree, 0).await.activity, Some(Activity::Stuck));
        assert_eq!(stage.read(), "", "once");
        enough.send(()).expect("a waiting handler");
        ping(&a).await;
        tokio::time::sleep(2 * ROUND_PERIOD).await;
        assert_eq!(child(&tree, 0).await.activity, Some(Activity::Idle));
    }
    assert_eq!(child(&tree, 0).await.restarts, 0);
}

#[tokio::test(start_paused = true)]
async fn s12_who_is_stuck_is_replaced_within_a_round_where_its_spec_says_so() {
    for strategy in [Strategy::OneForOne, Strategy::Dynamic] {
        let stage = Stage::default();
        let pool = SupervisorSpec::new("root", strategy).alarm(alarms(&stage)).observer(stage.observer());
        let tree = start_root(pool).await.expect("a tree");
        let (a, worker) = stage.worker("a");
        let worker = worker.stuck_after(LIMIT, OnStuck::Replace).restart(Restart::Transient);
        tree.start_child(worker).await.expect("a child");
        let (_never, until) = oneshot::channel();
        let began = Instant::now();
        a.cast(Order::Hold(until)).expect("sent");
        assert_eq!(stage.read_after(6).await, "+a …a (a stuck,Replace) ~a (a stuck) +a");
        assert!(began.elapsed() > LIMIT && began.elapsed() <= LIMIT + ROUND_PERIOD, "{:?}", began.elapsed());
        ping(&a).await;
        let node = child(&tree, 0).await;
        assert_eq!((node.restarts, node.last_exit.map(|exit| exit.to_string())), (1, Some("stuck".to_owned())));
    }
}
