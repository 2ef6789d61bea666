//! What tools are still to be told of tasks: the transactional outbox of lifecycle hooks.
//!
//! ```text
//! [record of the task, entry, count + 1: one batch] ─> announced ─> page ─> (the tool is told) ─> [entry gone, count − 1]
//! ```
//!
//! INVARIANT I84: an entry becomes durable with the record that it follows, or not at all, and is named by that record: there is
//! one for each time that a hook's moment comes, whoever writes the record and however often.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minicbor::{Decode, Encode};
use tokio::sync::{Notify, RwLock};

use super::latches::Latches;
use super::order::Order;
use super::record::{Outcome, TaskRecord};
use super::state::Task;
use super::{Error, codec, decode, encode, notice};
use crate::domain::clock::Timestamp;
use crate::domain::hook::Hook;
use crate::domain::id::{AgentId, TaskId};
use crate::domain::money::Usd;
use crate::domain::name::{Digest, TemplateName, Tenant, ToolName, Version};
use crate::store::{self, Batch, Direction, Keyspace, Record, Store};

/// What the counters of entries by tool begin with.
const COUNTERS: &[u8] = b"outbox/";
/// Ends a tool's name in keys; no name holds it, so that no tool's entries are among those of another.
const END_OF_NAME: u8 = 0;

/// Keys that are looked at together.
const KEYS_AT_ONCE: usize = 256;

const KIND: u8 = 1;
const VERSION: u8 = 1;

/// The name of an entry: no two are alike, and the same entry never has another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Whom it is for.
    pub tool: ToolName,
    /// The task.
    pub task: TaskId,
    /// The sequence of the record that it follows.
    pub sequence: u64,
}

/// What a tool is to be told. It holds names, numbers and times only: nothing that a user, a model or a tool has written.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Entry {
    /// What happened, by the hook's word.
    #[cbor(n(0), with = "word")]
    pub hook: Hook,
    /// The task.
    #[cbor(n(1), with = "codec::bytes")]
    pub task: TaskId,
    /// The sequence of the record that the entry follows.
    #[n(2)]
    pub sequence: u64,
    /// The agent that runs the task.
    #[cbor(n(3), with = "codec::bytes")]
    pub agent: AgentId,
    /// The template.
    #[cbor(n(4), with = "codec::as_text")]
    pub template: TemplateName,
    /// Its version.
    #[cbor(n(5), with = "codec::as_text")]
    pub version: Version,
    /// The digest of that version.
    #[cbor(n(6), with = "codec::bytes")]
    pub digest: Digest,
    /// Whose task it is.
    #[cbor(n(7), with = "codec::as_text")]
    pub tenant: Tenant,
    /// The task that delegated it.
    #[n(8)]
    pub parent: Option<Parent>,
    /// Why it failed: a stable code.
    #[n(9)]
    pub error_code: Option<String>,
    /// What it has cost.
    #[cbor(n(10), with = "codec::usd")]
    pub cost: Usd,
    /// Steps that have started.
    #[n(11)]
    pub steps: u32,
    /// When it was submitted.
    #[cbor(n(12), with = "codec::time")]
    pub submitted_at: Timestamp,
    /// When the record says that it happened.
    #[cbor(n(13), with = "codec::time")]
    pub at: Timestamp,
}

/// The task that delegated another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Parent(#[cbor(n(0), with = "codec::bytes")] pub TaskId);

/// Entries of one tool, in the order of their keys.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Them; none in place of one that is damaged.
    pub entries: Vec<(Key, Option<Arc<Entry>>)>,
    /// How many the tool has in all.
    pub depth: u64,
    /// How many of those that were looked at a later release wrote. They are left alone for it.
    pub newer: u64,
}

/// The outbox; cheap to clone.
#[derive(Clone)]
pub struct Outbox(Arc<Inner>);

struct Inner {
    store: Store,
    /// Tools with entries that nobody was told of yet.
    fresh: Mutex<BTreeSet<ToolName>>,
    announced: Notify,
    /// Held while it is seen whether an entry is there, and written that it is gone.
    concluding: Latches,
    /// Held alone while this is done for several.
    together: RwLock<()>,
    newer_is_told: AtomicBool,
}

