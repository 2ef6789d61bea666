//! The supervisor as an actor: performs what `state` decides.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use tokio::time::Instant;

use super::backoff::Jitter;
use super::child::{Generation, Key};
use super::contradiction::Terms;
use super::incarnation::{Returned, Tie};
use super::message::{Message, Reply};
use super::roster::Roster;
use super::state::{Action, Refusal, State};
use super::supervisor_spec::Inherited;
use super::{ChildId, ChildSpec, Error, Exit, Intensity, Note, StartError, Strategy, SupervisorSpec};

/// What a supervisor is started with.
pub(super) struct Arguments {
    pub(super) spec: SupervisorSpec,
    /// Its own observer, alarm and ledger, or those above it.
    pub(super) inherited: Inherited,
    pub(super) tie: Arc<Tie>,
}

/// A supervisor gave up: its parent restarts it as a whole, or gives up too.
#[derive(Debug, thiserror::Error)]
#[error("{supervisor} bore more than {} restarts in {:?}, the last of {child} ({exit})", intensity.restarts, intensity.period)]
struct Escalation {
    supervisor: Arc<str>,
    child: ChildId,
    exit: Exit,
    intensity: Intensity,
}

/// The actor; all it knows is in its state.
pub(super) struct Supervisor;

/// A supervisor's children, the decisions about them, and who waits for these.
pub(super) struct Running {
    pub(super) name: Arc<str>,
    pub(super) strategy: Strategy,
    terms: Terms,
    intensity: Intensity,
    limit: usize,
    pub(super) inherited: Inherited,
    pub(super) began: Instant,
    /// Whether a round of looking after the children is planned.
    pub(super) has_rounds: bool,
    pub(super) state: State,
    pub(super) roster: Roster,
}

impl Actor for Supervisor {
    type Msg = Message;
    type State = Running;
    type Arguments = Arguments;

    async fn pre_start(&self, myself: ActorRef<Message>, arguments: Arguments) -> Result<Running, ActorProcessingErr> {
        let Arguments { spec, inherited, tie } = arguments;
        let mut running = Running {
            state: State::new(spec.terms(), spec.intensity, spec.children_max),
            terms: spec.terms(),
            roster: Roster::new(myself.get_cell(), tie, inherited.clone()),
            name: spec.name,
            strategy: spec.strategy,
            intensity: spec.intensity,
            limit: spec.children_max,
            inherited,
            began: Instant::now(),
            has_rounds: false,
        };
        for child in spec.children {
            match running.start_child(&myself, child).await? {
                // One that an earlier process left in quarantine stays there, and its siblings run.
                Ok(()) | Err(Error::Quarantined { .. }) => {}
                Err(error) => {
                    running.stop_all().await;
                    return Err(error.into());
                }
            }
        }
        if running.strategy != Strategy::Dynamic {
            running.plan_round(&myself);
        }
        Ok(running)
    }

    async fn post_stop(&self, _myself: ActorRef<Message>, running: &mut Running) -> Result<(), ActorProcessingErr> {
        running.stop_all().await;
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        running: &mut Running,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::StartChild(spec, reply) => {
                let outcome = running.start_child(&myself, *spec).await?;
                answer(reply, outcome);
                Ok(())
            }
            Message::TerminateChild(id, reply) => running.terminate_child(&myself, &id, reply).await,
            Message::RestartChild(id, reply) => {
                let outcome = running.restart_child(&myself, &id).await?;
                answer(reply, outcome);
                Ok(())
            }
            Message::DeleteChild(id, reply) => {
                let outcome = running.delete_child(&myself, &id).await?;
                answer(reply, outcome);
                Ok(())
            }
            Message::KillChild(id, reply) => {
                answer(reply, running.kill_child(&id));
                Ok(())
            }
            Message::Release(id, reply) => {
                let outcome = running.release_child(&myself, &id).await?;
                answer(reply, outcome);
                Ok(())
            }
            Message::Find(path, reply) => {
                answer(reply, running.find(&path));
                Ok(())
            }
            Message::Round => {
                let actions = running.look_after(&myself);
                running.perform(&myself, actions).await
            }
            Message::Count(reply) => {
                answer(reply, running.count());
                Ok(())
            }
            Message::Which(reply) => {
                answer(reply, running.which());
                Ok(())
            }
            Message::List(reply) => {
                answer(reply, running.list());
                Ok(())
            }
            Message::Elapsed(key, generation) => {
                let actions = running.state.elapsed(key, generation);
                running.perform(&myself, actions).await
            }
        }
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Message>,
        event: SupervisionEvent,
        running: &mut Running,
    ) -> Result<(), ActorProcessingErr> {
        let (cell, exit) = match event {
            SupervisionEvent::ActorTerminated(cell, _state, reason) => (cell, exit_of(reason.as_deref())),
            SupervisionEvent::ActorFailed(cell, error) if error.is::<Returned>() => {
                (cell, Exit::error(&error.to_string()))
            }
            SupervisionEvent::ActorFailed(cell, panic) => (cell, Exit::panic(&panic.to_string())),
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => return Ok(()),
        };
        let Some((key, generation)) = running.roster.ended(cell.get_id()) else { return Ok(()) };
        let actions = running.state.exited(key, generation, exit, running.now(), jitter());
        running.perform(&myself, actions).await
    }
}

