//! The composition root: builds the rooms bottom-up, wires the supervision tree, and takes it down in order.
//!
//! ```text
//! root (one_for_one)
//! ├─ core (rest_for_one)
//! │  ├─ store
//! │  ├─ control (rest_for_one): audit, access, policy, budget, templates, experiments, admission
//! │  └─ data (one_for_one): dlp, providers, agents, orchestrators, factory, orchestrator, hooks
//! └─ edge (one_for_one): api, metrics, systemd, retention, restarts, reencryption, erasures
//! ```
//!
//! The sockets are bound before anything else, so that a client that comes early waits instead of being refused, and outlive
//! every part of the tree.

mod chronicle;
mod erasing;
mod error;
mod keys;
mod news;
mod notifier;
mod readiness;
mod reload;
mod restarts;
mod retention;
#[cfg(test)]
mod tests;
mod tree;
mod upkeep;

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chronicle::Chronicle;
pub use error::Error;
pub use reload::needs_restart;
use restarts::Restarts;
use tokio::sync::watch;

use crate::api::{self, Listener, Rooms};
use crate::config::settings::Settings;
use crate::control_plane::access::{Access, Rules};
use crate::control_plane::admission::{Admission, Means, Routes, Unready};
use crate::control_plane::audit::{self, Audit, AuditKey};
use crate::control_plane::budget::{Budget, Source, price::PriceList};
use crate::control_plane::policy::Policies;
use crate::control_plane::template::Templates;
use crate::control_plane::template::experiment::Experiments;
use crate::data_plane::agent::cache::ResultCache;
use crate::data_plane::agent::first::FirstCalls;
use crate::data_plane::agent::floor::HostFloor;
use crate::data_plane::agent::live::Live;
use crate::data_plane::agent::{self, Environment};
use crate::data_plane::dlp::rules::RuleReader;
use crate::data_plane::dlp::{self, Dlp};
use crate::data_plane::factory::Factory;
use crate::data_plane::hook::{self, Hooks};
use crate::data_plane::orchestrator::Orchestrator;
use crate::data_plane::provider::{self, Providers};
use crate::data_plane::tool::Tools;
use crate::domain::budget::{Limit, Scope, Window};
use crate::domain::clock::Timestamp;
use crate::domain::failure::{Failure, Retry};
use crate::domain::name::ModelRef;
use crate::journal::Journal;
use crate::journal::events::Events;
use crate::journal::state::Task;
use crate::store::Store;
use crate::supervision::{ChildSpec, SupervisorHandle};
use crate::telemetry::metrics::Metrics;

/// How long connections may take to end after the last answer.
const CONNECTIONS_GRACE: Duration = Duration::from_secs(2);
/// The same where somebody is in a hurry: long enough to tell those who wait how far their tasks are.
const CONNECTIONS_GRACE_HURRIED: Duration = Duration::from_millis(100);

/// A running daemon.
pub struct Daemon {
    root: SupervisorHandle,
    store: Store,
    journal: Journal,
    access: Access,
    admission: Admission,
    budget: Budget,
    prices: PriceList,
    routes: Routes,
    listener: Listener,
    hooks: Hooks,
    /// What has the operator's DLP rules read again; none where the shipped ones are used as they are.
    dlp_rules: Option<RuleReader>,
    settings: Settings,
    /// Whether the socket's file is ours to remove.
    owns_socket: bool,
    rooms: Arc<Rooms>,
}

/// The control plane's rooms, and the children of its supervisor in the order of their start.
struct ControlPlane {
    audit: Audit,
    chronicle: Chronicle,
    access: Access,
    policies: Policies,
    templates: Templates,
    experiments: Experiments,
    budget: Budget,
    prices: PriceList,
    routes: Routes,
    admission: Admission,
    children: Vec<ChildSpec>,
}

/// Rooms that lower ones call back and that stand above them: they are known a moment later.
#[derive(Clone, Default)]
struct Known {
    factory: Arc<OnceLock<Factory>>,
    orchestrator: Arc<OnceLock<Orchestrator>>,
}

/// The data plane's rooms, and the children of its supervisor in the order of their start.
struct DataPlane {
    dlp: Dlp,
    factory: Factory,
    orchestrator: Orchestrator,
    hooks: Hooks,
    children: Vec<ChildSpec>,
}

impl Daemon {
    /// Starts everything; when this returns, requests are served. `inherited` is the socket that systemd passed.
    ///
    /// # Errors
    /// What could not be started. Nothing runs then.
    pub async fn start(settings: Settings, metrics: Metrics, inherited: Option<OwnedFd>) -> Result<Self, Error> {
        let owns_socket = inherited.is_none();
        let socket = settings.socket.clone();
        let sockets = api::bind(&settings, inherited).await?;
        let started = Self::start_behind(sockets, owns_socket, settings, metrics).await;
        if started.is_err() && owns_socket {
            remove_socket(&socket);
        }
        started
    }

