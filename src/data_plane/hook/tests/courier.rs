//! The actor on a real store, with a scripted tool. Time is paused: no pause is slept through.

use std::sync::Mutex;

use ractor::{Actor, ActorRef};
use tokio::sync::watch;

use super::*;
use crate::data_plane::hook::actor::{Courier, Start};
use crate::data_plane::hook::handle::Teller;
use crate::data_plane::hook::message::Message;
use crate::data_plane::hook::{Error, Said};
use crate::data_plane::tool;
use crate::journal::events::Event;
use crate::journal::order::Tool;
use crate::journal::record::{Ended, Outcome, TaskRecord};
use crate::journal::tests::Desk;
use crate::store::Batch;

type Script = dyn Fn(usize) -> Option<Result<(), Error>> + Send + Sync;

/// A tool that answers its calls, counted from 0, as the script says; none: never.
#[derive(Clone)]
struct Scripted {
    calls: Arc<watch::Sender<Vec<(TaskId, Hook)>>>,
    script: Arc<Script>,
}

impl Scripted {
    fn new(script: impl Fn(usize) -> Option<Result<(), Error>> + Send + Sync + 'static) -> Self {
        Self { calls: Arc::new(watch::Sender::new(Vec::new())), script: Arc::new(script) }
    }

    fn teller(&self) -> Teller {
        let own = self.clone();
        Arc::new(move |entry, _| {
            let number = own.calls.borrow().len();
            own.calls.send_modify(|calls| calls.push((entry.task, entry.hook)));
            let answer = (own.script)(number);
            Box::pin(async move {
                match answer {
                    Some(answer) => answer.map(|()| Said::Told),
                    None => std::future::pending().await,
                }
            })
        })
    }

    async fn was_called(&self, count: usize) {
        self.calls.subscribe().wait_for(|calls| calls.len() >= count).await.expect("it is there");
    }
}

async fn courier(desk: &Desk, scripted: &Scripted) -> ActorRef<Message> {
    let (outbox, events) = (desk.journal.outbox().clone(), desk.journal.events().clone());
    let start = Start { outbox, events, teller: scripted.teller(), rules: RULES };
    Actor::spawn(None, Courier, start).await.expect("starts").0
}

/// A task that has been cancelled, which `pager` is to be told.
async fn cancelled(desk: &Desk) -> TaskId {
    let mut order = desk.order("acme");
    (order.hooks, order.tools) =
        ([(Hook::Cancel, super::tool("pager"))].into_iter().collect(), vec![Tool(super::tool("pager"))]);
    let id = order.task;
    desk.journal.submit(order, Usd::ZERO, THEN, Batch::new()).await.expect("submitted");
    let holder = desk.journal.take_up(id).expect("open");
    let ended = TaskRecord::Ended(Ended { outcome: Outcome::Cancelled, at: Timestamp::now() });
    desk.journal.append(&holder, vec![ended], Batch::new()).await.expect("ended");
    id
}

/// The next news of a hook.
async fn next(news: &mut tokio::sync::broadcast::Receiver<Event>) -> Event {
    loop {
        let event = news.recv().await.expect("an event");
        if event.kind.starts_with("hook_") {
            break event;
        }
    }
}

async fn is_empty(desk: &Desk) -> bool {
    desk.journal.outbox().depths().await.expect("read").is_empty()
}

