//! The way into the pool.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::actor::{INLINE_BYTES_MAX, Means, Worker};
use super::detectors::{Detectors, InForce, Published};
use super::error::Error;
use super::finding::Counts;
use super::message::{Broken, Done, Job, Message, Reading};
use super::metrics;
use super::position::{Located, locate};
use super::pseudonym::PseudonymKey;
use super::quarantine::Quarantine;
use super::redaction::{Consent, Redaction, Withheld};
use super::rules::{Loaded, RuleReader};
use super::vault::Vault;
use crate::domain::name::Tenant;
use crate::domain::private::Text;
use crate::domain::protection::{Action, Rules};
use crate::journal::events::{Event, Events};
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
    room: Arc<Semaphore>,
    detectors: InForce,
    quarantine: Quarantine,
    events: Events,
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
    /// A pool of so many workers, and the specs by which a supervisor starts them: `dlp/0`, `dlp/1`, … Texts are examined by the
    /// shipped rules until others are published.
    #[must_use]
    pub fn start(workers: NonZeroUsize, key: PseudonymKey, events: Events) -> (Self, Vec<ChildSpec>) {
        let addresses: Box<[_]> = (0..workers.get()).map(|index| Address::new(format!("dlp/{index}"))).collect();
        let detectors = InForce::default();
        let spec = |address: &Address<Message>| {
            let means = Means { key: key.clone(), detectors: detectors.clone() };
            ChildSpec::worker(address, move || (Worker, means.clone()))
        };
        let specs = addresses.iter().map(spec).collect();
        (Self::over(addresses, detectors.clone(), events), specs)
    }

    fn over(workers: Box<[Address<Message>]>, detectors: InForce, events: Events) -> Self {
        let (next, room) = (AtomicUsize::new(0), Arc::new(Semaphore::new(UNITS_MAX)));
        Self(Arc::new(Pool { workers, next, room, detectors, quarantine: Quarantine::default(), events }))
    }

    /// Puts the rules of an operator's file in force, which was just read, and has it watched from now on: what reads it again
    /// when asked, and the spec by which a supervisor starts that.
    #[must_use]
    pub fn rules_from(&self, file: &Path, loaded: Loaded) -> (RuleReader, ChildSpec) {
        self.0.detectors.publish(Published::of_file(file, loaded));
        RuleReader::start(file.to_owned(), self.0.detectors.clone(), self.0.events.clone())
    }

    /// The rules in force, and how they came to be.
    #[must_use]
    pub fn rules(&self) -> Arc<Published> {
        self.0.detectors.published()
    }

    /// The detectors in force: what a text is examined by that is given to the pool now.
    #[must_use]
    pub fn detectors(&self) -> Detectors {
        self.0.detectors.current()
    }

    /// Does to the findings in texts of one request what the rules say of their kinds. The texts share a vault.
    ///
    /// # Errors
    /// Something was found that is to be blocked or asked about; the texts are too large; the pool is full or broken. In each case
    /// no text passes.
    pub async fn protect(
        &self,
        texts: Vec<Text>,
        rules: impl Into<Rules>,
        tenant: &Tenant,
    ) -> Result<Protected, Error> {
        self.protect_with(texts, rules.into(), Arc::default(), tenant).await
    }

    /// As [`Self::protect`], where persons have let something pass.
    ///
    /// # Errors
    /// As [`Self::protect`]; what no consent is about is still asked about.
    pub async fn protect_with(
        &self,
        texts: Vec<Text>,
        rules: Rules,
        consents: Arc<[Consent]>,
        tenant: &Tenant,
    ) -> Result<Protected, Error> {
        let (texts, reading): (Arc<[Text]>, _) = (texts.into(), Reading::AsTheyAre);
        let room = self.reserve(&texts)?;
        let done = self.examine(Job { texts, reading, rules, consents, tenant: tenant.clone(), _room: room }).await?;
        match done.outcome {
            Ok(Redaction { texts, vault, counts, rules }) => {
                metrics::found(&counts, &rules);
                Ok(Protected { texts, vault, counts })
            }
            Err(Withheld::Blocked(kinds)) => {
                metrics::blocked(&kinds);
                Err(Error::Blocked { kinds })
            }
            Err(Withheld::Asked(question)) => {
                metrics::asked(&question.counts);
                Err(Error::ConsentNeeded(question))
            }
        }
    }

    /// Tells what is in a text, and how it would leave. Counts nothing: nobody is protected by it.
    ///
    /// # Errors
    /// The text is too large; the pool is full or broken.
    pub async fn scan(&self, text: Text, tenant: &Tenant) -> Result<Scan, Error> {
        let rules = Rules::all(Action::Pseudonymise);
        let (texts, reading, consents) = (Arc::new([text.clone()]), Reading::AsWritten, Arc::default());
        let room = self.reserve(&*texts)?;
        let done = self.examine(Job { texts, reading, rules, consents, tenant: tenant.clone(), _room: room }).await?;
        let redacted = done.outcome.map_err(Error::from)?.texts.pop();
        let findings = done.findings.first().map(|findings| locate(text.expose(), findings));
        match (findings, redacted) {
            (Some(findings), Some(redacted)) => Ok(Scan { findings, redacted }),
            _ => Err(Error::Failed { reason: "the answer is about no text".to_owned() }),
        }
    }

    /// Gives a job to one worker after another, until one answers or enough have not.
    ///
    /// INVARIANT: a text that broke a detector is given to no worker again, nor are texts that twice ended [`ATTEMPTS_MAX`] workers
    /// together; other texts go on. Once may be somebody else's fault, such as a worker that was killed.
    async fn examine(&self, job: Job) -> Result<Done, Error> {
        if self.0.quarantine.holds(&job.texts) {
            return Err(Error::Quarantined);
        }
        let (mut failure, mut ended) = (Error::Unavailable, 0_usize);
        for _ in 0..ATTEMPTS_MAX {
            let worker = self.next_worker().ok_or(Error::Unavailable)?;
            match worker.call(ANSWER_WITHIN, |reply| Message::Examine(job.clone(), reply)).await {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(broken)) => return Err(self.quarantine_text(&job, broken)),
                // The text is examined nowhere: another worker may.
                Err(CallError::NotRunning(_)) => failure = Error::Unavailable,
                Err(fault @ CallError::Interrupted(_)) => {
                    tracing::warn!(%fault, "a worker ended with a text in hand");
                    ended = ended.saturating_add(1);
                    failure = Error::Failed { reason: fault.to_string() };
                }
                // Another attempt would have the pool examine it twice.
                Err(fault @ CallError::TimedOut(_)) => {
                    tracing::warn!(%fault, "a text was not examined in time");
                    return Err(Error::TimedOut);
                }
            }
        }
        if ended == ATTEMPTS_MAX {
            self.quarantine_job(&job);
        }
        Err(failure)
    }

    /// Keeps the text from all workers that a detector broke on.
    fn quarantine_text(&self, job: &Job, broken: Broken) -> Error {
        let bytes = job.texts.get(broken.text).map_or(0, |text| {
            self.0.quarantine.add(text);
            text.len()
        });
        self.tell_quarantine(&job.tenant, bytes);
        Error::Quarantined
    }

    /// Keeps the texts of a job from all workers, when they come together again after the second time.
    fn quarantine_job(&self, job: &Job) {
        if self.0.quarantine.suspect_together(&job.texts) {
            self.tell_quarantine(&job.tenant, job.texts.iter().map(Text::len).fold(0, usize::saturating_add));
        }
    }

    fn tell_quarantine(&self, tenant: &Tenant, bytes: usize) {
        metrics::quarantined();
        tracing::error!(%tenant, bytes, "a text broke a worker; it is refused from now on, and worth a report");
        self.0.events.publish(Event::new("dlp_text_quarantined").with("tenant", tenant).with("bytes", bytes));
    }

    /// Takes the room that texts need for as long as they are examined.
    fn reserve(&self, texts: &[Text]) -> Result<Arc<OwnedSemaphorePermit>, Error> {
        let bytes = texts.iter().map(Text::len).fold(0, usize::saturating_add);
        if bytes > REQUEST_BYTES_MAX {
            return Err(Error::TooLarge { bytes, limit: REQUEST_BYTES_MAX });
        }
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES).max(1)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.0.room).try_acquire_many_owned(units);
        room.map(Arc::new).map_err(|_| Error::Overloaded)
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
        Self::over(workers.into(), InForce::default(), Events::new())
    }
}
