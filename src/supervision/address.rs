//! An actor's address that outlives its restarts.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ractor::{ActorCell, ActorId, ActorRef, ActorStatus, Message, MessagingErr, RpcReplyPort};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

/// Where messages for one supervised actor go, whichever incarnation of it lives. Cheap to clone.
pub struct Address<M> {
    place: Arc<Place<M>>,
}

struct Place<M> {
    name: Arc<str>,
    current: RwLock<Option<ActorRef<M>>>,
    published: Notify,
    /// Whether nobody is going to live here until somebody is published: who calls need not wait.
    closed: AtomicBool,
    /// Messages sent here that no handler has taken.
    queued: AtomicUsize,
    created: Instant,
    /// When the present handler began, in microseconds after `created` and one more; zero while none runs.
    busy_since: AtomicU64,
}

/// How an actor is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Messages sent to its address that wait for it. What an actor sends to itself by other ways is not counted in, only out:
    /// the number is a lower bound.
    pub queued: usize,
    /// How long it has been at its present message; none while it is idle.
    pub busy_for: Option<Duration>,
}

/// A place without its messages: its load, and its closing.
pub(super) trait Loaded: Send + Sync {
    fn load(&self) -> Load;
    /// Who calls is told at once that nobody lives here, until somebody is published.
    fn close(&self);
}

impl<M: Message> Loaded for Place<M> {
    fn load(&self) -> Load {
        let busy_for = self.busy_since.load(Ordering::Relaxed).checked_sub(1).map(|since| {
            let since = self.created.checked_add(Duration::from_micros(since)).unwrap_or(self.created);
            Instant::now().saturating_duration_since(since)
        });
        Load { queued: self.queued.load(Ordering::Relaxed), busy_for }
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.published.notify_waiters();
    }
}

/// Why a message had no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No incarnation was there in time; the message was not delivered.
    #[error("{0} is not running")]
    NotRunning(Arc<str>),
    /// The actor ended while it held the message; it may or may not have acted on it.
    #[error("{0} ended before it answered")]
    Interrupted(Arc<str>),
    /// No answer came in time; the actor may still act on the message.
    #[error("{0} did not answer in time")]
    TimedOut(Arc<str>),
}

