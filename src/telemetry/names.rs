//! The metrics that dashboards rely on: each name once, with its labels in the order in which they are documented.

/// Agents by state: `active`, `idle`, `waiting` (for a seat in memory), `passive`, `stopped`.
pub const AGENTS: &str = "factory_agents";
/// Agents that were asked to leave memory, by `reason`: `idle`, `memory` (it is pressed), `room` (others wait for a seat).
pub const AGENT_PASSIVATIONS_TOTAL: &str = "factory_agent_passivations_total";
/// 1 while memory is pressed.
pub const MEMORY_PRESSED: &str = "factory_memory_pressed";
/// Time to create an agent, durably.
pub const AGENT_CREATION_SECONDS: &str = "factory_agent_creation_seconds";
/// Restarts of actors, by `actor` and `reason`.
pub const ACTOR_RESTARTS_TOTAL: &str = "factory_actor_restarts_total";
/// Tasks that reached a state, by `template` and `state`.
pub const TASKS_TOTAL: &str = "factory_tasks_total";
/// Time from a task's submission to its end.
pub const TASK_SECONDS: &str = "factory_task_seconds";
/// Steps that ended, by `kind` and `outcome`.
pub const STEPS_TOTAL: &str = "factory_steps_total";
/// Model calls, by `provider`, `model` and `outcome`.
pub const PROVIDER_REQUESTS_TOTAL: &str = "factory_provider_requests_total";
/// Time that a provider took for a call.
pub const PROVIDER_SECONDS: &str = "factory_provider_seconds";
/// 1 where a provider's circuit breaker is open, by `provider`.
pub const PROVIDER_BREAKER_OPEN: &str = "factory_provider_breaker_open";
/// The most calls at once that a provider gets, by `provider`.
pub const PROVIDER_CONCURRENCY_LIMIT: &str = "factory_provider_concurrency_limit";
/// Calls of tools, by `tool` and `outcome`.
pub const TOOL_REQUESTS_TOTAL: &str = "factory_tool_requests_total";
/// Time that a tool took for a call.
pub const TOOL_SECONDS: &str = "factory_tool_seconds";
/// Hooks, by `hook` and `outcome` (`delivered`, `retried`, `failed`).
pub const HOOKS_TOTAL: &str = "factory_hooks_total";
/// What tools are still to be told of tasks, by `tool`.
pub const HOOK_OUTBOX_ENTRIES: &str = "factory_hook_outbox_entries";
/// A step's time less its provider's.
pub const OVERHEAD_SECONDS: &str = "factory_overhead_seconds";
/// Tokens, by `direction` and `model`: `input`, of which some are `cached`, and `output`, of which some are `reasoning`.
pub const TOKENS_TOTAL: &str = "factory_tokens_total";
/// Dollars spent, by `template` and `model`. Counted by [`super::metrics::count_cost`] only.
pub const COST_USD_TOTAL: &str = "factory_cost_usd_total";
/// What is left of a limit, by `scope`.
pub const BUDGET_REMAINING_USD: &str = "factory_budget_remaining_usd";
/// Requests that a budget refused.
pub const BUDGET_REFUSALS_TOTAL: &str = "factory_budget_refusals_total";
/// Requests that a rate limit refused, by `via`: how who asked was recognised. The audit log says who it was.
pub const RATE_LIMITED_TOTAL: &str = "factory_rate_limited_total";
/// Handshakes of TLS by `outcome`: `done`, `failed`, `timed_out`, `in_the_clear`, `crowded_out`.
pub const TLS_HANDSHAKES_TOTAL: &str = "factory_tls_handshakes_total";
/// Connections that were cut off because their certificate is no longer good.
pub const TLS_DISTRUSTED_TOTAL: &str = "factory_tls_distrusted_total";
/// When the server's certificate, or the first list of revocations, is out of date, by `of`: `certificate`, `revocations`.
pub const TLS_EXPIRY_TIMESTAMP_SECONDS: &str = "factory_tls_expiry_timestamp_seconds";
/// Open reservations.
pub const BUDGET_RESERVATIONS: &str = "factory_budget_reservations";
/// Since when the oldest of them is held.
pub const BUDGET_OLDEST_RESERVATION_TIMESTAMP_SECONDS: &str = "factory_budget_oldest_reservation_timestamp_seconds";
/// What is booked in doubt.
pub const BUDGET_IN_DOUBT_USD: &str = "factory_budget_in_doubt_usd";
/// Model calls of templates with `cache`, by `outcome`: spared (`hit`) or made (`miss`).
pub const RESULT_CACHE_REQUESTS_TOTAL: &str = "factory_result_cache_requests_total";
/// Findings of the DLP filter, by `type` and `action`.
pub const DLP_FINDINGS_TOTAL: &str = "factory_dlp_findings_total";
/// Files of the operator's DLP rules that were read, by `outcome` (`published`, `refused`).
pub const DLP_RULE_LOADS_TOTAL: &str = "factory_dlp_rule_loads_total";
/// 1 while the file of the operator's DLP rules is refused.
pub const DLP_RULES_REFUSED: &str = "factory_dlp_rules_refused";
/// Texts that broke a worker of the DLP filter and are kept from all others.
pub const DLP_QUARANTINED_TOTAL: &str = "factory_dlp_quarantined_total";
/// Attempts to load a template, by `outcome`.
pub const TEMPLATE_LOADS_TOTAL: &str = "factory_template_loads_total";
/// Policies that were read, by `outcome` (`published`, `refused`).
pub const POLICY_LOADS_TOTAL: &str = "factory_policy_loads_total";
/// Templates refused for their signature, by `reason`.
pub const TEMPLATE_SIGNATURE_FAILURES_TOTAL: &str = "factory_template_signature_failures_total";
/// Sweeps of the template directories, by `outcome` (`quiet`, `found`).
pub const TEMPLATE_SWEEPS_TOTAL: &str = "factory_template_sweeps_total";
/// Template look-ups, by `outcome` (`hit`, `miss`, `expired`).
pub const TEMPLATE_CACHE_REQUESTS_TOTAL: &str = "factory_template_cache_requests_total";
/// Compiled templates that left the cache because their verification was too old.
pub const TEMPLATE_CACHE_EXPIRIES_TOTAL: &str = "factory_template_cache_expiries_total";
/// Compiled templates that left the cache because it was full.
pub const TEMPLATE_CACHE_EVICTIONS_TOTAL: &str = "factory_template_cache_evictions_total";
/// Time to verify one signature, by `algorithm`.
pub const TEMPLATE_VERIFICATION_SECONDS: &str = "factory_template_verification_seconds";
/// Tasks in experiments that ended for the first time, by `template`, `variant` (its number, from 1) and `outcome`.
pub const EXPERIMENT_TASKS_TOTAL: &str = "factory_experiment_tasks_total";
/// Variants of experiments that were halted because they were clearly worse.
pub const EXPERIMENT_HALTS_TOTAL: &str = "factory_experiment_halts_total";
/// Time of a group commit, with its sync.
pub const STORE_COMMIT_SECONDS: &str = "factory_store_commit_seconds";
/// Records in a group commit.
pub const STORE_COMMIT_RECORDS: &str = "factory_store_commit_records";
/// Backups that ended, by `outcome` (`taken`, `failed`).
pub const BACKUPS_TOTAL: &str = "factory_backups_total";
/// 1 since the audit log was found not to hold, until the next start.
pub const AUDIT_BROKEN: &str = "factory_audit_broken";
/// Entries under the last signed checkpoint of the audit log.
pub const AUDIT_CHECKPOINT_ENTRIES: &str = "factory_audit_checkpoint_entries";
/// Ended tasks that were deleted because they are older than `retention.tasks`.
pub const TASKS_DELETED_TOTAL: &str = "factory_tasks_deleted_total";
/// Messages that wait in an actor's mailbox, by `actor`.
pub const MAILBOX_DEPTH: &str = "factory_mailbox_depth";

