//! One provider's wire format, chosen by its settings.

use super::builtin::Builtin;
use super::error::Error;
use super::exchange::{Completion, Delta, Deltas, Request};
use super::openai::OpenAi;
use crate::config::settings::{BaseUrl, Provider, ProviderKind};
use crate::data_plane::http::{Endpoint, Key};
use crate::domain::name::ModelRef;

/// A provider's wire format. A further one is a variant here and a file of its own.
pub(super) enum Adapter {
    OpenAi(OpenAi),
    Builtin(Builtin),
    #[cfg(test)]
    Scripted(super::scripted::Script),
}

impl Adapter {
    pub(super) fn new(settings: &Provider) -> Self {
        #[cfg(test)]
        if settings.kind == ProviderKind::OpenAi
            && let Some(script) = super::scripted::script()
        {
            return Self::Scripted(script);
        }
        match settings.kind {
            ProviderKind::OpenAi => {
                let (base, socket) = match settings.base_url.clone() {
                    BaseUrl::Http(base) => (base, None),
                    BaseUrl::Unix(path) => ("http://localhost/v1".to_owned(), Some(path)),
                    BaseUrl::None => (String::new(), None),
                };
                let endpoint = Endpoint::new(base, socket, settings.max_concurrency);
                Self::OpenAi(OpenAi::new(endpoint, Key::new(settings.api_key.clone())))
            }
            ProviderKind::Builtin => Self::Builtin(Builtin),
        }
    }

    /// Whether a call could be sent now, without sending one.
    pub(super) fn usable(&self, model: &ModelRef) -> Result<(), Error> {
        match self {
            Self::OpenAi(openai) => openai.usable(),
            Self::Builtin(builtin) => builtin.usable(model),
            #[cfg(test)]
            Self::Scripted(_) => Ok(()),
        }
    }

    /// The answer, where making it is less work than handing the call to the actor.
    pub(super) fn answer_at_once(&self, model: &ModelRef, request: &Request) -> Option<Completion> {
        match self {
            Self::OpenAi(_) => None,
            Self::Builtin(builtin) => builtin.answer_at_once(model, request),
            #[cfg(test)]
            Self::Scripted(_) => None,
        }
    }

    /// Carries the call out; the answer is asked for piece by piece where somebody listens. The caller bounds its time.
    ///
    /// INVARIANT: what was told to `heard` is what the completion then holds.
    pub(super) async fn complete(
        &self,
        model: &ModelRef,
        request: Request,
        heard: Option<&Deltas>,
    ) -> Result<Completion, Error> {
        match self {
            Self::OpenAi(openai) => openai.complete(model, &request, heard).await,
            Self::Builtin(builtin) => {
                let completion = builtin.complete(model, request).await?;
                tell(&completion, heard).await;
                Ok(completion)
            }
            #[cfg(test)]
            Self::Scripted(script) => script(model.clone(), request, heard.cloned()).await,
        }
    }
}

/// Tells a whole answer to who listens.
pub(super) async fn tell(completion: &Completion, heard: Option<&Deltas>) {
    let Some(heard) = heard else { return };
    let text = (!completion.text.is_empty()).then(|| Delta::Text(completion.text.clone()));
    for delta in text.into_iter().chain(completion.calls.iter().cloned().map(Delta::Call)) {
        // Who has gone hears nothing; the answer counts all the same.
        let _gone = heard.send(delta).await.is_err();
    }
}
