//! Replay: a plan's records lead to the decision that was made, and records of another plan are told.

use std::time::Duration;

use proptest::prelude::*;

use super::waiting::{alone, of};
use super::{FAN_OUT, NOW, Story, diamond, step};
use crate::control_plane::template::plan::{Aggregate, MapSource, OnFailure, Plan, Work};
use crate::data_plane::orchestrator::conclusion::End;
use crate::data_plane::orchestrator::replay::divergence;
use crate::data_plane::orchestrator::state::{Next, Rules, next};
use crate::domain::clock::Timestamp;
use crate::domain::money::Usd;
use crate::domain::private::Text;
use crate::journal::record::{
    AttentionNeeded, Decided, RetryRequested, Signalled, StepKind, StepStarted, TaskRecord, Verdict,
};
use crate::journal::state::{StepStatus, Task};

/// A plan with a step of every kind and every way to fail.
fn everything() -> Plan {
    let tool = Work::Tool("publish".parse().expect("a name"));
    let mut steps = vec![
        of("facts", step("facts", &[], "x").work),
        of("cool", Work::Wait(Duration::from_secs(5))),
        of("yes", Work::Approve { timeout: Some(Duration::from_secs(9)) }),
        of("paid", Work::Signal { name: "paid".to_owned(), timeout: None }),
        of("out", tool),
        step("report", &["facts", "cool", "yes", "paid", "out"], "{{steps.facts.output}}"),
    ];
    let ways = [OnFailure::Ask, OnFailure::Fail, OnFailure::Skip, OnFailure::Retry, OnFailure::Ask, OnFailure::Retry];
    steps.iter_mut().zip(ways).for_each(|(step, way)| step.on_failure = way);
    Plan { steps, aggregate: Aggregate::Merge }
}

fn decide(task: &Task, plan: &Plan, now: Timestamp) -> Next {
    let rules = Rules { plan, fan_out: FAN_OUT, is_submitted: &|_| false, is_called: &|_| false, diverged: None };
    next(task, &rules, now)
}

/// What the world does next: ends a step, decides, signals, or wants a retry.
fn outside(task: &Task, choice: u8) -> Option<TaskRecord> {
    let by = || "ada".to_owned();
    let open = task.steps.iter().find(|step| step.status == StepStatus::Started);
    match choice % 6 {
        0 => Some(TaskRecord::Signalled(Signalled {
            signal: "paid".into(),
            payload: Text::from("p"),
            by: by(),
            at: NOW,
        })),
        1 => Some(TaskRecord::RetryRequested(RetryRequested { by: by(), at: NOW })),
        verdict @ (2 | 3) => {
            let verdict = if verdict == 2 { Verdict::Approved } else { Verdict::Rejected };
            let step = task.attention.as_ref().and_then(|attention| attention.step).or(open.map(|step| step.number))?;
            Some(TaskRecord::Decided(Decided { step, verdict, comment: None, by: by(), at: NOW }))
        }
        end => {
            let called = |kind: &StepKind| matches!(kind, StepKind::Delegate { .. } | StepKind::Tool { .. });
            let step = open.filter(|step| called(&step.kind))?.number;
            let end = if end == 4 { End::given(Text::from("done")) } else { End::failed("broken", "it broke") };
            crate::data_plane::orchestrator::conclusion::Conclusion { step, end, skipped: None }
                .into_records(NOW)
                .into_iter()
                .next()
        }
    }
}

/// What the shell writes down for a decision.
fn inside(task: &Task, next: Next, now: Timestamp) -> Vec<TaskRecord> {
    match next {
        Next::Work { start, .. } => (task.next_step()..)
            .zip(start)
            .map(|(step, unit)| {
                let kind = unit.kind(now, step % 2 == 0);
                TaskRecord::StepStarted(StepStarted { step, kind, reserved: Usd::ZERO, at: now })
            })
            .collect(),
        Next::Conclude(ends) => ends.into_iter().flat_map(|end| end.into_records(now)).collect(),
        Next::Ask(question) => vec![TaskRecord::AttentionNeeded(AttentionNeeded {
            step: question.step,
            code: question.code.to_owned(),
            message: question.message,
            at: now,
        })],
        Next::Stop(_) | Next::End(_) => Vec::new(),
    }
}

