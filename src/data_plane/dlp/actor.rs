//! A worker of the pool: examines small texts at once and has large ones examined on a thread that may take its time.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::detect::resolve_under;
use super::detectors::{Detectors, InForce};
use super::document::Document;
use super::message::{Done, Job, Message, Reading};
use super::pseudonym::{PseudonymKey, Pseudonyms};
use super::redaction::{Examined, Redaction, redact};
use crate::domain::private::Text;

/// Texts up to this size together are examined in the handler: less than a millisecond. Bytes.
pub(super) const INLINE_BYTES_MAX: usize = 64 * 1024;

/// The worker; it has no state but what it is given, so that a restart loses nothing.
pub(super) struct Worker;

/// What each incarnation is given.
#[derive(Debug, Clone)]
pub(super) struct Means {
    /// Makes pseudonyms.
    pub(super) key: PseudonymKey,
    /// The rules in force; whatever is examined from now on is examined by them.
    pub(super) detectors: InForce,
}

impl Actor for Worker {
    type Msg = Message;
    type State = Means;
    type Arguments = Means;

    async fn pre_start(&self, _myself: ActorRef<Message>, means: Means) -> Result<Means, ActorProcessingErr> {
        Ok(means)
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        means: &mut Means,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Examine(job, reply) => {
                let pseudonyms = Pseudonyms::new(means.key.clone(), job.tenant.clone());
                let detectors = means.detectors.current();
                if bytes_of(&job) <= INLINE_BYTES_MAX {
                    return answer(examine(&job, &detectors, &pseudonyms), reply);
                }
                let thread = tokio::task::spawn_blocking(move || examine(&job, &detectors, &pseudonyms));
                let _detached = tokio::spawn(async move {
                    // Where the worker is gone the reply is dropped with the message, and the caller knows.
                    if myself.cast(Message::Examined(thread.await.ok(), reply)).is_err() {
                        tracing::warn!("an examined text came back to a worker that has ended");
                    }
                });
                Ok(())
            }
            Message::Open(opening, reply) => {
                let pseudonyms = Pseudonyms::new(means.key.clone(), opening.tenant.clone());
                let detectors = means.detectors.current();
                answer(opening.filter(pseudonyms, Arc::new(move |text| detectors.candidates(text))), reply)
            }
            Message::Examined(Some(done), reply) => answer(done, reply),
            // INVARIANT: a text that breaks its worker is not answered; the caller sees an interruption, not a pass.
            Message::Examined(None, _reply) => Err("a text broke the thread that examined it".into()),
        }
    }
}

/// Finds and redacts.
fn examine(job: &Job, detectors: &Detectors, pseudonyms: &Pseudonyms) -> Done {
    let find = |text: &str| detectors.candidates(text);
    let read = |text: &Text| match job.reading {
        Reading::AsTheyAre => Document::examine(text, find),
        Reading::AsWritten => Document::as_written(text, find),
    };
    let documents: Vec<Document> = job.texts.iter().map(read).collect();
    let examined: Vec<Examined> = documents.iter().flat_map(Document::examined).collect();
    let outcome = redact(&examined, &job.rules, &job.consents, pseudonyms).map(|redaction| {
        let mut redacted = redaction.texts.into_iter();
        // One that could not be put together would be told as empty: nothing of it passes.
        let texts = documents.iter().map(|document| document.assemble(&mut redacted).unwrap_or_default()).collect();
        Redaction { texts, ..redaction }
    });
    let findings = documents.into_iter().map(|document| resolve_under(&job.rules, document.into_findings()));
    Done { findings: findings.collect(), outcome }
}

fn bytes_of(job: &Job) -> usize {
    job.texts.iter().map(Text::len).fold(0, usize::saturating_add)
}

fn answer<T>(done: T, reply: ractor::RpcReplyPort<T>) -> Result<(), ActorProcessingErr> {
    if reply.send(done).is_err() {
        tracing::debug!("the caller of an examination has gone");
    }
    Ok(())
}
