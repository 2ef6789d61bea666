//! The committer's place in the tree: an actor that owns the thread. Killed, it takes the thread with it behind the group that is
//! being written; started again, it starts another, which serves the same queue.

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::Store;
use super::committer::{self, Ended, Running};

/// The committer's mailbox.
#[derive(Debug)]
pub enum Message {
    /// From the committer's thread: it panicked.
    Panicked,
}

/// The actor; until it is started with the store that it serves, commits wait.
#[derive(Debug)]
pub struct Committer;

impl Actor for Committer {
    type Msg = Message;
    type State = Running;
    type Arguments = Store;

    async fn pre_start(&self, myself: ActorRef<Message>, store: Store) -> Result<Running, ActorProcessingErr> {
        let on_end = move |ended: std::thread::Result<Ended>| {
            if ended.is_err() && myself.cast(Message::Panicked).is_err() {
                tracing::debug!("the committer's actor ended before its thread");
            }
        };
        Ok(committer::start(store.shared(), on_end)?)
    }

    async fn handle(&self, _: ActorRef<Message>, message: Message, _: &mut Running) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Panicked => Err("the committer's thread panicked".into()),
        }
    }
}
