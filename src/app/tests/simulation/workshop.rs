//! The settings and templates of a simulation.

use std::path::Path;

use super::market::OUTPUT_TOKENS_MAX;
use super::schedule::Purse;

/// Writes settings and templates.
pub(super) fn furnish(home: &Path, purse: Purse) {
    let limit_of = |scope: &str, usd: &str, window: &str| {
        format!("[budgets.\"{scope}\"]\nlimit_usd = \"{usd}\"\nwindow = \"{window}\"\n")
    };
    let limit = |usd| limit_of("global", usd, "total");
    let budgets = match purse {
        Purse::Endless => String::new(),
        Purse::Ample => limit("1.00"),
        Purse::Tight => limit("0.004"),
        Purse::Daily => [
            limit_of("global", "0.003", "day"),
            limit_of("template:worker", "0.0015", "day"),
            limit_of("template:refiner", "0.004", "month"),
        ]
        .concat(),
    };
    let settings = format!(
        r#"data_dir = "data"
templates_dir = "templates"
socket = "c.sock"
max_workers = 2
[api]
drain_grace = "5s"
[templates]
enable_signature_validation = false
[providers.mock]
kind = "openai"
base_url = "http://127.0.0.1:9/v1"
timeout = "20s"
max_concurrency = 3
[models."mock/a"]
input_usd_per_mtok = "1.00"
output_usd_per_mtok = "4.00"
[models."mock/b"]
input_usd_per_mtok = "1.00"
output_usd_per_mtok = "4.00"
[routes]
both = ["mock/a", "mock/b"]
{budgets}"#
    );
    std::fs::write(home.join("factoryd.toml"), settings).expect("settings");
    std::fs::create_dir_all(home.join("templates")).expect("a directory");
    let step =
        |id: &str, more: &str| format!(r#"{{"id": "{id}", "template": "worker", "input": "{{{{input}}}}"{more}}}"#);
    let boss = [
        step("facts", r#", "on_failure": "retry""#),
        step("notes", r#", "on_failure": "skip""#),
        r#"{"id": "parts", "template": "refiner", "needs": ["facts", "notes"], "map": "{{steps.facts.output}}", "input": "{{item}}"}"#
            .to_owned(),
    ];
    let chief = [
        r#"{"id": "left", "template": "boss", "input": "{{input}}", "on_failure": "retry"}"#.to_owned(),
        step("right", ""),
    ];
    let clerk = [
        r#"{"id": "later", "wait": "20s"}"#.to_owned(),
        r#"{"id": "asked", "needs": ["later"], "approve": "Go on?", "timeout": "10m", "on_failure": "skip"}"#.to_owned(),
        r#"{"id": "told", "signal": "go", "timeout": "5m", "on_failure": "skip"}"#.to_owned(),
        r#"{"id": "done", "template": "worker", "needs": ["asked", "told"], "input": "{{input}}", "on_failure": "ask"}"#
            .to_owned(),
    ];
    let plan = |steps: &[String]| {
        let steps = steps.join(", ");
        format!(
            r#", "kind": "orchestrator", "plan": {{"steps": [{steps}], "aggregate": {{"mode": "merge"}}}}, "limits": {{"depth": 3, "fan_out": 4}}"#
        )
    };
    for (name, more) in [
        ("worker", String::new()),
        ("refiner", r#", "refine": {"passes": 2}"#.to_owned()),
        ("helper", r#", "memory": {"history": 2}"#.to_owned()),
        ("boss", plan(&boss)),
        ("chief", plan(&chief)),
        ("clerk", plan(&clerk)),
    ] {
        let text = format!(
            r#"{{"name": "{name}", "version": "1.0.0", "description": "a template of the simulation", "capabilities": ["work"], "system_prompt": "Answer with a list of two fruits.", "model": {{"route": "both", "max_output_tokens": {OUTPUT_TOKENS_MAX}}}{more}}}"#
        );
        std::fs::write(home.join(format!("templates/{name}.json")), text).expect("a template");
    }
}
