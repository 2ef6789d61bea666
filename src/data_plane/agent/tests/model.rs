//! An agent's decisions against a model that knows nothing of records, through any order of outcomes, crashes and requests.

use std::time::Duration;

use proptest::prelude::*;

use super::{DEADLINE_SECONDS, cancel, finished_with, route, started, submitted_within};
use crate::data_plane::agent::state::{
    AGENT_ENDS_MAX, ATTEMPTS_MAX, Course, DEADLINE_EXCEEDED, DOUBTS_MAX, Next, TASK_TIME_EXCEEDED, next,
};
use crate::domain::clock::Timestamp;
use crate::domain::money::Usd;
use crate::domain::name::ModelRef;
use crate::journal::record::{Ended, Outcome, RetryRequested, StepFailed, TaskRecord, Then};
use crate::journal::state::{AGENT_ENDED, IN_DOUBT, Task};

/// More decisions than any of these stories may take: every cut-off call that is borne, and every attempt at each model for
/// each answer, all of it again after each retry by a person; and pauses of 400 ms until the deadline.
const DECISIONS_MAX: usize = 2_000;
const CODE: &str = "provider_failed";
const TASK_TOKENS_EXCEEDED: &str = "task_tokens_exceeded";
/// What each answer reads and writes.
const READ: u64 = 30;
const WRITTEN: u64 = 12;

/// What becomes of a call.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Answered,
    Failed(Then),
    DaemonEnds,
    AgentEnds,
}

/// What happens before a decision.
#[derive(Debug, Clone, Copy)]
enum Beside {
    Nothing,
    Cancel,
    Passes(u64),
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        6 => Just(Fate::Answered),
        3 => (0..3_000_u64).prop_map(|after_ms| Fate::Failed(Then::Retry { after_ms })),
        2 => Just(Fate::Failed(Then::Failover)),
        1 => Just(Fate::Failed(Then::GiveUp)),
        1 => (0..3_000_u64).prop_map(|after_ms| Fate::Failed(Then::Continue { after_ms })),
        1 => (400..3_000_u64).prop_map(|after_ms| Fate::Failed(Then::Again { after_ms })),
        1 => (400..3_000_u64).prop_map(|after_ms| Fate::Failed(Then::Elsewhere { after_ms })),
        3 => Just(Fate::DaemonEnds),
        2 => Just(Fate::AgentEnds),
    ];
    // Fates come again in a circle: one that is there alone happens every time.
    prop::collection::vec(fate, 1..12)
}

fn besides() -> impl Strategy<Value = Vec<Beside>> {
    let beside = prop_oneof![
        40 => Just(Beside::Nothing),
        1 => Just(Beside::Cancel),
        2 => (1..40_000_u64).prop_map(Beside::Passes),
    ];
    prop::collection::vec(beside, 1..60)
}

/// What a template gives a task.
#[derive(Debug, Clone, Copy)]
struct Given {
    tokens: Option<u64>,
    seconds: Option<u64>,
}

fn given() -> impl Strategy<Value = Given> {
    let tokens = prop::option::of(1..4 * (READ + WRITTEN));
    // The deadline is at 60.
    (tokens, prop::option::of(1..120_u64)).prop_map(|(tokens, seconds)| Given { tokens, seconds })
}

/// What the model expects next.
#[derive(Debug, Clone, PartialEq)]
enum Expected {
    Doubt,
    Call(ModelRef),
    Answered,
    Cancelled,
    Failed(&'static str),
}

/// What came last of the present course.
#[derive(Debug, Clone, Copy)]
enum Last {
    Nothing,
    Answered,
    Failed(Then),
}

/// A task as somebody who watches the calls would tell it.
struct Model {
    answers: u32,
    given: Given,
    wanted: u32,
    last: Last,
    /// The model called last, by its place in the route.
    at: usize,
    attempts: u32,
    doubts: u32,
    agent_ends: u32,
    is_open: bool,
    /// Whether it was the daemon that ended while the step is open, or its agent alone.
    daemon_ended: bool,
    is_cancelled: bool,
}

impl Model {
    fn new(wanted: u32, given: Given) -> Self {
        let (answers, at, attempts, doubts, agent_ends) = (0, 0, 0, 0, 0);
        let (last, is_open, daemon_ended, is_cancelled) = (Last::Nothing, false, false, false);
        Self { answers, given, wanted, last, at, attempts, doubts, agent_ends, is_open, daemon_ended, is_cancelled }
    }

