//! The work order: proof that a task was admitted.

use std::sync::Arc;
use std::time::Duration;

use crate::config::settings::Route;
use crate::control_plane::budget::Payer;
use crate::control_plane::template::Template;
use crate::domain::budget::Scope;
use crate::domain::id::TaskId;
use crate::domain::name::ModelRef;
use crate::journal::order::Order;

/// What the data plane accepts. Its fields are private and this room alone makes one, so that whoever holds one knows that
/// a principal was allowed, a template was signed and a budget was asked.
#[derive(Debug, Clone)]
pub struct WorkOrder {
    order: Arc<Order>,
    template: Arc<Template>,
    route: Arc<Route>,
    payer: Payer,
}

impl WorkOrder {
    pub(super) fn new(order: Arc<Order>, template: Arc<Template>, route: Arc<Route>) -> Self {
        let payer = payer_of(&order);
        Self { order, template, route, payer }
    }

    /// The task.
    #[must_use]
    pub fn task(&self) -> TaskId {
        self.order.task
    }

    /// What was decided, as it is stored.
    #[must_use]
    pub fn order(&self) -> &Arc<Order> {
        &self.order
    }

    /// The version of the template that the task keeps.
    #[must_use]
    pub fn template(&self) -> &Arc<Template> {
        &self.template
    }

    /// The models to try, in order: those of the template's route that suited the first step.
    #[must_use]
    pub fn route(&self) -> &[ModelRef] {
        &self.route.models
    }

    /// The route with all that is said of it: what one call may cost, and when another model is asked as well.
    #[must_use]
    pub fn routing(&self) -> &Route {
        &self.route
    }

    /// How long a model is listened to alone before the route's next one is asked as well; none where that is not wanted.
    #[must_use]
    pub fn hedge_after(&self) -> Option<Duration> {
        self.route.hedge_after
    }

    /// Who pays.
    #[must_use]
    pub fn payer(&self) -> &Payer {
        &self.payer
    }
}

/// Whose budgets an order's steps are charged to.
#[must_use]
pub fn payer_of(order: &Order) -> Payer {
    let mut scopes = vec![Scope::Global, Scope::Tenant(order.tenant.clone())];
    scopes.extend(order.user.clone().map(Scope::User));
    scopes.push(Scope::Template(order.template.clone()));
    scopes.extend(order.registered_agent().map(Scope::Agent));
    let ancestors = order.ancestors.iter().map(|ancestor| (ancestor.task, ancestor.budget));
    Payer::new(scopes, std::iter::once((order.task, order.budget)).chain(ancestors))
}
