//! The only way in. Cheap to clone; works across restarts of the ledger.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt;
use ractor::RpcReplyPort;
use tokio::sync::Semaphore;

use crate::control_plane::audit::{Audit, Entry, Who};
use crate::domain::budget::{Limit, Scope};
use crate::domain::clock::{Day, Timestamp};
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::journal::events::Events;
use crate::store::{Batch, Position, Store};
use crate::supervision::{Address, CallError, ChildSpec};

use super::account::Cost;
use super::actor::{Keeper, Start};
use super::declared::Declared;
use super::error::Error;
use super::limits::Source;
use super::message::Message;
use super::metrics::Metrics;
use super::news::News;
use super::payer::{Hold, Key, Payer, Reservation};
use super::state::{Denied, Held, Standing};
use super::unanswered::Unanswered;
use super::{durable, marks};

/// How long a question waits for the ledger, restarts included.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How often a question reads counters that turn out to be missing. Once is the rule.
const READS_MAX: usize = 8;
/// Counters that one question reads at once.
const READS_AT_ONCE: usize = 32;

/// What the open tasks hold and have spent, according to their records.
#[derive(Debug, Clone, Default)]
pub struct Recovered {
    /// Steps that were started and not finished, with the instant at which their money was reserved.
    pub reservations: Vec<(Key, Payer, Usd, Timestamp)>,
    /// What the finished steps of each open task have cost, those of its descendants included.
    pub spent_by_task: Vec<(TaskId, Usd)>,
}

/// Gives the ledger back what only records of tasks know. Asked once at each start of the ledger, on a thread that may block.
pub trait Recover: Send + Sync {
    /// What the open tasks hold and have spent, now. A step appears either as held or as spent, never as both.
    fn open(&self) -> Recovered;
}

/// The budgets of the daemon.
///
/// The order in which a step uses it: [`Self::reserve`]; commit the step as started; [`Self::confirm`]; the effect; commit the
/// step as finished together with [`Self::book`]; [`Self::settle`] with the position of that commit. A step that cost nothing
/// ends with [`Self::release`], a task with [`Self::close_task`].
#[derive(Clone)]
pub struct Budget {
    address: Address<Message>,
    store: Store,
    epoch: Arc<AtomicU64>,
    news: News,
    declared: Arc<Declared>,
    audit: Audit,
    /// Held by whoever sets a limit, from the question for room until the limit is known.
    setting: Arc<Semaphore>,
}

impl std::fmt::Debug for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "budgets at {:?}, epoch {}", self.address, self.epoch.load(Ordering::Relaxed))
    }
}

impl Budget {
    /// Makes the handle and says how its actor is started. `limits` are those of the settings.
    #[must_use]
    pub fn start(
        limits: BTreeMap<Scope, Limit>,
        store: Store,
        events: Events,
        audit: Audit,
        recover: Arc<dyn Recover>,
    ) -> (Self, ChildSpec) {
        let address = Address::new("budget");
        let epoch = Arc::new(AtomicU64::new(0));
        let declared = Arc::new(Declared::new(limits));
        let start = Start {
            declared: declared.clone(),
            metrics: Arc::new(Metrics::new()),
            store: store.clone(),
            events,
            recover,
            epoch: epoch.clone(),
        };
        let spec = ChildSpec::worker(&address, move || (Keeper, start.clone()));
        let (news, setting) = (News::new(address.clone()), Arc::new(Semaphore::new(1)));
        (Self { address, store, epoch, news, declared, audit, setting }, spec)
    }

