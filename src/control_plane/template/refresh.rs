//! One look at the world: read what changed, decide, make it durable. The actor then shows the outcome to everybody.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use nix::unistd::{Uid, User};
use tracing::{error, warn};

use crate::config::settings;
use crate::control_plane::audit;
use crate::control_plane::policy::Policies;
use crate::domain::clock::Timestamp;
use crate::domain::name::{TemplateName, Version};
use crate::store::{self, Batch, Store};

use super::archive;
use super::archive::packing::Packing;
use super::archive::shelf::{Shelf, Trained};
use super::error::Error;
use super::good::{Good, Rules};
use super::orders::Request;
use super::source::directory::{self, Listed};
use super::source::look::{self, Bytes};
use super::source::scope::Scope;
use super::state::{Catalog, Change, Decision, Doubt, News, decide};
use super::trust::news::{self, TrustNews};
use super::trust::{Trust, TrustStore};
use super::version::{BASE_LAYER, Past, Pin, Published, Standing};

/// Where everything comes from and goes to.
pub(super) struct Workshop {
    pub(super) settings: settings::Templates,
    pub(super) directory: PathBuf,
    pub(super) store: Store,
    /// The dictionaries that content is compressed with.
    pub(super) shelf: Arc<Shelf>,
    pub(super) policies: Policies,
}

/// What is known between two looks.
#[derive(Default)]
pub(super) struct Known {
    pub(super) catalog: Catalog,
    pub(super) trust: Arc<TrustStore>,
    /// When the good versions were judged by those keys.
    pub(super) judged_at: Option<Timestamp>,
}

/// What a look came to; the store knows it already.
pub(super) struct Looked {
    pub(super) known: Known,
    pub(super) changes: Vec<Change>,
    /// Whether the trusted keys are others than before.
    pub(super) keys_changed: bool,
    /// What became different with the keys, for people.
    pub(super) trust_news: Vec<TrustNews>,
    /// What a request came to.
    pub(super) answer: Result<(), Error>,
}

/// A look with what must become durable before it is shown.
struct Written {
    looked: Looked,
    batches: Vec<Batch>,
    trained: Option<Trained>,
    /// What the audit log is to say of a request.
    entry: Option<audit::Entry>,
}

/// Looks at what the scope says, and does what is asked for.
///
/// # Errors
/// The store failed: nothing of the look may be shown.
pub(super) async fn refresh(
    workshop: Arc<Workshop>,
    known: Arc<Known>,
    scope: Scope,
    request: Option<Request>,
) -> Result<Looked, Error> {
    let store = workshop.store.clone();
    let shelf = workshop.shelf.clone();
    let written = tokio::task::spawn_blocking(move || workshop.look(&known, &scope, request.as_ref()));
    let Written { looked, batches, trained, entry } =
        written.await.map_err(|fault| Error::Interrupted(fault.to_string()))??;
    // INVARIANT I61: a list of revocations is durable before anything is judged by it alone.
    if let Some(bytes) = looked.known.trust.accepted() {
        store.commit(archive::revocations_batch(bytes)).await?;
    }
    // INVARIANT: a version is durable before anyone is served it.
    let audited = entry.map(audit::Entry::into_batch);
    let mut batches = batches.into_iter();
    let first = match (batches.next(), audited) {
        (Some(first), Some(audited)) => Some(first.and(audited)),
        (first, audited) => first.or(audited),
    };
    for batch in first.into_iter().chain(batches) {
        store.commit(batch).await?;
    }
    if let Some(trained) = trained {
        shelf.adopt(trained);
    }
    Ok(looked)
}

