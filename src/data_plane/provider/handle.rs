//! The way to the providers.

use std::collections::BTreeMap;
use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use ractor::MessagingErr;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::actor::ProviderActor;
use super::adapter::{Adapter, tell};
use super::claim::{Caller, Claim};
use super::error::Error;
use super::exchange::{Completion, Deltas, Request};
use super::health::Health;
use super::message::{Call, Command};
use super::metrics;
use crate::config::settings::{BaseUrl, Concurrency, KeySource, Provider, ProviderKind};
use crate::domain::name::{ModelRef, ProviderName};
use crate::journal::events::Events;
use crate::supervision::{Address, ChildSpec};

/// The provider that always exists.
pub const BUILTIN: &str = "builtin";
/// How many calls `builtin` works on at once where the settings do not say.
const BUILTIN_CONCURRENCY: usize = 64;
/// How long one call of `builtin` may take where the settings do not say.
const BUILTIN_TIMEOUT: Duration = Duration::from_secs(60);
/// How often a call that waited at an actor that died is handed to its successor.
const DELIVERIES_MAX: u32 = 3;

/// All providers. Cheap to clone; works across the restarts of their actors.
#[derive(Clone)]
pub struct Providers {
    links: Arc<BTreeMap<ProviderName, Arc<Link>>>,
}

/// What of one provider outlives its actor: its connections, its health with its slots, its address.
pub(super) struct Link {
    pub(super) name: ProviderName,
    pub(super) address: Address<Command>,
    pub(super) adapter: Adapter,
    pub(super) health: Arc<Health>,
    pub(super) timeout: Duration,
}

impl Providers {
    /// The handle, and one child `providers/<name>` for each provider, `builtin` always among them. Nothing is connected,
    /// probed or read before the first call.
    #[must_use]
    pub fn start(settings: &BTreeMap<ProviderName, Provider>, events: &Events) -> (Self, Vec<ChildSpec>) {
        let mut links: BTreeMap<_, _> = settings.iter().map(|(name, provider)| link(name, provider, events)).collect();
        if let Ok(builtin) = BUILTIN.parse::<ProviderName>() {
            links.entry(builtin.clone()).or_insert_with(|| link(&builtin, &builtin_settings(), events).1);
        }
        let children = links.values().map(|link| child(link.clone())).collect();
        (Self { links: Arc::new(links) }, children)
    }

    /// Whether a call to this model could be sent now. Cheap: looks at the settings, the key and how the latest calls ended, sends
    /// nothing.
    ///
    /// # Errors
    /// [`Error::UnknownProvider`], [`Error::UnknownModel`], [`Error::MissingKey`], [`Error::Quarantined`],
    /// [`Error::BreakerOpen`], [`Error::KeyRejected`] or [`Error::Paused`].
    pub fn usable(&self, model: &ModelRef) -> Result<(), Error> {
        let link = self.link(model)?;
        if link.address.is_closed() {
            return Err(Error::Quarantined);
        }
        link.adapter.usable(model)?;
        link.health.usable()
    }

    /// Calls a model and waits `within` so long for its answer; the wait for a free slot counts. The provider's own time-out
    /// binds as well. When `stop` ends first, so does the call, and the error says whether it may have reached the provider.
    /// `heard` is told the answer as it comes, and must be read while this runs.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::charge`] says what the failure may cost, [`Error::next`] what to do.
    pub async fn complete(
        &self,
        model: &ModelRef,
        request: Request,
        within: Duration,
        stop: impl Future<Output = ()> + Send,
        heard: Option<&Deltas>,
    ) -> Result<Completion, Error> {
        let link = self.link(model)?;
        if let Some(completion) = link.adapter.answer_at_once(model, &request) {
            tell(&completion, heard).await;
            metrics::count(model, "ok");
            metrics::took(&link.name, completion.elapsed);
            return Ok(completion);
        }
        let now = Instant::now();
        let deadline = now.checked_add(within).unwrap_or(now);
        tokio::pin!(stop);
        for _ in 0..DELIVERIES_MAX {
            match link.attempt(model, &request, deadline, stop.as_mut(), heard).await {
                Attempt::Ended(result) => return result,
                Attempt::NeverBegun(error) => {
                    metrics::count(model, metrics::outcome(&Err(error.clone())));
                    return Err(error);
                }
                Attempt::ActorDied => {}
            }
        }
        metrics::count(model, metrics::outcome(&Err(Error::NotRunning)));
        Err(Error::NotRunning)
    }

