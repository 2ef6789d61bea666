//! The actor `policy`: owns the policy in force.

use std::sync::Arc;

use arc_swap::ArcSwap;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tracing::info;

use super::Policy;

pub(super) struct PolicyActor;

/// The embedded policy never changes while the daemon runs, so that nobody has anything to ask.
#[derive(Debug)]
pub(super) enum Message {}

impl Actor for PolicyActor {
    type Msg = Message;
    type State = Arc<ArcSwap<Policy>>;
    type Arguments = Arc<ArcSwap<Policy>>;

    /// Publishes the shipped policy anew, so that a restart begins from what is known to be good.
    async fn pre_start(
        &self,
        _myself: ActorRef<Message>,
        published: Arc<ArcSwap<Policy>>,
    ) -> Result<Self::State, ActorProcessingErr> {
        let policy = Policy::shipped();
        info!(digest = %policy.digest(), "policy in force");
        published.store(Arc::new(policy));
        Ok(published)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        _published: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {}
    }
}
