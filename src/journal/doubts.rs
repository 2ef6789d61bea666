//! Amounts in doubt: what was booked for calls of which nobody knows whether the provider bills them, until its bill says so.
//!
//! ```text
//! StepFailed(in_doubt) + index ──> [Reconciled, in the task and its ancestors − index + counters: one batch]
//! ```
//!
//! The index lists what is not reconciled. It is a projection of the records, written with them, and can be rebuilt from them
//! ([`Journal::rebuild_doubts`]); it goes with its task when that is deleted.
//!
//! INVARIANT: an amount in doubt is reconciled once. Whether it is in the index is seen, and it is taken out, while nobody else
//! looks; the bill's amount becomes durable in the same batch.
//! Only tasks that have ended, with all above them, are reconciled: nobody adds up what they cost meanwhile.

use std::sync::Arc;

use minicbor::{Decode, Encode};

use super::handle::Journal;
use super::reading::{self, put};
use super::reconciled::{Reconciled, Unreconciled};
use super::record::{StepFailed, StepKind, TaskRecord};
use super::state::{StepStatus, Task};
use super::{Error, codec, decode, encode, notice, stats};
use crate::domain::clock::Timestamp;
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::domain::name::{ModelRef, Tenant};
use crate::domain::owner::Owner;
use crate::store::{Batch, Direction, Keyspace, Position, Record, Store};
use crate::telemetry::names;

const KIND: u8 = 1;
const VERSION: u8 = 1;
/// The key of the mark that the index tells of all records; keys of doubts are longer.
const BUILT: &[u8] = b"built";
/// Doubts that one page may look at before it ends, found or not.
const LOOKED_AT_MAX: usize = 10_000;
/// Doubts of one task that are read at once.
const OF_TASK_MAX: usize = 100_000;
/// The counter of what is in doubt, in nano-dollars.
pub(super) const SUM: &[u8] = b"doubts/nanos";

/// An amount in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// Whose step it is.
    pub task: TaskId,
    /// The step.
    pub step: u32,
    /// The call, which several steps may have made: with the task it is the idempotency key that the provider was told.
    pub call: u32,
    /// What is booked.
    pub amount: Usd,
    /// Since when; on this day it was booked.
    pub since: Timestamp,
    /// The model that was called.
    pub model: Option<ModelRef>,
    /// Whose task it is.
    pub tenant: Tenant,
}

/// A doubt as stored, under its task and step.
#[derive(Encode, Decode)]
struct Stored {
    #[n(0)]
    call: u32,
    #[cbor(n(1), with = "codec::usd")]
    amount: Usd,
    #[cbor(n(2), with = "codec::time")]
    since: Timestamp,
    #[cbor(n(3), with = "codec::as_optional_text", has_nil)]
    model: Option<ModelRef>,
    #[cbor(n(4), with = "codec::as_text")]
    tenant: Tenant,
}

/// Names a doubt: a task and one of its steps.
pub type Place = (TaskId, u32);

/// A part of the list of doubts.
pub struct DoubtPage {
    /// The doubts, by task and step.
    pub items: Vec<Doubt>,
    /// Where the next page begins.
    pub next: Option<Place>,
}

/// What a bill is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Billed {
    /// One step.
    Step(u32),
    /// One call, whichever steps made it: what of its cost is known is taken off the bill.
    Call(u32),
}

/// What a bill settled.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The doubt.
    pub doubt: Doubt,
    /// What it cost.
    pub cost: Usd,
}

/// What became of a bill.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// These were settled; the task is as it was before.
    Settled {
        /// The task.
        task: Arc<Task>,
        /// The doubts, each with its cost.
        settlements: Vec<Settlement>,
        /// When that became durable.
        position: Position,
    },
    /// The same bill had settled them before.
    Unchanged,
}

fn key(task: TaskId, step: u32) -> Vec<u8> {
    [task.as_bytes().as_slice(), &step.to_be_bytes()].concat()
}

