//! The actor `experiments`: looks at the counters soon after they have grown, and halts variants that are clearly worse.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::handle::Experiments;
use super::live::Live;
use super::metrics::{self, Counted};
use super::refusal::Error;
use super::state::{EndReason, Experiment, Halt, Worse};
use crate::control_plane::audit::{Audit, Entry, Who};
use crate::control_plane::template::handle::Templates;
use crate::domain::clock::Timestamp;
use crate::domain::id::ExperimentId;
use crate::journal::Journal;
use crate::journal::events::Event;
use crate::supervision::ChildSpec;

/// How long after counters have grown they are looked at: many tasks end meanwhile, and are looked at together.
const LOOK_AFTER: Duration = Duration::from_millis(250);
/// How long after a failure of the store they are looked at again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The mailbox.
pub(super) enum Message {
    /// From the journal, once until they are looked at: some experiment's counters have grown.
    Grown,
    /// From itself: look now.
    Look,
    /// From its own look: it is over; these are to be looked at again.
    Looked(Counted, HashSet<ExperimentId>),
}

struct Watcher;

struct State {
    experiments: Experiments,
    counted: Option<Counted>,
}

impl Experiments {
    /// The handle, and the actor `experiments`. Experiments that were running run again when it has started.
    #[must_use]
    pub fn start(templates: Templates, journal: Journal, audit: Audit) -> (Self, ChildSpec) {
        let experiments = Self::new(templates, journal, audit);
        metrics::register();
        let own = Arc::downgrade(&experiments.shared);
        experiments.shared.journal.on_tally(Arc::new(move |id| {
            let Some(shared) = own.upgrade() else { return };
            (Experiments { shared }).wake(id);
        }));
        let own = experiments.clone();
        let address = experiments.shared.address.clone();
        let spec = ChildSpec::worker(&address, move || (Watcher, own.clone()));
        (experiments, spec)
    }
}

impl Actor for Watcher {
    type Msg = Message;
    type State = State;
    type Arguments = Experiments;

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        experiments: Experiments,
    ) -> Result<State, ActorProcessingErr> {
        experiments.load().await?;
        let running = experiments.all_running();
        for id in &running {
            let _first = experiments.note_growth(*id);
        }
        let _timer = myself.send_after(LOOK_AFTER, || Message::Look);
        Ok(State { experiments, counted: Some(Counted::after(&running)) })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Grown => {
                let _timer = myself.send_after(LOOK_AFTER, || Message::Look);
            }
            Message::Look => {
                // While a look is under way, the next one begins when it is over.
                if let Some(counted) = state.counted.take() {
                    let experiments = state.experiments.clone();
                    let _task = tokio::spawn(async move {
                        let look = experiments.clone();
                        let looked = tokio::spawn(async move { look.look(counted).await }).await;
                        // A look that panicked has told so; everything is looked at again.
                        let (counted, failed) = looked.unwrap_or_else(|_| {
                            let running = experiments.all_running();
                            (Counted::after(&running), running.into_iter().collect())
                        });
                        // An actor that has ended looks again when it is started again.
                        let _ended = myself.cast(Message::Looked(counted, failed)).is_err();
                    });
                }
            }
            Message::Looked(counted, failed) => {
                state.counted = Some(counted);
                let pause = if failed.is_empty() { LOOK_AFTER } else { RETRY_AFTER };
                for id in failed {
                    let _first = state.experiments.note_growth(id);
                }
                if state.experiments.has_grown() {
                    let _timer = myself.send_after(pause, || Message::Look);
                }
            }
        }
        Ok(())
    }
}

impl Experiments {
    /// Looks at every experiment whose counters have grown; returns those where that failed.
    async fn look(&self, mut counted: Counted) -> (Counted, HashSet<ExperimentId>) {
        let mut failed = HashSet::new();
        for id in self.take_grown() {
            let Some(live) = self.running_as(id) else { continue };
            if let Err(error) = self.judge(&live, &mut counted).await {
                tracing::warn!(experiment = %id, %error, "an experiment cannot be looked at; trying again soon");
                failed.insert(id);
            }
        }
        counted.retain(&self.all_running());
        (counted, failed)
    }

    /// Counts what one experiment came to, and halts what is clearly worse.
    async fn judge(&self, live: &Live, counted: &mut Counted) -> Result<(), Error> {
        let Experiment { id, template, .. } = &live.experiment;
        if self.shared.templates.is_rolled_back(template) {
            let entry = Entry::allowed(Timestamp::now(), Who::daemon(), "end_experiment").on(template);
            self.end(template, EndReason::RolledBack, Who::daemon().name.to_string(), entry).await?;
            return Ok(());
        }
        let tallies = self.sums(*id).await?;
        counted.count(&live.experiment, &tallies);
        let verdicts = live.verdicts(&self.shared.templates).await;
        let worse = live.experiment.worse(&tallies, &live.takes(&verdicts));
        for (place, verdict) in worse {
            self.halt(live, place, verdict).await?;
        }
        Ok(())
    }

    /// INVARIANT I82: a variant that is halted is so on record, with who halted it and why, before a task is assigned without it.
    async fn halt(&self, live: &Live, place: u8, verdict: Worse) -> Result<(), Error> {
        let at = Timestamp::now();
        let mut halted = None;
        let change = |now: &Live| {
            let mut experiment = now.experiment.clone();
            let variant = experiment.variants.get_mut(usize::from(place)).filter(|variant| variant.halted.is_none())?;
            variant.halted = Some(Halt { at, verdict });
            let version = variant.version.clone();
            let why = experiment.told(&verdict);
            let who = Who::daemon();
            let mut entry =
                Entry::allowed(at, who, "halt_experiment_variant").on(format!("{} {version}", experiment.template));
            entry.reason = Some(why.as_str().into());
            halted = Some((version, why));
            Some((experiment, self.shared.audit.batch(entry)))
        };
        self.change(live.experiment.id, change).await?;
        let Some((version, why)) = halted else { return Ok(()) };
        metrics::halted();
        let Experiment { id, template, .. } = &live.experiment;
        tracing::warn!(%template, %version, experiment = %id, why, "a variant of an experiment was halted");
        let event = Event::new("experiment_variant_halted")
            .with("template_name", template)
            .with("version", version)
            .with("experiment", id)
            .with("reason", why);
        self.shared.journal.events().publish(event);
        Ok(())
    }
}
