//! The decision table of plans.

mod cancelling;
mod model;
mod people;
mod queueing;
mod replaying;
mod waiting;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::control_plane::template::plan::{
    Aggregate, InputTemplate, MapSource, OnFailure, Plan, PlanStep, Work, Worker,
};
use crate::data_plane::orchestrator::state::{Next, Rules, Stop, next};
use crate::data_plane::orchestrator::unit::UnitWork;
use crate::domain::clock::Timestamp;
use crate::domain::hook::Hooks;
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::domain::name::{Digest, Tenant};
use crate::domain::private::Text;
use crate::domain::protection::Protection;
use crate::domain::usage::Usage;
use crate::journal::order::{self, Order};
use crate::journal::record::{
    CancelRequested, Outcome, StepFailed, StepFinished, StepKind, StepStarted, Submitted, TaskRecord, Then,
};
use crate::journal::state::Task;

const NOW: Timestamp = Timestamp::from_micros(1_000_000);
const FAN_OUT: u32 = 3;

struct Story {
    id: TaskId,
    records: Vec<TaskRecord>,
}

impl Story {
    fn new() -> Self {
        let id = TaskId::generate();
        let order = Order {
            task: id,
            worker: order::Worker::Orchestrator,
            template: "boss".parse().expect("a name"),
            version: "1.0.0".parse().expect("a version"),
            digest: Digest::from_bytes([0; 32]),
            principal: "root".to_owned(),
            tenant: Tenant::default_tenant(),
            user: None,
            input: Text::from("apple"),
            budget: None,
            deadline: Some(NOW.after(Duration::from_secs(60))),
            ancestors: Vec::new(),
            tools: Vec::new(),
            protection: Protection::default(),
            metadata: BTreeMap::new(),
            levels: 3,
            experiment: None,
            hooks: Hooks::default(),
            dialogue: None,
            streamed: false,
            tokens_max: None,
            must_end_by: None,
        };
        Self { id, records: vec![TaskRecord::Submitted(Submitted { order, reserved: Usd::ZERO, at: NOW })] }
    }

    fn started(mut self, number: u32, name: &str) -> Self {
        let kind = StepKind::Delegate { name: name.to_owned(), child: self.id.child(name) };
        self.records.push(TaskRecord::StepStarted(StepStarted { step: number, kind, reserved: Usd::ZERO, at: NOW }));
        self
    }

    fn finished(mut self, number: u32, output: &str) -> Self {
        let (output, usage, cost) = (Text::from(output), Usage::default(), Usd::ZERO);
        let record = StepFinished { step: number, output, usage, cost, notes: Vec::new(), at: NOW, calls: Vec::new() };
        self.records.push(TaskRecord::StepFinished(record));
        self
    }

    fn failed(self, number: u32) -> Self {
        self.failed_with(number, "broken")
    }

    fn failed_with(mut self, number: u32, code: &str) -> Self {
        let (code, message) = (code.to_owned(), "it broke".to_owned());
        let (in_doubt, cost, then) = (Usd::ZERO, Usd::ZERO, Then::GiveUp);
        self.records.push(TaskRecord::StepFailed(StepFailed {
            step: number,
            code,
            message,
            in_doubt,
            then,
            cost,
            at: NOW,
            arrived: None,
        }));
        self
    }

    fn cancelled(mut self) -> Self {
        self.records.push(TaskRecord::CancelRequested(CancelRequested { by: "root".to_owned(), at: NOW }));
        self
    }

    /// What comes next where nothing is submitted and no tool is being called.
    fn next_at(&self, plan: &Plan, now: Timestamp) -> Next {
        let rules = Rules { plan, fan_out: FAN_OUT, is_submitted: &|_| false, is_called: &|_| false, diverged: None };
        next(&self.task(), &rules, now)
    }

    fn task(&self) -> Task {
        Task::replay(&self.records).expect("a task")
    }

    fn next(&self, plan: &Plan) -> Next {
        self.next_at(plan, NOW)
    }
}

fn step(id: &str, needs: &[&str], input: &str) -> PlanStep {
    PlanStep {
        id: id.to_owned(),
        work: Work::Delegate(Worker::Template("left".parse().expect("a name"))),
        input: InputTemplate::parse(input).expect("an input"),
        needs: needs.iter().map(|need| (*need).to_owned()).collect(),
        map: None,
        on_failure: OnFailure::Fail,
    }
}

fn diamond() -> Plan {
    let steps = vec![
        step("facts", &[], "A {{input}}"),
        step("notes", &[], "{{input}}"),
        step("report", &["facts", "notes"], "{{steps.facts.output}} and {{steps.notes.output}}"),
    ];
    Plan { steps, aggregate: Aggregate::Step("report".to_owned()) }
}

/// The names and inputs of units to start, and the names of those that run.
fn work(next: Next) -> (Vec<(String, String)>, Vec<String>) {
    let shown = format!("{next:?}");
    let Next::Work { start, running, .. } = next else { panic!("not work but {shown}") };
    let start = start.into_iter().map(|unit| (unit.name, input_of(&unit.work).to_owned()));
    (start.collect(), running.into_iter().map(|unit| unit.name).collect())
}

fn input_of(work: &UnitWork) -> &str {
    match work {
        UnitWork::Delegate { input, .. } => input.as_ref().map_or("", Text::expose),
        UnitWork::Tool { input, .. } | UnitWork::Approval { question: input, .. } => input.expose(),
        UnitWork::Timer { .. } | UnitWork::Release { .. } | UnitWork::Signal { .. } => "",
    }
}