fn place(key: &[u8]) -> Option<Place> {
    let (task, step) = key.split_at_checked(16)?;
    Some((TaskId::from_bytes(task.try_into().ok()?), u32::from_be_bytes(step.try_into().ok()?)))
}

/// The doubt that a record brings about, with the task as it is behind that record.
fn doubt(after: &Task, failed: &StepFailed) -> Option<Doubt> {
    let model = after.steps.iter().rev().find(|step| step.number == failed.step).and_then(|step| match &step.kind {
        StepKind::Model { model } => Some(model.clone()),
        StepKind::Delegate { .. }
        | StepKind::Tool { .. }
        | StepKind::Timer { .. }
        | StepKind::Approval { .. }
        | StepKind::Signal { .. } => None,
    });
    (failed.in_doubt > Usd::ZERO).then(|| Doubt {
        task: after.order.task,
        step: failed.step,
        call: after.totals.call,
        amount: failed.in_doubt,
        since: failed.at,
        model,
        tenant: after.order.tenant.clone(),
    })
}

fn listed(doubt: Doubt, owner: &Owner) -> Batch {
    let Doubt { task, step, call, amount, since, model, tenant } = doubt;
    let body = encode(&Stored { call, amount, since, model, tenant });
    Batch::new().put_of(Keyspace::Doubt, key(task, step), Record { kind: KIND, version: VERSION, body }, owner)
}

/// The entry of the index that a record brings about.
pub(super) fn of(after: &Task, record: &TaskRecord) -> Batch {
    match record {
        TaskRecord::StepFailed(failed) => doubt(after, failed).map_or_else(Batch::new, |doubt| {
            Batch::new().add(SUM, doubt.amount.nanos()).and(listed(doubt, &after.order.owner()))
        }),
        TaskRecord::Submitted(_)
        | TaskRecord::StepStarted(_)
        | TaskRecord::StepFinished(_)
        | TaskRecord::StepSkipped(_)
        | TaskRecord::CancelRequested(_)
        | TaskRecord::Ended(_)
        | TaskRecord::FeedbackGiven(_)
        | TaskRecord::Decided(_)
        | TaskRecord::Signalled(_)
        | TaskRecord::AttentionNeeded(_)
        | TaskRecord::RetryRequested(_)
        | TaskRecord::Reconciled(_) => Batch::new(),
    }
}

/// Takes everything of a task out of the index: the task is deleted.
pub(super) fn forget(store: &Store, task: TaskId) -> Result<Batch, Error> {
    let gone = of_task(store, task)?.into_iter();
    Ok(gone.fold(Batch::new(), |batch, doubt| {
        batch.delete(Keyspace::Doubt, key(doubt.task, doubt.step)).add(SUM, doubt.amount.nanos().saturating_neg())
    }))
}

fn read((key, record): (Vec<u8>, Record)) -> Result<Option<Doubt>, Error> {
    let Some((task, step)) = place(&key) else { return Ok(None) };
    let Stored { call, amount, since, model, tenant } = decode(&record, &task, u64::from(step))?;
    Ok(Some(Doubt { task, step, call, amount, since, model, tenant }))
}

fn of_task(store: &Store, task: TaskId) -> Result<Vec<Doubt>, Error> {
    let found = store.range(Keyspace::Doubt, task.as_bytes(), None, Direction::Ascending, OF_TASK_MAX)?;
    found.into_iter().filter_map(|entry| read(entry).transpose()).collect()
}

/// Steps of which is known what they cost, and that.
type Known = Vec<(u32, Usd)>;

