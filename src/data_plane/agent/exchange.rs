//! One model's answer, from the call to its last piece: the only place in the program that calls a provider.

use std::future::Future;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::call::Prepared;
use super::ear::Ear;
use super::environment::Environment;
use crate::data_plane::provider::{self, Charge, Completion, Delta};
use crate::domain::name::ModelRef;

/// Pieces that may wait to be heard; a provider waits at more.
const PIECES_MAX: usize = 64;

/// What one model said.
pub(super) struct Heard {
    pub(super) result: Result<Completion, provider::Error>,
    pub(super) ear: Ear,
}

impl Heard {
    /// Whether it is an answer, or the beginning of one.
    pub(super) fn counts(&self) -> bool {
        self.result.is_ok() || self.ear.heard_words()
    }
}

/// How a model is asked.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) environment: &'a Environment,
    pub(super) prepared: &'a Prepared,
    pub(super) model: &'a ModelRef,
    /// The models that may answer, in order of preference.
    pub(super) route: &'a [ModelRef],
    /// When nobody waits any longer.
    pub(super) deadline: Instant,
    /// Whether the answer is asked for piece by piece.
    pub(super) in_pieces: bool,
}

impl Asking<'_> {
    /// One answer of the model, waited for until there is room for the call; no longer than `stop` lasts.
    pub(super) async fn answer(&self, stop: impl Future<Output = ()> + Send, mut ear: Ear) -> Heard {
        tokio::pin!(stop);
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            let (providers, request) = (&self.environment.providers, self.prepared.request.clone());
            let result = if self.in_pieces {
                let (pieces, heard) = mpsc::channel(PIECES_MAX);
                let called = providers.complete(self.model, request, left, stop.as_mut(), Some(&pieces));
                hear(called, heard, &mut ear).await
            } else {
                providers.complete(self.model, request, left, stop.as_mut(), None).await
            };
            // Nothing was sent: the step goes on, and the records need not know how often it asked for room.
            let Some(pause) = result.as_ref().err().and_then(|error| self.again_after(error, left)) else {
                return Heard { result, ear };
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.as_mut() => return Heard { result: Err(provider::Error::Abandoned { begun: false }), ear },
            }
        }
    }

    /// Whether a later model of the route could be called now.
    pub(super) fn can_move_on(&self) -> bool {
        let mut later = self.route.iter().skip_while(|candidate| *candidate != self.model).skip(1);
        later.any(|candidate| self.environment.providers.usable(candidate).is_ok())
    }

    /// How long to wait before a call that was not sent is tried again, where there is time left for that and nobody else can
    /// answer meanwhile.
    fn again_after(&self, error: &provider::Error, left: Duration) -> Option<Duration> {
        match (error.next(), error.charge()) {
            (provider::Next::Again { after }, Charge::None) if after < left => Some(after),
            (provider::Next::Elsewhere { after }, Charge::None) if after < left && !self.can_move_on() => Some(after),
            (_, _) => None,
        }
    }
}

/// Hears all pieces of an answer until it is there or has failed.
async fn hear(
    called: impl Future<Output = Result<Completion, provider::Error>>,
    mut heard: mpsc::Receiver<Delta>,
    ear: &mut Ear,
) -> Result<Completion, provider::Error> {
    tokio::pin!(called);
    let ended = loop {
        tokio::select! {
            biased;
            Some(piece) = heard.recv() => ear.hear(piece).await,
            ended = called.as_mut() => break ended,
        }
        // What nobody may be told is not worth its price: the provider is hung up on.
        if ear.is_refused() {
            return Err(provider::Error::Abandoned { begun: true });
        }
    };
    while let Ok(piece) = heard.try_recv() {
        ear.hear(piece).await;
    }
    ended
}