/// Actors that have been at one message for too long, by `actor`.
pub const ACTORS_STUCK: &str = "factory_actors_stuck";
/// Quarantines that began, by `actor`.
pub const ACTOR_QUARANTINES_TOTAL: &str = "factory_actor_quarantines_total";

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// It is counted in buckets with these upper bounds.
    Histogram(&'static [f64]),
}

/// One metric.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What it says, for a person.
    pub help: &'static str,
    /// The label whose values are known beforehand, and they; each is there at zero from the start.
    pub known: Option<(&'static str, &'static [&'static str])>,
    /// Labels whose values are known only when they occur. Until then a placeholder with empty ones is at zero, which
    /// Prometheus reads as absent.
    pub open: &'static [&'static str],
}

/// What happens inside the process: 10 µs to 1 s.
const INSIDE_SECONDS: &[f64] = &[
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0,
];

/// What waits for a disk: 100 µs to 5 s.
const DISK_SECONDS: &[f64] =
    &[0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// What waits for a model: 5 ms to 2 min.
const MODEL_SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0];

/// A whole task: 1 ms with `builtin`, up to an hour.
const TASK_BUCKETS_SECONDS: &[f64] =
    &[0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 3600.0];

/// Records in one commit.
const RECORDS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

const AGENT_STATES: &[&str] = &["active", "idle", "waiting", "passive", "stopped"];

const PASSIVATION_REASONS: &[&str] = &["idle", "memory", "room"];

const TASK_STATES: &[&str] =
    &["queued", "running", "waiting_approval", "needs_attention", "succeeded", "failed", "cancelled"];

