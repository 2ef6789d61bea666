//! The shell: verifies the end of the log when it starts, and all of it when asked, one at a time and apart.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};

use crate::journal::events::{Event, Events};
use crate::store::chain::FIRST_SEQUENCE;
use crate::store::{Keyspace, Store};

use super::error::Error;
use super::message::Message;
use super::verify::{Verified, verify};

/// How many of the last entries a start verifies; the whole log is verified when asked.
pub const START_ENTRIES: u64 = 1_024;
/// The most callers that wait for a verification.
const WAITING_MAX: usize = 64;

type Reply = RpcReplyPort<Result<Verified, Error>>;

/// What each incarnation starts from.
#[derive(Clone)]
pub(super) struct Start {
    pub(super) store: Store,
    pub(super) events: Events,
    pub(super) damage: Arc<ArcSwapOption<String>>,
}

pub(super) struct Auditor;

pub(super) struct State {
    start: Start,
    verifying: bool,
    waiting: Vec<Reply>,
}

impl Actor for Auditor {
    type Msg = Message;
    type State = State;
    type Arguments = Start;

    async fn pre_start(&self, myself: ActorRef<Message>, start: Start) -> Result<State, ActorProcessingErr> {
        let mut state = State { start, verifying: false, waiting: Vec::new() };
        // The daemon does not wait for it: a damaged log is told, and the work goes on.
        state.verify(&myself, Extent::End, Vec::new());
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Verify { reply } if state.waiting.len() >= WAITING_MAX => answer(reply, Err(Error::Busy)),
            Message::Verify { reply } if state.verifying => state.waiting.push(reply),
            Message::Verify { reply } => state.verify(&myself, Extent::All, vec![reply]),
            Message::Ended { outcome, replies } => state.ended(&myself, &outcome, replies),
        }
        Ok(())
    }
}

/// How much of the log is verified.
#[derive(Clone, Copy)]
enum Extent {
    End,
    All,
}

impl State {
    fn verify(&mut self, myself: &ActorRef<Message>, extent: Extent, replies: Vec<Reply>) {
        self.verifying = true;
        let (store, myself) = (self.start.store.clone(), myself.clone());
        let _verifying = tokio::spawn(async move {
            let read = store.read(move |store| {
                Ok(match extent {
                    Extent::All => verify(store, FIRST_SEQUENCE),
                    Extent::End => store
                        .chain_head(Keyspace::Audit)
                        .map_err(Error::from)
                        .and_then(|(next, _)| verify(store, next.saturating_sub(START_ENTRIES))),
                })
            });
            let outcome = read.await.map_err(Error::from).and_then(|outcome| outcome);
            if myself.cast(Message::Ended { outcome, replies }).is_err() {
                tracing::debug!("the audit log's actor ended before its verification");
            }
        });
    }

    fn ended(&mut self, myself: &ActorRef<Message>, outcome: &Result<Verified, Error>, replies: Vec<Reply>) {
        self.verifying = false;
        match outcome {
            Ok(verified) => {
                tracing::info!(entries = verified.entries, last = verified.last, head = %hex::encode(verified.head), "the audit log holds");
            }
            Err(reason) => {
                tracing::error!(%reason, "the audit log does not hold");
                self.start.damage.store(Some(Arc::new(reason.to_string())));
                self.start.events.publish(Event::new("audit_broken").with("reason", reason));
            }
        }
        replies.into_iter().for_each(|reply| answer(reply, outcome.clone()));
        if !self.waiting.is_empty() {
            let waiting = std::mem::take(&mut self.waiting);
            self.verify(myself, Extent::All, waiting);
        }
    }
}

/// Whoever asked may have gone.
fn answer(reply: Reply, outcome: Result<Verified, Error>) {
    if reply.send(outcome).is_err() {
        tracing::debug!("whoever asked the audit log no longer waits");
    }
}
