//! Plans through any order of outcomes, crashes and cancellations.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::{FAN_OUT, NOW, Story, step};
use crate::control_plane::template::plan::{Aggregate, MapSource, OnFailure, Plan};
use crate::data_plane::orchestrator::state::{ATTEMPTS_MAX, Next, Rules, next};
use crate::data_plane::orchestrator::unit::Unit;
use crate::domain::clock::Timestamp;
use crate::domain::id::TaskId;
use crate::journal::record::{Ended, Outcome, StepKind, TaskRecord};
use crate::journal::state::{Step, StepStatus, Task};

/// What an item list's step answers: as many items as a step may have.
const ITEMS: &str = r#"["pears","plums","figs"]"#;
const ITEMS_COUNT: usize = 3;
/// More rounds than any of these plans takes: each starts or concludes something.
const ROUNDS_MAX: usize = 400;

/// What happens in a round, to the subtask that the number chooses among those that run.
#[derive(Debug, Clone, Copy)]
enum Event {
    Finishes(usize),
    Fails(usize),
    /// The orchestrator ends, and its successor goes by the records.
    Crash,
    Cancel,
    Passes(u64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        12 => any::<usize>().prop_map(Event::Finishes),
        6 => any::<usize>().prop_map(Event::Fails),
        4 => Just(Event::Crash),
        1 => Just(Event::Cancel),
        1 => (1..40_u64).prop_map(Event::Passes),
    ];
    prop::collection::vec(event, 1..80)
}

/// Each step needs some of those before it, and may be mapped over the answer of one of them.
fn plans() -> impl Strategy<Value = Plan> {
    let one =
        (any::<u8>(), any::<bool>(), prop::sample::select(vec![OnFailure::Fail, OnFailure::Skip, OnFailure::Retry]));
    let aggregate = prop::sample::select(vec![Aggregate::Concat, Aggregate::Merge, Aggregate::Vote]);
    (prop::collection::vec(one, 1..6), aggregate).prop_map(|(drawn, aggregate)| {
        let ids: Vec<String> = (0..drawn.len()).map(|number| format!("s{number}")).collect();
        let steps = drawn.into_iter().enumerate().map(|(number, (bits, is_mapped, on_failure))| {
            let needs: Vec<&str> = ids
                .iter()
                .take(number)
                .enumerate()
                .filter(|(n, _)| bits & (1 << n) != 0)
                .map(|(_, id)| id.as_str())
                .collect();
            let mut made = step(&ids[number], &needs, "{{input}}");
            made.on_failure = on_failure;
            if let Some(first) = needs.first().filter(|_| is_mapped) {
                made.map = Some(MapSource::parse(&format!("{{{{steps.{first}.output}}}}")).expect("a map"));
            }
            made
        });
        Plan { steps: steps.collect(), aggregate }
    })
}

/// A plan that is being carried out, and what happened to each unit.
struct Run<'a> {
    plan: &'a Plan,
    story: Story,
    task: Task,
    past: Vec<Task>,
    now: Timestamp,
    /// How often each unit, its attempts taken together, was started.
    attempts: BTreeMap<String, u32>,
    is_cancelled: bool,
}

/// The name of a unit without its attempt, and that of its step alone.
fn unit_and_step(name: &str) -> (&str, &str) {
    let unit = name.split('#').next().unwrap_or(name);
    (unit, unit.split('[').next().unwrap_or(unit))
}

