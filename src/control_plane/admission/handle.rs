//! Admission's handle: the only maker of work orders.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::closed::{Closed, Standing};
use super::placement::Placement;
use super::repeat::{Claim, Keys};
use super::room::{Entrance, Most, Place};
use super::routing::Routes;
use super::submission::{NewAgent, Submission, Target};
use super::usage::DELEGATING;
use super::{Refusal, WorkOrder, policy};
use crate::control_plane::access::{self, Permission, Principal};
use crate::control_plane::audit::{Audit, Entry, Who};
use crate::control_plane::budget::price::PriceList;
use crate::control_plane::budget::{Budget, Key, Reservation};
use crate::control_plane::policy::Policies;
use crate::control_plane::template::experiment::{Experiments, Unit};
use crate::control_plane::template::{Kind, Template, Templates};
use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure;
use crate::domain::id::{AgentId, TaskId};
use crate::domain::money::Usd;
use crate::domain::name::{ModelRef, TemplateName, Tenant, User};
use crate::domain::owner::Owner;
use crate::domain::private::Text;
use crate::journal::Journal;
use crate::journal::agents::AgentRecord;
use crate::journal::order::{Ancestor, Order, Tool};
use crate::store::Batch;

/// That a model cannot be called now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unready {
    /// For how long, where that is known.
    pub left: Option<Duration>,
}

/// Says whether a model can be called now; the data plane knows, and the composition root brings the answer here.
pub type Readiness = Arc<dyn Fn(&ModelRef) -> Result<(), Unready> + Send + Sync>;
/// Finds a registered agent of a template that waits for work and serves just this tenant and user, if one is in memory; the data
/// plane knows.
pub type FreeAgent = Arc<dyn Fn(&TemplateName, &Tenant, Option<&User>) -> Option<AgentId> + Send + Sync>;
/// Whether a registered agent is in quarantine; the data plane knows.
pub type Quarantined = Arc<dyn Fn(AgentId) -> bool + Send + Sync>;
/// What admission decides with.
pub struct Means {
    /// Tasks and agents.
    pub journal: Journal,
    /// Published templates.
    pub templates: Templates,
    /// Which of their versions are compared.
    pub experiments: Experiments,
    /// Who may use which.
    pub policies: Policies,
    /// Money.
    pub budget: Budget,
    /// Prices.
    pub prices: PriceList,
    /// The audit log.
    pub audit: Audit,
    /// Routes.
    pub routes: Routes,
    /// Which models can be called.
    pub readiness: Readiness,
    /// Which registered agents wait for work.
    pub free_agent: FreeAgent,
    /// Which registered agents are in quarantine.
    pub quarantined: Quarantined,
    /// The most open tasks.
    pub open_tasks_max: usize,
    /// The most open tasks of one registered agent.
    pub agent_queue_max: usize,
}

/// How many times as many tasks may be open when one is delegated as when one is submitted from outside.
const DELEGATED_ROOM: usize = 8;

/// Decides what runs. Cheap to clone; every decision is made in the caller's task from immutable snapshots, but for the
/// reservation, which the budget's actor makes.
#[derive(Clone)]
pub struct Admission {
    pub(super) means: Arc<Means>,
    keys: Keys,
    entrance: Entrance,
    closed: Closed,
    draining: Arc<AtomicBool>,
}

/// An admitted request: nothing of it is durable until it is submitted with all that is here.
pub struct Ticket {
    /// The order.
    pub order: WorkOrder,
    /// What is held for its first step.
    pub reservation: Reservation,
    /// The model that its first step calls; none for a plan.
    pub first: Option<ModelRef>,
    /// What must become durable with it.
    pub with: Batch,
    /// Held until the submission is durable or given up.
    claim: Option<Claim>,
    /// Held until the task is open.
    place: Option<Place>,
    /// Held as long: an erasure waits for it.
    _standing: Standing,
}

impl Ticket {
    /// What is to be handed to [`Journal::submit_through`], once: the task gives the place that it had on its way in back when it
    /// is open.
    pub fn opening(&mut self) -> impl FnOnce(&mut dyn FnMut()) + Send + 'static {
        let place = self.place.take();
        move |open| match place {
            Some(place) => place.open(open),
            None => open(),
        }
    }

    /// Lets others submit under the same idempotency key; the submission is durable or given up.
    pub fn conclude(self) {
        drop(self.claim);
    }
}

/// What became of a submission.
pub enum Admitted {
    /// It is to be submitted.
    New(Box<Ticket>),
    /// It was submitted before.
    Repeated(TaskId),
}

impl Admission {
    pub(super) fn new(means: Means) -> Self {
        let (keys, entrance, closed) = (Keys::default(), Entrance::default(), Closed::default());
        Self { means: Arc::new(means), keys, entrance, closed, draining: Arc::default() }
    }

