//! Whether requests are served, and if not, why.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::api::Readiness;
use crate::control_plane::admission::Admission;
use crate::control_plane::template::Templates;
use crate::store::{Health, Store};

pub(super) fn of(store: &Store, templates: Templates, admission: Admission, begun: Arc<AtomicBool>) -> Readiness {
    let store = store.clone();
    Arc::new(move || {
        let mut reasons = Vec::new();
        if admission.is_draining() {
            reasons.push("the daemon is draining".to_owned());
        }
        if let Health::Unwell { cause, .. } = store.health() {
            reasons.push(format!("the store cannot make anything durable: {}", cause.advice()));
        }
        if !templates.ready() {
            reasons.push("templates have not been read yet".to_owned());
        }
        if !begun.load(Ordering::Acquire) {
            reasons.push("the start is not yet on record".to_owned());
        }
        reasons
    })
}