/// ractor's word for how an actor ended without a failure of its own.
fn exit_of(reason: Option<&str>) -> Exit {
    match reason {
        Some("killed" | "actor_task_cancelled") => Exit::Killed,
        Some(_) | None => Exit::Normal,
    }
}

fn jitter() -> Jitter {
    Jitter(rand::random())
}

fn answer<T>(reply: RpcReplyPort<T>, outcome: T) {
    if reply.send(outcome).is_err() {
        tracing::debug!("the caller of a supervisor no longer waits");
    }
}

/// Calls a hook; its panic is its own.
pub(super) fn guarded(hook: &'static str, call: impl FnOnce()) {
    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_err() {
        tracing::error!(hook, "hook of a supervisor panicked");
    }
}

impl Running {
    /// Does what was decided, and what is decided in its course.
    pub(super) async fn perform(
        &mut self,
        myself: &ActorRef<Message>,
        actions: Vec<Action>,
    ) -> Result<(), ActorProcessingErr> {
        let mut actions = VecDeque::from(actions);
        while let Some(action) = actions.pop_front() {
            match action {
                Action::Start { key, generation } => {
                    let outcome = self.roster.start(key, generation).await;
                    actions.extend(self.report_start(key, generation, outcome.as_ref().err()));
                }
                Action::Stop { key } => self.roster.stop(key),
                Action::After { key, generation, delay } => set_timer(myself, key, generation, delay),
                Action::Announce { key, exit, delay } => self.announce(key, exit, delay),
                Action::Settle { key } => {
                    // A member of a group that is restarted has not ended.
                    if !self.state.is_recovering(key) {
                        self.note(key, Note::Ended);
                    }
                    self.roster.settle(key);
                }
                Action::Forget { key } => self.roster.forget(key),
                Action::GiveUp { key, exit, restarts, intensity } => self.give_up(key, exit, restarts, intensity),
                Action::Quarantine { key, exit, restarts } => self.quarantine(key, exit, restarts),
                Action::Released { key } => self.released(key),
                Action::Stuck { key, busy_for, then } => self.stuck(key, busy_for, then),
                Action::Unstuck { key } => self.roster.mark_stuck(key, None),
                Action::Kill { key } => self.roster.kill(key),
                Action::ShutDown => {
                    tracing::info!(supervisor = %self.name, "significant children have ended");
                    // Its other children are stopped in `post_stop`, as when it is told to stop.
                    myself.stop(Some("shutdown".to_owned()));
                    return Ok(());
                }
                Action::Escalate { key, exit } => {
                    let (supervisor, child) = (self.name.clone(), self.id_of(key));
                    tracing::error!(%supervisor, %child, %exit, "restart intensity exceeded");
                    self.forgive_all();
                    self.stop_all().await;
                    return Err(Escalation { supervisor, child, exit, intensity: self.intensity }.into());
                }
            }
        }
        Ok(())
    }

    fn report_start(&mut self, key: Key, generation: Generation, failure: Option<&StartError>) -> Vec<Action> {
        let now = self.now();
        match failure {
            None => self.state.started(key, generation, now),
            Some(error) => self.state.start_failed(key, generation, Exit::error(&error.to_string()), now, jitter()),
        }
    }

    async fn start_child(
        &mut self,
        myself: &ActorRef<Message>,
        spec: ChildSpec,
    ) -> Result<Result<(), Error>, ActorProcessingErr> {
        if let Err(fault) = self.terms.check(&spec) {
            return Ok(Err(Error::BadSpec { supervisor: self.name.clone(), child: spec.id, fault }));
        }
        let (key, generation) = match self.state.add(spec.traits()) {
            Ok(issued) => issued,
            Err(refusal) => return Ok(Err(self.refused(refusal, &spec.id))),
        };
        let (id, is_watched) = (spec.id.clone(), spec.stuck.is_some());
        self.roster.insert(key, spec);
        if is_watched {
            self.plan_round(myself);
        }
        if self.recall(key) {
            return Ok(Err(self.refused(Refusal::Quarantined, &id)));
        }
        self.start_for_caller(myself, key, generation).await
    }