    /// Holds `amount` on everything that `payer` names, or refuses. The same key holds money once; a second call with another
    /// amount changes what is held, or is refused and changes nothing. Nothing asks the ledger where nothing can be owed.
    ///
    /// Call it before the step is durable as started: where no answer comes, or the caller stops waiting for it, whatever the
    /// key holds is released, because nobody else knows that it may be held.
    ///
    /// # Errors
    /// [`Error::Refused`] where a limit does not allow it; else the ledger or the store cannot answer.
    pub async fn reserve(&self, key: Key, payer: Payer, amount: Usd, at: Timestamp) -> Result<Reservation, Error> {
        if amount <= Usd::ZERO {
            return Ok(Reservation { key, payer: payer.clone(), amount: Usd::ZERO, hold: Hold::Free });
        }
        let unanswered = Unanswered::new(&self.address, key);
        let make = |reply| Message::Reserve { key, payer: payer.clone(), amount, at, reply };
        let held = self.ask(make).await;
        match held {
            // Dropped here, it takes back what may be held.
            Err(Error::Unavailable(CallError::TimedOut(_) | CallError::Interrupted(_))) => drop(unanswered),
            Ok(_)
            | Err(
                Error::Unavailable(CallError::NotRunning(_))
                | Error::Refused(_)
                | Error::UnknownScope(_)
                | Error::Full
                | Error::NotSet
                | Error::Unread
                | Error::Store(_),
            ) => unanswered.answered(),
        }
        Ok(Reservation { key, payer: payer.clone(), amount, hold: Hold::Held(held?) })
    }

    async fn hold(&self, key: Key, payer: Payer, amount: Usd, at: Timestamp) -> Result<Reservation, Error> {
        let epoch = self.ask(|reply| Message::Reserve { key, payer: payer.clone(), amount, at, reply }).await?;
        Ok(Reservation { key, payer, amount, hold: Hold::Held(epoch) })
    }

    /// Makes sure that the money is still held. Call it once the step is durable as started and right before the effect: if the
    /// ledger restarted in between, it may have read the records before the step was there. Costs nothing if it did not.
    ///
    /// # Errors
    /// As [`Self::reserve`]; the effect must not happen then. What is held stays held: the step, or its task, still ends.
    pub async fn confirm(&self, reservation: &Reservation, at: Timestamp) -> Result<Reservation, Error> {
        let Reservation { key, payer, amount, hold } = reservation;
        match hold {
            Hold::Held(epoch) if *epoch != self.epoch() => self.hold(*key, payer.clone(), *amount, at).await,
            Hold::Recorded => self.hold(*key, payer.clone(), *amount, at).await,
            Hold::Held(_) | Hold::Free => Ok(reservation.clone()),
        }
    }

    /// What must become durable with the record that concludes a step: its cost in the counters, and, where it exceeds what was
    /// held, what stops its scopes and says so in the audit log.
    ///
    /// INVARIANT: that a cost exceeded its reservation is as durable as the cost: no restart lets a stopped scope run.
    #[must_use]
    pub fn book(&self, reservation: &Reservation, cost: Usd, at: Timestamp) -> Batch {
        let Reservation { key, payer, amount, .. } = reservation;
        let booked = durable::book(payer.scopes(), cost, at.day());
        if cost <= *amount {
            return booked;
        }
        let mut entry = Entry::allowed(at, Who::daemon(), "stop_budget").on(format!("{} step {}", key.task, key.step));
        let reason = format!(
            "a cost of {cost} USD exceeded the {amount} USD reserved for it; limited scopes that pay for it stop"
        );
        entry.reason = Some(reason.into());
        booked.and(marks::stop(payer.scopes(), at.day())).and(self.audit.batch(entry))
    }

    /// Ends a reservation with its cost, which [`Self::book`] for the same instant made durable at `position`. The ledger adds
    /// the cost only where the counters that it read lack it. Call it once for each finished step, after its commit.
    pub fn settle(&self, reservation: &Reservation, cost: Usd, at: Timestamp, position: Position) {
        let Reservation { key, payer, hold, amount } = reservation.clone();
        if hold == Hold::Free && cost == Usd::ZERO {
            return;
        }
        let cost = Cost { amount: cost, held: amount, day: at.day(), position };
        self.news.tell(move |done| Message::Settle { key, payer: payer.clone(), cost, done });
    }

    /// The counter increments of what a bill says of an amount that was booked in doubt at `since`: the difference, which may be
    /// negative. Commit them with the record that says so.
    #[must_use]
    pub fn correction(payer: &Payer, difference: Usd, since: Timestamp) -> Batch {
        durable::book(payer.scopes(), difference, since.day())
    }

