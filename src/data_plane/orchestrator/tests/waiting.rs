//! The decision table of steps that wait: for a time, a person, a signal, a tool; and of what a person decides.

use std::time::Duration;

use super::{NOW, Story, diamond, step, work};
use crate::control_plane::template::plan::{Aggregate, OnFailure, Plan, PlanStep, Work};
use crate::data_plane::orchestrator::conclusion::{Conclusion, End};
use crate::data_plane::orchestrator::state::{Next, Question, Rules, Stop, next};
use crate::data_plane::orchestrator::unit::{Unit, UnitWork};
use crate::domain::clock::Timestamp;
use crate::domain::money::Usd;
use crate::domain::private::Text;
use crate::journal::record::{
    AttentionNeeded, Decided, Ended, Outcome, RetryRequested, Signalled, StepFailed, StepKind, StepSkipped,
    StepStarted, TaskRecord, Then, Verdict,
};

const HOUR: Duration = Duration::from_secs(3_600);

impl Story {
    pub(super) fn then(mut self, record: TaskRecord) -> Self {
        assert!(self.task().accepts(&record), "{record:?}");
        self.records.push(record);
        self
    }

    /// The units that start now are written down.
    pub(super) fn start_next(self, plan: &Plan) -> Self {
        let (first, next) = (self.task().next_step(), self.next(plan));
        let Next::Work { start, .. } = next else { panic!("not work but {next:?}") };
        let kinds = start.iter().map(|unit| unit.kind(NOW, false));
        (first..).zip(kinds).fold(self, |story, (step, kind)| {
            story.then(TaskRecord::StepStarted(StepStarted { step, kind, reserved: Usd::ZERO, at: NOW }))
        })
    }

    pub(super) fn decided(self, step: u32, verdict: Verdict, comment: &str) -> Self {
        let comment = Some(comment.to_owned()).filter(|comment| !comment.is_empty());
        self.then(TaskRecord::Decided(Decided { step, verdict, comment, by: "ada".to_owned(), at: NOW }))
    }

    pub(super) fn signalled(self, signal: &str, payload: &str) -> Self {
        let (signal, payload) = (signal.to_owned(), Text::from(payload));
        self.then(TaskRecord::Signalled(Signalled { signal, payload, by: "ada".to_owned(), at: NOW }))
    }

    pub(super) fn asked(self, plan: &Plan) -> Self {
        let Question { step, code, message } = asks(self.next(plan));
        self.then(TaskRecord::AttentionNeeded(AttentionNeeded { step, code: code.to_owned(), message, at: NOW }))
    }

    pub(super) fn retried(self) -> Self {
        self.then(TaskRecord::RetryRequested(RetryRequested { by: "ada".to_owned(), at: NOW }))
    }

    /// What is concluded now is written down.
    pub(super) fn conclude_next(self, plan: &Plan) -> Self {
        let next = self.next(plan);
        let Next::Conclude(ends) = next else { panic!("no conclusion but {next:?}") };
        ends.into_iter().flat_map(|end| end.into_records(NOW)).fold(self, Self::then)
    }

    fn tool_started(self, number: u32, name: &str, idempotent: bool) -> Self {
        let kind = StepKind::Tool { name: name.to_owned(), tool: "publish".parse().expect("a name"), idempotent };
        self.then(TaskRecord::StepStarted(StepStarted { step: number, kind, reserved: Usd::ZERO, at: NOW }))
    }
}

fn asks(next: Next) -> Question {
    let shown = format!("{next:?}");
    let Next::Ask(question) = next else { panic!("no question but {shown}") };
    question
}

/// What one step comes to, and its unit's name where the plan goes on without it.
fn concluded(next: Next) -> (End, Option<String>) {
    let shown = format!("{next:?}");
    let Next::Conclude(mut ends) = next else { panic!("no conclusion but {shown}") };
    assert_eq!(ends.len(), 1, "{shown}");
    let Conclusion { end, skipped, .. } = ends.remove(0);
    (end, skipped)
}

fn code_of(end: &End) -> &str {
    match end {
        End::Failed { code, .. } => code,
        End::Finished { .. } => panic!("it has finished: {end:?}"),
    }
}

fn output_of(end: &End) -> &str {
    match end {
        End::Finished { output, .. } => output.expose(),
        End::Failed { .. } => panic!("it has failed: {end:?}"),
    }
}

fn rests_until(next: Next) -> Option<Timestamp> {
    let shown = format!("{next:?}");
    let Next::Work { start, running, calls, until } = next else { panic!("no rest but {shown}") };
    assert!(start.is_empty() && running.is_empty() && calls.is_empty(), "{shown}");
    until
}

pub(super) fn of(id: &str, work: Work) -> PlanStep {
    PlanStep { work, ..step(id, &[], "given {{input}}") }
}