/// What the records of a task say is in doubt, and what of each call is known to have cost.
fn told(records: &[TaskRecord]) -> Option<(Task, Vec<Doubt>, Known)> {
    let mut rest = records.iter();
    let TaskRecord::Submitted(submitted) = rest.next()? else { return None };
    let (mut task, mut doubts, mut known) = (Task::begin(submitted), Vec::new(), Vec::new());
    for record in rest {
        task.evolve(record);
        match record {
            TaskRecord::StepFailed(failed) => {
                doubts.extend(doubt(&task, failed));
                known.push((task.totals.call, failed.cost));
            }
            TaskRecord::StepFinished(finished) => known.push((task.totals.call, finished.cost)),
            TaskRecord::Submitted(_)
            | TaskRecord::StepStarted(_)
            | TaskRecord::StepSkipped(_)
            | TaskRecord::CancelRequested(_)
            | TaskRecord::Ended(_)
            | TaskRecord::FeedbackGiven(_)
            | TaskRecord::Decided(_)
            | TaskRecord::Signalled(_)
            | TaskRecord::AttentionNeeded(_)
            | TaskRecord::RetryRequested(_)
            | TaskRecord::Reconciled(_) => {}
        }
    }
    Some((task, doubts, known))
}

fn reconciled(records: &[TaskRecord], step: u32) -> Option<Usd> {
    records.iter().find_map(|record| {
        let TaskRecord::Reconciled(Reconciled { step: settled, cost, .. }) = record else { return None };
        (*settled == step).then_some(*cost)
    })
}

/// What each doubt of a bill cost; none where the very bill has settled them before.
///
/// INVARIANT: the whole bill is booked, once: what is known of the call's cost is taken off, the rest falls to the first of its
/// doubts, and nothing to the others.
fn judge(records: &[TaskRecord], billed: Billed, bill: Usd) -> Result<Option<Vec<Settlement>>, Error> {
    let Some((task, doubts, known)) = told(records) else { return Ok(None) };
    let id = task.order.task;
    let (what, number) = match billed {
        Billed::Step(step) => ("step", step),
        Billed::Call(call) => ("call", call),
    };
    let is_about = |doubt: &Doubt| match billed {
        Billed::Step(step) => doubt.step == step,
        Billed::Call(call) => doubt.call == call,
    };
    let about: Vec<Doubt> = doubts.into_iter().filter(is_about).collect();
    if about.is_empty() {
        let refusal = if number < task.totals.started {
            Unreconciled::NotInDoubt { task: id, what, number }
        } else {
            Unreconciled::NoStep { task: id, what, number }
        };
        return Err(refusal.into());
    }
    let known: Usd = match billed {
        Billed::Step(step) => known_of(records, step),
        Billed::Call(call) => known.iter().filter(|(of, _)| *of == call).map(|(_, cost)| *cost).sum(),
    };
    let settled: Vec<Usd> = about.iter().filter_map(|doubt| reconciled(records, doubt.step)).collect();
    let paid: Usd = settled.iter().copied().sum();
    let left = bill.minus(known).max(Usd::ZERO);
    if settled.len() == about.len() {
        let already = Unreconciled::Already { task: id, what, number, cost: paid.plus(known) };
        return if paid == left { Ok(None) } else { Err(already.into()) };
    }
    let mut left = left.minus(paid).max(Usd::ZERO);
    let open = about.into_iter().filter(|doubt| reconciled(records, doubt.step).is_none());
    Ok(Some(open.map(|doubt| Settlement { doubt, cost: std::mem::take(&mut left) }).collect()))
}

/// What of a step that failed was known to have cost something, beside what is in doubt.
fn known_of(records: &[TaskRecord], step: u32) -> Usd {
    let of_step = |record: &TaskRecord| {
        let TaskRecord::StepFailed(failed) = record else { return None };
        (failed.step == step).then_some(failed.cost)
    };
    records.iter().find_map(of_step).unwrap_or(Usd::ZERO)
}