    async fn restart_child(
        &mut self,
        myself: &ActorRef<Message>,
        id: &ChildId,
    ) -> Result<Result<(), Error>, ActorProcessingErr> {
        match self.state.restart_child(id) {
            Ok((key, generation)) => self.start_for_caller(myself, key, generation).await,
            Err(refusal) => Ok(Err(self.refused(refusal, id))),
        }
    }

    pub(super) async fn start_for_caller(
        &mut self,
        myself: &ActorRef<Message>,
        key: Key,
        generation: Generation,
    ) -> Result<Result<(), Error>, ActorProcessingErr> {
        let outcome = self.roster.start(key, generation).await;
        let actions = self.report_start(key, generation, outcome.as_ref().err());
        self.perform(myself, actions).await?;
        Ok(outcome.map_err(|error| self.start_refused(error)))
    }

    async fn terminate_child(
        &mut self,
        myself: &ActorRef<Message>,
        id: &ChildId,
        reply: Reply,
    ) -> Result<(), ActorProcessingErr> {
        match self.state.terminate(id) {
            Ok((key, actions)) => {
                self.roster.answer_when_settled(key, reply);
                self.perform(myself, actions).await
            }
            Err(refusal) => {
                answer(reply, Err(self.refused(refusal, id)));
                Ok(())
            }
        }
    }

    /// Kills a child and plans nothing: what follows is what follows a crash.
    fn kill_child(&self, id: &ChildId) -> Result<(), Error> {
        let key = self.state.find(id).map_err(|refusal| self.refused(refusal, id))?;
        self.roster.kill(key);
        Ok(())
    }

    async fn delete_child(
        &mut self,
        myself: &ActorRef<Message>,
        id: &ChildId,
    ) -> Result<Result<(), Error>, ActorProcessingErr> {
        match self.state.delete(id) {
            Ok(actions) => {
                self.perform(myself, actions).await?;
                Ok(Ok(()))
            }
            Err(refusal) => Ok(Err(self.refused(refusal, id))),
        }
    }

    /// Ends every child: one confirmed exit after the other in the reverse order of their start, or, of a dynamic supervisor,
    /// all at once.
    async fn stop_all(&mut self) {
        let keys: Vec<Key> = self.state.children().rev().map(|(key, _)| key).collect();
        match self.strategy {
            Strategy::Dynamic => self.roster.stop_together(keys).await,
            Strategy::OneForOne | Strategy::OneForAll | Strategy::RestForOne => self.roster.stop_in_turn(keys).await,
        }
    }

    pub(super) fn id_of(&self, key: Key) -> ChildId {
        self.roster.spec(key).map_or_else(|| self.name.clone(), |spec| spec.id.clone())
    }

    fn start_refused(&self, error: StartError) -> Error {
        match error.contradiction {
            Some(fault) => Error::BadSpec { supervisor: self.name.clone(), child: error.child, fault },
            None => Error::Start(error),
        }
    }

    pub(super) fn refused(&self, refusal: Refusal, child: &ChildId) -> Error {
        let (supervisor, child) = (self.name.clone(), child.clone());
        match refusal {
            Refusal::Unknown => Error::UnknownChild { supervisor, child },
            Refusal::Duplicate => Error::DuplicateChild { supervisor, child },
            Refusal::Full => Error::Full { supervisor, limit: self.limit },
            Refusal::Running => Error::Running { supervisor, child },
            Refusal::Restarting => Error::Restarting { supervisor, child },
            Refusal::Quarantined => Error::Quarantined { supervisor, child },
            Refusal::NotQuarantined => Error::NotQuarantined { supervisor, child },
        }
    }
}

/// A timer that blocks nobody; it names its generation, so that a stale one is known.
fn set_timer(myself: &ActorRef<Message>, key: Key, generation: Generation, delay: Duration) {
    send_later(myself, delay, Message::Elapsed(key, generation));
}

pub(super) fn send_later(myself: &ActorRef<Message>, delay: Duration, message: Message) {
    let myself = myself.clone();
    tokio::spawn(async move {
        tokio::time::sleep(delay).await;
        if myself.cast(message).is_err() {
            tracing::trace!("a supervisor ended before its timer");
        }
    });
}
