//! What roles permit, and as whom a principal may submit: a table and two rules. Pure.

use crate::config::settings::Role;
use crate::domain::name::{Tenant, User};
use crate::domain::owner::Selector;

use super::principal::Principal;

/// What a request needs. Every route names one; `/health`, `/ready` and `/openapi.json` need none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Submits a task.
    SubmitTask,
    /// Reads tasks and their journals.
    ReadTask,
    /// Cancels or retries a task, or sends it a signal.
    ControlTask,
    /// Approves or rejects what a task waits for a person for. Whoever submits a task does not approve it.
    DecideTask,
    /// Scores a task.
    GiveFeedback,
    /// Creates and stops agents.
    ManageAgents,
    /// Reads agents.
    ReadAgents,
    /// Reads templates and their history.
    ReadTemplates,
    /// Rolls templates back and sets experiments.
    ManageTemplates,
    /// Reads the policy in force.
    ReadPolicy,
    /// Reads budgets.
    ReadBudgets,
    /// Sets limits.
    SetBudgets,
    /// Reads and exports the audit log.
    ReadAudit,
    /// Reads the supervision tree.
    ReadTree,
    /// Releases actors from quarantine.
    ManageTree,
    /// Follows events.
    ReadEvents,
    /// Has a text scanned for personal data and secrets.
    ScanText,
    /// Reads metrics.
    ReadMetrics,
    /// Takes backups, which hold every tenant's texts and the key of pseudonyms.
    TakeBackup,
    /// Changes who may do what.
    ManageAccess,
    /// Trusts and revokes signing keys, and exchanges those that the store is encrypted with.
    ManageKeys,
    /// Erases what belongs to a tenant or user.
    EraseData,
    /// Has everything of a tenant or user written out; whoever is no admin, their own alone.
    ExportData,
    /// Has actors killed, where the settings allow it.
    InjectFaults,
}

/// How far a permission reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// What is shared by all, and what belongs to one tenant: lists are filtered by the principal's tenant.
    Own,
    /// The daemon as a whole: only for principals of every tenant.
    Whole,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 24] = [
        Self::SubmitTask,
        Self::ReadTask,
        Self::ControlTask,
        Self::DecideTask,
        Self::GiveFeedback,
        Self::ManageAgents,
        Self::ReadAgents,
        Self::ReadTemplates,
        Self::ManageTemplates,
        Self::ReadPolicy,
        Self::ReadBudgets,
        Self::SetBudgets,
        Self::ReadAudit,
        Self::ReadTree,
        Self::ManageTree,
        Self::ReadEvents,
        Self::ScanText,
        Self::ReadMetrics,
        Self::TakeBackup,
        Self::ManageAccess,
        Self::ManageKeys,
        Self::EraseData,
        Self::ExportData,
        Self::InjectFaults,
    ];

    /// The word that the audit log and refusals use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SubmitTask => "submit_task",
            Self::ReadTask => "read_task",
            Self::ControlTask => "control_task",
            Self::DecideTask => "decide_task",
            Self::GiveFeedback => "give_feedback",
            Self::ManageAgents => "manage_agents",
            Self::ReadAgents => "read_agents",
            Self::ReadTemplates => "read_templates",
            Self::ManageTemplates => "manage_templates",
            Self::ReadPolicy => "read_policy",
            Self::ReadBudgets => "read_budgets",
            Self::SetBudgets => "set_budgets",
            Self::ReadAudit => "read_audit",
            Self::ReadTree => "read_tree",
            Self::ManageTree => "manage_tree",
            Self::ReadEvents => "read_events",
            Self::ScanText => "scan_text",
            Self::ReadMetrics => "read_metrics",
            Self::TakeBackup => "take_backup",
            Self::ManageAccess => "manage_access",
            Self::ManageKeys => "manage_keys",
            Self::EraseData => "erase_data",
            Self::ExportData => "export_data",
            Self::InjectFaults => "inject_faults",
        }
    }

    fn reach(self) -> Reach {
        match self {
            Self::SubmitTask
            | Self::ReadTask
            | Self::ControlTask
            | Self::DecideTask
            | Self::GiveFeedback
            | Self::ManageAgents
            | Self::ReadAgents
            | Self::ReadTemplates
            | Self::ReadBudgets
            | Self::ReadEvents
            | Self::ScanText
            | Self::ExportData => Reach::Own,
            Self::ManageTemplates
            | Self::ReadPolicy
            | Self::SetBudgets
            | Self::ReadAudit
            | Self::ReadTree
            | Self::ManageTree
            | Self::ReadMetrics
            | Self::TakeBackup
            | Self::ManageAccess
            | Self::ManageKeys
            | Self::EraseData
            | Self::InjectFaults => Reach::Whole,
        }
    }
}

