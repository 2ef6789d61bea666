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

mod bad_requests;
mod bad_settings;
mod bad_templates;
mod budgets;
mod cancelling;
mod capabilities;
mod control_socket;
mod documents;
mod exit_codes;
mod harness;
mod idempotency;
mod licences;
mod main_job;
mod metrics_from_start;
mod openapi;
mod orchestration;
mod otp_conformance;
mod pool_limits;
mod prometheus_text;
mod provider_failures;
mod provider_key;
mod quickstart;
mod resources;
mod restart_rules;
mod stopping;
mod systemd_notice;
mod systemd_units;
mod task_events;
mod tcp_tokens;
mod template_reload;
mod tidy;
mod tools;
