//! What a worker of the pool is told.

use std::sync::Arc;

use ractor::RpcReplyPort;

use super::finding::Finding;
use super::redaction::{Blocked, Redaction};
use crate::domain::name::Tenant;
use crate::domain::private::Text;
use crate::domain::protection::Action;

/// Texts that belong together, and what is to be done with what is found in them.
#[derive(Debug, Clone)]
pub(super) struct Job {
    /// The texts.
    pub(super) texts: Arc<[Text]>,
    /// The action on findings.
    pub(super) action: Action,
    /// Whose pseudonyms are used.
    pub(super) tenant: Tenant,
}

/// A job that is done.
#[derive(Debug)]
pub(super) struct Done {
    /// What was found, text by text.
    pub(super) findings: Vec<Vec<Finding>>,
    /// What became of the texts.
    pub(super) outcome: Result<Redaction, Blocked>,
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
    /// From the thread that a large job was given to: it is done, or it panicked.
    Examined(Option<Answer>, RpcReplyPort<Answer>),
}
