//! What a look publishes, compressed: one dictionary for all of it, on all cores. Off the actor's mailbox.

use std::sync::Arc;

use tracing::{info, warn};

use crate::control_plane::template::error::Error;
use crate::control_plane::template::good::Good;
use crate::control_plane::template::parallel;
use crate::control_plane::template::state::{Catalog, Change, Decision};
use crate::domain::clock::Timestamp;
use crate::domain::name::TemplateName;
use crate::store::Store;

use super::dictionary::{Dictionary, Press, Pressing, SAMPLE_EACH_BYTES_MAX};
use super::shelf::{Shelf, Trained};

/// The most templates that are looked at for samples.
const SAMPLES_MAX: usize = 8_192;
/// Templates that share one thread's memory for compressing.
const PORTION: usize = 16;

/// The dictionary of one look, ready to compress.
pub(in crate::control_plane::template) struct Packing {
    press: Press,
    /// Set where it was trained a moment ago, so that the store does not know it.
    trained: Option<Trained>,
}

impl Packing {
    /// Chooses the dictionary for what a decision publishes, and trains one where it is time. Blocks.
    pub(in crate::control_plane::template) fn begin(
        store: &Store,
        shelf: &Shelf,
        catalog: &Catalog,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let goods = || catalog.entries.values().filter_map(|entry| entry.good.as_deref());
        let templates = u32::try_from(goods().count()).unwrap_or(u32::MAX);
        let trained = if shelf.is_due(store, templates)? { train(goods(), templates, now) } else { None };
        let trained = match trained {
            Some(Ok(trained)) if shelf.find(store, trained.dictionary.id())?.is_none() => {
                info!(dictionary = trained.dictionary.id(), templates, "trained a dictionary on the templates");
                Some(trained)
            }
            Some(Ok(_)) | None => None,
            Some(Err(reason)) => {
                warn!(reason, "no dictionary could be trained on the templates; the one before goes on");
                shelf.trained_in_vain(templates);
                None
            }
        };
        let dictionary = match &trained {
            Some(trained) => trained.dictionary.clone(),
            None => shelf.newest(store)?,
        };
        let press = dictionary.press().map_err(Error::Interrupted)?;
        Ok(Self { press, trained })
    }

    /// The decision with everything compressed that it made: what it did not touch is compressed already.
    pub(in crate::control_plane::template) fn pack(&self, decision: Decision) -> Result<Decision, Error> {
        let Decision { mut catalog, mut changes, touched } = decision;
        let entries = touched.iter().filter_map(|name| catalog.entries.get(name));
        let kept = entries.flat_map(|entry| [entry.good.as_ref(), entry.pending.as_ref()]);
        let fresh: Vec<Arc<Good>> = kept.flatten().filter(|good| good.resolved.is_plain()).cloned().collect();
        let portions: Vec<&[Arc<Good>]> = fresh.chunks(PORTION).collect();
        let packed = parallel::map(&portions, |portion| self.pack_all(portion));
        let packed = packed.into_iter().collect::<Result<Vec<_>, _>>()?;
        for (plain, good) in fresh.iter().zip(packed.into_iter().flatten()) {
            let Some(entry) = catalog.entries.get_mut(&good.template.name) else { continue };
            let kept = [entry.good.as_mut(), entry.pending.as_mut()];
            for place in kept.into_iter().flatten().filter(|place| Arc::ptr_eq(place, plain)) {
                *place = good.clone();
            }
        }
        for change in &mut changes {
            let Change::Published { good, .. } = change else { continue };
            let in_force = catalog.entries.get(&good.template.name).and_then(|entry| entry.good.as_ref());
            if let Some(packed) = in_force.filter(|kept| kept.same_as(good)) {
                *good = packed.clone();
            }
        }
        Ok(Decision { catalog, changes, touched })
    }

    fn pack_all(&self, goods: &[Arc<Good>]) -> Result<Vec<Arc<Good>>, Error> {
        let mut pressing = self.pressing()?;
        let mut pack = |good: &Arc<Good>| {
            let told = stored(&good.template.name);
            let resolved = good.resolved.press(self.press.dictionary(), &mut pressing).map_err(told)?;
            Ok(Arc::new(Good { resolved, ..Good::clone(good) }))
        };
        goods.iter().map(&mut pack).collect()
    }

    pub(super) fn pressing(&self) -> Result<Pressing<'_>, Error> {
        self.press.begin().map_err(Error::Interrupted)
    }

    pub(super) fn dictionary(&self) -> &Arc<Dictionary> {
        self.press.dictionary()
    }

    /// The dictionary, where the store does not know it yet.
    pub(in crate::control_plane::template) fn trained(&self) -> Option<Trained> {
        self.trained.clone()
    }
}

fn stored(name: &TemplateName) -> impl Fn(String) -> Error {
    let name = name.clone();
    move |reason| Error::Stored { name: name.clone(), reason }
}

/// Trains a dictionary on templates, evenly spread; none if there is not one.
fn train<'a>(goods: impl Iterator<Item = &'a Good>, templates: u32, now: Timestamp) -> Option<Result<Trained, String>> {
    let step = usize::try_from(templates).unwrap_or(usize::MAX).div_ceil(SAMPLES_MAX).max(1);
    let start = |good: &Good| Some(good.resolved.json().ok()?.iter().take(SAMPLE_EACH_BYTES_MAX).copied().collect());
    let samples: Vec<Vec<u8>> = goods.step_by(step).filter_map(start).collect();
    if samples.is_empty() {
        return None;
    }
    let samples: Vec<&[u8]> = samples.iter().map(Vec::as_slice).collect();
    let trained = Dictionary::train(&samples);
    Some(trained.map(|dictionary| Trained { dictionary: Arc::new(dictionary), templates, trained_at: now }))
}
