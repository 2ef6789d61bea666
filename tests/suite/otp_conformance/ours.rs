//! Plays scenarios on `agent_factory::supervision` and writes down what happened.
//!
//! One thread and a paused clock: time passes only when every actor waits, so that two seconds of it are enough for anything that a
//! step sets off, whatever the machine is doing. An actor is written down as ended when it is dropped.

use std::collections::HashMap;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use agent_factory::domain::failure::Failure;
use agent_factory::supervision::{
    Address, Backoff, ChildSpec, Error, Intensity, NodeKind, NodeState, Restart, Strategy, SupervisorHandle,
    SupervisorSpec, start_root,
};
use futures::future::{BoxFuture, FutureExt};
use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::scenario::{Child, Id, Kind, Scenario, Step, Sup, Temper};

const PERIOD: Duration = Duration::from_secs(3_600);

/// Longer than any shutdown that has to run out.
const QUIET_AFTER: Duration = Duration::from_secs(2);

/// The trace of a scenario.
pub(super) fn play(scenario: &Scenario) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let stage = Stage::default();
    stage.lock().failing.extend(scenario.failing.iter().copied());
    let lines = runtime.expect("a runtime").block_on(stage.play(scenario));
    format!("= {}\n{lines}", scenario.name)
}

#[derive(Clone, Default)]
struct Stage {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    happened: Vec<String>,
    failing: HashMap<Id, u32>,
    workers: HashMap<Id, Address<Order>>,
    supervisors: HashMap<Id, SupervisorHandle>,
    gave_up: bool,
}

enum Order {
    Exit,
    Crash,
    Panic,
}

impl Stage {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self, line: String) {
        self.lock().happened.push(line);
    }

    fn address(&self, id: Id) -> Address<Order> {
        self.lock().workers.entry(id).or_insert_with(|| Address::new(id)).clone()
    }

    fn handle(&self, id: Id) -> SupervisorHandle {
        self.lock().supervisors.entry(id).or_insert_with(|| SupervisorHandle::new(id)).clone()
    }

    async fn play(&self, scenario: &Scenario) -> String {
        // Above the root, so that how it ended can be told.
        let above = start_root(SupervisorSpec::new("above", Strategy::Dynamic)).await.expect("a supervisor");
        let (stage, hook, sup) = (self.clone(), self.clone(), scenario.root.clone());
        let root = ChildSpec::supervisor(&self.handle("root"), move || stage.supervisor_spec(&sup))
            .restart(Restart::Transient)
            .intensity(Intensity { restarts: 0, period: PERIOD })
            .on_give_up(Arc::new(move |_| hook.lock().gave_up = true));
        let contradicts = Stage::default().supervisor_spec(&scenario.root).check().is_err();
        let started = match answer(above.start_child(root).await) {
            "failed" if contradicts => "bad_spec",
            started => started,
        };
        let mut lines = format!("init {started}\n");
        if started != "ok" {
            lines += &self.report("ended before it began");
            return lines;
        }
        for step in &scenario.steps {
            let (shown, ended) = self.settled(&above, false).await;
            lines += &self.report(&shown);
            if ended {
                return lines;
            }
            lines += &format!("{}\n", self.step(step).await);
        }
        let (shown, ended) = self.settled(&above, false).await;
        lines += &self.report(&shown);
        if !ended {
            lines += "shutdown\n";
            above.terminate_child(&"root".into()).await.expect("ended");
            let (shown, _) = self.settled(&above, true).await;
            lines += &self.report(&shown);
        }
        lines
    }

    /// What happened since the last time, and how things stand.
    fn report(&self, shown: &str) -> String {
        let happened = std::mem::take(&mut self.lock().happened);
        happened.iter().map(String::as_str).chain([shown]).map(|line| format!("  {line}\n")).collect()
    }

    /// How things stand once nothing happens any more, and whether that is the end.
    async fn settled(&self, above: &SupervisorHandle, asked: bool) -> (String, bool) {
        tokio::time::sleep(QUIET_AFTER).await;
        let listed = above.which_children().await.expect("children");
        if !listed.is_empty() {
            return (self.shown("root").await, false);
        }
        let how = match self.lock().gave_up {
            true => "by its intensity",
            false if asked => "as asked",
            false => "by itself",
        };
        (format!("ended {how}"), true)
    }

    fn shown(&self, name: &str) -> BoxFuture<'_, String> {
        let handle = self.lock().supervisors.get(name).expect("a supervisor").clone();
        async move {
            let counts = handle.count_children().await.expect("counts");
            let mut children = String::new();
            for child in handle.which_children().await.expect("children") {
                children += " ";
                children += &match (child.kind, child.state) {
                    (NodeKind::Supervisor, NodeState::Running) => self.shown(&child.id).await,
                    (_, state) => format!("{}:{}", child.id, state.as_str()),
                };
            }
            let (name, active, specs) = (handle.name(), counts.active, counts.specs);
            format!("{name}({active}/{specs} s{} w{})[{children} ]", counts.supervisors, counts.workers)
        }
        .boxed()
    }

    async fn step(&self, step: &Step) -> String {
        match step {
            Step::Exit(id) => self.order("exit", id, |actor| actor.cast(Order::Exit).expect("sent")),
            Step::Crash(id) => self.order("crash", id, |actor| actor.cast(Order::Crash).expect("sent")),
            Step::Panic(id) => self.order("panic", id, |actor| actor.cast(Order::Panic).expect("sent")),
            Step::Kill(id) => self.order("kill", id, |actor| actor.kill()),
            Step::Fail(id, times) => {
                self.lock().failing.insert(id, *times);
                format!("fail {id} {times}")
            }
            Step::Start(sup, child) => {
                let outcome = self.handle(sup).start_child(self.child_spec(child)).await;
                format!("start {sup}/{} -> {}", child.id, answer(outcome))
            }
            Step::Terminate(sup, id) => {
                let outcome = self.handle(sup).terminate_child(&(*id).into()).await;
                format!("terminate {sup}/{id} -> {}", answer(outcome))
            }
            Step::Restart(sup, id) => {
                let outcome = self.handle(sup).restart_child(&(*id).into()).await;
                format!("restart {sup}/{id} -> {}", answer(outcome))
            }
            Step::Delete(sup, id) => {
                let outcome = self.handle(sup).delete_child(&(*id).into()).await;
                format!("delete {sup}/{id} -> {}", answer(outcome))
            }
        }
    }

    fn order(&self, word: &str, id: Id, tell: impl FnOnce(ActorRef<Order>)) -> String {
        match self.address(id).current() {
            Some(actor) => {
                tell(actor);
                format!("{word} {id}")
            }
            None => format!("{word} {id} absent"),
        }
    }

    fn supervisor_spec(&self, sup: &Sup) -> SupervisorSpec {
        self.write(format!("start {}", sup.name));
        let spec = SupervisorSpec::new(sup.name, sup.strategy)
            .intensity(Intensity { restarts: sup.intensity, period: PERIOD })
            .auto_shutdown(sup.auto_shutdown);
        sup.children.iter().fold(spec, |spec, child| spec.child(self.child_spec(child)))
    }

    fn child_spec(&self, child: &Child) -> ChildSpec {
        let stage = self.clone();
        let spec = match child.kind.clone() {
            Kind::Supervisor(sup) => ChildSpec::supervisor(&self.handle(child.id), move || stage.supervisor_spec(&sup)),
            Kind::Worker(shutdown, temper) => {
                let id = child.id;
                let player = move || Player { id, temper, stage: stage.clone(), end: Mutex::new(End::NotBegun) };
                ChildSpec::worker(&self.address(id), move || (player(), ())).shutdown(shutdown)
            }
        };
        let spec = spec.restart(child.restart).backoff(Backoff::NONE);
        if child.significant { spec.significant() } else { spec }
    }
}

