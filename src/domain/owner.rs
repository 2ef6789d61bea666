//! Whose a stored record is: its key, and what goes when somebody's data is erased, follow from that.

use super::name::{Tenant, User};

/// Whose a record is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Owner {
    /// The host's: templates, policies, budgets, restarts, the audit log.
    #[default]
    Host,
    /// A tenant's, and within it a user's where a user is named.
    Of {
        /// The tenant.
        tenant: Tenant,
        /// The user.
        user: Option<User>,
    },
}

impl Owner {
    /// The owner of what belongs to a tenant, and to a user of it.
    #[must_use]
    pub fn of(tenant: &Tenant, user: Option<&User>) -> Self {
        Self::Of { tenant: tenant.clone(), user: user.cloned() }
    }
}

/// Some owners: whose keys are destroyed, whose data is erased or exported. It never selects the host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Selector {
    /// A tenant, with all its users.
    Tenant(Tenant),
    /// A user, in every tenant.
    User(User),
    /// A user in one tenant.
    UserOf {
        /// The tenant.
        tenant: Tenant,
        /// The user.
        user: User,
    },
}

impl Selector {
    /// The selector that these two name; none where neither is there.
    #[must_use]
    pub fn new(tenant: Option<Tenant>, user: Option<User>) -> Option<Self> {
        match (tenant, user) {
            (Some(tenant), Some(user)) => Some(Self::UserOf { tenant, user }),
            (Some(tenant), None) => Some(Self::Tenant(tenant)),
            (None, Some(user)) => Some(Self::User(user)),
            (None, None) => None,
        }
    }

    /// The tenant that it names.
    #[must_use]
    pub fn tenant(&self) -> Option<&Tenant> {
        match self {
            Self::Tenant(tenant) | Self::UserOf { tenant, .. } => Some(tenant),
            Self::User(_) => None,
        }
    }

    /// The user that it names.
    #[must_use]
    pub fn user(&self) -> Option<&User> {
        match self {
            Self::User(user) | Self::UserOf { user, .. } => Some(user),
            Self::Tenant(_) => None,
        }
    }

    /// Whether an owner is one of them.
    #[must_use]
    pub fn selects(&self, owner: &Owner) -> bool {
        let Owner::Of { tenant, user } = owner else { return false };
        self.tenant().is_none_or(|named| named == tenant)
            && self.user().is_none_or(|named| Some(named) == user.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_takes_what_it_names_and_never_the_host() {
        let tenant = |name: &str| name.parse::<Tenant>().expect("a tenant");
        let user = |name: &str| name.parse::<User>().expect("a user");
        let owners = [
            Owner::Host,
            Owner::of(&tenant("a"), None),
            Owner::of(&tenant("a"), Some(&user("ann"))),
            Owner::of(&tenant("b"), Some(&user("ann"))),
            Owner::of(&tenant("a"), Some(&user("bob"))),
        ];
        for (named, taken) in
            [((Some("a"), None), vec![1, 2, 4]), ((None, Some("ann")), vec![2, 3]), ((Some("a"), Some("ann")), vec![2])]
        {
            let selector = Selector::new(named.0.map(tenant), named.1.map(user)).expect("something is named");
            let found: Vec<usize> = (0..owners.len()).filter(|at| selector.selects(&owners[*at])).collect();
            assert_eq!(found, taken, "{selector:?}");
        }
        assert_eq!(Selector::new(None, None), None);
    }
}