/// Whether a role permits it. An admin may do everything, an operator everything but backups, access, keys, erasure and faults.
#[must_use]
pub fn permits(role: Role, permission: Permission) -> bool {
    use Permission as P;
    match role {
        Role::Admin => true,
        Role::Operator => {
            !matches!(permission, P::TakeBackup | P::ManageAccess | P::ManageKeys | P::EraseData | P::InjectFaults)
        }
        Role::Submitter => matches!(
            permission,
            P::SubmitTask
                | P::ReadTask
                | P::ControlTask
                | P::GiveFeedback
                | P::ManageAgents
                | P::ReadAgents
                | P::ReadTemplates
                | P::ReadBudgets
                | P::ReadEvents
                | P::ScanText
                | P::ExportData
        ),
        Role::Viewer => sees(permission),
        Role::Auditor => sees(permission) || permission == P::ReadAudit,
    }
}

fn sees(permission: Permission) -> bool {
    use Permission as P;
    matches!(
        permission,
        P::ReadTask
            | P::ReadAgents
            | P::ReadTemplates
            | P::ReadPolicy
            | P::ReadBudgets
            | P::ReadTree
            | P::ReadEvents
            | P::ReadMetrics
            | P::ExportData
    )
}

/// Why a principal may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its role does not permit it.
    #[error("role {} does not permit {}", role_word(*.role), .permission.as_str())]
    Role {
        /// The role.
        role: Role,
        /// What was asked for.
        permission: Permission,
    },
    /// It concerns every tenant, and the principal belongs to one.
    #[error("{} concerns every tenant, and the principal belongs to one", .permission.as_str())]
    EveryTenant {
        /// What was asked for.
        permission: Permission,
    },
    /// It is another tenant's; to the principal there is no such thing.
    #[error("the resource belongs to another tenant")]
    OtherTenant,
    /// A principal of one tenant asked to act in another.
    #[error("the principal may not act in another tenant")]
    NotItsTenant,
    /// A principal that is a user asked to act as another.
    #[error("the principal may not act as another user")]
    NotItsUser,
}

/// Decides whether a principal may do something to what belongs to `tenant`, or to nobody in particular.
///
/// # Errors
/// Why not. The role is judged before the tenant, so that a refusal never depends on whether another tenant's resource exists.
pub fn authorise(principal: &Principal, permission: Permission, tenant: Option<&Tenant>) -> Result<(), Refusal> {
    if !permits(principal.role, permission) {
        return Err(Refusal::Role { role: principal.role, permission });
    }
    let Some(own) = &principal.tenant else { return Ok(()) };
    match (permission.reach(), tenant) {
        (Reach::Whole, _) => Err(Refusal::EveryTenant { permission }),
        (Reach::Own, None) => Ok(()),
        (Reach::Own, Some(other)) if other == own => Ok(()),
        (Reach::Own, Some(_)) => Err(Refusal::OtherTenant),
    }
}

/// Decides in which tenant and for which user a submission runs. A principal of one tenant acts in it alone; one that is a
/// user acts as that user, unless it is an admin or operator; one that is not, such as a service with a token, may name a user.
///
/// # Errors
/// The principal may not act there, or as that user.
pub fn resolve(
    principal: &Principal,
    tenant: Option<Tenant>,
    user: Option<User>,
) -> Result<(Tenant, Option<User>), Refusal> {
    let tenant = match (&principal.tenant, tenant) {
        (Some(own), Some(named)) if *own != named => return Err(Refusal::NotItsTenant),
        (Some(own), Some(_) | None) => own.clone(),
        (None, Some(named)) => named,
        (None, None) => Tenant::default_tenant(),
    };
    let names_others = matches!(principal.role, Role::Admin | Role::Operator);
    match (&principal.user, user) {
        (Some(own), Some(named)) if *own != named && !names_others => Err(Refusal::NotItsUser),
        (_, Some(named)) => Ok((tenant, Some(named))),
        (own, None) => Ok((tenant, own.clone())),
    }
}