impl<M: Message> Address<M> {
    /// An address at which nobody lives yet.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        let (current, published, created) = (RwLock::new(None), Notify::new(), Instant::now());
        let (queued, busy_since, closed) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicBool::new(false));
        Self { place: Arc::new(Place { name: name.into(), current, published, closed, queued, created, busy_since }) }
    }

    /// The actor's name in the tree.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.place.name
    }

    /// Says that this incarnation now lives here. Called by the supervisor when it has started the actor.
    pub fn publish(&self, actor: ActorRef<M>) {
        // The former incarnation's mailbox is gone with it.
        self.place.queued.store(0, Ordering::Relaxed);
        self.place.busy_since.store(0, Ordering::Relaxed);
        *self.place.current.write().unwrap_or_else(PoisonError::into_inner) = Some(actor);
        self.place.closed.store(false, Ordering::Release);
        self.place.published.notify_waiters();
    }

    /// Says that this incarnation has ended; one that was published since stays. Called by the supervisor.
    pub fn clear(&self, ended: ActorId) {
        let mut current = self.place.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|actor| actor.get_id() == ended) {
            *current = None;
        }
    }

    /// The living incarnation, if there is one.
    #[must_use]
    pub fn current(&self) -> Option<ActorRef<M>> {
        let current = self.place.current.read().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().filter(|actor| is_living(actor)).cloned()
    }

    /// Whether nobody is going to live here until somebody is published: what lived here is in quarantine.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.place.closed.load(Ordering::Acquire)
    }

    /// The published incarnation, also one that is about to end.
    pub(super) fn current_or_ending(&self) -> Option<ActorRef<M>> {
        self.place.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends a message that is not answered.
    ///
    /// # Errors
    /// Nobody lives here.
    pub fn cast(&self, message: M) -> Result<(), CallError> {
        let actor = self.current().ok_or_else(|| self.not_running())?;
        self.send(&actor, message).map_err(|_| self.not_running())
    }

    /// Sends a message and waits for its answer; while the actor is being restarted, waits for it, all `within` the time. One in
    /// quarantine is not waited for.
    ///
    /// # Errors
    /// See [`CallError`]; only after [`CallError::NotRunning`] is it certain that nothing was done.
    pub async fn call<R, F>(&self, within: Duration, make: F) -> Result<R, CallError>
    where
        R: Send + 'static,
        F: FnOnce(RpcReplyPort<R>) -> M,
    {
        self.call_patiently(within, within, make).await
    }

    /// [`call`](Self::call), with separate times for the actor to be there, and for all.
    pub(super) async fn call_patiently<R, F>(
        &self,
        present: Duration,
        within: Duration,
        make: F,
    ) -> Result<R, CallError>
    where
        R: Send + 'static,
        F: FnOnce(RpcReplyPort<R>) -> M,
    {
        let began = Instant::now();
        let (sender, answer) = ractor::concurrency::oneshot();
        let delivered = self.deliver(make(RpcReplyPort::from((sender, within))));
        match timeout(present, delivered).await {
            Ok(true) => {}
            Ok(false) | Err(_) => return Err(self.not_running()),
        }
        match timeout(within.saturating_sub(began.elapsed()), answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(CallError::Interrupted(self.name().clone())),
            Err(_) => Err(CallError::TimedOut(self.name().clone())),
        }
    }

    /// Delivers the message to this incarnation or, where it has just ended, to the next. False where it is of no use to anybody.
    async fn deliver(&self, message: M) -> bool {
        let mut message = message;
        loop {
            let published = self.place.published.notified();
            tokio::pin!(published);
            published.as_mut().enable();
            if let Some(actor) = self.current() {
                message = match self.send(&actor, message) {
                    Ok(()) => return true,
                    Err(MessagingErr::SendErr(message)) => message,
                    Err(MessagingErr::ChannelClosed | MessagingErr::InvalidActorType) => return false,
                };
            }
            if self.is_closed() {
                return false;
            }
            published.await;
        }
    }

    fn send(&self, actor: &ActorRef<M>, message: M) -> Result<(), MessagingErr<M>> {
        self.place.queued.fetch_add(1, Ordering::Relaxed);
        actor.send_message(message).inspect_err(|_| self.unqueue())
    }

    fn unqueue(&self) {
        let less = |queued: usize| queued.checked_sub(1);
        if self.place.queued.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_err() {
            tracing::trace!(actor = %self.place.name, "took a message that had not been sent to its address");
        }
    }

    /// A handler has taken a message.
    pub(super) fn taken(&self) {
        self.unqueue();
        self.busy();
    }

    /// A handler has begun.
    pub(super) fn busy(&self) {
        let since = u64::try_from(self.place.created.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.place.busy_since.store(since.saturating_add(1), Ordering::Relaxed);
    }

    /// The handler has ended.
    pub(super) fn idle(&self) {
        self.place.busy_since.store(0, Ordering::Relaxed);
    }

    /// How the actor that lives here is loaded.
    #[must_use]
    pub fn load(&self) -> Load {
        self.place.load()
    }

    pub(super) fn loaded(&self) -> Arc<dyn Loaded> {
        self.place.clone()
    }

    fn not_running(&self) -> CallError {
        CallError::NotRunning(self.name().clone())
    }
}

/// Whether an actor still takes messages. One that a dying supervisor took with it was never cleared.
pub(super) fn is_living(actor: &ActorCell) -> bool {
    actor.get_status() < ActorStatus::Draining
}

impl<M> Clone for Address<M> {
    fn clone(&self) -> Self {
        Self { place: self.place.clone() }
    }
}

impl<M> std::fmt::Debug for Address<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "address of {}", self.place.name)
    }
}
