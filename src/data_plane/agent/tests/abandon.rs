//! What is on record of a task that nobody goes on with: its open call, booked once, and nothing held.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use super::{finished, started, submitted};
use crate::config::settings;
use crate::control_plane::admission::{Admission, Means, payer_of};
use crate::control_plane::audit::Audit;
use crate::control_plane::budget::price::PriceList;
use crate::control_plane::budget::{Budget, Key, Standing};
use crate::control_plane::policy::Policies;
use crate::control_plane::template::Templates;
use crate::data_plane::agent::abandon::abandon;
use crate::data_plane::agent::{Environment, Rooms};
use crate::data_plane::dlp::{Dlp, PseudonymKey};
use crate::data_plane::provider::Providers;
use crate::domain::budget::Scope;
use crate::domain::clock::Timestamp;
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::journal::events::Events;
use crate::journal::order::Order;
use crate::journal::record::{StepFailed, StepKind, StepStarted, TaskRecord, Then};
use crate::journal::state::State;
use crate::journal::{self, Journal};
use crate::store::{Batch, Options, Running, Store};
use crate::supervision::{Strategy, SupervisorHandle, SupervisorSpec, start_root};

/// What the call that is under way may cost; as [`super::started`] says.
const WORST: Usd = Usd::from_nanos(7);

/// An environment in which nobody but the ledger runs.
struct Office {
    environment: Environment,
    _tree: SupervisorHandle,
    _committer: Running,
    _directory: tempfile::TempDir,
}

impl Office {
    async fn open() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(directory.path(), Options { cache_bytes: 1 << 20 }).expect("opens");
        let committer = store.run_committer().expect("runs");
        let events = Events::new();
        let journal = Journal::open(store.clone(), events.clone()).expect("opens");
        let (budget, ledger) = Budget::start(BTreeMap::new(), store.clone(), events.clone(), Arc::new(journal.clone()));
        let tree = start_root(SupervisorSpec::new("root", Strategy::OneForOne).child(ledger)).await.expect("a tree");
        let (policies, _) = Policies::start();
        let unsigned = settings::Templates {
            enable_signature_validation: false,
            trusted_keys_dir: None,
            rsa_public_key_path: None,
            cache_ttl: Duration::from_secs(300),
        };
        let nowhere = directory.path().join("templates");
        let (templates, _) = Templates::start(unsigned, nowhere, store.clone(), policies, events.clone());
        let prices = PriceList::new(&BTreeMap::new());
        let (admission, _) = Admission::start(Means {
            journal: journal.clone(),
            templates,
            budget: budget.clone(),
            prices: prices.clone(),
            audit: Audit::start(store, events).0,
            routes: BTreeMap::new(),
            readiness: Arc::new(|_| false),
            free_agent: Arc::new(|_, _, _| None),
            open_tasks_max: 10,
        });
        let dlp = Dlp::start(NonZeroUsize::MIN, PseudonymKey::from_bytes([7; PseudonymKey::BYTES])).0;
        let providers = Providers::start(&BTreeMap::new()).0;
        let started_at = Timestamp::now();
        let rooms = Rooms { journal, admission, budget, prices, dlp, providers, started_at };
        Self { environment: Environment::new(rooms), _tree: tree, _committer: committer, _directory: directory }
    }

    fn journal(&self) -> &Journal {
        &self.environment.journal
    }

    /// A task that is open, with what the first call may cost held for it.
    async fn submit(&self) -> Order {
        let TaskRecord::Submitted(first) = submitted() else { unreachable!("it is a submission") };
        let key = Key { task: first.order.task, step: 0 };
        let held = self.environment.budget.reserve(key, payer_of(&first.order), WORST, Timestamp::now()).await;
        held.expect("no limit is in the way");
        let order = first.order.clone();
        self.journal().submit(first.order, WORST, Timestamp::now(), Batch::new()).await.expect("submitted");
        order
    }

    /// Writes as the agent that goes on with the task would.
    async fn write(&self, task: TaskId, records: Vec<TaskRecord>) {
        let custody = self.journal().take_up(task).expect("open");
        self.journal().append(&custody, records, Batch::new()).await.expect("appended");
    }

    async fn abandon(&self, task: TaskId) {
        abandon(&self.environment, task, "agent_given_up", "it ended too often").await.expect("written");
    }

    async fn standing(&self, scope: &Scope) -> Standing {
        self.environment.budget.show(scope, Timestamp::now()).await.expect("the ledger answers")
    }

    /// Asserts what each scope of an order has spent, and that nothing is held for anybody.
    async fn assert_spent(&self, order: &Order, spent: Usd) {
        let held = self.environment.budget.open().await.expect("the ledger answers");
        assert!(held.is_empty(), "{held:?}");
        let scopes = [Scope::Global, Scope::Tenant(order.tenant.clone()), Scope::Template(order.template.clone())];
        for scope in scopes {
            let standing = self.standing(&scope).await;
            assert_eq!((standing.spent, standing.reserved), (spent, Usd::ZERO), "{scope:?}");
        }
        self.assert_stored(spent).await;
    }

    /// Asserts what a ledger that starts anew finds in the store.
    async fn assert_stored(&self, spent: Usd) {
        let journal = self.journal();
        let (events, recover) = (Events::new(), Arc::new(journal.clone()));
        let (budget, ledger) = Budget::start(BTreeMap::new(), journal.store().clone(), events, recover);
        let tree = start_root(SupervisorSpec::new("root", Strategy::OneForOne).child(ledger)).await.expect("a tree");
        let standing = budget.show(&Scope::Global, Timestamp::now()).await.expect("the ledger answers");
        assert_eq!((standing.spent, standing.reserved), (spent, Usd::ZERO), "after a restart");
        tree.shutdown().await;
    }
}

