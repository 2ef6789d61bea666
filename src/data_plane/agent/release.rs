//! Asking a person whether texts may leave as they are, before the step starts that would send them.
//!
//! ```text
//! prepare ─(dlp: ask)─> Release started, durable ── a person approves ──> prepare again: these texts pass
//!                                                └─ rejects, too late ──> the task fails: dlp_rejected
//! ```
//!
//! INVARIANT I132: leave is given for one model, for the texts whose digest the record holds, and for the kinds that it names; for
//! anything else a person is asked again. Nothing is held of the budget while a task waits.

use std::sync::Arc;

use super::Error;
use super::environment::Environment;
use super::state::{self, Next};
use super::turn::Turn;
use super::unprepared::Unprepared;
use crate::control_plane::admission::payer_of;
use crate::data_plane::dlp::{self, Consent, Question};
use crate::domain::clock::Timestamp;
use crate::domain::failure::{Class, Failure};
use crate::domain::money::Usd;
use crate::domain::name::ModelRef;
use crate::domain::private::Text;
use crate::domain::usage::Usage;
use crate::journal::order::Order;
use crate::journal::policy::DECIDED_BY;
use crate::journal::record::{
    Decided, Outcome, StepFailed, StepFinished, StepKind, StepStarted, TaskRecord, Then, Verdict,
};
use crate::journal::release::{DLP_REJECTED, Found, RELEASE, Release};
use crate::journal::state::{Step, Task};
use crate::store::Batch;

/// What the audit log calls a call whose texts were kept back until a person has decided.
pub(crate) const ASK: &str = "dlp_ask";
/// What it calls a call whose texts, or whose answer, were kept back for good.
const BLOCK: &str = "dlp_block";
/// The code of what a person is asked about.
pub(crate) const CONSENT_NEEDED: &str = "dlp_consent_needed";

/// What becomes of an open question.
pub(super) fn after(task: &Task, step: &Step, release: &Release, now: Timestamp) -> Next {
    let number = step.number;
    let settle = |record| Next::Settle(Box::new(record));
    // Who wants the task to end wants nothing more to leave.
    if let Some(outcome) = state::interruption(task, now) {
        let (code, message) = match outcome {
            Outcome::Failed { code, message } => (code, message),
            Outcome::Cancelled | Outcome::Answered { .. } | Outcome::AnsweredByStep { .. } => {
                ("cancelled".to_owned(), "the task was cancelled while a person was asked".to_owned())
            }
        };
        return settle(refused(number, code, message, now));
    }
    if let Some(decided) = task.decision(number) {
        return settle(decision(number, decided, release, now));
    }
    if let StepKind::Approval { until: Some(until), .. } = &step.kind
        && now < *until
    {
        return Next::Wait { until: *until };
    }
    // Without a limit nobody would ever say no.
    let message = format!("nobody said in time that {} may leave to {}", release.findings(), release.to);
    settle(refused(number, DLP_REJECTED.to_owned(), message, now))
}

fn decision(number: u32, decided: &Decided, release: &Release, at: Timestamp) -> TaskRecord {
    match decided.verdict {
        Verdict::Approved => TaskRecord::StepFinished(StepFinished {
            step: number,
            output: Text::from(decided.comment.clone().unwrap_or_default()),
            usage: Usage::default(),
            cost: Usd::ZERO,
            notes: vec![(DECIDED_BY.to_owned(), decided.by.clone())],
            at,
            calls: Vec::new(),
        }),
        Verdict::Rejected => refused(number, DLP_REJECTED.to_owned(), release.rejected(decided), at),
    }
}

fn refused(step: u32, code: String, message: String, at: Timestamp) -> TaskRecord {
    TaskRecord::StepFailed(StepFailed {
        step,
        code,
        message,
        in_doubt: Usd::ZERO,
        then: Then::GiveUp,
        cost: Usd::ZERO,
        at,
        arrived: None,
    })
}

/// Why a call cannot start.
pub(super) enum NotReady {
    /// A person is asked first, by the step of this number.
    Asks(u32, Box<Release>),
    /// The filter keeps its texts back.
    Withheld(dlp::Error),
    /// Something is in its way.
    Refused(Box<dyn Failure + Send + Sync>),
}