fn answer(outcome: Result<(), Error>) -> &'static str {
    let Err(error) = outcome else { return "ok" };
    match error.code() {
        "child_unknown" => "unknown",
        "child_duplicate" => "duplicate",
        "child_running" => "running",
        "child_restarting" => "restarting",
        "child_start_failed" => "failed",
        "child_spec_refused" => "bad_spec",
        "actor_not_running" => "absent",
        other => other,
    }
}

struct Player {
    id: Id,
    temper: Temper,
    stage: Stage,
    end: Mutex<End>,
}

/// How an actor ends if it is dropped now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    NotBegun,
    Killed,
    Crash,
    /// Of its own will; not yet through.
    Leaving,
    Normal,
    Shutdown,
}

impl Player {
    fn end(&self) -> MutexGuard<'_, End> {
        self.end.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let end = match *self.end() {
            End::NotBegun => return,
            End::Killed | End::Leaving => "killed",
            End::Crash => "crash",
            End::Normal => "normal",
            End::Shutdown => "shutdown",
        };
        self.stage.write(format!("stop {} {end}", self.id));
    }
}

impl Actor for Player {
    type Msg = Order;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Order>, (): ()) -> Result<(), ActorProcessingErr> {
        if let Some(left) = self.stage.lock().failing.get_mut(self.id).filter(|left| **left > 0) {
            *left -= 1;
        } else {
            *self.end() = End::Killed;
            self.stage.write(format!("start {}", self.id));
            return Ok(());
        }
        self.stage.write(format!("refused {}", self.id));
        Err("told to fail".into())
    }

    async fn handle(&self, myself: ActorRef<Order>, order: Order, (): &mut ()) -> Result<(), ActorProcessingErr> {
        *self.end() = match order {
            Order::Exit => End::Leaving,
            Order::Crash | Order::Panic => End::Crash,
        };
        match order {
            Order::Exit => myself.stop(None),
            Order::Crash => return Err("told to crash".into()),
            // Without the hook that would print each.
            Order::Panic => std::panic::resume_unwind(Box::new("told to panic")),
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Order>, (): &mut ()) -> Result<(), ActorProcessingErr> {
        if *self.end() == End::Leaving {
            *self.end() = End::Normal;
            return Ok(());
        }
        match self.temper {
            Temper::Obedient => *self.end() = End::Shutdown,
            Temper::Stubborn => pending().await,
            Temper::Sour => {
                *self.end() = End::Crash;
                return Err("told to crash".into());
            }
        }
        Ok(())
    }
}
