//! The shell: reads the outbox, has tools called, removes what is done with.

use std::collections::BTreeSet;

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use rand::Rng;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use super::error::Error;
use super::handle::{Said, Teller};
use super::message::Message;
use super::metrics;
use super::state::{self, Concluded, Effect, Now, Outcome, Rules};
use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure;
use crate::domain::name::ToolName;
use crate::journal::events::{Event, Events};
use crate::journal::outbox::{Key, Outbox};

/// What each incarnation starts from.
#[derive(Clone)]
pub(super) struct Start {
    pub(super) outbox: Outbox,
    pub(super) events: Events,
    pub(super) teller: Teller,
    pub(super) rules: Rules,
}

pub(super) struct Courier;

pub(super) struct State {
    start: Start,
    began: Instant,
    deliveries: state::State,
    /// What is under way; cut off with this incarnation, and taken up by the next.
    under_way: JoinSet<()>,
    timer: Option<JoinHandle<Result<(), ractor::MessagingErr<Message>>>>,
    draining: Vec<RpcReplyPort<()>>,
}

impl Actor for Courier {
    type Msg = Message;
    type State = State;
    type Arguments = Start;

    async fn pre_start(&self, myself: ActorRef<Message>, start: Start) -> Result<State, ActorProcessingErr> {
        let deliveries = state::State::new(start.rules);
        let (began, under_way) = (Instant::now(), JoinSet::new());
        let mut state = State { start, began, deliveries, under_way, timer: None, draining: Vec::new() };
        // Taken first, or what a former incarnation has not taken would not be announced again; and the watch before the read, so
        // that no entry falls between them.
        state.take_fresh();
        state.watch(&myself);
        state.read_tools(&myself);
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let now = state.now();
        match message {
            Message::Due => {}
            Message::Announced => state.take_fresh(),
            Message::Began(Some(tools)) => tools.into_iter().for_each(|tool| state.deliveries.placed(tool)),
            Message::Began(None) => state.read_tools(&myself),
            Message::Found(tool, Some(page)) => {
                metrics::waiting(&tool, page.depth);
                state.deliveries.found(&tool, page, now);
            }
            Message::Found(tool, None) => state.deliveries.unread(&tool, now),
            Message::Returned(key, result) => state.returned(&key, result, now),
            Message::Concluded(key, is_gone) => {
                if let Some(concluded) = state.deliveries.concluded(&key, is_gone, now) {
                    state.tell(&concluded);
                }
            }
            Message::Dropped(tool, keys, is_gone) => {
                let dropped: Vec<Concluded> =
                    keys.iter().filter_map(|key| state.deliveries.concluded(key, is_gone, now)).collect();
                state.tell_dropped(&tool, &dropped);
            }
            Message::Drain(reply) => {
                state.deliveries.drain();
                state.draining.push(reply);
            }
        }
        state.go_on(&myself)
    }
}

impl State {
    fn now(&self) -> Now {
        Now { since: self.began.elapsed(), at: Timestamp::now() }
    }

    /// Does what is due and sets the timer for what will be.
    fn go_on(&mut self, myself: &ActorRef<Message>) -> Result<(), ActorProcessingErr> {
        while let Some(ended) = self.under_way.try_join_next() {
            // It has told nothing of its end: the next incarnation takes it up.
            ended.map_err(|fault| format!("what was begun for a hook broke: {fault}"))?;
        }
        let now = self.now();
        for effect in self.deliveries.due(now) {
            match effect {
                Effect::Read(tool, known, limit) => self.read(myself, tool, known, limit),
                Effect::Call(key, entry) => {
                    let telling = (self.start.teller)(entry, key.tool.clone());
                    self.spawn(myself, async move { Message::Returned(key, telling.await) });
                }
                Effect::Conclude(key) => self.conclude(myself, key),
                Effect::Drop(tool, keys) => self.drop_together(myself, tool, keys),
            }
        }
        if let Some(timer) = self.timer.take() {
            timer.abort();
        }
        self.timer =
            self.deliveries.next(now).map(|at| myself.send_after(at.saturating_sub(now.since), || Message::Due));
        if self.deliveries.is_still() {
            self.draining.drain(..).for_each(answer);
        }
        Ok(())
    }

    fn take_fresh(&mut self) {
        self.start.outbox.take_fresh().into_iter().for_each(|tool| self.deliveries.placed(tool));
    }

    fn spawn<F>(&mut self, myself: &ActorRef<Message>, work: F)
    where
        F: Future<Output = Message> + Send + 'static,
    {
        let myself = myself.clone();
        self.under_way.spawn(async move {
            if myself.cast(work.await).is_err() {
                tracing::debug!("the actor of hooks ended before what it had begun");
            }
        });
    }

