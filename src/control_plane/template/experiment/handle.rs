//! The handle: which version a task gets, and what operators may do with experiments.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use super::actor::Message;
use super::live::{Live, Picture};
use super::record;
use super::refusal::{EXPERIMENTS_MAX, Error, Refusal};
use super::report::Report;
use super::state::{End, EndReason, Experiment, Plan, Unit, Variant, Wanted};
use crate::control_plane::audit::{Audit, Entry};
use crate::control_plane::template::handle::Templates;
use crate::control_plane::template::model::Template;
use crate::domain::clock::Timestamp;
use crate::domain::id::ExperimentId;
use crate::domain::name::TemplateName;
use crate::journal::Journal;
use crate::journal::events::Event;
use crate::journal::order::Assignment;
use crate::journal::tally::{self, Tally};
use crate::store::{self, Batch, Keyspace, Store};
use crate::supervision::Address;

/// The experiments. Cheap to clone; outlives restarts of the actor behind it.
#[derive(Clone)]
pub struct Experiments {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) templates: Templates,
    pub(super) journal: Journal,
    pub(super) audit: Audit,
    pub(super) picture: ArcSwap<Picture>,
    /// Held while an experiment is changed, from reading it until the change is seen.
    pub(super) writing: Mutex<()>,
    /// Experiments whose counters have grown since they were last looked at.
    pub(super) grown: std::sync::Mutex<HashSet<ExperimentId>>,
    pub(super) address: Address<Message>,
}

impl Experiments {
    pub(super) fn new(templates: Templates, journal: Journal, audit: Audit) -> Self {
        let shared = Shared {
            templates,
            journal,
            audit,
            picture: ArcSwap::default(),
            writing: Mutex::new(()),
            grown: std::sync::Mutex::default(),
            address: Address::new("experiments"),
        };
        Self { shared: Arc::new(shared) }
    }

    pub(super) fn store(&self) -> &Store {
        self.shared.journal.store()
    }

    /// The version that a task gets where `served` is the one that is served: that one, unless an experiment says otherwise.
    pub async fn choose(
        &self,
        served: Arc<Template>,
        unit: impl FnOnce() -> Unit,
    ) -> (Arc<Template>, Option<Assignment>) {
        let live = self.shared.picture.load().by_template.get(&served.name).cloned();
        // The hot path: no experiment runs with it.
        let Some(live) = live else { return (served, None) };
        // INVARIANT I80: going back wins from the moment that it is answered, also before the experiment's end is on record.
        if self.shared.templates.is_rolled_back(&served.name) {
            return (served, None);
        }
        let verdicts = live.verdicts(&self.shared.templates).await;
        match live.assign(&verdicts, &unit()) {
            Some((template, assigned)) => (template, Some(assigned)),
            None => (served, None),
        }
    }

    /// Starts an experiment; one that runs with the template ends. It is durable, with the audit entry, when this returns.
    ///
    /// # Errors
    /// It cannot be so, a version may not run, or the store failed: nothing was changed.
    pub async fn start_with(
        &self,
        name: &TemplateName,
        wanted: Wanted,
        by: String,
        entry: Entry,
    ) -> Result<Report, Error> {
        let (this, own) = (self.clone(), name.clone());
        self.detached(name, async move { this.start_now(&own, wanted, by, entry).await }).await
    }

    async fn start_now(&self, name: &TemplateName, wanted: Wanted, by: String, entry: Entry) -> Result<Report, Error> {
        let _writing = self.shared.writing.lock().await;
        // It is there and may run at all.
        let served = self.shared.templates.get(name)?;
        if self.shared.templates.is_rolled_back(name) {
            return Err(Refusal::RolledBack(name.clone()).into());
        }
        let plan = wanted.plan()?;
        let earlier = match self.stored(name).await {
            // What cannot be read of the last one keeps nobody from the next.
            Err(fault @ (Error::Stored { .. } | Error::Store(store::Error::Damaged { .. }))) => {
                tracing::error!(template = %name, %fault, "the record of the last experiment is damaged; the new one takes its place");
                None
            }
            earlier => earlier?,
        };
        let running = self.shared.picture.load_full();
        if running.by_template.len() >= EXPERIMENTS_MAX && !running.by_template.contains_key(name) {
            return Err(Refusal::Full.into());
        }
        let experiment = self.experiment(&served.name, plan, by).await?;
        let forget = match earlier {
            Some(earlier) => self.forget(earlier.id).await?,
            None => Batch::new(),
        };
        let batch = forget.and(self.shared.audit.batch(entry));
        self.write(experiment.clone(), batch).await?;
        tracing::info!(template = %name, experiment = %experiment.id, "experiment started");
        let event = Event::new("experiment_started").with("template_name", name).with("experiment", experiment.id);
        self.shared.journal.events().publish(event);
        self.report_of(experiment).await
    }

