//! `[api]`.

use std::net::SocketAddr;
use std::time::Duration;

use crate::config::reader::{Located, Report, Section, path_from};
use crate::config::settings::{Api, Rate, RateLimit, Role, Tls};
use crate::config::tree::Node;
use crate::config::value;

use super::{rate, tls};

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

/// The room's settings, TLS, and how often each principal may ask.
pub(super) fn read(mut section: Section, report: &mut Report) -> (Api, Option<Tls>, Option<RateLimit>) {
    let count = |default: usize, max: usize| {
        move |section: &mut Section, report: &mut Report, key: &'static str| {
            section.read(report, key, value::count(max)).map_or(default, |located| located.value.get())
        }
    };
    let tls_given = section.has("tls");
    let tls = tls::read(section.section(report, "tls"), tls_given, report);
    let tcp = section.read(report, "tcp", address);
    let anonymous_role = section.read(report, "anonymous_role", value::one_of(ANONYMOUS_ROLES));
    let network = Network { tcp: tcp.as_ref(), is_encrypted: tls_given, anonymous: anonymous_role.as_ref() };
    check_reach(&section, &network, report);
    let api = Api {
        tcp: tcp.map(|located| located.value),
        tokens_file: section.read(report, "tokens_file", path_from).map(|located| located.value),
        anonymous_role: anonymous_role.and_then(|located| located.value),
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
    (api, tls, rate)
}

fn address(node: &Node) -> Result<SocketAddr, String> {
    let expected = "expected an address and port of this host, such as \"127.0.0.1:8000\"";
    value::text(node)?.parse().map_err(|_| expected.to_owned())
}

/// What decides how far the TCP listener may be reached.
struct Network<'a> {
    tcp: Option<&'a Located<SocketAddr>>,
    is_encrypted: bool,
    anonymous: Option<&'a Located<Option<Role>>>,
}

/// What is listened on beyond this host is encrypted, and nobody gets in there without saying who they are.
fn check_reach(section: &Section, network: &Network<'_>, report: &mut Report) {
    let Network { tcp, is_encrypted, anonymous } = *network;
    let Some(tcp) = tcp else {
        if is_encrypted {
            report.mistake(&section.place().clone(), &section.path_of("tls"), "needs api.tcp: the socket has no TLS");
        }
        return;
    };
    if tcp.value.ip().is_loopback() {
        return;
    }
    if !is_encrypted {
        let text = "only loopback addresses (127.0.0.0/8, ::1) may be listened on without TLS: add [api.tls]";
        report.mistake(&tcp.place, &section.path_of("tcp"), text);
    }
    if let Some(Located { place, value: Some(_) }) = anonymous {
        let text = "may be given only where api.tcp is a loopback address: on a network everybody says who they are";
        report.mistake(place, &section.path_of("anonymous_role"), text);
    }
}