    fn expected(&self, seconds: u64) -> Expected {
        let call = |at: usize| route().get(at).cloned().map_or(Expected::Failed(CODE), Expected::Call);
        if self.is_open {
            return Expected::Doubt;
        }
        if self.answers >= self.wanted && matches!(self.last, Last::Answered) {
            return Expected::Answered;
        }
        if self.is_cancelled {
            return Expected::Cancelled;
        }
        let over = self.given.seconds.filter(|given| seconds >= *given);
        if seconds >= DEADLINE_SECONDS && over.is_none_or(|given| given >= DEADLINE_SECONDS) {
            return Expected::Failed(DEADLINE_EXCEEDED);
        }
        if over.is_some() {
            return Expected::Failed(TASK_TIME_EXCEEDED);
        }
        if self.given.tokens.is_some_and(|given| u64::from(self.answers) * (READ + WRITTEN) >= given) {
            return Expected::Failed(TASK_TOKENS_EXCEEDED);
        }
        if self.doubts >= DOUBTS_MAX || self.agent_ends >= AGENT_ENDS_MAX {
            return Expected::Failed("in_doubt_too_often");
        }
        match self.last {
            Last::Nothing => call(0),
            Last::Answered | Last::Failed(Then::Again { .. }) => call(self.at),
            Last::Failed(Then::Retry { .. }) if self.attempts < ATTEMPTS_MAX => call(self.at),
            Last::Failed(Then::Retry { .. } | Then::Failover) => call(self.at + 1),
            Last::Failed(Then::Continue { .. } | Then::Elsewhere { .. }) if self.at + 1 < route().len() => {
                call(self.at + 1)
            }
            Last::Failed(Then::Elsewhere { .. }) => call(self.at),
            Last::Failed(Then::Continue { .. }) if self.attempts < ATTEMPTS_MAX => call(self.at),
            Last::Failed(Then::Continue { .. } | Then::GiveUp) => Expected::Failed(CODE),
        }
    }

    fn call(&mut self, model: &ModelRef) {
        let at = route().iter().position(|known| known == model).expect("a model of the route");
        if at != self.at {
            self.attempts = 0;
        }
        (self.at, self.is_open) = (at, true);
    }

    fn answer(&mut self) {
        self.answers += 1;
        (self.attempts, self.is_open, self.last) = (0, false, Last::Answered);
    }

    fn fail(&mut self, then: Then) {
        if !matches!(then, Then::Again { .. } | Then::Elsewhere { .. }) {
            self.attempts += 1;
        }
        (self.is_open, self.last) = (false, Last::Failed(then));
    }

    /// A person wants the failed task to go on.
    fn retry(&mut self) {
        (self.attempts, self.doubts, self.agent_ends) = (0, 0, 0);
        if !matches!(self.last, Last::Answered) {
            self.last = Last::Nothing;
        }
    }
}

/// A story as it is told.
struct Story {
    records: Vec<TaskRecord>,
    task: Task,
    /// The task after each record.
    past: Vec<Task>,
    now: Timestamp,
}

impl Story {
    fn new(given: Given) -> Self {
        let records = vec![submitted_within(given.tokens, given.seconds.map(Duration::from_secs))];
        let task = Task::replay(&records).expect("a task");
        Self { past: vec![task.clone()], records, task, now: super::NOW }
    }

    fn write(&mut self, record: TaskRecord) -> Result<(), TestCaseError> {
        prop_assert!(self.task.accepts(&record), "{record:?} after {:?}", self.records.last());
        self.task.evolve(&record);
        self.past.push(self.task.clone());
        self.records.push(record);
        Ok(())
    }

    fn fail(&mut self, step: u32, code: &str, then: Then) -> Result<(), TestCaseError> {
        let (code, message, at) = (code.to_owned(), "it failed".to_owned(), self.now);
        let (in_doubt, cost) = (Usd::ZERO, Usd::ZERO);
        self.write(TaskRecord::StepFailed(StepFailed { step, code, message, in_doubt, then, cost, at, arrived: None }))
    }

    /// Whole seconds since the task was submitted.
    fn seconds(&self) -> u64 {
        self.now.since(super::NOW).as_secs()
    }

