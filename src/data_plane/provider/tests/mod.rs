//! The room from outside: real sockets, a scripted server behind them, and real actors.

mod actor;
mod breaker;
mod concurrency;
mod exchange;
mod gate;
mod server;
mod streams;
mod vendors;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use ractor::Actor;

use super::actor::ProviderActor;
use super::exchange::Sampling;
use super::{Message, Providers, Request, Role};
use crate::config::settings::{BaseUrl, Concurrency, KeySource, Provider, ProviderKind};
use crate::domain::name::ModelRef;
use crate::journal::events::Events;

/// Longer than anything takes; only a hanging test meets it.
const LONG: Duration = Duration::from_secs(20);

fn local(base_url: BaseUrl) -> Provider {
    Provider {
        kind: ProviderKind::OpenAi,
        base_url,
        api_key: KeySource::None,
        timeout: LONG,
        max_concurrency: NonZeroUsize::new(8).expect("not zero"),
        concurrency: Concurrency::Adaptive,
    }
}

fn model() -> ModelRef {
    "local/qwen".parse().expect("a model")
}

fn request(text: &str) -> Request {
    let messages = vec![Message::said(Role::User, text)];
    let request = Request::new("Be brief.".into(), messages, 128, "task-1/step-1".to_owned());
    Request { sampling: Sampling { temperature: Some(0.5), ..Sampling::default() }, ..request }
}

/// The handle, with nobody at its addresses.
fn unstarted(local: Provider) -> Providers {
    Providers::start(&BTreeMap::from([("local".parse().expect("a name"), local)]), &Events::new()).0
}

/// The handle, with an unsupervised actor at each address.
async fn providers(local: Provider) -> Providers {
    let providers = unstarted(local);
    for link in providers.links() {
        let (actor, _) = Actor::spawn(None, ProviderActor, link.clone()).await.expect("started");
        link.address.publish(actor);
    }
    providers
}
