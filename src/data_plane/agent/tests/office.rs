//! The rooms that an agent calls on, of which only the ledger runs.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use super::submitted;
use crate::config::settings;
use crate::control_plane::admission::{Admission, Means, Routes, Unready, payer_of};
use crate::control_plane::audit::Audit;
use crate::control_plane::budget::price::PriceList;
use crate::control_plane::budget::{Budget, Key, Standing};
use crate::control_plane::policy::{Policies, Policy};
use crate::control_plane::template::Templates;
use crate::control_plane::template::experiment::Experiments;
use crate::data_plane::agent::cache::ResultCache;
use crate::data_plane::agent::first::FirstCalls;
use crate::data_plane::agent::floor::HostFloor;
use crate::data_plane::agent::live::Live;
use crate::data_plane::agent::{Environment, Rooms};
use crate::data_plane::dlp::{Dlp, PseudonymKey};
use crate::data_plane::provider::Providers;
use crate::data_plane::tool::Tools;
use crate::domain::budget::Scope;
use crate::domain::clock::Timestamp;
use crate::domain::id::{AgentId, TaskId};
use crate::domain::money::Usd;
use crate::journal::Journal;
use crate::journal::events::Events;
use crate::journal::order::{Order, Registered, Worker};
use crate::journal::record::TaskRecord;
use crate::store::{Batch, Options, Running, Store};
use crate::supervision::{Strategy, SupervisorHandle, SupervisorSpec, start_root};

/// What the first call of a task may cost at worst; as [`super::started`] says.
pub(crate) const WORST: Usd = Usd::from_nanos(7);

/// An environment in which nobody but the ledger runs.
pub(crate) struct Office {
    pub(crate) environment: Environment,
    _tree: SupervisorHandle,
    _committer: Running,
    _directory: tempfile::TempDir,
}

impl Office {
    pub(crate) async fn open() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(directory.path(), Options { cache_bytes: 1 << 20 }).expect("opens");
        Self::over(directory, store).await
    }

    /// One whose records are made durable by `sync`.
    pub(crate) async fn open_with_sync(sync: impl FnMut() -> std::io::Result<()> + Send + 'static) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open_with_sync(directory.path(), sync).expect("opens");
        Self::over(directory, store).await
    }

    async fn over(directory: tempfile::TempDir, store: Store) -> Self {
        let committer = store.run_committer().expect("runs");
        let events = Events::new();
        let journal = Journal::open(store.clone(), events.clone()).expect("opens");
        let audit = Audit::start(store.clone(), events.clone()).0;
        let (budget, ledger) =
            Budget::start(BTreeMap::new(), store.clone(), events.clone(), audit.clone(), Arc::new(journal.clone()));
        let tree = start_root(SupervisorSpec::new("root", Strategy::OneForOne).child(ledger)).await.expect("a tree");
        let policies = Policies::fixed(Policy::shipped());
        let unsigned = settings::Templates {
            enable_signature_validation: false,
            trusted_keys_dir: None,
            rsa_public_key_path: None,
            cache_ttl: Duration::from_secs(300),
            cache_entries: 100,
            environment: None,
            source_audit: false,
            rescan_every: Duration::from_secs(30),
        };
        let nowhere = directory.path().join("templates");
        let (templates, _) = Templates::start(unsigned, nowhere, store.clone(), policies.clone(), events.clone());
        let prices = PriceList::new(&BTreeMap::new());
        let (experiments, _) = Experiments::start(templates.clone(), journal.clone(), audit.clone());
        let (admission, _) = Admission::start(Means {
            journal: journal.clone(),
            templates,
            experiments,
            policies,
            budget: budget.clone(),
            prices: prices.clone(),
            audit,
            routes: Routes::default(),
            readiness: Arc::new(|_| Err(Unready { left: None })),
            free_agent: Arc::new(|_, _, _| None),
            quarantined: Arc::new(|_| false),
            open_tasks_max: 10,
            agent_queue_max: 10,
        });
        let dlp = Dlp::start(
            NonZeroUsize::MIN,
            PseudonymKey::from_bytes([7; PseudonymKey::BYTES]),
            crate::journal::events::Events::new(),
        )
        .0;
        let providers = Providers::start(&BTreeMap::new(), &events).0;
        let started_at = Timestamp::now();
        let tools = Tools::new(&BTreeMap::new());
        let rooms = Rooms {
            journal,
            admission,
            budget,
            prices,
            dlp,
            floor: HostFloor::default(),
            providers,
            tools,
            first: FirstCalls::default(),
            live: Live::default(),
            results: ResultCache::new(1 << 20),
            started_at,
        };
        Self { environment: Environment::new(rooms), _tree: tree, _committer: committer, _directory: directory }
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.environment.journal
    }

    /// An order that nobody has submitted.
    pub(crate) fn order(&self) -> Order {
        let TaskRecord::Submitted(first) = submitted() else { unreachable!("it is a submission") };
        first.order
    }

    /// A task that is open, with what the first call may cost held for it.
    pub(crate) async fn submit(&self) -> Order {
        let TaskRecord::Submitted(first) = submitted() else { unreachable!("it is a submission") };
        let key = Key { task: first.order.task, step: 0 };
        let held = self.environment.budget.reserve(key, payer_of(&first.order), WORST, Timestamp::now()).await;
        held.expect("no limit is in the way");
        let order = first.order.clone();
        self.journal().submit(first.order, WORST, Timestamp::now(), Batch::new()).await.expect("submitted");
        order
    }

    /// A task of a registered agent that is open and past its deadline, with nothing held for it.
    pub(crate) async fn submit_to(&self, agent: AgentId) -> Order {
        let TaskRecord::Submitted(first) = submitted() else { unreachable!("it is a submission") };
        let order = Order { worker: Worker::Registered(Registered(agent)), ..first.order };
        self.journal().submit(order.clone(), Usd::ZERO, Timestamp::now(), Batch::new()).await.expect("submitted");
        order
    }

    /// Writes as the agent that goes on with the task would.
    pub(crate) async fn write(&self, task: TaskId, records: Vec<TaskRecord>) {
        let custody = self.journal().take_up(task).expect("open");
        self.journal().append(&custody, records, Batch::new()).await.expect("appended");
    }

    pub(crate) async fn standing(&self, scope: &Scope) -> Standing {
        self.environment.budget.show(scope, Timestamp::now()).await.expect("the ledger answers")
    }

    /// Asserts what each scope of an order has spent, and that nothing is held for anybody.
    pub(crate) async fn assert_spent(&self, order: &Order, spent: Usd) {
        let held = self.environment.budget.open(None, usize::MAX).await.expect("the ledger answers");
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
        let audit = Audit::start(journal.store().clone(), events.clone()).0;
        let (budget, ledger) = Budget::start(BTreeMap::new(), journal.store().clone(), events, audit, recover);
        let tree = start_root(SupervisorSpec::new("root", Strategy::OneForOne).child(ledger)).await.expect("a tree");
        let standing = budget.show(&Scope::Global, Timestamp::now()).await.expect("the ledger answers");
        assert_eq!((standing.spent, standing.reserved), (spent, Usd::ZERO), "after a restart");
        tree.shutdown().await;
    }
}
