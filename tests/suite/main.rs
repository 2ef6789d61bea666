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
mod control_socket;
mod documents;
mod harness;
mod idempotency;
mod licences;
mod main_job;
mod orchestration;
mod prometheus_text;
mod provider_failures;
mod provider_key;
mod systemd_units;
mod template_reload;
mod tidy;
mod tools;
