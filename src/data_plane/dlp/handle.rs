//! The way into the pool.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::actor::{INLINE_BYTES_MAX, Worker};
use super::error::Error;
use super::finding::Counts;
use super::message::{Done, Job, Message};
use super::metrics;
use super::position::{Located, locate};
use super::pseudonym::PseudonymKey;
use super::redaction::Blocked;
use super::vault::Vault;
use crate::domain::name::Tenant;
use crate::domain::private::Text;
use crate::domain::protection::Action;
use crate::supervision::{Address, CallError, ChildSpec};

/// The most bytes of text that are examined at once for one caller, all texts together.
pub const REQUEST_BYTES_MAX: usize = 128 * 1024 * 1024;

/// What every examination takes of the pool's room at the least: as much as fits into a handler. Bytes.
const UNIT_BYTES: usize = INLINE_BYTES_MAX;

/// The pool's room: how many units are examined or wait for it at once. It bounds the mailboxes and the memory behind them:
/// 4,096 small texts, or 256 MiB of large ones.
const UNITS_MAX: usize = 4_096;

/// How long an answer is waited for, a worker's restart included. The largest request takes a few seconds.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// How many workers a text is given to before it counts as one that breaks them.
const ATTEMPTS_MAX: usize = 2;

/// Examines texts and hides what is found in them. Cheap to clone; works across restarts of the workers.
#[derive(Debug, Clone)]
pub struct Dlp(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    workers: Box<[Address<Message>]>,
    next: AtomicUsize,
    room: Semaphore,
}

/// Texts that may leave.
#[derive(Debug, Clone)]
pub struct Protected {
    /// The texts, in the order in which they came, each with what was done to its findings.
    pub texts: Vec<Text>,
    /// What undoes it in the answer; to be kept for the owner of the texts only.
    pub vault: Vault,
    /// What was found.
    pub counts: Counts,
}

/// What is in a text.
#[derive(Debug, Clone)]
pub struct Scan {
    /// The findings, in order and apart, by code points.
    pub findings: Vec<Located>,
    /// The text with a pseudonym for each finding.
    pub redacted: Text,
}

impl Dlp {
    /// A pool of so many workers, and the specs by which a supervisor starts them: `dlp/0`, `dlp/1`, …
    #[must_use]
    pub fn start(workers: NonZeroUsize, key: PseudonymKey) -> (Self, Vec<ChildSpec>) {
        let addresses: Box<[_]> = (0..workers.get()).map(|index| Address::new(format!("dlp/{index}"))).collect();
        let spec = |address: &Address<Message>| {
            let key = key.clone();
            ChildSpec::worker(address, move || (Worker, key.clone()))
        };
        let specs = addresses.iter().map(spec).collect();
        (Self::over(addresses), specs)
    }

    fn over(workers: Box<[Address<Message>]>) -> Self {
        Self(Arc::new(Pool { workers, next: AtomicUsize::new(0), room: Semaphore::new(UNITS_MAX) }))
    }

    /// Does to the findings in texts of one request what `action` says. The texts share a vault.
    ///
    /// # Errors
    /// The action is to block and something was found; the texts are too large; the pool is full or broken. In each case no
    /// text passes.
    pub async fn protect(&self, texts: Vec<Text>, action: Action, tenant: &Tenant) -> Result<Protected, Error> {
        let done = self.examine(Job { texts: texts.into(), action, tenant: tenant.clone() }).await?;
        match done.outcome {
            Ok(redaction) => {
                metrics::found(&redaction.counts, action);
                Ok(Protected { texts: redaction.texts, vault: redaction.vault, counts: redaction.counts })
            }
            Err(Blocked(kinds)) => {
                metrics::blocked(&kinds);
                Err(Error::Blocked { kinds })
            }
        }
    }

    /// Tells what is in a text, and how it would leave. Counts nothing: nobody is protected by it.
    ///
    /// # Errors
    /// The text is too large; the pool is full or broken.
    pub async fn scan(&self, text: Text, tenant: &Tenant) -> Result<Scan, Error> {
        let job = Job { texts: Arc::new([text.clone()]), action: Action::Pseudonymise, tenant: tenant.clone() };
        let done = self.examine(job).await?;
        let redacted = done.outcome.map_err(|Blocked(kinds)| Error::Blocked { kinds })?.texts.pop();
        let findings = done.findings.first().map(|findings| locate(text.expose(), findings));
        match (findings, redacted) {
            (Some(findings), Some(redacted)) => Ok(Scan { findings, redacted }),
            _ => Err(Error::Failed { reason: "the answer is about no text".to_owned() }),
        }
    }

    /// Gives a job to one worker after another, until one answers or enough have not.
    async fn examine(&self, job: Job) -> Result<Done, Error> {
        let _room = self.reserve(&job)?;
        let mut failure = Error::Unavailable;
        for _ in 0..ATTEMPTS_MAX {
            let worker = self.next_worker().ok_or(Error::Unavailable)?;
            match worker.call(ANSWER_WITHIN, |reply| Message::Examine(job.clone(), reply)).await {
                Ok(done) => return Ok(done),
                // The text is examined nowhere: another worker may.
                Err(CallError::NotRunning(_)) => failure = Error::Unavailable,
                Err(fault @ CallError::Interrupted(_)) => {
                    tracing::warn!(%fault, "a worker ended with a text in hand");
                    failure = Error::Failed { reason: fault.to_string() };
                }
                // Another attempt would have the pool examine it twice.
                Err(fault @ CallError::TimedOut(_)) => return Err(Error::Failed { reason: fault.to_string() }),
            }
        }
        Err(failure)
    }

    /// Takes the room that a job needs for as long as it is examined.
    fn reserve(&self, job: &Job) -> Result<SemaphorePermit<'_>, Error> {
        let bytes = job.texts.iter().map(Text::len).fold(0, usize::saturating_add);
        if bytes > REQUEST_BYTES_MAX {
            return Err(Error::TooLarge { bytes, limit: REQUEST_BYTES_MAX });
        }
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES).max(1)).unwrap_or(u32::MAX);
        self.0.room.try_acquire_many(units).map_err(|_| Error::Overloaded)
    }

    /// The next worker in turn; one that is being restarted is passed over while another lives.
    pub(super) fn next_worker(&self) -> Option<&Address<Message>> {
        let workers = &self.0.workers;
        let turn = self.0.next.fetch_add(1, Ordering::Relaxed);
        let first = turn.checked_rem(workers.len())?;
        let (before, from) = workers.split_at_checked(first)?;
        from.iter().chain(before).find(|worker| worker.current().is_some()).or_else(|| from.first())
    }
}

#[cfg(test)]
impl Dlp {
    /// The pool over addresses at which a test lets its own actors live.
    pub(super) fn over_addresses(workers: Vec<Address<Message>>) -> Self {
        Self::over(workers.into())
    }
}