impl Workshop {
    fn look(&self, known: &Known, scope: &Scope, request: Option<&Request>) -> Result<Written, Error> {
        let reload = scope.keys || !scope.doubted.is_empty();
        let now = Timestamp::now();
        let trust = match (reload, known.trust.accepted()) {
            (true, _) => Arc::new(self.load_keys(&known.trust, now)?),
            (false, None) => known.trust.clone(),
            (false, Some(_)) => Arc::new(TrustStore::clone(&known.trust).kept()),
        };
        let turned = known.judged_at.is_some_and(|judged_at| trust.turned(judged_at, now));
        let keys_changed = turned || !trust.same_as(&known.trust);
        let policy = self.policies.current();
        let required = self.settings.enable_signature_validation.then(|| trust.at(now));
        let rules = Rules { trust: required, policy: &policy };
        let everything = scope.everything || keys_changed;
        let mut news = self.read(&known.catalog, scope, everything, keys_changed, required);
        news.doubt = if keys_changed { Doubt::All } else { Doubt::Some(scope.doubted.clone()) };
        self.ask_archive(&known.catalog, &mut news)?;
        let order = request.map(|request| self.order(&known.catalog, &news, request, &rules, now)).transpose();
        let (answer, order) = match order {
            Ok(order) => (Ok(()), order.flatten()),
            Err(fault @ (Error::Store(_) | Error::Stored { .. })) => return Err(fault),
            Err(refused) => (Err(refused), None),
        };
        news.order = order;
        let entry = request.filter(|_| answer.is_ok()).map(|request| request.entry.clone().under(policy.digest()));
        let (first_seen, repeat) = (unknown(&known.catalog, &news), news.clone());
        let decision = decide(&known.catalog, news, &rules, now);
        let mut decision = match self.recall(&decision, first_seen, &rules)? {
            recalled if recalled.is_empty() => decision,
            recalled => decide(&known.catalog, News { recalled, ..repeat }, &rules, now),
        };
        name_owners(&mut decision.changes);
        let packing = Packing::begin(&self.store, &self.shelf, &decision.catalog, now)?;
        let Decision { catalog, changes } = packing.pack(decision)?;
        let batches = archive::batches(&changes, &packing)?;
        let trust_news = news::between(&known.trust, &trust);
        let judged_at = Some(if keys_changed { now } else { known.judged_at.unwrap_or(now) });
        let looked = Looked { known: Known { catalog, trust, judged_at }, changes, keys_changed, trust_news, answer };
        Ok(Written { looked, batches, trained: packing.trained().cloned(), entry })
    }

    /// Reads the keys. The list of revocations that was accepted last is the one that was in force before, or before a restart.
    fn load_keys(&self, before: &TrustStore, now: Timestamp) -> Result<TrustStore, Error> {
        let in_force = match before.revocations() {
            Some(list) => Some(list.clone()),
            None => unless_damaged(archive::revocations(&self.store))?.map(Arc::new),
        };
        Ok(TrustStore::load(&self.settings, in_force, now))
    }

    /// Reads what the scope asks for. Files whose bytes are the same are not parsed and verified again.
    fn read(
        &self,
        catalog: &Catalog,
        scope: &Scope,
        everything: bool,
        keys_changed: bool,
        trust: Option<Trust<'_>>,
    ) -> News {
        let mut news = News::default();
        let names = match directory::list(&self.directory) {
            Listed::Missing(reason) => {
                // Whoever takes the whole directory away rather wants it back than every template stopped.
                warn!(directory = %self.directory.display(), reason, "no templates can be read; those that serve go on");
                return news;
            }
            Listed::Found { names, ignored } if everything => {
                for reason in ignored {
                    warn!(reason, "ignored in the templates directory");
                }
                news.gone = catalog.entries.keys().filter(|name| !names.contains(*name)).cloned().collect();
                names
            }
            Listed::Found { .. } => scope.names.union(&scope.doubted).cloned().collect(),
        };
        for name in names {
            let Some(bytes) = directory::read(&self.directory, &name) else {
                if catalog.entries.contains_key(&name) {
                    news.gone.insert(name);
                }
                continue;
            };
            if keys_changed || scope.doubted.contains(&name) || !unchanged(catalog, &name, &bytes) {
                let seen = Arc::new(look::look(&name, &bytes, trust));
                news.seen.insert(name, seen);
            }
        }
        news
    }

    /// Asks the store about versions that the catalog does not know.
    fn ask_archive(&self, catalog: &Catalog, news: &mut News) -> Result<(), Error> {
        let mut history: Vec<((TemplateName, Version), Published)> = Vec::new();
        for (name, seen) in &news.seen {
            let file = seen.outcome.as_ref().ok().map(|checked| checked.document.version().clone());
            let mut versions: Vec<Version> = file.into_iter().collect();
            if !catalog.past.contains_key(name) {
                let past = self.past(name)?;
                versions.extend(past.rolled_back().map(|mark| mark.version.clone()));
                news.past.push((name.clone(), past));
            }
            for version in versions {
                let key = (name.clone(), version);
                if !catalog.history.contains_key(&key)
                    && let Some(published) = unless_damaged(archive::published(&self.store, name, &key.1))?
                {
                    history.push((key, published));
                }
            }
        }
        news.history = history;
        Ok(())
    }