#[tokio::test(start_paused = true)]
async fn what_was_placed_before_and_after_the_start_is_delivered_and_told() {
    let desk = Desk::open();
    let mut news = desk.journal.events().subscribe();
    let before = cancelled(&desk).await;
    // A former incarnation heard of it, and ended before it could look.
    desk.journal.outbox().announced().await;
    let scripted = Scripted::new(|_| Some(Ok(())));
    let _courier = courier(&desk, &scripted).await;
    let event = next(&mut news).await;
    assert_eq!((event.kind, event.task, event.sequence), ("hook_delivered", Some(before), None));
    let after = cancelled(&desk).await;
    assert_eq!(next(&mut news).await.task, Some(after));
    assert!(is_empty(&desk).await);
    assert_eq!(*scripted.calls.borrow(), [(before, Hook::Cancel), (after, Hook::Cancel)]);
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_fails_is_called_as_often_as_the_rules_say_and_then_given_up_loudly() {
    let desk = Desk::open();
    let mut news = desk.journal.events().subscribe();
    let scripted = Scripted::new(|_| Some(Err(Error::Tool(tool::Error::TimedOut))));
    let _courier = courier(&desk, &scripted).await;
    cancelled(&desk).await;
    let event = next(&mut news).await;
    assert_eq!(event.kind, "hook_failed");
    assert!(event.details.contains(&("code", "tool_timed_out".to_owned())), "{event:?}");
    assert!(event.details.contains(&("attempts", "3".to_owned())), "{event:?}");
    assert_eq!(scripted.calls.borrow().len(), 3);
    assert!(is_empty(&desk).await);
}

/// INVARIANT I85.
#[tokio::test(start_paused = true)]
async fn an_entry_whose_call_was_cut_off_is_delivered_by_the_next_incarnation() {
    let desk = Desk::open();
    let mut news = desk.journal.events().subscribe();
    let scripted = Scripted::new(|number| (number > 0).then_some(Ok(())));
    let first = courier(&desk, &scripted).await;
    let id = cancelled(&desk).await;
    scripted.was_called(1).await;
    first.kill_and_wait(None).await.expect("killed");
    assert!(!is_empty(&desk).await);
    let _second = courier(&desk, &scripted).await;
    assert_eq!(next(&mut news).await.task, Some(id));
    assert!(is_empty(&desk).await);
    assert_eq!(scripted.calls.borrow().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_drains_waits_for_its_calls_and_begins_no_other() {
    let desk = Desk::open();
    let gate = Arc::new(Mutex::new(None));
    let (opened, waits) = tokio::sync::oneshot::channel();
    *gate.lock().expect("no poison") = Some(waits);
    let calls = Arc::new(watch::Sender::new(0_usize));
    let counted = Arc::clone(&calls);
    let teller: Teller = Arc::new(move |_, _| {
        counted.send_modify(|calls| *calls += 1);
        let waits = gate.lock().expect("no poison").take();
        Box::pin(async move {
            if let Some(waits) = waits {
                waits.await.expect("opened");
            }
            Ok(Said::Told)
        })
    });
    let (outbox, events) = (desk.journal.outbox().clone(), desk.journal.events().clone());
    let (actor, _ended) =
        Actor::spawn(None, Courier, Start { outbox, events, teller, rules: RULES }).await.expect("starts");
    cancelled(&desk).await;
    calls.subscribe().wait_for(|calls| *calls == 1).await.expect("called");
    let (reply, drained) = tokio::sync::oneshot::channel();
    actor.cast(Message::Drain(reply.into())).expect("sent");
    cancelled(&desk).await;
    opened.send(()).expect("it waits");
    drained.await.expect("drained");
    let depths = desk.journal.outbox().depths().await.expect("read");
    assert_eq!((depths, *calls.borrow()), (vec![(super::tool("pager"), 1)], 1), "the other waits for the next start");
}

/// INVARIANT I86: a hook whose tool has no slot is not at its call, and a stop does not wait for one.
#[tokio::test(start_paused = true)]
async fn what_has_no_slot_is_tried_again_without_counting_and_a_stop_does_not_wait_for_it() {
    let desk = Desk::open();
    let mut news = desk.journal.events().subscribe();
    let tries = Arc::new(watch::Sender::new(0_usize));
    let counted = Arc::clone(&tries);
    let free = Arc::new(Mutex::new(false));
    let is_free = Arc::clone(&free);
    let teller: Teller = Arc::new(move |_, _| {
        counted.send_modify(|tries| *tries += 1);
        let said = if *is_free.lock().expect("no poison") { Said::Told } else { Said::NoSlot };
        Box::pin(async move { Ok(said) })
    });
    let (outbox, events) = (desk.journal.outbox().clone(), desk.journal.events().clone());
    let start = Start { outbox, events, teller, rules: RULES };
    let (first, _ended) = Actor::spawn(None, Courier, start.clone()).await.expect("starts");
    cancelled(&desk).await;
    // More often than calls are made.
    tries.subscribe().wait_for(|tries| *tries > 5).await.expect("tried");
    let (reply, drained) = tokio::sync::oneshot::channel();
    first.cast(Message::Drain(reply.into())).expect("sent");
    drained.await.expect("nothing is under way");
    assert!(!is_empty(&desk).await);
    *free.lock().expect("no poison") = true;
    let _second = Actor::spawn(None, Courier, start).await.expect("starts");
    let event = next(&mut news).await;
    assert_eq!(event.kind, "hook_delivered");
    assert!(event.details.contains(&("attempts", "1".to_owned())), "{event:?}");
}
