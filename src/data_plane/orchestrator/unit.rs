//! Units of a plan's work: what starts, what runs, and what becomes of a unit that waits. Pure.
//!
//! Each plan step is one unit, or one for each item where it is mapped; each attempt at a unit is a step of the task under a name
//! of its own: `facts`, `facts[2]`, `facts[2]#2`. What follows from the name, such as a subtask's identifier, is therefore the
//! same for whoever asks again after a crash.

use std::time::Duration;

use super::conclusion::{End, TOOL_IN_DOUBT};
use crate::control_plane::template::plan::{OnFailure, Worker};
use crate::domain::clock::Timestamp;
use crate::domain::id::TaskId;
use crate::domain::name::ToolName;
use crate::domain::private::Text;
use crate::journal::policy::{APPROVAL_REJECTED, DECIDED_BY, TOOL_REJECTED};
use crate::journal::record::{Decided, StepKind, Then, Verdict};
use crate::journal::release::{DLP_REJECTED, Release};
use crate::journal::state::{Step, Task};

/// One attempt at a unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// The plan step, the item and the attempt.
    pub name: String,
    /// What is done.
    pub work: UnitWork,
    /// What becomes of the task if it fails.
    pub on_failure: OnFailure,
}

/// What a unit does.
#[derive(Debug, Clone, PartialEq)]
pub enum UnitWork {
    /// A subtask.
    Delegate {
        /// Its identifier.
        child: TaskId,
        /// Who does it.
        worker: Worker,
        /// What about; none for one that is known to have been submitted, whose input nobody needs any more.
        input: Option<Text>,
    },
    /// A tool's call.
    Tool {
        /// The tool.
        tool: ToolName,
        /// What it is given.
        input: Text,
        /// The step, where it has started.
        step: Option<u32>,
        /// The step that names the call to the tool: the unit's first attempt of which nobody knows whether it was made. None
        /// where it is the step itself.
        key: Option<u32>,
    },
    /// A time that is waited for.
    Timer {
        /// From the step's start on.
        wait: Duration,
    },
    /// A person's decision that is waited for.
    Approval {
        /// What is asked.
        question: Text,
        /// From the step's start on.
        timeout: Option<Duration>,
    },
    /// A person's leave that is waited for, before a tool is called.
    Release {
        /// What would leave.
        release: Box<Release>,
        /// From the step's start on.
        within: Duration,
    },
    /// A signal that is waited for.
    Signal {
        /// What it is called.
        signal: String,
        /// From the step's start on.
        timeout: Option<Duration>,
    },
}

impl Unit {
    /// What is written down when it starts at this moment: what it waits for is a time of the clock, which no restart moves.
    #[must_use]
    pub fn kind(&self, at: Timestamp, idempotent: bool) -> StepKind {
        let name = self.name.clone();
        let until = |timeout: &Option<Duration>| timeout.map(|timeout| at.after(timeout));
        match &self.work {
            UnitWork::Delegate { child, .. } => StepKind::Delegate { name, child: *child },
            UnitWork::Tool { tool, .. } => StepKind::Tool { name, tool: tool.clone(), idempotent },
            UnitWork::Timer { wait } => StepKind::Timer { name, until: at.after(*wait) },
            UnitWork::Approval { question, timeout } => {
                StepKind::Approval { name, question: question.clone(), until: until(timeout), release: None }
            }
            UnitWork::Release { release, within } => StepKind::Approval {
                name,
                question: Text::from(release.question()),
                until: Some(at.after(*within)),
                release: Some(release.clone()),
            },
            UnitWork::Signal { signal, timeout } => {
                StepKind::Signal { name, signal: signal.clone(), until: until(timeout) }
            }
        }
    }

    /// Whether it is done by waiting, with nobody at work.
    #[must_use]
    pub fn waits(&self) -> bool {
        match &self.work {
            UnitWork::Delegate { .. } | UnitWork::Tool { .. } => false,
            UnitWork::Timer { .. } | UnitWork::Approval { .. } | UnitWork::Release { .. } | UnitWork::Signal { .. } => {
                true
            }
        }
    }

    /// The subtask, where it is one.
    #[must_use]
    pub fn child(&self) -> Option<TaskId> {
        match &self.work {
            UnitWork::Delegate { child, .. } => Some(*child),
            UnitWork::Tool { .. }
            | UnitWork::Timer { .. }
            | UnitWork::Approval { .. }
            | UnitWork::Release { .. }
            | UnitWork::Signal { .. } => None,
        }
    }
}

