//! The actor `policy`: owns the policy in force. It reads the directory when it is told to, and takes a new policy only whole.

use std::path::PathBuf;
use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tracing::{error, info, warn};

use crate::domain::clock::Timestamp;
use crate::journal::events::{Event, Events};
use crate::store::Store;

use super::Policy;
use super::archive;
use super::handle::{InForce, Shared, Status};
use super::look::{self, Before, Look, Looked, Place};
use super::message::Message;
use super::metrics::{self, Load};
use super::watch::Watch;

pub(super) struct PolicyActor;

/// What each incarnation is given.
pub(super) struct Arguments {
    pub(super) shared: Arc<Shared>,
    pub(super) store: Store,
    pub(super) events: Events,
}

pub(super) struct State {
    shared: Arc<Shared>,
    store: Store,
    events: Events,
    looking: bool,
    /// Whether the directory is to be read again when the present look is over.
    due: bool,
    /// Where the directory was at the last look.
    place: Option<Place>,
    _watch: Option<Watch>,
}

impl Actor for PolicyActor {
    type Msg = Message;
    type State = State;
    type Arguments = Arguments;

    /// Watches first and reads then, so that no edit falls between.
    async fn pre_start(&self, myself: ActorRef<Message>, arguments: Arguments) -> Result<State, ActorProcessingErr> {
        let Arguments { shared, store, events } = arguments;
        let watch = shared.directory.as_ref().map(|directory| {
            Watch::start(directory, move || {
                // An actor that has ended watches nothing any more.
                let _ended = myself.cast(Message::Due).is_err();
            })
        });
        let mut state = State { shared, store, events, looking: false, due: false, place: None, _watch: watch };
        match state.shared.directory.clone() {
            None => info!(digest = %state.shared.in_force.load().policy.digest(), "the shipped policy is in force"),
            Some(directory) => {
                let Look { looked, place } = state.read(directory.clone()).await;
                state.place = Some(place);
                if matches!(looked, Looked::Bad(_)) && state.shared.in_force.load().policy.is_closed() {
                    state.recall(directory).await;
                }
                state.show(looked);
            }
        }
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Due => state.due = true,
            Message::Looked(look) => {
                (state.looking, state.place) = (false, Some(look.place));
                state.show(look.looked);
            }
        }
        state.look(&myself);
        Ok(())
    }
}

impl State {
    /// Begins the next look, unless one is under way.
    fn look(&mut self, myself: &ActorRef<Message>) {
        let Some(directory) = self.shared.directory.clone().filter(|_| self.due && !self.looking) else { return };
        (self.looking, self.due) = (true, false);
        let look = self.read(directory);
        let myself = myself.clone();
        let _task = tokio::spawn(async move {
            let looked = Box::new(look.await);
            // An actor that has ended looks again when it is started again.
            let _ended = myself.cast(Message::Looked(looked)).is_err();
        });
    }

    /// Reads the directory; a good policy is durable when this returns.
    fn read(&self, directory: PathBuf) -> impl Future<Output = Look> + Send + use<> {
        let (in_force, environment) = (self.shared.in_force.load().policy.clone(), self.shared.environment.clone());
        let (store, place) = (self.store.clone(), self.place);
        async move {
            let (at, from) = (store.clone(), directory.clone());
            let before = tokio::task::spawn_blocking(move || Before::of(&in_force, place, &at, &from)).await;
            let look = match before {
                Ok(before) => look::look(directory.clone(), environment, before).await,
                Err(fault) => Look::failed(&fault),
            };
            if let Looked::Good(policy) = &look.looked {
                keep(store, directory, policy.clone()).await;
            }
            look
        }
    }

    /// Puts the last good policy of the directory in force, if there is one.
    async fn recall(&self, directory: PathBuf) {
        let (store, environment) = (self.store.clone(), self.shared.environment.clone());
        let recalled = tokio::task::spawn_blocking(move || match archive::last_good(&store, &directory)? {
            None => Ok(None),
            Some(source) => Policy::recalled(source, environment).map(Some).map_err(|mistakes| mistakes.join("; ")),
        });
        match recalled.await.map_err(|fault| fault.to_string()).and_then(|recalled| recalled) {
            Ok(Some(policy)) => self.put_in_force(Arc::new(policy), Status::Published, Vec::new()),
            Ok(None) => {}
            Err(fault) => error!(fault, "the last good policy cannot be used any more"),
        }
    }

    fn show(&self, looked: Looked) {
        let before = self.shared.in_force.load_full();
        match looked {
            Looked::Same if before.reasons.is_empty() => {}
            Looked::Same => self.published(before.policy.clone()),
            Looked::Good(policy) => self.published(policy),
            Looked::Bad(reasons) if before.reasons == reasons => {}
            Looked::Bad(reasons) => self.refused(&before, reasons),
        }
    }

    fn published(&self, policy: Arc<Policy>) {
        metrics::loaded(Load::Published);
        let files = policy.source().names().collect::<Vec<_>>().join(", ");
        info!(digest = %policy.digest(), files, "policy published");
        let event = Event::new("policy_published").with("digest", policy.digest()).with("files", &files);
        self.put_in_force(policy, Status::Published, Vec::new());
        self.events.publish(event);
    }

    fn refused(&self, before: &InForce, reasons: Vec<String>) {
        metrics::loaded(Load::Refused);
        let event = Event::new("policy_refused").with("reasons", reasons.join("; "));
        if before.policy.is_closed() {
            error!(?reasons, "the policy is refused and there is none to go on with: EVERYTHING IS DENIED");
            let closed = Arc::new(Policy::closed(reasons.clone()));
            self.put_in_force(closed, Status::Refused, reasons);
            self.events.publish(event);
        } else {
            warn!(?reasons, in_force = %before.policy.digest(), "the policy is refused; the last good one goes on");
            self.put_in_force(before.policy.clone(), Status::PublishedWithRefusedEdit, reasons);
            self.events.publish(event.with("in_force", before.policy.digest()));
        }
    }

    /// Shows a policy to everybody, and tells those who go by it if it is another one.
    fn put_in_force(&self, policy: Arc<Policy>, status: Status, reasons: Vec<String>) {
        let before = self.shared.in_force.load_full();
        let same = before.policy.digest() == policy.digest();
        let since = if same { before.since } else { Timestamp::now() };
        self.shared.in_force.store(Arc::new(InForce { policy: policy.clone(), status, reasons, since }));
        if !same {
            self.shared.listeners.load().iter().for_each(|tell| tell(&policy));
        }
    }
}

/// A policy that cannot be kept is in force all the same: only a restart with bad files would miss it.
async fn keep(store: Store, directory: PathBuf, policy: Arc<Policy>) {
    let at = store.clone();
    let batch = tokio::task::spawn_blocking(move || archive::keep(&at, &directory, policy.source(), Timestamp::now()));
    let kept = match batch.await.map_err(|fault| fault.to_string()).and_then(|batch| batch) {
        Ok(batch) => store.commit(batch).await.map(|_position| ()).map_err(|fault| fault.to_string()),
        Err(fault) => Err(fault),
    };
    if let Err(fault) = kept {
        error!(fault, "the policy is in force but could not be kept for a restart");
    }
}
