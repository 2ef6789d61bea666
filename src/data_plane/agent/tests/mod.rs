//! The decision table of an agent, and replay.

mod abandon;
mod diverged;
mod model;
pub(crate) mod office;
mod releases;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::data_plane::agent::state::{AGENT_ENDS_MAX, ATTEMPTS_MAX, Course, DOUBTS_MAX, Next, next};
use crate::domain::clock::Timestamp;
use crate::domain::hook::Hooks;
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::domain::name::{Digest, ModelRef, Tenant};
use crate::domain::private::Text;
use crate::domain::protection::Protection;
use crate::domain::usage::{Tokens, Usage};
use crate::journal::order::{Order, Worker};
use crate::journal::record::{
    CancelRequested, Ended, Outcome, RetryRequested, StepFailed, StepFinished, StepKind, StepStarted, Submitted,
    TaskRecord, Then,
};
use crate::journal::state::{AGENT_ENDED, IN_DOUBT, Task};

const NOW: Timestamp = Timestamp::from_micros(1_000_000);

fn route() -> Vec<ModelRef> {
    ["mock/a", "mock/b"].map(|name| name.parse().expect("a model")).to_vec()
}

/// The deadline that a task of these tests has.
const DEADLINE_SECONDS: u64 = 60;

fn submitted() -> TaskRecord {
    submitted_within(None, None)
}

/// A task whose template gives it so many tokens, and so much time.
fn submitted_within(tokens_max: Option<u64>, time: Option<Duration>) -> TaskRecord {
    TaskRecord::Submitted(Submitted {
        order: Order {
            task: TaskId::generate(),
            worker: Worker::Own,
            template: "worker".parse().expect("a name"),
            version: "1.0.0".parse().expect("a version"),
            digest: Digest::from_bytes([0; 32]),
            principal: "root".to_owned(),
            tenant: Tenant::default_tenant(),
            user: None,
            input: Text::from("hello"),
            budget: None,
            deadline: Some(NOW.after(Duration::from_secs(DEADLINE_SECONDS))),
            ancestors: Vec::new(),
            tools: Vec::new(),
            protection: Protection::default(),
            metadata: BTreeMap::new(),
            levels: 3,
            experiment: None,
            hooks: Hooks::default(),
            dialogue: None,
            streamed: false,
            tokens_max,
            must_end_by: time.map(|time| NOW.after(time)),
        },
        reserved: Usd::from_nanos(5),
        at: NOW,
    })
}

pub(crate) fn started(step: u32, model: &str) -> TaskRecord {
    let kind = StepKind::Model { model: model.parse().expect("a model") };
    TaskRecord::StepStarted(StepStarted { step, kind, reserved: Usd::from_nanos(7), at: NOW })
}

fn failed(step: u32, code: &str, then: Then) -> TaskRecord {
    let (in_doubt, cost) = (Usd::ZERO, Usd::ZERO);
    let message = "it failed".to_owned();
    TaskRecord::StepFailed(StepFailed {
        step,
        code: code.to_owned(),
        message,
        in_doubt,
        then,
        cost,
        at: NOW,
        arrived: None,
    })
}

pub(crate) fn finished(step: u32) -> TaskRecord {
    finished_with(step, 0, 0)
}

/// An answer that read and wrote so many tokens.
fn finished_with(step: u32, read: u64, written: u64) -> TaskRecord {
    let (input_tokens, output_tokens) = (Tokens::new(read), Tokens::new(written));
    let usage = Usage { input_tokens, output_tokens, ..Usage::default() };
    let (output, cost) = (Text::from("answer"), Usd::from_nanos(3));
    TaskRecord::StepFinished(StepFinished { step, output, usage, cost, notes: Vec::new(), at: NOW, calls: Vec::new() })
}

fn cancel() -> TaskRecord {
    TaskRecord::CancelRequested(CancelRequested { by: "root".to_owned(), at: NOW })
}

