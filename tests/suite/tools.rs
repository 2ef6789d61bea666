//! Programs beyond Cargo that some tests need. `.ci/run` installs them; README.md names them.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Set by `.ci/run`: there, a test that cannot run has failed.
const REQUIRED: &str = "FACTORY_TESTS_REQUIRE_TOOLS";

/// Whether a program is there. Where it is not, the test says so loudly on the terminal, past the harness's capture, and
/// fails where tools are required.
pub(crate) fn available(program: &str, package: &str, what_is_not_checked: &str) -> bool {
    let started = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    started.is_ok() || missing(program, package, what_is_not_checked)
}

/// Whether Python 3 is there with a module; see [`available`].
pub(crate) fn python_with(module: &str, package: &str, what_is_not_checked: &str) -> bool {
    let import = format!("import {module}");
    let ended = Command::new("python3").args(["-c", &import]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    ended.is_ok_and(|status| status.success()) || missing(&format!("python3's {module}"), package, what_is_not_checked)
}

/// Whether there is a Python with modules at this place, which `.ci/run` makes; see [`available`].
pub(crate) fn python_at(python: &Path, modules: &str, made_of: &str, what_is_not_checked: &str) -> bool {
    let import = format!("import {modules}");
    let ended = Command::new(python).args(["-c", &import]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if ended.is_ok_and(|status| status.success()) {
        return true;
    }
    not_run(&format!("{what_is_not_checked}: a Python with {modules} is missing (.ci/run puts {made_of})"))
}

fn missing(program: &str, package: &str, what_is_not_checked: &str) -> bool {
    not_run(&format!("{what_is_not_checked}: {program} is missing (apt-get install {package})"))
}

fn not_run(why: &str) -> bool {
    let told = format!("NOT RUN: {why}");
    assert!(std::env::var_os(REQUIRED).is_none(), "{told}");
    writeln!(std::io::stderr(), "\n*** {told} ***\n").expect("standard error");
    false
}
