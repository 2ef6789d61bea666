//! One look at the world: read what changed, decide, make it durable. The actor then shows the outcome to everybody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, future, stream};
use nix::unistd::{Uid, User};
use tracing::{error, warn};

use crate::config::settings;
use crate::control_plane::policy::Policies;
use crate::domain::clock::Timestamp;
use crate::domain::name::{Digest, TemplateName};
use crate::store::{self, Batch, Store};

use super::archive;
use super::archive::packing::Packing;
use super::archive::shelf::{Shelf, Trained};
use super::error::Error;
use super::good::{Good, Rules};
use super::metrics;
use super::orders::Request;
use super::parallel;
use super::source::look::Seen;
use super::source::reading::{Ask, Reading, Source};
use super::source::scope::Scope;
use super::state::{Catalog, Change, Decision, Doubt, News, decide};
use super::trust::TrustStore;
use super::trust::memory::{Memory, Remembered};
use super::trust::news::{self, TrustNews};
use super::version::{BASE_LAYER, Past, Pin, Standing};

/// Commits that wait side by side.
const COMMITS_MAX: usize = 16;

/// Where everything comes from and goes to.
pub(super) struct Workshop {
    pub(super) settings: settings::Templates,
    pub(super) source: Source,
    pub(super) store: Store,
    /// The dictionaries that content is compressed with.
    pub(super) shelf: Arc<Shelf>,
    pub(super) policies: Policies,
    /// Held for the whole of a look, so that one that its actor has not outlived is over before its successor reads the store.
    pub(super) turn: tokio::sync::Mutex<()>,
}

/// What is known between two looks.
#[derive(Default)]
pub(super) struct Known {
    pub(super) catalog: Catalog,
    pub(super) trust: Arc<TrustStore>,
    /// Counts the changes of the keys, also those that time alone brought.
    pub(super) key_epoch: u64,
    /// When the good versions were judged by those keys.
    pub(super) judged_at: Option<Timestamp>,
    /// The policy by which the good versions were judged.
    pub(super) policy: Option<Digest>,
    /// Whether what the store has in force was compared with a listing of the directories.
    pub(super) settled: bool,
}

/// What a look came to; the store knows it already.
pub(super) struct Looked {
    pub(super) known: Known,
    pub(super) changes: Vec<Change>,
    /// Whether the trusted keys are others than before.
    pub(super) keys_changed: bool,
    /// The templates that may be others than before; none in the first look, which knows nothing of what was before.
    pub(super) touched: Option<BTreeSet<TemplateName>>,
    /// What is being changed, to be looked at again soon.
    pub(super) unsettled: Scope,
    /// What became different with the keys, for people.
    pub(super) trust_news: Vec<TrustNews>,
    /// What a request came to.
    pub(super) answer: Result<(), Error>,
}

/// A look with what must become durable before it is shown.
struct Written {
    looked: Looked,
    /// A dictionary that what follows was compressed with and that the store does not know yet.
    trained: Option<Trained>,
    /// What somebody decided.
    decided: Option<Batch>,
    batches: Vec<Batch>,
    /// What the audit log is to say of a request.
    entry: Option<Batch>,
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
    let _turn = workshop.turn.lock().await;
    let looking = workshop.clone();
    let written = tokio::task::spawn_blocking(move || looking.look(&known, &scope, request.as_ref()))
        .await
        .map_err(|fault| Error::Interrupted(fault.to_string()))
        .flatten();
    let kept = match written {
        Ok(written) => keep(&workshop, written).await,
        Err(fault) => Err(fault),
    };
    if kept.is_err() {
        workshop.source.forget();
    }
    kept
}