fn decide(records: Vec<TaskRecord>) -> Next {
    let records: Vec<_> = std::iter::once(submitted()).chain(records).collect();
    decide_with(1, &records)
}

fn decide_with(answers: u32, records: &[TaskRecord]) -> Next {
    next(&Task::replay(records).expect("a task"), Course { route: &route(), answers }, NOW)
}

fn call(step: u32, model: &str, after_ms: i64) -> Next {
    let not_before = Timestamp::from_micros(NOW.micros() + after_ms * 1_000);
    Next::Call { step, model: model.parse().expect("a model"), not_before }
}

#[test]
fn a_fresh_task_calls_the_first_model_of_its_route() {
    assert_eq!(decide(vec![]), call(0, "mock/a", 0));
}

#[test]
fn a_result_is_the_answer() {
    let done = vec![started(0, "mock/a"), finished(0)];
    assert_eq!(decide(done), Next::End(Outcome::AnsweredByStep { step: 0 }));
}

#[test]
fn a_call_that_a_crash_left_open_is_in_doubt_and_made_again() {
    assert_eq!(decide(vec![started(0, "mock/a")]), Next::Doubt { step: 0, reserved: Usd::from_nanos(7) });
    let doubted = vec![started(0, "mock/a"), failed(0, IN_DOUBT, Then::Again { after_ms: 0 })];
    assert_eq!(decide(doubted), call(1, "mock/a", 0));
}

#[test]
fn crashes_do_not_use_up_attempts() {
    let crash = |step| [started(step, "mock/a"), failed(step, IN_DOUBT, Then::Again { after_ms: 0 })];
    assert_eq!(decide((0..20).flat_map(crash).collect()), call(20, "mock/a", 0));
}

#[test]
fn what_ends_the_daemon_every_time_is_not_paid_for_without_limit() {
    let crash = |step| [started(step, "mock/a"), failed(step, IN_DOUBT, Then::Again { after_ms: 0 })];
    let end = decide((0..DOUBTS_MAX).flat_map(crash).collect());
    assert!(matches!(end, Next::End(Outcome::Failed { code, .. }) if code == "in_doubt_too_often"));
}

#[test]
fn a_task_that_ends_its_agent_every_time_is_given_up() {
    let crash = |step| [started(step, "mock/a"), failed(step, AGENT_ENDED, Then::Again { after_ms: 0 })];
    let ends = AGENT_ENDS_MAX;
    assert_eq!(decide((1..ends).flat_map(crash).collect()), call(ends, "mock/a", 0));
    let end = decide((0..ends).flat_map(crash).collect());
    assert!(matches!(end, Next::End(Outcome::Failed { code, .. }) if code == "in_doubt_too_often"));
}

#[test]
fn a_task_does_not_end_over_an_open_step() {
    let ended = TaskRecord::Ended(Ended { outcome: Outcome::Cancelled, at: NOW });
    let open = Task::replay(&[submitted(), started(0, "mock/a")]).expect("a task");
    assert!(!open.accepts(&ended), "what the step costs would never be booked");
    let concluded = Task::replay(&[submitted(), started(0, "mock/a"), finished(0)]).expect("a task");
    assert!(concluded.accepts(&ended));
}

#[test]
fn a_retry_waits_as_the_provider_asks() {
    let limited = vec![started(0, "mock/a"), failed(0, "provider_rate_limited", Then::Retry { after_ms: 1_500 })];
    assert_eq!(decide(limited), call(1, "mock/a", 1_500));
}

#[test]
fn attempts_are_limited_and_then_the_next_model_is_called() {
    let fail = |model: &'static str| {
        move |step: u32| [started(step, model), failed(step, "provider_failed", Then::Retry { after_ms: 0 })]
    };
    let mut records: Vec<_> = (0..ATTEMPTS_MAX).flat_map(fail("mock/a")).collect();
    assert_eq!(decide(records.clone()), call(ATTEMPTS_MAX, "mock/b", 0));
    records.extend((ATTEMPTS_MAX..2 * ATTEMPTS_MAX).flat_map(fail("mock/b")));
    let message = "it failed".to_owned();
    assert_eq!(decide(records), Next::End(Outcome::Failed { code: "provider_failed".to_owned(), message }));
}

