//! What the daemon tells those who listen (`GET /factory/events`). Events are news, not truth: a slow listener misses some, and
//! what must not be missed is in the records.

use std::fmt;
use std::sync::{Arc, OnceLock};

use tokio::sync::broadcast;

use crate::domain::clock::Timestamp;
use crate::domain::id::TaskId;

/// Events that a listener may lag behind before it misses some.
const BACKLOG_EVENTS_MAX: usize = 4_096;

/// One piece of news.
#[derive(Debug, Clone)]
pub struct Event {
    /// What happened, in the past tense: `template_published`.
    pub kind: &'static str,
    /// When.
    pub at: Timestamp,
    /// The task that it concerns.
    pub task: Option<TaskId>,
    /// Its place in the task's journal.
    pub sequence: Option<u64>,
    /// What else there is to say; never the text of a prompt or answer.
    pub details: Vec<(&'static str, String)>,
}

impl Event {
    /// News that concerns the daemon as a whole.
    #[must_use]
    pub fn new(kind: &'static str) -> Self {
        Self { kind, at: Timestamp::now(), task: None, sequence: None, details: Vec::new() }
    }

    /// Says one thing more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.details.push((name, value.to_string()));
        self
    }
}

/// Is told of each piece of news as it is published.
pub type Witness = Arc<dyn Fn(&Event) + Send + Sync>;

/// The bus; cheap to clone.
#[derive(Clone)]
pub struct Events {
    bus: broadcast::Sender<Event>,
    witness: Arc<OnceLock<Witness>>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "events for {} listeners", self.bus.receiver_count())
    }
}

impl Events {
    /// A bus without listeners.
    #[must_use]
    pub fn new() -> Self {
        Self { bus: broadcast::Sender::new(BACKLOG_EVENTS_MAX), witness: Arc::default() }
    }

    /// Tells whoever listens.
    pub fn publish(&self, event: Event) {
        if let Some(witness) = self.witness.get() {
            witness(&event);
        }
        // No listener is not a failure.
        let _listeners = self.bus.send(event).unwrap_or(0);
    }

    /// Has a function told of what is published from now on, in its order and without a gap. There is one, and it must be quick.
    /// News of tasks' steps is made for listeners alone, and passes it by where there are none.
    pub fn tell(&self, witness: Witness) {
        if self.witness.set(witness).is_err() {
            tracing::error!("events have a witness already; the second one is told nothing");
        }
    }

    /// Whether anybody listens, so that news for nobody need not be made.
    #[must_use]
    pub fn has_listeners(&self) -> bool {
        self.bus.receiver_count() > 0
    }

    /// Listens from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.bus.subscribe()
    }
}

impl Default for Events {
    fn default() -> Self {
        Self::new()
    }
}
