//! What the daemon tells those who listen (`GET /factory/events`). Events are news, not truth: a slow listener misses some, and
//! what must not be missed is in the records.

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

/// The bus; cheap to clone.
#[derive(Debug, Clone)]
pub struct Events(broadcast::Sender<Event>);

impl Events {
    /// A bus without listeners.
    #[must_use]
    pub fn new() -> Self {
        Self(broadcast::Sender::new(BACKLOG_EVENTS_MAX))
    }

    /// Tells whoever listens.
    pub fn publish(&self, event: Event) {
        // No listener is not a failure.
        let _listeners = self.0.send(event).unwrap_or(0);
    }

    /// Whether anybody listens, so that news for nobody need not be made.
    #[must_use]
    pub fn has_listeners(&self) -> bool {
        self.0.receiver_count() > 0
    }

    /// Listens from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.0.subscribe()
    }
}

impl Default for Events {
    fn default() -> Self {
        Self::new()
    }
}