impl Outbox {
    pub(super) fn new(store: Store) -> Self {
        let (fresh, announced, concluding) = (Mutex::default(), Notify::new(), Latches::new());
        let (together, newer_is_told) = (RwLock::new(()), AtomicBool::new(false));
        Self(Arc::new(Inner { store, fresh, announced, concluding, together, newer_is_told }))
    }

    /// Says that the entries that follow these records are durable.
    pub(super) fn announce(&self, order: &Order, records: &[TaskRecord]) {
        if !order.hooks.is_empty() {
            self.announce_tools(records.iter().filter_map(|record| told(order, record)).map(|(_, tool)| tool));
        }
    }

    /// The same where it is not known which records these were.
    pub(super) fn announce_all(&self, order: &Order) {
        self.announce_tools(order.hooks.iter().map(|(_, tool)| tool));
    }

    fn announce_tools<'a>(&self, tools: impl Iterator<Item = &'a ToolName>) {
        let mut fresh = self.fresh();
        let before = fresh.len();
        fresh.extend(tools.cloned());
        if fresh.len() > before {
            self.0.announced.notify_one();
        }
    }

    /// Waits until a tool has entries that [`Self::take_fresh`] has not told of.
    pub async fn announced(&self) {
        self.0.announced.notified().await;
    }

    /// Tools that have got entries since this was asked last.
    #[must_use]
    pub fn take_fresh(&self) -> BTreeSet<ToolName> {
        std::mem::take(&mut *self.fresh())
    }

    fn fresh(&self) -> MutexGuard<'_, BTreeSet<ToolName>> {
        self.0.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tools that have entries, and how many. It reads one counter for each tool that ever had one.
    ///
    /// # Errors
    /// The store failed.
    pub async fn depths(&self) -> Result<Vec<(ToolName, u64)>, Error> {
        let (_, counters) = self.0.store.counters(COUNTERS).await?;
        let named = counters.into_iter().filter_map(|(key, count)| {
            let name = key.strip_prefix(COUNTERS)?.strip_suffix(&[END_OF_NAME])?;
            let tool = std::str::from_utf8(name).ok()?.parse().ok()?;
            Some((tool, u64::try_from(count).unwrap_or(0)))
        });
        Ok(named.filter(|(_, count)| *count > 0).collect())
    }

    /// The first entries of a tool beyond those that are `known`, at most so many. What a later release wrote is passed over, which
    /// is said once: that release finds it when it runs again.
    ///
    /// # Errors
    /// The store failed.
    pub async fn page(&self, tool: &ToolName, known: BTreeSet<Key>, limit: usize) -> Result<Page, Error> {
        let (_, counters) = self.0.store.counters(&counter(tool)).await?;
        let depth = counters.first().map_or(0, |(_, count)| u64::try_from(*count).unwrap_or(0));
        let wanted = tool.clone();
        let (entries, newer) = self.0.store.read(move |store| survey(store, &wanted, &known, limit)).await?;
        if newer > 0 && !self.0.newer_is_told.swap(true, Ordering::Relaxed) {
            tracing::error!(%tool, entries = newer, "hooks that a later release wrote are left alone: start that release to have them told");
        }
        Ok(Page { entries, depth, newer })
    }

    /// Removes an entry that is done with; it is gone for good when this returns. One that is gone already is left so.
    ///
    /// # Errors
    /// The store failed: the entry may still be there.
    pub async fn conclude(&self, key: Key) -> Result<(), Error> {
        let tool = key.tool.clone();
        self.conclude_all(tool, vec![key]).await
    }

    /// The same with several of a tool, together.
    ///
    /// # Errors
    /// The store failed: none of the entries is known to be gone.
    pub async fn conclude_all(&self, tool: ToolName, keys: Vec<Key>) -> Result<(), Error> {
        let outbox = self.clone();
        // Detached, so that a caller who is cut off does not let the next one count the same entry out again.
        let concluded = tokio::spawn(async move { outbox.conclude_once(&tool, &keys).await });
        concluded.await.map_err(|fault| store::Error::Commit(format!("conclude entries of the outbox: {fault}")))?
    }

    /// Removes entries of whatever tools by the keys that they are stored under, with what must become durable with it: `with` is
    /// told how many were still there.
    pub(super) async fn erase(&self, stored: Vec<Vec<u8>>, with: impl FnOnce(i64) -> Batch) -> Result<(), Error> {
        let _several = self.0.together.write().await;
        let (mut batch, mut count) = (Batch::new(), 0_i64);
        for key in stored {
            let name = key.iter().position(|byte| *byte == END_OF_NAME).and_then(|end| key.get(..=end));
            if self.0.store.contains(Keyspace::Outbox, &key)? {
                batch = name.into_iter().fold(batch, |batch, name| batch.add([COUNTERS, name].concat(), -1));
                batch = batch.delete(Keyspace::Outbox, key);
                count = count.saturating_add(1);
            }
        }
        if count > 0 {
            self.0.store.commit(batch.and(with(count))).await?;
        }
        Ok(())
    }

    async fn conclude_once(&self, tool: &ToolName, keys: &[Key]) -> Result<(), Error> {
        // One task's entries are concluded one after the other, and several tasks' while nobody else concludes any.
        let (_one, _all, _several) = match keys {
            [key] => {
                (Some(self.0.concluding.hold(key.task.as_bytes()).await), Some(self.0.together.read().await), None)
            }
            _ => (None, None, Some(self.0.together.write().await)),
        };
        let (mut batch, mut count) = (Batch::new(), 0_i64);
        for stored in keys.iter().map(stored_key) {
            if self.0.store.contains(Keyspace::Outbox, &stored)? {
                batch = batch.delete(Keyspace::Outbox, stored);
                count = count.saturating_add(1);
            }
        }
        if count > 0 {
            self.0.store.commit(batch.add(counter(tool), count.saturating_neg())).await?;
        }
        Ok(())
    }
}