    async fn start_behind(
        sockets: api::Sockets,
        owns_socket: bool,
        settings: Settings,
        metrics: Metrics,
    ) -> Result<Self, Error> {
        let started_at = Timestamp::now();
        let store = keys::open_store(&settings).await?;
        let events = Events::new();
        let journal = open_journal(&store, &events).await?;
        let ledger = Restarts::load(&store).await?;
        let (key, audit_key) = chronicle::open_keys(&settings, store.secret_files()).await?;
        let (live, known) = (Live::default(), Known::default());
        let (providers, provider_specs) = Providers::start(&settings.providers, &events);
        let control = control_plane(&settings, &journal, (&events, audit_key), providers.clone(), known.clone());
        let (dlp, dlp_rules, dlp_specs) = start_dlp(&settings, key, &events)?;
        let rooms = agent_rooms(&settings, &journal, &control, (dlp, providers, live.clone()), started_at);
        let results = rooms.results.clone();
        let data = data_plane(&settings, rooms, &known, dlp_specs, provider_specs, &ledger);
        let (erasures, erasures_spec) = erasing::open(&journal, &control, &data, results).await?;
        let root = SupervisorHandle::new("root");
        let rooms = Arc::new(Rooms {
            access: control.access.clone(),
            admission: control.admission.clone(),
            orchestrator: data.orchestrator,
            factory: data.factory.clone(),
            journal: journal.clone(),
            policies: control.policies.clone(),
            templates: control.templates.clone(),
            experiments: control.experiments.clone(),
            budget: control.budget.clone(),
            dlp: data.dlp,
            live,
            erasures,
            audit: control.audit,
            root: root.clone(),
            metrics: metrics.clone(),
            readiness: readiness::of(&store, control.templates, control.admission.clone(), control.chronicle.begun()),
            settings: settings.api.clone(),
            chaos: settings.chaos.enabled,
            started_at,
            draining: Arc::new(watch::Sender::new(false)),
        });
        let (listener, api_spec) = Listener::start(sockets, Arc::clone(&rooms));
        let notifier = notifier::spec(Arc::clone(&rooms.readiness));
        let upkeep = upkeep::spec(metrics, data.factory, journal.clone());
        let kept = retention::spec(&journal, settings.retention.tasks).into_iter().chain(keys::spec(&store, &events));
        let edge = [api_spec, upkeep, notifier].into_iter().chain(kept).chain([ledger.spec(), erasures_spec]).collect();
        let tree = tree::Parts::new(&store, control.children, data.children, edge);
        root.start_root(tree::root(tree, news::listeners(events, ledger))).await.map_err(Error::Tree)?;
        control.chronicle.started(&settings);
        tell_doubts(&journal);
        let ControlPlane { access, admission, budget, prices, routes, .. } = control;
        Ok(Self {
            root,
            store,
            journal,
            access,
            admission,
            budget,
            prices,
            routes,
            listener,
            hooks: data.hooks,
            dlp_rules,
            settings,
            owns_socket,
            rooms,
        })
    }

    /// Waits until the tree has ended by itself, which it does only when restarts no longer help.
    pub async fn ended(&self) {
        self.root.ended().await;
    }

    /// Stops in order: no new tasks, running ones end within the grace time, then the tree from its leaves, then the store.
    /// What is still open goes on when the daemon starts again. Once `hurry` is done, running tasks are not waited for any longer.
    ///
    /// # Errors
    /// The store could not be closed in good order.
    pub async fn stop(self, hurry: impl Future<Output = ()>) -> Result<(), Error> {
        self.admission.drain();
        notifier::stopping();
        let connections_grace = tokio::select! {
            () = self.drain() => CONNECTIONS_GRACE,
            () = hurry => CONNECTIONS_GRACE_HURRIED,
        };
        tracing::info!(open = self.journal.open_count(), "drained");
        self.listener.drain();
        let (drained, ()) = tokio::join!(self.listener.drained(connections_grace), self.hooks.drain(connections_grace));
        if !drained {
            tracing::warn!("connections were cut off");
        }
        chronicle::stopping(&self.rooms.audit).await;
        self.root.shutdown().await;
        let closed = self.store.close().await;
        if self.owns_socket {
            remove_socket(&self.settings.socket);
        }
        Ok(closed?)
    }

