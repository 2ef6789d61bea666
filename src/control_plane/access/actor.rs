//! The shell: resolves the rules, reads the tokens file when it changes, looks users up, publishes snapshots. It never blocks:
//! what may take long is done apart and comes back as a message.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use notify::RecommendedWatcher;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use crate::journal::events::Event;

use super::directory;
use super::error::Error;
use super::message::Message;
use super::snapshot::{Rules, Shared, Snapshot};
use super::table::{Identity, Table};
use super::tokens::{Tokens, Unusable};
use super::watch;

/// How long a start waits for the host's directory before it goes on without the names of the settings.
const RESOLVED_WITHIN: Duration = Duration::from_secs(5);
/// The most look-ups at once.
const LOOK_UPS_MAX: usize = 16;
/// The most requests that wait for look-ups.
const WAITING_MAX: usize = 1_024;

pub(super) struct Gatekeeper;

pub(super) struct State {
    shared: Arc<Shared>,
    waiting: HashMap<u32, Vec<RpcReplyPort<Result<Identity, Error>>>>,
    reading: bool,
    changed_again: bool,
    generation: u64,
    watcher: Option<RecommendedWatcher>,
}

impl Actor for Gatekeeper {
    type Msg = Message;
    type State = State;
    type Arguments = Arc<Shared>;

    async fn pre_start(&self, myself: ActorRef<Message>, shared: Arc<Shared>) -> Result<State, ActorProcessingErr> {
        let rules = shared.rules.load_full();
        // The watch begins before the file is read, so that no change falls between the two.
        let watcher = watch_tokens(&rules, &myself);
        let own_uid = shared.own_uid;
        let resolving = spawn_blocking({
            let rules = rules.clone();
            move || resolve(&rules, own_uid)
        });
        let (table, tokens) = match timeout(RESOLVED_WITHIN, resolving).await {
            Ok(resolved) => resolved?,
            Err(_) => {
                tracing::error!(
                    "the host's directory does not answer; only root and the daemon's user get in until settings are re-read"
                );
                (Table { own_uid, ..Table::default() }, Ok(Tokens::default()))
            }
        };
        let tokens = tokens.unwrap_or_else(|reason| none_of(&reason));
        publish(&shared, |_| Snapshot {
            table: Arc::new(table),
            tokens: Arc::new(tokens),
            identities: Arc::default(),
            anonymous_role: rules.anonymous_role,
        });
        Ok(State { shared, waiting: HashMap::new(), reading: false, changed_again: false, generation: 0, watcher })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::LookUp { uid, reply } => state.look_up(&myself, uid, reply),
            Message::LookedUp { uid, found } => state.looked_up(uid, &found),
            Message::DirectoryChanged => state.read_tokens(&myself),
            Message::TokensRead { tokens } => state.tokens_read(&myself, tokens),
            Message::Reload { rules, reply } => state.reload(&myself, rules, reply),
            Message::Reloaded { generation, table, tokens, reply } => {
                if generation == state.generation {
                    state.reloaded(table, tokens);
                }
                answer(reply, ());
            }
        }
        Ok(())
    }
}

impl State {
    fn look_up(&mut self, myself: &ActorRef<Message>, uid: u32, reply: RpcReplyPort<Result<Identity, Error>>) {
        if let Some(identity) = self.shared.snapshot.load().identity(uid, Instant::now()) {
            return answer(reply, Ok(identity.clone()));
        }
        let waiting = self.waiting.values().map(Vec::len).sum::<usize>();
        let new = !self.waiting.contains_key(&uid);
        if waiting >= WAITING_MAX || (new && self.waiting.len() >= LOOK_UPS_MAX) {
            return answer(reply, Err(Error::Busy));
        }
        self.waiting.entry(uid).or_default().push(reply);
        if new {
            apart(myself, move || Message::LookedUp { uid, found: directory::identity(uid) });
        }
    }

    fn looked_up(&mut self, uid: u32, found: &Result<Identity, String>) {
        if let Ok(identity) = found {
            publish(&self.shared, |now| now.with_identity(uid, identity.clone(), Instant::now()));
        }
        for reply in self.waiting.remove(&uid).unwrap_or_default() {
            answer(reply, found.clone().map_err(Error::Directory));
        }
    }