    fn watch(&mut self, myself: &ActorRef<Message>) {
        let (outbox, myself) = (self.start.outbox.clone(), myself.clone());
        self.under_way.spawn(async move {
            loop {
                outbox.announced().await;
                if myself.cast(Message::Announced).is_err() {
                    break;
                }
            }
        });
    }

    fn read_tools(&mut self, myself: &ActorRef<Message>) {
        let outbox = self.start.outbox.clone();
        self.spawn(myself, async move {
            match outbox.depths().await {
                Ok(depths) => Message::Began(Some(depths.into_iter().map(|(tool, _)| tool).collect())),
                Err(error) => {
                    tracing::warn!(%error, "the outbox of hooks cannot be read now");
                    tokio::time::sleep(state::STORE_AGAIN).await;
                    Message::Began(None)
                }
            }
        });
    }

    fn read(&mut self, myself: &ActorRef<Message>, tool: ToolName, known: BTreeSet<Key>, limit: usize) {
        let outbox = self.start.outbox.clone();
        self.spawn(myself, async move {
            let page = outbox.page(&tool, known, limit).await;
            let page =
                page.inspect_err(|error| tracing::warn!(%tool, %error, "the outbox of hooks cannot be read now"));
            Message::Found(tool, page.ok())
        });
    }

    fn conclude(&mut self, myself: &ActorRef<Message>, key: Key) {
        let outbox = self.start.outbox.clone();
        self.spawn(myself, async move {
            let concluded = outbox.conclude(key.clone()).await;
            let concluded =
                concluded.inspect_err(|error| tracing::warn!(task = %key.task, %error, "a hook is not concluded yet"));
            Message::Concluded(key, concluded.is_ok())
        });
    }

    fn drop_together(&mut self, myself: &ActorRef<Message>, tool: ToolName, keys: Vec<Key>) {
        let outbox = self.start.outbox.clone();
        self.spawn(myself, async move {
            let dropped = outbox.conclude_all(tool.clone(), keys.clone()).await;
            let dropped = dropped
                .inspect_err(|error| tracing::warn!(%tool, %error, "hooks that are too many are not dropped yet"));
            Message::Dropped(tool, keys, dropped.is_ok())
        });
    }

    fn returned(&mut self, key: &Key, result: Result<Said, Error>, now: Now) {
        let result = match result {
            Ok(Said::NoSlot) => return self.deliveries.crowded(key, now),
            Ok(Said::Told) => Ok(()),
            Err(error) => Err(error),
        };
        let hook = self.deliveries.hook(key);
        if self.deliveries.returned(key, result, now, rand::thread_rng().r#gen())
            && let Some(hook) = hook
        {
            metrics::retried(hook);
        }
    }

    /// Tells of an entry that is gone.
    fn tell(&self, concluded: &Concluded) {
        let Concluded { key, entry, outcome, attempts } = concluded;
        metrics::concluded(concluded);
        metrics::waiting(&key.tool, self.deliveries.depth(&key.tool));
        let kind = match outcome {
            Outcome::Delivered => "hook_delivered",
            Outcome::GivenUp(_) => "hook_failed",
        };
        let mut event = Event::new(kind).with("tool", &key.tool).with("attempts", attempts);
        (event.task, event.sequence) = (Some(key.task), None);
        if let Some(entry) = entry {
            event = event.with("hook", entry.hook.as_str()).with("template_name", &entry.template);
        }
        if let Outcome::GivenUp(error) = outcome {
            tracing::error!(tool = %key.tool, task = %key.task, attempts, %error, "a hook was given up: the tool was not told");
            event = event.with("code", error.code());
        }
        self.start.events.publish(event);
    }

    /// Tells of entries that were too many: once, however many they are.
    fn tell_dropped(&self, tool: &ToolName, dropped: &[Concluded]) {
        if dropped.is_empty() {
            return;
        }
        dropped.iter().for_each(metrics::concluded);
        metrics::waiting(tool, self.deliveries.depth(tool));
        let (count, error) = (dropped.len(), Error::Full);
        tracing::error!(%tool, dropped = count, %error, "hooks were given up: the tool was not told");
        let event = Event::new("hook_failed").with("tool", tool).with("code", error.code()).with("dropped", count);
        self.start.events.publish(event);
    }
}

/// Whoever asked may have gone.
fn answer(reply: RpcReplyPort<()>) {
    if reply.send(()).is_err() {
        tracing::debug!("whoever waited for hooks no longer does");
    }
}
