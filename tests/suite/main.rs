//! The one integration binary: a file for each behaviour.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test may fail where it stands"
)]

mod access_matrix;
mod agents_in_memory;
mod attention;
mod audit;
mod backup;
mod bad_requests;
mod bad_settings;
mod bad_templates;
mod bench_gateway;
mod broken_streams;
mod budgets;
mod cancelling;
mod capabilities;
mod chaos;
mod control_socket;
#[path = "../corpus/mod.rs"]
mod corpus;
mod crash_loop;
mod dlp_actions;
mod dlp_quality;
mod dlp_rules;
mod documents;
mod encryption;
mod erasure;
mod exit_codes;
mod export;
mod failing_store;
mod filtered_streams;
mod front_door;
mod generated_requests;
mod harness;
mod hooks;
mod idempotency;
mod licences;
mod main_job;
mod metrics_from_start;
mod official_clients;
mod openapi;
mod orchestration;
mod otp_conformance;
mod overspend;
mod plans;
mod planted_secret;
mod policy;
mod pool_limits;
mod power_loss;
mod prometheus_text;
mod provider_failures;
mod provider_faults;
mod provider_health;
mod provider_key;
mod provider_wire;
mod quickstart;
mod rate_limits;
mod resources;
mod restart_rules;
mod result_cache;
mod routes;
mod runaway;
mod signers;
mod stopping;
mod systemd_notice;
mod systemd_units;
mod task_events;
mod tcp_tokens;
mod template_documents;
mod template_environments;
mod template_experiments;
mod template_flood;
mod template_format;
mod template_reload;
mod template_sources;
mod template_versions;
mod template_watch;
mod tidy;
mod tls;
mod tools;
