//! The host's users and groups, through its name service. Everything here may block for as long as that service does.

use std::ffi::CString;

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

use crate::config::settings;

use super::table::{Identity, Table, UserGrant};

/// What the directory says of a user. One that it does not know has neither name nor groups.
pub(super) fn identity(uid: u32) -> Result<Identity, String> {
    let fault = |reason: nix::Error| format!("look up user {uid}: {reason}");
    let Some(user) = User::from_uid(Uid::from_raw(uid)).map_err(fault)? else { return Ok(Identity::default()) };
    let name = CString::new(user.name.as_str()).map_err(|reason| format!("look up user {uid}: {reason}"))?;
    let groups = getgrouplist(&name, user.gid).map_err(fault)?;
    Ok(Identity { name: Some(user.name.into()), groups: groups.into_iter().map(Gid::as_raw).collect() })
}

/// Resolves the names of the settings' table. A name that nobody has grants nothing, and is told.
pub(super) fn table(access: &settings::Access, own_uid: u32) -> Table {
    let mut table = Table { own_uid, ..Table::default() };
    for (name, grant) in &access.users {
        let known = name
            .parse()
            .ok()
            .map(|uid| (uid, None))
            .or_else(|| uid_of(name).map(|uid| (uid, Some(name.as_str().into()))));
        match known {
            Some((uid, name)) => {
                table.users.insert(uid, UserGrant { name, grant: grant.clone() });
            }
            None => tracing::warn!(user = %name, "the host knows no such user; the grant is void"),
        }
    }
    for (name, grant) in &access.groups {
        match name.parse().ok().or_else(|| gid_of(name)) {
            Some(gid) => {
                table.groups.insert(gid, grant.clone());
            }
            None => tracing::warn!(group = %name, "the host knows no such group; the grant is void"),
        }
    }
    table
}

fn uid_of(name: &str) -> Option<u32> {
    let found = User::from_name(name).map_err(|reason| tracing::error!(user = %name, %reason, "look up a user"));
    found.ok().flatten().map(|user| user.uid.as_raw())
}

fn gid_of(name: &str) -> Option<u32> {
    let found = Group::from_name(name).map_err(|reason| tracing::error!(group = %name, %reason, "look up a group"));
    found.ok().flatten().map(|group| group.gid.as_raw())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::settings::{Grant, Rate, Role};

    #[test]
    fn root_is_known_by_name_and_number_and_strangers_are_nobody() {
        assert_eq!(identity(0).expect("looked up").name.as_deref(), Some("root"));
        assert_eq!(identity(u32::MAX - 7).expect("looked up"), Identity::default());
        let grant = Grant { role: Role::Viewer, tenant: None, rate: Rate::Default };
        let users = ["root", "1234", "no such user"].map(|name| (name.to_owned(), grant.clone()));
        let groups = ["root", "4321", "no such group"].map(|name| (name.to_owned(), grant.clone()));
        let access = settings::Access {
            users: BTreeMap::from(users),
            groups: BTreeMap::from(groups),
            ..settings::Access::default()
        };
        let table = table(&access, 900);
        let mut uids: Vec<_> = table.users.iter().map(|(uid, granted)| (*uid, granted.name.as_deref())).collect();
        uids.sort_unstable();
        assert_eq!(uids, [(0, Some("root")), (1234, None)]);
        let mut gids: Vec<_> = table.groups.keys().copied().collect();
        gids.sort_unstable();
        assert_eq!(gids, [0, 4321]);
    }
}