fn stop(child: TaskId) -> Next {
    Next::Stop(Stop { children: vec![child], ..Stop::default() })
}

fn units(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, input)| ((*name).to_owned(), (*input).to_owned())).collect()
}

#[test]
fn steps_without_needs_start_at_once() {
    let (start, running) = work(Story::new().next(&diamond()));
    assert_eq!(start, units(&[("facts", "A apple"), ("notes", "apple")]));
    assert!(running.is_empty());
}

#[test]
fn a_step_waits_for_all_that_it_needs() {
    let half = Story::new().started(0, "facts").started(1, "notes").finished(0, "F");
    let (start, running) = work(half.next(&diamond()));
    assert_eq!((start, running), (Vec::new(), vec!["notes".to_owned()]));
    let (start, _) = work(half.finished(1, "N").next(&diamond()));
    assert_eq!(start, units(&[("report", "F and N")]));
}

#[test]
fn the_aggregate_is_the_answer() {
    let done = Story::new().started(0, "facts").started(1, "notes").finished(0, "F").finished(1, "N");
    let done = done.started(2, "report").finished(2, "R");
    assert_eq!(done.next(&diamond()), Next::End(Outcome::AnsweredByStep { step: 2 }));
}

#[test]
fn a_failed_step_ends_the_plan_after_its_siblings() {
    let story = Story::new().started(0, "facts").started(1, "notes").failed(0);
    assert_eq!(story.next(&diamond()), stop(story.id.child("notes")));
    let story = story.failed_with(1, "cancelled");
    assert!(matches!(story.next(&diamond()), Next::End(Outcome::Failed { code, .. }) if code == "broken"));
}

#[test]
fn a_skipped_step_gives_nothing_and_the_plan_goes_on() {
    let mut plan = diamond();
    plan.steps[1].on_failure = OnFailure::Skip;
    let story = Story::new().started(0, "facts").started(1, "notes").finished(0, "F").failed(1);
    let (start, _) = work(story.next(&plan));
    assert_eq!(start, units(&[("report", "F and ")]));
}

#[test]
fn a_step_that_says_retry_is_tried_twice_as_two_subtasks() {
    let mut plan = diamond();
    plan.steps[0].on_failure = OnFailure::Retry;
    let story = Story::new().started(0, "facts").started(1, "notes").finished(1, "N").failed(0);
    let (start, _) = work(story.next(&plan));
    assert_eq!(start, units(&[("facts#2", "A apple")]));
    assert_ne!(story.id.child("facts"), story.id.child("facts#2"));
    let story = story.started(2, "facts#2").failed(2);
    assert!(matches!(story.next(&plan), Next::End(Outcome::Failed { .. })));
}

#[test]
fn what_the_filter_blocked_or_a_person_refused_is_not_tried_again() {
    let mut plan = diamond();
    plan.steps[0].on_failure = OnFailure::Retry;
    for code in ["dlp_blocked", "dlp_rejected"] {
        let story = Story::new().started(0, "facts").started(1, "notes").finished(1, "N").failed_with(0, code);
        assert!(matches!(story.next(&plan), Next::End(Outcome::Failed { code: failed, .. }) if failed == code));
    }
}

#[test]
fn a_mapped_step_runs_once_for_each_item_within_the_fan_out() {
    let mut plan = diamond();
    plan.steps[2].map = Some(MapSource::parse("{{steps.facts.output}}").expect("a map"));
    plan.steps[2].input = InputTemplate::parse("{{item}}!").expect("an input");
    let story = |facts: &str| Story::new().started(0, "facts").started(1, "notes").finished(0, facts).finished(1, "N");
    let (start, _) = work(story("[\"a\",\"b\"]").next(&plan));
    assert_eq!(start, units(&[("report[0]", "a!"), ("report[1]", "b!")]));
    let done = story("[\"a\",\"b\"]").started(2, "report[0]").started(3, "report[1]").finished(2, "x").finished(3, "y");
    let output = Text::from("[\"x\",\"y\"]");
    assert_eq!(done.next(&plan), Next::End(Outcome::Answered { output }));
    let many = story("[1,2,3,4]").next(&plan);
    assert!(matches!(many, Next::End(Outcome::Failed { code, .. }) if code == "fan_out_exceeded"));
    let none = story("no list").next(&plan);
    assert!(matches!(none, Next::End(Outcome::Failed { code, .. }) if code == "plan_input"));
}

#[test]
fn a_cancelled_plan_stops_its_children_first() {
    let story = Story::new().started(0, "facts").cancelled();
    assert_eq!(story.next(&diamond()), stop(story.id.child("facts")));
    assert_eq!(story.failed(0).next(&diamond()), Next::End(Outcome::Cancelled));
}

#[test]
fn aggregates_concatenate_merge_and_vote_over_the_leaves() {
    let aggregate = |aggregate| {
        let steps = vec![step("a", &[], "{{input}}"), step("b", &[], "{{input}}"), step("c", &[], "{{input}}")];
        let story = Story::new().started(0, "a").started(1, "b").started(2, "c");
        let story = story.finished(0, "no").finished(1, "Yes ").finished(2, "yes");
        let next = story.next(&Plan { steps, aggregate });
        let Next::End(Outcome::Answered { output }) = &next else { panic!("no answer but {next:?}") };
        output.expose().to_owned()
    };
    assert_eq!(aggregate(Aggregate::Concat), "no\n\nYes \n\nyes");
    assert_eq!(aggregate(Aggregate::Merge), r#"{"a":"no","b":"Yes ","c":"yes"}"#);
    assert_eq!(aggregate(Aggregate::Vote), "Yes ", "the earliest of the answers that most agree on");
}
