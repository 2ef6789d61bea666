//! The committer's place in the tree: an actor that owns the thread. Killed, it takes the thread with it behind the group that is
//! being written; started again, it starts another, which serves the same queue.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::Store;
use super::committer::{self, Ended, Running};
use super::shared::Shared;
use crate::supervision::{Address, ChildSpec};

/// The committer's mailbox.
#[derive(Debug)]
pub(super) enum Message {
    /// From the committer's thread: it panicked.
    Panicked,
}

pub(super) struct Committer;

/// The committer as a child of the tree; until it is started, commits wait.
#[must_use]
pub fn child_spec(store: &Store) -> ChildSpec {
    let shared = store.shared().clone();
    ChildSpec::worker(&Address::new("store"), move || (Committer, shared.clone()))
}

impl Actor for Committer {
    type Msg = Message;
    type State = Running;
    type Arguments = Arc<Shared>;

    async fn pre_start(&self, myself: ActorRef<Message>, shared: Arc<Shared>) -> Result<Running, ActorProcessingErr> {
        let on_end = move |ended: std::thread::Result<Ended>| {
            if ended.is_err() && myself.cast(Message::Panicked).is_err() {
                tracing::debug!("the committer's actor ended before its thread");
            }
        };
        Ok(committer::start(&shared, on_end)?)
    }

    async fn handle(&self, _: ActorRef<Message>, message: Message, _: &mut Running) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Panicked => Err("the committer's thread panicked".into()),
        }
    }
}
