//! What people may say about a task, state by state.

use super::{NOW, order};
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::domain::private::Text;
use crate::domain::usage::Usage;
use crate::journal::Refusal;
use crate::journal::order::{Order, Worker};
use crate::journal::policy::{self, APPROVAL_REJECTED, DECIDED_BY, Subject, TOOL_REJECTED};
use crate::journal::record::{
    AttentionNeeded, Decided, Signalled, StepFailed, StepFinished, StepKind, StepStarted, Submitted, TaskRecord, Then,
    Verdict,
};
use crate::journal::state::{SIGNALS_MAX, State, Task};

fn plan() -> Task {
    let order = Order { worker: Worker::Orchestrator, ..order(TaskId::generate(), "acme") };
    Task::begin(&Submitted { order, reserved: Usd::ZERO, at: NOW })
}

fn after(mut task: Task, records: impl IntoIterator<Item = TaskRecord>) -> Task {
    for record in records {
        assert!(task.accepts(&record), "{record:?}");
        task.evolve(&record);
    }
    task
}

fn start(step: u32, kind: StepKind) -> TaskRecord {
    TaskRecord::StepStarted(StepStarted { step, kind, reserved: Usd::ZERO, at: NOW })
}

fn asks(step: u32) -> TaskRecord {
    start(
        step,
        StepKind::Approval {
            name: format!("ask {step}"),
            question: Text::from("Publish?"),
            until: None,
            release: None,
        },
    )
}

fn calls(step: u32) -> TaskRecord {
    let tool = "mail".parse().expect("a tool");
    start(step, StepKind::Tool { name: format!("call {step}"), tool, idempotent: false })
}

fn finish_noted(step: u32, note: &str) -> TaskRecord {
    let (output, usage, cost) = (Text::default(), Usage::default(), Usd::ZERO);
    let notes = vec![(note.to_owned(), "ann".to_owned())];
    TaskRecord::StepFinished(StepFinished { step, output, usage, cost, notes, at: NOW, calls: Vec::new() })
}

fn fail(step: u32, code: &str) -> TaskRecord {
    let (code, message, cost) = (code.to_owned(), String::new(), Usd::ZERO);
    let (in_doubt, then) = (Usd::ZERO, Then::GiveUp);
    TaskRecord::StepFailed(StepFailed { step, code, message, in_doubt, then, cost, at: NOW, arrived: None })
}

fn decided(step: u32) -> TaskRecord {
    let verdict = Verdict::Approved;
    TaskRecord::Decided(Decided { step, verdict, comment: None, by: "ann".to_owned(), at: NOW })
}

fn attention(step: Option<u32>) -> TaskRecord {
    let (code, message) = ("tool_in_doubt".to_owned(), String::new());
    TaskRecord::AttentionNeeded(AttentionNeeded { step, code, message, at: NOW })
}

fn code(task: &Task, step: Option<u32>, verdict: Verdict) -> Result<Subject, &'static str> {
    use crate::domain::failure::Failure;
    policy::decide(task, step, verdict).map_err(|refusal| refusal.code())
}

#[test]
fn a_decision_is_about_the_step_that_waits_or_the_one_that_is_named() {
    use Verdict::{Approved, Rejected};
    let nothing = Err("nothing_to_decide");
    let one = after(plan(), [asks(0)]);
    let two = after(plan(), [asks(0), asks(1)]);
    let in_doubt = after(plan(), [calls(0), attention(Some(0))]);
    let whole = after(plan(), [attention(None)]);
    let whole_over_steps = after(plan(), [calls(0), attention(None)]);
    let taken = after(plan(), [asks(0), decided(0)]);
    let concluded = after(plan(), [asks(0), decided(0), finish_noted(0, DECIDED_BY)]);
    let rejected = after(plan(), [asks(0), decided(0), fail(0, APPROVAL_REJECTED)]);
    let too_late = after(plan(), [asks(0), fail(0, "approval_timed_out")]);
    let undoubted = after(plan(), [calls(0), finish_noted(0, "method")]);
    let doubted = after(plan(), [calls(0), attention(Some(0)), decided(0), fail(0, TOOL_REJECTED)]);
    for (task, step, verdict, expected) in [
        (&plan(), None, Approved, nothing),
        (&after(plan(), [calls(0)]), Some(0), Approved, nothing),
        (&one, None, Approved, Ok(Subject::Step(0))),
        (&one, Some(0), Rejected, Ok(Subject::Step(0))),
        (&one, Some(1), Rejected, nothing),
        (&two, None, Approved, Err("decision_ambiguous")),
        (&two, Some(1), Approved, Ok(Subject::Step(1))),
        (&in_doubt, None, Approved, Ok(Subject::Step(0))),
        (&in_doubt, None, Rejected, Ok(Subject::Step(0))),
        (&whole, None, Approved, nothing),
        (&whole, None, Rejected, Ok(Subject::Whole)),
        (&whole_over_steps, None, Rejected, Err("steps_open")),
        (&taken, None, Rejected, Err("already_decided")),
        (&taken, Some(0), Approved, Err("already_decided")),
        (&concluded, Some(0), Approved, Err("already_decided")),
        (&concluded, None, Approved, nothing),
        (&rejected, Some(0), Approved, Err("already_decided")),
        (&doubted, Some(0), Approved, Err("already_decided")),
        (&too_late, Some(0), Approved, nothing),
        (&undoubted, Some(0), Rejected, nothing),
    ] {
        assert_eq!(code(task, step, verdict), expected, "{step:?} {verdict:?} of {:?}", task.steps);
    }
    assert_eq!(policy::undecided(&two), [0, 1]);
}

#[test]
fn only_what_failed_or_needs_attention_is_retried() {
    let task = plan();
    assert!(matches!(policy::retry(&task, 0), Err(Refusal::NotRetryable { state: State::Queued, .. })));
    assert_eq!(policy::retry(&after(plan(), [attention(None)]), 0), Ok(()));
    let often = policy::retry(&after(plan(), [attention(None)]), policy::TASK_RETRIES_MAX);
    assert!(matches!(often, Err(Refusal::RetriesFull(_))));
}

#[test]
fn only_plans_take_signals_and_so_many() {
    let agents = Task::begin(&Submitted { order: order(TaskId::generate(), "acme"), reserved: Usd::ZERO, at: NOW });
    assert!(matches!(policy::signal(&agents), Err(Refusal::SignalUnexpected(_))));
    let sent = |_| {
        let (signal, payload, by) = ("paid".to_owned(), Text::default(), "ann".to_owned());
        TaskRecord::Signalled(Signalled { signal, payload, by, at: NOW })
    };
    let nearly = after(plan(), (1..SIGNALS_MAX).map(sent));
    assert_eq!(policy::signal(&nearly), Ok(()));
    let full = after(nearly, [sent(0)]);
    assert!(matches!(policy::signal(&full), Err(Refusal::SignalsFull(_))));
    assert!(!full.accepts(&sent(0)));
}
