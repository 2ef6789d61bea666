//! Calls of tools by a plan: the only place in the program that calls one for its output. Hooks tell tools and keep no answer.
//!
//! ```text
//! slot ─ (StepStarted durable) ─ dlp.protect ─ Tools::invoke ─ dlp.check, restore ─> Returned ─ (StepFinished durable)
//! ```

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use rand::Rng;

use super::conclusion::End;
use super::unit::Unit;
use crate::data_plane::agent::Environment;
use crate::data_plane::agent::filter::{Fit, Shape, check, filter_patiently};
use crate::data_plane::dlp::Consent;
use crate::data_plane::tool::policy::{self, Then};
use crate::data_plane::tool::{Call, Slot, Tools};
use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure;
use crate::domain::name::ToolName;
use crate::domain::private::Text;
use crate::journal::order::Order;

/// The longest that one call may take, whatever settings and deadlines say.
const CALL_TIME_MAX: Duration = Duration::from_secs(3_600);

/// A call that is written down as started.
pub(super) struct Started {
    pub(super) unit: Unit,
    pub(super) step: u32,
    /// The step that names the call to the tool.
    pub(super) key: u32,
    pub(super) input: Text,
    /// What persons have let leave to the tool.
    pub(super) consents: Arc<[Consent]>,
    pub(super) idempotent: bool,
}

/// A call that has come back.
pub(super) struct Returned {
    pub(super) unit: Unit,
    pub(super) step: u32,
    /// None where nobody knows whether the tool did its work.
    pub(super) end: Option<End>,
}

/// The calls of one plan. Dropping them cuts them off.
#[derive(Default)]
pub(super) struct Calls {
    under_way: FuturesUnordered<BoxFuture<'static, Returned>>,
    steps: BTreeSet<u32>,
    /// Slots that were waited for and that no call has taken yet.
    slots: VecDeque<Slot>,
    /// Places in the queues for slots. They are kept from round to round, so that nobody who came later is served before.
    queue: FuturesUnordered<BoxFuture<'static, Slot>>,
    queued: BTreeSet<ToolName>,
}

impl Calls {
    /// Whether the tool of a step is being called.
    pub(super) fn holds(&self, step: u32) -> bool {
        self.steps.contains(&step)
    }

    /// A slot for a call of a tool, where there is one now.
    pub(super) fn slot(&mut self, tools: &Tools, tool: &ToolName) -> Option<Slot> {
        let kept = self.slots.iter().position(|slot| slot.tool() == tool);
        kept.and_then(|at| self.slots.remove(at)).or_else(|| tools.try_slot(tool))
    }

    /// Queues for slots of these tools, and of no others. Whoever queues must listen for [`Self::news`]: a slot is held for it.
    pub(super) fn queue_for(&mut self, tools: &Tools, crowded: BTreeSet<ToolName>) {
        if !self.queued.is_subset(&crowded) {
            self.leave_queues();
        }
        for tool in crowded {
            if self.queued.insert(tool.clone()) {
                let tools = tools.clone();
                self.queue.push(Box::pin(async move { tools.slot(&tool).await }));
            }
        }
    }

    /// Gives up its places in the queues for slots.
    pub(super) fn leave_queues(&mut self) {
        self.queue.clear();
        self.queued.clear();
    }

    /// Gives back the slots that no call has taken.
    pub(super) fn give_back_slots(&mut self) {
        self.slots.clear();
    }

    /// Begins a call that is durable as started.
    pub(super) fn begin(&mut self, environment: &Environment, order: &Arc<Order>, started: Started, slot: Slot) {
        self.steps.insert(started.step);
        let (environment, order) = (environment.clone(), Arc::clone(order));
        self.under_way.push(Box::pin(async move {
            let end = perform(&environment, &order, &started, &slot).await;
            Returned { unit: started.unit, step: started.step, end }
        }));
    }

    /// The next call that comes back, or none where there is a slot for one that waits: it is kept until the next round.
    pub(super) async fn news(&mut self) -> Option<Returned> {
        tokio::select! {
            Some(returned) = self.under_way.next() => {
                self.steps.remove(&returned.step);
                Some(returned)
            }
            Some(slot) = self.queue.next() => {
                self.queued.remove(slot.tool());
                self.slots.push_back(slot);
                None
            }
            else => std::future::pending().await,
        }
    }

    /// The next call that comes back; never, where there is none.
    pub(super) async fn returned(&mut self) -> Returned {
        let Some(returned) = self.under_way.next().await else { return std::future::pending().await };
        self.steps.remove(&returned.step);
        returned
    }

    /// Cuts all calls off.
    pub(super) fn cut(&mut self) {
        *self = Self::default();
    }
}

/// Makes a call, again where that is safe, and makes its answer fit to be heard.
async fn perform(environment: &Environment, order: &Order, started: &Started, slot: &Slot) -> Option<End> {
    if !order.tools.iter().any(|granted| granted.0 == *slot.tool()) {
        return Some(End::failed("tool_not_granted", "the order does not grant the tool"));
    }
    let protection = environment.floor.under(&order.protection);
    let outbound = filter_patiently(
        environment,
        std::slice::from_ref(&started.input),
        (&protection.outbound, &started.consents),
        &order.tenant,
    )
    .await;
    let protected = match outbound {
        Ok(protected) => protected,
        Err(refusal) => return Some(End::failed(refusal.code(), refusal.detail())),
    };
    let call = Call {
        task: order.task,
        step: started.unit.name.clone(),
        idempotency_key: format!("{}-{}", order.task, started.key),
        input: protected.texts.into_iter().next().unwrap_or_default(),
    };
    for attempt in 1_u32.. {
        let error = match environment.tools.invoke(slot, &call, time_left(order)).await {
            Ok(output) => {
                let fit = Fit { rules: &protection.inbound, vault: &protected.vault, shape: Shape::Json };
                let checked = check(environment, order, fit, &output).await;
                let unfit = |refusal: crate::data_plane::dlp::Error| End::failed(refusal.code(), refusal.detail());
                return Some(checked.map_or_else(unfit, End::given));
            }
            Err(error) => error,
        };
        match policy::after(&error, attempt, started.idempotent) {
            Then::Again(pause) => {
                let jitter = 1.0 + rand::thread_rng().r#gen::<f64>();
                tokio::time::sleep(pause.mul_f64(jitter)).await;
            }
            Then::Doubt => return None,
            Then::Fail => return Some(End::failed(error.code(), error.detail())),
        }
    }
    None
}

fn time_left(order: &Order) -> Duration {
    let left = order.ends_by().map(|end| end.since(Timestamp::now()));
    left.map_or(CALL_TIME_MAX, |left| left.min(CALL_TIME_MAX))
}