/// Decides whose data a principal may have written out: an admin anybody's, of its own tenant where it has one; everybody else their
/// own, as the user of the host that they are, and whoever is none has nothing of their own. Where a principal of one tenant names none, its own is meant.
///
/// # Errors
/// It is another tenant's, or another user's.
pub fn exportable(principal: &Principal, whose: Selector) -> Result<Selector, Refusal> {
    let is_admin = principal.role == Role::Admin;
    if principal.user.is_none() && !is_admin {
        return Err(Refusal::Role { role: principal.role, permission: Permission::ExportData });
    }
    let whose = match (&principal.tenant, whose) {
        (Some(own), Selector::User(user)) => Selector::UserOf { tenant: own.clone(), user },
        (_, whose) => whose,
    };
    authorise(principal, Permission::ExportData, whose.tenant())?;
    let is_own = whose.user().is_some() && whose.user() == principal.user.as_ref();
    if is_admin || is_own { Ok(whose) } else { Err(Refusal::NotItsUser) }
}

/// The word that settings use for a role.
#[must_use]
pub fn role_word(role: Role) -> &'static str {
    match role {
        Role::Admin => "admin",
        Role::Operator => "operator",
        Role::Submitter => "submitter",
        Role::Viewer => "viewer",
        Role::Auditor => "auditor",
    }
}

