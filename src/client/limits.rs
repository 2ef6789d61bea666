//! The client's limits.

use std::time::Duration;

/// Idle connections that a client keeps; more are closed after use.
pub const IDLE_CONNECTIONS_MAX: usize = 8;

/// The largest answer that is read, in bytes.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The largest event of a stream, in bytes.
pub const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// How long an answer may take beyond the time that the request asked the daemon to wait.
pub const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);

/// The longest that one request asks the daemon to wait; who waits longer asks again.
pub const WAIT_MAX: Duration = Duration::from_secs(60);
