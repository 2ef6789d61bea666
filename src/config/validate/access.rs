//! `[access]`: host users and groups -> grants.

use std::collections::BTreeMap;

use crate::config::reader::{Report, Section};
use crate::config::settings::{Access, Grant, RateLimit, Role};
use crate::config::value;

/// The longest host user or group name, as `useradd` has it.
const HOST_NAME_BYTES_MAX: usize = 32;

const ROLES: &[(&str, Role)] = &[
    ("admin", Role::Admin),
    ("operator", Role::Operator),
    ("submitter", Role::Submitter),
    ("viewer", Role::Viewer),
    ("auditor", Role::Auditor),
];

pub(super) fn read(mut section: Section, rate: Option<RateLimit>, report: &mut Report) -> Access {
    let access = Access {
        users: grants(section.section(report, "users"), report),
        groups: grants(section.section(report, "groups"), report),
        rate,
    };
    section.finish(report);
    access
}

fn grants(section: Section, report: &mut Report) -> BTreeMap<String, Grant> {
    let mut grants = BTreeMap::new();
    for (name, mut grant) in section.named(report) {
        if name.is_empty() || name.len() > HOST_NAME_BYTES_MAX || name.contains(|c: char| c == ':' || c.is_control()) {
            report.mistake(&grant.place().clone(), &grant.path_of(""), "not a name or number of this host's users");
        }
        let role = grant.require(report, "role", value::one_of(ROLES));
        let tenant = grant.read(report, "tenant", value::parsed).map(|located| located.value);
        let rate = super::rate::read(&mut grant, report);
        grant.finish(report);
        if let Some(role) = role {
            grants.insert(name, Grant { role: role.value, tenant, rate });
        }
    }
    grants
}
