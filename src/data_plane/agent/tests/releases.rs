//! Steps that ask a person what may leave: they come before calls, and change nothing of what the calls would have been.

use proptest::prelude::*;

use super::*;
use crate::data_plane::agent::release::{consents, granted};
use crate::domain::entity::Kind;
use crate::journal::record::{Decided, Verdict};
use crate::journal::release::{DLP_REJECTED, Found, Release};
use crate::journal::state::State;

const UNTIL: Timestamp = Timestamp::from_micros(2_000_000);

fn release(to: &str) -> Release {
    let found = vec![Found { kind: "CREDIT_CARD".to_owned(), count: 2 }];
    Release { to: to.to_owned(), digest: [7; 32], found }
}

fn asked(step: u32, to: &str) -> TaskRecord {
    let kind = StepKind::Approval {
        name: "release".to_owned(),
        question: Text::from(release(to).question()),
        until: Some(UNTIL),
        release: Some(Box::new(release(to))),
    };
    TaskRecord::StepStarted(StepStarted { step, kind, reserved: Usd::ZERO, at: NOW })
}

fn decided(step: u32, verdict: Verdict) -> TaskRecord {
    TaskRecord::Decided(Decided { step, verdict, comment: None, by: "ann".to_owned(), at: NOW })
}

fn task(records: &[TaskRecord]) -> Task {
    let records: Vec<_> = std::iter::once(submitted()).chain(records.iter().cloned()).collect();
    Task::replay(&records).expect("a task")
}

fn settled(task: &Task, now: Timestamp) -> TaskRecord {
    match next(task, Course { route: &route(), answers: 1 }, now) {
        Next::Settle(record) => *record,
        other => panic!("{other:?}"),
    }
}

fn failure(record: &TaskRecord) -> &str {
    match record {
        TaskRecord::StepFailed(failed) => &failed.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_task_waits_for_a_person_and_goes_on_as_they_say() {
    let waiting = task(&[asked(0, "mock/a")]);
    assert_eq!((waiting.state, waiting.awaits_decision(0), waiting.rests()), (State::WaitingApproval, true, true));
    assert_eq!(next(&waiting, Course { route: &route(), answers: 1 }, NOW), Next::Wait { until: UNTIL });

    let approved = task(&[asked(0, "mock/a"), decided(0, Verdict::Approved)]);
    let record = settled(&approved, NOW);
    assert!(
        matches!(&record, TaskRecord::StepFinished(finished) if finished.notes == [("decided_by".to_owned(), "ann".to_owned())])
    );
    let given = task(&[asked(0, "mock/a"), decided(0, Verdict::Approved), record]);
    assert_eq!((given.state, given.totals.finished, given.last_answer()), (State::Running, 0, None));
    assert_eq!(next(&given, Course { route: &route(), answers: 1 }, NOW), call(1, "mock/a", 0));

    let rejected = task(&[asked(0, "mock/a"), decided(0, Verdict::Rejected)]);
    let record = settled(&rejected, NOW);
    assert_eq!(failure(&record), DLP_REJECTED);
    let ended = next(&task(&[asked(0, "mock/a"), record]), Course { route: &route(), answers: 1 }, NOW);
    assert!(matches!(ended, Next::End(Outcome::Failed { code, .. }) if code == DLP_REJECTED));
}

#[test]
fn who_does_not_answer_in_time_has_said_no_and_who_cancels_needs_no_answer() {
    assert_eq!(failure(&settled(&task(&[asked(0, "mock/a")]), UNTIL)), DLP_REJECTED);
    assert_eq!(failure(&settled(&task(&[asked(0, "mock/a"), cancel()]), NOW)), "cancelled");
    let late = NOW.after(Duration::from_secs(DEADLINE_SECONDS));
    assert_eq!(failure(&settled(&task(&[asked(0, "mock/a")]), late)), "deadline_exceeded");
    // An approval that is on record counts also where it is read late.
    let approved = task(&[asked(0, "mock/a"), decided(0, Verdict::Approved)]);
    assert!(matches!(settled(&approved, UNTIL), TaskRecord::StepFinished(_)));
}

#[test]
fn leave_is_for_the_model_that_was_named() {
    let given = task(&[asked(0, "mock/a"), finished(0), asked(1, "mock/b")]);
    let granted = granted(&given);
    let to = |model: &str| consents(&granted, model);
    assert_eq!((to("mock/a").len(), to("mock/b").len()), (1, 0), "what is only asked is not given");
    assert_eq!(to("mock/a")[0].kinds, [Kind::CREDIT_CARD]);
}

proptest! {
    /// A question that was answered with yes changes nothing but the numbers of steps.
    #[test]
    fn leave_changes_nothing_of_the_story(fates in proptest::collection::vec((any::<bool>(), 0..4_u8), 0..6)) {
        let (mut plain, mut with) = (Vec::new(), Vec::new());
        for (is_asked, fate) in fates {
            let Next::Call { model, .. } = next(&task(&plain), Course { route: &route(), answers: 1 }, NOW) else { break };
            let then = [Then::Failover, Then::Retry { after_ms: 3 }, Then::Again { after_ms: 5 }, Then::GiveUp][usize::from(fate)];
            let number = |records: &Vec<TaskRecord>| u32::try_from(records.len() / 2).expect("few");
            if is_asked {
                let step = number(&with);
                with.extend([asked(step, &model.to_string()), finished(step)]);
            }
            for records in [&mut plain, &mut with] {
                let step = number(records);
                records.extend([started(step, &model.to_string()), failed(step, "no", then)]);
            }
            let ahead = |records: &[TaskRecord]| match next(&task(records), Course { route: &route(), answers: 1 }, NOW) {
                Next::Call { step: _, model, not_before } => Ok((model, not_before)),
                other => Err(other),
            };
            prop_assert_eq!(ahead(&plain), ahead(&with));
            let (plain, with) = (task(&plain), task(&with));
            prop_assert_eq!((plain.totals.attempts, plain.last_model()), (with.totals.attempts, with.last_model()));
        }
    }
}
