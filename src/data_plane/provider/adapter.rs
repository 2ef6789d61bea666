//! One provider's wire format, chosen by its settings.

use super::anthropic::{self, Anthropic};
use super::builtin::Builtin;
use super::error::Error;
use super::exchange::{Completion, Delta, Deltas, Request};
use super::gemini::{self, Gemini};
use super::openai::OpenAi;
use crate::config::settings::{BaseUrl, Provider, ProviderKind};
use crate::data_plane::http::{Endpoint, Key};
use crate::domain::name::ModelRef;

/// A provider's wire format. A further one is a variant here and a file of its own.
pub(super) enum Adapter {
    OpenAi(OpenAi),
    Anthropic(Anthropic),
    Gemini(Gemini),
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
        let key = || Key::new(settings.api_key.clone());
        match settings.kind {
            ProviderKind::OpenAi => Self::OpenAi(OpenAi::new(endpoint(settings, "/v1", ""), key())),
            ProviderKind::Anthropic => {
                let place = endpoint(settings, anthropic::BASE_PATH, anthropic::BASE_PATH);
                Self::Anthropic(Anthropic::new(place, key()))
            }
            ProviderKind::Gemini => {
                Self::Gemini(Gemini::new(endpoint(settings, gemini::BASE_PATH, gemini::BASE_PATH), key()))
            }
            ProviderKind::Builtin => Self::Builtin(Builtin),
        }
    }

    /// Whether a call could be sent now, without sending one.
    pub(super) fn usable(&self, model: &ModelRef) -> Result<(), Error> {
        match self {
            Self::OpenAi(openai) => openai.usable(),
            Self::Anthropic(anthropic) => anthropic.usable(),
            Self::Gemini(gemini) => gemini.usable(),
            Self::Builtin(builtin) => builtin.usable(model),
            #[cfg(test)]
            Self::Scripted(_) => Ok(()),
        }
    }

    /// The answer, where making it is less work than handing the call to the actor.
    pub(super) fn answer_at_once(&self, model: &ModelRef, request: &Request) -> Option<Completion> {
        match self {
            Self::OpenAi(_) | Self::Anthropic(_) | Self::Gemini(_) => None,
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
            Self::Anthropic(anthropic) => anthropic.complete(model, &request, heard).await,
            Self::Gemini(gemini) => gemini.complete(model, &request, heard).await,
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

/// The place that the settings name. Over a Unix socket paths begin with `on_socket`; a URL that is nothing but a host, as some
/// vendors write theirs, is completed with `bare`.
fn endpoint(settings: &Provider, on_socket: &str, bare: &str) -> Endpoint {
    let (base, socket) = match settings.base_url.clone() {
        BaseUrl::Http(base) if has_path(&base) => (base, None),
        BaseUrl::Http(base) => (base + bare, None),
        BaseUrl::Unix(path) => (format!("http://localhost{on_socket}"), Some(path)),
        BaseUrl::None => (String::new(), None),
    };
    Endpoint::new(base, socket, settings.max_concurrency)
}

fn has_path(base: &str) -> bool {
    base.split_once("://").is_some_and(|(_, rest)| rest.contains('/'))
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