    /// Whose work is not admitted now.
    #[must_use]
    pub fn closed(&self) -> &Closed {
        &self.closed
    }

    /// Admits nothing more; what is open goes on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether the daemon is stopping.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    pub(super) fn journal(&self) -> &Journal {
        &self.means.journal
    }

    /// Decides on a submission. The decision is on record when this returns; an admission becomes so with its ticket.
    ///
    /// # Errors
    /// Why not; see [`Refusal`].
    pub async fn admit(
        &self,
        principal: &Principal,
        submission: Submission,
        now: Timestamp,
    ) -> Result<Admitted, Refusal> {
        let subject = match &submission.target {
            Target::Template(name) => name.to_string(),
            Target::Agent(id) => id.to_string(),
            Target::Capability(name) => format!("capability {name}"),
        };
        let decided = self.decide(principal, submission, now).await;
        if let Err(refusal) = &decided {
            self.put_on_record(principal, "submit_task", &subject, refusal, now).await?;
        }
        decided
    }

    async fn decide(&self, principal: &Principal, submission: Submission, now: Timestamp) -> Result<Admitted, Refusal> {
        if self.is_draining() {
            return Err(Refusal::Draining);
        }
        let agent = self.agent(principal, &submission.target).await?;
        // What is asked of an agent is asked for its tenant and user, unless somebody says otherwise.
        let (of_tenant, of_user) =
            agent.as_ref().map_or((None, None), |agent| (Some(agent.tenant.clone()), agent.user.clone()));
        let (tenant, user) =
            access::resolve(principal, submission.tenant.clone().or(of_tenant), submission.user.clone().or(of_user))?;
        access::authorise(principal, Permission::SubmitTask, Some(&tenant))?;
        policy::check(&submission, now)?;
        let standing = self.closed.enter(Owner::of(&tenant, user.as_ref()))?;
        let fingerprint = submission.fingerprint();
        let claim = match &submission.idempotency_key {
            Some(key) => Some(self.keys.claim(principal, key).await),
            None => None,
        };
        if let Some(claim) = &claim
            && let Some(task) = claim.earlier(self.means.journal.store(), fingerprint, now).await?
        {
            return Ok(Admitted::Repeated(task));
        }
        let task = TaskId::generate();
        let placement = match agent {
            Some(agent) if agent.tenant == tenant => self.on_agent(&agent)?,
            Some(agent) => return Err(Refusal::UnknownAgent(agent.agent)),
            None => {
                let unit = || Unit::of(&tenant, user.as_ref(), submission.idempotency_key.as_deref(), task);
                self.place(&submission.target, (&tenant, user.as_ref()), unit).await?
            }
        };
        self.may_use(&placement.template, principal, &tenant, user.as_ref()).await?;
        let place = self.enter(&placement, submission.bytes())?;
        let order = Order {
            task,
            worker: placement.worker,
            template: placement.template.name.clone(),
            version: placement.template.version.clone(),
            digest: placement.template.digest,
            principal: principal.name.to_string(),
            tenant,
            user,
            input: submission.input,
            budget: policy::strictest([submission.budget, limit_of(&placement.template)]),
            deadline: submission.deadline,
            ancestors: Vec::new(),
            tools: granted(&placement.template),
            protection: placement.template.protection.clone(),
            metadata: submission.metadata,
            levels: placement.template.limits.depth,
            experiment: placement.experiment,
            hooks: placement.template.hooks.clone(),
            dialogue: submission.dialogue,
            streamed: submission.streamed,
            tokens_max: placement.template.budget.per_task_tokens,
            must_end_by: ends_by(&placement.template, now),
        };
        let owner = order.owner();
        let (order, first, reservation) = self.order(order, placement.template, now).await?;
        let mut with = self.means.audit.batch(Entry::allowed(now, principal.into(), "submit_task").on(task));
        if let Some(claim) = &claim {
            with = with.and(claim.remember(task, fingerprint, now, &owner));
        }
        let place = Some(place);
        Ok(Admitted::New(Box::new(Ticket { order, reservation, first, with, claim, place, _standing: standing })))
    }

    /// Makes the order of a subtask. It inherits tenant, user, deadline and principal, and its parent's limit covers it. Its time
    /// is its own template's, within its parent's.
    ///
    /// # Errors
    /// Why not; see [`Refusal`].
    pub async fn delegate(
        &self,
        parent: &WorkOrder,
        child: TaskId,
        target: &Target,
        input: Text,
        now: Timestamp,
    ) -> Result<Ticket, Refusal> {
        let above = parent.order();
        let levels = above.levels.checked_sub(1).ok_or(Refusal::TooDeep(parent.template().limits.depth))?;
        policy::check_input(&input)?;
        let standing = self.closed.enter(above.owner())?;
        let ancestors: Vec<Ancestor> = std::iter::once(Ancestor { task: above.task, budget: above.budget })
            .chain(above.ancestors.iter().cloned())
            .collect();
        let root = above.ancestors.last().map_or(above.task, |eldest| eldest.task);
        let unit = || Unit::of(&above.tenant, above.user.as_ref(), None, root);
        let placement = self.place(target, (&above.tenant, above.user.as_ref()), unit).await?;
        let who = Who {
            name: above.principal.as_str().into(),
            role: DELEGATING.into(),
            tenant: Some(above.tenant.clone()),
            uid: None,
        };
        self.task_may_use(&placement.template, above, &who, child, now).await?;
        let place = self.enter_delegated(&placement, input.len())?;
        let order = Order {
            task: child,
            worker: placement.worker,
            template: placement.template.name.clone(),
            version: placement.template.version.clone(),
            digest: placement.template.digest,
            principal: above.principal.clone(),
            tenant: above.tenant.clone(),
            user: above.user.clone(),
            input,
            budget: limit_of(&placement.template),
            deadline: above.deadline,
            ancestors,
            tools: granted(&placement.template),
            protection: placement.template.protection.clone(),
            metadata: BTreeMap::new(),
            levels: levels.min(placement.template.limits.depth),
            experiment: placement.experiment,
            hooks: placement.template.hooks.clone(),
            dialogue: None,
            streamed: false,
            tokens_max: placement.template.budget.per_task_tokens,
            must_end_by: above.must_end_by.into_iter().chain(ends_by(&placement.template, now)).min(),
        };
        let (order, first, reservation) = self.order(order, placement.template, now).await?;
        let entry = Entry::allowed(now, who, "delegate_task").on(child);
        let with = self.means.audit.batch(entry);
        Ok(Ticket { order, reservation, first, with, claim: None, place: Some(place), _standing: standing })
    }

    /// Turns a stored order back into one that the data plane accepts, with the template version that it is pinned to.
    ///
    /// # Errors
    /// That version cannot be read, or its route has no model any more that suits the task.
    pub async fn restore(&self, order: Arc<Order>) -> Result<WorkOrder, Refusal> {
        let template = self.means.templates.pinned(&order.template, &order.digest).await?;
        let routing = self.routing(&template, &order).await?;
        Ok(WorkOrder::new(order, template, routing.route))
    }

    /// Decides on a new registered agent; returns its record, what must become durable with it, and what is held until it is.
    ///
    /// # Errors
    /// Why not; see [`Refusal`].
    pub async fn admit_agent(
        &self,
        principal: &Principal,
        wanted: NewAgent,
        now: Timestamp,
    ) -> Result<(AgentRecord, Batch, Standing), Refusal> {
        let subject = wanted.template.to_string();
        let decided = self.decide_agent(principal, wanted, now).await;
        match decided {
            Ok((agent, standing)) => {
                let entry = Entry::allowed(now, principal.into(), "create_agent").on(agent.agent);
                Ok((agent, self.means.audit.batch(entry), standing))
            }
            Err(refusal) => {
                self.put_on_record(principal, "create_agent", &subject, &refusal, now).await?;
                Err(refusal)
            }
        }
    }

    async fn decide_agent(
        &self,
        principal: &Principal,
        wanted: NewAgent,
        now: Timestamp,
    ) -> Result<(AgentRecord, Standing), Refusal> {
        if self.is_draining() {
            return Err(Refusal::Draining);
        }
        let (tenant, user) = access::resolve(principal, wanted.tenant, wanted.user)?;
        access::authorise(principal, Permission::ManageAgents, Some(&tenant))?;
        let standing = self.closed.enter(Owner::of(&tenant, user.as_ref()))?;
        let template = self.means.templates.get(&wanted.template)?;
        if matches!(template.kind, Kind::Orchestrator(_)) {
            return Err(Refusal::NotAnAgent(template.name.to_string()));
        }
        self.may_use(&template, principal, &tenant, user.as_ref()).await?;
        let agent = AgentRecord {
            agent: AgentId::generate(),
            template: template.name.clone(),
            version: template.version.clone(),
            name: wanted.name,
            tenant,
            user,
            created_at: now,
            stopped_at: None,
        };
        Ok((agent, standing))
    }

    pub(super) async fn put_on_record(
        &self,
        principal: &Principal,
        action: &'static str,
        subject: &str,
        refusal: &Refusal,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let refused = |reason: &str| Entry::refused(now, principal.into(), action, refusal.code(), reason);
        // A name that nothing has may be anything, such as a key that was pasted into the wrong place.
        let entry = if refusal.names_nothing() {
            refused("there is nothing of the name that was given")
        } else {
            refused(&refusal.detail()).on(subject)
        };
        self.means.audit.record(refusal.under(entry)).await?;
        Ok(())
    }

    /// The agent that a submission names, if it names one and its principal may know of it.
    async fn agent(&self, principal: &Principal, target: &Target) -> Result<Option<AgentRecord>, Refusal> {
        let Target::Agent(id) = target else { return Ok(None) };
        let found = self.means.journal.agents().find(*id).await?;
        let known = found.filter(|agent| principal.tenant.as_ref().is_none_or(|own| *own == agent.tenant));
        known.map(Some).ok_or(Refusal::UnknownAgent(*id))
    }

    fn on_agent(&self, agent: &AgentRecord) -> Result<Placement, Refusal> {
        if agent.stopped_at.is_some() {
            return Err(Refusal::StoppedAgent(agent.agent));
        }
        if (self.means.quarantined)(agent.agent) {
            return Err(Refusal::QuarantinedAgent(agent.agent));
        }
        let template = self.means.templates.get(&agent.template)?;
        Ok(Placement::registered(template, agent.agent))
    }

    async fn place(
        &self,
        target: &Target,
        (tenant, user): (&Tenant, Option<&User>),
        unit: impl FnOnce() -> Unit,
    ) -> Result<Placement, Refusal> {
        match target {
            Target::Template(name) => {
                let served = self.means.templates.get(name)?;
                Ok(Placement::of(self.means.experiments.choose(served, unit).await))
            }
            Target::Capability(capability) => {
                let template = self.means.templates.by_capability(capability).into_iter().next();
                let template = template.ok_or_else(|| Refusal::UnknownCapability(capability.clone()))?;
                let template = self.means.templates.get(&template.name)?;
                let free = (self.means.free_agent)(&template.name, tenant, user);
                let free = match free {
                    Some(id) => self.means.journal.agents().find(id).await?,
                    None => None,
                };
                match free.filter(|agent| agent.stopped_at.is_none()) {
                    Some(agent) => Ok(Placement::registered(template, agent.agent)),
                    None => Ok(Placement::of(self.means.experiments.choose(template, unit).await)),
                }
            }
            Target::Agent(id) => {
                let agent = self.means.journal.agents().find(*id).await?.filter(|agent| agent.tenant == *tenant);
                self.on_agent(&agent.ok_or(Refusal::UnknownAgent(*id))?)
            }
        }
    }

    /// Lets a task from outside in where there is room for it.
    pub(super) fn enter(&self, placement: &Placement, input_bytes: usize) -> Result<Place, Refusal> {
        let of_template = placement.template.pool.max.map(|max| usize::try_from(max).unwrap_or(usize::MAX));
        let Means { open_tasks_max, agent_queue_max, .. } = *self.means;
        let most = Most { tasks: open_tasks_max, of_template, of_agent: agent_queue_max };
        self.entrance.enter(&self.means.journal, &placement.wants(input_bytes, most))
    }

    /// Lets a subtask in where there is room for it: more than for tasks from outside, so that plans that fill theirs can still
    /// delegate and end; and no pool, as subtasks are bounded by their plans.
    fn enter_delegated(&self, placement: &Placement, input_bytes: usize) -> Result<Place, Refusal> {
        let Means { open_tasks_max, agent_queue_max, .. } = *self.means;
        let tasks = open_tasks_max.saturating_mul(DELEGATED_ROOM);
        let most = Most { tasks, of_template: None, of_agent: agent_queue_max.saturating_mul(DELEGATED_ROOM) };
        self.entrance.enter(&self.means.journal, &placement.wants(input_bytes, most))
    }

    /// Reserves the first step's worst case and seals the order. An orchestrator calls no model itself: its subtasks reserve.
    async fn order(
        &self,
        order: Order,
        template: Arc<Template>,
        now: Timestamp,
    ) -> Result<(WorkOrder, Option<ModelRef>, Reservation), Refusal> {
        let routing = self.routing(&template, &order).await?;
        let (first, worst) =
            self.first_step(&template, &routing)?.map_or((None, Usd::ZERO), |(model, worst)| (Some(model), worst));
        let key = Key { task: order.task, step: 0 };
        let order = WorkOrder::new(Arc::new(order), template, routing.route);
        let reservation = self.means.budget.reserve(key, order.payer().clone(), worst, now).await?;
        Ok((order, first, reservation))
    }
}

fn limit_of(template: &Template) -> Option<Usd> {
    policy::strictest([template.budget.per_task, template.limits.budget])
}

/// When the time for a task of the template that begins now is over.
fn ends_by(template: &Template, now: Timestamp) -> Option<Timestamp> {
    template.budget.per_task_time.map(|time| now.after(time))
}

fn granted(template: &Template) -> Vec<Tool> {
    template.tools.iter().cloned().map(Tool).collect()
}