pub(super) fn alone(id: &str, work: Work) -> Plan {
    Plan { steps: vec![of(id, work)], aggregate: Aggregate::Step(id.to_owned()) }
}

fn timer() -> Plan {
    alone("cool", Work::Wait(HOUR))
}

fn approval(timeout: Option<Duration>) -> Plan {
    alone("yes", Work::Approve { timeout })
}

fn signal(timeout: Option<Duration>) -> Plan {
    alone("paid", Work::Signal { name: "paid".to_owned(), timeout })
}

fn publish() -> Plan {
    alone("out", Work::Tool("publish".parse().expect("a name")))
}

fn long(mut story: Story) -> Story {
    if let Some(TaskRecord::Submitted(first)) = story.records.first_mut() {
        first.order.deadline = None;
    }
    story
}

#[test]
fn a_timer_is_done_at_the_time_that_its_start_wrote_down_and_no_sooner() {
    let story = long(Story::new()).start_next(&timer());
    let due = NOW.after(HOUR);
    assert_eq!(rests_until(story.next_at(&timer(), NOW)), Some(due));
    assert_eq!(rests_until(story.next_at(&timer(), Timestamp::from_micros(due.micros() - 1))), Some(due));
    for late in [due, due.after(HOUR)] {
        assert_eq!(output_of(&concluded(story.next_at(&timer(), late)).0), "");
    }
}

#[test]
fn an_approval_waits_for_a_person_who_may_comment() {
    let plan = approval(None);
    let (start, _) = work(Story::new().next(&plan));
    assert_eq!(start, [("yes".to_owned(), "given apple".to_owned())]);
    let story = || Story::new().start_next(&plan);
    assert_eq!(rests_until(story().next(&plan)), None);
    let approved = story().decided(0, Verdict::Approved, "fine");
    let (end, _) = concluded(approved.next(&plan));
    assert_eq!(output_of(&end), "fine");
    assert!(matches!(end, End::Finished { notes, .. } if notes == [("decided_by".to_owned(), "ada".to_owned())]));
    assert_eq!(output_of(&concluded(story().decided(0, Verdict::Approved, "").next(&plan)).0), "");
    let rejected = story().decided(0, Verdict::Rejected, "too long");
    assert_eq!(code_of(&concluded(rejected.next(&plan)).0), "approval_rejected");
    let failed = rejected.conclude_next(&plan);
    assert!(matches!(failed.next(&plan), Next::End(Outcome::Failed { code, message })
        if code == "approval_rejected" && message.contains("too long")));
}

#[test]
fn a_rejected_approval_is_skipped_or_asked_again_where_its_step_says_so() {
    let mut plan = approval(None);
    plan.steps[0].on_failure = OnFailure::Skip;
    let story = Story::new().start_next(&plan).decided(0, Verdict::Rejected, "");
    assert_eq!(concluded(story.next(&plan)).1, Some("yes".to_owned()));
    assert!(matches!(story.conclude_next(&plan).next(&plan), Next::End(Outcome::Answered { .. })));
    plan.steps[0].on_failure = OnFailure::Retry;
    let story = Story::new().start_next(&plan).decided(0, Verdict::Rejected, "").conclude_next(&plan);
    assert_eq!(work(story.next(&plan)).0[0].0, "yes#2");
}

#[test]
fn too_late_is_a_failure_and_a_decision_that_is_there_counts_more() {
    let (plan, late) = (approval(Some(HOUR)), NOW.after(HOUR));
    let story = || long(Story::new()).start_next(&plan);
    assert_eq!(rests_until(story().next(&plan)), Some(late));
    assert_eq!(code_of(&concluded(story().next_at(&plan, late)).0), "approval_timed_out");
    let decided = story().decided(0, Verdict::Approved, "in time");
    assert_eq!(output_of(&concluded(decided.next_at(&plan, late)).0), "in time");
    let plan = signal(Some(HOUR));
    let story = || long(Story::new()).start_next(&plan);
    assert_eq!(code_of(&concluded(story().next_at(&plan, late)).0), "signal_timed_out");
    assert_eq!(output_of(&concluded(story().signalled("paid", "42").next_at(&plan, late)).0), "42");
}

#[test]
fn a_signal_is_taken_whether_it_came_before_or_after_the_step_and_only_under_its_name() {
    let plan = signal(None);
    let early = Story::new().signalled("other", "x").signalled("paid", "42").start_next(&plan);
    assert_eq!(output_of(&concluded(early.next(&plan)).0), "42");
    let story = Story::new().start_next(&plan).signalled("other", "x");
    assert_eq!(rests_until(story.next(&plan)), None);
    let story = story.signalled("paid", "43").conclude_next(&plan);
    assert!(matches!(story.next(&plan), Next::End(Outcome::AnsweredByStep { step: 0 })));
    assert_eq!(story.task().signals.len(), 1, "the other one is left");
}