/// Entries by their names, none in place of one that is damaged, and how many were passed over.
type Survey = (Vec<(Key, Option<Arc<Entry>>)>, u64);

/// Looks for entries of a tool. Of those that are known the keys alone are looked at.
fn survey(store: &Store, tool: &ToolName, known: &BTreeSet<Key>, limit: usize) -> Result<Survey, store::Error> {
    let (prefix, mut after) = (prefix(tool), None::<Vec<u8>>);
    let (mut entries, mut newer) = (Vec::new(), 0_u64);
    while entries.len() < limit {
        let keys = store.keys(Keyspace::Outbox, &prefix, after.as_deref(), Direction::Ascending, KEYS_AT_ONCE)?;
        let Some(last) = keys.last().cloned() else { break };
        for stored in keys {
            let Some(key) = key_of(tool, &stored).filter(|key| !known.contains(key)) else { continue };
            match look(store, &key, &stored)? {
                Found::Gone => {}
                Found::Newer => newer = newer.saturating_add(1),
                Found::Damaged => entries.push((key, None)),
                Found::Entry(entry) => entries.push((key, Some(entry))),
            }
            if entries.len() >= limit {
                break;
            }
        }
        after = Some(last);
    }
    Ok((entries, newer))
}

/// What lies under a key of the outbox.
enum Found {
    /// Nothing any more.
    Gone,
    /// What a later release wrote.
    Newer,
    Damaged,
    Entry(Arc<Entry>),
}

/// The task that an entry tells of.
pub(super) fn task_of(record: &Record) -> Option<TaskId> {
    decode::<Entry>(record, &"an entry of the outbox", 0).ok().map(|entry| entry.task)
}

/// # Errors
/// The store failed, which says nothing about the entry.
fn look(store: &Store, key: &Key, stored: &[u8]) -> Result<Found, store::Error> {
    let record = match store.find(Keyspace::Outbox, stored) {
        Ok(Some(record)) => record,
        Ok(None) => return Ok(Found::Gone),
        Err(error @ store::Error::Damaged { .. }) => {
            tracing::error!(task = %key.task, %error, "an entry of the outbox cannot be read");
            return Ok(Found::Damaged);
        }
        Err(error) => return Err(error),
    };
    if record.kind != KIND || record.version > VERSION {
        return Ok(Found::Newer);
    }
    Ok(match decode::<Entry>(&record, &key.task, key.sequence) {
        Ok(entry) => Found::Entry(Arc::new(entry)),
        Err(error) => {
            tracing::error!(task = %key.task, %error, "an entry of the outbox cannot be read");
            Found::Damaged
        }
    })
}