    /// Tells the ledger of a [`Self::correction`] that became durable at `position`.
    pub fn correct(&self, payer: &Payer, difference: Usd, since: Timestamp, position: Position) {
        // A bill above what was booked stops nothing: whoever reconciles has seen it.
        let difference = Cost { amount: difference, held: difference, day: since.day(), position };
        let payer = payer.clone();
        self.news.tell(move |done| Message::Correct { payer: payer.clone(), difference, done });
    }

    /// What a scope spent, by UTC day, of the days on which it spent anything.
    ///
    /// # Errors
    /// The store failed, or a counter is damaged.
    pub async fn spent_by_day(&self, scope: &Scope) -> Result<Vec<(Day, Usd)>, Error> {
        Ok(durable::known(&self.store, scope).await?.1.days)
    }

    /// Ends a reservation that cost nothing.
    pub fn release(&self, reservation: &Reservation) {
        let key = reservation.key;
        if reservation.hold != Hold::Free {
            self.news.tell(move |done| Message::Release { key, done });
        }
    }

    /// Forgets a task that has ended, and ends what it still holds. Its descendants must have ended before.
    pub fn close_task(&self, task: TaskId) {
        self.news.tell(move |done| Message::CloseTask { task, done });
    }

    /// Takes a task that had ended in again, with what it has spent, so that its limit binds what is to come. Call it before the
    /// task is open, and while [`Recover`] tells of it.
    ///
    /// # Errors
    /// The ledger cannot answer, or news waits for it that may be of the task's end: nothing may be done for the task then.
    pub async fn reopen_task(&self, task: TaskId, spent: Usd) -> Result<(), Error> {
        // INVARIANT: a task's end is told before it is reopened. This question would overtake news that waits.
        if self.news.waits() {
            return Err(CallError::NotRunning(self.address.name().clone()).into());
        }
        self.ask(|reply| Message::ReopenTask { task, spent, reply }).await
    }

    /// How a scope stands, also one without a limit.
    ///
    /// # Errors
    /// The ledger or the store cannot answer.
    pub async fn show(&self, scope: &Scope, at: Timestamp) -> Result<Standing, Error> {
        self.ask(|reply| Message::Show { scope: scope.clone(), today: at.day(), reply }).await
    }

    /// How every scope with a limit stands, in their order.
    ///
    /// # Errors
    /// The ledger or the store cannot answer.
    pub async fn list(&self, at: Timestamp) -> Result<Vec<Standing>, Error> {
        self.ask(|reply| Message::List { today: at.day(), reply }).await
    }

    /// Up to `limit` open reservations, by task and step, from behind `after` on.
    ///
    /// # Errors
    /// The ledger cannot answer.
    pub async fn open(&self, after: Option<Key>, limit: usize) -> Result<Vec<(Key, Held)>, Error> {
        Ok(self.address.call(ANSWER_WITHIN, |reply| Message::Open { after, limit, reply }).await?)
    }

    /// Sets a scope's limit at run time; it takes the place of declared ones and outlives restarts. A stopped scope runs again.
    /// `beside` is committed with it: the audit entry. A caller that stops waiting takes nothing back.
    ///
    /// # Errors
    /// [`Error::Full`], or the store failed, and the limit is as it was; or the ledger cannot answer: then either nothing was
    /// written, or the limit binds from the ledger's next start on.
    pub async fn set(&self, scope: &Scope, limit: Limit, beside: Batch) -> Result<(), Error> {
        let (room, scope) = (self.clone(), scope.clone());
        // A task of its own: a limit that is durable must become known, whether or not its operator still waits.
        let set = tokio::spawn(async move { room.set_in_turn(&scope, limit, beside).await });
        set.await.unwrap_or_else(|_| Err(CallError::Interrupted(self.address.name().clone()).into()))
    }

