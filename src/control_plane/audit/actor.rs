//! The shell: looks at the log when it starts, signs checkpoints, and verifies all of it when asked. The work is done apart, of
//! each kind one at a time.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};

use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure;
use crate::journal::events::{Event, Events};
use crate::store::Store;
use crate::telemetry::names;

use super::checkpoints::Kept;
use super::error::Error;
use super::handle::{Damage, Noted};
use super::keeper::{self, Keeper, Restored};
use super::key::AuditKey;
use super::message::{Message, Signing, Verifying};
use super::verify::{Verified, verify_all, verify_end};

/// How many of the last entries a start verifies; the whole log is verified when asked.
pub const START_ENTRIES: u64 = 1_024;
/// After how long the log is looked at again that could not be read.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The most callers that wait for a verification, and that wait for a checkpoint.
const WAITING_MAX: usize = 64;

/// What each incarnation starts from.
#[derive(Clone)]
pub(super) struct Start {
    pub(super) store: Store,
    pub(super) events: Events,
    pub(super) key: AuditKey,
    /// How often a checkpoint is made where there are new entries.
    pub(super) every: Duration,
    pub(super) damage: Arc<ArcSwapOption<Damage>>,
    pub(super) latest: Arc<ArcSwapOption<Noted>>,
}

pub(super) struct Auditor;

pub(super) struct State {
    start: Start,
    standing: Standing,
    /// Who waits for a checkpoint; those who come while one is made wait for the next one.
    signing: Vec<Signing>,
    is_verifying: bool,
    verifying: Vec<Verifying>,
}

/// Where the tree is.
enum Standing {
    /// It is read, or grown, apart.
    Away,
    /// Here.
    Here(Box<Keeper>),
    /// The log does not hold: nothing is signed any more.
    Lost(Error),
}

impl Actor for Auditor {
    type Msg = Message;
    type State = State;
    type Arguments = Start;

    async fn pre_start(&self, myself: ActorRef<Message>, start: Start) -> Result<State, ActorProcessingErr> {
        metrics::gauge!(names::AUDIT_BROKEN).set(if start.damage.load().is_some() { 1.0 } else { 0.0 });
        myself.send_interval(start.every, || Message::Due);
        // The daemon does not wait for it: a damaged log is told, and the work goes on.
        look(&start, &myself);
        let (signing, verifying) = (Vec::new(), Vec::new());
        Ok(State { start, standing: Standing::Away, signing, is_verifying: false, verifying })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Verify { reply } if state.verifying.len() >= WAITING_MAX => answer(reply, Err(Error::Busy)),
            Message::Verify { reply } if state.is_verifying => state.verifying.push(reply),
            Message::Verify { reply } => state.verify(&myself, vec![reply]),
            Message::Verified { outcome, replies } => state.verified(&myself, &outcome, replies),
            Message::Look => look(&state.start, &myself),
            Message::Restored { restored, end } => state.restored(&myself, *restored, end),
            Message::Checkpoint { reply } if state.signing.len() >= WAITING_MAX => answer(reply, Err(Error::Busy)),
            Message::Checkpoint { reply } => {
                state.signing.push(reply);
                state.sign(&myself);
            }
            Message::Due => state.sign(&myself),
            Message::Made { keeper, outcome } => state.made(&myself, keeper, *outcome),
        }
        Ok(())
    }
}

/// Reads the last checkpoint, and verifies the end of the log, apart.
fn look(start: &Start, myself: &ActorRef<Message>) {
    let (store, public, myself) = (start.store.clone(), start.key.public(), myself.clone());
    let _looking = tokio::spawn(async move {
        let read = store.read(move |store| {
            let last = keeper::end(store);
            let end = last.and_then(|last| verify_end(store, last.saturating_add(1).saturating_sub(START_ENTRIES)));
            Ok((keeper::restore(store, &public), end))
        });
        let (restored, end) = match read.await {
            Ok(found) => found,
            Err(error) => (Restored { keeper: Err(error.into()), latest: None, damage: None }, Ok(0)),
        };
        tell(&myself, Message::Restored { restored: Box::new(restored), end });
    });
}

impl State {
    fn restored(&mut self, myself: &ActorRef<Message>, restored: Restored, end: Result<u64, Error>) {
        if let Some(latest) = &restored.latest {
            self.note(latest);
        }
        restored.damage.iter().for_each(|error| self.damaged(error));
        let keeper = restored.keeper.and_then(|keeper| end.map(|verified| (keeper, verified)));
        self.standing = match keeper {
            Ok((keeper, verified)) => {
                if restored.latest.is_none() && verified > 0 {
                    tracing::warn!("the audit log has no checkpoint of its key: it is signed from its beginning");
                }
                tracing::info!(verified, signed = keeper.size(), "the end of the audit log was read");
                Standing::Here(Box::new(keeper))
            }
            // INVARIANT: what could not be read is neither taken for lost nor signed anew.
            Err(error) if !error.is_damage() => {
                tracing::warn!(%error, "the audit log could not be read; it is looked at again before it is signed");
                self.signing.drain(..).for_each(|reply| answer(reply, Err(error.clone())));
                myself.send_after(LOOK_AGAIN, || Message::Look);
                Standing::Away
            }
            Err(error) => {
                self.damaged(&error);
                Standing::Lost(error)
            }
        };
        if !self.signing.is_empty() {
            self.sign(myself);
        }
    }

