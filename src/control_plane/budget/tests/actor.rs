//! The actor on a real store: what survives its death and the daemon's.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ractor::{Actor, ActorRef};

use crate::control_plane::audit::Audit;
use crate::control_plane::budget::actor::{Keeper, Start};
use crate::control_plane::budget::message::Message;
use crate::control_plane::budget::metrics::Metrics;
use crate::control_plane::budget::{Budget, Error, Key, Payer, Recover, Recovered, Reservation, Source, Subject};
use crate::domain::budget::{Limit, Scope, Window};
use crate::domain::clock::Timestamp;
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::journal::events::Events;
use crate::store::{Batch, Keyspace, Options, Position, Record, Running, Store};
use crate::supervision::{Strategy, SupervisorSpec, start_root};

/// What the records of tasks say, as far as a test wrote any.
#[derive(Default)]
pub(super) struct Records(Mutex<Recovered>);

impl Recover for Records {
    fn open(&self) -> Recovered {
        self.0.lock().expect("not poisoned").clone()
    }
}

pub(super) struct House {
    pub(super) budget: Budget,
    pub(super) store: Store,
    pub(super) events: Events,
    pub(super) audit: Audit,
    records: Arc<Records>,
    pub(super) start: Start,
    actor: Option<ActorRef<Message>>,
    _committer: Running,
    _directory: tempfile::TempDir,
}

impl House {
    pub(super) async fn new(limits: &[(Scope, i64)]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(directory.path(), Options { cache_bytes: 1 << 20 }).expect("opens");
        let committer = store.run_committer().expect("runs");
        let (events, records) = (Events::new(), Arc::new(Records::default()));
        let limits: BTreeMap<Scope, Limit> =
            limits.iter().map(|(scope, amount)| (scope.clone(), total(*amount))).collect();
        let audit = Audit::start(store.clone(), events.clone()).0;
        let (budget, _spec) = Budget::start(limits, store.clone(), events.clone(), audit.clone(), records.clone());
        let start = Start {
            declared: budget.declared(),
            metrics: Arc::new(Metrics::new()),
            store: store.clone(),
            events: events.clone(),
            recover: records.clone(),
            epoch: budget.epoch_cell(),
        };
        let (_committer, _directory) = (committer, directory);
        let mut house = Self { budget, store, events, audit, records, start, actor: None, _committer, _directory };
        house.run().await;
        house
    }

    pub(super) async fn run(&mut self) {
        let (actor, _ended) = Actor::spawn(None, Keeper, self.start.clone()).await.expect("starts");
        self.budget.address().publish(actor.clone());
        self.actor = Some(actor);
    }

    /// Ends the ledger as a crash does, and waits until it is gone.
    pub(super) async fn kill(&mut self) {
        if let Some(actor) = self.actor.take() {
            self.budget.address().clear(actor.get_id());
            actor.kill_and_wait(None).await.expect("ends");
        }
    }

    /// What a step does when its effect is over.
    pub(super) async fn finish(&self, reservation: &Reservation, cost: i64) -> Position {
        let position = self.store.commit(self.budget.book(reservation, usd(cost), now())).await.expect("committed");
        self.budget.settle(reservation, usd(cost), now(), position);
        position
    }

    async fn standing(&self, scope: &Scope) -> (i64, i64) {
        let standing = self.budget.show(scope, now()).await.expect("shown");
        (standing.reserved.nanos(), standing.spent.nanos())
    }
}

pub(super) fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().expect("a time")
}

pub(super) fn usd(nanos: i64) -> Usd {
    Usd::from_nanos(nanos)
}

pub(super) fn total(amount: i64) -> Limit {
    Limit::new(usd(amount), Window::Total)
}

pub(super) fn key(number: u8, step: u32) -> Key {
    Key { task: TaskId::from_bytes([number; 16]), step }
}

pub(super) fn global() -> Payer {
    Payer::new([Scope::Global], [])
}

#[tokio::test]
async fn money_is_reserved_settled_and_refused() {
    let house = House::new(&[(Scope::Global, 10)]).await;
    let mut events = house.events.subscribe();
    let held = house.budget.reserve(key(1, 0), global(), usd(7), now()).await.expect("fits");
    match house.budget.reserve(key(2, 0), global(), usd(4), now()).await {
        Err(Error::Refused(refusal)) => {
            assert_eq!((refusal.subject.clone(), refusal.left()), (Subject::Scope(Scope::Global), usd(3)));
        }
        other => panic!("expected a refusal, got {other:?}"),
    }
    assert_eq!(events.recv().await.expect("news").kind, "budget_exceeded");
    house.finish(&held, 5).await;
    assert_eq!(house.standing(&Scope::Global).await, (0, 5));
    assert_eq!(house.budget.list(now()).await.expect("listed").len(), 1);
    let held = house.budget.reserve(key(2, 0), global(), usd(5), now()).await.expect("fits");
    assert_eq!(house.budget.open(None, 99).await.expect("listed").len(), 1);
    house.budget.release(&held);
    assert_eq!(house.standing(&Scope::Global).await, (0, 5));
}

