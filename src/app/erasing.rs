//! Wires the room that erases: it calls on nearly every other.

use super::{ControlPlane, DataPlane, Error, keys};
use crate::data_plane::agent::cache::ResultCache;
use crate::data_plane::erasure::{Erasures, Means};
use crate::journal::Journal;
use crate::supervision::ChildSpec;

/// Opens it, before requests are served and open tasks go on: of whom an erasure is unfinished nothing more is admitted.
pub(super) async fn open(
    journal: &Journal,
    control: &ControlPlane,
    data: &DataPlane,
    results: ResultCache,
) -> Result<(Erasures, ChildSpec), Error> {
    let opened = Erasures::open(Means {
        journal: journal.clone(),
        audit: control.audit.clone(),
        admission: control.admission.clone(),
        orchestrator: data.orchestrator.clone(),
        factory: data.factory.clone(),
        results,
        owner_of: keys::owner_of(),
    });
    Ok(opened.await?)
}
