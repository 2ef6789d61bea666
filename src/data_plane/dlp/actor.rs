//! A worker of the pool: examines small texts at once and has large ones examined on a thread that may take its time.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::detect::{detect, resolve};
use super::finding::Finding;
use super::message::{Done, Job, Message};
use super::pseudonym::{PseudonymKey, Pseudonyms};
use super::redaction::{Examined, redact};
use super::view;

/// Texts up to this size together are examined in the handler: less than a millisecond. Bytes.
pub(super) const INLINE_BYTES_MAX: usize = 64 * 1024;

/// The worker; it has no state but the key, so that a restart loses nothing.
pub(super) struct Worker;

impl Actor for Worker {
    type Msg = Message;
    type State = PseudonymKey;
    type Arguments = PseudonymKey;

    async fn pre_start(
        &self,
        _myself: ActorRef<Message>,
        key: PseudonymKey,
    ) -> Result<PseudonymKey, ActorProcessingErr> {
        Ok(key)
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        key: &mut PseudonymKey,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Examine(job, reply) => {
                let pseudonyms = Pseudonyms::new(key.clone(), job.tenant.clone());
                if bytes_of(&job) <= INLINE_BYTES_MAX {
                    return answer(examine(&job, &pseudonyms), reply);
                }
                let thread = tokio::task::spawn_blocking(move || examine(&job, &pseudonyms));
                let _detached = tokio::spawn(async move {
                    // Where the worker is gone the reply is dropped with the message, and the caller knows.
                    if myself.cast(Message::Examined(thread.await.ok(), reply)).is_err() {
                        tracing::warn!("an examined text came back to a worker that has ended");
                    }
                });
                Ok(())
            }
            Message::Open(opening, reply) => {
                let pseudonyms = Pseudonyms::new(key.clone(), opening.tenant.clone());
                answer(opening.filter(pseudonyms, Arc::new(find)), reply)
            }
            Message::Examined(Some(done), reply) => answer(done, reply),
            // INVARIANT: a text that breaks its worker is not answered; the caller sees an interruption, not a pass.
            Message::Examined(None, _reply) => Err("a text broke the thread that examined it".into()),
        }
    }
}

/// Finds and redacts.
fn examine(job: &Job, pseudonyms: &Pseudonyms) -> Done {
    let examined: Vec<Examined> =
        job.texts.iter().map(|text| Examined { text: text.clone(), findings: find(text.expose()) }).collect();
    let outcome = redact(&examined, job.action, pseudonyms);
    Done { findings: examined.into_iter().map(|one| one.findings).collect(), outcome }
}

/// What is in a text, in every way to read it.
fn find(text: &str) -> Vec<Finding> {
    resolve(view::examine(text, &detect))
}

fn bytes_of(job: &Job) -> usize {
    job.texts.iter().map(crate::domain::private::Text::len).fold(0, usize::saturating_add)
}

fn answer<T>(done: T, reply: ractor::RpcReplyPort<T>) -> Result<(), ActorProcessingErr> {
    if reply.send(done).is_err() {
        tracing::debug!("the caller of an examination has gone");
    }
    Ok(())
}
