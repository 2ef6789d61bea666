//! Running experiments as look-ups see them: which versions may run now, and which one a task gets.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tokio::sync::Mutex;

use super::state::{self, Experiment, Unit};
use crate::control_plane::template::judges::Judges;
use crate::control_plane::template::model::Template;
use crate::control_plane::template::{self, handle::Templates};
use crate::domain::clock::Timestamp;
use crate::domain::id::ExperimentId;
use crate::domain::name::TemplateName;
use crate::journal::order::Assignment;

/// All running experiments.
#[derive(Default)]
pub(super) struct Picture {
    pub(super) by_template: HashMap<TemplateName, Arc<Live>>,
}

/// A running experiment.
pub(super) struct Live {
    pub(super) experiment: Experiment,
    shares: Vec<f64>,
    verdicts: ArcSwapOption<Verdicts>,
    /// Held while the versions are judged, so that one does it for all.
    judging: Mutex<()>,
}

/// What keys and policy say of the versions.
pub(super) struct Verdicts {
    /// By whose word, and when: a key may cease to be trusted at an instant.
    by: Judges,
    at: Timestamp,
    /// The versions that may run, and why the others may not.
    pub(super) variants: Vec<Result<Arc<Template>, Vec<String>>>,
}

impl Picture {
    /// The running experiment of that name.
    pub(super) fn find(&self, id: ExperimentId) -> Option<&Arc<Live>> {
        self.by_template.values().find(|live| live.experiment.id == id)
    }
}

impl Live {
    pub(super) fn new(experiment: Experiment) -> Self {
        let shares = experiment.variants.iter().map(|variant| variant.share).collect();
        Self { experiment, shares, verdicts: ArcSwapOption::empty(), judging: Mutex::new(()) }
    }

    /// The same after something about it has changed; what was judged stays judged.
    pub(super) fn changed(&self, experiment: Experiment) -> Self {
        let next = Self::new(experiment);
        next.verdicts.store(self.verdicts.load_full());
        next
    }

    /// Which versions may run, by the keys and the policy of now.
    ///
    /// INVARIANT I81: a version that is no longer trusted or allowed gets no task: what was judged by other keys or another policy
    /// is judged again before anybody is given it.
    pub(super) async fn verdicts(&self, templates: &Templates) -> Arc<Verdicts> {
        let fresh = |by: &Judges, now: Timestamp| {
            self.verdicts.load_full().filter(|known| known.by.same_as(by) && !by.turned(known.at, now))
        };
        if let Some(verdicts) = fresh(&templates.judges(), Timestamp::now()) {
            return verdicts;
        }
        let _judging = self.judging.lock().await;
        let (by, at) = (templates.judges(), Timestamp::now());
        if let Some(verdicts) = fresh(&by, at) {
            return verdicts;
        }
        let mut variants = Vec::with_capacity(self.experiment.variants.len());
        let mut is_known = true;
        for variant in &self.experiment.variants {
            let judged = templates.judged((&by, at), &self.experiment.template, &variant.digest).await;
            variants.push(judged.unwrap_or_else(|fault| {
                // A store that cannot be read now is asked again; what is not there, or damaged, stays so.
                is_known &= matches!(fault, template::Error::VersionNotFound { .. } | template::Error::Stored { .. });
                Err(vec![fault.to_string()])
            }));
        }
        let verdicts = Arc::new(Verdicts { by, at, variants });
        if is_known {
            self.tell_changes(&verdicts);
            self.verdicts.store(Some(Arc::clone(&verdicts)));
        }
        verdicts
    }

    /// Which variants take tasks.
    pub(super) fn takes(&self, verdicts: &Verdicts) -> Vec<bool> {
        let variants = self.experiment.variants.iter().zip(&verdicts.variants);
        variants.map(|(variant, verdict)| variant.halted.is_none() && verdict.is_ok()).collect()
    }

    /// The version that a unit gets; none where no variant takes tasks.
    pub(super) fn assign(&self, verdicts: &Verdicts, unit: &Unit) -> Option<(Arc<Template>, Assignment)> {
        let place = state::assign(self.experiment.id, &self.shares, &self.takes(verdicts), unit)?;
        let template = verdicts.variants.get(usize::from(place))?.as_ref().ok()?;
        Some((Arc::clone(template), self.experiment.assignment(place)))
    }

    fn tell_changes(&self, now: &Verdicts) {
        let before = self.verdicts.load();
        for (place, (variant, verdict)) in self.experiment.variants.iter().zip(&now.variants).enumerate() {
            let was_allowed =
                before.as_ref().is_none_or(|before| before.variants.get(place).is_some_and(Result::is_ok));
            let (template, version) = (&self.experiment.template, &variant.version);
            match verdict {
                Err(reasons) if was_allowed => {
                    tracing::warn!(%template, %version, ?reasons, "a version in an experiment may not run; others get its tasks");
                }
                Ok(_) if !was_allowed => {
                    tracing::info!(%template, %version, "a version in an experiment may run again");
                }
                Ok(_) | Err(_) => {}
            }
        }
    }
}