impl NotReady {
    /// Why the call of a step to this model cannot start.
    pub(super) fn of(refusal: Unprepared, step: u32, model: &ModelRef) -> Self {
        let refusal = match refusal {
            Unprepared::Dlp(refusal) => refusal,
            other @ (Unprepared::Unsuitable(_) | Unprepared::Exceeded(_)) => return Self::refused(other),
        };
        if let dlp::Error::ConsentNeeded(question) = &refusal
            && let Some(release) = question_of(question, &model.to_string())
        {
            return Self::Asks(step, Box::new(release));
        }
        if refusal.class() == Class::Refused { Self::Withheld(refusal) } else { Self::refused(refusal) }
    }

    pub(super) fn refused<F: Failure + Send + Sync + 'static>(refusal: F) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

/// What a person is asked; nothing where the texts have no digest, so that no leave could be told from leave for others.
pub(crate) fn question_of(question: &Question, to: &str) -> Option<Release> {
    let found = question.counts.iter().map(|(kind, count)| Found { kind: kind.as_str().to_owned(), count });
    Some(Release { to: to.to_owned(), digest: question.digest?, found: found.collect() })
}

/// What persons have let leave of a task.
pub(crate) fn granted(task: &Task) -> Arc<[Release]> {
    task.steps.iter().filter_map(Step::granted).cloned().collect()
}

/// What of it is leave for this model or tool.
pub(crate) fn consents(granted: &[Release], to: &str) -> Arc<[Consent]> {
    let to_them = granted.iter().filter(|release| release.to == to);
    to_them.map(|release| Consent { digest: release.digest, kinds: release.kinds().collect() }).collect()
}

/// The entry of the audit log for a step that started and failed with this code and message, where that is because the filter kept
/// back what it sends or what answered it. Commit it together with the step's end.
pub(crate) fn kept_back(
    environment: &Environment,
    order: &Order,
    failed: Option<(&str, &str)>,
    at: Timestamp,
) -> Batch {
    let refused = failed.filter(|(code, _)| dlp::Error::is_refusal(code));
    refused.map_or_else(Batch::new, |why| environment.admission.on_record(order, BLOCK, why, at))
}

impl Turn {
    /// Writes down that a person is asked, with an entry of the audit log. What admission held for the first call is held no
    /// longer: nobody knows when it will be made.
    pub(super) async fn ask(&self, step: u32, release: Release) -> Result<(), Error> {
        let task = self.custody.task();
        let (order, at) = (&task.order, Timestamp::now());
        let until = at.after(order.protection.ask_within);
        let with = self.environment.admission.on_record(order, ASK, (CONSENT_NEEDED, &release.question()), at);
        let kind = StepKind::Approval {
            name: RELEASE.to_owned(),
            question: Text::from(release.question()),
            until: Some(until),
            release: Some(Box::new(release)),
        };
        let started = TaskRecord::StepStarted(StepStarted { step, kind, reserved: Usd::ZERO, at });
        let held = (step == 0).then(|| self.recorded(0, payer_of(order), task.reserved));
        let budget = self.environment.budget.clone();
        let free = move |_| held.iter().for_each(|held| budget.release(held));
        self.journal().append_then(&self.custody, vec![started], with, free).await?;
        Ok(())
    }

    /// Ends a task whose texts may not leave, with an entry of the audit log.
    pub(super) async fn withhold(&self, refusal: &dlp::Error) -> Result<(), Error> {
        let why = (refusal.code(), &*refusal.detail());
        let task = self.custody.task();
        let with = self.environment.admission.on_record(&task.order, BLOCK, why, Timestamp::now());
        self.end_with(Outcome::failed(why.0, why.1), with).await
    }

    /// Writes down what became of a question.
    pub(super) async fn settle(&self, record: TaskRecord) -> Result<(), Error> {
        self.journal().append(&self.custody, vec![record], Batch::new()).await?;
        Ok(())
    }
}
