//! The actor `templates`: looks when it is told to, one look at a time, and shows what came of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use crate::domain::clock::Timestamp;
use crate::journal::events::{Event, Events};

use super::cache::Authority;
use super::error::Error;
use super::handle::Shared;
use super::judges::Judges;
use super::message::Message;
use super::metrics::{self, Load};
use super::orders::Request;
use super::refresh::{Known, Looked, Workshop, refresh};
use super::snapshot::Snapshot;
use super::source::reading::SETTLE;
use super::source::scope::Scope;
use super::source::watch::Watch;
use super::state::Change;
use super::trust::news::TrustNews;

/// The most requests that wait to be decided.
const ASKED_MAX: usize = 64;
/// How long after a failure of the store everything is looked at again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// The longest wait for the instant at which a key begins or ceases to be trusted. The wait follows a clock that nobody sets;
/// the instant is one of the host's clock, so that it is compared anew from time to time.
const TURNING_WAIT_MAX: Duration = Duration::from_secs(60);

pub(super) struct TemplatesActor;

/// What each incarnation is given.
pub(super) struct Arguments {
    pub(super) workshop: Arc<Workshop>,
    pub(super) shared: Arc<Shared>,
    pub(super) events: Events,
}

/// Who asked.
type Reply = RpcReplyPort<Result<(), Error>>;

pub(super) struct State {
    workshop: Arc<Workshop>,
    shared: Arc<Shared>,
    events: Events,
    known: Arc<Known>,
    /// What is to be looked at when the present look is over.
    next: Scope,
    looking: bool,
    /// What is being changed: looked at again when the timer for it is over; none is running where it is empty.
    settling: Scope,
    /// What is to be decided when the present look is over, in the order in which it was asked for.
    asked: VecDeque<(Request, Reply)>,
    /// Who waits for the present look.
    answering: Option<Reply>,
    _watch: Watch,
    /// Waits for a key to begin or cease to be trusted.
    turning: Option<JoinHandle<()>>,
}

impl Drop for State {
    fn drop(&mut self) {
        if let Some(turning) = self.turning.take() {
            turning.abort();
        }
    }
}

impl Actor for TemplatesActor {
    type Msg = Message;
    type State = State;
    type Arguments = Arguments;

    /// Watches first and looks then, so that no edit falls between.
    async fn pre_start(&self, myself: ActorRef<Message>, arguments: Arguments) -> Result<State, ActorProcessingErr> {
        let Arguments { workshop, shared, events } = arguments;
        if !workshop.settings.enable_signature_validation {
            warn!("signature validation is off: UNSIGNED templates run; only for development");
        }
        let targets = workshop.source.targets(&workshop.settings);
        let told = myself.clone();
        let watch = Watch::start(targets, workshop.settings.rescan_every, move |scope| {
            // An actor that has ended watches nothing any more.
            let _ended = told.cast(Message::Due(scope)).is_err();
        });
        let looked = refresh(workshop.clone(), Arc::default(), Scope::all(), None).await?;
        let mut state = State {
            workshop,
            shared,
            events,
            known: Arc::default(),
            next: Scope::default(),
            looking: false,
            settling: Scope::default(),
            asked: VecDeque::new(),
            answering: None,
            _watch: watch,
            turning: None,
        };
        state.settle_soon(&myself, &looked);
        state.show(looked);
        state.await_turning(&myself);
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Due(scope) => state.next.add(scope),
            Message::PolicyChanged => state.next.policy = true,
            Message::Distrusted(name) => {
                state.next.doubted.insert(name);
            }
            Message::Settle => {
                let settling = std::mem::take(&mut state.settling);
                state.next.add(settling);
            }
            Message::Turning => {
                let now = Timestamp::now();
                if state.known.judged_at.is_some_and(|judged_at| state.known.trust.turned(judged_at, now)) {
                    state.next.keys = true;
                } else {
                    state.await_turning(&myself);
                }
            }
            Message::Asked(request, reply) if state.asked.len() >= ASKED_MAX => {
                self::reply(Some(reply), Err(Error::Busy(request.name)));
            }
            Message::Asked(request, reply) => state.asked.push_back((*request, reply)),
            Message::Looked(looked) => {
                state.looking = false;
                let waiting = state.answering.take();
                match *looked {
                    Ok(looked) => {
                        state.settle_soon(&myself, &looked);
                        let answer = looked.answer.clone();
                        state.show(looked);
                        state.await_turning(&myself);
                        // After it is shown: whoever is answered reads their own writes.
                        reply(waiting, answer);
                    }
                    Err(fault) => {
                        // Some of it may be durable all the same: what is known is read from the store again.
                        state.known = Arc::default();
                        reply(waiting, Err(fault.clone()));
                        error!(%fault, "templates are as they were; looking again soon");
                        let _timer = myself.send_after(RETRY_AFTER, || Message::Due(Scope::all()));
                    }
                }
            }
        }
        state.look(&myself);
        Ok(())
    }
}

impl State {
    /// Has what is being changed looked at again.
    fn settle_soon(&mut self, myself: &ActorRef<Message>, looked: &Looked) {
        if !looked.unsettled.is_empty() && self.settling.is_empty() {
            let _timer = myself.send_after(SETTLE, || Message::Settle);
        }
        self.settling.add(looked.unsettled.clone());
    }

    /// Begins the next look, unless one is under way.
    fn look(&mut self, myself: &ActorRef<Message>) {
        if self.looking || (self.next.is_empty() && self.asked.is_empty()) {
            return;
        }
        self.looking = true;
        let mut scope = std::mem::take(&mut self.next);
        if self.known.judged_at.is_none() {
            // After a failure nothing is known: what is asked for is decided beside everything that there is.
            scope.add(Scope::all());
        }
        let (request, reply) = self.asked.pop_front().unzip();
        self.answering = reply;
        let look = refresh(self.workshop.clone(), self.known.clone(), scope, request);
        let myself = myself.clone();
        let _task = tokio::spawn(async move {
            let looked = Box::new(look.await);
            // An actor that has ended looks again when it is started again.
            let _ended = myself.cast(Message::Looked(looked)).is_err();
        });
    }