    fn is_late(&self) -> bool {
        self.task.order.ends_by().is_some_and(|end| end <= self.now)
    }
}

fn told(next: &Next) -> Expected {
    match next {
        Next::Doubt { .. } => Expected::Doubt,
        Next::Call { model, .. } => Expected::Call(model.clone()),
        Next::End(Outcome::AnsweredByStep { .. } | Outcome::Answered { .. }) => Expected::Answered,
        Next::End(Outcome::Cancelled) => Expected::Cancelled,
        Next::End(Outcome::Failed { code, .. }) => {
            let known = [CODE, DEADLINE_EXCEEDED, TASK_TIME_EXCEEDED, TASK_TOKENS_EXCEEDED, "in_doubt_too_often"];
            Expected::Failed(known.into_iter().find(|known| known == code).unwrap_or("an unknown code"))
        }
        // Nobody is asked in these stories; `releases` tells those.
        Next::Wait { .. } | Next::Settle(_) => Expected::Failed("a question"),
    }
}

/// Lets a task run to its end; says whether it failed.
fn run(
    story: &mut Story,
    model: &mut Model,
    fates: &mut impl Iterator<Item = Fate>,
    besides: &mut impl Iterator<Item = Beside>,
) -> Result<bool, TestCaseError> {
    let route = route();
    let course = Course { route: &route, answers: model.wanted };
    for _ in 0..DECISIONS_MAX {
        match besides.next().unwrap_or(Beside::Nothing) {
            Beside::Cancel if !model.is_cancelled => {
                story.write(cancel())?;
                model.is_cancelled = true;
            }
            Beside::Passes(millis) => story.now = story.now.after(Duration::from_millis(millis)),
            Beside::Nothing | Beside::Cancel => {}
        }
        let decided = next(&story.task, course, story.now);
        prop_assert_eq!(told(&decided), model.expected(story.seconds()));
        match decided {
            Next::Doubt { step, .. } => {
                let (code, count) = match model.daemon_ended {
                    true => (IN_DOUBT, &mut model.doubts),
                    false => (AGENT_ENDED, &mut model.agent_ends),
                };
                *count += 1;
                let then = Then::Again { after_ms: 0 };
                story.fail(step, code, then)?;
                model.fail(then);
            }
            Next::Wait { .. } | Next::Settle(_) => prop_assert!(false, "nobody is asked"),
            Next::Call { step, model: called, not_before } => {
                story.now = story.now.max(not_before);
                if story.is_late() {
                    // Whoever waits for the call decides again.
                    continue;
                }
                story.write(started(step, &called.to_string()))?;
                model.call(&called);
                match fates.next().unwrap_or(Fate::Answered) {
                    Fate::Answered => {
                        story.write(finished_with(step, READ, WRITTEN))?;
                        model.answer();
                    }
                    Fate::Failed(then) => {
                        story.fail(step, CODE, then)?;
                        model.fail(then);
                    }
                    // The step stays open until somebody takes the task up.
                    Fate::DaemonEnds => model.daemon_ended = true,
                    Fate::AgentEnds => model.daemon_ended = false,
                }
            }
            Next::End(outcome) => {
                if let Outcome::AnsweredByStep { step } = outcome {
                    prop_assert_eq!(step, story.task.next_step() - 1, "the last answer counts");
                }
                let has_failed = matches!(outcome, Outcome::Failed { .. });
                story.write(TaskRecord::Ended(Ended { outcome, at: story.now }))?;
                prop_assert!(!story.task.accepts(&started(story.task.next_step(), "mock/a")), "nothing follows an end");
                return Ok(has_failed);
            }
        }
    }
    Err(TestCaseError::fail("the task does not end"))
}

/// The longest runs of counted failures at one model, answers and retries by a person apart.
fn most_attempts(records: &[TaskRecord]) -> u32 {
    let (mut most, mut now, mut at) = (0, 0, None);
    for record in records {
        if let TaskRecord::StepStarted(started) = record
            && at.as_ref() != Some(&started.kind)
        {
            (now, at) = (0, Some(started.kind.clone()));
        }
        if matches!(record, TaskRecord::StepFinished(_) | TaskRecord::RetryRequested(_)) {
            now = 0;
        }
        if let TaskRecord::StepFailed(failed) = record
            && matches!(failed.then, Then::Retry { .. })
        {
            now += 1;
        }
        most = most.max(now);
    }
    most
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// INVARIANT I16: whatever the provider and the crashes do, the task ends; each answer that is wanted is given once; no
    /// model is tried more often than it may be; nothing is called that the task has no time or tokens for; and any prefix of the
    /// story replays to the task that was.
    #[test]
    fn every_task_ends_as_the_model_does_and_no_answer_is_asked_for_twice(
        fates in fates(),
        besides in besides(),
        wanted in 1_u32..4,
        retries in 0_usize..3,
        given in given(),
    ) {
        let (mut story, mut model) = (Story::new(given), Model::new(wanted, given));
        let (mut fates, mut besides) = (fates.into_iter().cycle(), besides.into_iter());
        for retry in 0..=retries {
            let has_failed = run(&mut story, &mut model, &mut fates, &mut besides)?;
            if !has_failed || retry == retries {
                break;
            }
            story.write(TaskRecord::RetryRequested(RetryRequested { by: "ada".to_owned(), at: story.now }))?;
            model.retry();
        }
        let answers = story.records.iter().filter(|record| matches!(record, TaskRecord::StepFinished(_))).count();
        prop_assert!(answers <= wanted as usize, "{} answers of {}", answers, wanted);
        prop_assert!(most_attempts(&story.records) <= ATTEMPTS_MAX);
        // Of a long story not every prefix: each costs as much as it is long.
        for (length, then) in story.past.iter().enumerate().step_by(1 + story.past.len() / 16) {
            let replayed = Task::replay(&story.records[..=length]);
            prop_assert_eq!(replayed.as_ref(), Some(then));
        }
    }
}