#[tokio::test]
async fn an_abandoned_task_has_failed_and_its_open_call_is_booked_in_doubt_once() {
    let office = Office::open().await;
    let order = office.submit().await;
    office.write(order.task, vec![started(0, "mock/a")]).await;
    assert_eq!(office.standing(&Scope::Global).await.reserved, WORST);
    for _ in 0..3 {
        office.abandon(order.task).await;
        office.assert_spent(&order, WORST).await;
    }
    let task = office.journal().task(order.task).await.expect("read").expect("is there");
    assert_eq!((task.state, task.cost(), task.records), (State::Failed, WORST, 4));
    assert_eq!(task.fault.as_ref().map(|fault| fault.code.as_str()), Some("agent_given_up"));
    let records = office.journal().records(order.task).await.expect("read");
    let doubt = |record: &TaskRecord| matches!(record, TaskRecord::StepFailed(StepFailed { step: 0, in_doubt, then: Then::GiveUp, .. }) if *in_doubt == WORST);
    assert_eq!(records.iter().filter(|record| doubt(record)).count(), 1);
    assert_eq!(office.journal().open_count(), 0);
}

#[tokio::test]
async fn a_task_that_is_abandoned_before_its_first_call_costs_nothing_and_holds_nothing() {
    let office = Office::open().await;
    let order = office.submit().await;
    office.abandon(order.task).await;
    office.assert_spent(&order, Usd::ZERO).await;
    let task = office.journal().task(order.task).await.expect("read").expect("is there");
    assert_eq!((task.state, task.steps.len()), (State::Failed, 0));
}

#[tokio::test]
async fn a_call_that_was_concluded_is_not_booked_again_and_a_delegated_step_costs_nothing_itself() {
    let office = Office::open().await;
    let order = office.submit().await;
    let kind = StepKind::Delegate { name: "facts".to_owned(), child: order.task.child("facts") };
    let delegated = StepStarted { step: 1, kind, reserved: Usd::ZERO, at: Timestamp::now() };
    office.write(order.task, vec![started(0, "mock/a"), finished(0), TaskRecord::StepStarted(delegated)]).await;
    office.abandon(order.task).await;
    // What the concluded call cost was for its agent to book.
    office.assert_spent(&order, Usd::ZERO).await;
    let task = office.journal().task(order.task).await.expect("read").expect("is there");
    assert_eq!((task.state, task.cost(), task.open_children().len()), (State::Failed, Usd::from_nanos(3), 0));
}

#[tokio::test]
async fn whoever_held_an_abandoned_task_writes_nothing_more() {
    let office = Office::open().await;
    let order = office.submit().await;
    let ghost = office.journal().take_up(order.task).expect("open");
    office.journal().append(&ghost, vec![started(0, "mock/a")], Batch::new()).await.expect("appended");
    office.abandon(order.task).await;
    let late = office.journal().append(&ghost, vec![finished(0)], Batch::new()).await;
    assert!(matches!(late, Err(journal::Error::Fenced(_) | journal::Error::NotOpen(_))), "{late:?}");
    office.assert_spent(&order, WORST).await;
}