    fn read_tokens(&mut self, myself: &ActorRef<Message>) {
        let rules = self.shared.rules.load_full();
        if rules.tokens_file.is_none() {
            return;
        }
        self.changed_again = self.reading;
        if !self.reading {
            self.reading = true;
            let own_uid = self.shared.own_uid;
            apart(myself, move || Message::TokensRead { tokens: tokens_of(rules.tokens_file.as_deref(), own_uid) });
        }
    }

    /// A file that is malformed keeps what was read before, since it is being edited; one that is gone, or that others may
    /// write, gives nobody a token.
    fn tokens_read(&mut self, myself: &ActorRef<Message>, tokens: Result<Tokens, Unusable>) {
        let known = self.shared.snapshot.load().tokens.clone();
        self.reading = false;
        match tokens {
            Ok(tokens) if tokens == *known => {}
            Ok(tokens) => {
                tracing::info!(tokens = tokens.len(), "the tokens file was read");
                publish(&self.shared, |now| Snapshot { tokens: Arc::new(tokens), ..now.clone() });
            }
            Err(reason @ Unusable::Malformed(_)) => {
                tracing::error!(%reason, "the tokens read before stay in force");
            }
            Err(reason @ (Unusable::Unreadable(_) | Unusable::Lax { .. })) => {
                let tokens = Arc::new(none_of(&reason));
                publish(&self.shared, |now| Snapshot { tokens, ..now.clone() });
            }
        }
        if std::mem::take(&mut self.changed_again) {
            self.read_tokens(myself);
        }
    }

    fn reload(&mut self, myself: &ActorRef<Message>, rules: Rules, reply: RpcReplyPort<()>) {
        self.watcher = watch_tokens(&rules, myself);
        self.generation = self.generation.saturating_add(1);
        let (generation, own_uid) = (self.generation, self.shared.own_uid);
        let rules = Arc::new(rules);
        self.shared.rules.store(rules.clone());
        self.shared.changes.send_replace(());
        apart(myself, move || {
            let (table, tokens) = resolve(&rules, own_uid);
            Message::Reloaded { generation, table, tokens, reply }
        });
    }

    fn reloaded(&self, table: Table, tokens: Result<Tokens, Unusable>) {
        let tokens = tokens.unwrap_or_else(|reason| none_of(&reason));
        let anonymous_role = self.shared.rules.load().anonymous_role;
        publish(&self.shared, |_| Snapshot {
            table: Arc::new(table),
            tokens: Arc::new(tokens),
            identities: Arc::default(),
            anonymous_role,
        });
    }
}

fn publish(shared: &Shared, next: impl FnOnce(&Snapshot) -> Snapshot) {
    // The actor is the only writer, so nothing is lost between the reading and the storing.
    let now = shared.snapshot.load_full();
    let next = Arc::new(next(&now));
    let tokens = (next.tokens != now.tokens).then(|| next.tokens.len());
    shared.snapshot.store(next);
    shared.changes.send_replace(());
    if let (Some(tokens), Some(events)) = (tokens, shared.events.get()) {
        events.publish(Event::new("tokens_changed").with("tokens", tokens));
    }
}

fn resolve(rules: &Rules, own_uid: u32) -> (Table, Result<Tokens, Unusable>) {
    (directory::table(&rules.access, own_uid), tokens_of(rules.tokens_file.as_deref(), own_uid))
}

fn tokens_of(file: Option<&Path>, own_uid: u32) -> Result<Tokens, Unusable> {
    file.map_or_else(|| Ok(Tokens::default()), |path| Tokens::read(path, own_uid))
}

fn none_of(reason: &Unusable) -> Tokens {
    tracing::error!(%reason, "no token is valid");
    Tokens::default()
}

fn watch_tokens(rules: &Rules, myself: &ActorRef<Message>) -> Option<RecommendedWatcher> {
    let file = rules.tokens_file.as_deref()?;
    let watching = watch::watch(file, myself.clone());
    watching.map_err(|reason| tracing::error!(%reason, "the tokens file is not watched; a change needs a reload")).ok()
}

/// Runs what may block on a thread that may, and tells the actor.
fn apart(myself: &ActorRef<Message>, work: impl FnOnce() -> Message + Send + 'static) {
    let myself = myself.clone();
    let _working = spawn_blocking(move || {
        if myself.cast(work()).is_err() {
            tracing::debug!("access ended before its work apart");
        }
    });
}

/// Whoever asked may have gone.
fn answer<T: Send + 'static>(reply: RpcReplyPort<T>, value: T) {
    if reply.send(value).is_err() {
        tracing::debug!("whoever asked access no longer waits");
    }
}
