//! The shell around the ledger: receive, decide, answer, tell. It decides nothing itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};

use crate::domain::budget::Scope;
use crate::domain::clock::{Day, Timestamp};
use crate::journal::events::Events;
use crate::store::{self, Direction, Keyspace, Store};

use super::barred::BARRED_MAX;
use super::crier::Crier;
use super::declared::{Declarations, Declared};
use super::durable::{self, Stored};
use super::handle::{Recover, Recovered};
use super::message::{Done, Message};
use super::metrics::Metrics;
use super::state::{Denied, LIMITS_MAX, Ledger};

/// The most scopes whose spending is read when the ledger starts; the others are read when a reservation needs them.
const READ_AT_START_MAX: usize = 64;

/// What each incarnation starts from.
#[derive(Clone)]
pub(super) struct Start {
    pub(super) declared: Arc<Declared>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) store: Store,
    pub(super) events: Events,
    pub(super) recover: Arc<dyn Recover>,
    pub(super) epoch: Arc<AtomicU64>,
}

pub(super) struct Keeper;

pub(super) struct State {
    ledger: Ledger,
    epoch: u64,
    declared: Arc<Declared>,
    /// What the ledger knows of it.
    seen: Arc<Declarations>,
    news: Crier,
    metrics: Arc<Metrics>,
}

impl Actor for Keeper {
    type Msg = Message;
    type State = State;
    type Arguments = Start;

    async fn pre_start(&self, _myself: ActorRef<Message>, start: Start) -> Result<State, ActorProcessingErr> {
        // The epoch rises before the records are read: whoever saw the old one had made its step durable by then, so that the
        // records tell of it (see `Budget::confirm`).
        let epoch = start.epoch.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        let seen = start.declared.present();
        let mut ledger = load(&start, &seen).await?;
        let read = read_limited(&mut ledger, &start.store).await?;
        let Start { declared, events, metrics, store, .. } = start;
        let news = Crier::new(store, events);
        let mut state = State { ledger, epoch, declared, seen, news, metrics };
        state.measure(&read, Timestamp::now().day());
        Ok(state)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.catch_up();
        state.receive(message);
        Ok(())
    }
}

/// Reads what must be known before the first decision: what open tasks hold, and which limits bind. Spending is read scope by
/// scope when a limit first needs it, so that a start costs the same however much history there is.
async fn load(start: &Start, declared: &Declarations) -> Result<Ledger, ActorProcessingErr> {
    let mut ledger = Ledger::default();
    let (as_of, _none) = start.store.counters(durable::no_counters_prefix()).await?;
    let recover = start.recover.clone();
    let Recovered { reservations, spent_by_task } = tokio::task::spawn_blocking(move || recover.open()).await?;
    ledger.recover(as_of, reservations, spent_by_task);
    // Whose they are does not matter yet.
    let _scopes = ledger.redeclare(&Declarations::new(), declared);
    let lost = ledger.recover_limits(start.store.read(stored_limits).await?, as_of);
    if lost > 0 {
        tracing::error!(
            lost,
            most = LIMITS_MAX,
            "limits are damaged or too many: nothing may be spent on their scopes"
        );
    }
    Ok(ledger)
}

/// Reads what the first limited scopes have spent, so that dashboards show them from the start.
async fn read_limited(ledger: &mut Ledger, store: &Store) -> Result<Vec<Scope>, ActorProcessingErr> {
    let Err(Denied::Unread(mut scopes)) = ledger.list(Timestamp::now().day()) else { return Ok(Vec::new()) };
    scopes.truncate(READ_AT_START_MAX);
    for scope in &scopes {
        let (as_of, known) = durable::known(store, scope).await?;
        ledger.read(scope, as_of, known);
    }
    Ok(scopes)
}

fn stored_limits(store: &Store) -> Result<Vec<Stored>, store::Error> {
    let most = LIMITS_MAX.saturating_add(BARRED_MAX).saturating_add(1);
    let records = store.survey(Keyspace::Budget, b"", None, Direction::Ascending, most)?;
    Ok(records.into_iter().map(|(key, record)| durable::stored(&key, record)).collect())
}

