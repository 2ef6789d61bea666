//! Every metric that dashboards rely on is there before anything has happened.

use std::collections::BTreeMap;

use serde_json::json;

use crate::harness::{COST, Daemon, Provider, Workshop};

/// The names of the contract with their kinds.
const NAMES: [(&str, &str); 48] = [
    ("factory_agent_passivations_total", "counter"),
    ("factory_memory_pressed", "gauge"),
    ("factory_agents", "gauge"),
    ("factory_agent_creation_seconds", "histogram"),
    ("factory_actor_restarts_total", "counter"),
    ("factory_tasks_total", "counter"),
    ("factory_task_seconds", "histogram"),
    ("factory_steps_total", "counter"),
    ("factory_provider_requests_total", "counter"),
    ("factory_provider_seconds", "histogram"),
    ("factory_provider_breaker_open", "gauge"),
    ("factory_provider_concurrency_limit", "gauge"),
    ("factory_tool_requests_total", "counter"),
    ("factory_tool_seconds", "histogram"),
    ("factory_overhead_seconds", "histogram"),
    ("factory_tokens_total", "counter"),
    ("factory_cost_usd_total", "counter"),
    ("factory_budget_remaining_usd", "gauge"),
    ("factory_budget_refusals_total", "counter"),
    ("factory_rate_limited_total", "counter"),
    ("factory_tls_handshakes_total", "counter"),
    ("factory_tls_distrusted_total", "counter"),
    ("factory_tls_expiry_timestamp_seconds", "gauge"),
    ("factory_result_cache_requests_total", "counter"),
    ("factory_budget_reservations", "gauge"),
    ("factory_budget_oldest_reservation_timestamp_seconds", "gauge"),
    ("factory_budget_in_doubt_usd", "gauge"),
    ("factory_dlp_findings_total", "counter"),
    ("factory_dlp_rule_loads_total", "counter"),
    ("factory_dlp_rules_refused", "gauge"),
    ("factory_dlp_quarantined_total", "counter"),
    ("factory_template_loads_total", "counter"),
    ("factory_policy_loads_total", "counter"),
    ("factory_template_signature_failures_total", "counter"),
    ("factory_template_cache_requests_total", "counter"),
    ("factory_template_cache_expiries_total", "counter"),
    ("factory_template_cache_evictions_total", "counter"),
    ("factory_template_verification_seconds", "histogram"),
    ("factory_template_sweeps_total", "counter"),
    ("factory_experiment_tasks_total", "counter"),
    ("factory_experiment_halts_total", "counter"),
    ("factory_store_commit_seconds", "histogram"),
    ("factory_store_commit_records", "histogram"),
    ("factory_audit_broken", "gauge"),
    ("factory_audit_checkpoint_entries", "gauge"),
    ("factory_mailbox_depth", "gauge"),
    ("factory_actors_stuck", "gauge"),
    ("factory_actor_quarantines_total", "counter"),
];

/// The sum of a family's samples, by its name; of a histogram, how many observations.
fn sums(text: &str) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (series, value) = line.rsplit_once(' ').expect("a sample");
        let name = series.split('{').next().expect("a name").to_owned();
        *sums.entry(name).or_insert(0.0) += value.parse::<f64>().expect("a number");
    }
    sums
}

#[tokio::test]
async fn every_name_is_there_from_the_start_with_its_help_and_kind() {
    let daemon = Daemon::start(Workshop::new("")).await;
    let text = daemon.metrics().await;
    let sums = sums(&text);
    for (name, kind) in NAMES {
        assert!(text.contains(&format!("# HELP {name} ")), "{name} has no help");
        assert!(text.contains(&format!("# TYPE {name} {kind}\n")), "{name} is no {kind}");
        let sample = if kind == "histogram" { format!("{name}_count") } else { name.to_owned() };
        assert!(sums.contains_key(&sample), "{name} has no sample");
    }
    for zero in [
        "factory_steps_total",
        "factory_cost_usd_total",
        "factory_provider_requests_total",
        "factory_task_seconds_count",
    ] {
        assert!(sums[zero].abs() < f64::EPSILON, "{zero}: {}", sums[zero]);
    }
}

#[tokio::test]
async fn what_happens_is_counted() {
    let worker = json!({"model": {"route": "priced", "max_output_tokens": 64}});
    let daemon = Daemon::start(Workshop::with(&Provider::echo().await, "").worker(worker)).await;
    daemon.run("worker", "Write to ada.byron@example.org.").await;
    let sums = crate::harness::until("the task is counted", async || {
        let sums = sums(&daemon.metrics().await);
        (sums["factory_task_seconds_count"] > 0.0).then_some(sums)
    })
    .await;
    for (name, count) in [
        ("factory_steps_total", 1.0),
        ("factory_provider_requests_total", 1.0),
        ("factory_provider_seconds_count", 1.0),
        ("factory_tokens_total", 120.0),
        ("factory_cost_usd_total", COST.parse().expect("a number")),
        ("factory_dlp_findings_total", 1.0),
    ] {
        assert!((sums[name] - count).abs() < 1e-12, "{name} is {}, not {count}", sums[name]);
    }
    let (status, summary) = daemon.get("/factory/metrics").await;
    assert_eq!((status, &summary["tasks"]["succeeded"]), (200, &json!(1)), "{summary}");
    assert_eq!((&summary["cost_per_task"], &summary["success_rate"]), (&json!(0.00018), &json!(1.0)), "{summary}");
}