#[tokio::test]
async fn what_costs_nothing_asks_nobody() {
    let mut house = House::new(&[(Scope::Global, 0)]).await;
    house.kill().await;
    let free = house.budget.reserve(key(1, 0), global(), Usd::ZERO, now()).await.expect("free");
    house.budget.confirm(&free, now()).await.expect("free");
    house.budget.settle(&free, Usd::ZERO, now(), Position(1));
    house.budget.release(&free);
}

/// INVARIANT: a cost counts once, however often the ledger dies between its commit and its settlement.
#[tokio::test]
async fn a_ledger_that_dies_counts_every_cost_once() {
    let mut house = House::new(&[(Scope::Global, 100)]).await;
    let held = house.budget.reserve(key(1, 0), global(), usd(10), now()).await.expect("fits");
    let other = house.budget.reserve(key(2, 0), global(), usd(20), now()).await.expect("fits");
    let position = house.store.commit(house.budget.book(&held, usd(8), now())).await.expect("committed");
    // The records tell of the second step alone: the first has finished.
    house.records.0.lock().expect("not poisoned").reservations = vec![(other.key(), global(), usd(20), now())];
    house.kill().await;
    house.run().await;
    assert_eq!(house.standing(&Scope::Global).await, (20, 8));
    house.budget.settle(&held, usd(8), now(), position);
    assert_eq!(house.standing(&Scope::Global).await, (20, 8), "the counters contained the cost");
    house.finish(&other, 20).await;
    assert_eq!(house.standing(&Scope::Global).await, (0, 28));
}

#[tokio::test]
async fn a_reservation_made_while_the_records_were_silent_is_made_again() {
    let mut house = House::new(&[(Scope::Global, 10)]).await;
    let held = house.budget.reserve(key(1, 0), global(), usd(10), now()).await.expect("fits");
    house.kill().await;
    house.run().await;
    assert_eq!(house.standing(&Scope::Global).await, (0, 0));
    let confirmed = house.budget.confirm(&held, now()).await.expect("still fits");
    assert_eq!(house.standing(&Scope::Global).await, (10, 0));
    let again =
        house.budget.confirm(&Reservation::recorded(key(1, 0), global(), usd(10)), now()).await.expect("the same");
    assert_eq!((confirmed.key(), again.amount()), (key(1, 0), usd(10)));
    assert_eq!(house.standing(&Scope::Global).await, (10, 0));
}

/// A step whose ledger died unconfirmed is still paid for: its cost came after the counters were read.
#[tokio::test]
async fn a_cost_that_nothing_was_held_for_is_booked() {
    let mut house = House::new(&[(Scope::Global, 10)]).await;
    let held = house.budget.reserve(key(1, 0), global(), usd(5), now()).await.expect("fits");
    house.kill().await;
    house.run().await;
    assert_eq!(house.standing(&Scope::Global).await, (0, 0));
    house.finish(&held, 4).await;
    assert_eq!(house.standing(&Scope::Global).await, (0, 4));
}