    /// INVARIANT: one limit is set at a time, and only where there is room for it, so that no more become durable than the
    /// ledger keeps, however often it restarts in between.
    async fn set_in_turn(&self, scope: &Scope, limit: Limit, beside: Batch) -> Result<(), Error> {
        let _turn = self.setting.acquire().await.map_err(|_| CallError::NotRunning(self.address.name().clone()))?;
        self.ask(|reply| Message::Place { scope: scope.clone(), reply }).await?;
        let written = durable::put_limit(scope, limit).and(marks::lift(scope)).and(beside);
        let position = self.store.commit(written).await?;
        self.ask(|reply| Message::Set { scope: scope.clone(), limit, position, reply }).await
    }

    /// Takes the limit away that an operator set; declared ones bind again, and a stopped scope stays so. `beside` is committed
    /// with it: the audit entry.
    ///
    /// # Errors
    /// [`Error::NotSet`], or the store failed, and the limit is as it was; or the ledger cannot answer: then either nothing was
    /// written, or the limit is gone from the ledger's next start on.
    pub async fn unset(&self, scope: &Scope, beside: Batch) -> Result<(), Error> {
        let (room, scope) = (self.clone(), scope.clone());
        // As in `set`.
        let unset = tokio::spawn(async move { room.unset_in_turn(&scope, beside).await });
        unset.await.unwrap_or_else(|_| Err(CallError::Interrupted(self.address.name().clone()).into()))
    }

    async fn unset_in_turn(&self, scope: &Scope, beside: Batch) -> Result<(), Error> {
        let _turn = self.setting.acquire().await.map_err(|_| CallError::NotRunning(self.address.name().clone()))?;
        self.ask(|reply| Message::Unplace { scope: scope.clone(), reply }).await?;
        let position = self.store.commit(durable::remove_limit(scope).and(beside)).await?;
        self.ask(|reply| Message::Unset { scope: scope.clone(), position, reply }).await
    }

    /// Declares limits that the settings or a template name, or (`None`) no longer name: all of them at once. They bind every
    /// reservation that is asked for from now on, also after restarts of the ledger and while it is away. An operator's limit
    /// wins; declared ones bind side by side.
    ///
    /// # Errors
    /// [`Error::Full`] beyond [`DECLARED_MAX`](super::DECLARED_MAX); nothing has changed then.
    pub fn declare_now(&self, source: Source, limits: &[(Scope, Option<Limit>)]) -> Result<(), Error> {
        self.declared.change(source, limits)?;
        if self.address.cast(Message::Declared).is_err() {
            tracing::debug!("the ledger is away, and reads what is declared when it is back");
        }
        Ok(())
    }

    /// Counts the incarnations of the ledger.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Asks; where the ledger lacks a scope's counters, reads them here, so that its mailbox never waits for the disk.
    async fn ask<T, F>(&self, make: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(RpcReplyPort<Result<T, Denied>>) -> Message,
    {
        for _ in 0..READS_MAX {
            match self.address.call(ANSWER_WITHIN, &make).await? {
                Ok(answer) => return Ok(answer),
                Err(Denied::Refused(refusal)) => return Err(refusal.into()),
                Err(Denied::Full) => return Err(Error::Full),
                Err(Denied::NotSet) => return Err(Error::NotSet),
                Err(Denied::Unread(scopes)) => self.read(scopes).await?,
            }
        }
        Err(Error::Unread)
    }

    async fn read(&self, scopes: Vec<Scope>) -> Result<(), Error> {
        let mut reads =
            futures::stream::iter(scopes.into_iter().map(|scope| self.read_one(scope))).buffer_unordered(READS_AT_ONCE);
        while let Some(read) = reads.next().await {
            read?;
        }
        Ok(())
    }

    async fn read_one(&self, scope: Scope) -> Result<(), Error> {
        let (as_of, known) = durable::known(&self.store, &scope).await?;
        Ok(self.address.cast(Message::Read { scope, as_of, known })?)
    }
}

#[cfg(test)]
impl Budget {
    pub(super) fn declared(&self) -> Arc<Declared> {
        self.declared.clone()
    }

    pub(super) fn address(&self) -> &Address<Message> {
        &self.address
    }

    pub(super) fn epoch_cell(&self) -> Arc<AtomicU64> {
        self.epoch.clone()
    }
}
