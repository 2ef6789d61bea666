//! The health of one provider: its [`Gate`] with a clock, chance, its key's version, and a world that is told what changes.
//!
//! It lives in the provider's link and not in its actor: calls run on while the actor is restarted, and each must be able to say
//! how it ended. A call holds a [`Pass`]; whatever becomes of the call, the pass gives its slot back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::breaker::{Change, Dice, KeyVersion, Open, Reason};
use super::concurrency::Limit;
use super::error::Error;
use super::gate::{Changes, Gate, Hold, PAUSE_WAITED_MAX, Permit, Signal};
use super::metrics;
use crate::config::settings::{Concurrency, Provider};
use crate::data_plane::http::Key;
use crate::domain::name::ProviderName;
use crate::journal::events::{Event, Events};

/// The one owner of what is known about a provider's health.
pub(super) struct Health {
    name: ProviderName,
    gate: Mutex<Gate>,
    /// Looked at for its version alone.
    key: Key,
    events: Events,
}

/// Why a call is not carried out now.
pub(super) enum Wait {
    /// The end of a running call says when to ask again.
    ForSlot,
    /// Until then, and without asking.
    Until(Instant),
    /// It is not to wait here at all.
    No(Error),
}

/// The right to make one call. It takes a slot, which is free again when this is dropped.
pub(super) struct Pass {
    health: Arc<Health>,
    permit: Option<Permit>,
}

impl Health {
    pub(super) fn new(name: &ProviderName, settings: &Provider, events: Events) -> Arc<Self> {
        let ceiling = u32::try_from(settings.max_concurrency.get()).unwrap_or(u32::MAX);
        let limit = match settings.concurrency {
            Concurrency::Fixed => Limit::fixed(ceiling),
            Concurrency::Adaptive => Limit::adaptive(ceiling, Instant::now().into_std()),
        };
        let gate = Gate::new(limit);
        metrics::introduce(name);
        metrics::limit(name, gate.limit());
        Arc::new(Self { name: name.clone(), gate: Mutex::new(gate), key: Key::new(settings.api_key.clone()), events })
    }

    /// Whether a call could be sent now, or within a pause that is short enough to wait for.
    ///
    /// # Errors
    /// [`Error::BreakerOpen`], [`Error::KeyRejected`] or [`Error::Paused`].
    pub(super) fn usable(&self) -> Result<(), Error> {
        let key = self.key_version();
        match self.gate().check(Instant::now().into_std(), key) {
            Ok(()) => Ok(()),
            Err(hold) => match wait_for(hold) {
                Wait::No(error) => Err(error),
                Wait::ForSlot | Wait::Until(_) => Ok(()),
            },
        }
    }

    /// Takes a slot for a call.
    ///
    /// # Errors
    /// There is none now.
    pub(super) fn admit(self: &Arc<Self>) -> Result<Pass, Wait> {
        let key = self.key_version();
        let admitted = self.gate().admit(Instant::now().into_std(), key);
        admitted.map(|permit| Pass { health: self.clone(), permit: Some(permit) }).map_err(wait_for)
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        // The gate's functions do not panic; were one to, what it has counted so far is still the best there is.
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key_version(&self) -> KeyVersion {
        KeyVersion(self.key.version())
    }

    fn ended(&self, permit: &Permit, signal: Signal) {
        let key = match signal {
            Signal::KeyRejected { .. } | Signal::Forbidden { .. } => self.key_version(),
            // Nothing else looks at it.
            Signal::Answered | Signal::SlowDown { .. } | Signal::Overwhelmed | Signal::Failed | Signal::Untold => {
                KeyVersion::default()
            }
        };
        let at = (Instant::now().into_std(), key);
        let dice = Dice(rand::random());
        let mut gate = self.gate();
        let changes = gate.ended(permit, signal, at, dice);
        // Told before the next call can change it again, so that the last word is the last state.
        self.tell(changes);
        drop(gate);
    }

    fn tell(&self, Changes { breaker, limit }: Changes) {
        if let Some(limit) = limit {
            metrics::limit(&self.name, limit);
        }
        let provider = &self.name;
        match breaker {
            None => {}
            Some(Change::Reopened(open)) => {
                tracing::debug!(%provider, left = ?open.left, "the provider's probe failed as well");
            }
            Some(Change::Closed) => {
                metrics::breaker_closed(provider);
                tracing::info!(%provider, "the provider answers again");
                self.events.publish(Event::new("provider_breaker_closed").with("provider", provider));
            }
            Some(Change::Opened(Open { reason, left })) => {
                metrics::breaker_opened(provider);
                match reason {
                    Reason::Failing => tracing::warn!(%provider, ?left, "the provider fails and is left alone"),
                    Reason::Key { status, .. } => {
                        tracing::error!(%provider, status, ?left, "the provider rejects its key and is left alone");
                        let rejected = Event::new("provider_key_rejected").with("provider", provider);
                        self.events.publish(rejected.with("status", status));
                    }
                }
                let opened = Event::new("provider_breaker_opened").with("provider", provider);
                self.events.publish(opened.with("reason", word(reason)).with("open_ms", left.as_millis()));
            }
        }
    }
}

impl Pass {
    /// Frees the slot, with what the call's end says.
    pub(super) fn ended(mut self, signal: Signal) {
        self.give_back(signal);
    }

    fn give_back(&mut self, signal: Signal) {
        if let Some(permit) = self.permit.take() {
            self.health.ended(&permit, signal);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.give_back(Signal::Untold);
    }
}

fn wait_for(hold: Hold) -> Wait {
    match hold {
        Hold::Full => Wait::ForSlot,
        Hold::Paused { left } if left > PAUSE_WAITED_MAX => Wait::No(Error::Paused { left }),
        Hold::Paused { left } => {
            let now = Instant::now();
            Wait::Until(now.checked_add(left).unwrap_or(now))
        }
        Hold::Open(Open { reason: Reason::Failing, left }) => Wait::No(Error::BreakerOpen { left }),
        Hold::Open(Open { reason: Reason::Key { status, .. }, .. }) => Wait::No(Error::KeyRejected { status }),
    }
}

/// An event's word for why a breaker opened.
fn word(reason: Reason) -> &'static str {
    match reason {
        Reason::Failing => "failing",
        Reason::Key { .. } => "key_rejected",
    }
}
