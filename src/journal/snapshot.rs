//! Snapshots: where the replay of an agent's task begins, so that it costs the same however long the task's story is.
//!
//! A snapshot holds what was summed up over steps that are no longer in memory, and the place of the first step that is. A
//! replay reads the records from there on. It is written in the batch of the records that make it due, and replaces the one
//! before; without it, or where it cannot be read, all records are replayed. A plan's task has none: all its steps are needed.

use minicbor::{Decode, Encode};

use super::codec;
use super::record::{Submitted, TaskRecord};
use super::state::Task;
use super::step::Totals;
use crate::domain::money::Usd;
use crate::domain::name::ModelRef;
use crate::domain::private::Text;
use crate::domain::usage::Usage;

/// The kind of a snapshot in the store's envelope.
pub(super) const KIND: u8 = 1;
/// The version of its encoding.
pub(super) const VERSION: u8 = 1;
/// Records between two snapshots.
pub(super) const RECORDS_BETWEEN: u64 = 128;

/// What a task was when it had so many records.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(super) struct Snapshot {
    /// How many records it stands for.
    #[n(0)]
    records: u64,
    /// The sequence of the first record that is replayed all the same.
    #[n(1)]
    first: u64,
    #[n(2)]
    started: u32,
    #[n(3)]
    finished: u32,
    #[cbor(n(4), with = "codec::usd")]
    cost: Usd,
    #[cbor(n(5), with = "codec::usage")]
    usage: Usage,
    #[n(6)]
    in_doubt: u32,
    #[n(7)]
    agent_ended: u32,
    #[n(8)]
    attempts: u32,
    #[n(9)]
    retried_from: u32,
    #[n(10)]
    cancel_requested_by: Option<String>,
    #[n(11)]
    tried: Vec<Model>,
    #[n(12)]
    call: u32,
    /// What was judged before the task was retried; of what is replayed the latest counts.
    #[n(13)]
    feedback_per_mille: Option<u16>,
    /// Whether it had ended before, where the release that wrote it knew.
    #[n(14)]
    ended_before: Option<bool>,
    /// What had arrived of the present answer.
    #[n(15)]
    arrived: Option<Arrived>,
}

/// A text, which is nobody's but the task's.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(transparent)]
struct Arrived(#[cbor(n(0), with = "codec::text")] Text);

#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(transparent)]
struct Model(#[cbor(n(0), with = "codec::as_text")] ModelRef);

impl Snapshot {
    /// The snapshot that is due when a task has come from `before` records to what it is.
    pub(super) fn due(task: &Task, before: u64) -> Option<Self> {
        let passed = |records: u64| records.checked_div(RECORDS_BETWEEN);
        if task.is_plan() || passed(before) == passed(task.records) {
            return None;
        }
        let first = task.steps.first()?.sequence;
        let Totals { started, finished, cost, usage, in_doubt, agent_ended, attempts, call } = task.totals;
        Some(Self {
            records: task.records,
            first,
            started,
            finished,
            cost,
            usage,
            in_doubt,
            agent_ended,
            attempts,
            retried_from: task.retried_from,
            cancel_requested_by: task.cancel_requested_by.clone(),
            tried: task.tried.iter().cloned().map(Model).collect(),
            call,
            feedback_per_mille: task.feedback_per_mille,
            ended_before: Some(task.ended_before),
            arrived: Some(&task.arrived).filter(|text| !text.is_empty()).cloned().map(Arrived),
        })
    }

    /// The sequence of the first record that [`Self::replay`] needs.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The task of a submission and all records from [`Self::first`] on; none if these do not reach as far as the snapshot.
    pub(super) fn replay(self, submitted: &Submitted, records: &[TaskRecord]) -> Option<Task> {
        let replayed = usize::try_from(self.records.checked_sub(self.first)?).ok()?;
        let (again, rest) = records.split_at_checked(replayed)?;
        let mut task = Task { records: self.first, ..Task::begin(submitted) };
        again.iter().for_each(|record| task.evolve(record));
        let Self { started, finished, cost, usage, in_doubt, agent_ended, attempts, call, .. } = self;
        task.totals = Totals { started, finished, cost, usage, in_doubt, agent_ended, attempts, call };
        task.tried = self.tried.into_iter().map(|model| model.0).collect();
        task.cancel_requested_by = self.cancel_requested_by;
        task.retried_from = self.retried_from;
        // A snapshot of a release that did not write it says nothing.
        task.feedback_per_mille = self.feedback_per_mille.or(task.feedback_per_mille);
        task.ended_before |= self.ended_before.unwrap_or(false);
        task.arrived = self.arrived.map(|arrived| arrived.0).unwrap_or_default();
        rest.iter().for_each(|record| task.evolve(record));
        Some(task)
    }
}
