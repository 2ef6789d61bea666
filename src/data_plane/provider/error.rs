//! How a model call fails, what that may cost, and what to do next.

use std::time::Duration;

use crate::data_plane::http;
use crate::domain::failure::{Class, Failure, Retry};
use crate::domain::name::{ModelRef, ProviderName};

/// How long a caller is asked to stay away when our own limit on concurrency was reached.
const OVERLOAD_PAUSE: Duration = Duration::from_secs(1);

/// A model call without an answer. No variant holds a key, a prompt or the provider's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The settings name no such provider.
    #[error("call a model: the settings name no provider {0}")]
    UnknownProvider(ProviderName),
    /// The provider has no such model.
    #[error("call a model: there is no model {0}")]
    UnknownModel(ModelRef),
    /// The provider needs a key and there is none to use.
    #[error("read the provider's key: {0}")]
    MissingKey(String),
    /// The provider's actor is being restarted or stopped.
    #[error("hand the call to the provider's actor: it is not running")]
    NotRunning,
    /// The provider's actor failed too often, and is not started until somebody releases it.
    #[error("hand the call to the provider's actor: it is in quarantine")]
    Quarantined,
    /// As many calls as the settings allow are running, and too many wait, or this one waited too long.
    #[error("wait for a free slot at the provider: none in time")]
    Overloaded,
    /// The provider's circuit breaker is open: its latest calls failed.
    #[error("call the provider: its latest calls failed, and it is left alone")]
    BreakerOpen {
        /// How long to wait before a call may be tried.
        left: Duration,
    },
    /// The provider has asked all callers for patience.
    #[error("call the provider: it has asked for patience")]
    Paused {
        /// For how long from now.
        left: Duration,
    },
    /// The caller gave up before there was an answer.
    #[error("call the provider: the caller gave up")]
    Abandoned {
        /// Whether it may have reached the provider.
        begun: bool,
    },
    /// There is no way to the provider.
    #[error("connect to the provider: {0}")]
    Unreachable(String),
    /// The provider's wire format, or its model, has no word for something in the request.
    #[error("ask the provider for {what}: it cannot be asked for that")]
    Unsupported {
        /// What.
        what: &'static str,
    },
    /// The call was sent and not answered in time.
    #[error("wait for the provider's answer: none in time")]
    TimedOut,
    /// The connection ended before the answer did.
    #[error("read the provider's answer: {0}")]
    Cut(String),
    /// The provider asks for patience (status 429).
    #[error("call the provider: it limits the rate")]
    RateLimited {
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// The input does not fit the model's context.
    #[error("call the provider: the input is larger than the model's context")]
    ContextTooLarge,
    /// The provider's content rules refuse the prompt.
    #[error("call the provider: its content rules refuse the prompt")]
    Refused,
    /// The provider does not accept the key (401, 403), or did not when it was last used.
    #[error("call the provider: it rejects the key ({status})")]
    KeyRejected {
        /// The HTTP status.
        status: u16,
    },
    /// The provider does not take the request (3xx, 4xx): an unknown model or parameter, a spent account.
    #[error("call the provider: it answered {status}")]
    Rejected {
        /// The HTTP status.
        status: u16,
    },
    /// The provider failed (5xx).
    #[error("call the provider: it failed with {status}")]
    Failed {
        /// The HTTP status.
        status: u16,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// The provider's answer is not what its wire format promises.
    #[error("read the provider's answer: {what}")]
    Nonsense {
        /// What is wrong with it.
        what: &'static str,
    },
}

/// Whether the provider may send a bill for a call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charge {
    /// It did no work: the reservation can be released.
    None,
    /// It may have: the reservation is booked as spent, in doubt.
    Unknown,
}

/// What the caller should do about a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The same provider may answer the same call, after so long where it said so.
    Retry {
        /// What the provider asked for.
        after: Option<Duration>,
    },
    /// Only another provider or model can answer.
    Failover,
    /// No provider should be asked.
    GiveUp,
    /// The same provider can answer when there is room, after so long; the failed call is not held against it.
    Again {
        /// How long.
        after: Duration,
    },
    /// Another provider can answer at once; where there is none, the same one may after so long. The call is not held against it.
    Elsewhere {
        /// How long.
        after: Duration,
    },
}

