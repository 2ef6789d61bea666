//! Who may use which template: the operators' rule `deny_use`.

use std::sync::Arc;

use super::Refusal;
use super::handle::Admission;
use crate::control_plane::access::{Principal, resolve, role_word};
use crate::control_plane::audit::{Entry, Who};
use crate::control_plane::policy::{Asker, Denial};
use crate::control_plane::template::{self, Template};
use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure as _;
use crate::domain::id::TaskId;
use crate::domain::name::{TemplateName, Tenant, User};
use crate::journal::order::Order;

/// The role under which a task delegates, whoever submitted it.
pub(super) const DELEGATING: &str = "task";

impl Admission {
    /// Asks the policy whether a principal may use a template. Costs nothing where no rule of the operators says who may.
    pub(super) async fn may_use(
        &self,
        template: &Arc<Template>,
        principal: &Principal,
        tenant: &Tenant,
        user: Option<&User>,
    ) -> Result<(), Refusal> {
        let asker = || Asker {
            name: principal.name.clone(),
            role: role_word(principal.role).into(),
            tenant: tenant.clone(),
            user: user.cloned(),
        };
        self.ask_policy(template, asker).await
    }

    /// Whether the operators' rules let a principal use a template, where it asks for itself and names no tenant.
    pub async fn may_use_by_name(&self, principal: &Principal, name: &TemplateName) -> bool {
        if !self.means.policies.current().judges_use() {
            return true;
        }
        let (Ok((tenant, user)), Ok(template)) = (resolve(principal, None, None), self.means.templates.get(name))
        else {
            return false;
        };
        self.may_use(&template, principal, &tenant, user.as_ref()).await.is_ok()
    }

    /// The same for a task that delegates. A refusal is on record when this returns.
    pub(super) async fn task_may_use(
        &self,
        template: &Arc<Template>,
        above: &Order,
        who: &Who,
        child: TaskId,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let asker = || Asker {
            name: who.name.clone(),
            role: who.role.clone(),
            tenant: above.tenant.clone(),
            user: above.user.clone(),
        };
        let asked = self.ask_policy(template, asker).await;
        if let Err(refusal) = &asked {
            let entry = Entry::refused(now, who.clone(), "delegate_task", refusal.code(), &refusal.detail()).on(child);
            self.means.audit.record(refusal.under(entry)).await?;
        }
        asked
    }

    async fn ask_policy(&self, template: &Arc<Template>, asker: impl FnOnce() -> Asker) -> Result<(), Refusal> {
        let policy = self.means.policies.current();
        if !policy.judges_use() {
            return Ok(());
        }
        let (digest, asker) = (template.digest, asker());
        let verdict = match policy.known_use(digest, &asker) {
            Some(known) => known,
            None => {
                let resolved = self.means.templates.resolved(template).await?;
                let (asked, asking) = (policy.clone(), asker);
                let judged = tokio::task::spawn_blocking(move || asked.check_use(&resolved, digest, &asking));
                judged.await.map_err(|fault| template::Error::Interrupted(fault.to_string()))?
            }
        };
        verdict.map_err(|denials| Refusal::Use {
            template: template.name.clone(),
            reasons: denials.iter().map(Denial::to_string).collect(),
            policy: policy.digest(),
        })
    }
}

impl Refusal {
    /// The entry, with the policy that refused where it was one.
    pub(super) fn under(&self, entry: Entry) -> Entry {
        if let Self::Use { policy, .. } = self { entry.under(*policy) } else { entry }
    }
}
