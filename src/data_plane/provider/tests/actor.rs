//! The provider's actor: slots, the line before them, and its death.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use ractor::Actor;
use tokio::sync::Notify;

use super::server::{Act, Server, completion};
use super::{BTreeMap, LONG, local, model, providers, request, unstarted};
use crate::config::settings::BaseUrl;
use crate::data_plane::provider::Providers;
use crate::data_plane::provider::actor::ProviderActor;
use crate::data_plane::provider::error::{Error, Next};
use crate::data_plane::provider::handle::Link;
use crate::data_plane::provider::message::Command;
use crate::data_plane::provider::scripted::{Script, answer_by};
use crate::journal::events::Events;
use crate::supervision::{Intensity, Strategy, SupervisorSpec, start_root};

fn one_at_a_time(url: BaseUrl) -> crate::config::settings::Provider {
    crate::config::settings::Provider { max_concurrency: NonZeroUsize::MIN, ..local(url) }
}

fn link(providers: &Providers) -> Arc<Link> {
    providers.links().find(|link| link.name.as_str() == "local").expect("configured").clone()
}

fn spawn(providers: &Providers, within: Duration) -> tokio::task::JoinHandle<Result<String, Error>> {
    let providers = providers.clone();
    tokio::spawn(async move {
        let completion = providers.complete(&model(), request("x"), within, std::future::pending(), None).await?;
        Ok(completion.text.expose().to_owned())
    })
}

/// Puts another actor in the place of the one that lives there, and kills that one.
async fn replace(link: &Arc<Link>) {
    let old = link.address.current().expect("alive");
    let (new, _) = Actor::spawn(None, ProviderActor, link.clone()).await.expect("started");
    link.address.publish(new);
    old.kill_and_wait(None).await.expect("killed");
}

/// INVARIANT P1.
#[tokio::test]
async fn no_more_calls_run_than_allowed() {
    let gate = Arc::new(Notify::new());
    let script = [Act::Gated(gate.clone(), completion("first")), Act::Answer(200, "", completion("second"))];
    let (server, url) = Server::tcp(script).await;
    let providers = providers(one_at_a_time(url)).await;
    let first = spawn(&providers, LONG);
    server.arrived.notified().await;
    // The second waits in line, past its own time: nothing of it is sent, and so it costs nothing.
    let late = spawn(&providers, Duration::from_millis(50)).await.expect("no panic");
    assert_eq!((late, server.seen().len()), (Err(Error::Overloaded), 1));
    let second = spawn(&providers, LONG);
    gate.notify_one();
    assert_eq!(first.await.expect("no panic"), Ok("first".to_owned()));
    assert_eq!(second.await.expect("no panic"), Ok("second".to_owned()));
}

/// INVARIANTS P1 and P2.
#[tokio::test]
async fn the_actors_death_loses_no_call() {
    let gate = Arc::new(Notify::new());
    let script = [Act::Gated(gate.clone(), completion("running")), Act::Answer(200, "", completion("waiting"))];
    let (server, url) = Server::tcp(script).await;
    let providers = providers(one_at_a_time(url)).await;
    let link = link(&providers);
    let running = spawn(&providers, LONG);
    server.arrived.notified().await;
    let waiting = spawn(&providers, LONG);
    replace(&link).await;
    replace(&link).await;
    assert_eq!(server.seen().len(), 1, "the successor knows that the slot is taken");
    gate.notify_one();
    assert_eq!(running.await.expect("no panic"), Ok("running".to_owned()));
    assert_eq!(waiting.await.expect("no panic"), Ok("waiting".to_owned()));
}

#[tokio::test]
async fn a_call_waits_for_an_actor_that_is_being_restarted() {
    let (_server, url) = Server::tcp([Act::Answer(200, "", completion("late"))]).await;
    let providers = unstarted(local(url));
    let link = link(&providers);
    let gone = spawn(&providers, Duration::from_millis(50)).await.expect("no panic");
    assert_eq!(gone, Err(Error::NotRunning));
    let call = spawn(&providers, LONG);
    let (actor, _) = Actor::spawn(None, ProviderActor, link.clone()).await.expect("started");
    link.address.publish(actor);
    assert_eq!(call.await.expect("no panic"), Ok("late".to_owned()));
}

#[tokio::test]
async fn a_provider_in_quarantine_is_not_waited_for_and_the_next_model_is_tried_until_it_is_released() {
    let (_server, url) = Server::tcp([Act::Answer(200, "", completion("released"))]).await;
    let (providers, specs) =
        Providers::start(&BTreeMap::from([("local".parse().expect("a name"), local(url))]), &Events::new());
    let once = Intensity { restarts: 0, period: LONG };
    let root = SupervisorSpec::new("root", Strategy::OneForOne);
    let root = specs.into_iter().fold(root, |root, spec| root.child(spec.intensity(once).quarantine()));
    let tree = start_root(root).await.expect("a tree");
    assert_eq!(providers.usable(&model()), Ok(()));
    tree.kill(&["providers/local".into()]).await.expect("killed");
    let quarantined = async {
        while providers.usable(&model()).is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, quarantined).await.expect("it bears no restart");
    let refused = spawn(&providers, 2 * LONG);
    let refused =
        tokio::time::timeout(LONG, refused).await.expect("at once").expect("no panic").expect_err("nobody is there");
    assert_eq!((&refused, refused.next()), (&Error::Quarantined, Next::Failover));
    tree.release("providers/local").await.expect("released");
    assert_eq!(providers.usable(&model()), Ok(()));
    assert_eq!(spawn(&providers, LONG).await.expect("no panic"), Ok("released".to_owned()));
}

#[tokio::test]
async fn a_caller_that_leaves_frees_its_slot() {
    let (server, url) = Server::tcp([Act::Silence, Act::Answer(200, "", completion("next"))]).await;
    let providers = providers(one_at_a_time(url)).await;
    let leaver = spawn(&providers, LONG);
    server.arrived.notified().await;
    leaver.abort();
    assert_eq!(spawn(&providers, LONG).await.expect("no panic"), Ok("next".to_owned()));
}

#[tokio::test]
async fn a_call_whose_caller_left_the_line_is_never_begun() {
    let (gate, begun) = (Arc::new(Notify::new()), Arc::new(Mutex::new(Vec::new())));
    let (opened, noted) = (gate.clone(), begun.clone());
    let script: Script = Arc::new(move |_, request, _| {
        let (opened, what) = (opened.clone(), request.messages[0].text().expose().to_owned());
        let is_first = what == "first";
        noted.lock().expect("no panic").push(what);
        async move {
            if is_first {
                opened.notified().await;
            }
            Err(Error::Refused)
        }
        .boxed()
    });
    let _scripted = answer_by(script);
    let providers = providers(one_at_a_time(BaseUrl::Http("http://127.0.0.1:9/v1".to_owned()))).await;
    let model = model();
    let call = |text: &str| providers.complete(&model, request(text), LONG, std::future::pending(), None);
    let first = call("first");
    tokio::pin!(first);
    {
        let abandoned = call("nobody hears this");
        tokio::pin!(abandoned);
        assert!(futures::poll!(first.as_mut()).is_pending() && futures::poll!(abandoned.as_mut()).is_pending());
        link(&providers).address.call(LONG, Command::Ready).await.expect("both have arrived");
    }
    gate.notify_one();
    assert_eq!(first.await, Err(Error::Refused));
    assert_eq!(call("last").await, Err(Error::Refused));
    assert_eq!(*begun.lock().expect("no panic"), ["first", "last"]);
}
