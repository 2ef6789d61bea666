//! A reservation of which nobody heard is taken back.

use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use tokio::sync::mpsc;

use super::actor::{Records, global, key, now, usd};
use crate::control_plane::audit::Audit;
use crate::control_plane::budget::message::Message;
use crate::control_plane::budget::state::Denied;
use crate::control_plane::budget::{Budget, Error, Reservation};
use crate::journal::events::Events;
use crate::store::{Options, Position, Store};
use crate::supervision::CallError;

/// What a ledger does with a question.
#[derive(Clone, Copy)]
enum Manner {
    KeepsSilent,
    LosesIt,
    Refuses,
}

/// Stands in for the ledger, and tells what it was sent.
struct Deaf(Manner, mpsc::UnboundedSender<&'static str>);

impl Actor for Deaf {
    type Msg = Message;
    type State = Vec<RpcReplyPort<Result<u64, Denied>>>;
    type Arguments = ();

    async fn pre_start(&self, _myself: ActorRef<Message>, (): ()) -> Result<Self::State, ActorProcessingErr> {
        Ok(Vec::new())
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        kept: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Reserve { reply, .. } => {
                match self.0 {
                    Manner::KeepsSilent => kept.push(reply),
                    Manner::LosesIt => drop(reply),
                    Manner::Refuses => reply.send(Err(Denied::Full))?,
                }
                self.1.send("reserve")?;
            }
            Message::Release { key: released, .. } => {
                assert_eq!(released, key(1, 0));
                self.1.send("release")?;
            }
            Message::CloseTask { done, .. } => {
                self.1.send("close")?;
                done.map_or(Ok(()), |done| done.send(()))?;
            }
            Message::Settle { done, .. } | Message::Correct { done, .. } => {
                self.1.send("settle")?;
                done.map_or(Ok(()), |done| done.send(()))?;
            }
            Message::Read { .. }
            | Message::Place { .. }
            | Message::Set { .. }
            | Message::Unplace { .. }
            | Message::Unset { .. }
            | Message::Declared
            | Message::Show { .. }
            | Message::List { .. }
            | Message::ReopenTask { .. }
            | Message::Open { .. } => self.1.send("other")?,
        }
        Ok(())
    }
}

struct Stage {
    budget: Budget,
    sent: mpsc::UnboundedReceiver<&'static str>,
    actor: ActorRef<Message>,
    _directory: tempfile::TempDir,
}

impl Stage {
    async fn empty(manner: Manner) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(directory.path(), Options { cache_bytes: 1 << 20 }).expect("opens");
        let (budget, _spec) = Budget::start(
            std::collections::BTreeMap::new(),
            store.clone(),
            Events::new(),
            Audit::start(store, Events::new()).0,
            Arc::new(Records::default()),
        );
        let (sender, sent) = mpsc::unbounded_channel();
        let (actor, _ended) = Actor::spawn(None, Deaf(manner, sender), ()).await.expect("starts");
        Self { budget, sent, actor, _directory: directory }
    }

    async fn new(manner: Manner) -> Self {
        let stage = Self::empty(manner).await;
        stage.enter();
        stage
    }

    /// The ledger is there from now on.
    fn enter(&self) {
        self.budget.address().publish(self.actor.clone());
    }

    /// All that was sent until now.
    async fn sent(&mut self) -> Vec<&'static str> {
        self.budget.close_task(key(1, 0).task);
        let mut all = Vec::new();
        while let Some(name) = self.sent.recv().await.filter(|name| *name != "close") {
            all.push(name);
        }
        all
    }
}

/// INVARIANT: what may be held for a reservation without an answer is released, behind the question.
#[tokio::test(start_paused = true)]
async fn a_reservation_without_an_answer_is_taken_back() {
    let mut stage = Stage::new(Manner::KeepsSilent).await;
    let outcome = stage.budget.reserve(key(1, 0), global(), usd(1), now()).await;
    assert!(matches!(outcome, Err(Error::Unavailable(CallError::TimedOut(_)))), "{outcome:?}");
    assert_eq!(stage.sent().await, ["reserve", "release"]);

    let mut stage = Stage::new(Manner::LosesIt).await;
    let outcome = stage.budget.reserve(key(1, 0), global(), usd(1), now()).await;
    assert!(matches!(outcome, Err(Error::Unavailable(CallError::Interrupted(_)))), "{outcome:?}");
    assert_eq!(stage.sent().await, ["reserve", "release"]);
}

#[tokio::test(start_paused = true)]
async fn a_reservation_whose_asker_went_away_is_taken_back() {
    let mut stage = Stage::new(Manner::KeepsSilent).await;
    let reserving = stage.budget.reserve(key(1, 0), global(), usd(1), now());
    assert!(tokio::time::timeout(Duration::from_millis(1), reserving).await.is_err());
    assert_eq!(stage.sent().await, ["reserve", "release"]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_leaves_what_the_key_held_before() {
    let mut stage = Stage::new(Manner::Refuses).await;
    assert!(matches!(stage.budget.reserve(key(1, 0), global(), usd(1), now()).await, Err(Error::Full)));
    assert_eq!(stage.sent().await, ["reserve"]);
}

/// The step is durable as started: it will be settled, or its task closed.
#[tokio::test(start_paused = true)]
async fn a_confirmation_without_an_answer_takes_nothing_back() {
    let mut stage = Stage::new(Manner::KeepsSilent).await;
    let recorded = Reservation::recorded(key(1, 0), global(), usd(1));
    assert!(stage.budget.confirm(&recorded, now()).await.is_err());
    assert_eq!(stage.sent().await, ["reserve"]);
}

/// INVARIANT: the end of a task does not come before what its last step cost, also to a ledger that was away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn news_that_waits_for_the_ledger_comes_in_the_order_in_which_it_was_told() {
    const TASKS: usize = 200;
    let mut stage = Stage::empty(Manner::Refuses).await;
    let held = Reservation::recorded(key(1, 0), global(), usd(1));
    let position = Position(1);
    for _ in 0..TASKS {
        stage.budget.settle(&held, usd(1), now(), position);
        stage.budget.close_task(key(1, 0).task);
    }
    stage.enter();
    for _ in 0..TASKS {
        stage.budget.settle(&held, usd(1), now(), position);
        stage.budget.close_task(key(1, 0).task);
    }
    for turn in 0..2 * TASKS {
        let pair = [stage.sent.recv().await, stage.sent.recv().await];
        assert_eq!(pair, [Some("settle"), Some("close")], "pair {turn}");
    }
}
