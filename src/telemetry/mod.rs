//! Logs and metrics: set-up, the names that dashboards rely on, and reading them back.
//!
//! What is counted stands beside what it counts, through the `metrics` crate; this room knows where it goes. Logs go to
//! standard error, metrics to whoever asks for [`crate::telemetry::metrics::Metrics::render`].
//!
//! Invariants: every name of [`crate::telemetry::names`] is there from the start, with help, at zero; dollars are
//! counted in whole nano-dollars and divided when they are shown, so that no sum drifts; a log line never holds what a
//! person wrote.

mod error;
mod exposition;
pub mod logs;
pub mod metrics;
pub mod names;

pub use error::Error;
pub use exposition::Exposition;