#[test]
fn failover_goes_on_at_once() {
    assert_eq!(
        decide(vec![started(0, "mock/a"), failed(0, "provider_timed_out", Then::Failover)]),
        call(1, "mock/b", 0)
    );
}

#[test]
fn an_answer_is_refined_by_whoever_gave_it_until_all_passes_are_made() {
    let mut records = vec![submitted(), started(0, "mock/a"), failed(0, "provider_timed_out", Then::Failover)];
    for step in 1..3 {
        records.extend([started(step, "mock/b"), finished(step)]);
        assert_eq!(decide_with(3, &records), call(step + 1, "mock/b", 0));
    }
    records.extend([started(3, "mock/b"), finished(3)]);
    assert_eq!(decide_with(3, &records), Next::End(Outcome::AnsweredByStep { step: 3 }));
}

#[test]
fn between_two_passes_a_cancellation_ends_the_task() {
    let records = [submitted(), started(0, "mock/a"), finished(0), cancel()];
    assert_eq!(decide_with(2, &records), Next::End(Outcome::Cancelled));
}

#[test]
fn a_failed_task_that_is_retried_begins_with_the_first_model() {
    let ended = TaskRecord::Ended(Ended { outcome: Outcome::failed("provider_failed", "it failed"), at: NOW });
    let failed = [started(0, "mock/b"), failed(0, "provider_failed", Then::GiveUp), ended];
    let retried = [TaskRecord::RetryRequested(RetryRequested { by: "root".to_owned(), at: NOW })];
    assert_eq!(decide(failed.into_iter().chain(retried).collect()), call(1, "mock/a", 0));
}

#[test]
fn a_call_keeps_its_name_until_it_is_known_what_became_of_it() {
    let (a, b): (ModelRef, ModelRef) = ("mock/a".parse().expect("a model"), "mock/b".parse().expect("a model"));
    let name = |model: &ModelRef, records: &[TaskRecord]| {
        let records: Vec<_> = std::iter::once(submitted()).chain(records.iter().cloned()).collect();
        Task::replay(&records).expect("a task").call_of(model)
    };
    let again = Then::Again { after_ms: 0 };
    let doubted = [started(0, "mock/a"), failed(0, IN_DOUBT, again)];
    assert_eq!((name(&a, &doubted), name(&b, &doubted)), (0, 1), "the same call, or another model's");
    let twice = [&doubted[..], &[started(1, "mock/a"), failed(1, AGENT_ENDED, again)]].concat();
    assert_eq!(name(&a, &twice), 0);
    let known =
        [&twice[..], &[started(2, "mock/a"), failed(2, "provider_failed", Then::Retry { after_ms: 0 })]].concat();
    assert_eq!(name(&a, &known), 3, "the provider said that it failed: another attempt is another call");
    assert_eq!(name(&a, &[started(0, "mock/a"), finished(0)]), 1);
}

#[test]
fn a_cancelled_task_ends_and_a_result_that_is_there_counts_more() {
    assert_eq!(decide(vec![cancel()]), Next::End(Outcome::Cancelled));
    let done = vec![started(0, "mock/a"), cancel(), finished(0)];
    assert_eq!(decide(done), Next::End(Outcome::AnsweredByStep { step: 0 }));
}

#[test]
fn a_task_past_its_deadline_fails() {
    let task = Task::replay(&[submitted()]).expect("a task");
    let late = NOW.after(Duration::from_secs(DEADLINE_SECONDS + 1));
    assert!(
        matches!(next(&task, Course { route: &route(), answers: 1 }, late), Next::End(Outcome::Failed { code, .. }) if code == "deadline_exceeded")
    );
}