    async fn experiment(&self, name: &TemplateName, plan: Plan, by: String) -> Result<Experiment, Error> {
        let (judges, now) = (self.shared.templates.judges(), Timestamp::now());
        let mut variants = Vec::with_capacity(plan.variants.len());
        for (version, share) in plan.variants {
            let published = self.shared.templates.digest_of(name, &version).await?;
            let digest = published
                .ok_or_else(|| Refusal::UnknownVersion { template: name.clone(), version: version.clone() })?;
            if let Err(reasons) = self.shared.templates.judged((&judges, now), name, &digest).await? {
                return Err(Refusal::NotAllowed { template: name.clone(), version, reasons }.into());
            }
            variants.push(Variant { version, digest, share, halted: None });
        }
        Ok(Experiment {
            id: ExperimentId::generate(),
            template: name.clone(),
            started_at: now,
            started_by: by,
            control: plan.control,
            halting: plan.halting,
            variants,
            ended: None,
        })
    }

    /// Ends the experiment that runs with a template; its report stays. It is durable, with the audit entry, when this returns.
    ///
    /// # Errors
    /// None runs, or the store failed: nothing was changed.
    pub async fn end(&self, name: &TemplateName, why: EndReason, by: String, entry: Entry) -> Result<Report, Error> {
        let (this, asked) = (self.clone(), name);
        let name = name.clone();
        let change = async move {
            let _writing = this.shared.writing.lock().await;
            let live = this.running(&name).ok_or_else(|| Refusal::NoneRuns(name.clone()))?;
            let ended = Some(End { at: Timestamp::now(), by, why });
            let experiment = Experiment { ended, ..live.experiment.clone() };
            this.write(experiment.clone(), this.shared.audit.batch(entry)).await?;
            tracing::info!(template = %name, experiment = %experiment.id, why = why.as_str(), "experiment ended");
            let event = Event::new("experiment_ended")
                .with("template_name", &name)
                .with("experiment", experiment.id)
                .with("reason", why.as_str());
            this.shared.journal.events().publish(event);
            this.report_of(experiment).await
        };
        self.detached(asked, change).await
    }

    /// Ends the experiment that runs with a template, if one does, because the template was rolled back. Its tasks get the version
    /// that was gone back to already; where this fails, the actor does it later.
    pub async fn yield_to_rollback(&self, name: &TemplateName, by: String, entry: Entry) {
        match self.end(name, EndReason::RolledBack, by, entry).await {
            Ok(_) | Err(Error::Refused(Refusal::NoneRuns(_))) => {}
            Err(error) => {
                tracing::warn!(template = %name, %error, "the experiment with a template that was rolled back is not ended yet");
                if let Some(live) = self.running(name) {
                    self.wake(live.experiment.id);
                }
            }
        }
    }

    /// The experiment that runs with a template, or the last one that did, with what it came to.
    ///
    /// # Errors
    /// There was none, or the store failed.
    pub async fn report(&self, name: &TemplateName) -> Result<Report, Error> {
        let experiment = match self.running(name) {
            Some(live) => live.experiment.clone(),
            None => self.stored(name).await?.ok_or_else(|| Refusal::NeverRan(name.clone()))?,
        };
        self.report_of(experiment).await
    }

