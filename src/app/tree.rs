//! The shape of the supervision tree.

use std::sync::Arc;
use std::time::Duration;

use crate::store::{Committer, Store};
use crate::supervision::{
    Address, AlarmHook, ChildSpec, Intensity, Observer, OnStuck, RestartLedger, Strategy, SupervisorHandle,
    SupervisorSpec,
};

/// Restarts that each supervisor above the agents bears before it gives up and its own supervisor decides.
const INTENSITY: Intensity = Intensity { restarts: 10, period: Duration::from_secs(10) };

/// Restarts of one worker of a pool, such as one provider or one worker of the filter, that are borne before it is quarantined,
/// so that the rest of the tree does not end with it.
const WORKER_INTENSITY: Intensity = Intensity { restarts: 10, period: Duration::from_secs(60) };

/// How long an actor may be at one message before it counts as stuck. None of their handlers waits for anything slow.
pub(super) const STUCK_AFTER: Duration = Duration::from_secs(30);

/// The leaves of the tree and the subtrees that rooms bring.
pub(super) struct Parts {
    store: ChildSpec,
    control: Vec<ChildSpec>,
    data: Vec<ChildSpec>,
    edge: Vec<ChildSpec>,
}

impl Parts {
    /// The parts, with what is told of leaves that are stuck.
    pub(super) fn new(store: &Store, control: Vec<ChildSpec>, data: Vec<ChildSpec>, edge: Vec<ChildSpec>) -> Self {
        let all_watched = |children: Vec<ChildSpec>| children.into_iter().map(watched).collect();
        Self { store: watched(committer(store)), control: all_watched(control), data, edge: all_watched(edge) }
    }
}

/// Who hears of what happens in the tree, and who remembers it.
pub(super) struct Listeners {
    pub(super) observer: Observer,
    pub(super) alarm: AlarmHook,
    pub(super) ledger: Arc<dyn RestartLedger>,
}

/// The root.
pub(super) fn root(parts: Parts, listeners: Listeners) -> SupervisorSpec {
    let control = supervisor("control", Strategy::RestForOne, parts.control);
    let data = supervisor("data", Strategy::OneForOne, parts.data);
    let core = supervisor("core", Strategy::RestForOne, vec![parts.store, control, data]);
    let edge = supervisor("edge", Strategy::OneForOne, parts.edge);
    SupervisorSpec::new("root", Strategy::OneForOne)
        .intensity(INTENSITY)
        .observer(listeners.observer)
        .alarm(listeners.alarm)
        .ledger(listeners.ledger)
        .child(remembered("root", core))
        .child(remembered("root", edge))
}

/// The store's committer.
pub(super) fn committer(store: &Store) -> ChildSpec {
    let store = store.clone();
    ChildSpec::worker(&Address::new("store"), move || (Committer, store.clone()))
}

/// A supervisor of like workers, of which each is replaced where it is stuck, and quarantined where it fails too often.
pub(super) fn pool(name: &'static str, children: Vec<ChildSpec>) -> ChildSpec {
    let guarded =
        |child: ChildSpec| child.intensity(WORKER_INTENSITY).quarantine().stuck_after(STUCK_AFTER, OnStuck::Replace);
    supervisor(name, Strategy::OneForOne, children.into_iter().map(guarded).collect())
}

/// What a stuck actor of its own is worth knowing of.
pub(super) fn watched(child: ChildSpec) -> ChildSpec {
    child.stuck_after(STUCK_AFTER, OnStuck::Report)
}

/// A child under the name by which the ledger remembers it, which is the same after a restart of the daemon.
fn remembered(supervisor: &str, child: ChildSpec) -> ChildSpec {
    let key = format!("tree/{supervisor}/{}", child.id());
    child.ledger_key(key)
}

fn supervisor(name: &'static str, strategy: Strategy, children: Vec<ChildSpec>) -> ChildSpec {
    let handle = SupervisorHandle::new(name);
    ChildSpec::supervisor(&handle, move || {
        let spec = SupervisorSpec::new(name, strategy).intensity(INTENSITY);
        children.iter().cloned().map(|child| remembered(name, child)).fold(spec, SupervisorSpec::child)
    })
}
