//! The shipped units: systemd understands them without a word, and they leave little to attack.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::tools;

/// The most exposure that `systemd-analyze security` may find, on its scale of 0 to 10.
const EXPOSURE_MAX: f64 = 2.0;

fn shipped(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(name);
    fs::read_to_string(path).expect("a shipped unit")
}

/// The units as they would be installed, with the daemon where this build put it.
struct Installed {
    dir: tempfile::TempDir,
}

impl Installed {
    fn new() -> Option<Self> {
        if !tools::available("systemd-analyze", "systemd", "the shipped systemd units") {
            return None;
        }
        let dir = tempfile::tempdir().expect("a directory");
        let service = shipped("factoryd.service");
        let here = service.replace("/usr/bin/factoryd", env!("CARGO_BIN_EXE_factoryd"));
        assert_ne!(service, here, "the service starts /usr/bin/factoryd");
        // The documentation is installed with the package; verify looks for it on this host.
        let here = without_documentation(&here);
        fs::write(dir.path().join("factoryd.service"), here).expect("written");
        fs::write(dir.path().join("factoryd.socket"), without_documentation(&shipped("factoryd.socket")))
            .expect("written");
        Some(Self { dir })
    }

    fn unit(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

fn without_documentation(unit: &str) -> String {
    unit.lines().filter(|line| !line.starts_with("Documentation=")).collect::<Vec<_>>().join("\n")
}

fn analyze(arguments: &[&str], units: &[PathBuf]) -> (Output, String) {
    let output = Command::new("systemd-analyze").args(arguments).args(units).output().expect("systemd-analyze runs");
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output, told)
}

#[test]
fn systemd_verifies_the_units_without_a_word() {
    let Some(installed) = Installed::new() else { return };
    let units = [installed.unit("factoryd.service"), installed.unit("factoryd.socket")];
    let (output, told) = analyze(&["verify", "--man=no"], &units);
    assert!(output.status.success() && told.trim().is_empty(), "{told}");
}

#[test]
fn a_unit_with_a_mistake_would_be_noticed() {
    let Some(installed) = Installed::new() else { return };
    let service = installed.unit("factoryd.service");
    let text = fs::read_to_string(&service).expect("the unit").replace("WatchdogSec=30s", "WatchdogSeconds=30s");
    fs::write(&service, text).expect("written");
    let (_, told) = analyze(&["verify", "--man=no"], &[service]);
    assert!(told.contains("WatchdogSeconds"), "{told}");
}

#[test]
fn the_service_leaves_little_to_attack() {
    let Some(installed) = Installed::new() else { return };
    let (_, told) = analyze(&["security", "--offline=true", "--no-pager"], &[installed.unit("factoryd.service")]);
    let exposure = told
        .lines()
        .find_map(|line| line.split("Overall exposure level for").nth(1))
        .and_then(|rest| rest.split_whitespace().find_map(|word| word.parse::<f64>().ok()))
        .unwrap_or_else(|| panic!("no exposure in {told}"));
    assert!(exposure <= EXPOSURE_MAX, "{exposure} is more than {EXPOSURE_MAX}:\n{told}");
}

#[test]
fn what_peers_and_restarts_rely_on_is_set() {
    let service = shipped("factoryd.service");
    let set = |text: &str, line: &str| text.lines().any(|found| found == line);
    for line in ["Type=notify", "WatchdogSec=30s", "RuntimeDirectoryPreserve=yes", "Requires=factoryd.socket"] {
        assert!(set(&service, line), "{line}");
    }
    assert!(!service.lines().any(|line| line.starts_with("PrivateUsers=")), "peers would become nobody");
    let socket = shipped("factoryd.socket");
    for line in ["ListenStream=/run/factoryd/control.sock", "SocketMode=0660"] {
        assert!(set(&socket, line), "{line}");
    }
}