/// Makes changes durable: first what somebody decided, with its audit entry, and then the rest. Those commits wait side by side,
/// so that one reaching of the disk serves many of them.
async fn keep(workshop: &Workshop, written: Written) -> Result<Looked, Error> {
    let store = &workshop.store;
    let Written { looked, trained, decided, batches, entry } = written;
    // INVARIANT I61: a list of revocations is durable before anything is judged by it alone.
    if let Some(bytes) = looked.known.trust.accepted() {
        store.commit(archive::revocations_batch(bytes)).await?;
    }
    if looked.known.trust.first_trust_file() {
        store.commit(archive::trust_file_batch()).await?;
    }
    // INVARIANT: a version is durable before anyone is served it.
    // INVARIANT I68: a dictionary is durable before anything that was compressed with it.
    if let Some(trained) = trained {
        store.commit(archive::dictionary_batch(&trained)?).await?;
        workshop.shelf.adopt(trained);
    }
    let decided = match (decided, entry) {
        (Some(decided), Some(entry)) => Some(decided.and(entry)),
        (decided, entry) => decided.or(entry),
    };
    if let Some(decided) = decided {
        store.commit(decided).await?;
    }
    let commits = batches.into_iter().map(|batch| store.commit(batch));
    stream::iter(commits).buffer_unordered(COMMITS_MAX).try_for_each(|_| future::ready(Ok(()))).await?;
    Ok(looked)
}

impl Workshop {
    fn look(&self, known: &Known, scope: &Scope, request: Option<&Request>) -> Result<Written, Error> {
        let reload = scope.keys || scope.sweep || !scope.doubted.is_empty();
        let now = Timestamp::now();
        let trust = match (reload, known.trust.accepted()) {
            (true, _) => Arc::new(self.load_keys(&known.trust, now)?),
            (false, None) => known.trust.clone(),
            (false, Some(_)) => Arc::new(TrustStore::clone(&known.trust).kept()),
        };
        let turned = known.judged_at.is_some_and(|judged_at| trust.turned(judged_at, now));
        let keys_changed = turned || !trust.same_as(&known.trust);
        let key_epoch = known.key_epoch.saturating_add(u64::from(keys_changed));
        let policy = self.policies.current();
        let required = self.settings.enable_signature_validation.then(|| trust.at(now));
        let rules = Rules { trust: required, key_epoch, policy: &policy };
        let mut reading =
            self.read(&known.catalog, Ask { scope, all_again: keys_changed, trust: required, key_epoch, now });
        let (went, settled) = self.went_meanwhile(known, &mut reading)?;
        // Another policy judges every good version anew; files that it would let in are judged in every look.
        let doubts_all = keys_changed || known.policy != Some(policy.digest());
        let doubt = if doubts_all { Doubt::All } else { Doubt::Some(scope.doubted.clone()) };
        let mut news = News { seen: reading.seen, gone: reading.gone, doubt, ..News::default() };
        if reading.unread && known.catalog.entries.is_empty() {
            self.outlive(&mut news, &rules)?;
        }
        self.ask_archive(&known.catalog, &mut news)?;
        let order = request.map(|request| self.order(&known.catalog, &news, request, &rules, now)).transpose();
        let (answer, order) = match order {
            Ok(order) => (Ok(()), order.flatten()),
            Err(fault @ (Error::Store(_) | Error::Stored { .. })) => return Err(fault),
            Err(refused) => (Err(refused), None),
        };
        news.order = order;
        let entry =
            request.filter(|_| answer.is_ok()).map(|request| request.entry.clone().into_batch_under(policy.digest()));
        let (first_seen, repeat) = (unknown(&known.catalog, &news), news.clone());
        let decision = decide(&known.catalog, news, &rules, now);
        let mut decision = match self.recall(&decision, first_seen, &rules)? {
            recalled if recalled.is_empty() => decision,
            recalled => decide(&known.catalog, News { recalled, ..repeat }, &rules, now),
        };
        name_owners(&mut decision.changes);
        decision.changes.extend(went.into_iter().map(|name| Change::Withdrawn { name }));
        let packing = Packing::begin(&self.store, &self.shelf, &decision.catalog, now)?;
        let Decision { catalog, changes, touched } = packing.pack(decision)?;
        let (decided, batches) = archive::batches(&changes, &packing)?;
        let touched = if known.catalog.entries.is_empty() { None } else { Some(touched) };
        let trust_news = news::between(&known.trust, &trust);
        let judged_at = Some(if keys_changed { now } else { known.judged_at.unwrap_or(now) });
        let known = Known { catalog, trust, key_epoch, judged_at, policy: Some(policy.digest()), settled };
        let unsettled = reading.unsettled;
        let looked = Looked { known, changes, keys_changed, touched, unsettled, trust_news, answer };
        Ok(Written { looked, trained: packing.trained(), decided, batches, entry })
    }