impl Error {
    /// Whether the provider may bill the failed call.
    ///
    /// Unknown wherever a model may have begun to run: after a time-out, a cut, a nonsensical answer, and a 5xx, because a
    /// gateway answers 500, 502 and 504 also when the model behind it has done its work. 501, 503 and 529 say that the call
    /// was not taken up, as does every 4xx.
    #[must_use]
    pub fn charge(&self) -> Charge {
        match self {
            Self::UnknownProvider(_)
            | Self::UnknownModel(_)
            | Self::MissingKey(_)
            | Self::NotRunning
            | Self::Quarantined
            | Self::Overloaded
            | Self::BreakerOpen { .. }
            | Self::Paused { .. }
            | Self::KeyRejected { .. }
            | Self::Abandoned { begun: false }
            | Self::Unreachable(_)
            | Self::RateLimited { .. }
            | Self::ContextTooLarge
            | Self::Refused
            | Self::Unsupported { .. }
            | Self::Rejected { .. }
            | Self::Failed { status: 501 | 503 | 529, .. } => Charge::None,
            Self::Abandoned { begun: true }
            | Self::TimedOut
            | Self::Cut(_)
            | Self::Failed { .. }
            | Self::Nonsense { .. } => Charge::Unknown,
        }
    }

    /// Whether it was the provider that ended the exchange: nothing more is written behind what was heard of the answer. Where the
    /// caller hung up, out of time, out of patience or over what it could not read, the provider may have written on.
    #[must_use]
    pub fn ended_by_provider(&self) -> bool {
        !matches!(self, Self::TimedOut | Self::Nonsense { .. } | Self::Abandoned { .. })
    }

    /// What to do next. A rejection fails over, since another model may know the parameter, hold a valid key or have a larger
    /// context; a prompt that content rules refuse is not carried from provider to provider until one takes it; what this
    /// host's own limits hold up waits, rather than be answered by another model than the operator chose; and what the provider's
    /// own trouble holds up moves on where it can, and waits where it cannot.
    #[must_use]
    pub fn next(&self) -> Next {
        match self {
            Self::Unreachable(_) | Self::Cut(_) => Next::Retry { after: None },
            Self::Overloaded | Self::NotRunning => Next::Again { after: OVERLOAD_PAUSE },
            Self::BreakerOpen { left } | Self::Paused { left } => Next::Elsewhere { after: *left },
            Self::RateLimited { retry_after } | Self::Failed { retry_after, .. } => Next::Retry { after: *retry_after },
            Self::UnknownProvider(_)
            | Self::UnknownModel(_)
            | Self::MissingKey(_)
            | Self::Quarantined
            | Self::TimedOut
            | Self::ContextTooLarge
            | Self::KeyRejected { .. }
            | Self::Unsupported { .. }
            | Self::Rejected { .. }
            | Self::Nonsense { .. } => Next::Failover,
            Self::Refused | Self::Abandoned { .. } => Next::GiveUp,
        }
    }
}

impl From<http::Error> for Error {
    fn from(error: http::Error) -> Self {
        match error {
            http::Error::MissingKey(what) => Self::MissingKey(what),
            http::Error::Unreachable(why) => Self::Unreachable(why),
            http::Error::Cut(why) => Self::Cut(why),
            http::Error::Quiet => Self::TimedOut,
            http::Error::TooLarge => Self::Nonsense { what: "a body over the limit" },
        }
    }
}

