//! What is written down when a version comes into force: why, by whom, and under which number of the log. Pure.

use std::sync::Arc;

use crate::domain::name::{Digest, TemplateName};

use super::format::mistake::Mistake;
use super::good::Good;
use super::made_of::MadeOf;
use super::state::{Catalog, Moment};
use super::version::{self, BASE_LAYER, By, Cause, Publication, Published};

impl Catalog {
    /// Notes a version as published; returns what the store does not know yet.
    pub(super) fn record(
        &mut self,
        name: &TemplateName,
        good: &Good,
        moment: &Moment<'_>,
    ) -> Option<Box<version::Entry>> {
        let digest = good.template.digest;
        let published = Published {
            own: good.lineage.first().map_or(digest, |link| link.own),
            resolved: digest,
            seal: good.seal,
            signer: good.template.signer.clone(),
            published_at: good.template.published_at,
        };
        let (cause, by) = self.cause(name, good, &published, moment);
        let past = Arc::make_mut(self.past.entry(name.clone()).or_default());
        let in_force = past.current.replace(digest);
        let earlier = self.history.insert((name.clone(), good.template.version.clone()), published.clone());
        if earlier.is_none() && past.pin.is_none() && moment.order(name).is_none() {
            past.advance(version::layer(good.environment()), &good.template.version);
        }
        for link in good.lineage.iter().filter(|link| link.name == *name) {
            past.raise(version::layer(link.environment.as_ref()), &link.version);
        }
        if in_force == Some(digest) && earlier.as_ref() == Some(&published) && cause.is_none() {
            return None;
        }
        let number = past.next;
        past.next = number.saturating_add(1);
        let publication = Publication {
            at: moment.now,
            version: good.template.version.clone(),
            digest,
            own: published.own,
            signer: published.signer.clone(),
            cause: cause.unwrap_or(Cause::Resigned),
            by,
            policy: moment.rules.policy.digest(),
        };
        Some(Box::new(version::Entry { published, publication, number, standing: past.standing() }))
    }

    /// What would replay an earlier file though its number is not lower than that of a template in its layer: one whose number
    /// differs only in its build, or the base file beneath an environment's. What is in force already is no news.
    pub(super) fn overtaken(
        &self,
        made_of: MadeOf<'_>,
        published: Option<&Published>,
        digest: Digest,
    ) -> Result<(), Mistake> {
        let document = &made_of.own.document;
        let (name, version) = (document.name(), document.version());
        let Some(past) = self.past.get(name).filter(|past| past.current != Some(digest)) else { return Ok(()) };
        let replaced = published.filter(|earlier| past.current != Some(earlier.resolved));
        if let Some(latest) = replaced.and_then(|_| past.beside(version::layer(made_of.environment), version)) {
            let message = format!(
                "{latest} took the place of {version}, and versions never go backwards; raise the number, or go back \
                 with: factoryctl templates rollback {name} {version}"
            );
            return Err(Mistake::at("/version", message));
        }
        let Some(beneath) = made_of.beneath.map(|beneath| &beneath.document) else { return Ok(()) };
        let good = self.entries.get(name).and_then(|entry| entry.good.as_ref());
        let linked = good.and_then(|good| {
            good.lineage
                .iter()
                .find(|link| link.name == *name && link.environment.is_none() && link.version == *beneath.version())
        });
        let message = match (linked, past.above(BASE_LAYER, beneath.version())) {
            (Some(link), _) if link.own == beneath.digest() => return Ok(()),
            (Some(_), _) => "has other content than when it was published; raise its number".to_owned(),
            (None, Some(floor)) => {
                format!(
                    "is lower than {floor}, which was published before; versions never go backwards, raise its number"
                )
            }
            (None, None) => return Ok(()),
        };
        let message = format!("the base file {name}.json: {} {message}", beneath.version());
        Err(Mistake::at("/extends", message))
    }

    /// Why a version comes into force, and by whom; no cause where the store may know all of it already.
    fn cause(
        &self,
        name: &TemplateName,
        good: &Good,
        published: &Published,
        moment: &Moment<'_>,
    ) -> (Option<Cause>, By) {
        if let Some(order) = moment.order(name) {
            let (cause, by) = order.cause();
            return (Some(cause), by);
        }
        let in_force = self.past.get(name).and_then(|past| past.current);
        let earlier = moment.before.entries.get(name);
        if in_force == Some(published.resolved) {
            let stopped = earlier.is_some_and(|earlier| earlier.good.is_none());
            return if stopped { (Some(Cause::Restored), By::default()) } else { (None, self.owner(name)) };
        }
        let lineage = earlier.and_then(|earlier| earlier.good.as_ref()).map(|good| good.lineage.as_slice());
        let known = self.history.get(&(name.clone(), good.template.version.clone()));
        match (lineage, known) {
            (Some([own, parents @ ..]), _) if own.own == published.own && own.version == good.template.version => {
                let changed = good.lineage.iter().skip(1).find(|link| !parents.contains(link));
                (Some(Cause::ParentChanged), changed.map(|link| self.author(&link.name, moment)).unwrap_or_default())
            }
            (None, Some(known)) if known.own == published.own => {
                (Some(if in_force.is_some() { Cause::ParentChanged } else { Cause::Restored }), By::default())
            }
            (Some(_) | None, Some(_) | None) => (Some(Cause::Edited), self.owner(name)),
        }
    }

    /// Who changed a template that others inherit from.
    fn author(&self, name: &TemplateName, moment: &Moment<'_>) -> By {
        moment.order(name).map_or_else(|| self.owner(name), |order| order.cause().1)
    }

    /// Who made a template what it is: who went back, else who owns its file.
    fn owner(&self, name: &TemplateName) -> By {
        match self.past.get(name).and_then(|past| past.rolled_back()) {
            Some(mark) => By::principal(&mark.by),
            None => By::owner(self.entries.get(name).and_then(|entry| entry.seen.as_ref()).and_then(|seen| seen.owner)),
        }
    }
}
