//! An actor's address that outlives its restarts.

use std::sync::Arc;
use std::time::Duration;

use ractor::{ActorRef, Message, RpcReplyPort, rpc::CallResult};
use tokio::sync::watch;

/// Where messages for one supervised actor go, whichever incarnation of it lives. Cheap to clone.
pub struct Address<M> {
    name: Arc<str>,
    current: Arc<watch::Sender<Option<ActorRef<M>>>>,
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
        Self { name: name.into(), current: Arc::new(watch::Sender::new(None)) }
    }

    /// The actor's name in the tree.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Says that this incarnation now lives here. Called by the supervisor when it has started the actor.
    pub fn publish(&self, actor: ActorRef<M>) {
        self.current.send_replace(Some(actor));
    }

    /// Says that nobody lives here. Called by the supervisor when the actor has ended.
    pub fn clear(&self) {
        self.current.send_replace(None);
    }

    /// The living incarnation, if there is one.
    #[must_use]
    pub fn current(&self) -> Option<ActorRef<M>> {
        self.current.borrow().clone()
    }

    /// Sends a message that is not answered.
    ///
    /// # Errors
    /// Nobody lives here.
    pub fn cast(&self, message: M) -> Result<(), CallError> {
        let actor = self.current().ok_or_else(|| CallError::NotRunning(self.name.clone()))?;
        actor.cast(message).map_err(|_| CallError::NotRunning(self.name.clone()))
    }

    /// Sends a message and waits for its answer; while the actor is being restarted, waits for it, all `within` the time.
    ///
    /// # Errors
    /// See [`CallError`]; only after [`CallError::NotRunning`] is it certain that nothing was done.
    pub async fn call<R, F>(&self, within: Duration, make: F) -> Result<R, CallError>
    where
        R: Send + 'static,
        F: FnOnce(RpcReplyPort<R>) -> M,
    {
        let not_running = || CallError::NotRunning(self.name.clone());
        let began = tokio::time::Instant::now();
        let mut current = self.current.subscribe();
        let found = async { current.wait_for(Option::is_some).await.ok().and_then(|actor| actor.clone()) };
        let found = tokio::time::timeout(within, found).await.ok().flatten();
        let actor = found.ok_or_else(not_running)?;
        let left = within.saturating_sub(began.elapsed());
        match actor.call(make, Some(left)).await {
            Ok(CallResult::Success(answer)) => Ok(answer),
            Ok(CallResult::Timeout) => Err(CallError::TimedOut(self.name.clone())),
            Ok(CallResult::SenderError) => Err(CallError::Interrupted(self.name.clone())),
            Err(_) => Err(not_running()),
        }
    }
}

impl<M> Clone for Address<M> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), current: self.current.clone() }
    }
}

impl<M> std::fmt::Debug for Address<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "address of {}", self.name)
    }
}
