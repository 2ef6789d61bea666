//! Conformance with Erlang/OTP: the same scenarios are played on OTP's `supervisor` and on ours, and must leave equal traces of
//! starts, stops, answers, children and ends.
//!
//! Left out is where the two differ on purpose:
//! - `Dynamic` names its children and gives each an intensity of its own; `simple_one_for_one` does neither.
//! - Backoff: here it is none. OTP has none.
//! - A supervisor that gives up exits with `shutdown` in OTP, which the one above takes for an orderly end, so that a transient
//!   one stays down; ours is an error, and it is started again. A test of its own shows it.
//! - A supervisor that is killed: OTP starts it again while its children may still be ending, ours when they have ended (S6), so
//!   that there is no one order to compare.
//! - A worker's own exit with `shutdown` counts as normal in OTP; ours have no such exit.

mod erlang;
mod generated;
mod ours;
mod scenario;
mod significant;
mod table;

use std::collections::HashSet;

use crate::tools;
use scenario::{Scenario, Step, one_for_one, scenario, supervisor, worker};

/// Set to a number, so many scenarios are generated: the long form, for whoever changes `src/supervision`.
const GENERATED: &str = "FACTORY_OTP_SCENARIOS";

const GENERATED_DEFAULT: u64 = 120;

fn scenarios() -> Vec<Scenario> {
    let generated = std::env::var(GENERATED).map_or(GENERATED_DEFAULT, |number| number.parse().expect("a number"));
    written().into_iter().chain((0..generated).map(generated::scenario)).collect()
}

fn written() -> Vec<Scenario> {
    [table::scenarios(), significant::scenarios()].concat()
}

#[test]
fn supervisors_do_what_otps_do() {
    if !tools::available("erlc", "erlang-base", "the supervisors' conformance with OTP's") {
        return;
    }
    let scenarios = scenarios();
    let otp = erlang::play(&scenarios);
    let played = scenarios.iter().zip(otp).map(|(scenario, otp)| (scenario, otp, ours::play(scenario)));
    let differing: Vec<_> = played
        .filter(|(_, otp, ours)| otp != ours)
        .map(|(scenario, otp, ours)| format!("{scenario}\n--- OTP\n{otp}--- ours\n{ours}"))
        .collect();
    let (count, total) = (differing.len(), scenarios.len());
    assert!(count == 0, "{count} of {total} scenarios differ:\n{}", differing.join("\n"));
}

#[test]
fn no_two_scenarios_are_called_alike() {
    let scenarios = scenarios();
    let names: HashSet<_> = scenarios.iter().map(|scenario| &scenario.name).collect();
    assert_eq!(names.len(), scenarios.len());
    assert!(written().len() >= 60, "sixty written out");
}

#[test]
fn a_transient_supervisor_that_gives_up_is_started_again_and_otps_is_not() {
    if !tools::available("erlc", "erlang-base", "how a supervisor that gives up differs from OTP's") {
        return;
    }
    let middle = supervisor("mid", one_for_one([worker("x")]).intensity(0)).transient();
    let scenario = scenario("a transient supervisor gives up", one_for_one([middle]), [Step::Crash("x")]);
    let starts = |trace: &str| trace.matches("start mid").count();
    let otp = erlang::play(std::slice::from_ref(&scenario)).concat();
    assert_eq!((starts(&otp), starts(&ours::play(&scenario))), (1, 2), "{otp}");
}
