//! The shape of the supervision tree.

use std::time::Duration;

use crate::store::{Committer, Store};
use crate::supervision::{Address, ChildSpec, Intensity, Observer, Strategy, SupervisorHandle, SupervisorSpec};

/// Restarts that each supervisor above the agents bears before it gives up and its own supervisor decides.
const INTENSITY: Intensity = Intensity { restarts: 10, period: Duration::from_secs(10) };

/// The leaves of the tree and the subtrees that rooms bring.
pub(super) struct Parts {
    pub(super) store: ChildSpec,
    pub(super) control: Vec<ChildSpec>,
    pub(super) data: Vec<ChildSpec>,
    pub(super) edge: Vec<ChildSpec>,
}

/// The root.
pub(super) fn root(parts: Parts, observer: Observer) -> SupervisorSpec {
    let control = supervisor("control", Strategy::RestForOne, parts.control);
    let data = supervisor("data", Strategy::OneForOne, parts.data);
    let core = supervisor("core", Strategy::RestForOne, vec![parts.store, control, data]);
    let edge = supervisor("edge", Strategy::OneForOne, parts.edge);
    SupervisorSpec::new("root", Strategy::OneForOne).intensity(INTENSITY).observer(observer).child(core).child(edge)
}

/// The store's committer.
pub(super) fn committer(store: &Store) -> ChildSpec {
    let store = store.clone();
    ChildSpec::worker(&Address::new("store"), move || (Committer, store.clone()))
}

/// A supervisor of like workers.
pub(super) fn group(name: &'static str, children: Vec<ChildSpec>) -> ChildSpec {
    supervisor(name, Strategy::OneForOne, children)
}

fn supervisor(name: &'static str, strategy: Strategy, children: Vec<ChildSpec>) -> ChildSpec {
    let handle = SupervisorHandle::new(name);
    ChildSpec::supervisor(&handle, move || {
        let spec = SupervisorSpec::new(name, strategy).intensity(INTENSITY);
        children.iter().cloned().fold(spec, SupervisorSpec::child)
    })
}
