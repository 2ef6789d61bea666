//! Plays scenarios on Erlang/OTP: one `erl` for all of them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use super::scenario::Scenario;

const MODULE: &str = include_str!("factory_otp.erl");

/// The traces of the scenarios, in their order.
pub(super) fn play(scenarios: &[Scenario]) -> Vec<String> {
    let place = tempfile::tempdir().expect("a directory");
    let file = |name: &str| place.path().join(name);
    fs::write(file("factory_otp.erl"), MODULE).expect("written");
    run(Command::new("erlc").arg("factory_otp.erl"), place.path());
    let terms: Vec<_> = scenarios.iter().map(|scenario| format!("{scenario}\n")).collect();
    fs::write(file("scenarios"), terms.concat()).expect("written");
    run(Command::new("erl").args(["-noinput", "-run", "factory_otp", "main", "scenarios", "traces"]), place.path());
    let traces = fs::read_to_string(file("traces")).expect("traces");
    let traces: Vec<_> = traces.split_terminator("\n\n").map(|trace| format!("{}\n", trace.trim_end())).collect();
    assert_eq!(traces.len(), scenarios.len(), "a trace for each scenario");
    traces
}

fn run(command: &mut Command, place: &Path) {
    let Output { status, stdout, stderr } = command.current_dir(place).output().expect("Erlang starts");
    let told = [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(status.success() && told.is_empty(), "{command:?}: {status}: {told}");
}