impl Failure for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownProvider(_) => "provider_unknown",
            Self::UnknownModel(_) => "provider_model_unknown",
            Self::MissingKey(_) => "provider_key_missing",
            Self::NotRunning => "provider_not_running",
            Self::Quarantined => "provider_quarantined",
            Self::Overloaded => "provider_overloaded",
            Self::BreakerOpen { .. } => "provider_breaker_open",
            Self::Paused { .. } => "provider_paused",
            Self::Abandoned { .. } => "provider_call_abandoned",
            Self::Unreachable(_) => "provider_unreachable",
            Self::TimedOut => "provider_timed_out",
            Self::Cut(_) => "provider_cut",
            Self::RateLimited { .. } => "provider_rate_limited",
            Self::ContextTooLarge => "provider_context_too_large",
            Self::Refused => "provider_refused",
            Self::KeyRejected { .. } => "provider_key_rejected",
            Self::Unsupported { .. } => "provider_unsupported",
            Self::Rejected { .. } => "provider_rejected",
            Self::Failed { .. } => "provider_failed",
            Self::Nonsense { .. } => "provider_nonsense",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::UnknownProvider(_)
            | Self::UnknownModel(_)
            | Self::MissingKey(_)
            | Self::NotRunning
            | Self::Quarantined
            | Self::BreakerOpen { .. }
            | Self::Paused { .. } => Class::Unavailable,
            Self::Overloaded => Class::Overload,
            Self::ContextTooLarge => Class::TooLarge,
            Self::Refused | Self::Unsupported { .. } | Self::Abandoned { .. } => Class::Refused,
            Self::Unreachable(_)
            | Self::TimedOut
            | Self::Cut(_)
            | Self::RateLimited { .. }
            | Self::KeyRejected { .. }
            | Self::Rejected { .. }
            | Self::Failed { .. }
            | Self::Nonsense { .. } => Class::Upstream,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Overloaded | Self::NotRunning => Retry::After(OVERLOAD_PAUSE),
            Self::BreakerOpen { left } | Self::Paused { left } => Retry::After(*left),
            Self::RateLimited { retry_after } | Self::Failed { retry_after, .. } => {
                retry_after.map_or(Retry::Never, Retry::After)
            }
            Self::UnknownProvider(_)
            | Self::UnknownModel(_)
            | Self::MissingKey(_)
            | Self::Quarantined
            | Self::Abandoned { .. }
            | Self::Unreachable(_)
            | Self::TimedOut
            | Self::Cut(_)
            | Self::ContextTooLarge
            | Self::Refused
            | Self::KeyRejected { .. }
            | Self::Unsupported { .. }
            | Self::Rejected { .. }
            | Self::Nonsense { .. } => Retry::Never,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::UnknownProvider(name) => format!("there is no provider {name}"),
            Self::UnknownModel(model) => format!("there is no model {model}"),
            Self::MissingKey(_) => "the provider's key is missing".to_owned(),
            Self::NotRunning => "the provider is being restarted".to_owned(),
            Self::Quarantined => "the provider failed too often and waits for its release from quarantine".to_owned(),
            Self::Overloaded => "too many calls to the provider are running".to_owned(),
            Self::BreakerOpen { .. } => {
                "the provider's latest calls failed, and it is left alone for a while".to_owned()
            }
            Self::Paused { .. } => "the provider has asked for patience".to_owned(),
            Self::Abandoned { .. } => "the call was ended before there was an answer".to_owned(),
            Self::Unreachable(_) => "the provider cannot be reached".to_owned(),
            Self::TimedOut => "the provider did not answer in time".to_owned(),
            Self::Cut(_) => "the provider's answer was cut off".to_owned(),
            Self::RateLimited { .. } => "the provider limits the rate of calls".to_owned(),
            Self::ContextTooLarge => "the input is larger than the model's context".to_owned(),
            Self::Refused => "the provider's content rules refuse the prompt".to_owned(),
            Self::KeyRejected { status } => format!("the provider rejects its key with status {status}"),
            Self::Unsupported { what } => format!("the provider cannot be asked for {what}"),
            Self::Rejected { status } => format!("the provider rejected the request with status {status}"),
            Self::Failed { status, .. } => format!("the provider failed with status {status}"),
            Self::Nonsense { what } => format!("the provider's answer makes no sense: {what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// INVARIANT P3: a reservation is released only where no model can have run.
    #[test]
    fn only_calls_that_no_model_saw_are_free() {
        const PAUSE: Duration = Duration::from_secs(2);
        let pause = Some(PAUSE);
        let table = [
            (Error::Unreachable("refused".into()), Charge::None, Next::Retry { after: None }),
            (Error::TimedOut, Charge::Unknown, Next::Failover),
            (Error::Cut("early end".into()), Charge::Unknown, Next::Retry { after: None }),
            (Error::RateLimited { retry_after: pause }, Charge::None, Next::Retry { after: pause }),
            (Error::Rejected { status: 404 }, Charge::None, Next::Failover),
            (Error::KeyRejected { status: 401 }, Charge::None, Next::Failover),
            (Error::BreakerOpen { left: PAUSE }, Charge::None, Next::Elsewhere { after: PAUSE }),
            (Error::Paused { left: PAUSE }, Charge::None, Next::Elsewhere { after: PAUSE }),
            (Error::Refused, Charge::None, Next::GiveUp),
            (Error::Unsupported { what: "a seed" }, Charge::None, Next::Failover),
            (Error::Failed { status: 500, retry_after: None }, Charge::Unknown, Next::Retry { after: None }),
            (Error::Failed { status: 503, retry_after: pause }, Charge::None, Next::Retry { after: pause }),
            (Error::Nonsense { what: "no choices" }, Charge::Unknown, Next::Failover),
            (Error::Overloaded, Charge::None, Next::Again { after: OVERLOAD_PAUSE }),
            (Error::NotRunning, Charge::None, Next::Again { after: OVERLOAD_PAUSE }),
            (Error::Quarantined, Charge::None, Next::Failover),
        ];
        for (error, charge, next) in table {
            assert_eq!((error.charge(), error.next()), (charge, next), "{error}");
        }
    }

    /// INVARIANT P4.
    #[test]
    fn the_outward_message_tells_no_path() {
        let error = Error::MissingKey("/etc/factory/key: no such file".into());
        assert!(!error.detail().contains('/'));
        assert!(error.to_string().contains("/etc/factory/key"));
    }
}