impl Run<'_> {
    fn decide(&self, task: &Task) -> Next {
        let (is_submitted, is_called) = (&|_| false, &|_| false);
        let rules = Rules { plan: self.plan, fan_out: FAN_OUT, is_submitted, is_called, diverged: None };
        next(task, &rules, self.now)
    }

    fn write(&mut self, told: impl FnOnce(Story) -> Story) -> Result<(), TestCaseError> {
        let story = Story { id: self.story.id, records: std::mem::take(&mut self.story.records) };
        self.story = told(story);
        let last = self.story.records.last().expect("a record");
        prop_assert!(self.task.accepts(last), "{last:?}");
        self.task.evolve(last);
        self.past.push(self.task.clone());
        Ok(())
    }

    fn start(&mut self, units: &[Unit]) -> Result<(), TestCaseError> {
        for unit in units {
            let (base, step) = unit_and_step(&unit.name);
            prop_assert_eq!(unit.child(), Some(self.story.id.child(&unit.name)), "a unit names one subtask");
            let again = self.task.steps.iter().find(|known| known.kind.name() == Some(unit.name.as_str()));
            prop_assert_eq!(again, None, "each attempt starts once");
            let step = self.plan.step(step).expect("a step of the plan");
            for need in &step.needs {
                prop_assert!(self.is_done(need), "{} starts before {need} is done", unit.name);
            }
            let attempts = self.attempts.entry(base.to_owned()).or_default();
            *attempts += 1;
            let most = if step.on_failure == OnFailure::Retry { ATTEMPTS_MAX } else { 1 };
            prop_assert!(*attempts <= most, "{base} is tried {attempts} times");
            let number = self.task.next_step();
            self.write(|story| story.started(number, &unit.name))?;
        }
        Ok(())
    }

    /// How many units a step has whose needs are done.
    fn width(&self, id: &str) -> usize {
        let step = self.plan.step(id).expect("a step of the plan");
        let Some(source) = step.map.as_ref().and(step.needs.first()) else { return 1 };
        if self.plan.step(source).is_some_and(|source| source.map.is_some()) {
            return self.width(source);
        }
        let of_source = |step: &&Step| step.kind.name().is_some_and(|name| unit_and_step(name).1 == source);
        let has_answer = |step: &Step| matches!(step.status, StepStatus::Finished(_));
        // What is skipped is no list, and no items.
        if self.task.steps.iter().filter(of_source).any(has_answer) { ITEMS_COUNT } else { 0 }
    }

    /// Whether nothing of a step runs, and each of its units has an answer or may do without.
    fn is_done(&self, id: &str) -> bool {
        let skips = self.plan.step(id).is_some_and(|step| step.on_failure == OnFailure::Skip);
        let mut units: BTreeMap<&str, bool> = BTreeMap::new();
        for step in &self.task.steps {
            let Some((unit, of)) = step.kind.name().map(unit_and_step) else { continue };
            if of == id {
                let has_answer = matches!(step.status, StepStatus::Finished(_));
                let may_lack = skips && matches!(step.status, StepStatus::Failed(_));
                *units.entry(unit).or_default() |= has_answer || may_lack;
            }
        }
        units.len() == self.width(id) && units.values().all(|done| *done)
    }

    fn running(&self) -> Vec<(u32, TaskId)> {
        let open = |step: &Step| match (&step.kind, &step.status) {
            (StepKind::Delegate { child, .. }, StepStatus::Started) => Some((step.number, *child)),
            (_, _) => None,
        };
        self.task.steps.iter().filter_map(open).collect()
    }

    fn befall(&mut self, event: Event) -> Result<(), TestCaseError> {
        let running = self.running();
        let chosen = |which: usize| which.checked_rem(running.len()).map(|which| running[which].0);
        match event {
            Event::Finishes(which) => {
                if let Some(number) = chosen(which) {
                    self.write(|story| story.finished(number, ITEMS))?;
                }
            }
            Event::Fails(which) => {
                if let Some(number) = chosen(which) {
                    self.write(|story| story.failed(number))?;
                }
            }
            Event::Crash => {
                let replayed = Task::replay(&self.story.records);
                prop_assert_eq!(replayed.as_ref(), Some(&self.task));
            }
            Event::Cancel if !self.is_cancelled => {
                self.is_cancelled = true;
                self.write(Story::cancelled)?;
            }
            Event::Cancel => {}
            Event::Passes(seconds) => self.now = self.now.after(Duration::from_secs(seconds)),
        }
        Ok(())
    }

    /// One round; the outcome where it was the last.
    fn round(&mut self, event: Event) -> Result<Option<Outcome>, TestCaseError> {
        let decided = self.decide(&self.task);
        let again = Task::replay(&self.story.records).map(|task| self.decide(&task));
        prop_assert_eq!(again.as_ref(), Some(&decided), "a successor decides the same");
        let is_late = self.task.order.deadline.is_some_and(|deadline| deadline <= self.now);
        match decided {
            Next::Work { start, running, calls, until } => {
                prop_assert_eq!((calls.len(), until), (0, None), "nothing but subtasks is in these plans");
                prop_assert!(!self.is_cancelled && !is_late, "nothing goes on");
                let known: BTreeSet<TaskId> = self.running().into_iter().map(|(_, child)| child).collect();
                let told: BTreeSet<TaskId> = running.iter().filter_map(Unit::child).collect();
                prop_assert_eq!(told, known, "what runs is waited for");
                self.start(&start)?;
            }
            Next::Stop(stop) => {
                let known: Vec<TaskId> = self.running().into_iter().map(|(_, child)| child).collect();
                prop_assert_eq!((stop.children, stop.cut.len(), stop.finishing.len()), (known, 0, 0));
            }
            other @ (Next::Conclude(_) | Next::Ask(_)) => prop_assert!(false, "{other:?} is in none of these plans"),
            Next::End(outcome) => {
                prop_assert_eq!(self.running(), Vec::new(), "a plan ends when nothing is open");
                let ended = TaskRecord::Ended(Ended { outcome: outcome.clone(), at: self.now });
                prop_assert!(self.task.accepts(&ended));
                return Ok(Some(outcome));
            }
        }
        self.befall(event)?;
        Ok(None)
    }

    fn check_outcome(&self, outcome: &Outcome) -> Result<(), TestCaseError> {
        match outcome {
            Outcome::Cancelled => prop_assert!(self.is_cancelled),
            Outcome::Answered { .. } | Outcome::AnsweredByStep { .. } => {
                for step in &self.plan.steps {
                    prop_assert!(self.is_done(&step.id), "{} is not done", step.id);
                }
            }
            Outcome::Failed { .. } => {
                let is_late = self.task.order.deadline.is_some_and(|deadline| deadline <= self.now);
                let failed = |step: &Step| matches!(step.status, StepStatus::Failed(_));
                // A map over nothing that is a list fails without a failed subtask: a list is what every answer is here, and
                // what is skipped is no items.
                prop_assert!(is_late || self.task.steps.iter().any(failed));
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// INVARIANT I17: whatever becomes of the subtasks and in whatever order, each attempt at a unit starts once and not before
    /// all that it needs is done, the plan ends when nothing is open, and a successor decides as the one before would have.
    #[test]
    fn every_plan_ends_and_starts_each_unit_once_and_in_order(plan in plans(), events in events()) {
        let story = Story::new();
        let task = Task::replay(&story.records).expect("a task");
        let (attempts, past) = (BTreeMap::new(), vec![task.clone()]);
        let mut run = Run { plan: &plan, story, task, past, now: NOW, attempts, is_cancelled: false };
        // When nothing more is drawn, all that runs ends well.
        let mut events = events.into_iter().chain(std::iter::repeat(Event::Finishes(0)));
        let mut outcome = None;
        for event in events.by_ref().take(ROUNDS_MAX) {
            outcome = run.round(event)?;
            if outcome.is_some() {
                break;
            }
        }
        prop_assert!(outcome.is_some(), "the plan does not end");
        run.check_outcome(&outcome.expect("checked"))?;
        for (length, then) in run.past.iter().enumerate() {
            let replayed = Task::replay(&run.story.records[..=length]);
            prop_assert_eq!(replayed.as_ref(), Some(then));
        }
    }
}
