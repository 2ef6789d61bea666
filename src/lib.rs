//! Agent Factory: a supervisor daemon for fleets of LLM agents on one host.
//!
//! The rooms, lowest row first. Code names lower rows only; `tests/suite/tidy/` enforces it.

#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        clippy::disallowed_methods,
        reason = "tests compute their expectations"
    )
)]

// Ids, money, time, shared vocabulary; depends on nothing.
pub mod domain;

// Files and environment -> validated settings.
pub mod config;
// The control API's wire types: `api` speaks them, `client` reads them.
pub mod protocol;
// The only room that names sled: keyspaces, group commit, backup.
pub mod store;
// Child specs, strategies, restart intensity, addresses, tree snapshot; knows no agent.
pub mod supervision;
// Logs and metrics.
pub mod telemetry;

// Records, replay, projections.
pub mod journal;

// Decides.
pub mod control_plane;

// Does the work.
pub mod data_plane;

// The control API over the Unix socket, and over TCP with TLS.
pub mod api;

// Composition root: wires the supervision tree bottom-up, readiness, drain.
pub mod app;
// `factoryctl`: its verbs talk to the daemon only through `client`; and `factoryd quickstart`.
pub mod cli;
// A typed client of the control API; needs only `protocol` and `domain`.
pub mod client;
