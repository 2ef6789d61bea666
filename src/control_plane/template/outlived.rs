//! What was in force before a restart, as the store knows it: it serves while no file can be read, and it is withdrawn where its
//! file went meanwhile. Blocks.

use std::collections::BTreeSet;

use tracing::{error, warn};

use crate::domain::name::{TemplateName, Version};

use super::archive;
use super::error::Error;
use super::good::{Good, Rules};
use super::parallel;
use super::refresh::{Known, Workshop, unless_damaged};
use super::source::reading::Reading;
use super::state::News;
use super::version::{self, BASE_LAYER, Past};

impl Workshop {
    /// Adds what was in force to the news of a first look that could read nothing, as far as keys and policy still allow it.
    ///
    /// INVARIANT: a directory that cannot be read stops no template, whoever restarts meanwhile.
    pub(super) fn outlive(&self, news: &mut News, rules: &Rules<'_>) -> Result<(), Error> {
        let names = archive::names_in_force(&self.store)?;
        let kept = parallel::map(&names, |name| {
            let past = self.past(name)?;
            let good = match (&past.pin, past.current) {
                (Some(pin), _) => pin.good.as_ref().ok().map(|good| Good::clone(good)),
                (None, Some(digest)) => unless_damaged(archive::content(&self.store, &self.shelf, name, digest))?,
                (None, None) => None,
            };
            let judged = good.map(|good| {
                let at_home = self.at_home(&good).map_err(|reason| vec![reason]);
                (at_home.and_then(|()| rules.recheck(&good)), good)
            });
            Ok::<_, Error>((past, judged))
        });
        for (name, kept) in names.into_iter().zip(kept) {
            let (past, good) = kept?;
            match good {
                Some((Ok(until), good)) => {
                    news.past.push((name, past));
                    news.recalled.push(Good { until, ..good });
                }
                Some((Err(reasons), _)) => {
                    warn!(template = %name, ?reasons, "the last good version is no longer allowed");
                }
                None => warn!(template = %name, "the version that was in force cannot be had"),
            }
        }
        if !news.recalled.is_empty() {
            let templates = news.recalled.len();
            error!(templates, "no templates can be read; those that were in force before the restart serve");
        }
        Ok(())
    }

    /// Notes the highest version of each layer, as the published contents tell it where no standing does. A version whose content
    /// is damaged counts in every layer that there is.
    pub(super) fn reckon_layers(
        &self,
        name: &TemplateName,
        versions: &[Version],
        past: &mut Past,
    ) -> Result<(), Error> {
        for version in versions {
            let published = unless_damaged(archive::published(&self.store, name, version))?;
            let content = match published {
                Some(published) => {
                    unless_damaged(archive::content(&self.store, &self.shelf, name, published.resolved))?
                }
                None => None,
            };
            match content {
                Some(good) => {
                    for link in good.lineage.iter().filter(|link| link.name == *name) {
                        past.raise(version::layer(link.environment.as_ref()), &link.version);
                    }
                }
                None => {
                    past.raise(BASE_LAYER, version);
                    past.raise(version::layer(self.settings.environment.as_ref()), version);
                }
            }
        }
        Ok(())
    }

    /// The templates that were in force before a restart and whose files went meanwhile; and whether it is known by now which
    /// ones did. A listing is believed as one is that takes a template away while the daemon runs.
    ///
    /// INVARIANT: what is withdrawn stays so: no later mistake under its name brings it back.
    pub(super) fn went_meanwhile(
        &self,
        known: &Known,
        reading: &mut Reading,
    ) -> Result<(BTreeSet<TemplateName>, bool), Error> {
        let Some(listed) = reading.listed.as_ref().filter(|_| !known.settled) else {
            return Ok((BTreeSet::new(), known.settled));
        };
        let names = archive::names_in_force(&self.store)?.into_iter();
        let went: BTreeSet<TemplateName> =
            names.filter(|name| !listed.contains(name) && !known.catalog.entries.contains_key(name)).collect();
        if went.is_empty() || !reading.young {
            return Ok((went, true));
        }
        reading.unsettled.sweep = true;
        Ok((BTreeSet::new(), false))
    }
}
