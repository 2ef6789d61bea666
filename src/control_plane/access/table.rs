//! From peer credentials to a grant: the settings' table with its names resolved. Pure.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use crate::config::settings::{Grant, Rate, Role};

use super::principal::{Peer, Principal, Via};

/// What the host's directory says of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Identity {
    /// Its name, if it has one.
    pub(super) name: Option<Arc<str>>,
    /// All its groups.
    pub(super) groups: Arc<[u32]>,
}

/// A grant to a user, with the name by which the settings know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UserGrant {
    pub(super) name: Option<Arc<str>>,
    pub(super) grant: Grant,
}

/// Who may do what, by number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Table {
    /// The daemon's own user.
    pub(super) own_uid: u32,
    pub(super) users: HashMap<u32, UserGrant>,
    pub(super) groups: HashMap<u32, Grant>,
}

/// What the table says of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is this principal.
    Is(Principal),
    /// It has no grant.
    Nobody,
    /// That depends on its name and groups, which must be looked up.
    AskDirectory,
}

impl Table {
    /// Judges a peer. A grant to the user goes before those to its groups, of which the strongest role counts. Root and the
    /// daemon's own user are admin unless the settings grant them something else, and are never looked up.
    pub(super) fn judge(&self, peer: Peer, identity: Option<&Identity>) -> Verdict {
        let granted = self.users.get(&peer.uid);
        let local = peer.uid == 0 || peer.uid == self.own_uid;
        match (granted, identity) {
            (Some(UserGrant { name: Some(name), grant }), _) => is(peer, Some(name), grant),
            (Some(UserGrant { name: None, grant }), Some(identity)) => is(peer, identity.name.as_ref(), grant),
            (Some(UserGrant { name: None, grant }), None) if local => is(peer, None, grant),
            (None, _) if local => is(peer, None, &Grant { role: Role::Admin, tenant: None, rate: Rate::Default }),
            (None, _) if self.groups.is_empty() => Verdict::Nobody,
            (Some(_) | None, None) => Verdict::AskDirectory,
            (None, Some(identity)) => self
                .strongest(peer.gid, &identity.groups)
                .map_or(Verdict::Nobody, |grant| is(peer, identity.name.as_ref(), grant)),
        }
    }

    fn strongest(&self, gid: u32, groups: &[u32]) -> Option<&Grant> {
        // The tenant breaks ties, and then the higher rate, so that the order in which groups are listed decides nothing.
        std::iter::once(&gid)
            .chain(groups)
            .filter_map(|gid| self.groups.get(gid))
            .min_by_key(|grant| (rank(grant.role), grant.tenant.clone(), Reverse(grant.rate)))
    }
}

/// The strongest role is first.
fn rank(role: Role) -> u8 {
    match role {
        Role::Admin => 0,
        Role::Operator => 1,
        Role::Submitter => 2,
        Role::Auditor => 3,
        Role::Viewer => 4,
    }
}

fn is(peer: Peer, name: Option<&Arc<str>>, grant: &Grant) -> Verdict {
    let user = name.and_then(|name| name.parse().ok());
    let name = name.cloned().unwrap_or_else(|| format!("uid:{}", peer.uid).into());
    let (tenant, via) = (grant.tenant.clone(), Via::Peer(peer));
    Verdict::Is(Principal { name, user, role: grant.role, tenant, rate: grant.rate, via })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: u32 = 900;

    fn peer(uid: u32, gid: u32) -> Peer {
        Peer { uid, gid, pid: None }
    }

    fn grant(role: Role, tenant: Option<&str>) -> Grant {
        Grant { role, tenant: tenant.map(|name| name.parse().expect("a tenant")), rate: Rate::Default }
    }

    fn identity(name: &str, groups: &[u32]) -> Identity {
        Identity { name: Some(name.into()), groups: groups.into() }
    }

    fn role(verdict: Verdict) -> Option<(String, Role)> {
        match verdict {
            Verdict::Is(principal) => Some((principal.name.to_string(), principal.role)),
            Verdict::Nobody => None,
            Verdict::AskDirectory => panic!("asked the directory"),
        }
    }

    #[test]
    fn without_a_table_root_and_the_own_user_are_admin_and_nobody_else_gets_in() {
        let table = Table { own_uid: OWN, ..Table::default() };
        assert_eq!(role(table.judge(peer(0, 0), None)), Some(("uid:0".to_owned(), Role::Admin)));
        assert_eq!(role(table.judge(peer(OWN, 5), None)), Some(("uid:900".to_owned(), Role::Admin)));
        assert_eq!(role(table.judge(peer(1000, 0), None)), None);
    }

    #[test]
    fn a_users_grant_goes_before_its_groups_and_the_strongest_group_counts() {
        let table = Table {
            own_uid: OWN,
            users: HashMap::from([
                (1, UserGrant { name: Some("ann".into()), grant: grant(Role::Viewer, None) }),
                (2, UserGrant { name: None, grant: grant(Role::Auditor, None) }),
                (OWN, UserGrant { name: None, grant: grant(Role::Submitter, None) }),
            ]),
            groups: HashMap::from([
                (10, grant(Role::Operator, None)),
                (11, grant(Role::Submitter, Some("b"))),
                (12, grant(Role::Submitter, Some("a"))),
            ]),
        };
        let judged = |uid, gid, groups: &[u32]| role(table.judge(peer(uid, gid), Some(&identity("known", groups))));
        assert_eq!(role(table.judge(peer(1, 10), None)), Some(("ann".to_owned(), Role::Viewer)));
        assert_eq!(table.judge(peer(2, 0), None), Verdict::AskDirectory);
        assert_eq!(judged(2, 10, &[10]), Some(("known".to_owned(), Role::Auditor)));
        assert_eq!(table.judge(peer(3, 0), None), Verdict::AskDirectory);
        assert_eq!(judged(3, 10, &[]), Some(("known".to_owned(), Role::Operator)));
        assert_eq!(judged(3, 99, &[12, 10]), Some(("known".to_owned(), Role::Operator)));
        assert_eq!(judged(3, 99, &[98]), None);
        assert_eq!(role(table.judge(peer(OWN, 0), None)), Some(("uid:900".to_owned(), Role::Submitter)));
        for groups in [[11, 12], [12, 11]] {
            let Verdict::Is(principal) = table.judge(peer(3, 99), Some(&identity("known", &groups))) else {
                panic!("no grant")
            };
            assert_eq!(principal.tenant.map(|tenant| tenant.to_string()), Some("a".to_owned()));
        }
    }

    #[test]
    fn a_user_without_a_name_has_its_number() {
        let users = HashMap::from([(7, UserGrant { name: None, grant: grant(Role::Viewer, None) })]);
        let table = Table { own_uid: OWN, users, groups: HashMap::new() };
        let verdict = table.judge(peer(7, 7), Some(&Identity::default()));
        assert_eq!(role(verdict), Some(("uid:7".to_owned(), Role::Viewer)));
    }
}
