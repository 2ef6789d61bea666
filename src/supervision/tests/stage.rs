//! Actors that do as they are told and write down what becomes of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use tokio::sync::{Notify, oneshot};

use crate::supervision::{Address, Backoff, ChildSpec, Intensity, RestartNotice, Shutdown};

/// Virtual time in which anything awaited must happen.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// More restarts than any scenario makes.
pub(super) const GENEROUS: Intensity = Intensity { restarts: 1_000, period: Duration::from_secs(1) };

/// What an actor is told.
pub(super) enum Order {
    Panic,
    /// Panic with a message that quotes this.
    PanicOver(&'static str),
    Fail,
    End,
    Ping(RpcReplyPort<()>),
    /// Its handler is to wait for this.
    Hold(oneshot::Receiver<()>),
    /// Its `post_stop` is to wait for this.
    StopSlowly(oneshot::Receiver<()>),
}

/// What happened, in order.
#[derive(Clone, Default)]
pub(super) struct Stage {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    lines: Mutex<Vec<String>>,
    failing: Mutex<HashMap<String, u32>>,
    changed: Notify,
}

impl Stage {
    pub(super) fn write(&self, line: impl Into<String>) {
        self.shared.lines.lock().expect("lines").push(line.into());
        self.shared.changed.notify_waiters();
    }

    /// What happened since the last time, as one line.
    pub(super) fn read(&self) -> String {
        std::mem::take(&mut *self.shared.lines.lock().expect("lines")).join(" ")
    }

    /// Waits until so much has happened, and reads it.
    pub(super) async fn read_after(&self, lines: usize) -> String {
        let enough = async {
            loop {
                let changed = self.shared.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if self.shared.lines.lock().expect("lines").len() >= lines {
                    return;
                }
                changed.await;
            }
        };
        if tokio::time::timeout(PATIENCE, enough).await.is_err() {
            panic!("waited for {lines} lines, have: {}", self.read());
        }
        self.read()
    }

    /// The next so many starts of this actor fail.
    pub(super) fn fail_starts(&self, name: &str, times: u32) {
        self.shared.failing.lock().expect("failing").insert(name.to_owned(), times);
    }

    fn may_start(&self, name: &str) -> bool {
        match self.shared.failing.lock().expect("failing").get_mut(name) {
            Some(left) if *left > 0 => {
                *left -= 1;
                false
            }
            _ => true,
        }
    }

    /// A worker without backoff, and where to reach it.
    pub(super) fn worker(&self, name: &str) -> (Address<Order>, ChildSpec) {
        let (address, stage, label) = (Address::new(name), self.clone(), name.to_owned());
        let spec = ChildSpec::worker(&address, move || (Player, (label.clone(), stage.clone())));
        (address, spec.backoff(Backoff::NONE).shutdown(Shutdown::Timeout(Duration::from_secs(5))))
    }

    /// An observer that writes `restart(child,reason)`.
    pub(super) fn observer(&self) -> crate::supervision::Observer {
        let stage = self.clone();
        Arc::new(move |notice: &RestartNotice| stage.write(format!("({} {})", notice.child, notice.exit.reason())))
    }
}

pub(super) async fn ping(address: &Address<Order>) {
    address.call(PATIENCE, Order::Ping).await.expect("an answer");
}

struct Player;

struct Part {
    name: String,
    stage: Stage,
    slow: Option<oneshot::Receiver<()>>,
}

impl Drop for Part {
    fn drop(&mut self) {
        self.stage.write(format!("~{}", self.name));
    }
}

impl Actor for Player {
    type Msg = Order;
    type State = Part;
    type Arguments = (String, Stage);

    async fn pre_start(
        &self,
        _: ActorRef<Order>,
        (name, stage): Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        if !stage.may_start(&name) {
            stage.write(format!("x{name}"));
            return Err("told to fail".into());
        }
        stage.write(format!("+{name}"));
        Ok(Part { name, stage, slow: None })
    }

    async fn handle(&self, myself: ActorRef<Order>, order: Order, part: &mut Part) -> Result<(), ActorProcessingErr> {
        match order {
            Order::Panic => panic!("told to panic"),
            Order::PanicOver(text) => panic!("cannot read {text}"),
            Order::Fail => return Err("told to fail".into()),
            Order::End => myself.stop(None),
            Order::Ping(reply) => reply.send(()).expect("a caller"),
            Order::Hold(until) => {
                part.stage.write(format!("…{}", part.name));
                drop(until.await);
            }
            Order::StopSlowly(until) => part.slow = Some(until),
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Order>, part: &mut Part) -> Result<(), ActorProcessingErr> {
        if let Some(until) = part.slow.take() {
            part.stage.write(format!("…{}", part.name));
            drop(until.await);
        }
        part.stage.write(format!("-{}", part.name));
        Ok(())
    }
}