    /// Ends what is left of a daemon whose tree has ended: whoever waits is answered or cut off, commits that wait are written, and
    /// the directory is given back. The next start goes on from what is stored.
    ///
    /// # Errors
    /// The store could not be closed in good order.
    pub async fn abandon(self) -> Result<(), Error> {
        notifier::stopping();
        self.listener.drain();
        if !self.listener.drained(CONNECTIONS_GRACE).await {
            tracing::warn!("connections were cut off");
        }
        let closed = self.store.close().await;
        if self.owns_socket {
            remove_socket(&self.settings.socket);
        }
        Ok(closed?)
    }

    /// Waits within the grace time until every open task has ended, or waits for something outside, which it goes on to do when
    /// the daemon starts again: also for its agent's release from quarantine.
    async fn drain(&self) {
        let is_quarantined = |task: &Task| {
            task.order.registered_agent().is_some() && self.rooms.factory.is_quarantined(task.order.agent())
        };
        let ended = async {
            for task in self.journal.open_tasks().into_iter().filter(|task| !is_quarantined(task)) {
                if let Some(mut open) = self.journal.watch(task.order.task) {
                    // A task that has left the journal's memory meanwhile has ended.
                    let _ended = open.wait_for(|task| task.state.has_ended() || task.rests()).await.is_err();
                }
            }
        };
        // What is left is told by the count.
        let _all_ended = tokio::time::timeout(self.settings.api.drain_grace, ended).await.is_ok();
    }
}

fn remove_socket(socket: &Path) {
    if let Err(error) = std::fs::remove_file(socket) {
        tracing::warn!(%error, "the socket could not be removed");
    }
}

async fn open_journal(store: &Store, events: &Events) -> Result<Journal, Error> {
    let (store, events) = (store.clone(), events.clone());
    Ok(tokio::task::spawn_blocking(move || Journal::open(store, events)).await.map_err(Error::Thread)??)
}

fn control_plane(
    settings: &Settings,
    journal: &Journal,
    (events, audit_key): (&Events, AuditKey),
    providers: Providers,
    known: Known,
) -> ControlPlane {
    let store = journal.store();
    let (audit, audit_spec) = Audit::open(audit::Means {
        store: store.clone(),
        events: events.clone(),
        key: audit_key,
        checkpoint_every: settings.audit.checkpoint_every,
    });
    let chronicle = Chronicle::follow(&audit, events);
    let (access, access_spec) = Access::start(rules(settings));
    access.tell(events.clone());
    let environment = settings.templates.environment.as_ref().map(ToString::to_string);
    let (policies, policy_spec) =
        Policies::start(settings.policy.dir.clone(), environment, store.clone(), events.clone());
    let under = audit.clone();
    policies.on_change(Arc::new(move |policy| under.decide_under(policy.digest())));
    let recover = Arc::new(journal.clone());
    let (budget, budget_spec) =
        Budget::start(settings.budgets.clone(), store.clone(), events.clone(), audit.clone(), recover);
    let (templates, templates_spec) = Templates::start(
        settings.templates.clone(),
        settings.templates_dir.clone(),
        store.clone(),
        policies.clone(),
        events.clone(),
    );
    declare_daily_limits(&templates, &budget);
    let (experiments, experiments_spec) = Experiments::start(templates.clone(), journal.clone(), audit.clone());
    let factory = Arc::clone(&known.factory);
    let (prices, routes) = (PriceList::new(&settings.models), Routes::new(&settings.routes));
    let (admission, admission_spec) = Admission::start(Means {
        journal: journal.clone(),
        templates: templates.clone(),
        experiments: experiments.clone(),
        policies: policies.clone(),
        budget: budget.clone(),
        prices: prices.clone(),
        audit: audit.clone(),
        routes: routes.clone(),
        readiness: Arc::new(move |model| is_ready(&providers, model)),
        free_agent: Arc::new(move |template, tenant, user| known.factory.get()?.free_agent(template, tenant, user)),
        quarantined: Arc::new(move |agent| factory.get().is_some_and(|factory| factory.is_quarantined(agent))),
        open_tasks_max: settings.api.open_tasks_max,
        agent_queue_max: settings.agents.queue_max,
    });
    let children =
        vec![audit_spec, access_spec, policy_spec, budget_spec, templates_spec, experiments_spec, admission_spec];
    ControlPlane {
        audit,
        chronicle,
        access,
        policies,
        templates,
        experiments,
        budget,
        prices,
        routes,
        admission,
        children,
    }
}

/// Whether a task may be admitted to call this model first. A provider that has asked for patience will be asked again soon.
fn is_ready(providers: &Providers, model: &ModelRef) -> Result<(), Unready> {
    match providers.usable(model) {
        Ok(()) | Err(provider::Error::Paused { .. }) => Ok(()),
        Err(error) => match error.retry() {
            Retry::After(left) => Err(Unready { left: Some(left) }),
            Retry::Never => Err(Unready { left: None }),
        },
    }
}