/// What a record has a task's tools told, where it is the moment of a hook. `after` is the task with the record.
pub(super) fn of(after: &Task, sequence: u64, record: &TaskRecord) -> Batch {
    let order = &after.order;
    let (Some((hook, tool)), (_, at)) = (told(order, record), notice::kind_and_time(record)) else {
        return Batch::new();
    };
    let entry = Entry {
        hook,
        task: order.task,
        sequence,
        agent: order.agent(),
        template: order.template.clone(),
        version: order.version.clone(),
        digest: order.digest,
        tenant: order.tenant.clone(),
        parent: order.parent().map(Parent),
        error_code: after.fault.as_ref().map(|fault| fault.code.clone()),
        cost: after.cost(),
        steps: after.totals.started,
        submitted_at: after.created_at,
        at,
    };
    let key = Key { tool: tool.clone(), task: order.task, sequence };
    let record = Record { kind: KIND, version: VERSION, body: encode(&entry) };
    Batch::new().put_of(Keyspace::Outbox, stored_key(&key), record, &order.owner()).add(counter(tool), 1)
}

/// The hook whose moment a record is, and the tool that is told. Only a tool that the order grants is.
fn told<'a>(order: &'a Order, record: &TaskRecord) -> Option<(Hook, &'a ToolName)> {
    let hook = moment(record)?;
    let tool = order.hooks.tool(hook)?;
    order.tools.iter().any(|granted| granted.0 == *tool).then_some((hook, tool))
}

/// The hook whose moment a record is. Steps are numbered on when a task is retried: it starts once.
fn moment(record: &TaskRecord) -> Option<Hook> {
    match record {
        TaskRecord::StepStarted(started) if started.step == 0 => Some(Hook::Start),
        TaskRecord::Ended(ended) => Some(match ended.outcome {
            Outcome::Answered { .. } | Outcome::AnsweredByStep { .. } => Hook::Success,
            Outcome::Failed { .. } => Hook::Failure,
            Outcome::Cancelled => Hook::Cancel,
        }),
        TaskRecord::Submitted(_)
        | TaskRecord::StepStarted(_)
        | TaskRecord::StepFinished(_)
        | TaskRecord::StepFailed(_)
        | TaskRecord::StepSkipped(_)
        | TaskRecord::CancelRequested(_)
        | TaskRecord::FeedbackGiven(_)
        | TaskRecord::Decided(_)
        | TaskRecord::Signalled(_)
        | TaskRecord::AttentionNeeded(_)
        | TaskRecord::RetryRequested(_)
        | TaskRecord::Reconciled(_) => None,
    }
}

fn prefix(tool: &ToolName) -> Vec<u8> {
    [tool.as_str().as_bytes(), &[END_OF_NAME]].concat()
}

fn counter(tool: &ToolName) -> Vec<u8> {
    [COUNTERS, &prefix(tool)].concat()
}

fn stored_key(key: &Key) -> Vec<u8> {
    [prefix(&key.tool).as_slice(), key.task.as_bytes(), &key.sequence.to_be_bytes()].concat()
}

fn key_of(tool: &ToolName, stored: &[u8]) -> Option<Key> {
    let rest = stored.strip_prefix(prefix(tool).as_slice())?;
    let (task, sequence) = rest.split_at_checked(16)?;
    let task = TaskId::from_bytes(task.try_into().ok()?);
    Some(Key { tool: tool.clone(), task, sequence: u64::from_be_bytes(sequence.try_into().ok()?) })
}

/// A hook as its word.
mod word {
    use minicbor::decode::{Decoder, Error as DecodeError};
    use minicbor::encode::{Encoder, Error as EncodeError, Write};

    use super::Hook;

    pub(super) fn encode<C, W: Write>(
        value: &Hook,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        e.str(value.as_str())?.ok()
    }

    pub(super) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Hook, DecodeError> {
        Hook::from_word(d.str()?).ok_or_else(|| DecodeError::message("not a hook"))
    }
}