#[test]
fn each_signal_is_taken_by_one_step() {
    let paid = || Work::Signal { name: "paid".to_owned(), timeout: None };
    let plan = Plan { steps: vec![of("one", paid()), of("two", paid())], aggregate: Aggregate::Concat };
    let story = Story::new().start_next(&plan).signalled("paid", "1");
    assert_eq!(output_of(&concluded(story.next(&plan)).0), "1");
    let both = story.signalled("paid", "2");
    let Next::Conclude(ends) = both.next(&plan) else { panic!("both end") };
    assert_eq!(ends.iter().map(|end| output_of(&end.end)).collect::<Vec<_>>(), ["1", "2"]);
    let done = both.conclude_next(&plan);
    assert!(matches!(done.next(&plan), Next::End(Outcome::Answered { output }) if output.expose() == "1\n\n2"));
}

fn call(next: Next) -> Unit {
    let shown = format!("{next:?}");
    let Next::Work { start, calls, .. } = next else { panic!("no call but {shown}") };
    start.into_iter().chain(calls).next().expect("a call")
}

#[test]
fn an_open_call_of_an_idempotent_tool_is_made_again_under_its_own_step() {
    let story = Story::new().tool_started(0, "out", true);
    let UnitWork::Tool { step, key, input, .. } = call(story.next(&publish())).work else { panic!("a tool") };
    assert_eq!((step, key, input.expose()), (Some(0), None, "given apple"));
    let plan = publish();
    let rules =
        Rules { plan: &plan, fan_out: 3, is_submitted: &|_| false, is_called: &|step| step == 0, diverged: None };
    assert_eq!(rests_until(next(&story.task(), &rules, NOW)), None, "one that is being made is not");
}

#[test]
fn an_open_call_of_another_tool_is_in_doubt_until_a_person_has_decided() {
    let plan = publish();
    let story = || Story::new().tool_started(0, "out", false);
    let question = asks(story().next(&plan));
    assert_eq!((question.step, question.code), (Some(0), "tool_in_doubt"));
    let story = || story().asked(&plan);
    assert_eq!(rests_until(story().next(&plan)), None);
    let approved = story().decided(0, Verdict::Approved, "it was there");
    assert_eq!(output_of(&concluded(approved.next(&plan)).0), "");
    let rejected = story().decided(0, Verdict::Rejected, "");
    assert_eq!(code_of(&concluded(rejected.next(&plan)).0), "tool_rejected");
}

#[test]
fn a_call_in_doubt_that_a_person_wants_again_has_the_same_key_and_is_asked_about_again_when_it_is_cut_off() {
    let plan = publish();
    let retried = Story::new().tool_started(0, "out", false).asked(&plan).retried();
    let (end, _) = concluded(retried.next(&plan));
    assert!(matches!(&end, End::Failed { code, then: Then::Again { .. }, .. } if code == "tool_in_doubt"));
    let again = retried.conclude_next(&plan);
    let unit = call(again.next(&plan));
    assert_eq!(unit.name, "out#2");
    assert!(matches!(unit.work, UnitWork::Tool { key: Some(0), step: None, .. }));
    let cut_off = again.tool_started(1, "out#2", false);
    assert_eq!(asks(cut_off.next(&plan)).step, Some(1), "no call is made twice for one decision");
    let third = cut_off.asked(&plan).retried().conclude_next(&plan);
    assert!(matches!(call(third.next(&plan)).work, UnitWork::Tool { key: Some(0), .. }));
}

#[test]
fn a_call_that_was_given_up_without_an_answer_keeps_its_key_when_the_plan_is_retried() {
    let plan = publish();
    let ended = || TaskRecord::Ended(Ended { outcome: Outcome::failed("tool_failed", "it failed"), at: NOW });
    for (code, kept) in [("tool_timed_out", Some(0)), ("tool_cut", Some(0)), ("tool_failed", None)] {
        let given_up = Story::new().tool_started(0, "out", true).failed_with(0, code).then(ended());
        let unit = call(given_up.retried().next(&plan));
        assert!(matches!(unit.work, UnitWork::Tool { key, .. } if key == kept), "{code}: {unit:?}");
    }
}

#[test]
fn one_persons_retry_is_about_one_call_in_doubt() {
    let tool = || Work::Tool("publish".parse().expect("a name"));
    let plan = Plan { steps: vec![of("one", tool()), of("two", tool())], aggregate: Aggregate::Concat };
    let story = Story::new().tool_started(0, "one", false).tool_started(1, "two", false);
    let story = story.asked(&plan).retried().conclude_next(&plan);
    let question = asks(story.next(&plan));
    assert_eq!((question.step, question.code), (Some(1), "tool_in_doubt"));
}

