//! What a worker of the pool is told.

use std::sync::Arc;

use ractor::RpcReplyPort;
use tokio::sync::OwnedSemaphorePermit;

use super::finding::Finding;
use super::redaction::{Consent, Redaction, Withheld};
use super::stream::StreamFilter;
use crate::domain::name::Tenant;
use crate::domain::private::Text;
use crate::domain::protection::Rules;

/// Texts that belong together, and what is to be done with what is found in them.
#[derive(Debug, Clone)]
pub(super) struct Job {
    /// The texts.
    pub(super) texts: Arc<[Text]>,
    /// What the texts are taken for.
    pub(super) reading: Reading,
    /// The actions on findings.
    pub(super) rules: Rules,
    /// What persons let pass.
    pub(super) consents: Arc<[Consent]>,
    /// Whose pseudonyms are used.
    pub(super) tenant: Tenant,
    /// The pool's room, taken for as long as anybody holds the job: its caller, a mailbox, or a thread that nobody waits for any
    /// more.
    pub(super) _room: Arc<OwnedSemaphorePermit>,
}

/// What texts are taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// What they are: JSON stays JSON.
    AsTheyAre,
    /// Texts as they are written, whatever is in them, so that the places of findings are places in them.
    AsWritten,
}

/// A job that is done.
#[derive(Debug)]
pub(super) struct Done {
    /// What was found, text by text; in JSON it is not told where.
    pub(super) findings: Vec<Vec<Finding>>,
    /// What became of the texts.
    pub(super) outcome: Result<Redaction, Withheld>,
}

/// A text that is about to be written.
#[derive(Debug, Clone)]
pub(super) struct Opening {
    /// The actions on findings.
    pub(super) rules: Rules,
    /// Whose pseudonyms are used.
    pub(super) tenant: Tenant,
    /// What was told of the text before.
    pub(super) context: Text,
}

/// A text that a detector broke on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken {
    /// Its place among the job's texts.
    pub(super) text: usize,
}

/// What a worker answers.
pub(super) type Answer = Result<Done, Broken>;

/// The mailbox of a worker.
#[derive(Debug)]
pub(super) enum Message {
    /// From the handle: examine these texts.
    Examine(Job, RpcReplyPort<Answer>),
    /// From the handle: a filter for this text.
    Open(Opening, RpcReplyPort<StreamFilter>),
    /// From the thread that a large job was given to: it is done, or it panicked.
    Examined(Option<Answer>, RpcReplyPort<Answer>),
}