fn data_plane(
    settings: &Settings,
    rooms: agent::Rooms,
    known: &Known,
    (dlp_specs, rules_spec): DlpSpecs,
    provider_specs: Vec<ChildSpec>,
    ledger: &Restarts,
) -> DataPlane {
    let dlp = rooms.dlp.clone();
    let told = &settings.hooks;
    let rules = hook::state::Rules { attempts_max: told.attempts, pause: told.pause, concurrency: told.concurrency };
    let (hooks, hooks_spec) = Hooks::start(&rooms.journal, rooms.tools.clone(), rules);
    let environment = Environment::new(rooms);
    let later = known.clone();
    let on_shard = Arc::new(move |shard| {
        if let (Some(factory), Some(orchestrator)) = (later.factory.get(), later.orchestrator.get()) {
            factory.forget_shard(shard);
            orchestrator.sweep_later();
        }
    });
    let (shards, ledger) = (settings.max_workers.get(), Arc::new(ledger.clone()));
    let (factory, [agents, factory_spec]) =
        Factory::start(environment.clone(), &settings.agents, shards, Some(ledger), on_shard);
    let (orchestrator, [plans, orchestrator_spec]) = Orchestrator::start(environment, factory.clone());
    let factory = known.factory.get_or_init(|| factory).clone();
    let orchestrator = known.orchestrator.get_or_init(|| orchestrator).clone();
    let mut children = vec![
        tree::pool("dlp", dlp_specs),
        tree::pool("providers", provider_specs),
        agents,
        plans,
        tree::watched(factory_spec),
        tree::watched(orchestrator_spec),
        tree::watched(hooks_spec),
    ];
    children.extend(rules_spec.map(tree::watched));
    DataPlane { dlp, factory, orchestrator, hooks, children }
}

/// The workers of the filter, and what reads the operator's rules where there are any.
type DlpSpecs = (Vec<ChildSpec>, Option<ChildSpec>);

/// The filter; the operator's rules are in force before a text is examined.
fn start_dlp(
    settings: &Settings,
    key: dlp::PseudonymKey,
    events: &Events,
) -> Result<(Dlp, Option<RuleReader>, DlpSpecs), Error> {
    let (dlp, workers) = Dlp::start(settings.max_workers, key, events.clone());
    let Some(file) = &settings.dlp.rules_file else { return Ok((dlp, None, (workers, None))) };
    let (reader, spec) = dlp.rules_from(file, dlp::rules::load(file)?);
    Ok((dlp, Some(reader), (workers, Some(spec))))
}

fn rules(settings: &Settings) -> Rules {
    Rules {
        access: settings.access.clone(),
        tokens_file: settings.api.tokens_file.clone(),
        anonymous_role: settings.api.anonymous_role,
    }
}

/// What agents call on.
fn agent_rooms(
    settings: &Settings,
    journal: &Journal,
    control: &ControlPlane,
    (dlp, providers, live): (Dlp, Providers, Live),
    started_at: Timestamp,
) -> agent::Rooms {
    agent::Rooms {
        journal: journal.clone(),
        admission: control.admission.clone(),
        budget: control.budget.clone(),
        prices: control.prices.clone(),
        dlp,
        floor: HostFloor::new(settings.dlp.floor.clone()),
        providers,
        tools: Tools::new(&settings.tools),
        first: FirstCalls::default(),
        live,
        results: ResultCache::new(settings.cache.max_bytes),
        started_at,
    }
}

/// What in the settings is no mistake and may be an oversight.
fn tell_warnings(settings: &Settings) {
    for warning in settings.warnings() {
        tracing::warn!(%warning, "the settings say less than they may mean to");
    }
}

/// A store of a release that kept no list of what is in doubt gets one, behind what the daemon was started for.
fn tell_doubts(journal: &Journal) {
    let journal = journal.clone();
    let _building = tokio::spawn(async move {
        match journal.rebuild_doubts().await {
            Ok(0) => {}
            Ok(found) => tracing::info!(found, "amounts in doubt were listed from the records of tasks"),
            Err(error) => tracing::warn!(%error, "amounts in doubt are not listed in full; the next start tries again"),
        }
        journal.show_doubts().await;
    });
}

/// A template's limit for a day becomes a limit of the budget room before a version is served.
fn declare_daily_limits(templates: &Templates, budget: &Budget) {
    let budget = budget.clone();
    templates.on_publish(Arc::new(move |template| {
        let scope = Scope::Template(template.name.clone());
        let limit = template.budget.per_day.map(|amount| Limit::new(amount, Window::Day));
        if let Err(error) = budget.declare_now(Source::Template, &[(scope, limit)]) {
            tracing::error!(template = %template.name, %error, "a template's daily limit is not in force");
        }
    }));
}