impl Journal {
    /// Up to `limit` doubts that `wanted` takes, by task and step, beyond `after`.
    ///
    /// # Errors
    /// The store failed, or an entry is damaged.
    pub async fn doubts<F>(&self, after: Option<Place>, limit: usize, wanted: F) -> Result<DoubtPage, Error>
    where
        F: Fn(&Doubt) -> bool + Send + 'static,
    {
        let store = self.store().clone();
        self.read_durably(move || {
            let behind = after.map(|(task, step)| key(task, step));
            let found = store.range(Keyspace::Doubt, b"", behind.as_deref(), Direction::Ascending, LOOKED_AT_MAX)?;
            let looked_at = found.len();
            let mut page = DoubtPage { items: Vec::new(), next: None };
            let mut last = None;
            for entry in found {
                let Some(doubt) = read(entry)? else { continue };
                if page.items.len() == limit {
                    page.next = last;
                    return Ok(page);
                }
                last = Some((doubt.task, doubt.step));
                page.items.extend(Some(doubt).filter(&wanted));
            }
            page.next = last.filter(|_| looked_at == LOOKED_AT_MAX);
            Ok(page)
        })
        .await
    }

    /// Settles what is in doubt of a task that has ended with what the provider bills, with whatever `with` says must become
    /// durable with it. Of several who ask at once, one settles it.
    ///
    /// # Errors
    /// [`Unreconciled`], or the store failed: nothing was written.
    pub async fn reconcile<F>(
        &self,
        id: TaskId,
        billed: Billed,
        bill: Usd,
        by: String,
        at: Timestamp,
        with: F,
    ) -> Result<Outcome, Error>
    where
        F: FnOnce(&Task, &[Settlement]) -> Batch + Send + 'static,
    {
        let journal = self.clone();
        // Detached, so that a caller who is cut off does not let the next one read before this is durable.
        let settled = tokio::spawn(async move { journal.reconcile_next(id, billed, bill, (by, at), with).await });
        settled.await.map_err(|_| Error::Interrupted(id))?
    }

    async fn reconcile_next<F>(
        &self,
        id: TaskId,
        billed: Billed,
        bill: Usd,
        (by, at): (String, Timestamp),
        with: F,
    ) -> Result<Outcome, Error>
    where
        F: FnOnce(&Task, &[Settlement]) -> Batch + Send,
    {
        let task = self.task(id).await?.ok_or(Unreconciled::NoTask(id))?;
        let chain: Vec<TaskId> =
            std::iter::once(id).chain(task.order.ancestors.iter().map(|above| above.task)).collect();
        let _judging = self.judging().hold_all(&chain).await;
        if let Some(open) = chain.iter().find(|task| self.watch(**task).is_some()) {
            return Err(Unreconciled::Open { task: id, open: *open }.into());
        }
        let records = self.records(id).await?;
        if records.is_empty() {
            return Err(Unreconciled::NoTask(id).into());
        }
        // As it is now that nobody else judges it: what follows is written behind its last record.
        let task = Arc::new(Task::replay(&records).ok_or(Unreconciled::NoTask(id))?);
        let Some(settlements) = judge(&records, billed, bill)? else { return Ok(Outcome::Unchanged) };
        let mut written = Vec::new();
        for Settlement { doubt, cost } in &settlements {
            written.push(Reconciled { step: doubt.step, was: doubt.amount, cost: *cost, by: by.clone(), at });
        }
        let difference: Usd = settlements.iter().map(|settled| settled.cost.minus(settled.doubt.amount)).sum();
        let mut batch = with(&task, &settlements);
        for Settlement { doubt, .. } in &settlements {
            let out = doubt.amount.nanos().saturating_neg();
            batch = batch.delete(Keyspace::Doubt, key(doubt.task, doubt.step)).add(SUM, out);
        }
        let mut news = vec![(id, task.order.owner(), task.records, written)];
        let mut root = Arc::clone(&task);
        for pair in chain.windows(2) {
            let [below, above] = pair else { continue };
            let Some(parent) = self.task(*above).await? else { break };
            news.extend(
                passed_on(&parent, *below, difference, &by, at)
                    .map(|record| (*above, parent.order.owner(), parent.records, vec![record])),
            );
            root = parent;
        }
        for (of, owner, first, records) in &news {
            for (sequence, record) in (*first..).zip(records) {
                batch = batch.and(put(*of, sequence, &TaskRecord::Reconciled(record.clone()), owner));
            }
        }
        // What whole tasks cost is counted at their end.
        if root.order.parent().is_none() && root.state.has_ended() {
            batch = batch.add(stats::COST_NANOS, difference.nanos());
        }
        let position = self.store().commit(batch).await?;
        self.show_doubts().await;
        for (of, _, first, records) in news {
            for (sequence, record) in (first..).zip(records) {
                notice::publish(self.events(), of, sequence, &TaskRecord::Reconciled(record));
            }
        }
        Ok(Outcome::Settled { task, settlements, position })
    }

