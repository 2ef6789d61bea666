//! A worker of the pool: examines small texts at once and has large ones examined on a thread that may take its time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::detect::resolve_under;
use super::detectors::{Detectors, InForce};
use super::document::Document;
use super::message::{Answer, Broken, Done, Job, Message, Reading};
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
                let sight = detectors.sight();
                let detect = Arc::new(move |text: &str| detectors.candidates(text));
                answer(opening.filter(pseudonyms, (detect, sight)), reply)
            }
            Message::Examined(Some(examined), reply) => answer(examined, reply),
            // INVARIANT: a text that breaks its worker is not answered; the caller sees an interruption, not a pass.
            Message::Examined(None, _reply) => Err("a text broke the thread that examined it".into()),
        }
    }
}

/// Finds and redacts.
///
/// INVARIANT: a text that a detector panics on does not pass, and costs nobody a worker: the panic ends here, and the text is
/// named. Detectors change nothing but what they return, so that none is left half-done.
fn examine(job: &Job, detectors: &Detectors, pseudonyms: &Pseudonyms) -> Answer {
    let find = |text: &str| detectors.candidates(text);
    let read = |text: &Text| match job.reading {
        Reading::AsTheyAre => Document::examine(text, find),
        Reading::AsWritten => Document::as_written(text, find),
    };
    let mut documents: Vec<Document> = Vec::with_capacity(job.texts.len());
    for (place, text) in job.texts.iter().enumerate() {
        let document = catch_unwind(AssertUnwindSafe(|| read(text)));
        documents.push(document.map_err(|_panic| Broken { text: place })?);
    }
    let examined: Vec<Examined> = documents.iter().flat_map(Document::examined).collect();
    let outcome = redact(&examined, &job.rules, &job.consents, pseudonyms).map(|redaction| {
        let mut redacted = redaction.texts.into_iter();
        // One that could not be put together would be told as empty: nothing of it passes.
        let texts = documents.iter().map(|document| document.assemble(&mut redacted).unwrap_or_default()).collect();
        Redaction { texts, ..redaction }
    });
    let findings = documents.into_iter().map(|document| resolve_under(&job.rules, document.into_findings()));
    Ok(Done { findings: findings.collect(), outcome })
}

fn bytes_of(job: &Job) -> usize {
    job.texts.iter().map(Text::len).fold(0, usize::saturating_add)
}

fn answer<T>(answer: T, reply: ractor::RpcReplyPort<T>) -> Result<(), ActorProcessingErr> {
    if reply.send(answer).is_err() {
        tracing::debug!("the caller of an examination has gone");
    }
    Ok(())
}