#[tokio::test]
async fn news_waits_for_a_ledger_that_is_being_restarted() {
    let mut house = House::new(&[(Scope::Global, 10)]).await;
    let held = house.budget.reserve(key(1, 0), global(), usd(5), now()).await.expect("fits");
    house.records.0.lock().expect("not poisoned").reservations = vec![(held.key(), global(), usd(5), now())];
    house.kill().await;
    house.finish(&held, 3).await;
    house.run().await;
    while house.standing(&Scope::Global).await != (0, 3) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_operators_limit_outlives_restarts_and_what_is_committed_beside_it_too() {
    let scope: Scope = "tenant:acme".parse().expect("a scope");
    let mut house = House::new(&[(scope.clone(), 100)]).await;
    let audit = Batch::new().put(Keyspace::Turn, b"beside".to_vec(), Record { kind: 1, version: 1, body: vec![1] });
    house.budget.set(&scope, total(5), audit).await.expect("set");
    for _ in 0..2 {
        assert_eq!(house.budget.show(&scope, now()).await.expect("shown").limit, Some(total(5)));
        house.kill().await;
        house.run().await;
    }
    assert!(house.store.get(Keyspace::Turn, b"beside").expect("read").is_some());
    house.budget.declare_now(Source::Template, &[(scope.clone(), Some(total(1)))]).expect("declared");
    assert_eq!(
        house.budget.show(&scope, now()).await.expect("shown").limit,
        Some(total(5)),
        "the operator's limit wins"
    );
}

#[tokio::test]
async fn a_damaged_limit_lets_nothing_be_spent() {
    let mut house = House::new(&[]).await;
    let strange = Record { kind: 1, version: 99, body: Vec::new() };
    house.store.commit(Batch::new().put(Keyspace::Budget, b"global".to_vec(), strange)).await.expect("committed");
    house.kill().await;
    house.run().await;
    assert!(matches!(house.budget.reserve(key(1, 0), global(), usd(1), now()).await, Err(Error::Refused(_))));
}

#[tokio::test]
async fn a_cost_above_its_reservation_stops_the_scope_and_is_news() {
    let house = House::new(&[(Scope::Global, 100)]).await;
    let mut events = house.events.subscribe();
    let held = house.budget.reserve(key(1, 0), global(), usd(5), now()).await.expect("fits");
    house.finish(&held, 50).await;
    let news = events.recv().await.expect("news");
    assert_eq!((news.kind, news.details.last().map(|(name, _)| *name)), ("budget_exceeded", Some("scope")));
    assert!(house.budget.reserve(key(1, 1), global(), usd(1), now()).await.is_err());
    house.budget.set(&Scope::Global, total(100), Batch::new()).await.expect("set");
    house.budget.reserve(key(1, 1), global(), usd(1), now()).await.expect("runs again");
}

#[tokio::test]
async fn the_ledger_comes_back_under_its_supervisor() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = Store::open(directory.path(), Options { cache_bytes: 1 << 20 }).expect("opens");
    let _committer = store.run_committer().expect("runs");
    let limits = BTreeMap::from([(Scope::Global, total(10))]);
    let (budget, spec) = Budget::start(
        limits,
        store.clone(),
        Events::new(),
        Audit::start(store.clone(), Events::new()).0,
        Arc::new(Records::default()),
    );
    let root = start_root(SupervisorSpec::new("root", Strategy::OneForOne).child(spec)).await.expect("starts");
    let held = budget.reserve(key(1, 0), global(), usd(9), now()).await.expect("fits");
    budget.address().current().expect("lives").kill();
    while budget.epoch() == 1 {
        tokio::task::yield_now().await;
    }
    budget.confirm(&held, now()).await.expect("held again");
    assert!(matches!(budget.reserve(key(2, 0), global(), usd(2), now()).await, Err(Error::Refused(_))));
    root.shutdown().await;
}

#[tokio::test]
async fn many_at_once_never_overspend() {
    let house = Arc::new(House::new(&[(Scope::Global, 100)]).await);
    let mut running = tokio::task::JoinSet::new();
    for number in 0..64 {
        let house = house.clone();
        running.spawn(async move {
            let mut spent = 0;
            for step in 0..8 {
                if let Ok(held) = house.budget.reserve(key(number, step), global(), usd(3), now()).await {
                    house.finish(&held, 2).await;
                    spent += 2;
                }
            }
            spent
        });
    }
    let spent: i64 = running.join_all().await.into_iter().sum();
    assert!(spent <= 100, "{spent}");
    assert_eq!(house.standing(&Scope::Global).await, (0, spent));
    assert!(house.budget.open(None, 99).await.expect("listed").is_empty());
}

/// INVARIANT I20: what a step cost waits for a ledger that is away, and the end of its task may be there first.
#[tokio::test]
async fn a_cost_counts_although_the_end_of_its_task_overtook_it() {
    let mut house = House::new(&[(Scope::Global, 100)]).await;
    house.records.0.lock().expect("not poisoned").reservations.push((key(1, 0), global(), usd(7), now()));
    house.kill().await;
    // It has read the records, in which the step is open, and the counters; nobody reaches it yet.
    let (ledger, _ended) = Actor::spawn(None, Keeper, house.start.clone()).await.expect("starts");
    house.finish(&Reservation::recorded(key(1, 0), global(), usd(7)), 7).await;
    house.budget.address().publish(ledger);
    house.budget.close_task(key(1, 0).task);
    let counted = async { while house.standing(&Scope::Global).await != (0, 7) {} };
    let in_time = tokio::time::timeout(std::time::Duration::from_secs(10), counted).await;
    assert!(in_time.is_ok(), "{:?}", house.standing(&Scope::Global).await);
}