    /// Waits for the next instant at which a key begins or ceases to be trusted.
    fn await_turning(&mut self, myself: &ActorRef<Message>) {
        if let Some(turning) = self.turning.take() {
            turning.abort();
        }
        let now = Timestamp::now();
        self.turning = self.known.trust.next_boundary(now).map(|at| {
            let (wait, myself) = (at.since(now).min(TURNING_WAIT_MAX), myself.clone());
            tokio::spawn(async move {
                tokio::time::sleep(wait).await;
                // An actor that has ended looks again when it is started again.
                let _ended = myself.cast(Message::Turning).is_err();
            })
        });
    }

    /// Shows what came of a look: first to those who must know before a template is served, then to everybody at once.
    fn show(&mut self, looked: Looked) {
        let Looked { known, changes, touched, keys_changed, trust_news, .. } = looked;
        metrics::trusted(&known.trust, Timestamp::now());
        for news in &trust_news {
            self.tell_trust(news);
        }
        let listeners = self.shared.on_publish.load();
        for change in &changes {
            if let Change::Published { good, .. } = change {
                listeners.iter().for_each(|tell| tell(&good.template));
            }
        }
        let required = self.workshop.settings.enable_signature_validation.then_some(&known.trust);
        let judges = Judges::new(required, self.workshop.policies.current());
        let same = self.shared.judges.load().as_ref().is_some_and(|before| before.same_as(&judges));
        if !same {
            // Before anybody is served by them.
            self.shared.judges.store(Some(Arc::new(judges)));
        }
        let before = self.shared.snapshot.load();
        let required = self.workshop.settings.enable_signature_validation;
        let authority = Authority::of(required.then(|| known.trust.clone()));
        let snapshot = Snapshot::of(&known.catalog, &before, touched, authority);
        drop(before);
        self.shared.snapshot.store(Arc::new(snapshot));
        if keys_changed {
            self.shared.cache.clear();
        }
        self.known = Arc::new(known);
        for change in &changes {
            self.tell(change);
        }
    }

    fn tell_trust(&self, news: &TrustNews) {
        match news {
            TrustNews::Revoked { version, keys } => {
                warn!(version, ?keys, "keys are revoked");
                let event = Event::new("template_keys_revoked").with("version", version).with("keys", keys.join(" "));
                self.events.publish(event);
            }
            TrustNews::Keys { added, removed } => {
                info!(?added, ?removed, "the keys of templates changed");
                let keys: Vec<String> = added.iter().chain(removed).map(ToString::to_string).collect();
                self.events.publish(Event::new("template_keys_changed").with("keys", keys.join(" ")));
            }
            TrustNews::Trust { changed } => {
                let keys: Vec<String> = changed.iter().map(ToString::to_string).collect();
                warn!(?keys, "keys of templates are trusted with something else than before");
                self.events.publish(Event::new("template_keys_changed").with("keys", keys.join(" ")));
            }
            TrustNews::Unusable { path, reason } => {
                error!(path = %path.display(), reason, "a file among the keys of templates is not believed");
                let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                self.events.publish(Event::new("template_trust_refused").with("file", file).with("reason", reason));
            }
        }
    }

    fn tell(&self, change: &Change) {
        match change {
            Change::Published { good, record } => {
                metrics::loaded(Load::Published);
                let (template, first_time) = (&good.template, record.is_some());
                info!(template = %template.name, version = %template.version, digest = %template.digest, first_time, "template published");
                let event = Event::new("template_published")
                    .with("template_name", &template.name)
                    .with("version", &template.version)
                    .with("digest", template.digest);
                self.events.publish(event);
            }
            Change::Refused { name, version, reasons, fault } => {
                metrics::loaded(Load::Refused);
                if let Some(fault) = fault {
                    metrics::signature_failed(fault);
                }
                let version = version.as_ref().map(ToString::to_string).unwrap_or_default();
                warn!(template = %name, version, ?reasons, "template refused");
                let event = Event::new("template_refused").with("template_name", name).with("version", version);
                self.events.publish(event.with("reasons", reasons.join("; ")));
            }
            Change::RolledBack { name, mark, .. } => {
                info!(template = %name, version = %mark.version, digest = %mark.digest, by = %mark.by, "template rolled back");
                let event = Event::new("template_rolled_back")
                    .with("template_name", name)
                    .with("version", &mark.version)
                    .with("digest", mark.digest);
                self.events.publish(event.with("by", &mark.by));
            }
            Change::Lifted { name, by, .. } => {
                info!(template = %name, %by, "the template's file speaks again");
                self.events.publish(Event::new("template_rollback_lifted").with("template_name", name).with("by", by));
            }
            Change::Held { name, version } => {
                info!(template = %name, %version, "a good edit waits: the template is rolled back");
                let event = Event::new("template_edit_held").with("template_name", name);
                self.events.publish(event.with("version", version));
            }
            Change::Withdrawn { name } => {
                metrics::loaded(Load::Withdrawn);
                info!(template = %name, "template withdrawn");
                self.events.publish(Event::new("template_withdrawn").with("template_name", name));
            }
        }
    }
}

fn reply(waiting: Option<Reply>, answer: Result<(), Error>) {
    if let Some(port) = waiting {
        // Whoever asked may have gone; what was decided stands.
        let _gone = port.send(answer).is_err();
    }
}
