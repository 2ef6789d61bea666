//! Conformance with Erlang/OTP: the same scenarios are played on OTP's `supervisor` and on ours, and must leave equal traces of
//! starts, stops, answers, children and ends.
//!
//! Left out is where the two differ on purpose:
//! - `Dynamic` names its children and gives each an intensity of its own; `simple_one_for_one` does neither.
//! - Backoff: here it is none. OTP has none.
//! - A supervisor that gives up exits with `shutdown` in OTP, which a transient or significant child's supervisor takes for an
//!   orderly end; ours is an error, and a transient supervisor that gave up is started again. No transient supervisor gives up here.
//! - A supervisor that is killed: OTP starts it again while its children may still be ending, ours when they have ended (S6), so
//!   that there is no one order to compare.
//! - A worker's own exit with `shutdown` counts as normal in OTP; ours have no such exit.

mod erlang;
mod generated;
mod ours;
mod scenario;
mod table;

use std::collections::HashSet;

use crate::tools;
use scenario::Scenario;

/// Set to a number, so many scenarios are generated: the long form, for whoever changes `src/supervision`.
const GENERATED: &str = "FACTORY_OTP_SCENARIOS";

const GENERATED_DEFAULT: u64 = 120;

fn scenarios() -> Vec<Scenario> {
    let generated = std::env::var(GENERATED).map_or(GENERATED_DEFAULT, |number| number.parse().expect("a number"));
    table::scenarios().into_iter().chain((0..generated).map(generated::scenario)).collect()
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
    assert!(table::scenarios().len() >= 60, "sixty written out");
}