fn ask_plan() -> Plan {
    let mut plan = diamond();
    plan.steps[0].on_failure = OnFailure::Ask;
    plan
}

#[test]
fn a_failed_step_that_says_ask_waits_for_a_person_once_nothing_else_can_be_done() {
    let plan = ask_plan();
    let story = Story::new().started(0, "facts").started(1, "notes").failed(0);
    assert_eq!(work(story.next(&plan)).1, ["notes"]);
    let story = story.finished(1, "N");
    let question = asks(story.next(&plan));
    assert_eq!((question.step, question.code), (None, "step_failed"));
    assert!(question.message.contains("step facts failed: it broke"), "{}", question.message);
    let story = story.asked(&plan);
    assert_eq!(rests_until(story.next(&plan)), None);
    let retried = story.retried();
    assert_eq!(work(retried.next(&plan)).0[0].0, "facts#2", "and notes stays finished");
    let failed_again = retried.started(2, "facts#2").failed(2);
    assert_eq!(asks(failed_again.next(&plan)).code, "step_failed");
}

#[test]
fn what_failed_before_a_retry_does_not_count_and_what_finished_stays_finished() {
    let mut plan = diamond();
    plan.steps[0].on_failure = OnFailure::Retry;
    let story = Story::new().started(0, "facts").started(1, "notes").finished(1, "N").failed(0);
    let story = story.started(2, "facts#2").failed(2);
    let Next::End(outcome) = story.next(&plan) else { panic!("it has failed") };
    let ended = story.then(TaskRecord::Ended(crate::journal::record::Ended { outcome, at: NOW }));
    let retried = ended.retried();
    let (start, running) = work(retried.next(&plan));
    assert_eq!((start[0].0.as_str(), start.len(), running.len()), ("facts#3", 1, 0));
    let again = retried.started(3, "facts#3").failed(3);
    assert_eq!(work(again.next(&plan)).0[0].0, "facts#4", "with as many attempts as the first time");
}

#[test]
fn a_unit_that_the_plan_went_on_without_stays_skipped_after_a_retry() {
    let mut plan = diamond();
    plan.steps[0].on_failure = OnFailure::Skip;
    let skipped = StepSkipped { name: "facts".to_owned(), reason: "it failed".to_owned(), at: NOW };
    let story = Story::new().started(0, "facts").started(1, "notes").failed(0).then(TaskRecord::StepSkipped(skipped));
    let story = story.finished(1, "N").started(2, "report").failed(2);
    let Next::End(outcome) = story.next(&plan) else { panic!("it has failed") };
    let ended = story.then(TaskRecord::Ended(crate::journal::record::Ended { outcome, at: NOW }));
    assert_eq!(work(ended.retried().next(&plan)).0, [("report#2".to_owned(), " and N".to_owned())]);
}

#[test]
fn what_waits_is_cut_off_before_a_plan_ends_and_a_call_under_way_may_finish_unless_somebody_asks_for_the_end() {
    let tool = Work::Tool("publish".parse().expect("a name"));
    let approve = Work::Approve { timeout: None };
    let steps = vec![of("out", tool), of("yes", approve), of("cool", Work::Wait(HOUR)), step("facts", &[], "x")];
    let plan = Plan { steps, aggregate: Aggregate::Concat };
    let story = Story::new().start_next(&plan);
    let rules =
        Rules { plan: &plan, fan_out: 3, is_submitted: &|_| false, is_called: &|step| step == 0, diverged: None };
    let failed = Story { id: story.id, records: story.records.clone() }.failed(3);
    let expected = Stop { children: vec![], cut: vec![1, 2], finishing: vec![0] };
    assert_eq!(next(&failed.task(), &rules, NOW), Next::Stop(expected));
    let expected = Stop { children: vec![story.id.child("facts")], cut: vec![0, 1, 2], finishing: vec![] };
    assert_eq!(next(&story.cancelled().task(), &rules, NOW), Next::Stop(expected));
}

#[test]
fn a_failure_with_then_again_is_no_failure_of_the_step() {
    let end = |then| End::Failed { code: "x".to_owned(), message: String::new(), cost: Usd::ZERO, then };
    assert!(!end(Then::Again { after_ms: 0 }).is_failure() && end(Then::GiveUp).is_failure());
    let records = Conclusion { step: 4, end: end(Then::GiveUp), skipped: Some("a".to_owned()) }.into_records(NOW);
    assert!(matches!(
        records.as_slice(),
        [TaskRecord::StepFailed(StepFailed { step: 4, .. }), TaskRecord::StepSkipped(_)]
    ));
}