#[test]
fn a_task_that_goes_on_and_on_is_stopped_by_time_or_tokens_and_an_answer_that_is_there_counts_more() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let (one, two) =
        ([started(0, "mock/a"), finished_with(0, 60, 40)], [started(1, "mock/a"), finished_with(1, 60, 40)]);
    let three = [&one[..], &two[..]].concat();
    for (tokens, time, records, answers, after, code) in [
        // Tokens: what was read and what was written count together, and nothing is called when all are used.
        (Some(1), None, &[][..], 3, 0, None),
        (Some(101), None, &one, 3, 0, None),
        (Some(100), None, &one, 3, 0, Some("task_tokens_exceeded")),
        (Some(100), None, &one, 1, 0, Some("answered")),
        (Some(201), None, &three, 3, 0, None),
        (Some(150), None, &three, 3, 0, Some("task_tokens_exceeded")),
        // Time: the earlier of two ends says which it was.
        (None, seconds(10), &[], 3, 9, None),
        (None, seconds(10), &[], 3, 10, Some("task_time_exceeded")),
        (None, seconds(10), &one, 3, 99, Some("task_time_exceeded")),
        (None, seconds(10), &one, 1, 99, Some("answered")),
        (None, seconds(90), &one, 3, 99, Some("deadline_exceeded")),
        (None, seconds(60), &one, 3, 60, Some("deadline_exceeded")),
        // Both.
        (Some(100), seconds(10), &one, 3, 10, Some("task_time_exceeded")),
        (Some(100), seconds(10), &one, 3, 9, Some("task_tokens_exceeded")),
    ] {
        let records: Vec<_> = std::iter::once(submitted_within(tokens, time)).chain(records.iter().cloned()).collect();
        let task = Task::replay(&records).expect("a task");
        let decided = next(&task, Course { route: &route(), answers }, NOW.after(Duration::from_secs(after)));
        let told = match &decided {
            Next::End(Outcome::Failed { code, .. }) => Some(code.as_str()),
            Next::End(Outcome::AnsweredByStep { .. }) => Some("answered"),
            Next::Call { .. } => None,
            other @ (Next::End(_) | Next::Doubt { .. } | Next::Wait { .. } | Next::Settle(_)) => panic!("{other:?}"),
        };
        assert_eq!(told, code, "{tokens:?} {time:?} {answers} {after}");
    }
}

#[test]
fn of_two_writers_only_one_gets_on() {
    let records = [submitted(), started(0, "mock/a")];
    let task = Task::replay(&records).expect("a task");
    assert!(!task.accepts(&started(0, "mock/a")), "the number is taken");
    assert!(task.accepts(&finished(0)));
    let doubted =
        Task::replay(&[submitted(), started(0, "mock/a"), failed(0, IN_DOUBT, Then::GiveUp)]).expect("a task");
    assert!(!doubted.accepts(&finished(0)), "a ghost's result comes too late");
}

#[test]
fn nothing_follows_an_end_but_feedback() {
    let ended = TaskRecord::Ended(Ended { outcome: Outcome::Cancelled, at: NOW });
    let task = Task::replay(&[submitted(), ended.clone()]).expect("a task");
    assert!(!task.accepts(&started(0, "mock/a")) && !task.accepts(&cancel()) && !task.accepts(&ended));
}

#[test]
fn records_read_back_as_they_were_written() {
    let records =
        [submitted(), started(0, "mock/a"), failed(0, "x", Then::Retry { after_ms: 9 }), finished(0), cancel()];
    for record in records {
        let stored = crate::store::Record { kind: 1, version: 1, body: crate::journal::encode(&record) };
        assert_eq!(crate::journal::decode::<TaskRecord>(&stored, &"test", 0).expect("readable"), record);
    }
}
