//! `[access]`: host users, host groups and names in certificates -> grants.

use std::collections::BTreeMap;

use crate::config::reader::{Report, Section};
use crate::config::settings::{Access, CertificateGrant, Grant, RateLimit, Role};
use crate::config::value;
use crate::domain::certificate::CertificateName;

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
        certificates: certificates(section.section(report, "certificates"), report),
        rate,
    };
    section.finish(report);
    access
}

fn grants(section: Section, report: &mut Report) -> BTreeMap<String, Grant> {
    let mut grants = BTreeMap::new();
    for (name, mut entry) in section.named(report) {
        if name.is_empty() || name.len() > HOST_NAME_BYTES_MAX || name.contains(|c: char| c == ':' || c.is_control()) {
            report.mistake(&entry.place().clone(), &entry.path_of(""), "not a name or number of this host's users");
        }
        let grant = grant(&mut entry, report);
        entry.finish(report);
        grants.extend(grant.map(|grant| (name, grant)));
    }
    grants
}

fn certificates(section: Section, report: &mut Report) -> BTreeMap<CertificateName, CertificateGrant> {
    let mut grants = BTreeMap::new();
    for (text, mut entry) in section.named(report) {
        let name = text.parse::<CertificateName>();
        let grant = grant(&mut entry, report);
        let user = entry.read(report, "user", value::parsed).map(|located| located.value);
        let (place, path) = (entry.place().clone(), entry.path_of(""));
        entry.finish(report);
        match (name, grant) {
            // Two spellings of one DNS name are one name.
            (Ok(name), Some(_)) if grants.contains_key(&name) => report.mistake(&place, &path, "is there twice"),
            (Ok(name), Some(grant)) => drop(grants.insert(name, CertificateGrant { grant, user })),
            (Err(reason), _) => report.mistake(&place, &path, reason.to_string()),
            (Ok(_), None) => {}
        }
    }
    grants
}

fn grant(entry: &mut Section, report: &mut Report) -> Option<Grant> {
    let role = entry.require(report, "role", value::one_of(ROLES));
    let tenant = entry.read(report, "tenant", value::parsed).map(|located| located.value);
    let rate = super::rate::read(entry, report);
    role.map(|role| Grant { role: role.value, tenant, rate })
}