impl State {
    /// INVARIANT: what was declared before a message was sent binds when it is handled; whether the ledger was there to be told
    /// does not matter.
    fn catch_up(&mut self) {
        if !self.declared.is_present(&self.seen) {
            let now = self.declared.present();
            let changed = self.ledger.redeclare(&self.seen, &now);
            self.seen = now;
            self.now_at(&changed);
        }
    }

    fn receive(&mut self, message: Message) {
        match message {
            Message::Reserve { key, payer, amount, at, reply } => {
                let outcome = self.ledger.reserve(key, &payer, amount, at).map(|()| self.epoch);
                if let Err(Denied::Refused(refusal)) = &outcome {
                    self.metrics.refused();
                    self.news.refused(refusal);
                }
                self.measure(payer.scopes(), at.day());
                answer(reply, outcome);
            }
            Message::Settle { key, payer, cost, done } => {
                if let Some(overrun) = self.ledger.settle(key, &payer, cost) {
                    self.news.overran(&overrun);
                }
                self.measure(payer.scopes(), cost.day);
                finish(done);
            }
            Message::Release { key, done } => {
                let scopes = self.ledger.release(key);
                self.now_at(&scopes);
                finish(done);
            }
            Message::CloseTask { task, done } => {
                let scopes = self.ledger.close_task(task);
                self.now_at(&scopes);
                finish(done);
            }
            Message::ReopenTask { task, spent, reply } => answer(reply, self.ledger.reopen_task(task, spent)),
            Message::Correct { payer, difference, done } => {
                self.ledger.correct(payer.scopes(), difference);
                self.now_at(payer.scopes());
                finish(done);
            }
            Message::Read { scope, as_of, known } => {
                self.ledger.read(&scope, as_of, known);
                self.now_at(&[scope]);
            }
            Message::Place { scope, reply } => answer(reply, self.ledger.place(&scope)),
            Message::Set { scope, limit, position, reply } => {
                self.ledger.set(&scope, limit, position);
                self.now_at(&[scope]);
                answer(reply, Ok(()));
            }
            Message::Unplace { scope, reply } => answer(reply, self.ledger.unplace(&scope)),
            Message::Unset { scope, position, reply } => {
                self.ledger.unset(&scope, position);
                self.now_at(&[scope]);
                answer(reply, Ok(()));
            }
            // To have been told is enough.
            Message::Declared => {}
            Message::Show { scope, today, reply } => answer(reply, self.ledger.show(&scope, today)),
            Message::List { today, reply } => answer(reply, self.ledger.list(today)),
            Message::Open { after, limit, reply } => {
                answer(reply, self.ledger.open(after).take(limit).map(|(key, held)| (*key, held.clone())).collect());
            }
        }
    }

    fn now_at(&mut self, scopes: &[Scope]) {
        self.measure(scopes, Timestamp::now().day());
    }

    /// Shows how these scopes stand, and tells which parts of their limits are reached.
    fn measure(&mut self, scopes: &[Scope], today: Day) {
        self.metrics.open(self.ledger.open_count(), self.ledger.oldest());
        for scope in scopes {
            match self.ledger.remaining(scope, today) {
                Some(remaining) => self.metrics.remains(scope, remaining),
                None if self.ledger.is_limited(scope) => {}
                None => self.metrics.unlimited(scope),
            }
            for alert in self.ledger.alerts(scope, today) {
                self.news.reached(alert);
            }
        }
    }
}

/// Whoever asked may have gone.
fn answer<T: Send + 'static>(reply: RpcReplyPort<T>, value: T) {
    if reply.send(value).is_err() {
        tracing::debug!("whoever asked the ledger no longer waits");
    }
}

fn finish(done: Done) {
    if let Some(reply) = done {
        answer(reply, ());
    }
}