    fn read(&self, catalog: &Catalog, ask: Ask<'_>) -> Reading {
        let known = |name: &TemplateName| catalog.entries.get(name).and_then(|entry| entry.seen.as_deref());
        let reading = self.source.read(ask, &known, catalog.entries.keys());
        if ask.scope.sweep || reading.unheard > 0 {
            metrics::swept(reading.unheard);
        }
        if reading.unheard > 0 {
            warn!(templates = reading.unheard, "changes that no event has told were found by a sweep");
        }
        reading
    }

    /// Reads the keys. The list of revocations that was accepted last is the one that was in force before, or before a restart.
    fn load_keys(&self, before: &TrustStore, now: Timestamp) -> Result<TrustStore, Error> {
        let revocations = match before.revocations() {
            Some(list) => Remembered::List(list.clone()),
            None => archive::revocations(&self.store)?,
        };
        let trust_file = before.trust_file() || archive::trust_file(&self.store)?;
        let trust = TrustStore::load(&self.settings, Memory { revocations, trust_file }, now);
        match trust.interrupted().filter(|_| before.revocations().is_some()) {
            // What the host lacks for a moment takes no key away; a first reading has nothing to fall back on.
            Some(reason) => Err(Error::Interrupted(format!("read the keys: {reason}"))),
            None => Ok(trust),
        }
    }

    /// Asks the store about versions that the catalog does not know.
    fn ask_archive(&self, catalog: &Catalog, news: &mut News) -> Result<(), Error> {
        let seen: Vec<(&TemplateName, &Seen)> = news.seen.iter().map(|(name, seen)| (name, seen.as_ref())).collect();
        let kept = parallel::map(&seen, |(name, seen)| {
            let past = if catalog.past.contains_key(*name) { None } else { Some(self.past(name)?) };
            let file = seen.outcome.as_ref().ok().map(|checked| checked.document.version().clone());
            let chosen = past.as_ref().and_then(|past| past.rolled_back()).map(|mark| mark.version.clone());
            let mut history = Vec::new();
            for version in file.into_iter().chain(chosen) {
                let key = ((*name).clone(), version);
                if !catalog.history.contains_key(&key)
                    && let Some(published) = unless_damaged(archive::published(&self.store, name, &key.1))?
                {
                    history.push((key, published));
                }
            }
            Ok::<_, Error>((past, history))
        });
        let names: Vec<TemplateName> = news.seen.keys().cloned().collect();
        for (name, kept) in names.into_iter().zip(kept) {
            let (past, history) = kept?;
            news.past.extend(past.map(|past| (name, past)));
            news.history.extend(history);
        }
        Ok(())
    }

    /// What the store keeps about a template.
    pub(super) fn past(&self, name: &TemplateName) -> Result<Past, Error> {
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
            if past.pin.is_some() {
                self.reckon_layers(name, &floor, &mut past)?;
            } else {
                floor.iter().for_each(|version| past.raise(BASE_LAYER, version));
            }
            return Ok(past);
        };
        let pin = standing.pin.map(|mark| {
            let content = unless_damaged(archive::content(&self.store, &self.shelf, name, mark.digest));
            content.map(|content| {
                let good = content.ok_or_else(|| format!("the content of {} is damaged", mark.version));
                let good = good.and_then(|good| self.at_home(&good).map(|()| Arc::new(good)));
                Pin { mark: Some(mark), good }
            })
        });
        Ok(Past { current, floors: standing.floors, next: standing.next, pin: pin.transpose()? })
    }

    /// What was made for another environment serves in that one alone, whatever was in force before a restart.
    pub(super) fn at_home(&self, good: &Good) -> Result<(), String> {
        let here = self.settings.environment.as_ref();
        match good.foreign(here) {
            None => Ok(()),
            Some(other) => {
                let here = here.map_or_else(|| "none".to_owned(), ToString::to_string);
                let version = &good.template.version;
                Err(format!(
                    "{version} was made from a file of the environment {other}, and the one of the settings is {here}"
                ))
            }
        }
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
            match self.at_home(&good).map_err(|reason| vec![reason]).and_then(|()| rules.recheck(&good)) {
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

/// A damaged record is told and taken for none, so that it stops neither the other templates nor the start; the next
/// publication writes it anew.
pub(super) fn unless_damaged<T>(read: Result<Option<T>, Error>) -> Result<Option<T>, Error> {
    match read {
        Err(fault @ (Error::Stored { .. } | Error::Store(store::Error::Damaged { .. }))) => {
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