const fn family(name: &'static str, kind: Kind, help: &'static str) -> Family {
    Family { name, kind, help, known: None, open: &[] }
}

/// Every metric of the contract.
pub const FAMILIES: &[Family] = &[
    Family { known: Some(("state", AGENT_STATES)), ..family(AGENTS, Kind::Gauge, "Agents by state.") },
    Family {
        known: Some(("reason", PASSIVATION_REASONS)),
        ..family(AGENT_PASSIVATIONS_TOTAL, Kind::Counter, "Agents that were asked to leave memory.")
    },
    family(MEMORY_PRESSED, Kind::Gauge, "1 while idle agents are passivated because memory is short, else 0."),
    family(AGENT_CREATION_SECONDS, Kind::Histogram(DISK_SECONDS), "Time to create an agent, durably."),
    Family {
        open: &["actor", "reason"],
        ..family(ACTOR_RESTARTS_TOTAL, Kind::Counter, "Restarts of actors by their supervisors.")
    },
    Family {
        known: Some(("state", TASK_STATES)),
        open: &["template"],
        ..family(TASKS_TOTAL, Kind::Counter, "Tasks that reached a state.")
    },
    family(TASK_SECONDS, Kind::Histogram(TASK_BUCKETS_SECONDS), "Time from a task's submission to its end."),
    Family {
        open: &["kind", "outcome"],
        ..family(STEPS_TOTAL, Kind::Counter, "Steps that ended: model calls, tool calls, delegated subtasks.")
    },
    Family {
        open: &["provider", "model", "outcome"],
        ..family(PROVIDER_REQUESTS_TOTAL, Kind::Counter, "Calls to providers; the outcome is ok or an error's code.")
    },
    Family {
        open: &["provider"],
        ..family(PROVIDER_SECONDS, Kind::Histogram(MODEL_SECONDS), "Time that a provider took for a call.")
    },
    Family {
        open: &["provider"],
        ..family(PROVIDER_BREAKER_OPEN, Kind::Gauge, "1 where a provider's circuit breaker keeps calls away, else 0.")
    },
    Family {
        open: &["provider"],
        ..family(
            PROVIDER_CONCURRENCY_LIMIT,
            Kind::Gauge,
            "The most calls at once that a provider gets, by how it has answered so far.",
        )
    },
    Family {
        open: &["tool", "outcome"],
        ..family(TOOL_REQUESTS_TOTAL, Kind::Counter, "Calls of tools; the outcome is ok or an error's code.")
    },
    Family {
        open: &["tool"],
        ..family(TOOL_SECONDS, Kind::Histogram(MODEL_SECONDS), "Time that a tool took for a call.")
    },
    Family {
        known: Some(("outcome", &["delivered", "retried", "failed"])),
        open: &["hook"],
        ..family(HOOKS_TOTAL, Kind::Counter, "Hooks that a tool took, that were tried again, and that were given up.")
    },
    Family {
        open: &["tool"],
        ..family(HOOK_OUTBOX_ENTRIES, Kind::Gauge, "Entries of the outbox: what tools are still to be told of tasks.")
    },
    family(OVERHEAD_SECONDS, Kind::Histogram(INSIDE_SECONDS), "A step's time less its provider's."),
    Family {
        known: Some(("direction", &["input", "output", "cached", "reasoning"])),
        open: &["model"],
        ..family(
            TOKENS_TOTAL,
            Kind::Counter,
            "Tokens that models read (input, of which cached) and wrote (output, of which reasoning).",
        )
    },
    Family {
        open: &["template", "model"],
        ..family(
            COST_USD_TOTAL,
            Kind::Counter,
            "Dollars spent on model calls, those that failed or are in doubt included.",
        )
    },
    Family {
        open: &["scope"],
        ..family(BUDGET_REMAINING_USD, Kind::Gauge, "Dollars left in a scope's present window.")
    },
    family(BUDGET_REFUSALS_TOTAL, Kind::Counter, "Requests that a budget refused."),
    family(BUDGET_RESERVATIONS, Kind::Gauge, "Open reservations."),
    family(
        BUDGET_OLDEST_RESERVATION_TIMESTAMP_SECONDS,
        Kind::Gauge,
        "Seconds since 1970 at which the oldest open reservation was made; 0 where none is open.",
    ),
    family(BUDGET_IN_DOUBT_USD, Kind::Gauge, "Dollars booked as spent of which nobody knows whether they are billed."),
    Family {
        known: Some(("via", &["peer", "token", "certificate", "anonymous"])),
        ..family(RATE_LIMITED_TOTAL, Kind::Counter, "Requests of principals that asked more often than they may.")
    },
    Family {
        known: Some(("outcome", &["done", "failed", "timed_out", "in_the_clear", "crowded_out"])),
        ..family(TLS_HANDSHAKES_TOTAL, Kind::Counter, "Handshakes of TLS, and how they ended.")
    },
    family(
        TLS_DISTRUSTED_TOTAL,
        Kind::Counter,
        "Connections that were cut off because their certificate is no longer good.",
    ),
    Family {
        known: Some(("of", &["certificate", "revocations"])),
        ..family(
            TLS_EXPIRY_TIMESTAMP_SECONDS,
            Kind::Gauge,
            "Seconds since 1970 at which what TLS goes by is out of date; 0 where there is none.",
        )
    },
    Family {
        known: Some(("outcome", &["hit", "miss"])),
        ..family(
            RESULT_CACHE_REQUESTS_TOTAL,
            Kind::Counter,
            "Model calls of templates with a cache that were spared, and that were made.",
        )
    },
    Family {
        open: &["type", "action"],
        ..family(DLP_FINDINGS_TOTAL, Kind::Counter, "Personal data and secrets that were found, and what was done.")
    },
    Family {
        open: &["outcome"],
        ..family(DLP_RULE_LOADS_TOTAL, Kind::Counter, "Files of the operator's DLP rules that were read.")
    },
    family(DLP_RULES_REFUSED, Kind::Gauge, "1 while the file of the operator's DLP rules is refused."),
    family(DLP_QUARANTINED_TOTAL, Kind::Counter, "Texts that broke a worker of the DLP filter."),
    Family { open: &["outcome"], ..family(POLICY_LOADS_TOTAL, Kind::Counter, "Policies that were read.") },
    Family { open: &["outcome"], ..family(TEMPLATE_LOADS_TOTAL, Kind::Counter, "Attempts to load a template.") },
    Family {
        open: &["reason"],
        ..family(TEMPLATE_SIGNATURE_FAILURES_TOTAL, Kind::Counter, "Templates refused for their signature.")
    },
    Family {
        known: Some(("outcome", &["quiet", "found"])),
        ..family(TEMPLATE_SWEEPS_TOTAL, Kind::Counter, "Sweeps of the template directories.")
    },
    Family {
        known: Some(("outcome", &["hit", "miss", "expired"])),
        ..family(
            TEMPLATE_CACHE_REQUESTS_TOTAL,
            Kind::Counter,
            "Template look-ups that did and did not need a new verification.",
        )
    },
    family(
        TEMPLATE_CACHE_EXPIRIES_TOTAL,
        Kind::Counter,
        "Compiled templates that left the cache because their verification was too old.",
    ),
    family(
        TEMPLATE_CACHE_EVICTIONS_TOTAL,
        Kind::Counter,
        "Compiled templates that left the cache because it was full.",
    ),
    Family {
        known: Some(("algorithm", &["ed25519", "rsa-pss-sha256"])),
        ..family(
            TEMPLATE_VERIFICATION_SECONDS,
            Kind::Histogram(INSIDE_SECONDS),
            "Time to verify one template's signature, by algorithm.",
        )
    },
    Family {
        open: &["template", "variant", "outcome"],
        ..family(EXPERIMENT_TASKS_TOTAL, Kind::Counter, "Tasks in experiments that ended for the first time.")
    },
    family(EXPERIMENT_HALTS_TOTAL, Kind::Counter, "Variants of experiments that were halted as clearly worse."),
    family(STORE_COMMIT_SECONDS, Kind::Histogram(DISK_SECONDS), "Time of a group commit, with its sync to disk."),
    family(STORE_COMMIT_RECORDS, Kind::Histogram(RECORDS), "Records in a group commit."),
    Family {
        known: Some(("outcome", &["taken", "failed"])),
        ..family(BACKUPS_TOTAL, Kind::Counter, "Backups that were taken, and that were begun and were not.")
    },
    family(AUDIT_BROKEN, Kind::Gauge, "1 since the audit log was found not to hold, until the next start."),
    family(
        AUDIT_CHECKPOINT_ENTRIES,
        Kind::Gauge,
        "Entries under the last signed checkpoint of the audit log; up to 4,294,967,295.",
    ),
    family(
        TASKS_DELETED_TOTAL,
        Kind::Counter,
        "Ended tasks that were deleted because they were older than retention.tasks.",
    ),
    Family { open: &["actor"], ..family(MAILBOX_DEPTH, Kind::Gauge, "Messages that wait in an actor's mailbox.") },
    Family {
        open: &["actor"],
        ..family(ACTORS_STUCK, Kind::Gauge, "Actors that have been at one message for longer than their specs allow.")
    },
    Family {
        open: &["actor"],
        ..family(ACTOR_QUARANTINES_TOTAL, Kind::Counter, "Actors that were put into quarantine.")
    },
];
