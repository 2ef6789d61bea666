//! Limits outlive the ledger that knows them, and none of them keeps it from starting.

use futures::FutureExt;
use ractor::Actor;

use super::actor::{House, global, key, now, total, usd};
use crate::control_plane::budget::actor::Keeper;
use crate::control_plane::budget::state::LIMITS_MAX;
use crate::control_plane::budget::{Error, Payer, Refusal, Source, Why, durable};
use crate::domain::budget::{Limit, Scope};
use crate::store::{Batch, Keyspace, Record};

fn tenant(number: usize) -> Scope {
    format!("tenant:t{number:06}").parse().expect("a scope")
}

fn payer(scope: &Scope) -> Payer {
    Payer::new([scope.clone()], [])
}

impl House {
    pub(super) async fn refusal(&self, scope: &Scope, amount: i64) -> Option<Refusal> {
        match self.budget.reserve(key(9, 9), payer(scope), usd(amount), now()).await {
            Ok(held) => {
                self.budget.release(&held);
                None
            }
            Err(Error::Refused(refusal)) => Some(*refusal),
            Err(other) => panic!("expected money or a refusal, got {other:?}"),
        }
    }

    async fn limit(&self, scope: &Scope) -> Option<Limit> {
        self.budget.show(scope, now()).await.expect("shown").limit
    }

    /// A house whose store holds limits of 5 for as many tenants.
    async fn with_stored(tenants: usize) -> Self {
        let mut house = Self::new(&[]).await;
        let limits = (0..tenants).map(|number| durable::put_limit(&tenant(number), total(5)));
        house.store.commit(limits.fold(Batch::new(), Batch::and)).await.expect("committed");
        house.kill().await;
        house.run().await;
        house
    }
}

/// INVARIANT: a limit that was declared binds in this incarnation of the ledger and in all later ones.
#[tokio::test]
async fn what_is_declared_at_run_time_outlives_the_ledger() {
    let (kept, gone, template) = (Scope::Global, tenant(1), tenant(2));
    let mut house = House::new(&[(kept.clone(), 100), (gone.clone(), 1)]).await;
    let reloaded = [(kept.clone(), Some(total(50))), (kept.clone(), Some(total(3))), (gone.clone(), None)];
    house.budget.declare_now(Source::Settings, &reloaded).expect("declared");
    house.budget.declare_now(Source::Template, &[(template.clone(), Some(total(2)))]).expect("declared");
    for incarnation in 1..4 {
        assert_eq!(house.limit(&kept).await, Some(total(3)), "{incarnation}");
        assert_eq!(house.limit(&gone).await, None, "{incarnation}");
        assert_eq!(house.limit(&template).await, Some(total(2)), "{incarnation}");
        house.kill().await;
        house.run().await;
    }
}

#[tokio::test]
async fn what_is_declared_while_the_ledger_is_away_binds_its_first_reservation() {
    let mut house = House::new(&[(Scope::Global, 100)]).await;
    house.kill().await;
    house.budget.declare_now(Source::Settings, &[(Scope::Global, Some(total(3)))]).expect("declared");
    house.run().await;
    assert_eq!(house.refusal(&Scope::Global, 4).await.expect("refused").limit, usd(3));
}

/// The instant at which a message would be lost: the ledger has read what is declared, and has no address yet.
#[tokio::test]
async fn what_is_declared_while_the_ledger_starts_binds_its_first_reservation() {
    let mut house = House::new(&[(Scope::Global, 100)]).await;
    house.kill().await;
    let (actor, _ended) = Actor::spawn(None, Keeper, house.start.clone()).await.expect("starts");
    house.budget.declare_now(Source::Settings, &[(Scope::Global, Some(total(3)))]).expect("declared");
    house.budget.address().publish(actor);
    assert_eq!(house.refusal(&Scope::Global, 4).await.expect("refused").limit, usd(3));
}

