//! The actor `dlp_rules`: owns the operator's rules. It reads their file when it may have changed, and takes it only whole.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::RecommendedWatcher;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use tracing::{info, warn};

use super::load::{Loaded, Refused, load};
use super::watch;
use crate::data_plane::dlp::detectors::{InForce, Published};
use crate::data_plane::dlp::metrics;
use crate::journal::events::{Event, Events};

/// How long the file is left alone after a change was noticed: the debounce.
const QUIET: Duration = Duration::from_millis(100);

/// How often the file is read even if nothing was noticed: a directory may have been put in the place of the watched one.
const RESCAN_EVERY: Duration = Duration::from_secs(20);

/// What the actor is told.
#[derive(Debug)]
pub(super) enum Message {
    /// From the watch: the file may have changed.
    Changed,
    /// From the actor itself, after a while: it is time to read the file.
    Due,
    /// From the thread that read the file.
    Looked(Result<Loaded, Refused>),
    /// From the handle: read the file now, and say when that is done.
    Reload(RpcReplyPort<()>),
}

/// The actor.
pub(super) struct Librarian;

/// What each incarnation is given.
#[derive(Debug, Clone)]
pub(super) struct Means {
    pub(super) file: PathBuf,
    pub(super) in_force: InForce,
    pub(super) events: Events,
}

pub(super) struct State {
    means: Means,
    /// Whether a reading will come by itself: what is noticed until then is part of it.
    due: bool,
    /// Whether the file is being read.
    looking: bool,
    /// Whether it is to be read again after that.
    again: bool,
    /// Who waits for the file to be read: what is being read now may be older than the question, what comes after is not.
    waiting: Vec<RpcReplyPort<()>>,
    _watch: Option<RecommendedWatcher>,
}

impl Actor for Librarian {
    type Msg = Message;
    type State = State;
    type Arguments = Means;

    /// Watches first and reads then, so that no edit falls between.
    async fn pre_start(&self, myself: ActorRef<Message>, means: Means) -> Result<State, ActorProcessingErr> {
        let watch = watch::watch(&means.file, myself.clone());
        if let Err(fault) = &watch {
            warn!(%fault, "the file of DLP rules is not watched; it is read every {} seconds", RESCAN_EVERY.as_secs());
        }
        let _rescans = myself.send_interval(RESCAN_EVERY, || Message::Due);
        let mut state =
            State { means, due: false, looking: false, again: false, waiting: Vec::new(), _watch: watch.ok() };
        state.look(&myself);
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Changed if state.due => {}
            Message::Changed => {
                state.due = true;
                let _later = myself.send_after(QUIET, || Message::Due);
            }
            Message::Due => {
                state.due = false;
                state.look(&myself);
            }
            Message::Reload(reply) => {
                state.waiting.push(reply);
                state.look(&myself);
            }
            Message::Looked(looked) => {
                state.show(looked);
                state.looking = false;
                if std::mem::take(&mut state.again) {
                    state.look(&myself);
                } else {
                    state.waiting.drain(..).for_each(answer);
                }
            }
        }
        Ok(())
    }
}

impl State {
    /// Begins to read the file; where that is under way, it is read again afterwards.
    fn look(&mut self, myself: &ActorRef<Message>) {
        if self.looking {
            self.again = true;
            return;
        }
        self.looking = true;
        let (file, myself) = (self.means.file.clone(), myself.clone());
        let _reading = tokio::task::spawn_blocking(move || {
            // An actor that has ended reads the file when it is started again.
            let _ended = myself.cast(Message::Looked(load(&file))).is_err();
        });
    }

    /// Puts good rules in force; bad ones are told and change nothing.
    fn show(&self, looked: Result<Loaded, Refused>) {
        let before = self.means.in_force.published();
        match looked {
            Ok(loaded) if before.digest() == Some(loaded.digest.as_str()) && before.refused.is_empty() => {}
            Ok(loaded) => self.published(&self.means.file, loaded),
            Err(refused) => {
                let reasons: Vec<String> = refused.mistakes.iter().map(ToString::to_string).collect();
                if before.refused != reasons {
                    self.refused(&before, reasons);
                }
            }
        }
    }

    fn published(&self, file: &Path, loaded: Loaded) {
        metrics::rules_read(metrics::Reading::Published);
        info!(file = %file.display(), digest = %loaded.digest, rules = loaded.own, "DLP rules published");
        let event = Event::new("dlp_rules_published").with("digest", &loaded.digest).with("rules", loaded.own);
        self.means.in_force.publish(Published::of_file(file, loaded));
        self.means.events.publish(event);
    }

    fn refused(&self, before: &Published, reasons: Vec<String>) {
        metrics::rules_read(metrics::Reading::Refused);
        warn!(?reasons, in_force = ?before.digest(), "the file of DLP rules is refused; the rules before go on");
        let event = Event::new("dlp_rules_refused").with("reasons", reasons.join("; "));
        self.means.in_force.publish(Published { refused: reasons, ..before.clone() });
        self.means.events.publish(event);
    }
}

fn answer(reply: RpcReplyPort<()>) {
    if reply.send(()).is_err() {
        tracing::debug!("whoever had the DLP rules re-read has gone");
    }
}
