//! What is counted about tools.

use std::time::Duration;

use metrics::{counter, histogram};

use super::error::Error;
use crate::domain::failure::Failure;
use crate::domain::name::ToolName;
use crate::telemetry::names;

/// Counts one call and how long it took.
pub(super) fn called(tool: &ToolName, result: Result<(), &Error>, elapsed: Duration) {
    let outcome = result.map_or_else(Error::code, |()| "ok");
    counter!(names::TOOL_REQUESTS_TOTAL, "tool" => tool.to_string(), "outcome" => outcome).increment(1);
    histogram!(names::TOOL_SECONDS, "tool" => tool.to_string()).record(elapsed.as_secs_f64());
}
