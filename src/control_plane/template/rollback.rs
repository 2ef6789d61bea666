//! What it means that somebody went back: files are judged and held, the chosen version serves, and keys and policy still count.
//! Pure.

use std::sync::Arc;

use crate::domain::name::TemplateName;

use super::good::Good;
use super::state::{Catalog, Change, Moment, Verdict, distrust_too};
use super::version::{Order, Pin, RolledBack};

impl Catalog {
    /// Notes what somebody decided about a template that is there.
    pub(super) fn obey(&mut self, order: &Order) -> Option<Change> {
        let name = order.name().clone();
        let past = Arc::make_mut(self.past.entry(name.clone()).or_default());
        match order {
            Order::RollBack { mark, good, .. } => {
                past.pin = Some(Pin { mark: Some(RolledBack::clone(mark)), good: Ok(good.clone()) });
                let standing = Box::new(past.standing());
                if let Some(entry) = self.entries.get_mut(&name) {
                    // What was served from the file waits from now on.
                    entry.pending = entry.good.take();
                }
                Some(Change::RolledBack { name, mark: mark.clone(), standing })
            }
            Order::Lift { by, .. } => {
                let _pin = past.pin.take()?;
                Some(Change::Lifted { name, by: by.clone(), standing: Box::new(past.standing()) })
            }
        }
    }

    /// Serves the version that somebody went back to, if keys and policy allow it, and holds what the file says.
    ///
    /// INVARIANT: while a template is rolled back, that version is served or none.
    pub(super) fn hold(&mut self, name: &TemplateName, verdict: Verdict, moment: &Moment<'_>) -> Vec<Change> {
        let Some(pin) = self.past.get(name).and_then(|past| past.pin.clone()) else { return Vec::new() };
        let (pending, refused, fault) = match verdict {
            Verdict::Same => (None, Vec::new(), None),
            Verdict::Publish(good) => (Some(good), Vec::new(), None),
            Verdict::Refuse(reasons, fault) => (None, reasons, fault),
        };
        let chosen = |good: &Arc<Good>| pin.mark.as_ref().is_some_and(|mark| mark.digest == good.template.digest);
        // The same content under a fresh signature is the version that somebody went back to.
        let fresh = pending.clone().filter(chosen);
        let pending = pending.filter(|good| !chosen(good));
        let served = match (self.allowed(name, &pin, moment), fresh) {
            (Err(_), Some(fresh)) => Ok(fresh),
            (allowed, _) => allowed,
        };
        let mut changes = Vec::new();
        let (served, reasons) = match served {
            Ok(good) => (Some(good), refused),
            Err(stopped) => (None, distrust_too(stopped, Some(&refused))),
        };
        changes.extend(served.as_ref().and_then(|good| self.serve_chosen(name, good, moment)));
        let Some(entry) = self.entries.get_mut(name) else { return changes };
        entry.good = served;
        let held = pending.as_ref().map(|good| good.template.version.clone());
        let known = pending.as_ref().map(|good| &good.lineage) == earlier_pending(moment, name);
        entry.pending = pending;
        if let Some(version) = held.filter(|_| !known) {
            changes.push(Change::Held { name: name.clone(), version });
        }
        if reasons.is_empty() {
            let told_before = moment.before.entries.get(name).is_some_and(|earlier| !earlier.reasons.is_empty());
            let good = entry.good.clone().filter(|_| told_before && changes.is_empty());
            entry.reasons.clear();
            changes.extend(good.map(|good| Change::Published { good, record: None }));
        } else {
            changes.extend(self.refuse(name, reasons, fault, moment));
        }
        changes
    }

    /// The version that somebody went back to, or why it may not be served.
    fn allowed(&self, name: &TemplateName, pin: &Pin, moment: &Moment<'_>) -> Result<Arc<Good>, Vec<String>> {
        let good = pin.good.as_ref().map_err(|reason| vec![reason.clone()])?;
        let served = self.entries.get(name).and_then(|entry| entry.good.as_ref());
        // What is served was rechecked when there was doubt, and knows until when it is trusted.
        match served.filter(|served| served.lineage == good.lineage) {
            Some(served) => Ok(served.clone()),
            None => {
                let until = moment.rules.recheck(good)?;
                Ok(Arc::new(Good { until, ..Good::clone(good) }))
            }
        }
    }

    fn serve_chosen(&mut self, name: &TemplateName, good: &Arc<Good>, moment: &Moment<'_>) -> Option<Change> {
        let served = self.entries.get(name).and_then(|entry| entry.good.as_ref());
        let as_before = served.is_some_and(|served| served.lineage == good.lineage);
        if as_before && moment.order(name).is_none() {
            return None;
        }
        let record = self.record(name, good, moment);
        let past = Arc::make_mut(self.past.entry(name.clone()).or_default());
        if let Some(pin) = &mut past.pin {
            pin.good = Ok(good.clone());
        }
        Some(Change::Published { good: good.clone(), record })
    }
}

fn earlier_pending<'a>(moment: &'a Moment<'_>, name: &TemplateName) -> Option<&'a Vec<super::good::Link>> {
    let earlier = moment.before.entries.get(name)?;
    earlier.pending.as_ref().map(|good| &good.lineage)
}