    /// Shows dashboards what is in doubt.
    pub async fn show_doubts(&self) {
        match self.store().counters(SUM).await {
            Ok((_, sums)) => {
                let nanos = sums.first().map_or(0, |(_, sum)| *sum);
                metrics::gauge!(names::BUDGET_IN_DOUBT_USD).set(Usd::from_nanos(nanos).as_f64());
            }
            Err(error) => tracing::debug!(%error, "what is in doubt cannot be read"),
        }
    }

    /// Makes the index tell of all records, once for a store of a release that had none; tells how many entries were amiss.
    ///
    /// # Errors
    /// The store failed; the next call goes through everything again.
    pub async fn rebuild_doubts(&self) -> Result<u64, Error> {
        if self.store().read(|store| store.contains(Keyspace::Doubt, BUILT)).await? {
            return Ok(0);
        }
        let (mut amiss, mut after) = (0_u64, None);
        loop {
            let next = self.store().read(move |store| Ok(super::retention::next_task(store, after))).await??;
            let Some(id) = next else { break };
            after = Some(id);
            match self.rebuild_doubts_of(id).await {
                Ok(found) => amiss = amiss.saturating_add(found),
                Err(error @ Error::Store(_)) => return Err(error),
                Err(error) => tracing::warn!(task = %id, %error, "what is in doubt of a task cannot be told"),
            }
        }
        let mark = Record { kind: KIND, version: VERSION, body: Vec::new() };
        self.store().commit(Batch::new().put(Keyspace::Doubt, BUILT, mark)).await?;
        Ok(amiss)
    }

    pub(super) async fn rebuild_doubts_of(&self, id: TaskId) -> Result<u64, Error> {
        let _judging = self.judging().hold(id.as_bytes()).await;
        let store = self.store().clone();
        let (records, listed_now) =
            self.read_durably(move || Ok((reading::records(&store, id)?, of_task(&store, id)?))).await?;
        let Some((task, doubts, _)) = told(&records) else { return Ok(0) };
        let expected: Vec<Doubt> =
            doubts.into_iter().filter(|doubt| reconciled(&records, doubt.step).is_none()).collect();
        let (mut batch, mut amiss) = (Batch::new(), 0_u64);
        for gone in listed_now.iter().filter(|doubt| !expected.contains(doubt)) {
            let out = gone.amount.nanos().saturating_neg();
            batch = batch.delete(Keyspace::Doubt, key(gone.task, gone.step)).add(SUM, out);
            amiss = amiss.saturating_add(1);
        }
        for missing in expected.into_iter().filter(|doubt| !listed_now.contains(doubt)) {
            batch = batch.add(SUM, missing.amount.nanos()).and(listed(missing, &task.order.owner()));
            amiss = amiss.saturating_add(1);
        }
        if amiss > 0 {
            self.store().commit(batch).await?;
        }
        Ok(amiss)
    }
}

/// What a task's own record says where one that it delegated turns out to have cost another amount: of the step that concluded
/// with what that had cost.
fn passed_on(parent: &Task, child: TaskId, difference: Usd, by: &str, at: Timestamp) -> Option<Reconciled> {
    let step = parent.steps.iter().rev().find(|step| {
        step.kind.child() == Some(child) && step.status != StepStatus::Started && step.cost() > Usd::ZERO
    })?;
    let was = step.cost();
    let cost = was.plus(difference).max(Usd::ZERO);
    Some(Reconciled { step: step.number, was, cost, by: by.to_owned(), at })
}
