//! `[api]`.

use std::net::SocketAddr;
use std::time::Duration;

use crate::config::reader::{Report, Section, path_from};
use crate::config::settings::{Api, Rate, RateLimit, Role};
use crate::config::tree::Node;
use crate::config::value;

use super::rate;

/// The largest request body when nothing is said, in bytes.
const BODY_BYTES_DEFAULT: usize = 8 * 1024 * 1024;

/// The largest request body that may be set, in bytes: requests are held in memory.
const BODY_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// The most connections at once when nothing is said.
const CONNECTIONS_DEFAULT: usize = 1024;

/// The most connections that may be set; each needs a file descriptor.
const CONNECTIONS_MAX: usize = 1_000_000;

/// How long a stop waits for running work when nothing is said.
const DRAIN_GRACE_DEFAULT: Duration = Duration::from_secs(10);

/// The most open tasks when nothing is said.
const OPEN_TASKS_DEFAULT: usize = 10_000;

/// The most open tasks that may be set.
const OPEN_TASKS_MAX: usize = 10_000_000;

/// What a request without a token may be.
const ANONYMOUS_ROLES: &[(&str, Option<Role>)] =
    &[("none", None), ("viewer", Some(Role::Viewer)), ("submitter", Some(Role::Submitter))];

/// The room's settings, and how often each principal may ask.
pub(super) fn read(mut section: Section, report: &mut Report) -> (Api, Option<RateLimit>) {
    let count = |default: usize, max: usize| {
        move |section: &mut Section, report: &mut Report, key: &'static str| {
            section.read(report, key, value::count(max)).map_or(default, |located| located.value.get())
        }
    };
    let api = Api {
        tcp: section.read(report, "tcp", loopback).map(|located| located.value),
        tokens_file: section.read(report, "tokens_file", path_from).map(|located| located.value),
        anonymous_role: section.read_or(report, "anonymous_role", None, value::one_of(ANONYMOUS_ROLES)),
        body_bytes_max: count(BODY_BYTES_DEFAULT, BODY_BYTES_MAX)(&mut section, report, "body_bytes_max"),
        connections_max: count(CONNECTIONS_DEFAULT, CONNECTIONS_MAX)(&mut section, report, "connections_max"),
        drain_grace: section.read_or(report, "drain_grace", DRAIN_GRACE_DEFAULT, value::duration),
        open_tasks_max: count(OPEN_TASKS_DEFAULT, OPEN_TASKS_MAX)(&mut section, report, "open_tasks_max"),
    };
    let rate = match rate::read(&mut section, report) {
        Rate::Limited(limit) => Some(limit),
        Rate::Default | Rate::Unlimited => None,
    };
    section.finish(report);
    (api, rate)
}

/// An address of this host alone: the listener speaks without TLS.
fn loopback(node: &Node) -> Result<SocketAddr, String> {
    let expected = "expected an address and port of this host, such as \"127.0.0.1:8000\"";
    let address: SocketAddr = value::text(node)?.parse().map_err(|_| expected.to_owned())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("only loopback addresses (127.0.0.0/8, ::1) may be listened on without TLS".to_owned())
    }
}