proptest! {
    /// Whatever happens to a plan, a daemon that starts anew after any record decides as one that had been there all the time,
    /// writes down only what may follow, starts no unit twice and takes the story for the plan's.
    #[test]
    fn any_prefix_of_a_plans_story_leads_to_the_decision_that_was_made(choices in proptest::collection::vec(any::<u8>(), 0..60)) {
        let plan = everything();
        let Story { mut records, .. } = Story::new();
        let mut live = Task::replay(&records).expect("a task");
        let mut now = NOW;
        for choice in choices {
            now = now.after(Duration::from_millis(u64::from(choice) * 20));
            let next = decide(&live, &plan, now);
            let replayed = Task::replay(&records).expect("a task");
            prop_assert_eq!(&replayed, &live);
            prop_assert_eq!(decide(&replayed, &plan, now), next.clone());
            prop_assert_eq!(divergence(&live, &plan), None);
            let written = inside(&live, next, now);
            let record = if written.is_empty() { outside(&live, choice).into_iter().collect() } else { written };
            for record in record {
                if matches!(record, TaskRecord::StepStarted(_) | TaskRecord::AttentionNeeded(_)) {
                    prop_assert!(live.accepts(&record), "{:?}", record);
                }
                if live.accepts(&record) {
                    live.evolve(&record);
                    records.push(record);
                }
            }
            let mut names: Vec<_> = live.steps.iter().filter_map(|step| step.kind.name()).collect();
            names.sort_unstable();
            let before = names.len();
            names.dedup();
            prop_assert_eq!(names.len(), before, "a unit started twice under one name");
        }
    }
}

fn misfit(plan: &Plan, story: &Story) -> String {
    divergence(&story.task(), plan).expect("it is another plan's")
}

#[test]
fn records_of_another_plan_are_told() {
    let plan = diamond();
    assert_eq!(divergence(&Story::new().started(0, "facts").started(1, "notes#2").task(), &plan), None);
    for name in ["gone", "facts[0]", "facts#1", "facts#x", "facts]"] {
        let told = misfit(&plan, &Story::new().started(0, name));
        assert!(told.contains("which the plan does not have"), "{name}: {told}");
    }
    let told = misfit(&alone("facts", Work::Wait(Duration::from_secs(1))), &Story::new().started(0, "facts"));
    assert!(told.contains("recorded as a delegate"), "{told}");
    let mut mapped = diamond();
    mapped.steps[0].map = Some(MapSource::parse("{{input}}").expect("a map"));
    assert_eq!(divergence(&Story::new().started(0, "facts[3]#2").task(), &mapped), None);
    assert!(misfit(&mapped, &Story::new().started(0, "facts")).contains("which the plan does not have"));
}

#[test]
fn another_subtask_tool_or_signal_under_a_plans_name_is_told() {
    let start =
        |kind| Story::new().then(TaskRecord::StepStarted(StepStarted { step: 0, kind, reserved: Usd::ZERO, at: NOW }));
    let stranger = StepKind::Delegate { name: "facts".into(), child: crate::domain::id::TaskId::generate() };
    assert!(misfit(&diamond(), &start(stranger)).contains("not the plan's"));
    let tool = StepKind::Tool { name: "out".into(), tool: "shell".parse().expect("a name"), idempotent: false };
    assert!(misfit(&everything(), &start(tool)).contains("recorded as a tool"));
    let signal = StepKind::Signal { name: "paid".into(), signal: "other".into(), until: None };
    assert!(misfit(&everything(), &start(signal)).contains("recorded as a signal"));
    let model = StepKind::Model { model: "mock/a".parse().expect("a model") };
    assert!(misfit(&diamond(), &start(model)).contains("a model's call"));
}

#[test]
fn a_story_of_another_plan_waits_for_a_person_and_starts_nothing() {
    let plan = diamond();
    let story = Story::new();
    let rules =
        Rules { plan: &plan, fan_out: FAN_OUT, is_submitted: &|_| false, is_called: &|_| false, diverged: Some("odd") };
    let Next::Ask(question) = next(&story.task(), &rules, NOW) else { panic!("a person is asked") };
    assert_eq!((question.step, question.code), (None, "replay_diverged"));
    let needed = AttentionNeeded { step: None, code: question.code.into(), message: question.message, at: NOW };
    let asked = story.then(TaskRecord::AttentionNeeded(needed));
    let rest = next(&asked.task(), &rules, NOW);
    assert!(matches!(rest, Next::Work { start, running, .. } if start.is_empty() && running.is_empty()));
    assert!(matches!(next(&asked.cancelled().task(), &rules, NOW), Next::End(_)));
}