    fn link(&self, model: &ModelRef) -> Result<&Arc<Link>, Error> {
        self.links.get(model.provider()).ok_or_else(|| Error::UnknownProvider(model.provider().clone()))
    }

    #[cfg(test)]
    pub(super) fn links(&self) -> impl Iterator<Item = &Arc<Link>> {
        self.links.values()
    }
}

fn link(name: &ProviderName, settings: &Provider, events: &Events) -> (ProviderName, Arc<Link>) {
    let link = Link {
        name: name.clone(),
        address: Address::new(format!("providers/{name}")),
        adapter: Adapter::new(settings),
        health: Health::new(name, settings, events.clone()),
        timeout: settings.timeout,
    };
    (name.clone(), Arc::new(link))
}

fn child(link: Arc<Link>) -> ChildSpec {
    let address = link.address.clone();
    ChildSpec::worker(&address, move || (ProviderActor, link.clone()))
}

fn builtin_settings() -> Provider {
    Provider {
        kind: ProviderKind::Builtin,
        base_url: BaseUrl::None,
        api_key: KeySource::None,
        timeout: BUILTIN_TIMEOUT,
        max_concurrency: NonZeroUsize::new(BUILTIN_CONCURRENCY).unwrap_or(NonZeroUsize::MIN),
        concurrency: Concurrency::Fixed,
    }
}

/// How one delivery of a call ended.
enum Attempt {
    /// The call was carried out; its task has counted it.
    Ended(Result<Completion, Error>),
    /// Nothing was sent.
    NeverBegun(Error),
    /// Nothing was sent, because the actor at which the call waited has died.
    ActorDied,
}

impl Link {
    async fn attempt(
        &self,
        model: &ModelRef,
        request: &Request,
        deadline: Instant,
        stop: impl Future<Output = ()> + Send,
        heard: Option<&Deltas>,
    ) -> Attempt {
        let (reply, answer) = oneshot::channel();
        let claim = Arc::new(Claim::default());
        // An agent that ends while its call waits in line must not have it sent later: nobody would hear the answer.
        let _caller = Caller(claim.clone());
        let (model, request, heard) = (model.clone(), request.clone(), heard.cloned());
        if let Err(error) = self.deliver(Call { model, request, deadline, claim: claim.clone(), heard, reply }).await {
            return Attempt::NeverBegun(error);
        }
        // The task answers at the deadline too; that answer, with what it knows, is preferred where both are there.
        let answered = tokio::select! {
            // An answer that is there counts more than a wish to stop.
            biased;
            answered = tokio::time::timeout_at(deadline, answer) => answered,
            () = stop => return match claim.withdraw() {
                true => Attempt::NeverBegun(Error::Abandoned { begun: false }),
                false => Attempt::Ended(Err(Error::Abandoned { begun: true })),
            },
        };
        match answered {
            Ok(Ok(result)) => Attempt::Ended(result),
            Ok(Err(_)) if claim.withdraw() => Attempt::ActorDied,
            Ok(Err(_)) => Attempt::Ended(Err(Error::Cut("the call's task ended without an answer".to_owned()))),
            Err(_) if claim.withdraw() => Attempt::NeverBegun(Error::Overloaded),
            Err(_) => Attempt::Ended(Err(Error::TimedOut)),
        }
    }

    /// Puts a call into the actor's mailbox. While the actor is being restarted, waits for it.
    async fn deliver(&self, call: Call) -> Result<(), Error> {
        let deadline = call.deadline;
        let Err(back) = self.post(Command::Carry(Box::new(call))) else { return Ok(()) };
        let left = deadline.saturating_duration_since(Instant::now());
        if self.address.call(left, Command::Ready).await.is_err() {
            return Err(if self.address.is_closed() { Error::Quarantined } else { Error::NotRunning });
        }
        match back {
            Some(command) => self.post(*command).map_err(|_| Error::NotRunning),
            None => Err(Error::NotRunning),
        }
    }

    /// Sends to whoever lives at the address, or gives the message back.
    fn post(&self, command: Command) -> Result<(), Option<Box<Command>>> {
        let Some(actor) = self.address.current() else { return Err(Some(Box::new(command))) };
        actor.cast(command).map_err(|fault| match fault {
            MessagingErr::SendErr(command) => Some(Box::new(command)),
            MessagingErr::ChannelClosed | MessagingErr::InvalidActorType => None,
        })
    }
}