/// The name of an attempt, counted from 1.
#[must_use]
pub fn attempt_name(base: &str, attempt: u32) -> String {
    if attempt <= 1 { base.to_owned() } else { format!("{base}#{attempt}") }
}

/// What a step that has started and not concluded comes to.
pub(super) enum Open {
    /// It is done.
    Ends(End),
    /// It waits, at most until then.
    Waits(Option<Timestamp>),
    /// Its tool is to be called again under the same key.
    CallAgain,
    /// Nobody knows whether its tool did its work, and a person must say.
    InDoubt,
    /// Its subtask is at work.
    Delegated,
}

/// Decides about an open step. `taken` signals of its name belong to steps before it; `is_called` says that its tool is being
/// called at this moment.
pub(super) fn open(task: &Task, step: &Step, taken: usize, is_called: bool, now: Timestamp) -> Open {
    match &step.kind {
        StepKind::Delegate { .. } => Open::Delegated,
        StepKind::Timer { until, .. } if *until <= now => Open::Ends(End::given(Text::default())),
        StepKind::Timer { until, .. } => Open::Waits(Some(*until)),
        StepKind::Approval { until, release: Some(release), .. } => match task.decision(step.number) {
            Some(decided) => Open::Ends(leave(decided, release)),
            None => waits(*until, now, DLP_REJECTED, "nobody said in time that it may leave"),
        },
        StepKind::Approval { until, release: None, .. } => match task.decision(step.number) {
            Some(decided) => Open::Ends(approval(decided)),
            None => waits(*until, now, "approval_timed_out", "nobody decided in time"),
        },
        StepKind::Signal { signal, until, .. } => {
            match task.signals.iter().filter(|sent| sent.signal == *signal).nth(taken) {
                Some(sent) => Open::Ends(End::given(sent.payload.clone())),
                None => waits(*until, now, "signal_timed_out", "the signal did not come in time"),
            }
        }
        StepKind::Tool { idempotent, .. } => tool(task, step.number, *idempotent, is_called),
        // Replay has told that the story is not this plan's; nothing is decided about such a step.
        StepKind::Model { .. } => Open::Waits(None),
    }
}

fn waits(until: Option<Timestamp>, now: Timestamp, code: &str, message: &str) -> Open {
    match until {
        Some(until) if until <= now => Open::Ends(End::failed(code, message)),
        Some(_) | None => Open::Waits(until),
    }
}

fn leave(decided: &Decided, release: &Release) -> End {
    match decided.verdict {
        Verdict::Approved => by_person(Text::from(decided.comment.clone().unwrap_or_default()), decided),
        Verdict::Rejected => End::failed(DLP_REJECTED, release.rejected(decided)),
    }
}

fn approval(decided: &Decided) -> End {
    let comment = decided.comment.clone().unwrap_or_default();
    match decided.verdict {
        Verdict::Approved => by_person(Text::from(comment), decided),
        Verdict::Rejected if comment.is_empty() => End::failed(APPROVAL_REJECTED, "it was rejected"),
        Verdict::Rejected => End::failed(APPROVAL_REJECTED, format!("it was rejected: {comment}")),
    }
}

fn by_person(output: Text, decided: &Decided) -> End {
    match End::given(output) {
        End::Finished { output, usage, cost, .. } => {
            End::Finished { output, usage, cost, notes: vec![(DECIDED_BY.to_owned(), decided.by.clone())] }
        }
        failed @ End::Failed { .. } => failed,
    }
}

fn tool(task: &Task, number: u32, idempotent: bool, is_called: bool) -> Open {
    match task.decision(number).map(|decided| (decided, decided.verdict)) {
        Some((decided, Verdict::Approved)) => return Open::Ends(by_person(Text::default(), decided)),
        Some((_, Verdict::Rejected)) => {
            let message = "nobody knows whether the tool did its work, and a person decided that it counts as failed";
            return Open::Ends(End::failed(TOOL_REJECTED, message));
        }
        None => {}
    }
    if is_called {
        return Open::Waits(None);
    }
    if task.retried_step == Some(number) {
        // This attempt stays unknown for ever. The next one is a step of its own under the same key, so that a crash in its
        // middle is noticed and asked about again.
        let message = "nobody knows whether the tool did its work; a person wants it called again".to_owned();
        let (code, then) = (TOOL_IN_DOUBT.to_owned(), Then::Again { after_ms: 0 });
        return Open::Ends(End::Failed { code, message, cost: crate::domain::money::Usd::ZERO, then });
    }
    if idempotent { Open::CallAgain } else { Open::InDoubt }
}