/// The role that a word names.
#[must_use]
pub fn role_from_word(word: &str) -> Option<Role> {
    [Role::Admin, Role::Operator, Role::Submitter, Role::Viewer, Role::Auditor]
        .into_iter()
        .find(|role| role_word(*role) == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::Rate;
    use crate::control_plane::access::Via;

    const ROLES: [Role; 5] = [Role::Admin, Role::Operator, Role::Submitter, Role::Viewer, Role::Auditor];

    /// The matrix as people read it: a letter for each role that may, in the order of [`ROLES`]; and what a principal of one
    /// tenant may do it to: its own and shared things (`own`), nothing (`whole`).
    const MATRIX: [(Permission, &str, &str); 24] = [
        (Permission::SubmitTask, "aos..", "own"),
        (Permission::ReadTask, "aosvu", "own"),
        (Permission::ControlTask, "aos..", "own"),
        (Permission::DecideTask, "ao...", "own"),
        (Permission::GiveFeedback, "aos..", "own"),
        (Permission::ManageAgents, "aos..", "own"),
        (Permission::ReadAgents, "aosvu", "own"),
        (Permission::ReadTemplates, "aosvu", "own"),
        (Permission::ManageTemplates, "ao...", "whole"),
        (Permission::ReadPolicy, "ao.vu", "whole"),
        (Permission::ReadBudgets, "aosvu", "own"),
        (Permission::SetBudgets, "ao...", "whole"),
        (Permission::ReadAudit, "ao..u", "whole"),
        (Permission::ReadTree, "ao.vu", "whole"),
        (Permission::ManageTree, "ao...", "whole"),
        (Permission::ReadEvents, "aosvu", "own"),
        (Permission::ScanText, "aos..", "own"),
        (Permission::ReadMetrics, "ao.vu", "whole"),
        (Permission::TakeBackup, "a....", "whole"),
        (Permission::ManageAccess, "a....", "whole"),
        (Permission::ManageKeys, "a....", "whole"),
        (Permission::EraseData, "a....", "whole"),
        (Permission::ExportData, "aosvu", "own"),
        (Permission::InjectFaults, "a....", "whole"),
    ];

    fn tenant(name: &str) -> Tenant {
        name.parse().expect("a tenant")
    }

    fn principal(role: Role, tenant: Option<Tenant>, user: Option<&str>) -> Principal {
        let user = user.map(|name| name.parse().expect("a user"));
        Principal { name: "someone".into(), user, role, tenant, rate: Rate::Default, via: Via::Anonymous }
    }

    #[test]
    fn every_cell_of_the_matrix_is_as_written() {
        assert_eq!(MATRIX.map(|(permission, _, _)| permission), Permission::ALL);
        for (permission, letters, reach) in MATRIX {
            for (role, letter) in ROLES.into_iter().zip(letters.chars()) {
                let may = letter != '.';
                let everywhere = principal(role, None, None);
                let bound = principal(role, Some(tenant("a")), None);
                for (belongs_to, allowed_bound) in
                    [(None, reach == "own"), (Some(tenant("a")), reach != "whole"), (Some(tenant("b")), false)]
                {
                    let cell = format!("{} as {} on {belongs_to:?}", permission.as_str(), role_word(role));
                    assert_eq!(authorise(&everywhere, permission, belongs_to.as_ref()).is_ok(), may, "{cell}");
                    let outcome = authorise(&bound, permission, belongs_to.as_ref());
                    assert_eq!(outcome.is_ok(), may && allowed_bound, "{cell}, of one tenant");
                    if belongs_to == Some(tenant("b")) && may && reach != "whole" {
                        assert_eq!(outcome, Err(Refusal::OtherTenant), "{cell}: another tenant's does not exist");
                    }
                }
            }
        }
    }

    #[test]
    fn a_submission_runs_where_and_as_whom_its_principal_may() {
        let named = |name: &str| Some(name.parse::<User>().expect("a user"));
        let ann = |role, tenant| principal(role, tenant, Some("ann"));
        let cases = [
            (ann(Role::Submitter, None), None, None, Ok(("default", Some("ann")))),
            (ann(Role::Submitter, None), Some("b"), Some("ann"), Ok(("b", Some("ann")))),
            (ann(Role::Submitter, None), None, Some("bob"), Err(Refusal::NotItsUser)),
            (ann(Role::Operator, None), None, Some("bob"), Ok(("default", Some("bob")))),
            (ann(Role::Submitter, Some(tenant("a"))), None, None, Ok(("a", Some("ann")))),
            (ann(Role::Submitter, Some(tenant("a"))), Some("a"), None, Ok(("a", Some("ann")))),
            (ann(Role::Admin, Some(tenant("a"))), Some("b"), None, Err(Refusal::NotItsTenant)),
            (principal(Role::Submitter, Some(tenant("a")), None), None, Some("bob"), Ok(("a", Some("bob")))),
            (principal(Role::Admin, None, None), None, None, Ok(("default", None))),
        ];
        for (who, tenant_asked, user_asked, expected) in cases {
            let outcome = resolve(&who, tenant_asked.map(tenant), user_asked.and_then(named));
            let expected = expected.map(|(in_tenant, user)| (tenant(in_tenant), user.and_then(named)));
            assert_eq!(outcome, expected, "{who:?} {tenant_asked:?} {user_asked:?}");
        }
    }

    #[test]
    fn an_admin_exports_anybody_and_everybody_else_themselves() {
        let user = |name: &str| name.parse::<User>().expect("a user");
        let (all, of_a) = (Selector::Tenant(tenant("a")), Selector::UserOf { tenant: tenant("a"), user: user("ann") });
        let (ann, bob) = (Selector::User(user("ann")), Selector::User(user("bob")));
        for role in ROLES {
            let may = |own: Option<&str>, whose: &Selector| {
                exportable(&principal(role, own.map(tenant), Some("ann")), whose.clone())
            };
            let is_admin = role == Role::Admin;
            assert_eq!(may(None, &ann), Ok(ann.clone()));
            assert_eq!(may(None, &of_a), Ok(of_a.clone()));
            assert_eq!(may(Some("a"), &ann), Ok(of_a.clone()), "a principal of one tenant means that one");
            assert_eq!(may(Some("b"), &of_a), Err(Refusal::OtherTenant));
            for other in [&all, &bob] {
                assert_eq!(may(None, other).is_ok(), is_admin, "{role:?} {other:?}");
                assert_eq!(may(Some("a"), other).is_ok(), is_admin, "{role:?} {other:?}");
            }
            let nobody = exportable(&principal(role, None, None), ann.clone());
            assert_eq!(nobody.is_ok(), is_admin, "whoever is no user of the host has nothing of their own");
        }
    }

    #[test]
    fn roles_have_words() {
        for role in ROLES {
            assert_eq!(role_from_word(role_word(role)), Some(role));
        }
        assert_eq!(role_from_word("root"), None);
    }
}