    async fn report_of(&self, experiment: Experiment) -> Result<Report, Error> {
        let prefix = tally::prefix(experiment.id);
        let (_, counters) = self.store().counters(prefix.as_bytes()).await?;
        let tallies = tally::read(experiment.id, &counters);
        let not_allowed = match self.running(&experiment.template) {
            Some(live) => {
                let verdicts = live.verdicts(&self.shared.templates).await;
                verdicts.variants.iter().map(|verdict| verdict.as_ref().err().cloned().unwrap_or_default()).collect()
            }
            None => Vec::new(),
        };
        Ok(Report::of(experiment, tallies, not_allowed))
    }

    pub(super) fn running(&self, name: &TemplateName) -> Option<Arc<Live>> {
        self.shared.picture.load().by_template.get(name).cloned()
    }

    pub(super) fn running_as(&self, id: ExperimentId) -> Option<Arc<Live>> {
        self.shared.picture.load().find(id).cloned()
    }

    pub(super) fn all_running(&self) -> Vec<ExperimentId> {
        self.shared.picture.load().by_template.values().map(|live| live.experiment.id).collect()
    }

    /// What decisions are made from.
    pub(super) async fn sums(&self, id: ExperimentId) -> Result<BTreeMap<u8, Tally>, store::Error> {
        let (_, counters) = self.store().counters(tally::sums_prefix(id).as_bytes()).await?;
        Ok(tally::read(id, &counters))
    }

    /// Changes a running experiment where `change` says how, durably.
    pub(super) async fn change<F>(&self, id: ExperimentId, change: F) -> Result<(), Error>
    where
        F: FnOnce(&Live) -> Option<(Experiment, Batch)> + Send,
    {
        let _writing = self.shared.writing.lock().await;
        let Some(live) = self.running_as(id) else { return Ok(()) };
        match change(&live) {
            Some((experiment, batch)) => self.write(experiment, batch).await,
            None => Ok(()),
        }
    }

    /// Has an experiment looked at soon.
    pub(super) fn wake(&self, id: ExperimentId) {
        if self.note_growth(id) {
            // An actor that is being restarted looks at everything when it starts.
            let _told = self.shared.address.cast(Message::Grown).is_ok();
        }
    }

    /// Remembers that an experiment's counters have grown; whether nobody had to look before.
    pub(super) fn note_growth(&self, id: ExperimentId) -> bool {
        let mut grown = self.shared.grown.lock().unwrap_or_else(PoisonError::into_inner);
        let was_empty = grown.is_empty();
        grown.insert(id);
        was_empty
    }

    /// The experiments whose counters have grown.
    pub(super) fn take_grown(&self) -> HashSet<ExperimentId> {
        std::mem::take(&mut self.shared.grown.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether some experiment's counters have grown.
    pub(super) fn has_grown(&self) -> bool {
        !self.shared.grown.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    async fn stored(&self, name: &TemplateName) -> Result<Option<Experiment>, Error> {
        let key = record::key(name);
        let found = self.store().read(move |store| store.get(Keyspace::Template, &key)).await?;
        let stored = |reason| Error::Stored { template: name.clone(), reason };
        found.map(|found| record::read(name.clone(), &found)).transpose().map_err(stored)
    }

    /// INVARIANT I80: an experiment is durable before a task is assigned by it.
    async fn write(&self, experiment: Experiment, batch: Batch) -> Result<(), Error> {
        let name = experiment.template.clone();
        let record = record::write(&experiment).map_err(|reason| Error::Stored { template: name.clone(), reason })?;
        self.store().commit(batch.put(Keyspace::Template, record::key(&name), record)).await?;
        let before = self.shared.picture.load();
        let mut by_template = before.by_template.clone();
        if experiment.ended.is_some() {
            by_template.remove(&name);
        } else {
            let same = by_template.get(&name).filter(|live| live.experiment.id == experiment.id);
            let live = same.map_or_else(|| Live::new(experiment.clone()), |live| live.changed(experiment.clone()));
            by_template.insert(name, Arc::new(live));
        }
        self.shared.picture.store(Arc::new(Picture { by_template }));
        Ok(())
    }

    /// Runs a change to its end also where whoever asked for it no longer waits.
    async fn detached<T: Send + 'static>(
        &self,
        name: &TemplateName,
        change: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        tokio::spawn(change).await.map_err(|_| Error::Interrupted(name.clone()))?
    }
}
