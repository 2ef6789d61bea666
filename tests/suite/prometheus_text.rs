//! Prometheus's own linter reads what the daemon would be scraped for.

use std::io::Write;
use std::process::{Command, Stdio};

use agent_factory::telemetry::metrics::{Metrics, count_cost};

use crate::tools;

#[test]
fn promtool_finds_nothing_to_complain_about() {
    if !tools::available("promtool", "prometheus", "the metrics' text against Prometheus's linter") {
        return;
    }
    let metrics = Metrics::install().expect("the only recorder of this process");
    count_cost("documentaliste", "local/qwen", "0.5".parse().expect("an amount"));
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    promtool.stdin.take().expect("a pipe").write_all(metrics.render().as_bytes()).expect("written");
    let output = promtool.wait_with_output().expect("promtool ends");
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && told.is_empty(), "{told}");
}