    /// What the store keeps about a template.
    fn past(&self, name: &TemplateName) -> Result<Past, Error> {
        let current = unless_damaged(archive::current(&self.store, name))?;
        let (standing, damaged) = match archive::standing(&self.store, name) {
            Err(fault) => {
                // Whether somebody went back is not known: serving the file might be what they decided against.
                error!(template = %name, %fault, "what is known about a template's versions is damaged");
                let reason = "the record of its versions is damaged; decide with templates rollback which one serves";
                (unless_damaged::<Standing>(Err(fault))?, Some(Pin { mark: None, good: Err(reason.to_owned()) }))
            }
            Ok(standing) => (standing, None),
        };
        let Some(standing) = standing else {
            let (floor, next) = archive::reckon(&self.store, name)?;
            let mut past = Past { current, next, pin: damaged, ..Past::default() };
            floor.iter().for_each(|version| past.raise(BASE_LAYER, version));
            return Ok(past);
        };
        let pin = standing.pin.map(|mark| {
            let content = unless_damaged(archive::content(&self.store, &self.shelf, name, mark.digest));
            content.map(|content| {
                let good = content.map(Arc::new).ok_or_else(|| format!("the content of {} is damaged", mark.version));
                Pin { mark: Some(mark), good }
            })
        });
        Ok(Past { current, floors: standing.floors, next: standing.next, pin: pin.transpose()? })
    }

    /// Versions that were in force before a restart and whose files are refused now: the last good goes on serving, if keys
    /// and policy still allow it.
    fn recall(
        &self,
        decision: &Decision,
        names: BTreeSet<TemplateName>,
        rules: &Rules<'_>,
    ) -> Result<Vec<Good>, Error> {
        let mut recalled = Vec::new();
        for name in names {
            let rolled_back = decision.catalog.past.get(&name).is_some_and(|past| past.pin.is_some());
            if rolled_back || decision.catalog.entries.get(&name).is_none_or(|entry| entry.good.is_some()) {
                continue;
            }
            let Some(digest) = unless_damaged(archive::current(&self.store, &name))? else { continue };
            let Some(good) = unless_damaged(archive::content(&self.store, &self.shelf, &name, digest))? else {
                continue;
            };
            match rules.recheck(&good) {
                Ok(until) => recalled.push(Good { until, ..good }),
                Err(reasons) => warn!(template = %name, ?reasons, "the last good version is no longer allowed"),
            }
        }
        Ok(recalled)
    }
}

/// Gives the owners of files their names, as far as the host knows them.
fn name_owners(changes: &mut [Change]) {
    let mut names: BTreeMap<u32, Option<Arc<str>>> = BTreeMap::new();
    for change in changes {
        let Change::Published { record: Some(entry), .. } = change else { continue };
        let by = &mut entry.publication.by;
        if let (None, Some(uid)) = (&by.name, by.uid) {
            let known = names.entry(uid).or_insert_with(|| {
                let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
                user.map(|user| user.name.into())
            });
            by.name.clone_from(known);
        }
    }
}

fn unchanged(catalog: &Catalog, name: &TemplateName, bytes: &Bytes) -> bool {
    let seen = catalog.entries.get(name).and_then(|entry| entry.seen.as_ref());
    seen.is_some_and(|seen| seen.fingerprint == bytes.fingerprint())
}

/// A damaged record is told and taken for none, so that it stops neither the other templates nor the start; the next
/// publication writes it anew.
fn unless_damaged<T>(read: Result<Option<T>, Error>) -> Result<Option<T>, Error> {
    match read {
        Err(
            fault @ (Error::Stored { .. } | Error::StoredRevocations(_) | Error::Store(store::Error::Damaged { .. })),
        ) => {
            error!(%fault, "a template's history has a damaged record");
            Ok(None)
        }
        other => other,
    }
}

/// The names that nothing was known about before.
fn unknown(catalog: &Catalog, news: &News) -> BTreeSet<TemplateName> {
    news.seen.keys().filter(|name| !catalog.entries.contains_key(*name)).cloned().collect()
}