    /// Goes on to the end of the log and signs for it, apart; those who come while that is being done wait for the next time.
    fn sign(&mut self, myself: &ActorRef<Message>) {
        let keeper = match std::mem::replace(&mut self.standing, Standing::Away) {
            Standing::Away => return,
            Standing::Lost(error) => {
                let lost = error.clone();
                self.standing = Standing::Lost(error);
                self.signing.drain(..).for_each(|reply| answer(reply, Err(lost.clone())));
                return;
            }
            Standing::Here(keeper) => keeper,
        };
        let signed = self.start.latest.load().as_ref().map(|latest| latest.size);
        let (store, key, myself) = (self.start.store.clone(), self.start.key.clone(), myself.clone());
        let replies = std::mem::take(&mut self.signing);
        let wanted = !replies.is_empty();
        let latest = self.start.latest.clone();
        let _making = tokio::spawn(async move {
            let (keeper, outcome) = make(&store, &key, keeper, signed, wanted).await;
            // Those who asked are answered by what is durable.
            let noted = match &outcome {
                Ok(Some(kept)) => Ok(Arc::new(Noted::of(kept))),
                Ok(None) => latest.load_full().ok_or(Error::Busy),
                Err(error) => Err(error.clone()),
            };
            replies.into_iter().for_each(|reply| answer(reply, noted.clone()));
            tell(&myself, Message::Made { keeper, outcome: Box::new(outcome) });
        });
    }

    fn made(&mut self, myself: &ActorRef<Message>, keeper: Box<Keeper>, outcome: Result<Option<Kept>, Error>) {
        self.standing = match outcome {
            Ok(made) => {
                if let Some(kept) = &made {
                    self.note(kept);
                }
                Standing::Here(keeper)
            }
            Err(error) if error.is_damage() => {
                self.damaged(&error);
                Standing::Lost(error)
            }
            Err(error) => {
                tracing::warn!(%error, "no checkpoint of the audit log was made; the next round tries again");
                Standing::Here(keeper)
            }
        };
        if !self.signing.is_empty() {
            self.sign(myself);
        }
    }

    /// A checkpoint is news: whoever follows the events has it elsewhere.
    fn note(&self, kept: &Kept) {
        let noted = Noted::of(kept);
        tracing::debug!(entries = noted.size, root = %noted.root, "a checkpoint of the audit log");
        let entries = u32::try_from(noted.size).map_or(f64::from(u32::MAX), f64::from);
        metrics::gauge!(names::AUDIT_CHECKPOINT_ENTRIES).set(entries);
        let event = Event::new("audit_checkpoint").with("entries", noted.size).with("root", &noted.root);
        self.start.events.publish(event);
        self.start.latest.store(Some(Arc::new(noted)));
    }

    fn verify(&mut self, myself: &ActorRef<Message>, replies: Vec<Verifying>) {
        self.is_verifying = true;
        let (store, public, myself) = (self.start.store.clone(), self.start.key.public(), myself.clone());
        let _verifying = tokio::spawn(async move {
            let read = store.read(move |store| Ok(verify_all(store, &public)));
            let outcome = read.await.map_err(Error::from).and_then(|outcome| outcome);
            tell(&myself, Message::Verified { outcome, replies });
        });
    }

    fn verified(&mut self, myself: &ActorRef<Message>, outcome: &Result<Verified, Error>, replies: Vec<Verifying>) {
        self.is_verifying = false;
        match outcome {
            Ok(verified) => {
                tracing::info!(entries = verified.entries, head = %hex::encode(verified.head), "the audit log holds");
            }
            Err(error) => self.damaged(error),
        }
        replies.into_iter().for_each(|reply| answer(reply, outcome.clone()));
        if !self.verifying.is_empty() {
            let waiting = std::mem::take(&mut self.verifying);
            self.verify(myself, waiting);
        }
    }

    /// A log that does not hold is told loudly, and stops nothing but the signing.
    fn damaged(&self, error: &Error) {
        if !error.is_damage() {
            tracing::warn!(%error, "the audit log could not be verified");
            return;
        }
        tracing::error!(reason = %error, code = error.code(), "the audit log does not hold");
        metrics::gauge!(names::AUDIT_BROKEN).set(1.0);
        self.start.damage.store(Some(Arc::new(Damage { code: error.code(), reason: error.to_string() })));
        self.start.events.publish(Event::new("audit_broken").with("code", error.code()).with("reason", error));
    }
}

/// A checkpoint over all that is in the log, if it says more than the last one, or there is none and somebody wants one.
async fn make(
    store: &Store,
    key: &AuditKey,
    keeper: Box<Keeper>,
    signed: Option<u64>,
    wanted: bool,
) -> (Box<Keeper>, Result<Option<Kept>, Error>) {
    let (mut grown, key) = (keeper.clone(), key.clone());
    let read = store.read(move |store| {
        let made = grown.go_to_the_end(store).and_then(|()| {
            let is_new = signed.map_or(wanted || grown.size() > 0, |signed| signed != grown.size());
            let kept = is_new.then(|| grown.sign(Timestamp::now(), &key));
            kept.map(|kept| kept.clone().into_batch(store).map(|batch| (kept, batch))).transpose()
        });
        Ok((grown, made))
    });
    match read.await {
        Err(error) => (keeper, Err(error.into())),
        Ok((_, Err(error))) => (keeper, Err(error)),
        Ok((grown, Ok(None))) => (grown, Ok(None)),
        Ok((grown, Ok(Some((kept, batch))))) => match store.commit(batch).await {
            Ok(_position) => (grown, Ok(Some(kept))),
            Err(error) => (grown, Err(error.into())),
        },
    }
}

fn tell(myself: &ActorRef<Message>, message: Message) {
    if myself.cast(message).is_err() {
        tracing::debug!("the audit log's actor ended before its work apart");
    }
}

/// Whoever asked may have gone.
fn answer<T: Send + 'static>(reply: RpcReplyPort<Result<T, Error>>, outcome: Result<T, Error>) {
    if reply.send(outcome).is_err() {
        tracing::debug!("whoever asked the audit log no longer waits");
    }
}