/// INVARIANT: no more limits become durable than the ledger keeps.
#[tokio::test]
async fn a_limit_too_many_is_refused_before_it_is_durable() {
    let mut house = House::with_stored(LIMITS_MAX - 1).await;
    let sets = (LIMITS_MAX..LIMITS_MAX + 4).map(tenant).map(|scope| {
        let budget = house.budget.clone();
        async move { budget.set(&scope, total(1), Batch::new()).await }
    });
    let outcomes = futures::future::join_all(sets).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "there was one place");
    assert!(outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).all(|error| matches!(error, Error::Full)));
    let beside = Batch::new().put(Keyspace::Turn, b"beside".to_vec(), Record { kind: 1, version: 1, body: vec![1] });
    assert!(matches!(house.budget.set(&Scope::Global, total(1), beside).await, Err(Error::Full)));
    assert!(house.store.get(Keyspace::Turn, b"beside").expect("read").is_none());
    assert!(house.store.get(Keyspace::Budget, b"global").expect("read").is_none());
    house.budget.set(&tenant(0), total(7), Batch::new()).await.expect("its place is its own");
    house.kill().await;
    house.run().await;
    assert_eq!(house.limit(&tenant(0)).await, Some(total(7)));
    assert_eq!(house.limit(&tenant(1)).await, Some(total(5)));
    assert_eq!(house.refusal(&Scope::Global, 1_000).await, None);
}

/// INVARIANT: a stored limit that cannot be kept lets nothing be spent on its scope, and the ledger starts.
#[tokio::test]
async fn stored_limits_too_many_bar_their_scopes_alone() {
    let house = House::with_stored(LIMITS_MAX + 2).await;
    for (number, expected) in [(0, None), (LIMITS_MAX - 1, None), (LIMITS_MAX, Some(Why::Barred))] {
        assert_eq!(house.refusal(&tenant(number), 5).await.map(|refusal| refusal.why), expected, "{number}");
    }
    assert_eq!(house.limit(&tenant(LIMITS_MAX + 1)).await, Some(total(0)));
    assert_eq!(house.refusal(&Scope::Global, 5).await, None);
    assert!(matches!(house.budget.set(&tenant(LIMITS_MAX), total(1), Batch::new()).await, Err(Error::Full)));
}

#[tokio::test]
async fn a_limit_of_nobody_knows_whom_bars_what_has_no_known_limit_until_it_is_set() {
    let mut house = House::new(&[(tenant(1), 5)]).await;
    let record = Record { kind: 1, version: 1, body: vec![1] };
    house.store.commit(Batch::new().put(Keyspace::Budget, b"\xff".to_vec(), record)).await.expect("committed");
    house.kill().await;
    house.run().await;
    assert_eq!(house.refusal(&tenant(1), 5).await, None, "its limit is known");
    assert_eq!(house.refusal(&Scope::Global, 1).await.expect("barred").why, Why::Barred);
    house.budget.set(&Scope::Global, total(5), Batch::new()).await.expect("set");
    assert_eq!(house.refusal(&Scope::Global, 5).await, None);
}

#[tokio::test]
async fn a_damaged_limit_bars_its_scope_until_it_is_set() {
    let mut house = House::new(&[(Scope::Global, 100)]).await;
    let strange = Record { kind: 1, version: 99, body: Vec::new() };
    house.store.commit(Batch::new().put(Keyspace::Budget, b"global".to_vec(), strange)).await.expect("committed");
    house.kill().await;
    house.run().await;
    assert_eq!(house.refusal(&Scope::Global, 1).await.expect("barred").why, Why::Barred, "whatever the settings say");
    let listed = house.budget.list(now()).await.expect("listed");
    assert_eq!(listed.iter().map(|standing| standing.remaining).collect::<Vec<_>>(), [Some(usd(0))]);
    house.budget.set(&Scope::Global, total(5), Batch::new()).await.expect("set");
    house.kill().await;
    house.run().await;
    assert_eq!(house.refusal(&Scope::Global, 6).await.expect("refused").limit, usd(5));
}

#[tokio::test]
async fn a_limit_is_set_although_its_operator_no_longer_waits() {
    let house = House::new(&[]).await;
    assert!(house.budget.set(&Scope::Global, total(5), Batch::new()).now_or_never().is_none());
    while house.limit(&Scope::Global).await != Some(total(5)) {
        tokio::task::yield_now().await;
    }
    assert!(house.budget.reserve(key(1, 0), global(), usd(6), now()).await.is_err());
}
